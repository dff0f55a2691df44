#' Draws
#'
#' `sample()` is generic here: for a flow it draws from it, and for everything else it is [base::sample()], untouched.
#' [set.seed()] governs the draws; they do not depend on the number of threads.
#'
#' @param x A flow or a fit; else what [base::sample()] takes.
#' @param size Number of draws.
#' @param condition Values of the conditioning variables: one row for all draws, or `size` rows.
#' @param ... For the default, passed to [base::sample()].
#' @return A matrix with one row a draw and one column a coordinate, named as the data were.
#' @examples
#' f <- flow(layer_elementwise(scalar_affine()), d = 2)
#' set.seed(1)
#' sample(f, 3)
#' sample(5)
#' @export
sample <- function(x, size, ...) UseMethod("sample")

#' @rdname sample
#' @export
sample.default <- function(x, size, ...) base::sample(x, size, ...)

#' @rdname sample
#' @export
sample.bijectr_flow <- function(x, size = 1, condition = NULL, ...) {
  check_unused(...)
  check_flow(x)
  size <- check_count(size, "size", min = 0)
  if (size == 0) return(give_back(x, matrix(0, 0, x$d)))
  condition <- take_condition(x, condition, size)
  z <- native_draw(x, size, draw_seed())
  give_back(x, native_map(x, z, condition, inverse = FALSE)$value)
}

#' Simulated data sets
#'
#' The method of [stats::simulate()]: `nsim` data sets, each with as many rows as the fit's data.
#'
#' @param object A fit.
#' @param nsim Number of data sets.
#' @param seed As in [stats::simulate()]: `NULL`, or a number for [set.seed()].
#' @param n Rows of each data set.
#' @param condition Values of the conditioning variables, `n` rows or one.
#' @param ... Not used.
#' @return A list of `nsim` data frames, with the state of the random number generator as attribute `"seed"`.
#' @examples
#' fit <- fit_flow(faithful, steps = 50)
#' str(simulate(fit, 2, seed = 1))
#' @importFrom stats simulate
#' @export
simulate.bijectr_flow <- function(object, nsim = 1, seed = NULL, n = object$nobs, condition = NULL, ...) {
  check_unused(...)
  check_flow(object)
  nsim <- check_count(nsim, "nsim")
  if (is.null(n)) stop_arg("{.arg n} must be given: this flow was not fitted to data.")
  n <- check_count(n, "n")
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  if (is.null(seed)) {
    state <- get(".Random.seed", envir = globalenv())
  } else {
    before <- get(".Random.seed", envir = globalenv())
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
    state <- structure(seed, kind = as.list(RNGkind()))
  }
  sets <- lapply(seq_len(nsim), function(i) as.data.frame(sample(object, n, condition = condition)))
  structure(stats::setNames(sets, paste0("sim_", seq_len(nsim))), seed = state)
}

# Data sets drawn from fits, as stats::simulate() has them.

#' Simulated data sets
#'
#' The method of [stats::simulate()]: `nsim` data sets, each with as many rows as the fit's data.
#'
#' @param object A fit.
#' @param nsim Number of data sets.
#' @param seed As in [stats::simulate()]: `NULL`, or a whole number for [set.seed()].
#' @param n Rows of each data set.
#' @param condition Values of the conditioning variables, `n` rows or one. `NULL`: of a conditional fit those of the
#'   data that its call names, as [fitted()][residuals.bijectr_fit()] has them; a fit does not keep its data.
#' @param ... Not used.
#' @return A list of `nsim` sets of draws in the form of the data, as [sample()] gives them, with the state of the
#'   random number generator as attribute `"seed"`.
#' @examples
#' fit <- fit_flow(faithful, steps = 50)
#' str(simulate(fit, 2, seed = 1))
#'
#' # responses at the conditions of the data
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 50)
#' str(simulate(fit, 2))
#' @importFrom stats simulate
#' @export
simulate.bijectr_flow <- function(object, nsim = 1, seed = NULL, n = object$nobs, condition = NULL, ...) {
  check_unused(...)
  check_object(object)
  if (is.null(condition) && object$d_condition > 0 && missing(n)) {
    condition <- conditions_of_call(object, parent.frame())
    n <- condition_rows(object, condition)
  }
  sets <- extrapolation_once(seeded_sets(nsim, seed, n, function(n) draw_points(object, n, condition)))
  tell_nan(Find(anyNA, sets), "The draw") # one warning, whatever the number of sets
  sets[] <- lapply(sets, function(draws) give_back(object, draws, drawn = TRUE))
  sets
}

# `nsim` data sets by `draw(n)`, with the seed as stats::simulate() has it.
seeded_sets <- function(nsim, seed, n, draw) {
  nsim <- check_count(nsim, "nsim")
  if (is.null(n)) stop_arg("{.arg n} must be given: this flow was not fitted to data.")
  n <- check_count(n, "n")
  largest <- .Machine$integer.max
  check_count(seed, "seed", min = -largest, max = largest, null = TRUE)
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  if (is.null(seed)) {
    state <- get(".Random.seed", envir = globalenv())
  } else {
    before <- get(".Random.seed", envir = globalenv())
    on.exit(assign(".Random.seed", before, envir = globalenv()))
    set.seed(seed)
    state <- structure(seed, kind = as.list(RNGkind()))
  }
  sets <- lapply(seq_len(nsim), function(i) draw(n))
  structure(stats::setNames(sets, paste0("sim_", seq_len(nsim))), seed = state)
}

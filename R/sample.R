#' Draws from a flow
#'
#' `sample()` is generic here: for a flow it draws from it, and for everything else it is [base::sample()], untouched.
#' [set.seed()] governs the draws; they do not depend on the number of threads. A draw of a stack is one of a flow that
#' is chosen at random, by the weights.
#'
#' @param x A flow or a fit; else what [base::sample()] takes.
#' @param size Number of draws, 0 or more.
#' @param condition Values of the conditioning variables, in their own units: a matrix or data frame. With `size`
#'   rows there is one draw at each, else there are `size` draws at each row. [rflow()] draws as many as it is asked
#'   for, at rows in turn.
#' @param logdensity Whether the draws have their log densities beside them, computed in the same pass.
#' @param into Where draws are to be written, block by block of 100,000, so that memory does not grow with `size`: a
#'   function, a file, a table of a database or a matrix on disk, see [logdensity()]. Log densities are then in a last
#'   column `logdensity`, `size` may be up to 2^53, and `condition` is one row. The same seed gives the same draws,
#'   which are others than those of a call without `into`. `NULL`: draws are returned.
#' @param ... For the default, passed to [base::sample()].
#' @return Draws in the form of the data: a data frame (a tibble, a data.table) for a fit to one, with columns of the
#'   classes, units and time zones of the data; a vector for a fit to a vector; else a matrix with one row a draw and
#'   one column a coordinate, named as the data were. Of several draws at several rows of conditions data frames have
#'   the number of the row in a first column `.row`, matrices in row names, vectors in names. With `logdensity = TRUE`
#'   they have an attribute `"logdensity"`. Draws of plain integer columns of data frames, and of integer vectors, are
#'   integers, rounded where the column has a density (double where one is larger than integers are); those of other
#'   whole numbers with densities, and of dates, are not whole.
#' @seealso [rflow()], [simulate()][simulate.bijectr_flow()], [importance_sample()]
#' @examples
#' f <- flow(layer_elementwise(scalar_affine()), d = 2)
#' set.seed(1)
#' sample(f, 3)
#' sample(5)
#' sample(f, 1e4, into = function(rows) print(colMeans(rows)))
#'
#' # two draws at each of two conditions
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 200)
#' sample(fit, 3, condition = data.frame(waiting = c(50, 80)))
#' @order 1
#' @export
sample <- function(x, size, ...) {
  if (missing(x)) stop_missing("x")
  UseMethod("sample")
}

#' @rdname sample
#' @order 4
#' @export
sample.default <- function(x, size, ...) base::sample(x, size, ...)

#' @rdname sample
#' @order 2
#' @export
sample.bijectr_flow <- function(x, size = 1, condition = NULL, logdensity = FALSE, ..., into = NULL) {
  check_unused(...)
  check_object(x)
  check_flag(logdensity, "logdensity")
  if (!is.null(into)) {
    return(sample_in_blocks(x, size, condition, into, function(k) sample(x, k, condition, logdensity)))
  }
  size <- check_count(size, "size", min = 0)
  at <- rows_to_draw(x, size, condition)
  found <- draws_with_density(x, at$n, at$condition, logdensity)
  out <- name_rows(give_back(x, tell_nan(found$value, "The draw"), drawn = TRUE), at$of)
  if (logdensity) structure(out, logdensity = found$log_density) else out
}

# list(value, log_density), the latter where it is asked for: in the same pass where draws stay what they are.
draws_with_density <- function(flow, n, condition, wanted) {
  if (!wanted || n == 0) return(list(value = draw_points(flow, n, condition), log_density = numeric()))
  condition <- take_condition(flow, condition, n)
  if (!is_whole(flow) && !any(vapply(flow$codecs, is_integer_codec, NA))) return(points_proposed(flow, n, condition))
  z <- settled_draws(flow, points_drawn(flow, n, condition))
  if (is_whole(flow)) z <- to_whole(z)
  list(value = z, log_density = rows_density(flow, z, condition))
}

# `n` draws in the form of the data, at one row of conditions or as many.
drawn_as_data <- function(object, n, condition) UseMethod("drawn_as_data")

#' @export
drawn_as_data.default <- function(object, n, condition) {
  give_back(object, tell_nan(draw_points(object, n, condition), "The draw"), drawn = TRUE)
}

# Draws as points of the core.
draw_points <- function(flow, n, condition) {
  if (n == 0) return(matrix(0, 0, flow$d))
  condition <- take_condition(flow, condition, n)
  points_drawn(flow, n, condition)
}

#' A flow as a map
#'
#' `forward()` sends points from the base side to the data side, `inverse()` brings them back. Both return the
#' log-determinant of the map they apply.
#'
#' @param object A flow or a fit of one: a stack has no single map, `fit_flow(data, members = 1)` fits one that has.
#' @param x Points, of `forward()` on the base side, of `inverse()` on the data side in the units of the data: a numeric
#'   matrix or data frame with one column a coordinate (found by name if both sides have names); for one coordinate a
#'   vector. Missing values are an error.
#' @param condition Values of the conditioning variables, in their own units: a matrix or data frame with one column a
#'   variable (for one variable a vector), and as many rows as there are points or one row for all. `NULL` for a flow
#'   without conditions.
#' @param ... Not used.
#' @return A list: `value`, the mapped points, of `forward()` in the form of the data (see [sample()]), of `inverse()` a
#'   matrix; and `logdet`, a vector with the log absolute determinant of the Jacobian of this map at each point, in the
#'   units of the data; `-Inf` where a point lies outside the support, or outside the points of the base at which all
#'   layers have values; its value is `NA` then, with a warning of class `bijectr_warning_outside`.
#' @seealso [logdensity()], [sample()], [params()]
#' @examples
#' f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = 1)
#' params(f) <- c(1, log(2))
#' forward(f, c(0, 1)) # 2 x + 1
#' @export
forward <- function(object, x, ...) {
  if (missing(object)) stop_missing("object")
  UseMethod("forward")
}

#' @rdname forward
#' @export
inverse <- function(object, x, ...) {
  if (missing(object)) stop_missing("object")
  UseMethod("inverse")
}

#' @rdname forward
#' @export
forward.bijectr_flow <- function(object, x, condition = NULL, ...) {
  check_unused(...)
  check_one_flow(object, "{.fn forward}")
  map_points(object, x, condition, inverse = FALSE)
}

#' @rdname forward
#' @export
inverse.bijectr_flow <- function(object, x, condition = NULL, ...) {
  check_unused(...)
  check_one_flow(object, "{.fn inverse}")
  map_points(object, x, condition, inverse = TRUE)
}

map_points <- function(flow, x, condition, inverse) {
  at <- take_in(flow, x, "x", condition, latent = !inverse)
  out <- if (inverse) points_back(flow, at, "x") else points_there(flow, at, "x")
  list(value = give_back(flow, out$value, latent = inverse), logdet = tell_nan(out$logdet, "The log-determinant"))
}

# Points as take_in() gives them, of the user's argument `name`, on the base side. Where no point of the base leads
# there is none.
points_back <- function(flow, at, name) {
  back <- native_map(flow, at$points, at$condition, inverse = TRUE)
  back$logdet <- density_at(back$logdet, at)
  without_outside(back, at, name, "outside the support of the flow, where no point of the base leads")
}

# The same on the data side. A layer as layer_elementwise(scalar_power(0.5)) may have no value at a point of the base.
points_there <- function(flow, at, name) {
  there <- native_map(flow, at$points, at$condition, inverse = FALSE)
  without_outside(there, at, name, "where a layer of the flow has no value")
}

without_outside <- function(out, at, name, where) {
  outside <- which(out$logdet == -Inf)
  out$value[outside, ] <- 0 # whatever stands there
  tell_nan(out$value, "The image")
  if (length(outside)) {
    out$value[outside, ] <- NA
    row <- if (is.null(at$kept)) outside[1] else at$kept[outside[1]]
    cli::cli_warn(
      "{length(outside)} row{?s} of {.arg {name}} {cli::qty(length(outside))}{?lies/lie} {where}:
       {cli::qty(length(outside))}{?it is/they are} {.val {NA}}. The first is row {row}.",
      class = "bijectr_warning_outside"
    )
  }
  out
}

# What is not a number is never silent: finite parameters may be too large for the range of a double.
tell_nan <- function(value, what) {
  if (anyNA(value)) {
    row <- (which(is.na(value))[1] - 1) %% NROW(value) + 1
    cli::cli_warn("{what} of row {row} is not a number: parameters of the flow are too large for doubles.",
      class = "bijectr_warning_nan"
    )
  }
  value
}

# Gradients, for tests and for fits that are driven from R: value, logdet and log_density of the map, and the gradient
# of the sum of their products with `cotangents` with respect to params, x and condition.
flow_vjp <- function(flow, x, inverse = TRUE, cotangents, condition = NULL) {
  at <- take_in(flow, x, "x", condition, latent = !inverse)
  native_vjp(flow, at$points, at$condition, inverse, lapply(cotangents, as.double))
}

#' Log density of a flow
#'
#' @param object A flow or a fit.
#' @param newdata Points in the units of the data: a matrix or data frame with one column a coordinate (columns are
#'   found by name if both sides have names); for one coordinate a vector. Names of a matrix that have nothing to do
#'   with those of the flow are not used, with a warning of class `bijectr_warning_names`. Any finite numbers will do,
#'   beyond 1e150 too, up to which data can be fitted: draws from long tails may be so far out. Of flows of one
#'   coordinate also censored times, objects of `survival::Surv()`; of fits to such, a data frame with their variables.
#' @param into Where log densities are to be written, block by block, see below; `NULL`: they are returned.
#' @inheritParams forward
#' @section Writing in blocks: `newdata` may be a [data_source()], of which one block at a time is in memory; conditions
#'   are then columns of it, for a fit by formula, or one row for all. With `into`, also for other `newdata`, the log
#'   densities are written block by block, a data frame of one column `logdensity` each, and the number of rows is
#'   returned invisibly; as are draws by `sample(fit, size, into = )`. `into` is
#'   * a function, which is called with each block;
#'   * the name of a `.csv` or `.tsv` file, or one of these with `.gz` after it, that is not there yet: with a first
#'     line of names, and all digits;
#'   * `list(connection, "table")`, a DBI connection and the name of a table that is not there yet;
#'   * a matrix on disk, as a `big.matrix` or a `filematrix`, with a column for each and rows enough.
#'
#'   What ends it early, an error or an interrupt, leaves no file and no table; what a matrix holds by then stays. An
#'   error of class `bijectr_error_block` names the block.
#' @return A numeric vector, one log density (in nats) a row, with respect to the units of the data. `-Inf` outside the
#'   support, `NA` for a row with missing values. Of censored times log likelihoods, see the section on these of
#'   [fit_flow()].
#' @seealso [predict.bijectr_flow()], [dflow()], [sample()]
#' @examples
#' f <- flow(layer_elementwise(scalar_affine()), d = 2)
#' logdensity(f, cbind(0, 0:1))
#' file <- tempfile(fileext = ".csv")
#' logdensity(f, cbind(0, 0:1), into = file)
#' read.csv(file)
#' unlink(file)
#' @order 1
#' @export
logdensity <- function(object, newdata, ...) {
  if (missing(object)) stop_missing("object")
  UseMethod("logdensity")
}

#' @rdname logdensity
#' @order 2
#' @export
logdensity.bijectr_flow <- function(object, newdata, condition = NULL, ..., into = NULL) {
  check_unused(...)
  check_object(object)
  if (!missing(newdata) && (!is.null(into) || is_source(newdata))) {
    of_rows <- function(rows) log_density(object, rows, "newdata", condition)
    return(logdensity_in_blocks(newdata, condition, into, of_rows))
  }
  log_density(object, newdata, "newdata", condition)
}

# Of a flow that has been checked.
log_density <- function(flow, x, name, condition) {
  at <- take_in(flow, x, name, condition, gaps = TRUE)
  value <- density_at(rows_density(flow, at$points, at$condition, at$observed), at)
  put_back(tell_nan(value, "The log density"), at)
}

# Models of other packages as log densities. A model is a list of
#
#   names        of its coordinates
#   lower, upper ends of the supports of the coordinates, infinite where there are none
#   log_density  function(x, gradient) -> list(value, gradient) for a matrix of points, a row each
#   constrain    function(x) -> a matrix of all quantities that the model itself makes of such points; NULL: they are x,
#                and the model says nothing of supports
#
# as_model() makes one of what the user has; everything else takes the function of points that model_target() gives.

new_target_model <- function(names, lower, upper, log_density, constrain) {
  list(names = names, lower = lower, upper = upper, log_density = log_density, constrain = constrain)
}

# NULL where there is no model in x.
as_model <- function(x) UseMethod("as_model", if (is_tmb(x)) structure(list(), class = "bijectr_tmb") else x)

#' @export
as_model.default <- function(x) NULL

# The function of points that is the log density; what else the model knows is found by model_of().
model_target <- function(model) structure(function(x) model$log_density(x, FALSE)$value, model = model)

model_of <- function(target) attr(target, "model")

# A function as it is, a model as a function; NULL for all else.
as_target <- function(x) {
  if (is.function(x)) return(x)
  model <- as_model(x)
  if (!is.null(model)) model_target(model)
}

# Rows of points, one call of `at(row)` each, which gives list(value, gradient): R's own interfaces of models take one
# point. What is no number is no density: the point is outside of where the model is defined. `on_error(e)` comes back
# where an error says so, too. One handler is for all points up to such an error: it takes longer to set up than a
# compiled model takes for a point.
density_of_rows <- function(x, at, gradient, on_error = stop) {
  n <- nrow(x)
  rows <- rep(list(list(value = -Inf, gradient = rep(NaN, ncol(x)))), n)
  i <- 0
  while (i < n) {
    ended <- tryCatch(
      while (i < n) {
        i <- i + 1
        rows[[i]] <- at(x[i, ])
      },
      error = identity
    )
    if (inherits(ended, "error")) on_error(ended)
  }
  for (row in rows) {
    if (length(row$value) != 1) stop_arg("The model gives {length(row$value)} numbers as its log density at a point.")
    if (gradient && length(row$gradient) != ncol(x)) {
      stop_arg("The gradient of the model has {length(row$gradient)} number{?s} for {ncol(x)} parameter{?s}.")
    }
  }
  value <- vapply(rows, function(row) as.double(row$value), 0)
  value[is.na(value)] <- -Inf
  out <- list(value = value)
  if (gradient) out$gradient <- matrix(unlist(lapply(rows, `[[`, "gradient")), n, ncol(x), byrow = TRUE)
  out
}

# Objects of TMB::MakeADFun() and RTMB::MakeADFun() are lists without a class.
is_tmb <- function(x) {
  if (!is.list(x) || is.object(x) || !is.function(x[["fn"]])) return(FALSE)
  if (is.numeric(x[["par"]]) && is.function(x[["gr"]])) return(TRUE)
  stop_arg("A list with a function {.field fn}, as of TMB, must have numbers {.field par} and a function {.field gr}.")
}

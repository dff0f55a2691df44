#' Predictions of a flow
#'
#' One door to what a flow says of points: its log density or density, where they come from on the base side, and for
#' one coordinate its distribution, quantile and survival functions and its hazard; and to what it says of rows of
#' conditions: means, medians, modes, intervals, covariances, draws.
#'
#' @param object A flow or a fit.
#' @param newdata Points in the units of the data: a matrix or data frame with one column a coordinate (columns are
#'   found by name if both sides have names); for one coordinate a vector. For `type = "quantile"` a vector of
#'   probabilities. For `type = "response"` the conditions: a data frame of the variables on the right side of the
#'   formula, or what else `condition` takes; so too for survival functions and hazards, and for quantiles at `p`. A fit
#'   does not keep its data, so there is no default; only these of a flow without conditions need no `newdata`.
#' @param type What to predict. `NULL`: `"response"` where `newdata` has the conditions of a fit and nothing that it is
#'   of (`"class"` of a column of levels), or `interval` is given; else `"logdensity"`, which a message of class
#'   `bijectr_message_predict` says where the fit has conditions.
#'   * `"logdensity"`: log density in nats, in the units of the data, as [logdensity()];
#'   * `"density"`: its exponential;
#'   * `"latent"`: the points on the base side, as [inverse()]; for a good fit they look like draws from the base. A
#'     stack has none;
#'   * `"distribution"`: \eqn{P(X \le x)}, for one coordinate, as [pflow()];
#'   * `"quantile"`: the inverse of that, as [qflow()], in the units of the coordinate: for `log(y) ~ x` of `log(y)`,
#'     and `exp()` of it is the quantile of `y`. With `p`, at all of these for each row of conditions, and of several
#'   coordinates for each of these, by 2000 draws; `p = c(0.05, 0.5, 0.95)` where `newdata` has conditions alone;
#'   * `"response"`: the mean of the response given each row of conditions, see below;
#'   * `"median"`: the quantile at 1/2 for each row of conditions, of several coordinates for each, by draws; `"mode"`:
#'     of one coordinate where the density is largest (the probability, of whole numbers), both in the units of the
#'     coordinate;
#'   * `"covariance"`: covariances of the coordinates given each row of conditions, by 2000 draws, or the variance of
#'     one;
#'   * `"draws"`: so many `draws` for each row of conditions;
#'   * `"survival"`: \eqn{P(T > t)}, for one coordinate, at each of `times` for each row of conditions; `"cumhazard"`:
#'     minus its logarithm; `"hazard"`: the density divided by it, the rate of events among those without one so far. Of
#'     whole numbers ([supports]) the hazard is the probability of `t` where no smaller number was.
#' @param condition Values of the conditioning variables: one row for all points or probabilities, or one row for each.
#'   For several probabilities at several rows, repeat both: see the examples.
#' @param times Times, or whatever the coordinate is, for survival functions and hazards: in the units and of the class
#'   of the data.
#' @param p Probabilities of quantiles, with the conditions as `newdata`.
#' @param interval For `"response"`, `"median"` and `"mode"`: a probability, as 0.9, that an interval around the
#'   prediction holds.
#' @param shortest Whether that is the shortest one. `FALSE`: as much probability lies below it as above.
#' @param draws Number of draws for each row of conditions.
#' @param as_tibble Whether the result is a tibble with one row for each, as the tidymodels packages expect it: `.pred`,
#'   with intervals `.pred_lower` and `.pred_upper`, of several coordinates `.pred_` and their names, of levels
#'   `.pred_class` or `.pred_` and the level; other types have theirs in the names, as `.pred_density`, quantiles their
#'   probabilities, as `.pred_q0.05`; draws are a list column. Needs \pkg{tibble}.
#' @param ... Not used.
#' @return A numeric vector with one value a row of `newdata`, `NA` for a row with missing values; for `type = "latent"`
#'   a matrix with one column a coordinate, `NA` for a row outside the support of the flow, with a warning of class
#'   `bijectr_warning_outside`; quantiles have the class of the data. For `type = "response"` a vector with one mean a
#'   row of conditions, for several coordinates a matrix with one column each. Survival functions, hazards and quantiles
#'   at `p`: a matrix of plain numbers, one row a row of conditions and one column a time or probability, of which it
#'   has the names; `NA` for a row with missing conditions. With `interval` a matrix with the columns `fit`, `lwr` and
#'   `upr`, in the units of the response for `"response"`. Draws: a matrix, one row a row of conditions and one column a
#'   draw. Of several coordinates quantiles and draws are arrays whose last dimension is the coordinate, as are
#'   intervals; covariances are arrays of rows, coordinates and coordinates. What is made of draws has the standard
#'   errors of these as attribute `"error"`, means and covariances; it is governed by [set.seed()].
#' @section The mean of the response: Where a coordinate on the left side of the formula is an invertible function of
#'   one column, means are in the units of that column: for `log(y) ~ x` they are means of `y`, that is of the
#'   exponential of what the flow draws, not the exponential of its mean. `log`, `log1p`, `log2`, `log10`, `sqrt`,
#'   `exp`, `expm1`, `plogis`, `qlogis`, `I`, `identity`, a minus sign, and adding, subtracting, multiplying by and
#'   dividing by numbers are inverted, in any combination. Other left sides have means in their own units, with a
#'   warning of class `bijectr_warning_response`. Fits without a formula have means in the units of the data.
#'
#'   Means of one coordinate are integrals over its quantiles, without random numbers. Means of several, and those of
#'   [conditional()] and [marginal()] distributions, are those of 2000 draws a row, governed by [set.seed()]: their
#'   standard error is the standard deviation given that row, divided by 45. Where a flow has draws that no response
#'   can have, as negative ones of `sqrt(y)`, means are of the other draws, with a warning of class
#'   `bijectr_warning_outside` from 0.1 per cent on. Where more than half of a mean of one coordinate is made beyond
#'   the 0.1 and 99.9 per cent quantiles, which hangs on tails and not on data, a warning of class
#'   `bijectr_warning_tail_mean` says so. In a stack, means behind a function that is not linear, or behind a
#'   support by a logarithm or a power, are those of the members that are not on t distributions.
#' @seealso [dflow()], [logdensity()], [inverse()]
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], steps = 200)
#' # eruption lengths after waits of 50 and of 80 minutes
#' waits <- data.frame(waiting = c(50, 80))
#' predict(fit, c(3, 3), "distribution", condition = waits)
#' predict(fit, c(0.5, 0.5), "quantile", condition = waits)
#' # mean lengths after these waits
#' predict(fit, waits, "response")
#'
#' # several new rows: means, medians and 90 % intervals, a row each
#' new <- data.frame(waiting = c(50, 60, 70, 80))
#' predict(fit, new, interval = 0.9)
#' predict(fit, new, "mode", interval = 0.9, shortest = TRUE)
#' predict(fit, new, "quantile", p = c(lower = 0.05, median = 0.5, upper = 0.95))
#' # the probability to last longer than 3 and 4 minutes
#' predict(fit, new, "survival", times = c(3, 4))
#'
#' # of log(y) and back: the formula is of log(y), means are of y; quantiles go through exp()
#' fit <- fit_flow(log(dist) ~ speed, data = cars, steps = 200)
#' new <- data.frame(speed = c(10, 20))
#' q <- predict(fit, new, "quantile", p = c(0.05, 0.95))
#' cbind(new, mean = predict(fit, new, "response"), exp(q))
#' @importFrom stats predict
#' @export
predict.bijectr_flow <- function(object, newdata, type = NULL, condition = NULL, times = NULL, p = NULL,
                                 interval = NULL, shortest = FALSE, draws = 1000, as_tibble = FALSE, ...) {
  check_unused(...)
  check_object(object)
  as_tibble <- check_flag(as_tibble, "as_tibble")
  rows <- if (!missing(newdata)) newdata
  rows <- as_conditions(object, rows)
  type <- if (is.null(type)) {
    default_type(object, rows, interval)
  } else {
    check_choice(type, PREDICT_TYPES, "type")
  }
  if (type == "quantile" && is.null(p) && lacks_coordinates(object, rows)) p <- INTERVAL_PROBS
  value <- extrapolation_once(predicted_values(object, rows, type, condition, times, p, interval, shortest, draws))
  if (as_tibble) prediction_tibble(value, type, p, interval, class_of_response(object)) else value
}

predicted_values <- function(object, rows, type, condition, times, p, interval, shortest, draws) {
  if (type == "latent") check_one_flow(object, "{.code type = \"latent\"}")
  at_times <- type %in% c("survival", "hazard", "cumhazard")
  if (!is.null(times) && !at_times) {
    stop_arg("{.arg times} is for survival functions and hazards, not for {.val {type}}.")
  }
  if (!is.null(p) && type != "quantile") stop_arg("{.arg p} is for {.code type = \"quantile\"}, not for {.val {type}}.")
  if (!is.null(interval)) return(flow_interval(object, rows, condition, type, interval, shortest))
  if (type == "response") return(flow_response(object, rows, condition))
  if (type == "median") return(flow_median(object, rows, condition))
  if (type == "mode") return(flow_mode(object, rows, condition))
  if (type == "covariance") return(flow_covariance(object, rows, condition))
  if (type == "draws") return(flow_draws(object, rows, condition, draws))
  if (at_times) return(flow_survival(object, rows, condition, times, type))
  if (!is.null(p)) return(flow_quantiles(object, rows, condition, p))
  if (is.null(rows)) {
    stop_arg(c("{.arg newdata} is missing.", i = "A fit does not keep its data: give the points to predict at."))
  }
  switch(type,
    logdensity = log_density(object, rows, "newdata", condition),
    density = exp(log_density(object, rows, "newdata", condition)),
    latent = latent_points(object, rows, condition),
    distribution = flow_cdf(object, rows, condition, "newdata"),
    quantile = flow_quantile(object, rows, condition, "newdata")
  )
}

# Means where there are conditions alone; else log densities, which other models do not predict: that is told.
default_type <- function(object, rows, interval) {
  if (!is.null(interval) || lacks_coordinates(object, rows)) return("response")
  if (is.data.frame(rows) && object$d_condition > 0) {
    seen <- intersect(c(object$names, object$response$variables), names(rows))
    given <- object$condition$model$variables %||% object$condition$names
    lacks_all <- !is.null(object$formula) || any(given %in% names(rows))
    if (!length(seen) && lacks_all) return("response") # which says what they lack
    if (length(seen)) tell_logdensity(object, seen)
  }
  "logdensity"
}

tell_logdensity <- function(object, seen) {
  levels <- object$d == 1 && role_kinds(column_roles_of(object)) == "levels"
  cli::cli_inform(c(
    "Log densities are predicted, as {.arg newdata} has {.field {seen}}.",
    i = "{.code type = \"{if (levels) 'class' else 'response'}\"} has {if (levels) 'levels' else 'means'} given the
         other columns; {.code type = \"logdensity\"} is silent."
  ), class = "bijectr_message_predict")
}

# A matrix of conditions alone, by its names, is what a data frame of them is.
as_conditions <- function(object, rows) {
  if (!is.matrix(rows) || is.null(colnames(rows))) return(rows)
  frame <- as.data.frame(rows)
  if (lacks_coordinates(object, frame)) frame else rows
}

INTERVAL_PROBS <- c(0.05, 0.5, 0.95) # of quantiles at rows of conditions, if nothing is said

PREDICT_TYPES <- c(
  "logdensity", "density", "latent", "distribution", "quantile", "response", "median", "mode", "covariance", "draws",
  "survival", "hazard", "cumhazard"
)

# Whether rows have all that a flow is given and nothing that it is of: there is no density to be asked for.
lacks_coordinates <- function(flow, rows) {
  given <- flow$condition$model$variables %||% flow$condition$names
  is.data.frame(rows) && length(given) > 0 && all(given %in% names(rows)) &&
    !any(c(flow$names, flow$response$variables) %in% names(rows))
}

latent_points <- function(flow, newdata, condition) {
  at <- take_in(flow, newdata, "newdata", condition, gaps = TRUE)
  back <- points_back(flow, at, "newdata")
  give_back(flow, put_back(back$value, at), latent = TRUE)
}

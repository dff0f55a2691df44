#' Expected coverage of credible regions
#'
#' Do credible regions of a posterior hold the parameters as often as they say? Over parameters from the prior and data
#' simulated from each, a region of level 0.9 of the true posterior does so in 90 per cent of the cases, at each level.
#' A posterior whose regions hold them less often is overconfident; where they do so more often it is conservative.
#'
#' @section Regions: `method = "density"` takes the regions of highest density, by the log density of the fit itself
#'   (Hermans et al. 2022): one number for all parameters together. Its curve is that of the ranks of the log density
#'   in [sbc()]. A posterior that is the prior, whatever the data, passes: only of a posterior that is sharp does
#'   coverage say something.
#'
#'   `method = "tarp"` takes balls around reference points (Lemos et al. 2023): a region of level 0.9 holds the draws
#'   that are nearest to the point, 90 per cent of them. Any points will do that do not know the parameters, and a
#'   posterior that passes at all of them, and all data, is the true one. Distances are in standard deviations of
#'   `theta`. The points are uniform in boxes around what a linear regression on the simulations before it lets expect
#'   of each, since points that do not depend on the data do not see a posterior that ignores these. No density is
#'   needed, so that `fit` may be a function that draws.
#' @inheritParams sbc
#' @param method `"density"` or `"tarp"`.
#' @param references Of `"tarp"`: reference points of your own, a matrix with one row, or as many as simulations.
#' @param level Probability of a false alarm; the band is one of `1 - level` for the whole curve.
#' @return An object of class `bijectr_coverage`, a list:
#'   * `verdict`: `"calibrated"` or `"not calibrated"`, `reasons`: what is wrong, and `notes`;
#'   * `coverage`: a data frame of `level`, up to 100 of them, `coverage`, the share of simulations whose region holds
#'     the parameters, and `low` and `high`, the band in which the whole curve of the true posterior stays with a
#'     probability of `1 - level` (Sailynoja, Buerkner, Vehtari 2022);
#'   * `area`: the mean of coverage minus level; with `"density"` below 0 where the posterior is overconfident;
#'   * `p`: the probability that the curve of the true posterior leaves a band which this one leaves;
#'   * `tests`, `ranks` (of the parameters among draws, by density from the highest, or by distance), `draws`, `rows`,
#'     `level`, `description`: as in [sbc()]; `method`.
#' @references Hermans, Delaunoy, Rozet, Wehenkel, Begy, Louppe (2022), *A trust crisis in simulation-based inference?
#'   Your posterior approximations can be unfaithful*, arXiv:2110.06581.
#'
#'   Lemos, Coogan, Hezaveh, Perreault-Levasseur (2023), *Sampling-based accuracy testing of posterior estimators for
#'   general inference*, arXiv:2302.03026.
#'
#'   Sailynoja, Buerkner, Vehtari (2022), \doi{10.1007/s11222-022-10090-6}.
#' @seealso [sbc()], [check_flow()]
#' @family inference
#' @examples
#' set.seed(1)
#' theta <- matrix(rnorm(1000), 500)
#' data <- theta + 0.5 * rnorm(1000)
#' fit <- fit_flow(theta, condition = data, members = 1, steps = 300)
#' theta <- matrix(rnorm(400), 200)
#' data <- theta + 0.5 * rnorm(400)
#' covered <- expected_coverage(fit, theta, data, draws = 99)
#' covered
#' plot(covered)
#'
#' # by distances, of any function that draws: a correlation that should be 0
#' tilted <- function(data, draws) {
#'   z <- matrix(rnorm(2 * draws), draws)
#'   data[rep(1, draws), ] * 0.8 + sqrt(0.2) * cbind(z[, 1], 0.9 * z[, 1] + sqrt(0.19) * z[, 2])
#' }
#' expected_coverage(tilted, theta, data, "tarp", draws = 99)
#' @export
expected_coverage <- function(fit, theta = NULL, data = NULL, method = c("density", "tarp"), simulator = NULL,
                              prior = NULL, simulations = 300, draws = 199, references = NULL, level = 0.05, ...) {
  check_unused(...)
  check_given("fit")
  method <- check_choice(method, c("density", "tarp"), "method")
  draws <- check_count(draws, "draws", min = 9)
  level <- check_number(level, "level", above = 0, below = 1)
  density <- method == "density"
  if (density && is.function(fit)) {
    stop_arg("A function that draws has no density: {.code method = \"tarp\"} needs none.")
  }
  if (density && !is.null(references)) stop_arg("{.arg references} are for {.code method = \"tarp\"}.")
  subject <- calibration_subject(fit, calibration_pairs(theta, data, simulator, prior, simulations))
  quantity <- if (density) function(theta, i, log_density) -log_density else tarp_distance(subject, references)
  found <- calibration_ranks(subject, stats::setNames(list(quantity), "coverage"), draws, density)
  n <- nrow(found$ranks)
  band <- simultaneous_band(n, draws, level)
  coverage <- data.frame(
    level = band$at / (draws + 1), coverage = counts_below(found$ranks[, 1], band$at) / n, low = band$low / n,
    high = band$high / n
  )
  new_calibration("bijectr_coverage", subject, found, draws, level, if (density) density_reason else tarp_reason,
    coverage = coverage, area = 0.5 - mean((found$ranks + 0.5) / (draws + 1), na.rm = TRUE), method = method
  )
}

# The distance from the reference point of a simulation, as a quantity of calibration_ranks().
tarp_distance <- function(subject, references) {
  x <- subject$x
  center <- colMeans(x, na.rm = TRUE)
  unit <- pmax(apply(x, 2, stats::sd, na.rm = TRUE), 1e-300)
  in_units <- function(x) (x - rep(center, each = nrow(x))) / rep(unit, each = nrow(x))
  points <- if (is.null(references)) {
    random_references(in_units(x), subject)
  } else {
    in_units(check_references(references, subject))
  }
  function(theta, i, log_density) rowSums((in_units(theta) - points[i, , drop = FALSE])^2)
}

# In standard deviations of the parameters: what the data let expect of these, and around it points that are uniform, of
# variance 1.
random_references <- function(theta, subject) {
  n <- nrow(theta)
  points <- matrix(stats::runif(length(theta), -sqrt(3), sqrt(3)), n)
  given <- subject$given %||% plain_data(subject$data)
  if (is.null(given)) return(points)
  given <- scale(given)
  given[!is.finite(given)] <- 0 # of columns that are constant
  most <- 50
  if (ncol(given) > most) {
    given <- given %*% matrix(stats::rnorm(ncol(given) * most), ncol(given)) / sqrt(ncol(given))
  }
  points + expected_before(given, theta)
}

# What the simulations before a row let expect of its `y` by ridge regression, recursively. A reference point that knows
# the parameters of these, but not its own, leaves ranks uniform and independent.
expected_before <- function(x, y) {
  x <- cbind(1, x)
  slope <- matrix(0, ncol(x), ncol(y))
  inverse <- diag(ncol(x))
  out <- 0 * y
  for (i in which(rowSums(is.na(y)) == 0)) {
    out[i, ] <- x[i, ] %*% slope
    gain <- inverse %*% x[i, ]
    inverse <- inverse - tcrossprod(gain) / (1 + sum(x[i, ] * gain))
    slope <- slope + inverse %*% x[i, ] %*% (y[i, ] - out[i, ])
  }
  out
}

# Data of functions that draw may be anything.
plain_data <- function(data) {
  numbers <- if (is.data.frame(data)) all(vapply(data, is.numeric, NA)) else is.numeric(data)
  if (numbers && length(dim(data)) <= 2) as.matrix(data)
}

check_references <- function(references, subject) {
  points <- check_finite(as_numeric_matrix(references, "references"), "references")
  d <- ncol(subject$x)
  if (ncol(points) != d || !(nrow(points) %in% c(1, subject$of))) {
    stop_arg("{.arg references} must have {d} column{?s} and 1 row or {subject$of}, not {ncol(points)} and
              {nrow(points)}.")
  }
  if (nrow(points) == 1) points[rep(1, nrow(subject$x)), , drop = FALSE] else points[subject$rows, , drop = FALSE]
}

density_reason <- function(what, aspect) {
  paste(switch(aspect,
    "location more" = "Regions hold the parameters less often than they say: the posterior is overconfident.",
    "location less" = "Regions hold the parameters more often than they say: the posterior is conservative.",
    "Regions of some levels hold the parameters too often, of others too seldom: the posterior has another shape."
  ), CALIBRATION_CURE)
}

tarp_reason <- function(what, aspect) {
  paste(switch(aspect,
    "spread more" = "Parameters lie at the ends of the distances of draws: the posterior is overconfident or shifted.",
    "spread less" = "Parameters lie amid the distances of draws: the posterior is conservative.",
    "location more" = , "location less" =
      "Parameters are not as far from the reference points as draws: the posterior is shifted, or ignores data.",
    "Distances of parameters from the reference points are not those of draws: the posterior has another shape."
  ), CALIBRATION_CURE)
}

#' Simulation-based calibration
#'
#' Is a posterior right on average over the prior? Parameters are drawn from the prior, data are simulated from each,
#' and the posterior is asked for draws given these data. If it is the posterior, the parameters are one more draw of
#' it, and their rank among the draws is uniform (Talts et al. 2018).
#'
#' Parameters and data must not be those that the fit was made from. Data of a fit are known by their digest: its
#' held-out rows are looked at then, if there are 10 or more, or all with a note, as in [check_flow()].
#'
#' @section What is looked at: The rank of each parameter, of each of your `functions`, and, of fits, of the log density
#'   of the posterior. Ranks of parameters alone do not see everything: a posterior that is the prior, whatever the
#'   data, has uniform ranks. Functions of parameters *and data* do see it (Modrak et al. 2023), of which the log
#'   likelihood is the best where it is known; the log density of the posterior itself is looked at always. Equal values
#'   are ordered at random, so that ranks of whole numbers are uniform, too.
#' @section The verdict: `p` of each quantity is that of its whole distribution function: the probability that the
#'   ranks of the true posterior deviate as much at one of (up to) 100 places, computed exactly (Sailynoja, Buerkner,
#'   Vehtari 2022). Draws are independent, and nothing is thinned. Over all quantities p-values are
#'   adjusted by Holm's method, and `"not calibrated"` is said of a true posterior with a probability of `level` or
#'   less. No deviation is forgiven, as [check_flow()] forgives small ones: with enough simulations each fit fails.
#'   `print()` says which errors would have been seen.
#' @param fit A fit of parameters given data for data from all of the prior, as `fit_rounds(rounds = 1)`, which knows
#'   the prior's support, and `fit_flow(theta, condition = data)` make it; or a function of one row of `data` and a
#'   number of draws that returns a matrix with one row a draw.
#' @param theta Parameters, drawn from the prior, in the form that the fit takes: one row a simulation.
#' @param data What was simulated from these, in the form of the conditions of the fit, one row each. Rows with missing
#'   values are left out.
#' @param simulator,prior Instead of `theta` and `data`: the simulator and the prior, as [fit_rounds()] takes them; of
#'   the prior only `sample` is needed.
#' @param simulations How many simulations to make of these.
#' @param functions A function, or a named list of functions, of a matrix of parameters and the data of each row (as
#'   `data` has them), that returns one number a row.
#' @param draws Number of draws of the posterior for each simulation.
#' @param level Probability of a false alarm, for all quantities together.
#' @param ... Not used.
#' @return An object of class `bijectr_sbc`, a list:
#'   * `verdict`: `"calibrated"` or `"not calibrated"`, `reasons`: what is wrong, one string each, and `notes`;
#'   * `p`: the smallest adjusted p-value;
#'   * `tests`: a data frame with a row a quantity: `what`, the means of the first two Legendre polynomials of the
#'     places `(rank + 0.5) / (draws + 1)`: `location`, above 0 where parameters lie higher than draws, and `spread`,
#'     above 0 where draws are too narrow; `p`, and `p_adjusted`;
#'   * `ranks`: a matrix, one row a simulation and one column a quantity, of whole numbers from 0 to `draws`;
#'   * `draws`; `rows`: a list of `n`, the number of simulations looked at, `of`, those given, and `used`, see
#'     [check_flow()]; `level`, `description`.
#' @references Talts, Betancourt, Simpson, Vehtari, Gelman (2018), *Validating Bayesian inference algorithms with
#'   simulation-based calibration*, arXiv:1804.06788.
#'
#'   Modrak, Moon, Kim, Buerkner, Huurre, Faltejskova, Gelman, Vehtari (2023), *Simulation-based calibration checking
#'   for Bayesian computation: the choice of test quantities shapes sensitivity*, arXiv:2211.02383.
#'
#'   Sailynoja, Buerkner, Vehtari (2022), *Graphical test for discrete uniformity and its applications in
#'   goodness-of-fit evaluation and multiple sample comparison*, \doi{10.1007/s11222-022-10090-6}.
#' @seealso [expected_coverage()], [check_simulator()], [posterior_predictive()], [check_flow()]
#' @family inference
#' @examples
#' set.seed(1)
#' prior <- list(
#'   sample = function(n) matrix(rnorm(2 * n), n, dimnames = list(NULL, c("a", "b"))),
#'   log_density = function(theta) rowSums(dnorm(theta, log = TRUE))
#' )
#' simulator <- function(theta) theta + 0.5 * rnorm(length(theta))
#' theta <- prior$sample(500)
#' fit <- fit_flow(theta, condition = simulator(theta), members = 1, steps = 300)
#' likelihood <- function(theta, data) rowSums(dnorm(data, theta, 0.5, log = TRUE))
#' checked <- sbc(fit, simulator = simulator, prior = prior, simulations = 200, draws = 99,
#'   functions = list("log likelihood" = likelihood)
#' )
#' checked
#' plot(checked)
#' plot(checked, "histogram")
#'
#' # any function that draws: a posterior that is too narrow by 30 per cent
#' narrow <- function(data, draws) {
#'   data[rep(1, draws), ] * 0.8 + 0.7 * sqrt(0.2) * matrix(rnorm(2 * draws), draws)
#' }
#' sbc(narrow, simulator = simulator, prior = prior, draws = 99)$reasons
#' @order 1
#' @export
sbc <- function(fit, theta = NULL, data = NULL, simulator = NULL, prior = NULL, simulations = 300, functions = NULL,
                draws = 199, level = 0.05, ...) {
  check_unused(...)
  check_given("fit")
  draws <- check_count(draws, "draws", min = 9)
  level <- check_number(level, "level", above = 0, below = 1)
  functions <- check_functions(functions)
  subject <- calibration_subject(fit, calibration_pairs(theta, data, simulator, prior, simulations))
  density <- !is.function(fit)
  quantities <- c(
    lapply(seq_along(subject$labels), function(j) function(theta, i, log_density) theta[, j]),
    lapply(functions, function(f) function(theta, i, log_density) f(theta, repeat_given(subject$data, i))),
    if (density) list(function(theta, i, log_density) log_density)
  )
  names(quantities) <- make.unique(c(subject$labels, names(functions), if (density) "log density"))
  found <- calibration_ranks(subject, quantities, draws, density)
  new_calibration("bijectr_sbc", subject, found, draws, level, sbc_reason(subject$labels))
}

check_functions <- function(functions) {
  if (is.null(functions)) return(list())
  if (is.function(functions)) functions <- list("function" = functions)
  if (!is.list(functions) || !all(vapply(functions, is.function, NA))) {
    stop_arg("{.arg functions} must be a function or a list of functions, not {.obj_type_friendly {functions}}.")
  }
  for (f in functions) {
    if (!is.primitive(f) && length(formals(f)) < 2 && !"..." %in% names(formals(f))) {
      stop_arg("{.arg functions} are called with two arguments, a matrix of parameters and the data of each row.")
    }
  }
  given <- names(functions) %||% rep("", length(functions))
  names(functions) <- ifelse(nzchar(given), given, paste("function", seq_along(functions)))
  functions
}

# `labels`: names of the parameters.
sbc_reason <- function(labels) {
  function(what, aspect) {
    said <- if (what == "log density") {
      switch(aspect,
        "location less" = "parameters have lower densities than draws: the posterior is overconfident.",
        "location more" = "parameters have higher densities than draws: the posterior is too wide.",
        "densities of parameters are not spread as those of draws are."
      )
    } else if (what %in% labels) {
      switch(aspect,
        "location more" = "parameters lie higher than draws: the posterior is shifted downwards.",
        "location less" = "parameters lie lower than draws: the posterior is shifted upwards.",
        "spread more" = "parameters lie at the ends of the draws: the posterior is overconfident (too narrow).",
        "spread less" = "parameters lie in the middle of the draws: the posterior is too wide.",
        "the posterior has another shape than it should."
      )
    } else {
      switch(aspect,
        "location more" = "it is higher at the parameters than at draws.",
        "location less" = "it is lower at the parameters than at draws.",
        "it is not spread over the parameters as over draws."
      )
    }
    paste0(what, ": ", said, " ", CALIBRATION_CURE)
  }
}

CALIBRATION_CURE <- "More simulations to fit to, or more flexible layers."

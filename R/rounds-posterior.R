#' The posterior at another observation
#'
#' Of a fit by [fit_rounds()] with `method = "likelihood"`: nothing is simulated and no likelihood is learned anew, the
#' likelihood flow that the fit has is evaluated at another observation, or at more of them, and a flow is fitted to
#' draws of that posterior. How good it is depends on how well the likelihood is known where the new posterior is:
#' rounds were spent where the old one was, and one from a single round, of draws of the prior, is as good everywhere.
#' Fits by `"posterior"` need no such function: their verbs have an argument `condition`.
#'
#' @param object A fit by [fit_rounds()] with `method = "likelihood"`.
#' @param observed The observation, a numeric vector, or a matrix with one row for each of several that are independent
#'   given the parameters.
#' @param prior The prior, as in [fit_rounds()]; by default that of the fit. Another one than
#'   that of the fit will do, as the likelihood does not depend on it.
#' @param progress Show a progress bar.
#' @return A fit as [fit_rounds()] gives for that method, with the `rounds` and the `likelihood` of `object`.
#' @seealso [fit_rounds()]
#' @family inference
#' @examples
#' set.seed(1)
#' simulator <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
#' prior <- list(
#'   sample = function(n) matrix(rnorm(n), n),
#'   log_density = function(theta) dnorm(theta[, 1], log = TRUE)
#' )
#' \donttest{
#' fit <- fit_rounds(simulator, prior, 0.5, rounds = 1, steps = 300, method = "likelihood")
#' other <- rounds_posterior(fit, -1)
#' c(mean(sample(fit, 1000)), mean(sample(other, 1000))) # 0.4 and -0.8
#' }
#' @export
rounds_posterior <- function(object, observed, prior = NULL, progress = interactive()) {
  check_given("object", "observed")
  check_fit(object)
  if (is.null(object$likelihood)) {
    stop_arg(c(
      "{.arg object} must be a fit by {.fn fit_rounds} with {.code method = \"likelihood\"}.",
      i = if (inherits(object, "bijectr_rounds_fit")) "Its flow takes the observation as {.arg condition}."
    ))
  }
  likelihood <- object$likelihood
  observed <- check_observed(observed, several = TRUE, columns = likelihood$names)
  if (ncol(observed) != likelihood$d) {
    stop_arg("{.arg observed} must have {likelihood$d} column{?s}, as the simulated data have, not {ncol(observed)}.")
  }
  prior <- check_prior(prior %||% object$prior)
  theta <- as_numeric_matrix(prior$sample(POSTERIOR_PROPOSALS), "prior$sample")
  if (ncol(theta) != object$d) stop_arg("{.arg prior} must draw {object$d} parameter{?s}, not {ncol(theta)}.")
  problem <- list(prior = prior, observed = observed, support = prior_support(prior, theta))
  fit <- fit_posterior(likelihood, problem, check_flag(progress, "progress"))
  fit$rounds <- object$rounds
  fit$call <- plain_call(sys.call())
  fit
}

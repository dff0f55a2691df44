#' Posterior draws of a fit to a log density
#'
#' Draws in the form of the posterior package. Of a fit to a model, see [fit_flow_model], they are of everything that
#' the model has: parameters, transformed parameters and generated quantities, with the names that the model gives them.
#' So pointwise log likelihoods, a generated quantity `log_lik`, can go to `loo::loo()`, see the example.
#'
#' @param x A fit to a log density, [fit_flow.function()] or [fit_flow_model].
#' @param n Number of draws.
#' @param method How they are drawn: `"flow"`, as the flow draws, which is enough where the verdict of [check_flow()] is
#'   "trust"; `"resample"`, from 5 times as many draws of the flow with Pareto smoothed importance weights, see
#'   [importance_sample()], some of them more than once; or `"imh"`, one chain of independence Metropolis-Hastings, see
#'   [sample_imh()]. Where Pareto's k-hat of the weights is above `min(1 - 1 / log10(n), 0.7)`, `n` the number of
#'   weights, `"resample"` warns: they cannot stand for the target.
#' @param target The log density or the model. `NULL`: the one that the fit's call names. `"flow"` needs it only for a
#'   fit to a model in Stan.
#' @param ... Not used.
#' @return A `draws_matrix`. The generator of Stan, from which generated quantities are drawn, has a seed of its own:
#'   `set.seed()` does not reach it.
#' @references Vehtari, Simpson, Gelman, Yao, Gabry (2024), *Pareto smoothed importance sampling*, Journal of Machine
#'   Learning Research 25(72).
#' @seealso [check_flow()], [importance_sample()]
#' @family inference
#' @examples
#' if (requireNamespace("posterior", quietly = TRUE)) {
#'   set.seed(1)
#'   x <- rnorm(100, 3)
#'   posterior <- function(p) {
#'     -100 * log(p[, 2]) - (colSums(outer(x, p[, 1], "-")^2)) / (2 * p[, 2]^2) - p[, 2]
#'   }
#'   fit <- fit_flow(posterior, names = c("mu", "sigma"), support = list(sigma = positive()))
#'   draws <- posterior::as_draws(fit, n = 1000, method = "resample")
#'   posterior::summarise_draws(draws, "mean", "sd")
#'   # pointwise log likelihoods, for loo::loo(log_lik)
#'   log_lik <- outer(1:1000, x, function(i, x) dnorm(x, draws[i, 1], draws[i, 2], log = TRUE))
#'   dim(log_lik)
#' }
#' @exportS3Method posterior::as_draws
as_draws.bijectr_target_fit <- function(x, n = 4000, method = "flow", target = NULL, ...) {
  check_unused(...)
  check_fit(x)
  n <- check_count(n, "n")
  method <- check_choice(method, c("flow", "resample", "imh"), "method")
  of_model <- identical(x$options$gradient, "model")
  if (of_model || method != "flow" || !is.null(target)) {
    envir <- parent.frame()
    target <- tryCatch(find_target(x, target, envir), bijectr_error_argument = function(e) {
      e$body <- c(e$body, i = "sample(fit) draws what the flow is of, and needs no target.")
      stop(e)
    })
  }
  drawn <- switch(method,
    flow = sample(x, n),
    resample = resampled(x, target, n),
    imh = matrix(sample_imh(x, target, size = n, chains = 1), n)
  )
  drawn <- name_columns(drawn, coordinate_labels(x))
  constrain <- model_of(target)$constrain
  posterior::as_draws_matrix(if (is.null(constrain)) drawn else constrain(drawn))
}

# Draws of the flow for one that is kept.
RESAMPLE_FROM <- 5

resampled <- function(fit, target, n) {
  weighed <- weigh_draws(fit, target, n * RESAMPLE_FROM)
  most <- most_pareto_k(weighed$n)
  if (is.na(weighed$pareto_k) || weighed$pareto_k > most) {
    cli::cli_warn(c(
      "Weighted draws cannot stand for the target: Pareto's k-hat of their weights is {round(weighed$pareto_k, 2)},
       above {round(most, 2)}.",
      i = "{.code check_flow(fit)} says more; a longer training, {.code resume(fit, steps = +5000)}, may help."
    ), class = "bijectr_warning_weights")
  }
  # systematic: as often as the weight says, but for less than one; in random order, as draws are
  kept <- spread_rows(weighed$n, exp(weighed$log_weights), n)
  weighed$draws[kept[sample.int(n)], , drop = FALSE]
}

# The largest k-hat of so many weights at which their means are good (Vehtari et al. 2024).
most_pareto_k <- function(n) min(1 - 1 / log10(n), 0.7)

# Fits in rounds by the likelihood: a flow of data given parameters, trained by maximum likelihood on the simulations of
# all rounds, times the prior. Draws of that posterior come from tempered.R; a flow fitted to them stands for it.

# Draws that a posterior's flow is fitted to, and those from which a round's parameters are chosen at the least.
POSTERIOR_DRAWS <- 10000L
POSTERIOR_PROPOSALS <- 2000L

train_likelihood <- function(run) {
  how <- run$training
  theta <- of_simulations(run, "theta")
  data <- of_simulations(run, "data")
  rules <- column_rules(how$standardize, support = if (!inherits(how$layers, "bijectr_flow")) "real")
  trained(run, without_advice(fit_matrix(
    as_fit_data(data, "simulator(theta)"), how$layers, how$base, theta, NULL, rules, loss_maximum_likelihood(),
    how$settings(nrow(data), ncol(data)), how$progress
  )))
}

# Parameters of the next round.
draw_posterior <- function(run, n) {
  found <- posterior_draws(as_flow(run$fit), run$problem, max(n, POSTERIOR_PROPOSALS))
  found$draws[sample.int(nrow(found$draws), n), , drop = FALSE]
}

# The log likelihood of rows of parameters: that of the rows of `observed`, independent of each other, together.
log_likelihood <- function(likelihood, observed, theta) {
  condition <- encode_columns(theta, likelihood$condition$codecs)
  x <- encode_columns(observed, likelihood$codecs)
  total <- 0
  for (i in seq_len(n_rows(x))) {
    total <- total + native_log_density(likelihood, repeat_row(rows_at(x, i), nrow(theta)), condition)
  }
  total
}

# `problem`: list(prior, support, observed). See tempered_draws() for what is returned.
posterior_draws <- function(likelihood, problem, n) {
  tempered_draws(
    as_numeric_matrix(problem$prior$sample(n), "prior$sample"),
    function(theta) log_likelihood(likelihood, problem$observed, name_columns(theta, likelihood$condition$names)),
    function(theta) {
      theta <- name_columns(theta, likelihood$condition$names)
      target_values(problem$prior$log_density(theta), nrow(theta), "`prior$log_density`")
    },
    support_layer(problem$support$supports)
  )
}

# log q(observed | theta) + log prior(theta), -Inf outside of the prior.
log_posterior <- function(likelihood, prior, observed) {
  force(list(likelihood, prior, observed))
  function(theta) {
    value <- target_values(prior$log_density(theta), nrow(theta), "`prior$log_density`")
    inside <- is.finite(value)
    value[!inside] <- -Inf
    if (any(inside)) {
      value[inside] <- value[inside] + log_likelihood(likelihood, observed, theta[inside, , drop = FALSE])
    }
    value
  }
}

# The flow of the posterior, with its evaluation by importance weights.
fit_posterior <- function(likelihood, problem, progress) {
  draws <- posterior_draws(as_flow(likelihood), problem, POSTERIOR_DRAWS)$draws
  control <- default_control(nrow(draws), ncol(draws))
  fit <- without_advice(withCallingHandlers(
    fit_matrix(
      as_fit_data(draws, "theta"), NULL, base_normal(), NULL, NULL,
      column_rules(support = problem$support$supports), loss_maximum_likelihood(), control, progress
    ),
    # particles that are there twice are meant to be
    bijectr_warning_duplicates = function(w) invokeRestart("muffleWarning"),
    bijectr_warning_ties = function(w) invokeRestart("muffleWarning")
  ))
  # the draws are no data that likelihoods would tell something of
  fit[c("rows", "digest", "nobs", "loglik", "held_out_loglik", "reference", "quantiles")] <- list(NULL)
  fit[c("observed", "likelihood", "draws", "prior")] <- list(problem$observed, likelihood, draws, problem$prior)
  class(fit) <- c("bijectr_rounds_fit", "bijectr_target_fit", "bijectr_fit", "bijectr_flow")
  fit <- keep_within_prior(fit, problem, NULL)
  target <- log_posterior(as_flow(likelihood), problem$prior, problem$observed)
  found <- weigh_draws(fit, target, POSTERIOR_DRAWS)
  fit$evaluation <- found[c("elbo", "elbo_se", "log_z", "log_z_se", "ess", "pareto_k", "n")]
  fit
}

# Flows of largest likelihood of draws that are weighted towards a log density. That is the least forward
# Kullback-Leibler divergence
#
#   KL(p | q) = E_p log p - E_p log q,   E_p h ~ sum w_i h(x_i) / sum w_i,   w_i = p(x_i) / m(x_i),   x_i ~ m
#
# where m are the draws of a flow and wider ones (check-target.R). Steps of the reverse divergence are content with a
# part of the target; to these a draw that the flow leaves out is dear. They need no gradient of the target, and its
# value once at each of the draws, whereas steps of the reverse divergence need both, at new draws each.

LIKELIHOOD_DRAWS <- 20000
# Weights tell too little below this many effective draws.
LIKELIHOOD_EFFECTIVE <- 1000
LIKELIHOOD_ROUNDS <- 3

likelihood_control <- function() {
  fit_control(
    learning_rate = 5e-3, schedule = schedule_cosine(), batch_size = 512, steps = 300, validate_every = 60,
    validation = 0.2, clip = 5
  )
}

# The better of a fit and `flow`, trained by weighted draws of the fit; again from there while that gains, and draws of
# the flow are not to be trusted as they are.
with_likelihood <- function(fit, target, flow = as_flow(fit)) {
  for (round in seq_len(LIKELIHOOD_ROUNDS)) {
    if (is.null(fit$evaluation) || !fit$status %in% COMPLETE) break
    if (fit$steps > 0 && early_verdict(fit, target) == "trust") break
    at <- weigh_wide_draws(fit, target)
    if (is.null(at)) break
    after <- likelihood_fit(fit, flow, target, at)
    if (!after$status %in% COMPLETE) { # what was there before is whole
      fit$status <- after$status
      break
    }
    if (!gains_evidence(fit, after, at)) break
    fit <- after
    flow <- as_flow(fit)
  }
  fit
}

# list(x, weights, rows) of points with a density; NULL where the weights tell too little.
weigh_wide_draws <- function(fit, target) {
  at <- wide_draws(fit, LIKELIHOOD_DRAWS)
  log_p <- suppressWarnings(target(at$value, gradient = FALSE)$value) # so far out targets may well warn
  log_w <- ifelse(is.finite(log_p) & is.finite(at$log_q), log_p - at$log_m, -Inf)
  if (all(log_w == -Inf)) return(NULL)
  shares <- exp_shares(smooth_weights(log_w))
  if (1 / sum(shares^2) < LIKELIHOOD_EFFECTIVE) return(NULL)
  i <- which(shares > 0)
  weights <- shares[i] / mean(shares[i])
  list(x = at$value[i, , drop = FALSE], weights = weights, rows = split_rows(length(i), 0.2, weights))
}

# The fit with the parameters that `flow` comes to, and its evaluation.
likelihood_fit <- function(fit, flow, target, at) {
  control <- likelihood_control()
  loss <- loss_maximum_likelihood()
  space <- training_space(flow, at$x, at$rows, at$weights, loss)
  setup <- data_setup(space, NULL, at$weights, at$rows, control, diag(flow$d), loss)
  state <- new_state(flow, control)
  setup$seed <- state$seed
  origin <- fit[setdiff(names(fit), names(as_flow(fit)))]
  evaluate <- function(after) evaluate_target(after, target, fit$options$evaluate)
  after <- finish_fit(flow, setup, state, control, FALSE, origin, evaluate, "bijectr_target_fit")
  # the loss of these steps is not that of `history`
  after[c("control", "history")] <- fit[c("control", "history")]
  after$steps <- fit$steps + after$steps
  after
}

# Whether the flow after comes closer to the target: forward, by held-out draws, beyond the error of that, and forward
# and back together, by the ELBO, unless either has none.
gains_evidence <- function(before, after, at) {
  i <- at$rows$validation
  x <- at$x[i, , drop = FALSE]
  shares <- at$weights[i] / sum(at$weights[i])
  more <- native_log_density(after, x, NULL) - native_log_density(before, x, NULL)
  gain <- sum(shares * more)
  error <- sqrt(sum((shares * (more - gain))^2))
  back <- after$evaluation$elbo - before$evaluation$elbo
  isTRUE(gain > 2 * error && (!is.finite(back) || gain + back > 0))
}

# Flows of largest likelihood of draws that are weighted towards a log density. That is the least forward
# Kullback-Leibler divergence
#
#   KL(p | q) = E_p log p - E_p log q,   E_p h ~ sum w_i h(x_i) / sum w_i,   w_i = p(x_i) / m(x_i),   x_i ~ m
#
# where m are the draws of a flow and wider ones (wide-draws.R). Steps of the reverse divergence are content with a
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

# A rung of the ladder, see climb_flows(): the better of the fit and of the flow where training starts, trained by
# weighted draws of the fit. It is settled once that gains nothing, or draws of the flow can be trusted as they are.
likelihood_rung <- function(at, target) {
  if (at$settled) return(at)
  at$settled <- TRUE
  if (at$fit$steps > 0) {
    at <- judged(at, target)
    if (at$verdict == "trust") return(at)
  }
  drawn <- rows_of_target(at$fit, target)
  if (is.null(drawn)) return(at)
  after <- likelihood_fit(at$fit, at$start, target, drawn)
  after$steps <- at$steps + after$steps
  if (is.null(after$evaluation) || !gains_evidence(at$fit, after, drawn)) return(at)
  new_rung(after, as_flow(after), after$steps, settled = FALSE)
}

# list(x, weights, rows) of points with a density; NULL where the weights tell too little.
rows_of_target <- function(fit, target) {
  at <- weigh_wide_draws(fit, target, LIKELIHOOD_DRAWS)
  if (all(at$log_w == -Inf)) return(NULL)
  shares <- exp_shares(smooth_weights(at$log_w))
  if (1 / sum(shares^2) < LIKELIHOOD_EFFECTIVE) return(NULL)
  i <- which(shares > 0 & is.finite(at$log_q)) # a flow learns nothing where it cannot have a density
  weights <- shares[i] / mean(shares[i])
  rows <- split_rows(length(i), likelihood_control()$validation, weights)
  list(x = at$value[i, , drop = FALSE], weights = weights, rows = rows)
}

# The fit with the parameters that `flow` comes to, and its evaluation, NULL where that failed. What ends the training
# ends the fit that asked for it: there is nothing that could go on from here.
likelihood_fit <- function(fit, flow, target, drawn) {
  control <- likelihood_control()
  loss <- loss_maximum_likelihood()
  space <- training_space(flow, drawn$x, drawn$rows, drawn$weights, loss)
  setup <- data_setup(space, NULL, drawn$weights, drawn$rows, control, diag(flow$d), loss)
  origin <- fit[setdiff(names(fit), names(as_flow(fit)))]
  origin["evaluation"] <- list(NULL)
  evaluate <- function(after) evaluate_target(after, target, fit$options$evaluate)
  after <- tryCatch(
    suppressMessages(
      finish_fit(flow, setup, new_state(flow, control), control, FALSE, origin, evaluate, "bijectr_target_fit"),
      classes = "bijectr_message_rollback"
    ),
    bijectr_warning_interrupted = function(w) rlang::interrupt(),
    bijectr_error_training = function(e) stop(e$parent)
  )
  # the loss and the epochs of these steps are not those that a fit to a log density tells of
  after[c("control", "history", "epochs")] <- fit[c("control", "history", "epochs")]
  after
}

# Whether the flow after comes closer to the target: forward, by held-out draws, beyond the error of that, and forward
# and back together, by the ELBO, unless there was none before.
gains_evidence <- function(before, after, drawn) {
  i <- drawn$rows$validation
  x <- drawn$x[i, , drop = FALSE]
  shares <- drawn$weights[i] / sum(drawn$weights[i])
  more <- native_log_density(after, x, NULL) - native_log_density(before, x, NULL)
  gain <- sum(shares * more)
  error <- sqrt(sum((shares * (more - gain))^2))
  back <- after$evaluation$elbo - before$evaluation$elbo
  isTRUE(gain > 2 * error && (before$evaluation$elbo == -Inf || gain + back > 0))
}

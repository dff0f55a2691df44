# From the simplest model of a log density to richer ones: the best normal distribution (normal-start.R), which costs
# next to nothing, then a flow that starts as this one, by weighted draws (weighted-likelihood.R) and by steps of the
# loss. A flow is trained only where the normal distribution leaves something to gain, and kept only where it gains.

# What is left to gain is log Z less the ELBO, the Kullback-Leibler divergence from the target, in nats. With less,
# means and standard deviations of a normal distribution are right to a few per cent.
NORMAL_ENOUGH <- 0.01

# The effective share of draws at which a flow is good enough, if its verdict is not against it: weighted, they are
# nearly as good as draws of the target.
FLOW_ENOUGH <- 0.6

# Settings of the first flow where none are told: most targets need no more.
SHORT_STEPS <- 1000
SHORT_DRAWS <- 64

# How often modes are looked for that the normal distributions of others left out.
MODE_LOOKS <- 3

# `flow`: of the layers, the support at the end; `train(flow, origin, control)` gives a fit.
fit_ladder <- function(flow, target, origin, train, control) {
  begun <- proc.time()[[3]]
  started <- started_flow(flow, target)
  if (is.null(started)) return(train(flow, origin, control))
  asked <- origin$options$evaluate
  origin$options$evaluate <- EARLY_DRAWS # each model is judged, whether that is asked for or not
  origin$seconds <- started$seconds
  # a flow trained further, `since` a fit that took time
  train_on <- function(flow, since, control) {
    origin$seconds <- since$seconds
    with_settled_modes(train(flow, origin, control), target)
  }
  fit <- normal_fit(started, flow, target, origin)
  start <- started$flow
  enough <- FALSE
  for (look in seq_len(MODE_LOOKS)) {
    modes <- modes_beside(fit, target)
    if (length(modes)) {
      wider <- untrained_fit(with_modes(as_flow(fit), modes, target), target, origin)
      if (elbo_gain(fit, wider) < -2) break # what covers more is kept unless it is worse
      fit <- wider
      start <- on_components(start, base_components(fit))
    }
    near <- is_near_normal(fit$evaluation)
    enough <- near && !is_wrong(fit, target) # where it is wrong, other directions may lead to what it lacks
    if (enough || !near && !length(modes)) break
  }
  if (!enough) {
    fit <- tryCatch(climb_flows(fit, start, target, control, train_on), bijectr_error_training = function(e) {
      if (!is.null(e$fit)) e$fit$options$evaluate <- asked
      stop(e)
    })
  }
  fit <- evaluated_as_asked(fit, target, asked)
  fit$seconds <- proc.time()[[3]] - begun # of models that were not kept, too
  fit
}

# An evaluation that fails leaves the fit as it is, with that by fewer draws.
evaluated_as_asked <- function(fit, target, asked) {
  fit$options$evaluate <- asked
  if (asked == 0) fit["evaluation"] <- list(NULL)
  if (asked <= EARLY_DRAWS || !fit$status %in% COMPLETE || is.null(fit$evaluation)) return(fit)
  found <- suspendInterrupts(guarded(evaluate_target(fit, target, asked)))
  warn_unevaluated(found)
  add_evaluation(fit, found)
}

# Flows, rung by rung (rung.R). What weighted draws tell is learned first, as it takes the fewest evaluations of the
# target; steps of the reverse divergence come where that is not enough.
climb_flows <- function(fit, start, target, control, train_on) {
  at <- new_rung(fit, start, 0, settled = FALSE)
  short <- replace(control, c("steps", "batch_size"), list(SHORT_STEPS, SHORT_DRAWS))
  long <- long_steps(control, at$fit$d, at$fit$options$gradient)
  weighted <- rep(list(function(at) likelihood_rung(at, target)), LIKELIHOOD_ROUNDS)
  rungs <- c(
    weighted, function(at) loss_rung(at, target, short, train_on), weighted,
    function(at) loss_rung(at, target, long, train_on), weighted,
    function(at) modes_rung(at, target, short, train_on), weighted
  )
  for (rung in rungs) {
    reached <- suspendInterrupts(guarded(rung(at)))
    if (inherits(reached, "condition")) return(ended_ladder(at$fit, reached))
    at <- reached
    # what was not evaluated cannot be judged
    if (!at$fit$status %in% COMPLETE || is.null(at$fit$evaluation)) break
  }
  at$fit
}

loss_rung <- function(at, target, control, train_on) {
  # where a draw has no density at all, steps of the reverse divergence have no gradient
  if (at$fit$steps > 0 && at$fit$evaluation$elbo == -Inf) return(at)
  if (may_be_good(at$fit)) {
    at <- judged(at, target)
    # a normal distribution that weighted draws do not better is one for draws as they are only
    if (at$verdict %in% c("trust", if (at$fit$steps > 0) "resample")) return(at)
  }
  trained_rung(at, control, train_on)
}

trained_rung <- function(at, control, train_on) {
  reached <- train_on(at$start, at$fit, control)
  reached$steps <- at$steps + reached$steps
  if (!reached$status %in% COMPLETE || gains(at$fit, reached)) {
    return(new_rung(reached, as_flow(reached), reached$steps, settled = FALSE))
  }
  from <- if (at$fit$steps > 0) at$fit else reached # never from a normal distribution: it has nothing to learn
  at[c("start", "steps", "settled")] <- list(as_flow(from), from$steps, FALSE)
  at
}

modes_rung <- function(at, target, control, train_on) {
  modes <- modes_beside(at$fit, target)
  if (!length(modes)) return(at)
  at[c("start", "steps")] <- list(with_modes(as_flow(at$fit), modes, target), at$fit$steps)
  trained_rung(at, control, train_on)
}

# What ends a rung ends the ladder, with the fit that it had come to.
ended_ladder <- function(fit, condition) {
  if (inherits(condition, "interrupt")) {
    cli::cli_warn(c(
      "The fit was interrupted: this is the best so far.", i = "{.code check_flow(fit)} says what it is good for."
    ), class = "bijectr_warning_interrupted")
    fit$status <- "interrupted"
    return(fit)
  }
  if (fit$steps == 0 || inherits(condition, "bijectr_error_training")) stop(condition)
  raise_ended(fit, condition)
}

raise_ended <- function(fit, condition) {
  cli::cli_abort(
    c("The fit ended in an error after {fit$steps} steps.",
      i = "The fit so far is in this condition: {.code tryCatch(..., error = identity)$fit} or
           {.code rlang::last_error()$fit}."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = condition, fit = fit, call = user_call()
  )
}

# Steps of training change the weights of components between which there is nothing by chance: they are set anew.
with_settled_modes <- function(fit, target) {
  if (fit$base$kind != "gaussian_mixture" || is.null(fit$evaluation)) return(fit)
  fit["params"] <- list(reweighed_modes(as_flow(fit), target)$params)
  add_evaluation(fit, evaluate_target(fit, target, fit$options$evaluate))
}

modes_beside <- function(fit, target) if (!is.null(fit$evaluation)) other_modes(fit, target, fit$evaluation$log_z)

# The flow that the user has told how to train, from the best normal distribution.
train_from_normal <- function(flow, target, origin, train, control) {
  started <- started_flow(flow, target)
  origin$seconds <- started$seconds
  train(started$flow %||% flow, origin, control)
}

# list(flow, whiten, outer, seconds): the flow with a layer that makes its start the best normal distribution, before
# the layers of its support; NULL where there is none.
started_flow <- function(flow, target) {
  started <- proc.time()[[3]]
  outer <- last_support_layer(flow$layers$layers)
  outer <- if (!is.null(outer)) list(outer)
  found <- normal_start(target_on_line(target, outer, flow$d), flow$d)
  if (is.null(found)) return(NULL)
  whiten <- layer_standardize(found$loc, found$root)
  inner <- flow$layers$layers[seq_len(length(flow$layers$layers) - length(outer))]
  list(
    flow = new_flow(layer_chain(c(inner, list(whiten), outer)), flow$d, flow$base, 0L, flow$names),
    whiten = whiten, outer = outer, seconds = proc.time()[[3]] - started
  )
}

# Fewer draws a step where many coordinates and gradients by differences make each of them dear: a step of this many
# calls of the target is the longest.
LONG_STEP <- 6000

long_steps <- function(control, d, gradient) {
  calls <- if (gradient == "differences") 2 * d + 1 else 1
  control$batch_size <- max(SHORT_DRAWS, min(control$batch_size, LONG_STEP %/% calls))
  control
}

# The log density of the points on the line that the supports make points of the target.
target_on_line <- function(target, outer, d) {
  if (length(outer)) target_through(new_flow(layer_chain(outer), d, base_normal(), 0L), target) else target
}

# The normal distribution, by an affine layer that can be trained further.
normal_fit <- function(started, flow, target, origin) {
  layers <- layer_chain(c(list(layer_triangular_affine(), started$whiten), started$outer))
  untrained_fit(new_flow(layers, flow$d, base_normal(), 0L, flow$names), target, origin)
}

# A fit of no steps.
untrained_fit <- function(flow, target, origin) {
  control <- default_target_control()
  run <- list(state = new_state(flow, control), history = NULL, status = "finished", seconds = 0)
  fit <- new_fit(flow, run, control, origin, "bijectr_target_fit")
  fit["state"] <- list(NULL)
  add_evaluation(fit, evaluate_target(fit, target, origin$options$evaluate)) # nothing was trained that could be lost
}

# The tails of a normal distribution are nearly always lighter than those of the target, which counts by how much.
is_near_normal <- function(e) !is.null(e) && isTRUE(e$log_z - e$elbo < NORMAL_ENOUGH)

may_be_good <- function(fit) {
  e <- fit$evaluation
  !is.null(e) && isTRUE(e$ess > FLOW_ENOUGH * e$n && e$pareto_k < 0.7)
}

is_wrong <- function(fit, target) early_verdict(fit, target) == "do not trust"

# Two standard errors of the difference are what chance makes.
gains <- function(before, fit) {
  is.null(fit$evaluation) || is.null(before$evaluation) || elbo_gain(before, fit) >= 2
}

# In standard errors of the difference, by that of the larger ELBO: where the smaller one has a long tail of weights its
# error is large, which must not speak for it. A gain that is no number is the worst.
elbo_gain <- function(before, fit) {
  gain <- fit$evaluation$elbo - before$evaluation$elbo
  larger <- if (isTRUE(gain > 0)) fit else before
  gain <- gain / (sqrt(2) * larger$evaluation$elbo_se)
  if (is.na(gain)) -Inf else gain
}

# Training of flows against log densities: where they start, the loss of a step, and what is reported at the end.

start_target_flow <- function(layers, d, base, names, rules) {
  if (inherits(layers, "bijectr_flow")) {
    if (layers$d_condition > 0) stop_arg("{.arg layers} is a conditional flow, which has no log density of its own.")
    if (d > 0 && d != layers$d) stop_arg("{.arg layers} is a flow of {layers$d} coordinate{?s}, but {.arg d} is {d}.")
    flow <- as_flow(layers)
    flow["dropped"] <- list(NULL) # the target is one of the coordinates
    if (!is.null(names)) flow$names <- names
    if (length(unlist(rules))) stop_arg("{.arg support} was given, but {.arg layers} is a flow, which has its own.")
    return(flow)
  }
  d <- check_count(d, "d", min = 0)
  if (d == 0) stop_arg("The number of coordinates {.arg d} must be given.")
  if (is.null(layers)) layers <- default_target_layers(d)
  outer <- support_layer(target_supports(rules, d, names))
  layers <- layer_chain(as_layer(layers, "layers"), list(outer)[!is.null(outer)])
  new_flow(layers, d, check_family(base, "base", "base"), 0L, names)
}

# Supports of a log density, which has no values to look at.
target_supports <- function(rules, d, names) {
  if (identical(rules$support, "auto")) stop_arg("{.arg support} must be given: a log density has no data to look at.")
  lapply(given_supports(rules$support, rules$lower, rules$upper, d, names), function(support) {
    if (is.null(support)) return(whole_line())
    if (support$whole) stop_arg("{.arg support} has {.fn counts}, but a log density is one of continuous coordinates.")
    if (is.null(support$curve)) support$curve <- "log"
    support
  })
}

# Scales that depend on other coordinates, as in hierarchical models, are what affine layers are; splines bend the rest.
default_target_layers <- function(d) {
  # wide: what lies outside the splines' interval is as good as the affine maps make it
  spline <- scalar_rq_spline(knots = 10, interval = 10)
  body <- if (d == 1) {
    layer_repeat(layer_elementwise(spline), 3)
  } else {
    stack <- function(scalar) {
      masked_autoregressive_flow(scalar, flow_layers = 2, nn_width = default_width(d), invert = FALSE)
    }
    layer_chain(stack(spline), stack(scalar_affine("exp", limit = 8)))
  }
  layer_chain(body, layer_elementwise(scalar_affine(min_scale = 0)))
}

default_target_control <- function() {
  fit_control(
    learning_rate = 5e-3, schedule = schedule_cosine(), batch_size = 256, steps = 2000, validation = 0, clip = 5,
    keep_best = FALSE
  )
}

# One look at the target before training: what is wrong there would be a fit that diverges.
check_target_start <- function(flow, target, n) {
  x <- native_map(flow, native_draw(flow, n, NULL, draw_seed()), NULL, inverse = FALSE)$value
  at <- target(x)
  bad <- which(!is.finite(at$value))
  if (length(bad)) {
    stop_arg(c(
      "The target is {at$value[bad[1]]} at a draw of the initial flow: ({format(x[bad[1], ], digits = 4)}).",
      i = "So it is at {length(bad)} of {n} draws.",
      i = "Where a coordinate has bounds, {.arg support} says so, as {.code list(sigma = positive())}; or let the layers
           end there."
    ))
  }
  bad <- which(!is.finite(rowSums(at$gradient)))
  if (length(bad)) {
    stop_arg("The gradient of the target is not finite at a draw of the initial flow:
              ({format(x[bad[1], ], digits = 4)}).")
  }
}

# A gradient that is not one of the target's differences gives a fit of something else: it is compared with these at one
# point, which draws nothing.
check_own_gradient <- function(target, rule, flow) {
  if (!identical(rule, "model") && !is.function(rule)) return(invisible())
  x <- native_map(flow, matrix(0.1, 1, flow$d), NULL, inverse = FALSE)$value
  own <- target_with_gradient(target, rule, flow$d, flow$names)(x)
  if (!all(is.finite(own$value), is.finite(own$gradient))) return(invisible())
  values <- function(x) target_values(target(name_columns(x, flow$names)), nrow(x))
  found <- difference_gradient(values, x, support_limits(flow))$gradient
  noise <- 1e-9 * abs(own$value) # of differences of large numbers
  # solvers of differential equations are exact to a per cent
  off <- abs(own$gradient - found) - pmax(0.02 * pmax(abs(own$gradient), abs(found)), 1e-3) - noise
  j <- which.max(off)
  if (!length(j) || off[j] <= 0) return(invisible())
  cli::cli_warn(c(
    "The gradient is not that of the target: by {coordinate_labels(flow)[j]} it is {signif(own$gradient[j], 4)} at
     ({format(x[1, ], digits = 4)}), where differences say {signif(found[j], 4)}.",
    i = "{.code gradient = \"differences\"} needs none."
  ), class = "bijectr_warning_gradient")
}

fit_target <- function(flow, target, state, control, progress, origin) {
  evaluate <- function(fit) {
    n <- origin$options$evaluate
    if (n > 0) evaluate_target(fit, target, n)
  }
  draws <- draw_setup(target, origin$loss, control$batch_size)
  draws$anneal_steps <- origin$options$anneal * control$steps
  setup <- train_setup(control, control$steps,
    max_step = control$steps, max_epoch = 0, validate_every = 0, draws = draws
  )
  fit <- finish_fit(flow, setup, state, control, progress, origin, evaluate, class = "bijectr_target_fit")
  if (!is.null(draws$program)) add_evaluations(target, (fit$steps - state$counters[["step"]]) * draws$n)
  fit
}

# Smallest factor of an annealed target.
ANNEAL_FROM <- 0.1

# What the core needs to know of a loss of n draws a step, of the log weights beta log p(x) - log q(x): `target` gives
# list(value, gradient) of points, and does not raise what ends it.
draw_setup <- function(target, loss, n) {
  list(
    target = function(x) guarded(target(x)), program = program_of(target), loss = loss, n = n,
    anneal_from = ANNEAL_FROM, anneal_steps = 0
  )
}

# Fields of a fit to a log density.
evaluate_target <- function(fit, target, n) {
  out <- weigh_draws(fit, function(x) target(x, gradient = FALSE)$value, n)
  list(evaluation = out[c("elbo", "elbo_se", "log_z", "log_z_se", "ess", "pareto_k", "n")])
}

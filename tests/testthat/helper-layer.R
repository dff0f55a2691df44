# The battery of layers and, through them, of conditioner nets and solvers.

# `x` are points away from kinks (differences are taken across 4e-5), by default normal draws. `spread` is the standard
# deviation of the random parameters around the initial ones. `extreme` are sizes of inputs for which all outputs and
# gradients must be finite. `only`: names of checks.
expect_layer_ok <- function(layer, d, d_condition = 0, x = NULL, spread = 0.5, extreme = 10^c(-300, -8, 3, 8),
                            round_trip = 1e-9, seed = 1, only = names(map_checks)) {
  s <- layer_subject(layer, d, d_condition, x, spread, seed, extreme = extreme, round_trip = round_trip)
  expect_checks(s, map_checks, only = only)
}

# A net in the layer that every net can serve; its parameters, inputs and conditions are checked through it.
expect_net_ok <- function(net, ..., spread = 0.5) {
  expect_layer_ok(layer_coupling(scalar_affine(), net), d = 3, ..., spread = spread)
  expect_layer_ok(layer_coupling(scalar_tanh_affine(), net), d = 4, d_condition = 2, ..., spread = spread, seed = 2)
}

# A few checks of a flow that is there already.
expect_gradient_ok <- function(f, x, condition, inverse) {
  expect_checks(flow_subject(f, x, condition), gradient_checks, inverse)
}
expect_batches_ok <- function(f, x, condition, inverse) {
  expect_checks(flow_subject(f, x, condition), map_checks, inverse, "one row as in a batch")
}
expect_machines_ok <- function(f, x, condition, inverse) {
  expect_checks(flow_subject(f, x, condition), machine_checks, inverse)
}

# ---- solvers -------------------------------------------------------------------------------------------------------

# The error against a solution of many steps must fall with the power of the method's order.
expect_order_ok <- function(solver, order, steps) {
  set.seed(1)
  at <- function(solver) flow(layer_continuous(field_mlp(8, init = "uniform"), solver), 2)
  f <- at(solver_tsit5(step = 0.004))
  theta <- 2 * unname(coef(f))
  params(f) <- theta
  x <- matrix(rnorm(20), 10)
  exact <- forward(f, x)
  for (what in c("value", "logdet")) {
    error <- vapply(steps, function(step) {
      g <- at(solver(step = step))
      params(g) <- theta
      sqrt(mean((forward(g, x)[[what]] - exact[[what]])^2))
    }, 1)
    slope <- stats::coef(stats::lm(log(error) ~ log(steps)))[[2]]
    expect_gt(slope, order - 0.35)
    expect_lt(slope, order + 1.25)
  }
}

# ---- naive nets ----------------------------------------------------------------------------------------------------

naive_activation <- function(name) {
  switch(name,
    relu = function(t) pmax(t, 0),
    tanh = tanh,
    elu = function(t) ifelse(t > 0, t, expm1(t)),
    gelu = function(t) t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 * t^3))),
    silu = function(t) t / (1 + exp(-t)),
    sigmoid = function(t) 1 / (1 + exp(-t)),
    leaky_relu = function(t) ifelse(t > 0, t, 0.01 * t),
    selu = function(t) 1.0507009873554804934 * ifelse(t > 0, t, 1.6732632423543772848 * expm1(t)),
    softplus = function(t) log1p(exp(-abs(t))) + pmax(t, 0),
    sin = sin
  )
}

# One row through a net with the parameters p (W1, b1, ...); masks: a matrix of 0 and 1 for each weight matrix.
naive_mlp <- function(p, x, activation, masks = NULL) {
  depth <- length(p) / 2 - 1
  act <- naive_activation(activation)
  h <- x
  for (l in seq_len(depth + 1)) {
    w <- p[[paste0("W", l)]]
    if (!is.null(masks)) w <- w * masks[[l]]
    h <- c(w %*% h + p[[paste0("b", l)]])
    if (l <= depth) h <- act(h)
  }
  h
}

# Masks of a net whose inputs are d coordinates and then the conditions, with k outputs a coordinate.
naive_masks <- function(d, d_condition, width, k) {
  input <- c(seq_len(d) - 1, rep(-1, d_condition))
  cycle <- if (d_condition > 0) function(w) (seq_len(w) - 1) %% d - 1 else function(w) (seq_len(w) - 1) %% max(d - 1, 1)
  ranks <- c(list(input), lapply(width, cycle), list(rep(seq_len(d) - 1, each = k)))
  last <- length(ranks) - 1
  lapply(seq_len(last), function(l) {
    if (l == last) 1 * outer(ranks[[l + 1]], ranks[[l]], ">") else 1 * outer(ranks[[l + 1]], ranks[[l]], ">=")
  })
}

# Layers of each kind that takes a net, as functions of it; `small` is one beside it.
layers_around_net <- function(small) {
  list(
    function(net) layer_coupling(scalar_affine(), net), function(net) layer_autoregressive(scalar_tanh_affine(), net),
    function(net) layer_invert(layer_autoregressive(scalar_affine(), net)),
    function(net) layer_additive_condition(net), function(net) layer_coupling(scalar_affine(), net_separate(net, small))
  )
}

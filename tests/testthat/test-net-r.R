tanh_forward <- function(x, params) {
  hidden <- tanh(x %*% matrix(params[seq_len(3 * ncol(x))], ncol(x)))
  hidden %*% matrix(params[-seq_len(3 * ncol(x))], 3)
}
tanh_vjp <- function(x, g_value, params) {
  first <- seq_len(3 * ncol(x))
  inner <- matrix(params[first], ncol(x))
  outer <- matrix(params[-first], 3)
  hidden <- tanh(x %*% inner)
  g <- (g_value %*% t(outer)) * (1 - hidden^2)
  list(x = g %*% t(inner), params = c(t(x) %*% g, t(hidden) %*% g_value))
}
small_net <- function(...) net_r(tanh_forward, ..., size = function(n_in, n_out) 3 * (n_in + n_out), init = 0.3)

test_that("nets of R functions serve layers and bases, with gradients given or by differences", {
  set.seed(1)
  for (net in list(small_net(vjp = tanh_vjp), small_net())) {
    found <- rbind(
      check_layer(layer_coupling(scalar_affine(), net), d = 3, d_condition = 1),
      check_layer(layer_planar(net = net), d = 2, d_condition = 1),
      check_layer(layer_additive_condition(net), d = 2, d_condition = 2)
    )
    expect_true(all(found$ok), info = paste(found$check[!found$ok], collapse = ", "))
  }
  f <- flow(list(), 1, base = base_normal(net = small_net()), d_condition = 2)
  condition <- matrix(rnorm(20), 10)
  raw <- tanh_forward(condition, params(f)$base$net$params)
  expect_equal(logdensity(f, rep(0.4, 10), condition), dnorm(0.4, raw[, 1], log1p(exp(raw[, 2] + log(expm1(1)))), TRUE),
    tolerance = 1e-12
  )
  expect_moving_draws(f, condition)
})

test_that("they are trained as a net of the core with the same formulas is", {
  set.seed(2)
  core <- flow(layer_coupling(scalar_affine(), net_mlp(3, activation = "tanh")), 2)
  start <- 0.3 * rnorm(length(coef(core)))
  params(core) <- start
  p <- params(core)$layers[[1]]$net
  p$b1[] <- 0
  p$b2[] <- 0
  params(core)$layers[[1]]$net <- p
  f <- flow(layer_coupling(scalar_affine(), small_net(vjp = tanh_vjp)), 2)
  params(f) <- c(t(p$W1), t(p$W2))
  x <- matrix(rnorm(400), 200)
  expect_equal(logdensity(f, x), logdensity(core, x), tolerance = 1e-12)
})

test_that("a net that fails in a training costs neither steps nor digits", {
  fails_at <- Inf
  calls <- 0
  net <- net_r(
    function(x, params) {
      calls <<- calls + 1
      if (calls == fails_at) stop("once")
      tanh_forward(x, params)
    },
    tanh_vjp, function(n_in, n_out) 3 * (n_in + n_out), 0.3
  )
  set.seed(3)
  x <- matrix(rnorm(160), 80)
  start <- flow(layer_coupling(scalar_affine(), net), 2)
  fit <- function() fit_flow(x, start, steps = 60, progress = FALSE, keep_state = TRUE, validation = 0)
  set.seed(4)
  whole <- fit()
  most <- calls
  for (k in c(30, 61)) {
    calls <- 0
    fails_at <- k
    set.seed(4)
    lost <- tryCatch(fit(), error = identity)
    expect_s3_class(lost, "bijectr_error_training")
    expect_match(conditionMessage(lost$parent %||% lost), "once")
    expect_identical(lost$fit$state$counters[["n_failure"]], 0)
    fails_at <- Inf
    expect_identical(coef(resume(lost$fit, x)), coef(whole))
  }
  # in validations too, up to the last, after all steps; what is computed behind them may fail
  calls <- 0
  fails_at <- Inf
  set.seed(5)
  ended <- fit_flow(x, start, max_epochs = 3, batch_size = 64, validation = 0.2, progress = FALSE, keep_state = TRUE)
  told <- 0
  for (k in seq(calls, 5)) {
    calls <- 0
    fails_at <- k
    set.seed(5)
    lost <- tryCatch(
      fit_flow(x, start, max_epochs = 3, batch_size = 64, validation = 0.2, progress = FALSE, keep_state = TRUE),
      error = identity, warning = identity
    )
    fit <- if (inherits(lost, "bijectr_fit")) lost else lost$fit
    if (is.null(fit)) next # before the training
    expect_false(any(is.nan(fit$history$validation)))
    expect_identical(fit$state$counters[["n_failure"]], 0)
    told <- told + inherits(lost, "bijectr_error_training")
  }
  expect_gt(told, 2)
})

test_that("sizes and what a function gives are looked at", {
  error <- function(net, regexp, class = "bijectr_error") {
    run <- function() logdensity(flow(layer_coupling(scalar_affine(), net), 2), t(1:2))
    expect_error(suppressWarnings(run()), regexp, class = class)
  }
  error(net_r(function(x) x, size = function(n_in, n_out) -1), "`size` of net_r\\(\\) must give a whole number")
  error(net_r(function(x) x, size = function(n_in, n_out) 1:2), "size")
  error(net_r(function(x) x, size = 0), "value that `forward` of `net_r\\(\\)` gives must be a matrix of 32 rows and 2")
  error(net_r(function(x) x, size = function(n_in, n_out) stop("so big")), "so big", "error")
  error(net_r(function(x) stop("no net"), size = 0), "no net", "error")
  expect_error(net_r(function(x) x), "`size` is missing", class = "bijectr_error_argument")
  expect_error(net_r(function(x) x, size = -1), "`size`", class = "bijectr_error_argument")
  expect_error(flow(layer_autoregressive(scalar_affine(), small_net()), 2), "masks", class = "bijectr_error")
  expect_length(coef(flow(layer_coupling(scalar_affine(), net_r(function(x) cbind(x, x), size = 0)), 2)), 0)
})

affine_flow <- function(d = 2, base = base_normal()) {
  set.seed(3)
  f <- flow(masked_autoregressive_flow(flow_layers = 2, nn_width = 6, invert = FALSE, nn_activation = "tanh"), d, base)
  params(f) <- coef(f) + 0.3 * rnorm(length(coef(f)))
  f
}
bent_target <- function(x) {
  list(
    value = -x[, 1]^4 / 4 - (x[, 2] - x[, 1])^2,
    gradient = cbind(-x[, 1]^3 + 2 * (x[, 2] - x[, 1]), -2 * (x[, 2] - x[, 1]))
  )
}
losses <- list(
  loss_reverse_kl(), loss_renyi(0.5), loss_renyi(0), loss_renyi(2), loss_renyi(1), loss_importance_weighted(1),
  loss_importance_weighted(8), loss_importance_weighted(24)
)

numeric_gradient <- function(fn, at, h = 1e-5) {
  vapply(seq_along(at), function(i) {
    step <- replace(0 * at, i, h)
    (fn(at + step) - fn(at - step)) / (2 * h)
  }, 0)
}

test_that("gradients of the losses are those of their values", {
  f <- affine_flow()
  z <- matrix(rnorm(48), 24)
  for (loss in losses) {
    value <- function(p) {
      params(f) <- p
      out <- native_map(f, z, NULL, FALSE)
      loss_by_hand(loss, 0.7 * bent_target(out$value)$value - out$log_density)$value
    }
    at <- reverse_gradient(f, z, bent_target, loss, beta = 0.7)
    expect_equal(at$loss, value(f$params))
    expect_equal(at$gradient, numeric_gradient(value, f$params), tolerance = 1e-7, info = format(loss))
  }
})

test_that("path gradients have the mean of the full gradient", {
  f <- affine_flow()
  for (loss in list(loss_reverse_kl(), loss_renyi(0.5), loss_importance_weighted(2))) {
    path <- loss
    path$path <- TRUE
    differences <- vapply(1:400, function(i) {
      z <- native_draw(f, 200, NULL, i)
      reverse_gradient(f, z, bent_target, path)$gradient - reverse_gradient(f, z, bent_target, loss)$gradient
    }, f$params)
    error <- apply(differences, 1, sd) / sqrt(ncol(differences))
    used <- error > 0
    # the shares of all draws are biased by O(1 / n) in the Renyi loss: both gradients are, and alike
    expect_lt(max(abs(rowMeans(differences)[used]) / error[used]), 5)
  }
})

test_that("sticking the landing has no noise where the flow is the target", {
  f <- affine_flow()
  exact <- function(x) {
    grad <- native_vjp(f, x, NULL, TRUE, list(log_density = rep(1, nrow(x))))
    list(value = grad$log_density + 3, gradient = grad$x)
  }
  z <- matrix(rnorm(200), 100)
  expect_lt(max(abs(reverse_gradient(f, z, exact, loss_stick_the_landing())$gradient)), 1e-12)
  expect_gt(max(abs(reverse_gradient(f, z, exact, loss_reverse_kl())$gradient)), 1e-3)
  expect_equal(reverse_gradient(f, z, exact, loss_reverse_kl())$loss, -3)
})

test_that("parameters of the base are trained through the draws", {
  for (parameter in c("scale", "variance")) {
    f <- affine_flow(base = base_normal(trainable = TRUE, parameter = parameter))
    value <- function(p) {
      params(f) <- p
      out <- native_map(f, native_draw(f, 70, NULL, 5), NULL, FALSE)
      mean(out$log_density - bent_target(out$value)$value)
    }
    at <- reverse_gradient(f, native_draw(f, 70, NULL, 5), bent_target, loss_reverse_kl())
    expect_equal(at$gradient, numeric_gradient(value, f$params), tolerance = 1e-7)
  }
  f <- flow(list(), 1, base = base_categorical(3))
  target <- function(x) list(value = x, gradient = x)
  expect_error(reverse_gradient(f, matrix(0, 5, 1), target, loss_reverse_kl()), "base_categorical.*cannot be")
})

test_that("a flow with conditions has no such step", {
  f <- new_flow(layer_chain(coupling_flow(flow_layers = 1)), 2, base_normal(), 2L, NULL)
  f["params"] <- list(native_init(f, 1))
  target <- function(x) list(value = -rowSums(x^2), gradient = -2 * x)
  expect_error(reverse_gradient(f, NULL, target, loss_reverse_kl(), seed = 1, n = 64), "flow with conditions",
    class = "bijectr_error_core"
  )
})

test_that("arguments of losses", {
  expect_error(fit_flow(function(x) -x^2, d = 1, loss = loss_maximum_likelihood()), "for data")
  expect_error(fit_flow(function(x) -x^2, d = 1, loss = "elbo"), "`loss` must be a loss")
  expect_error(fit_flow(function(x) -x^2, d = 1, loss = loss_importance_weighted(7)), "multiple")
})

test_that("a step is there and back by hand, for few rows, whose way is kept, and many, on any number of threads", {
  f <- flow(coupling_flow(scalar_affine(limit = 2), flow_layers = 2, nn_width = 9), 2)
  set.seed(6)
  f["params"] <- list(rnorm(length(f$params), sd = 0.3))
  target <- target_with_gradient(function(x) -rowSums(x^4) - x[, 1] * x[, 2], "differences", 2, NULL)
  for (n in c(5, 128, 129, 512, 513, 1300)) {
    z <- native_draw(f, n, NULL, 7)
    step <- reverse_gradient(f, z, target, loss_renyi(0.5), threads = 1)
    there <- native_map(f, z, NULL, FALSE)
    p <- target(there$value)
    log_weight <- p$value - there$log_density
    at <- loss_by_hand(loss_renyi(0.5), log_weight)
    by_hand <- native_vjp(f, z, NULL, FALSE, list(value = -at$share * p$gradient, log_density = at$share))
    expect_equal(step$gradient, by_hand$params, tolerance = 1e-12)
    expect_equal(step$loss, at$value, tolerance = 1e-14)
    expect_identical(reverse_gradient(f, z, target, loss_renyi(0.5), threads = 2), step)
  }
  # without draws of its own they are those of the seed
  expect_identical(
    reverse_gradient(f, NULL, target, loss_reverse_kl(), seed = 7, n = 200),
    reverse_gradient(f, native_draw(f, 200, NULL, 7), target, loss_reverse_kl(), seed = 7)
  )
})

test_that("what a log density raises within a step goes on from there, and the next step is as it was", {
  f <- flow(coupling_flow(flow_layers = 2), 2)
  z <- native_draw(f, 300, NULL, 1)
  good <- function(x, gradient = TRUE) list(value = -rowSums(x^2), gradient = -2 * x)
  before <- reverse_gradient(f, z, good, loss_reverse_kl())
  expect_error(reverse_gradient(f, z, function(x) stop("no target"), loss_reverse_kl()), "no target")
  expect_error(
    reverse_gradient(f, z, function(x) list(value = good(x)$value, gradient = 1:3), loss_reverse_kl()), "gradient"
  )
  # maps within the step
  nested <- function(x) {
    native_map(f, z, NULL, FALSE)
    good(x)
  }
  expect_identical(reverse_gradient(f, z, nested, loss_reverse_kl()), before)
  expect_identical(reverse_gradient(f, z, good, loss_reverse_kl()), before)
})

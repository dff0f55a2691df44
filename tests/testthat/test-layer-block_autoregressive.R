test_that("depths, dimensions, conditions", {
  expect_layer_ok(layer_block_autoregressive(), d = 1)
  expect_layer_ok(layer_block_autoregressive(depth = 1, block_dim = 3), d = 3, d_condition = 2)
  # not far out, where the inverse bends too much for differences (their error there is h^2 exactly)
  x <- matrix(seq(-0.4, 0.4, length.out = 12), 4)
  expect_layer_ok(layer_block_autoregressive(depth = 3, block_dim = 2), d = 3, d_condition = 1, x = x, spread = 0.2)
  expect_layer_ok(layer_block_autoregressive(depth = 0), d = 4)
  expect_layer_ok(layer_block_autoregressive(depth = 2, block_dim = 4), d = 2, spread = 0.2)
  expect_layer_ok(layer_block_autoregressive(depth = 1, block_dim = 1), d = 2, spread = 0.2)
})

# one row, with full matrices and the Jacobian's diagonal from a product of them
naive_block_autoregressive <- function(p, x, depth, condition = NULL, act = function(t) tanh(t) + 0.01 * t,
                                       slope = function(t) 1 / cosh(t)^2 + 0.01) {
  d <- length(x)
  h <- x
  jacobian <- diag(d)
  for (l in seq_len(depth + 1)) {
    w <- p[[paste0("W", l)]]
    row <- (seq_len(nrow(w)) - 1) %/% (nrow(w) / d)
    column <- (seq_len(ncol(w)) - 1) %/% (ncol(w) / d)
    entries <- ifelse(outer(row, column, "=="), log1p(exp(w)), ifelse(outer(row, column, ">"), w, 0))
    a <- entries / sqrt(rowSums(entries^2)) * log1p(exp(p[[paste0("scale", l)]]))
    t <- c(a %*% h) + p[[paste0("b", l)]]
    if (l == 1 && !is.null(condition)) t <- t + c(p$Wc %*% condition)
    jacobian <- a %*% jacobian
    if (l <= depth) {
      h <- act(t)
      jacobian <- slope(t) * jacobian
    }
  }
  list(value = t, logdet = sum(log(diag(jacobian))))
}

test_that("the layer is the network, written out", {
  for (depth in 0:3) {
    set.seed(depth)
    f <- flow(layer_block_autoregressive(depth, 3), d = 4, d_condition = 2)
    params(f) <- coef(f) + rnorm(length(coef(f)))
    p <- params(f)$layers[[1]]
    expect_named(p, c(paste0(c("W", "scale", "b"), rep(1:(depth + 1), each = 3)), "Wc"))
    x <- matrix(rnorm(20), 5)
    condition <- matrix(rnorm(10), 5)
    out <- forward(f, x, condition)
    for (i in 1:5) {
      naive <- naive_block_autoregressive(p, x[i, ], depth, condition[i, ])
      expect_equal(out$value[i, ], naive$value, tolerance = 1e-12)
      expect_equal(out$logdet[i], naive$logdet, tolerance = 1e-12)
    }
  }
})

test_that("activations are what they say, with inverses and gradients", {
  bend <- 3 # FlowJAX's LeakyTanh(3)
  least <- 1 / cosh(bend)^2
  within <- function(t) pmax(-bend, pmin(bend, t))
  cases <- list(
    list("tanh_plus_linear", 0.2, function(t) tanh(t) + 0.2 * t, function(t) 1 / cosh(t)^2 + 0.2),
    list("leaky_tanh", least, function(t) tanh(within(t)) + least * (t - within(t)), function(t) 1 / cosh(within(t))^2),
    list("leaky_relu", 0.1, function(t) ifelse(t < 0, 0.1 * t, t), function(t) ifelse(t < 0, 0.1, 1))
  )
  set.seed(9)
  for (case in cases) {
    layer <- layer_block_autoregressive(2, 3, case[[1]], case[[2]])
    f <- flow(layer, d = 3, d_condition = 1)
    params(f) <- coef(f) + rnorm(length(coef(f)))
    x <- matrix(4 * rnorm(90), 30)
    condition <- matrix(rnorm(30))
    out <- forward(f, x, condition)
    for (i in 1:30) {
      naive <- naive_block_autoregressive(params(f)$layers[[1]], x[i, ], 2, condition[i, ], case[[3]], case[[4]])
      expect_equal(out$value[i, ], naive$value, tolerance = 1e-11)
      expect_equal(out$logdet[i], naive$logdet, tolerance = 1e-11)
    }
    back <- forward(f, inverse(f, x, condition)$value, condition)$value
    expect_lt(relative_gap(back, x), 1e-11)
    found <- check_layer(layer, 3, 1)
    expect_true(all(found$ok), info = paste(case[[1]], paste(found$check[!found$ok], collapse = ", ")))
  }
  expect_error(layer_block_autoregressive(activation = "relu"), "activation", class = "bijectr_error_argument")
  expect_error(layer_block_autoregressive(min_slope = 0), "min_slope", class = "bijectr_error_argument")
})

test_that("the inverse ends by its tolerance, or with an error after its steps", {
  set.seed(10)
  f <- flow(block_neural_autoregressive_flow(nn_depth = 2), d = 2)
  theta <- coef(f) + rnorm(length(coef(f)))
  y <- matrix(rnorm(200), 100)
  off <- function(...) {
    f <- flow(block_neural_autoregressive_flow(nn_depth = 2, invert = FALSE, ...), d = 2)
    params(f) <- theta
    max(abs(forward(f, inverse(f, y)$value)$value - y))
  }
  expect_lt(off(), 1e-12)
  loose <- off(tolerance = 0.01)
  expect_gt(loose, 1e-12)
  expect_lt(loose, 0.1)
  expect_error(off(max_steps = 1), "no root was found", class = "bijectr_error_core")
})

# FlowJAX ignores it
test_that("the condition counts at depth 0 too", {
  set.seed(1)
  f <- flow(layer_block_autoregressive(depth = 0), d = 2, d_condition = 1)
  shift <- forward(f, cbind(0, 0), 1)$value - forward(f, cbind(0, 0), 0)$value
  expect_equal(c(shift), c(params(f)$layers[[1]]$Wc))
  expect_true(all(shift != 0))
})

# FlowJAX's search is off by more than 1e-3 in 2.6 % of draws, and by 0.6 at single roots
test_that("every draw comes back", {
  for (d in 1:2) {
    set.seed(d)
    f <- flow(layer_block_autoregressive(), d = d)
    params(f) <- coef(f) + 0.5 * rnorm(length(coef(f)))
    y <- matrix(3 * rnorm(1e5 * d), ncol = d)
    x <- inverse(f, y)
    back <- forward(f, x$value)
    expect_lt(relative_gap(back$value, y), 1e-12)
    expect_lt(relative_gap(back$logdet, -x$logdet), 1e-12)
  }
  f <- flow(layer_block_autoregressive(0), d = 1)
  params(f) <- c(0, log(expm1(1)), -1.25 + 1e-12)
  expect_equal(c(inverse(f, 0)$value), 1.25 - 1e-12, tolerance = 1e-15)
})

test_that("steep and flat networks are inverted too", {
  for (seed in 1:5) {
    set.seed(seed)
    for (depth in 1:4) {
      f <- flow(layer_block_autoregressive(depth, 3), d = 2)
      params(f) <- 3 * rnorm(length(coef(f)))
      y <- matrix(rnorm(400), 200) * 10^(-5:4)
      x <- inverse(f, y)
      back <- forward(f, x$value)
      expect_lt(max(abs(back$value - y) / (1 + abs(y))), 1e-9)
      expect_lt(relative_gap(back$logdet, -x$logdet), 1e-9)
    }
  }
})

test_that("log-determinants do not underflow", {
  f <- flow(layer_block_autoregressive(depth = 3, block_dim = 4), d = 2)
  for (shift in c(-200, -100, 50, 200)) {
    g <- f
    params(g) <- coef(f) + shift
    out <- flow_vjp(g, cbind(0.1, 0.2), FALSE, list(logdet = 1, value = c(1, 1)))
    expect_true(all(is.finite(unlist(out))), info = shift)
  }
})

test_that("a root that does not exist is an error, not a number", {
  f <- flow(layer_block_autoregressive(), d = 1)
  p <- params(f)
  p$layers[[1]]$scale1[] <- 1e308
  p$layers[[1]]$scale2[] <- 1e308
  params(f) <- p
  expect_error(inverse(f, 1), "no root")
})

test_that("premade stack", {
  set.seed(1)
  f <- flow(block_neural_autoregressive_flow(2, nn_depth = 2, nn_block_dim = 3), 3, base_logistic(), d_condition = 1)
  expect_identical(vapply(f$layers$layers, `[[`, "", "kind"), rep("invert", 4))
  condition <- matrix(rnorm(50))
  x <- sample(f, 50, condition)
  z <- inverse(f, x, condition)
  expect_lt(relative_gap(forward(f, z$value, condition)$value, x), 1e-9)
  f <- flow(block_neural_autoregressive_flow(invert = FALSE), 2)
  expect_identical(vapply(f$layers$layers, `[[`, "", "kind"), c("block_autoregressive", "permute"))
})

test_that("wrong arguments are named", {
  expect_error(layer_block_autoregressive(depth = -1), "depth", class = "bijectr_error_argument")
  expect_error(layer_block_autoregressive(block_dim = 0), "block_dim", class = "bijectr_error_argument")
})

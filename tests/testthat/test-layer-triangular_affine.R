test_that("triangular affine layers", {
  for (lower in c(TRUE, FALSE)) {
    for (weight_norm in c(TRUE, FALSE)) {
      for (d in c(1, 2, 5)) expect_layer_ok(layer_triangular_affine(lower, weight_norm, "glorot"), d = d, spread = 0.3)
    }
  }
  expect_layer_ok(layer_triangular_affine(), d = 17, spread = 0.1)
  expect_layer_ok(layer_triangular_affine(weight_norm = TRUE), d = 3, d_condition = 2)
})

softplus <- function(x) log1p(exp(x))

test_that("triangular affine is its formula", {
  set.seed(1)
  for (lower in c(TRUE, FALSE)) {
    for (weight_norm in c(TRUE, FALSE)) {
      f <- flow(layer_triangular_affine(lower, weight_norm), 4)
      params(f) <- rnorm(length(coef(f)))
      p <- params(f)$layers[[1]]
      a <- p$tri
      a[if (lower) upper.tri(a) else lower.tri(a)] <- 0
      diag(a) <- softplus(diag(p$tri))
      if (weight_norm) a <- a * softplus(p$scale) / sqrt(rowSums(a^2))
      x <- matrix(rnorm(20), 5)
      out <- forward(f, x)
      expect_equal(out$value, x %*% t(a) + rep(p$loc, each = 5), tolerance = 1e-13)
      expect_equal(out$logdet, rep(sum(log(diag(a))), 5), tolerance = 1e-13)
    }
  }
})

test_that("it starts at the identity, or at rows of length 1", {
  x <- matrix(rnorm(12), 4)
  for (weight_norm in c(TRUE, FALSE)) {
    f <- flow(layer_triangular_affine(weight_norm = weight_norm), 3)
    expect_equal(forward(f, x), list(value = x, logdet = numeric(4)), tolerance = 1e-15)
  }
  set.seed(2)
  f <- flow(layer_triangular_affine(weight_norm = TRUE, init = "glorot"), 40)
  a <- t(forward(f, diag(40))$value)
  expect_equal(rowSums(a^2), rep(1, 40))
  off <- params(f)$layers[[1]]$tri[lower.tri(diag(40))]
  expect_lt(max(abs(off)), sqrt(3 / 40))
  expect_gt(max(abs(off)), 0.9 * sqrt(3 / 40))
  expect_true(all(params(f)$layers[[1]]$tri[upper.tri(diag(40))] == 0))
})

test_that("extreme raw parameters stay finite", {
  for (weight_norm in c(TRUE, FALSE)) {
    f <- flow(layer_triangular_affine(weight_norm = weight_norm), 2)
    for (raw in c(-1e3, 1e3, -1e8)) {
      params(f)$layers[[1]]$tri <- matrix(c(raw, 1, 0, -raw), 2)
      for (inverse in c(FALSE, TRUE)) {
        out <- flow_vjp(f, rbind(c(1, 1), c(0, -1)), inverse, list(value = rep(1, 4), logdet = c(1, 1)))
        expect_false(anyNA(unlist(out)))
        expect_true(all(is.finite(out$logdet)))
      }
    }
  }
})

test_that("wrong arguments are named", {
  expect_error(layer_triangular_affine(lower = 1), "lower", class = "bijectr_error_argument")
  expect_error(layer_triangular_affine(weight_norm = NA), "weight_norm", class = "bijectr_error_argument")
  expect_error(layer_triangular_affine(init = "zero"), "init", class = "bijectr_error_argument")
})

test_that("a function of the number of coordinates gives the start, layer by layer", {
  start <- function(d) matrix(seq_len(d^2) / 10, d)
  f <- flow(layer_triangular_affine(init = start), 3)
  tri <- params(f)$layers[[1]]$tri
  expect_identical(tri[lower.tri(tri)], start(3)[lower.tri(tri)])
  expect_equal(softplus(diag(tri)), rep(1, 3))
  expect_true(all(tri[upper.tri(tri)] == 0))
  expect_identical(params(flow(layer_triangular_affine(init = start(3)), 3)), params(f))
  set.seed(4)
  stack <- flow(triangular_spline_flow(flow_layers = 2, init = function(d) matrix(rnorm(d^2), d)), 2)
  off <- coef(stack)[grepl("tri\\[2,1\\]", names(coef(stack)))]
  expect_length(unique(off), 2)
  wrong <- layer_triangular_affine(init = function(d) 1:3)
  expect_error(flow(wrong, 3), "3 x 3 finite", class = "bijectr_error_argument")
  expect_error(flow(layer_triangular_affine(init = diag(2)), 3), "3 x 3 finite", class = "bijectr_error_argument")
  expect_error(layer_triangular_affine(init = "zero"), "`init` must be one of", class = "bijectr_error_argument")
  expect_output(print(layer_triangular_affine(init = function(d) diag(d))), "function", fixed = TRUE)
})

x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("tanh_affine conforms", {
  expect_scalar_ok(scalar_tanh_affine(), x)
})

test_that("tanh_affine is (x + t) exp(s') with one factor for the layer", {
  f <- flow(layer_elementwise(scalar_tanh_affine()), d = 2)
  expect_identical(forward(f, cbind(x, x))$value, cbind(x, x, deparse.level = 0))
  expect_length(params(f)$layers[[1]]$scale_factor, 1)
  p <- params(f)
  p$layers[[1]] <- list(scale_factor = 0.2, scale = c(3, -0.5), loc = c(1, 2))
  params(f) <- p
  s <- tanh(c(3, -0.5) / exp(0.2)) * exp(0.2)
  out <- forward(f, cbind(x, x))
  expect_equal(out$value, cbind((x + 1) * exp(s[1]), (x + 2) * exp(s[2])))
  expect_equal(out$logdet, rep(sum(s), 7))
})

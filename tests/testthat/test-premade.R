test_that("premade flows pass the battery, both ways round", {
  for (invert in c(TRUE, FALSE)) {
    expect_layer_ok(coupling_flow(flow_layers = 2, nn_width = 4, nn_activation = "tanh", invert = invert), d = 3)
    expect_layer_ok(coupling_flow(flow_layers = 2, nn_width = 4, nn_activation = "tanh", invert = invert),
      d = 2, d_condition = 1
    )
    expect_layer_ok(
      masked_autoregressive_flow(scalar_rq_spline(knots = 2), 2, nn_width = 4, nn_activation = "tanh", invert = invert),
      d = 2, d_condition = 1
    )
  }
})

kinds <- function(f) {
  vapply(f$layers$layers, function(layer) if (layer$kind == "invert") paste0("-", layer$layer$kind) else layer$kind, "")
}

test_that("a permutation stands after every layer, and the stack turns round", {
  expect_identical(kinds(flow(coupling_flow(flow_layers = 2, invert = FALSE), 2)), rep(c("coupling", "permute"), 2))
  expect_identical(kinds(flow(coupling_flow(flow_layers = 2), 2)), rep(c("-permute", "-coupling"), 2))
  f <- flow(masked_autoregressive_flow(flow_layers = 1, invert = FALSE), 3)
  expect_identical(kinds(f), c("autoregressive", "permute"))
  expect_length(flow(masked_autoregressive_flow(), 2)$layers$layers, 16)
  set.seed(1)
  f <- flow(coupling_flow(flow_layers = 6, invert = FALSE), 6)
  orders <- lapply(f$layers$layers[c(2, 4, 6, 8, 10, 12)], function(layer) layer$permutation)
  expect_gt(length(unique(orders)), 1)
  f <- flow(coupling_flow(flow_layers = 2, invert = FALSE), 2)
  expect_identical(f$layers$layers[[4]]$permutation, 2:1)
})

test_that("arguments reach the nets", {
  f <- flow(coupling_flow(scalar_affine(), flow_layers = 1, nn_width = 7, nn_depth = 3, invert = FALSE), 2)
  net <- f$layers$layers[[1]]$net
  expect_identical(net$width, rep(7L, 3))
  expect_identical(net$activation, "relu")
  expect_identical(dim(params(f)$layers[[1]]$net$W2), c(7L, 7L))
  f <- flow(coupling_flow(nn_depth = 0, flow_layers = 1), 2)
  expect_length(params(f)$layers[[2]]$net, 2)
  f <- flow(masked_autoregressive_flow(flow_layers = 1, init = "uniform", invert = FALSE), 2)
  expect_false(all(params(f)$layers[[1]]$net$W2 == 0))
})

test_that("untrained flows start at their base", {
  x <- matrix(rnorm(20), 5)
  normal <- rowSums(dnorm(x, log = TRUE))
  for (invert in c(TRUE, FALSE)) {
    expect_equal(logdensity(flow(coupling_flow(invert = invert), 4), x), normal, tolerance = 1e-12)
    f <- flow(masked_autoregressive_flow(scalar_rq_spline(), invert = invert), 4)
    expect_equal(logdensity(f, x), normal, tolerance = 1e-12)
  }
})

test_that("one coordinate", {
  expect_layer_ok(masked_autoregressive_flow(scalar_rq_spline(knots = 3), 2, nn_width = 4), d = 1)
  f <- flow(masked_autoregressive_flow(scalar_rq_spline(knots = 3), 1, nn_width = 4), d = 1)
  set.seed(1)
  params(f) <- unname(coef(f)) + rnorm(length(coef(f)))
  expect_equal(integrate(function(x) exp(logdensity(f, x)), -Inf, Inf, subdivisions = 500)$value, 1, tolerance = 1e-5)
})

test_that("the default layers fit any number of coordinates", {
  for (d in c(1, 2, 5)) {
    f <- flow(default_layers(1000, d), d)
    expect_true(all(is.finite(logdensity(f, matrix(rnorm(3 * d), 3)))))
  }
})

test_that("the default layers have the net that is given", {
  net <- net_set(net_mlp(9), 1:3)
  expect_identical(default_layers(500, 2, 3, net = default_net(2, 3, NULL)), default_layers(500, 2, 3))
  f <- flow(default_layers(500, 2, 3, net = net), 2, d_condition = 3)
  kinds <- rapply(f$layers, function(x) x, "character", how = "unlist")
  expect_identical(sum(kinds == "set"), 5L)
  expect_error(default_layers(500, 2, 3, net = 5), "must be a net", class = "bijectr_error_argument")
})

test_that("wrong arguments are named", {
  expect_error(coupling_flow(flow_layers = 0), "flow_layers", class = "bijectr_error_argument")
  expect_error(coupling_flow(scalar = 1), "scalar", class = "bijectr_error_argument")
  expect_error(masked_autoregressive_flow(invert = NA), "invert", class = "bijectr_error_argument")
})

test_that("default layers do not grow without bound", {
  size <- function(...) length(default_flow(...)$params)
  default_flow <- function(d, k = 0, ...) flow(default_layers(500, d, k, ...), d, d_condition = k)
  spline <- scalar_rq_spline(knots = 8, interval = 5)
  for (d in c(2, 5, 10, 20)) { # as they have been
    layers <- layer_repeat(layer_chain(layer_autoregressive(spline, net_mlp(max(32, 2 * d))), layer_permute()), 4)
    expect_identical(default_layers(500, d), layer_invert(layer_chain(list(), layers)))
  }
  expect_lt(max(vapply(c(30, 32, 33, 60, 200), size, 1)), 3e5)
  expect_lt(size(1000), 1.5e6)
  expect_lt(size(1, 300), 3e5)
  expect_lt(size(2, 2, levels = c(0, 1500)), 1e5)
  expect_equal(sort(inverse(default_flow(40), t(1:40 / 10))$value), 1:40 / 10) # the identity, but for the order
})

test_that("affine stacks are bounded by default, and FlowJAX's where the scalar is given", {
  for (make in list(coupling_flow, masked_autoregressive_flow)) {
    expect_identical(make(invert = FALSE), make(scalar_affine(limit = 2), invert = FALSE, nn_limit = 5))
    plain <- flow(make(scalar_affine(), flow_layers = 1, invert = FALSE), 2)$layers$layers[[1]]
    expect_identical(plain$net$kind, "mlp")
    expect_null(plain$scalar$limit)
    bounded <- flow(make(flow_layers = 1, invert = FALSE), 2)$layers$layers[[1]]
    expect_identical(bounded$net$kind, "bounded")
    expect_identical(flow(make(flow_layers = 1, nn_limit = Inf), 2)$layers$layers[[2]]$layer$net$kind, "mlp")
    expect_error(make(nn_limit = 0), "nn_limit", class = "bijectr_error_argument")
  }
})

test_that("draws of an affine autoregressive flow stay near the data, whose tails are long", {
  set.seed(1)
  x <- sinh(matrix(rnorm(12000), 3000) %*% matrix(rnorm(16), 4) / 2)
  fit <- fit_flow(x, masked_autoregressive_flow(), steps = 500)
  far <- apply(abs(sample(fit, 1e5)), 2, max) / apply(abs(x), 2, max)
  expect_lt(max(far), 30)
})

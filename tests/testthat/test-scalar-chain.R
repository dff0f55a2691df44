x <- c(-3.1, -1.2, -0.4, 0.3, 1.7, 2.9)

test_that("chains conform", {
  expect_scalar_ok(scalar_chain(scalar_affine()), x)
  expect_scalar_ok(scalar_chain(scalar_affine(), scalar_rq_spline(4), scalar_leaky_tanh(1.3), scalar_affine("exp")), x)
  expect_scalar_ok(scalar_chain(scalar_tanh_affine(), scalar_leaky_relu(0.5), scalar_tanh_affine()), x)
  expect_scalar_ok(scalar_chain(scalar_affine(), scalar_exp()), x, range = c(0, Inf), extreme = c(-700, 700))
})

test_that("a chain is the composition of its members, the first applied first", {
  set.seed(1)
  members <- list(scalar_affine(), scalar_rq_spline(3), scalar_tanh_affine(), scalar_leaky_relu(0.5), scalar_affine())
  f <- random_flow(layer_elementwise(scalar_chain(members)), 1, 0.5)
  g <- flow(lapply(members, layer_elementwise), d = 1)
  p <- params(f)$layers[[1]]
  expect_setequal(names(p), c(
    "1.loc", "1.scale", "2.widths", "2.heights", "2.slopes", "3.scale", "3.loc", "3.scale_factor", "4.slope", "5.loc",
    "5.scale"
  ))
  q <- params(g)
  for (name in names(p)) {
    part <- strsplit(name, ".", fixed = TRUE)[[1]]
    q$layers[[as.integer(part[1])]][[part[2]]] <- p[[name]]
  }
  params(g) <- q
  expect_equal(forward(f, x), forward(g, x), tolerance = 1e-14)
  expect_equal(inverse(f, x), inverse(g, x), tolerance = 1e-14)
})

test_that("a long stack is one bijection", {
  stack <- scalar_chain(rep(list(scalar_affine(), scalar_leaky_relu(0.5)), 32))
  expect_length(stack$scalars, 64)
  set.seed(2)
  f <- random_flow(layer_elementwise(stack), 1, 0.05)
  expect_checks(flow_subject(f, matrix(x)), map_checks["inverse"])
})

test_that("initial values are the members' own, global ones included", {
  set.seed(3)
  chain <- scalar_chain(scalar_tanh_affine(), scalar_leaky_relu(0.25), scalar_tanh_affine(), scalar_affine("exp"))
  p <- params(flow(layer_elementwise(chain), d = 1))$layers[[1]]
  expect_equal(p$`2.slope`, log(0.25))
  expect_true(all(unlist(p[setdiff(names(p), "2.slope")]) == 0))
})

test_that("chains flatten and check their members", {
  flat <- scalar_chain(scalar_affine(), scalar_exp(), scalar_tanh())
  expect_identical(scalar_chain(scalar_chain(scalar_affine(), scalar_exp()), list(scalar_tanh())), flat)
  expect_error(scalar_chain(), "at least one")
  expect_error(scalar_chain(1), "must be a scalar")
})

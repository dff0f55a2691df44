# Layers next to the data: which columns get tails, and what they are worth.

kinds <- function(fit) {
  unlist(lapply(Filter(is_column_layer, fit$layers$layers), function(layer) lapply(layer$scalar, `[[`, "kind")))
}

test_that("tails are found where they are", {
  set.seed(1)
  n <- 2000
  x <- cbind(cauchy = rcauchy(n), normal = rnorm(n), t2 = rt(n, 2), two = rnorm(n, c(-6, 6)), right = abs(rt(n, 1)))
  layer <- tail_layer(x, seq_len(n), NULL, center_and_root(x, seq_len(n), NULL, "auto"))
  expect_identical(vapply(layer$scalar, `[[`, "", "kind"), c("tail", "support", "tail", "support", "tail"))
  expect_equal(layer$scalar[[1]]$tail, c(1, 1), tolerance = 0.3)
  expect_lt(layer$scalar[[5]]$tail[1], 0.3)
  # one value is no tail, and rows of weight zero are none
  y <- cbind(c(rnorm(200), 1e6))
  expect_null(tail_layer(y, 1:201, NULL, center_and_root(y, 1:201, NULL, "auto")))
  weights <- as.double(abs(x[, 1]) < 5)
  one <- x[, 1, drop = FALSE]
  expect_null(tail_layer(one, seq_len(n), weights, center_and_root(one, seq_len(n), weights, "auto")))
  # columns that nearly depend on each other stay together
  near <- cbind(x[, 1], x[, 1] + 1e-3 * x[, 2])
  expect_null(tail_layer(near, seq_len(n), NULL, center_and_root(near, seq_len(n), NULL, "auto")))
})

test_that("weights count as repeated rows", {
  set.seed(2)
  x <- abs(rcauchy(60))
  times <- rep(1:3, 20)
  expect_equal(hill_index(x, times), hill_index(rep(x, times)), tolerance = 0.3)
  expect_equal(hill_index(x, rep(2, 60)), hill_index(x))
  expect_equal(hill_index(1e200 * x), hill_index(x))
})

test_that("long tails are learned, by default and not otherwise", {
  set.seed(3)
  x <- rcauchy(1000)
  fresh <- rcauchy(10000)
  truth <- mean(dcauchy(fresh, log = TRUE))
  fit <- fit_flow(x, members = 1)
  expect_identical(kinds(fit), "tail")
  expect_gt(mean(logdensity(fit, fresh)), truth - 0.05)
  expect_equal(quantile(sample(fit, 10000), c(0.01, 0.25, 0.75, 0.99)), qcauchy(c(0.01, 0.25, 0.75, 0.99)),
    tolerance = 0.3, ignore_attr = TRUE
  )
  expect_null(kinds(fit_flow(x, standardize = "whiten", steps = 2)))
  expect_null(kinds(fit_flow(x, standardize = "none", layers = layer_elementwise(scalar_affine()), steps = 2)))
  expect_null(kinds(fit_flow(x, layer_elementwise(scalar_affine()), steps = 2)))
  expect_null(kinds(fit_flow(rnorm(500), steps = 2)))
  # units, and a start
  far <- fit_flow(1e9 + 1e3 * x, steps = 50)
  expect_identical(kinds(far), "tail")
  expect_true(is.finite(far$loglik))
  again <- fit_flow(x, fit, steps = 5)
  expect_identical(again$layers, fit$layers)
})

test_that("one outlier does not spoil the rest", {
  set.seed(4)
  fit <- fit_flow(c(rnorm(200), 1e6), members = 1)
  expect_equal(quantile(sample(fit, 1e4), c(0.25, 0.5, 0.75)), qnorm(c(0.25, 0.5, 0.75)),
    tolerance = 0.4, ignore_attr = TRUE
  )
})

test_that("supports and tails stand side by side", {
  set.seed(5)
  n <- 1000
  x <- data.frame(price = rlnorm(n), gain = rcauchy(n), z = rnorm(n))
  fit <- fit_flow(x, steps = 50)
  expect_identical(kinds(fit), c("support", "tail", "support", "support", "support", "support"))
  expect_true(all(sample(fit, 1000)[, 1] > 0))
  expect_equal(fit$loglik, sum(logdensity(fit, x)))
})

test_that("columns that depend on each other are told whatever their supports", {
  set.seed(7)
  d <- data.frame(a = rlnorm(100), b = rlnorm(100))
  d$t <- d$a + d$b
  expect_error(fit_flow(d, steps = 5), "t of `data` is a linear function of a and b", class = "bijectr_error_argument")
})

test_that("a base with heavy tails gets no tail layer on top", {
  set.seed(8)
  x <- rcauchy(400)
  has_tail <- function(...) any(grepl("tail", capture.output(print(fit_flow(x, steps = 5, ...)))))
  expect_true(has_tail())
  expect_false(has_tail(base = base_cauchy()))
  expect_false(has_tail(base = base_student_t()))
})

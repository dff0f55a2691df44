# One flow a base, with raw parameters away from their start.
one_flow <- function(base, layers = layer_elementwise(scalar_affine())) {
  f <- flow(layers, d = 1, base = base)
  params(f) <- coef(f) + 0.3 * seq_along(coef(f))
  f
}

bases <- list(
  normal = base_normal(), trained_normal = base_normal(TRUE), variance = base_normal(TRUE, "variance"),
  student_t = base_student_t(3), trained_t = base_student_t(4, trainable = TRUE), logistic = base_logistic(),
  cauchy = base_cauchy(TRUE), laplace = base_laplace(TRUE), gumbel = base_gumbel(TRUE),
  uniform = base_uniform(-3, 5)
)

for (name in names(bases)) {
  test_that(paste("the distribution function of", name, "is the integral of its density"), {
    set.seed(1)
    f <- one_flow(bases[[name]])
    x <- c(-1, 0.3, 2)
    step <- 1e-5
    slope <- (pflow(x + step, f) - pflow(x - step, f)) / (2 * step)
    expect_equal(slope, dflow(x, f), tolerance = 1e-8)
    expect_equal(qflow(pflow(x, f), f), x, tolerance = 1e-12)
    p <- c(0.001, 0.2, 0.999)
    expect_equal(pflow(qflow(p, f), f), p, tolerance = 1e-12)
    expect_identical(pflow(c(-Inf, Inf), f), c(0, 1))
  })
}

test_that("tails and logarithms are those of the base functions", {
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  x <- c(-30, -1, 0, 8)
  expect_equal(dflow(x, f, log = TRUE), dnorm(x, log = TRUE), tolerance = 1e-12)
  expect_equal(dflow(x, f), dnorm(x), tolerance = 1e-12)
  for (lower in c(TRUE, FALSE)) {
    expect_equal(pflow(x, f, lower.tail = lower), pnorm(x, lower.tail = lower), tolerance = 1e-12)
    p <- pnorm(x, lower.tail = lower, log.p = TRUE)
    expect_equal(pflow(x, f, lower.tail = lower, log.p = TRUE), p, tolerance = 1e-12)
    expect_equal(qflow(p, f, lower.tail = lower, log.p = TRUE), x, tolerance = 1e-8)
  }
  expect_identical(qflow(c(0, 1), f), c(-Inf, Inf))
})

test_that("outside the support the distribution function is 0 or 1", {
  positive <- flow(layer_elementwise(scalar_exp()), d = 1)
  expect_equal(pflow(c(-5, 0, 1, Inf), positive), c(0, 0, 0.5, 1))
  expect_equal(dflow(c(-5, 0), positive), c(0, 0))
  expect_identical(qflow(c(0, 1), positive), c(0, Inf))
  share <- flow(layer_elementwise(scalar_sigmoid()), d = 1)
  expect_equal(pflow(c(-1, 0, 0.5, 1, 2), share), c(0, 0, 0.5, 1, 1))
  expect_identical(qflow(c(0, 1), share), c(0, 1))
})

test_that("a decreasing flow turns the base round", {
  f <- flow(layer_chain(layer_elementwise(scalar_exp()), layer_elementwise(scalar_power(-2))), d = 1)
  x <- c(0.5, 1, 2)
  expect_equal(pflow(x, f), plnorm(x, 0, 2), tolerance = 1e-12)
  expect_equal(pflow(x, f, lower.tail = FALSE), plnorm(x, 0, 2, lower.tail = FALSE), tolerance = 1e-12)
  expect_equal(qflow(c(0.1, 0.9), f), qlnorm(c(0.1, 0.9), 0, 2), tolerance = 1e-12)
  expect_equal(pflow(c(-1, 0, Inf), f), c(0, 0, 1))
})

test_that("more than one coordinate: densities and draws, but no distribution function", {
  f <- flow(layer_elementwise(scalar_affine()), d = 2)
  expect_equal(dflow(cbind(0, 1), f), dnorm(0) * dnorm(1))
  expect_error(pflow(cbind(0, 1), f), "need a flow of one coordinate; this one has 2")
  expect_error(qflow(0.5, f), "need a flow of one coordinate; this one has 2")
  expect_identical(dim(rflow(3, f)), c(3L, 2L))
})

test_that("draws of one coordinate are a vector, and follow the distribution function", {
  set.seed(1)
  fit <- fit_flow(faithful$waiting, steps = 100)
  set.seed(2)
  draws <- rflow(2000, fit)
  set.seed(2)
  expect_identical(draws, sample(fit, 2000))
  expect_gt(ks.test(draws, pflow, object = fit)$p.value, 1e-3)
  expect_length(rflow(0, fit), 0)
})

test_that("conditions", {
  set.seed(1)
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
  given <- fit_flow(faithful["eruptions"], layers, condition = faithful["waiting"], steps = 100)
  p <- pflow(c(3, 3), given, condition = c(50, 90))
  expect_gt(p[1], p[2])
  expect_equal(qflow(p, given, condition = c(50, 90)), c(3, 3), tolerance = 1e-8)
  expect_equal(log(dflow(3, given, 60)), logdensity(given, 3, 60))
  expect_length(rflow(4, given, condition = 60), 4)
  expect_error(pflow(3, given), "`condition` is missing")
})

test_that("nothing in, nothing out", {
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  expect_identical(dflow(numeric(), f), numeric())
  expect_identical(pflow(numeric(), f), numeric())
  expect_identical(qflow(numeric(), f), numeric())
})

test_that("errors name the argument", {
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  expect_error(qflow(c(0.5, 2), f), "`p` must hold probabilities between 0 and 1; element 2 is 2")
  expect_error(qflow(c(NA, -1), f), "`p` must hold probabilities between 0 and 1; element 2 is -1")
  expect_error(qflow(0.5, f, log.p = TRUE), "`p` must hold logarithms")
  expect_error(qflow("a", f), "`p` must be a vector of probabilities")
  expect_error(pflow("a", f), "`q` must be a numeric")
  expect_identical(pflow(c(-1e200, 1e200), f), c(0, 1))
  expect_error(dflow(c(0, Inf), f), "`x` has a value that cannot be used: row 2, column 1 is Inf")
  expect_error(dflow(0, 1), "`object` must be a flow or a fit")
  expect_error(dflow(0, f, log = NA), "`log` must be TRUE or FALSE")
  expect_error(pflow(0, f, lower.tail = 1), "`lower.tail` must be TRUE or FALSE")
  expect_error(rflow(-1, f), "`n` must be at least 0")
})

test_that("quantile() and median() are those of qflow(), of one coordinate", {
  f <- one_flow(base_normal())
  expect_identical(unname(quantile(f)), qflow(seq(0, 1, 0.25), f))
  expect_identical(names(quantile(f, c(0.025, 0.5, NA))), c("2.5%", "50%", ""))
  expect_null(names(quantile(f, 0.3, names = FALSE)))
  expect_identical(median(f), qflow(0.5, f))
  given <- flow(masked_autoregressive_flow(flow_layers = 1, nn_width = 4), d = 1, d_condition = 1)
  params(given) <- sin(seq_along(coef(given)))
  expect_identical(median(given, condition = c(-1, 0, 2)), qflow(rep(0.5, 3), given, c(-1, 0, 2)))
  expect_identical(unname(quantile(given, c(0.1, 0.9), condition = 0.5)), qflow(c(0.1, 0.9), given, 0.5))
  two <- flow(masked_autoregressive_flow(flow_layers = 1, nn_width = 4), d = 1, d_condition = 2)
  expect_length(median(two, condition = c(1, 2)), 1)
  dates <- fit_flow(as.Date("2024-01-01") + 1:60, members = c("normal", "student_t"), progress = FALSE)
  expect_s3_class(median(dates), "Date")
  expect_identical(unname(quantile(dates, 0.2)), qflow(0.2, dates))
  refused <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  refused(quantile(f, 1.5), "`probs` must hold probabilities")
  refused(quantile(given, 0.5), "condition")
  refused(quantile(f, 0.5, type = 7), "type")
  wide <- flow(layer_elementwise(scalar_affine()), d = 3)
  refused(quantile(wide), "has 3.*sample")
  refused(median(wide), "has 3.*sample")
})

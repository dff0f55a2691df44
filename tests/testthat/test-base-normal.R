test_that("standard normal", {
  expect_base_ok(base_normal(), function(x) dnorm(x, log = TRUE), pnorm)
  expect_length(coef(flow(layer_flip(), 2)), 0)
})

test_that("trainable mean and scale", {
  s <- log1p(exp(0.3))
  expect_base_ok(base_normal(trainable = TRUE), function(x) dnorm(x, -0.7, s, log = TRUE),
    function(x) pnorm(x, -0.7, s),
    theta = c(-0.7, 0.3)
  )
  expect_base_ok(base_normal(trainable = TRUE), function(x) dnorm(x, 2, log1p(exp(-1)), log = TRUE),
    function(x) pnorm(x, 2, log1p(exp(-1))),
    theta = c(2, -1)
  )
})

test_that("trainable variance", {
  s <- sqrt(log1p(exp(0.8)))
  expect_base_ok(base_normal(trainable = TRUE, parameter = "variance"), function(x) dnorm(x, 0.5, s, log = TRUE),
    function(x) pnorm(x, 0.5, s),
    theta = c(0.5, 0.8)
  )
})

test_that("initial values", {
  f <- flow(layer_flip(), 2, base = base_normal(trainable = TRUE))
  expect_identical(names(params(f)$base), c("mean", "scale"))
  expect_equal(logdensity(f, cbind(1, 2)), sum(dnorm(1:2, log = TRUE)))
  set.seed(1)
  raw <- params(flow(layer_permute(1:50), 50, base = base_normal(trainable = TRUE, parameter = "variance")))$base
  expect_identical(raw$mean, numeric(50))
  expect_true(all(raw$variance > 0 & raw$variance < 1))
  expect_gt(diff(range(raw$variance)), 0.8)
})

test_that("extreme raw parameters stay finite or -Inf, never NaN", {
  f <- flow(layer_flip(), 1, base = base_normal(trainable = TRUE))
  for (raw in c(-1e3, -50, 50, 1e3, 1e300)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, c(0, 1), TRUE, list(log_density = c(1, 1)))
    expect_false(anyNA(unlist(out)), info = raw)
  }
})

test_that("mean and scale by a net", {
  expect_given_loc_scale_ok(base_normal(net = given_net()), function(x) dnorm(x, log = TRUE), pnorm)
})

test_that("mean and variance by a net", {
  scale <- function(raw) sqrt(log1p(exp(raw[, 2])))
  expect_given_base_ok(
    base_normal(parameter = "variance", net = given_net()), c(0, log(expm1(1))),
    function(x, raw) dnorm(x, raw[, 1], scale(raw), log = TRUE), function(x, raw) pnorm(x, raw[, 1], scale(raw))
  )
})

test_that("a normal given conditions is linear regression, with a spread that depends on them", {
  set.seed(31)
  x <- runif(600, -1, 1)
  y <- 1 + 2 * x + (0.2 + 0.3 * (x > 0)) * rnorm(600)
  fit <- fit_flow(y, list(), condition = x, base = base_normal(net = net_mlp(16)), steps = 1500,
    learning_rate = 0.02, validation = 0, noise = 0
  )
  at <- c(-0.5, 0.5)
  middle <- qflow(c(0.5, 0.5), fit, at)
  expect_equal(middle, 1 + 2 * at, tolerance = 0.1)
  spread <- (qflow(rep(pnorm(1), 2), fit, at) - qflow(rep(pnorm(-1), 2), fit, at)) / 2
  expect_equal(spread, c(0.2, 0.5), tolerance = 0.15)
  expect_equal(predict(fit, condition = at, type = "response"), middle, tolerance = 1e-3, ignore_attr = TRUE)
})

test_that("bases may have a fixed location and scale, of all coordinates or of each", {
  densities <- list(
    normal = dnorm, logistic = dlogis, cauchy = dcauchy, student_t = function(x, log) dt(x, 5, log = log),
    laplace = function(x, log) -abs(x) - log(2), gumbel = function(x, log) -x - exp(-x)
  )
  x <- cbind(c(-1, 0.3, 4), c(2, -5, 0))
  loc <- c(0.5, -2)
  scale <- c(2, 0.7)
  for (kind in names(densities)) {
    make <- get(paste0("base_", kind))
    f <- flow(list(), 2, base = make(loc = loc, scale = scale))
    expect_length(coef(f), 0)
    u <- t((t(x) - loc) / scale)
    expect_equal(logdensity(f, x), rowSums(matrix(densities[[kind]](u, log = TRUE), 3)) - sum(log(scale)), info = kind,
      tolerance = 1e-12
    )
    standard <- flow(list(), 2, base = make())
    set.seed(1)
    draws <- sample(f, 5)
    set.seed(1)
    expect_equal(t((t(draws) - loc) / scale), sample(standard, 5), info = kind, tolerance = 1e-12)
    one <- flow(list(), 1, base = make(loc = 3, scale = 2))
    expect_equal(pflow(qflow(c(0.1, 0.8), one), one), c(0.1, 0.8), tolerance = 1e-12)
    expect_equal(qflow(c(0.1, 0.8), one), 3 + 2 * qflow(c(0.1, 0.8), flow(list(), 1, base = make())), tolerance = 1e-12)
    mass <- stats::integrate(function(x) exp(logdensity(one, x)), qflow(0.3, one), qflow(0.6, one))$value
    expect_equal(mass, 0.3, tolerance = 1e-5)
    again <- eval(parse(text = capture.output(print(make(loc = loc, scale = scale)))))
    expect_identical(again, make(loc = loc, scale = scale))
    expect_identical(make(loc = 0, scale = 1), make())
    given <- flow(list(), 1, base = make(net = net_mlp(4), loc = 3, scale = 2), d_condition = 1)
    expect_equal(logdensity(given, 1:3, matrix(1:3)), logdensity(one, 1:3), info = kind, tolerance = 1e-12)
  }
  trained <- flow(list(), 2, base = base_normal(trainable = TRUE, loc = loc, scale = scale))
  expect_equal(logdensity(trained, x), logdensity(flow(list(), 2, base = base_normal(loc = loc, scale = scale)), x))
  variance <- flow(list(), 1, base = base_normal(TRUE, "variance", loc = 1, scale = 3))
  expect_equal(logdensity(variance, 0), dnorm(0, 1, 3, log = TRUE))
  expect_error(base_normal(scale = 0), "`scale` must be positive", class = "bijectr_error_argument")
  expect_error(base_cauchy(loc = NA_real_), "`loc` must be finite", class = "bijectr_error_argument")
  expect_error(flow(list(), 2, base = base_normal(loc = 1:3)), "loc", class = "bijectr_error")
})

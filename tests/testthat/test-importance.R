standard <- function(d = 1) flow(layer_elementwise(scalar_affine(scale = "exp")), d)
tilt <- function(x) -(x[, 1] - 0.7)^2 / 2

test_that("equal weights", {
  s <- importance_sample(standard(), function(x) dnorm(x[, 1], log = TRUE) + 2, n = 1000)
  expect_equal(s$log_z, 2)
  expect_equal(s$elbo, 2)
  expect_equal(s$ess, 1000)
  expect_lt(s$log_z_se, 1e-12)
  expect_lt(s$pareto_k, 0)
  expect_equal(s$log_weights, rep(-log(1000), 1000))
})

test_that("log Z, its standard error and the effective sample size", {
  set.seed(1)
  narrow <- function(x) -rowSums((x - 0.5)^2) / 2 / 0.7^2
  exact <- log(2 * pi * 0.7^2)
  runs <- replicate(200, unlist(importance_sample(standard(2), narrow, n = 500)[c("log_z", "log_z_se", "ess", "elbo")]))
  expect_lt(abs(mean(runs["log_z", ]) - exact), 4 * sd(runs["log_z", ]) / sqrt(200) + 2e-3)
  expect_equal(mean(runs["log_z_se", ]), sd(runs["log_z", ]), tolerance = 0.15)
  expect_true(all(runs["elbo", ] < runs["log_z", ]))
  # the mean of w^2: an integral of Gaussians
  second <- integrate(function(x) exp(-(x - 0.5)^2 / 0.7^2) / dnorm(x), -8, 8)$value^2
  expect_equal(mean(runs["ess", ]) / 500, exp(2 * exact) / second, tolerance = 0.03)
  s <- importance_sample(standard(2), narrow, n = 20000)
  expect_equal(colSums(exp(s$log_weights) * s$draws), c(0.5, 0.5), tolerance = 0.05)
  expect_equal(sum(exp(s$log_weights)), 1)
})

# Zhang and Stephens' estimator written out, with the prior of PSIS.
naive_shape <- function(x) {
  n <- length(x)
  m <- 30 + floor(sqrt(n))
  b <- numeric(m)
  likelihood <- numeric(m)
  for (j in 1:m) {
    b[j] <- 1 / x[n] + (1 - sqrt(m / (j - 0.5))) / (3 * x[floor(n / 4 + 0.5)])
    k <- mean(log(1 - b[j] * x))
    likelihood[j] <- n * (log(-b[j] / k) - k - 1)
  }
  w <- sapply(1:m, function(j) 1 / sum(exp(likelihood - likelihood[j])))
  (n * mean(log(1 - sum(b * w) * x)) + 5) / (n + 10)
}

test_that("Pareto k-hat", {
  set.seed(1)
  for (k in c(-0.3, 0.2, 0.5, 0.9, 1.5)) {
    x <- sort((runif(4000)^-k - 1) / k)
    expect_equal(gpd_fit(x)[["k"]], naive_shape(x))
    expect_equal(gpd_fit(x)[["k"]], k, tolerance = 0.15)
  }
  log_w <- -0.9 * log(runif(1e5)) # w has tail index 0.9
  expect_equal(pareto_k(log_w), 0.9, tolerance = 0.1)
  expect_equal(pareto_k(log_w + 1000), pareto_k(log_w))
  expect_true(is.na(pareto_k(1:10)))
  expect_identical(pareto_k(rep(1, 1000)), -Inf)
  heavy <- importance_sample(standard(), function(x) dt(x[, 1], 1, log = TRUE), n = 20000)
  expect_gt(heavy$pareto_k, 0.7)
  expect_output(print(heavy), "log Z may be wrong")
})

test_that("supports, targets and conditions", {
  half <- function(x) ifelse(x[, 1] > 0, 0, -Inf) + dnorm(x[, 1], log = TRUE)
  expect_equal(importance_sample(standard(), half, n = 20000)$log_z, log(0.5), tolerance = 0.05)
  expect_error(importance_sample(standard(), function(x) rep(-Inf, nrow(x)), n = 10), "all 10 draws")
  expect_error(importance_sample(standard(), function(x) x[, 1] * NaN, n = 10), "NaN at")
  expect_error(importance_sample(standard(), function(x) ifelse(x[, 1] > 0, Inf, 0), n = 50), "target is Inf at")
  expect_error(importance_sample(standard(), n = 10), "`target` must be a function")
  expect_error(importance_sample(1, sum), "flow or a fit")
  f <- flow(layer_autoregressive(scalar_affine()), 2, d_condition = 1)
  s <- importance_sample(f, function(x) -rowSums(x^2) / 2, n = 100, condition = 1)
  expect_identical(dim(s$draws), c(100L, 2L))
  # the target of the fit's call
  bowl <- function(x) -x[, 1]^2
  fit <- fit_flow(bowl, layer_elementwise(scalar_affine()), d = 1, steps = 20, evaluate = 0)
  expect_equal(importance_sample(fit, n = 5000)$log_z, log(sqrt(pi)), tolerance = 0.2)
})

test_that("weights that are worse than any shape are Inf, and are marked", {
  for (seed in 1:3) {
    set.seed(seed)
    narrow <- importance_sample(flow(list(), 3), function(x) -rowSums(x^2) / 2 / 0.01^2, n = 4000)
    expect_gt(narrow$pareto_k, 5)
    expect_output(print(narrow), "k-hat (Inf|[0-9.]+) \\(above 0.7: log Z may be wrong, ask")
  }
  expect_identical(pareto_k(c(rep(-1e4, 999), 0)), Inf)
  expect_identical(pareto_k(c(rep(-Inf, 990), 1:10)), Inf)
  expect_output(print(importance_sample(standard(), tilt, n = 10)), "k-hat NA \\(not known: log Z may be wrong")
  # in a fit, too; also one that was saved with NaN
  fit <- fit_flow(tilt, layer_elementwise(scalar_affine()), d = 1, steps = 2, evaluate = 100)
  expect_no_match(capture.output(print(fit)), "may be wrong")
  for (k in c(NaN, NA, Inf)) {
    fit$evaluation$pareto_k <- k
    expect_output(print(fit), "log Z may be wrong")
    expect_output(print(summary(fit)), "log Z may be wrong")
  }
})

test_that("the error of an infinite bound is not known", {
  half <- function(x) ifelse(x[, 1] > 0, 0, -Inf)
  s <- importance_sample(standard(), half, n = 100)
  expect_identical(s[c("elbo", "elbo_se")], list(elbo = -Inf, elbo_se = NA_real_))
})

test_that("draws that are no numbers have no weights", {
  f <- huge_flow()
  never <- function(x) stop("not asked")
  expect_error(importance_sample(f, never, n = 10), "Draw 1 of the flow is not a number.*10 of 10",
    class = "bijectr_error_argument"
  )
  expect_error(sample_imh(f, never, size = 10), "Draw 1 of the flow is not a number", class = "bijectr_error_argument")
  wide <- layer_elementwise(scalar_affine(scale = "exp"))
  f <- params_at(flow(list(wide, wide), 1), c(0, 1.7e308))
  expect_error(importance_sample(f, function(x) rep(0, nrow(x)), n = 10), "no finite log density",
    class = "bijectr_error_argument"
  )
})

test_that("a target that the call of the fit does not lead to must be given", {
  layers <- layer_elementwise(scalar_affine())
  fits <- list(
    written = do.call(fit_flow, list(tilt, layers, d = 1, steps = 2, evaluate = 0)),
    dots = (function(...) fit_flow(...))(tilt, layers, d = 1, steps = 2, evaluate = 0),
    gone = local({
      gone_target <- tilt
      fit_flow(gone_target, layers, d = 1, steps = 2, evaluate = 0)
    }),
    nameless = replace(fit_flow(tilt, layers, d = 1, steps = 2, evaluate = 0), "call", list(NULL))
  )
  for (name in names(fits)) {
    verbs <- list(importance_sample, sample_imh, function(fit) resume(fit, steps = 1))
    for (verb in verbs) {
      expect_error(verb(fits[[name]]), "`target` must be", class = "bijectr_error_argument", info = name)
    }
    expect_s3_class(importance_sample(fits[[name]], tilt, n = 30), "bijectr_importance")
  }
  expect_error(importance_sample(fits$gone), "`gone_target`, cannot be found here")
  named <- fit_flow(d = 1, layers = layers, data = tilt, steps = 2, evaluate = 0)
  expect_s3_class(importance_sample(named, n = 30), "bijectr_importance")
})

test_that("an infinite density of the target is told, whatever that of the flow is", {
  f <- params_at(flow(list(layer_elementwise(scalar_affine(scale = "exp"))), 1), c(0, -740))
  endless <- function(x) rep(Inf, nrow(x))
  expect_error(importance_sample(f, endless, n = 10), "The target is Inf at", class = "bijectr_error_argument")
})

test_that("draws with weights are those of posterior", {
  skip_if_not_installed("posterior")
  set.seed(1)
  fit <- fit_flow(function(x) -x[, 1]^2 / 2, names = "a", steps = 5, evaluate = 0)
  weighted <- importance_sample(fit, function(x) -(x[, 1] - 1)^2 / 2, n = 4000)
  draws <- posterior::as_draws(weighted)
  expect_s3_class(draws, "draws_df")
  expect_equal(sum(stats::weights(draws)), 1)
  expect_equal(sum(stats::weights(draws) * draws$a), 1, tolerance = 0.1)
})

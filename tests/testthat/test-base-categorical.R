# log probabilities of all codes, a row each, from logits
log_shares <- function(eta) eta - apply(eta, 1, function(row) max(row) + log(sum(exp(row - max(row)))))

categorical_flow <- function(levels, net = net_mlp(8, init = "uniform"), d_condition = 2, seed = 1) {
  set.seed(seed)
  flow(list(), 1, base = base_categorical(levels, net), d_condition = d_condition)
}

# The net in words of R.
categorical_logits <- function(f, condition) {
  p <- params(f)$base$net
  hidden <- pmax(p$W1 %*% t(condition) + p$b1, 0)
  t(p$W2 %*% hidden + p$b2)
}

# Codes have no neighbours: gradients with respect to parameters and conditions alone.
expect_parameter_gradient <- function(f, x, condition) {
  weight <- cos(seq_len(nrow(x)))
  value <- function(f, condition) sum(weight * logdensity(f, x, condition))
  exact <- flow_vjp(f, x, TRUE, list(log_density = weight), condition)
  theta <- unname(coef(f))
  numeric <- vapply(seq_along(theta), function(i) {
    derivative(function(step) {
      params(f) <- replace(theta, i, theta[i] + step)
      value(f, condition)
    }, 1e-4)
  }, 0)
  expect_lt(relative_gap(exact$params, numeric), 1e-6)
  expect_true(all(exact$x == 0))
  if (is.null(condition)) return(invisible())
  numeric <- vapply(seq_along(condition), function(i) {
    derivative(function(step) value(f, replace(condition, i, condition[i] + step)), 1e-4)
  }, 0)
  expect_lt(relative_gap(c(exact$condition), numeric), 1e-6)
}

test_that("probabilities and gradients of free logits", {
  for (levels in c(2, 3, 7, 1000)) {
    f <- categorical_flow(levels, NULL, 0)
    expect_identical(coef(f), stats::setNames(rep(0, levels), names(coef(f))))
    set.seed(levels)
    params(f) <- 2 * rnorm(levels)
    all <- log_shares(t(params(f)$base$logit))
    expect_equal(logdensity(f, seq_len(levels) - 1), all[1, ], tolerance = 1e-12)
    expect_equal(sum(exp(logdensity(f, seq_len(levels) - 1))), 1, tolerance = 1e-13)
    expect_identical(logdensity(f, c(-1, 0.5, levels, 1 + 1e-12, 1e150)), rep(-Inf, 5))
  }
  f <- categorical_flow(5, NULL, 0)
  params(f) <- rnorm(5)
  x <- matrix(c(0, 4, 2, 2, 1, 3, 0))
  expect_parameter_gradient(f, x, NULL)
  expect_batches_ok(f, x, NULL, TRUE)
  expect_machines_ok(f, x, NULL, TRUE)
})

test_that("probabilities and gradients given conditions", {
  for (levels in c(2, 3, 12)) {
    f <- categorical_flow(levels)
    set.seed(levels)
    params(f) <- rnorm(length(coef(f)))
    n <- 70
    x <- matrix(sample.int(levels, n, TRUE) - 1)
    condition <- matrix(rnorm(2 * n), n)
    all <- log_shares(categorical_logits(f, condition))
    expect_equal(logdensity(f, x, condition), all[cbind(seq_len(n), x + 1)], tolerance = 1e-12)
    each <- vapply(seq_len(levels) - 1, function(j) exp(logdensity(f, rep(j, n), condition)), numeric(n))
    expect_equal(rowSums(each), rep(1, n), tolerance = 1e-13)
    expect_parameter_gradient(f, x[1:9, , drop = FALSE], condition[1:9, ])
    expect_batches_ok(f, x, condition, TRUE)
    expect_machines_ok(f, x, condition, TRUE)
  }
  # a net starts at equal probabilities
  f <- categorical_flow(4, net_mlp(8))
  expect_equal(exp(logdensity(f, 0:3, matrix(1:8, 4))), rep(0.25, 4), tolerance = 1e-14)
})

test_that("rows that are no code have no part in the gradient", {
  f <- categorical_flow(3)
  condition <- matrix(c(1, 2, 3, 4), 2)
  both <- flow_vjp(f, matrix(c(1, 0.5)), TRUE, list(log_density = c(1, 1)), condition)
  one <- flow_vjp(f, matrix(1), TRUE, list(log_density = 1), condition[1, , drop = FALSE])
  expect_equal(both$params, one$params, tolerance = 1e-14)
  expect_identical(both$condition[2, ], c(0, 0))
})

test_that("extreme logits stay probabilities", {
  f <- categorical_flow(3, NULL, 0)
  params(f) <- c(-1e6, 0, 1e6)
  expect_identical(logdensity(f, 0:2), c(-2e6, -1e6, 0))
  expect_true(all(sample(f, 1000) == 2))
  g <- categorical_flow(3, net_mlp(integer(), 0), 1)
  params(g)$base$net <- list(W1 = matrix(c(-1e6, 0, 1e6)), b1 = numeric(3))
  expect_identical(logdensity(g, 0:2, rep(1, 3)), c(-2e6, -1e6, 0))
  expect_true(all(sample(g, 1000, condition = -1) == 0))
})

test_that("draws have the probabilities, on any number of threads", {
  f <- categorical_flow(4)
  n <- 20000
  condition <- cbind(rep(c(-1, 1), each = n / 2), 0.5)
  drawn <- function(threads) {
    old <- options(bijectr.threads = threads)
    on.exit(options(old))
    set.seed(3)
    sample(f, n, condition = condition)
  }
  x <- drawn(1)
  expect_identical(drawn(2), x)
  shares <- exp(log_shares(categorical_logits(f, condition[c(1, n), ])))
  for (half in 1:2) {
    counts <- tabulate(x[condition[, 1] == c(-1, 1)[half]] + 1, 4)
    expect_gt(stats::chisq.test(counts, p = shares[half, ])$p.value, 1e-3)
  }
  # a draw is a function of seed, row and its conditions
  set.seed(3)
  expect_identical(sample(f, 33, condition = condition[1:33, ]), x[1:33, , drop = FALSE])
  f <- categorical_flow(3, NULL, 0)
  params(f) <- log(c(0.5, 0.2, 0.3))
  set.seed(4)
  expect_gt(stats::chisq.test(table(sample(f, 20000)), p = c(0.5, 0.2, 0.3))$p.value, 1e-3)
})

test_that("distribution and quantile functions", {
  f <- categorical_flow(3, NULL, 0)
  params(f) <- log(c(0.5, 0.25, 0.25))
  expect_equal(pflow(c(-Inf, -1, -1e-9, 0, 0.7, 1, 1.99, 2, 99, Inf), f),
    c(0, 0, 0, 0.5, 0.5, 0.75, 0.75, 1, 1, 1),
    tolerance = 1e-15
  )
  expect_equal(pflow(c(-1, 0, 2), f, lower.tail = FALSE, log.p = TRUE), log(c(1, 0.5, 0)))
  expect_identical(qflow(c(0, 0.5, 0.5001, 0.75, 0.7501, 1), f), c(0, 0, 1, 1, 2, 2))
  expect_identical(qflow(c(0, 0.25, 0.3, 0.5, 0.6, 1), f, lower.tail = FALSE), c(2, 1, 1, 0, 0, 0))
  expect_identical(qflow(log(c(0.5, 0.9)), f, log.p = TRUE), c(0, 2))
  expect_identical(pflow(c(NA, 1), f), c(NA, 0.75))

  g <- categorical_flow(4)
  condition <- matrix(rnorm(10), 5)
  p <- exp(log_shares(categorical_logits(g, condition)))
  q <- c(-1, 0, 1.5, 2, 3)
  expected <- vapply(1:5, function(i) sum(p[i, seq_len(4) - 1 <= q[i]]), 0)
  expect_equal(pflow(q, g, condition), expected, tolerance = 1e-14)
  expect_equal(pflow(q, g, condition, lower.tail = FALSE), 1 - expected, tolerance = 1e-14)
  u <- c(0.01, 0.3, 0.5, 0.8, 0.99)
  expected <- vapply(1:5, function(i) sum(cumsum(p[i, ]) < u[i]), 0)
  expect_identical(qflow(u, g, condition), expected)
  # rare codes at the upper end keep their digits
  params(f) <- c(0, -50, -60)
  expect_equal(pflow(c(0, 1), f, lower.tail = FALSE), c(exp(-50) + exp(-60), exp(-60)), tolerance = 1e-12)
})

test_that("codes are fitted as they are, and probabilities are those of the rows", {
  set.seed(5)
  code <- sample(c(0, 1, 2), 500, TRUE, c(0.6, 0.3, 0.1))
  expect_silent(fit <- fit_flow(code, base = base_categorical(3), steps = 600, learning_rate = 0.05, validation = 0))
  expect_length(fit$layers$layers, 0)
  expect_identical(fit$control$noise, 0)
  expect_equal(exp(logdensity(fit, 0:2)), tabulate(code + 1, 3) / 500, tolerance = 1e-3)
  expect_identical(fit$reference$normal, NA_real_)
  expect_output(print(fit), "categorical base")
  expect_output(print(summary(fit)), "categorical base")
  expect_output(print(fit$base), "base_categorical(levels = 3)", fixed = TRUE)
  file <- tempfile(fileext = ".rds")
  saveRDS(fit, file)
  expect_identical(logdensity(readRDS(file), 0:2), logdensity(fit, 0:2))
  set.seed(6)
  expect_equal(check_flow(fit, code)$integral$value, 1, tolerance = 1e-12)

  # given a condition: multinomial logistic regression, whose maximum has no gradient
  x <- rnorm(400)
  y <- rbinom(400, 1, stats::plogis(0.5 + x))
  table <- data.frame(x, y)
  base <- base_categorical(2, net_mlp(integer(), 0))
  fit <- fit_flow(y ~ x, data = table, base = base, steps = 800, learning_rate = 0.05, validation = 0)
  glm <- stats::glm(y ~ x, stats::binomial(), table)
  new <- data.frame(x = c(-1, 0, 1.5))
  expect_equal(exp(logdensity(fit, rep(1, 3), condition = new)), unname(predict(glm, new, type = "response")),
    tolerance = 1e-3
  )
  # a code that no training row has is learned to be rare
  rare <- rep(0:1, c(59, 1))
  weights <- rep(1:0, c(59, 1))
  fit <- fit_flow(rare, base = base_categorical(2), weights = weights, steps = 200, learning_rate = 0.1)
  expect_gt(logdensity(fit, 0), log(0.95))
  expect_identical(resume(fit, steps = 5)$steps, 205)
})

test_that("wrong arguments are named, and damaged objects are refused", {
  expect_error(base_categorical(), "levels", class = "bijectr_error_argument")
  expect_error(base_categorical(1), "levels", class = "bijectr_error_argument")
  expect_error(base_categorical(1001), "levels", class = "bijectr_error_argument")
  expect_error(base_categorical(2, 3), "net", class = "bijectr_error_argument")
  expect_error(flow(layer_elementwise(scalar_affine()), 1, base_categorical(2)), "no layers",
    class = "bijectr_error_argument"
  )
  expect_error(flow(list(), 2, base_categorical(2)), "one coordinate", class = "bijectr_error_argument")
  expect_error(fit_flow(rep(0:1, 5), base = base_categorical(2), standardize = "scale", steps = 1), "no layers",
    class = "bijectr_error_argument"
  )
  expect_error(fit_flow(c(0, 1, 2, 0, 1, 1), base = base_categorical(2), steps = 1), "Row 3",
    class = "bijectr_error_argument"
  )
  f <- categorical_flow(3)
  expect_error(sample(f, 3), "condition", class = "bijectr_error_argument")
  changed <- function(...) utils::modifyList(f, list(...))
  broken <- list(
    changed(base = list(levels = 0)), changed(base = list(levels = 4)), changed(base = list(levels = "a")),
    changed(base = list(net = list(width = 9))), changed(d_condition = 3), changed(d_condition = 0), changed(d = 2),
    changed(params = f$params[-1]), replace(f, "base", list(replace(f$base, "net", list(list(net_mlp(8), net_mlp(8))))))
  )
  for (g in broken) {
    expect_error(logdensity(g, 0:2, matrix(0, 3, 2)), class = "bijectr_error")
    expect_error(sample(g, 3, condition = matrix(0, 3, 2)), class = "bijectr_error")
    expect_error(pflow(0:2, g, matrix(0, 3, 2)), class = "bijectr_error")
  }
})

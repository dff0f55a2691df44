standard <- function(d = 1) flow(layer_elementwise(scalar_affine(scale = "exp")), d)
tilted <- function(x) -rowSums((x - 0.7)^2) / 2

test_that("chains are those of the plain algorithm", {
  f <- standard(2)
  set.seed(1)
  chains <- sample_imh(f, tilted, size = 50, chains = 3, warmup = 7)
  set.seed(1)
  proposal <- propose(f, tilted, 58 * 3)
  accept <- log(runif(58 * 3))
  expect_identical(dim(chains), c(50L, 3L, 2L))
  for (chain in 1:3) {
    own <- (chain - 1) * 58 + 1:58
    at <- own[1]
    moved <- 0
    for (i in 2:58) {
      if (accept[own[i]] < proposal$log_weight[own[i]] - proposal$log_weight[at]) {
        at <- own[i]
        if (i > 8) moved <- moved + 1
      }
      if (i > 8) expect_equal(as.vector(unclass(chains)[i - 8, chain, ]), proposal$draws[at, ])
    }
    expect_equal(attr(chains, "acceptance")[chain], moved / 50)
  }
})

test_that("the target is the stationary distribution", {
  set.seed(1)
  chains <- unclass(sample_imh(standard(), tilted, size = 20000, chains = 4))
  expect_equal(mean(chains), 0.7, tolerance = 0.05)
  expect_equal(sd(chains), 1, tolerance = 0.03)
  everywhere <- sample_imh(standard(), function(x) dnorm(x[, 1], log = TRUE), size = 100)
  expect_equal(attr(everywhere, "acceptance"), rep(1, 4))
})

test_that("a chain leaves points outside the support", {
  half <- function(x) ifelse(x[, 1] > 0, 0, -Inf) + dnorm(x[, 1], log = TRUE)
  set.seed(1)
  expect_true(all(unclass(sample_imh(standard(), half, size = 500)) > 0))
  expect_error(sample_imh(standard(), function(x) rep(-Inf, nrow(x)), size = 10), "-Inf at all draws")
})

test_that("names, and objects of the posterior package", {
  fit <- fit_flow(tilted, layer_elementwise(scalar_affine()), names = c("a", "b"), steps = 20, evaluate = 0)
  chains <- sample_imh(fit, size = 20, chains = 2)
  expect_identical(dimnames(unclass(chains))[[3]], c("a", "b"))
  skip_if_not_installed("posterior")
  expect_s3_class(chains, "draws_array")
  expect_identical(posterior::variables(chains), c("a", "b"))
  expect_identical(posterior::niterations(chains), 20L)
})

test_that("more draws than there can be, and names that draws objects use, are refused before the work", {
  never <- function(x) stop("not asked")
  refused <- function(pattern, ..., f = standard()) {
    expect_error(sample_imh(f, never, ...), pattern, class = "bijectr_error_argument")
  }
  refused("`size` and `chains` are too large.*2147483647", size = .Machine$integer.max, warmup = 0)
  refused("`size` is too large", size = .Machine$integer.max, chains = 1, warmup = 0)
  refused("`size`, `chains`, and `warmup` are too large", size = 1e5, chains = 1e5)
  refused("`warmup`.*too large", size = 1, chains = 1, warmup = .Machine$integer.max)
  for (name in c(".chain", ".iteration", ".draw")) {
    refused(paste0("called \\.?", name), f = replace(standard(), "names", name))
  }
})

# Growth of rats (Gelfand, Hills, Racine-Poon, Smith 1990): y_jk ~ N(a_j + b_j x_k, s), a_j ~ N(ma, sa),
# b_j ~ N(mb, sb). Coordinates: a, b, ma, mb, and the logarithms of s, sa, sb.
growth <- function(y, x) {
  n <- nrow(y)
  function(at, gradient = TRUE) {
    a <- at[, seq_len(n), drop = FALSE]
    b <- at[, n + seq_len(n), drop = FALSE]
    mean <- at[, 2 * n + 1:2, drop = FALSE]
    scale <- exp(at[, 2 * n + 3:5, drop = FALSE])
    ra <- (a - mean[, 1]) / scale[, 2]
    rb <- (b - mean[, 2]) / scale[, 3]
    value <- -rowSums(mean^2 / rep(c(100, 10)^2, each = nrow(at))) / 2 + rowSums(log(scale) - log1p((scale / 5)^2)) -
      rowSums(ra^2 + rb^2) / 2 - n * rowSums(log(scale[, 2:3, drop = FALSE])) - length(y) * log(scale[, 1])
    ga <- gb <- gs <- 0
    for (k in seq_along(x)) {
      r <- (rep(y[, k], each = nrow(at)) - a - b * x[k]) / scale[, 1]
      value <- value - rowSums(r^2) / 2
      ga <- ga + r / scale[, 1]
      gb <- gb + r / scale[, 1] * x[k]
      gs <- gs + rowSums(r^2)
    }
    own <- 1 - 2 * scale^2 / 25 / (1 + scale^2 / 25)
    list(value = value, gradient = cbind(
      ga - ra / scale[, 2], gb - rb / scale[, 3],
      rowSums(ra) / scale[, 2] - mean[, 1] / 1e4, rowSums(rb) / scale[, 3] - mean[, 2] / 100,
      own[, 1] + gs - length(y), own[, 2:3, drop = FALSE] + cbind(rowSums(ra^2), rowSums(rb^2)) - n
    ))
  }
}

test_that("chains find the mass of a hierarchical model, whose mode is where its scales are 0", {
  set.seed(1)
  x <- c(-14, -7, 0, 7, 14)
  a <- 240 + 14 * rnorm(20)
  b <- 6.2 + 0.5 * rnorm(20)
  y <- a + outer(b, x) + 6 * matrix(rnorm(100), 20)
  target <- growth(y, x)
  d <- 45
  here <- matrix(c(a, b, 240, 6, log(c(6, 14, 0.5))) + 0.1 * rnorm(d), 1)
  expect_equal(target(here)$gradient, difference_gradient(function(x) target(x)$value, here)$gradient, tolerance = 1e-6)
  z <- antithetic_draws(START_DRAWS, d)
  paths <- lapply(start_points(target, d), function(start) path_to_mode(target, start, z))
  start <- normal_start(target, d)
  expect_lt(max(abs(start$loc[1:20] - rowMeans(y))), 5)
  expect_lt(max(abs(start$loc[43:45] - log(c(6, 14, 0.5)))), 0.7)
  expect_gt(start$elbo, max(vapply(paths, function(path) path$best$elbo, 0)) + 20)
})

test_that("chains have the moments of a normal distribution, from afar", {
  set.seed(1)
  root <- matrix(c(2, 1, 0, 0, 0.5, 0.1, 0, 0, 0.05), 3)
  precision <- solve(root %*% t(root))
  target <- function(x, gradient = TRUE) {
    from <- x - rep(c(3, -2, 1), each = nrow(x))
    list(value = -rowSums((from %*% precision) * from) / 2, gradient = -from %*% precision)
  }
  places <- chain_places(target, c(0, 0, 0))
  expect_length(places, 2 * CHAIN_COUNT)
  sds <- sqrt(rowSums(root^2))
  for (at in places) expect_lt(max(abs(at$loc - c(3, -2, 1)) / sds), 1)
  mean <- rowMeans(vapply(places, `[[`, numeric(3), "loc"))
  expect_lt(max(abs(mean - c(3, -2, 1)) / sds), 0.25)
  expect_equal(places[[1]]$root %*% t(places[[1]]$root), root %*% t(root), tolerance = 1e-6)
  expect_lt(max(abs(diag(places[[2]]$root) / sds - 1)), 0.3)
})

test_that("chains that cannot move give nothing, and points without a density are not taken", {
  set.seed(1)
  nowhere <- function(x, gradient = TRUE) list(value = rep(-Inf, nrow(x)), gradient = matrix(NaN, nrow(x), 2))
  expect_null(chain_places(nowhere, c(0, 0)))
  half <- function(x, gradient = TRUE) {
    value <- -rowSums(x^2) / 2
    value[x[, 1] < 0] <- NaN
    list(value = value, gradient = -x)
  }
  places <- vapply(chain_places(half, c(1, 0)), `[[`, numeric(2), "loc")
  expect_lt(abs(mean(places[1, ]) - sqrt(2 / pi)), 0.25)
  expect_true(all(places[1, ] > 0))
})

test_that("chains that begin where there is no density begin where another one does", {
  half <- function(x, gradient = TRUE) {
    value <- -rowSums(x^2) / 2
    slope <- -x
    value[x[, 1] < 0] <- slope[x[, 1] < 0, ] <- NaN
    list(value = value, gradient = slope)
  }
  for (seed in 1:3) {
    set.seed(seed)
    places <- chain_places(half, c(0.05, 0)) # half of the chains begin below 0
    sd <- mean(vapply(places[c(FALSE, TRUE)], function(at) at$root[1, 1], 0))
    expect_lt(abs(sd / sqrt(1 - 2 / pi) - 1), 0.35)
  }
})

test_that("chains ask for no point beyond where anything is looked for, nor far below where they come from", {
  far <- 0
  improper <- function(x, gradient = TRUE) {
    far <<- max(far, abs(x))
    list(value = x[, 1], gradient = matrix(1, nrow(x), 1))
  }
  set.seed(1)
  chain_places(improper, 0)
  expect_lt(far, 2 * POINT_FAR)
  steep <- function(x, gradient = TRUE) {
    far <<- max(far, abs(x))
    list(value = -exp(abs(x[, 1])), gradient = cbind(-sign(x[, 1]) * exp(abs(x[, 1]))))
  }
  far <- 0
  chain_places(steep, 1)
  expect_lt(far, 1e4)
})

test_that("improper densities are not trusted", {
  for (seed in 1:2) {
    set.seed(seed)
    fits <- list(
      fit_flow(function(x) x[, 1], d = 1, steps = 50), fit_flow(function(x) -x[, 1]^2 / 2 + x[, 2], d = 2, steps = 50),
      fit_flow(function(x) 0 * x[, 1], names = "s", support = positive(), steps = 50)
    ) |> suppressWarnings()
    targets <- list(function(x) x[, 1], function(x) -x[, 1]^2 / 2 + x[, 2], function(x) 0 * x[, 1])
    for (i in 1:3) {
      expect_identical(check_flow(fits[[i]], target = targets[[i]], draws = 5000)$verdict, "do not trust", info = i)
    }
  }
})

test_that("an error of the target far from its mass does not end the fit", {
  set.seed(3)
  y <- rnorm(4)
  target <- function(x) {
    if (any(abs(x[, 6]) > 30)) stop("no matrix")
    theta <- x[, 1:4, drop = FALSE]
    tau <- x[, 6]
    -rowSums(((theta - x[, 5]) / exp(tau))^2) / 2 - 4 * tau - rowSums((theta - rep(y, each = nrow(x)))^2) / 2 -
      x[, 5]^2 / 50 + tau - log1p(exp(2 * tau))
  }
  set.seed(1)
  expect_s3_class(fit_flow(target, d = 6, steps = 5, evaluate = 0), "bijectr_target_fit")
})

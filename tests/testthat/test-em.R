# Mixtures of normals by EM: the core against the same steps written in R.

# From groups of rows to the mode of the posterior, formulas as at the head of src/core/em.c.
reference_mixture <- function(z, w, groups, k, shape, prior, center, steps, tolerance) {
  n <- nrow(z)
  d <- ncol(z)
  total <- sum(w)
  share <- matrix(0, n, k)
  share[cbind(seq_len(n), groups)] <- 1
  terms <- matrix(0, n, k)
  mean <- matrix(0, k, d)
  roots <- array(0, c(d, d, k))
  old <- -Inf
  for (step in seq_len(steps)) {
    counts <- colSums(w * share)
    squares <- lapply(seq_len(k), function(g) {
      s <- w * share[, g]
      at <- if (counts[g] > 1e-10) colSums(s * z) / counts[g] else center
      mean[g, ] <<- (counts[g] * at + 0.01 * center) / (counts[g] + 0.01)
      pull <- 0.01 * counts[g] / (0.01 + counts[g])
      crossprod(sqrt(s) * (z - rep(at, each = n))) + pull * tcrossprod(at - center)
    })
    covariances <- if (shape == "shared") {
      rep(list((prior + Reduce(`+`, squares)) / (2 * d + 3 + total)), k)
    } else {
      Map(function(a, count) (prior + a) / (2 * d + 4 + count), squares, counts)
    }
    weight <- pmax(counts / total, 1e-300)
    for (g in seq_len(k)) {
      if (shape == "diagonal") covariances[[g]] <- diag(diag(covariances[[g]]), d)
      roots[, , g] <- t(chol(covariances[[g]]))
      q <- colSums(forwardsolve(matrix(roots[, , g], d), t(z) - mean[g, ])^2)
      terms[, g] <- log(weight[g]) - q / 2 - sum(log(diag(matrix(roots[, , g], d)))) - d / 2 * log(2 * pi)
    }
    most <- do.call(pmax, lapply(seq_len(k), function(g) terms[, g]))
    share <- exp(terms - most)
    sums <- rowSums(share)
    share <- share / sums
    loglik <- sum(w * (most + log(sums)))
    if (abs(loglik - old) < tolerance * abs(loglik) + 1e-8) break
    old <- loglik
  }
  list(weight = weight, mean = mean, roots = roots, loglik = loglik, steps = step)
}

# Rows around as many places as there are groups, in groups that are partly wrong.
mixture_case <- function(n, d, k, spread = 1, weights = FALSE) {
  place <- matrix(stats::rnorm(k * d, sd = 1.5), k)
  from <- sample.int(k, n, TRUE)
  z <- place[from, , drop = FALSE] + spread * matrix(stats::rnorm(n * d), n)
  groups <- ifelse(stats::runif(n) < 0.8, from, sample.int(k, n, TRUE))
  w <- if (weights) stats::rexp(n) * (stats::runif(n) > 0.1) else rep(1, n)
  center <- colSums(w * z) / sum(w)
  scatter <- crossprod(sqrt(w) * (z - rep(center, each = n))) / sum(w)
  list(
    z = z, w = w, groups = as.integer(groups), k = k, shape = "full", prior = scatter / k^(2 / d), center = center,
    steps = 200, tolerance = 1e-6
  )
}

SHAPES <- c("full", "shared", "diagonal")

# Each number to a share of the largest of its kind and component.
expect_mixture <- function(case, tolerance = 1e-9) {
  ours <- do.call(native_mixture_em, case)
  theirs <- do.call(reference_mixture, case)
  d <- ncol(case$z)
  expect_identical(ours$steps, theirs$steps)
  expect_identical(dim(ours$roots), dim(theirs$roots))
  expect_lt(abs(ours$loglik / theirs$loglik - 1), tolerance)
  expect_lt(max(abs(ours$weight - theirs$weight)), tolerance)
  expect_lt(max(abs(ours$mean - theirs$mean)) / max(abs(case$z)), tolerance)
  largest <- rep(apply(abs(theirs$roots), 3, max), each = d^2)
  expect_lt(max(abs(ours$roots - theirs$roots) / largest), tolerance)
}

test_that("mixtures are those of the steps in R", {
  set.seed(1)
  for (isa in native_isa()) {
    withr::local_options(bijectr.isa = isa)
    for (d in c(1, 2, 5, 12)) {
      for (weights in c(FALSE, TRUE)) {
        case <- mixture_case(if (d == 2) 256 else 271, d, 1 + d %% 4, weights = weights)
        for (shape in SHAPES) expect_mixture(utils::modifyList(case, list(shape = shape)))
      }
    }
  }
})

test_that("few rows, one row and one component are no exceptions", {
  set.seed(2)
  for (n in c(3, 31, 32, 33, 129)) {
    case <- mixture_case(n, 2, 2)
    for (shape in SHAPES) expect_mixture(utils::modifyList(case, list(shape = shape)))
  }
  case <- list(
    z = matrix(c(1, 2), 1), w = 1, groups = 1L, k = 1, shape = "full", prior = diag(2), center = c(1, 2), steps = 200,
    tolerance = 1e-6
  )
  expect_mixture(case)
})

test_that("a group without rows is at the center and weighs nothing", {
  set.seed(3)
  case <- mixture_case(100, 3, 3)
  case$groups[case$groups == 2L] <- 1L
  for (shape in SHAPES) {
    case$shape <- shape
    expect_mixture(case)
    found <- do.call(native_mixture_em, case)
    expect_equal(found$mean[2, ], case$center)
    expect_lt(found$weight[2], 1e-200)
  }
})

# Groups of spread 1e-6 at places 1 apart: covariances have a condition of 1e12, and both ways of adding up leave the
# log likelihood of the first step as far from that of 50 digits, 4e-7 of it at the most.
test_that("tiny spreads within groups, and columns of tiny spread, lose no more than in R", {
  set.seed(4)
  for (spread in c(1e-3, 1e-6)) {
    case <- mixture_case(300, 5, 3, spread = spread)
    lost <- if (spread == 1e-6) 1e-7 else 1e-9
    for (shape in SHAPES) expect_mixture(utils::modifyList(case, list(shape = shape)), lost)
    case <- mixture_case(300, 2, 3)
    units <- c(1, spread)
    case$z <- case$z * rep(units, each = 300)
    case$center <- case$center * units
    case$prior <- case$prior * tcrossprod(units)
    for (shape in SHAPES) expect_mixture(utils::modifyList(case, list(shape = shape)))
  }
})

test_that("the steps end at their bound, and a run is like the last", {
  set.seed(5)
  case <- mixture_case(200, 4, 3)
  case$tolerance <- 0
  case$steps <- 4
  expect_mixture(case)
  expect_identical(do.call(native_mixture_em, case)$steps, 4L)
  expect_identical(do.call(native_mixture_em, case), do.call(native_mixture_em, case))
})

test_that("what has no covariance, and what is no mixture, is one clear error", {
  set.seed(6)
  case <- mixture_case(50, 2, 2)
  refuse <- function(message, ...) {
    wrong <- utils::modifyList(case, list(...))
    expect_error(do.call(native_mixture_em, wrong), message, class = "bijectr_error_core")
  }
  for (shape in SHAPES) {
    flat <- case$z * c(1, 0)[col(case$z)]
    refuse("not positive definite", z = flat, prior = matrix(0, 2, 2), center = c(0, 0), shape = shape)
    refuse("not positive definite", prior = diag(-1e6, 2), shape = shape)
  }
  refuse("not finite|not positive definite", z = case$z * 1e200)
  refuse("`z` must be finite", z = replace(case$z, 3, NaN))
  refuse("`groups`", groups = replace(case$groups, 3, 3L))
  refuse("`groups`", groups = replace(case$groups, 3, NA))
  refuse("`w`", w = replace(case$w, 3, -1))
  refuse("sum of `w`", w = 0 * case$w)
  refuse("`prior`", prior = diag(3))
  refuse("`center`", center = 1)
  refuse("\"round\"", shape = "round")
  refuse("steps", steps = 0)
})

test_that("a time limit ends it", {
  set.seed(7)
  case <- mixture_case(200000, 12, 12, spread = 3)
  case$tolerance <- 0
  case$steps <- 1e6
  on.exit(setTimeLimit())
  setTimeLimit(elapsed = 0.3, transient = TRUE)
  expect_error(do.call(native_mixture_em, case), "time limit")
})

test_that("the better of two starts is taken", {
  set.seed(8)
  z <- rbind(matrix(rnorm(200), 100) - 4, matrix(rnorm(200), 100) + 4)
  found <- fit_normal_mixture(z, 2, "full")
  expect_equal(found$weight, c(0.5, 0.5), tolerance = 1e-3)
  expect_equal(sort(found$mean[, 1]), sort(c(mean(z[1:100, 1]), mean(z[101:200, 1]))), tolerance = 0.02)
  expect_identical(dim(found$roots), c(2L, 2L, 2L))
})

# The battery of base distributions.

# `density` (its logarithm) and `cdf` are functions of one coordinate at the parameters that the base has here; `x`
# points where it is smooth. `support` is where the density is positive. `joint` is the logarithm of the density of
# several coordinates at the rows of a matrix, for a base whose coordinates are uncorrelated but not independent.
expect_base_ok <- function(base, density, cdf, x = c(-2.5, -0.4, 0.1, 0.9, 3), support = c(-Inf, Inf), theta = NULL,
                           only = NULL, joint = NULL) {
  run <- function(s, checks, inverse = NULL) {
    expect_checks(s, checks, inverse, intersect(names(checks), only %||% names(checks)))
  }
  facts <- list(density = density, cdf = cdf, support = support, joint = joint)
  one <- flow(layer_permute(1), d = 1, base = base)
  if (!is.null(theta)) params(one) <- theta
  run(do.call(flow_subject, c(list(one, matrix(x)), facts)), base_checks[c("density", "mass", "extreme inputs")], TRUE)

  # more coordinates add up, and gradients of all of it
  d <- 3
  f <- flow(layer_permute(1:d), d = d, base = base)
  if (!is.null(theta)) params(f) <- rep(theta, each = d)
  s <- do.call(flow_subject, c(list(f, matrix(x, length(x), d)), facts))
  run(s, base_checks[c("density", "draws", "draws of a seed", "independence")], TRUE)
  run(s, gradient_checks)
  run(s, map_checks[c("one row as in a batch", names(machine_checks))], TRUE)
}

check_density <- function(s) {
  of_row <- if (is.null(s$joint)) s$f$d * s$density(s$x[, 1]) else s$joint(s$x)
  agree(s, logdensity(s$f, s$x), of_row, 1e-12, "log density")
}

check_mass <- function(s) {
  mass <- stats::integrate(function(x) exp(logdensity(s$f, x)), s$support[1], s$support[2], rel.tol = 1e-8)
  agree(s, mass$value, 1, 1e-6, "the integral of the density")
}

check_base_extremes <- function(s) {
  if (!all(is.infinite(s$support))) return(invisible())
  x <- matrix(c(0, 10^c(-300, 3, 8, 100), -10^c(3, 8, 100)))
  all_finite(s, logdensity(s$f, x), "log density", x)
}

base_draw <- function(s, n = 20000, threads = 1, seed = 11) {
  old <- options(bijectr.threads = threads)
  on.exit(options(old))
  set.seed(seed)
  sample(s$f, n)
}

# A draw is a function of seed and row.
check_draws_of_seed <- function(s) {
  draws <- base_draw(s)
  agree_exactly(s, base_draw(s, threads = 2), draws, "with two threads, draws")
  for (n in c(1, 31, 33, 129)) {
    agree_exactly(s, base_draw(s, n, 2), draws[seq_len(n), , drop = FALSE], paste("of", n, "draws, those"))
  }
  agree_exactly(s, anyDuplicated(draws[, 1]) > 0, FALSE, "that a draw came twice")
  agree_exactly(s, any(base_draw(s, 100, seed = 12) == draws[1:100, ]), FALSE, "that another seed gave a draw again")
}

check_draws <- function(s) {
  draws <- base_draw(s)
  all_finite(s, draws, "draw", good = function(x) inside(x, s$support))
  u <- s$cdf(draws)
  p <- apply(u, 2, function(u) suppressWarnings(stats::ks.test(u, "punif")$p.value))
  all_finite(s, p, "p value of the draws' distribution, too small,", good = function(p) p > 1e-3)
}

# Of coordinates and of successive rows: correlations of uniforms, whose standard deviation is 1 / sqrt(n).
check_independence <- function(s) {
  u <- s$cdf(base_draw(s))
  most <- 4 / sqrt(nrow(u))
  between <- stats::cor(u)[lower.tri(diag(ncol(u)))]
  all_finite(s, c(between, stats::cor(u[-1, 1], u[-nrow(u), 1])), "correlation", good = function(r) abs(r) < most)
}

base_checks <- list(
  "density" = check_density,
  "mass" = check_mass,
  "extreme inputs" = check_base_extremes,
  "draws" = check_draws,
  "draws of a seed" = check_draws_of_seed,
  "independence" = check_independence
)

# What every base with independent coordinates of one shape, a location and a scale must pass: `density` (its logarithm)
# and `cdf` are those of the standard distribution.
expect_loc_scale_base_ok <- function(base, density, cdf) {
  expect_base_ok(base(), density, cdf)
  scale <- log1p(exp(-0.3))
  moved_density <- function(x) density((x - 0.7) / scale) - log(scale)
  moved_cdf <- function(x) cdf((x - 0.7) / scale)
  expect_base_ok(base(trainable = TRUE), moved_density, moved_cdf, theta = c(0.7, -0.3))
  expect_length(coef(flow(layer_flip(), 2, base = base())), 0)
  f <- flow(layer_flip(), 2, base = base(trainable = TRUE))
  expect_equal(logdensity(f, cbind(1, -2)), sum(density(c(1, -2))))
  # extreme raw parameters stay finite, never NaN
  f <- flow(layer_flip(), 1, base = base(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, 0.1, TRUE, list(log_density = 1))
    expect_false(anyNA(unlist(out)), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
  expect_error(base(trainable = 1), "trainable", class = "bijectr_error_argument")
}

# ---- given conditions ----------------------------------------------------------------------------------------------

given_net <- function(width = 7) net_mlp(width, activation = "tanh", init = "uniform")

# The net of given_net() in words of R: a row for each of `condition`.
naive_net <- function(f, condition) {
  p <- params(f)$base$net
  t(p$W2 %*% tanh(p$W1 %*% t(condition) + p$b1) + p$b2)
}

# A base whose parameters a net gives. `start` are the raw parameters of one coordinate that the net's outputs are added
# to; `density` (its logarithm) and `cdf` are functions of points of one coordinate and of raw parameters, a row each.
# `own`: parameters of one coordinate beside the net.
expect_given_base_ok <- function(base, start, density, cdf, own = numeric()) {
  f <- flow(list(), 1, base = base, d_condition = 2)
  set.seed(21)
  params(f) <- c(own, 0.7 * rnorm(length(coef(f)) - length(own)))
  n <- 40
  condition <- matrix(rnorm(2 * n), n)
  raw_of <- function(f, condition) sweep(naive_net(f, condition), 2, start, `+`)
  raw <- raw_of(f, condition)
  expect_lt(relative_gap(native_given(f, condition), raw), 1e-12)
  x <- matrix(rnorm(n, sd = 2))
  expect_lt(relative_gap(logdensity(f, x, condition), density(x[, 1], raw)), 1e-12)
  for (i in 1:3) {
    at <- condition[i, , drop = FALSE]
    mass <- function(from, to) {
      stats::integrate(function(x) exp(logdensity(f, x, at)), from, to, rel.tol = 1e-11, subdivisions = 1000)$value
    }
    ends <- qflow(c(1e-3, 0.5, 0.999), f, at)
    inside <- mass(ends[1], ends[2]) + mass(ends[2], ends[3])
    expect_lt(abs(inside - diff(pflow(ends[c(1, 3)], f, at))), 1e-9)
  }

  # gradients, and the bits of batches and threads, of several coordinates too; the base at either end of the map
  for (d in c(1, 3)) {
    many <- flow(layer_elementwise(scalar_affine()), d, base = base, d_condition = 2)
    params(many) <- c(rep(own, d), 0.5 * rnorm(length(coef(many)) - d * length(own)))
    points <- matrix(rnorm(6 * d), 6)
    for (inverse in c(FALSE, TRUE)) expect_gradient_ok(many, points, condition[1:6, ], inverse)
    expect_batches_ok(many, points, condition[1:6, ], TRUE)
    expect_machines_ok(many, points, condition[1:6, ], TRUE)
  }

  # distribution and quantile functions, a row each
  lower <- cdf(x[, 1], raw)
  expect_lt(max(abs(pflow(x, f, condition) - lower)), 1e-12)
  expect_lt(max(abs(pflow(x, f, condition, lower.tail = FALSE) - (1 - lower))), 1e-12)
  p <- seq(0.01, 0.99, length.out = n)
  expect_lt(max(abs(pflow(qflow(p, f, condition), f, condition) - p)), 1e-12)

  # draws
  m <- 20000
  given <- cbind(rep(c(-1, 0.5), m / 2), rep(c(1, 0), m / 2))
  drawn <- function(threads, rows = seq_len(m)) {
    old <- options(bijectr.threads = threads)
    on.exit(options(old))
    set.seed(22)
    sample(f, length(rows), condition = given[rows, ])
  }
  draws <- drawn(1)
  expect_identical(drawn(2), draws)
  expect_identical(drawn(1, 1:33), draws[1:33, , drop = FALSE])
  u <- cdf(draws[, 1], raw_of(f, given))
  expect_gt(stats::ks.test(u[given[, 1] < 0], "punif")$p.value, 1e-3)
  expect_gt(stats::ks.test(u[given[, 1] > 0], "punif")$p.value, 1e-3)

  expect_moving_draws(f, condition)
  # far rows and extreme parameters
  far <- flow_vjp(f, cbind(c(1e8, -1e100)), TRUE, list(log_density = c(1, 1)), condition[1:2, ])
  expect_false(anyNA(unlist(far)))
  # without conditions the same parameters are free
  free <- flow(list(), 1, base = base)
  expect_false(any(grepl("net", names(coef(free)))))
  params(free) <- c(own, start + 0.3)
  expect_lt(relative_gap(logdensity(free, x), density(x[, 1], matrix(start + 0.3, n, length(start), TRUE))), 1e-12)
}

# Draws move with the parameters so that their distribution function stays.
expect_moving_draws <- function(f, condition = NULL) {
  given <- if (!is.null(condition)) condition[1:6, ]
  set.seed(23)
  z <- sample(f, 6, condition = given)
  u <- pflow(z, f, given)
  a <- rnorm(6)
  exact <- native_draw_vjp(f, z, given, matrix(a))
  theta <- unname(coef(f))
  numeric <- vapply(seq_along(theta), function(i) {
    derivative(function(step) {
      params(f) <- replace(theta, i, theta[i] + step)
      sum(a * qflow(u, f, given))
    }, 1e-4)
  }, 0)
  expect_lt(relative_gap(exact, numeric), 1e-6)
}

# Of location and scale; `density` and `cdf` are those of the standard distribution.
expect_given_loc_scale_ok <- function(base, density, cdf, ...) {
  scale <- function(raw) log1p(exp(raw[, 2]))
  expect_given_base_ok(
    base, c(0, log(expm1(1))), function(x, raw) density((x - raw[, 1]) / scale(raw)) - log(scale(raw)),
    function(x, raw) cdf((x - raw[, 1]) / scale(raw)), ...
  )
}

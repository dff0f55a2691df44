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

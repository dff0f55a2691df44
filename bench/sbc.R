# Are default posteriors of simulators calibrated? One conditional fit with nothing told but the ends of the prior, to
# draws of it and their simulations, then sbc() and expected_coverage() by density and by distances, with fresh
# simulations: the p-values of each. The tasks are those of bench/simulators.R.
#
#   Rscript bench/sbc.R [simulations [pairs [tasks...]]]
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
budget <- as.integer(c(given, 2000)[1])
pairs <- if (length(given) > 1) as.integer(given[2]) else 300L

box <- function(d, half) list(draw = function(n) matrix(runif(n * d, -half, half), n), support = bounded(-half, half))

tasks <- list(
  two_moons = list(prior = box(2, 1), simulate = function(x) {
    angle <- runif(nrow(x), -pi / 2, pi / 2)
    radius <- rnorm(nrow(x), 0.1, 0.01)
    cbind(
      radius * cos(angle) + 0.25 - abs(x[, 1] + x[, 2]) / sqrt(2), radius * sin(angle) + (x[, 2] - x[, 1]) / sqrt(2)
    )
  }),
  gaussian_linear = list(
    prior = list(draw = function(n) matrix(rnorm(10 * n, 0, sqrt(0.1)), n), support = "real"),
    simulate = function(x) x + sqrt(0.1) * rnorm(length(x))
  ),
  gaussian_mixture = list(prior = box(2, 10), simulate = function(x) {
    x + ifelse(runif(nrow(x)) < 0.5, 1, 0.1) * rnorm(length(x))
  }),
  slcp = list(prior = box(5, 3), simulate = function(x) {
    r <- tanh(x[, 5])
    points <- lapply(1:4, function(k) {
      z <- matrix(rnorm(2 * nrow(x)), ncol = 2)
      cbind(x[, 1] + x[, 3]^2 * z[, 1], x[, 2] + x[, 4]^2 * (r * z[, 1] + sqrt(1 - r^2) * z[, 2]))
    })
    do.call(cbind, points)
  })
)

for (name in if (length(given) > 2) given[-(1:2)] else names(tasks)) {
  task <- tasks[[name]]
  set.seed(1)
  theta <- task$prior$draw(budget)
  seen <- task$simulate(theta)
  seconds <- system.time({
    fit <- suppressWarnings(fit_flow(theta, condition = seen, support = task$prior$support))
  })[["elapsed"]]
  theta <- task$prior$draw(pairs)
  seen <- task$simulate(theta)
  taken <- system.time(ranks <- sbc(fit, theta, seen))[["elapsed"]]
  density <- expected_coverage(fit, theta, seen)
  tarp <- expected_coverage(fit, theta, seen, "tarp")
  cat(sprintf("%s, %d simulations, %d pairs: fit %.1f s, sbc %.1f s\n", name, budget, pairs, seconds, taken))
  print(format(ranks$tests, digits = 2), row.names = FALSE)
  cat(sprintf("  sbc: %s; coverage by density: area %.3f, p %.3g; tarp: p %.3g\n\n", ranks$verdict, density$area,
    density$p, tarp$p))
}

# Posteriors given sets of exchangeable observations: what net_set() finds beside plain conditions and known statistics.
#
#   Rscript bench/sets.R [seeds] [simulations]       3 seeds, 5000 simulations
#
# Parameters are the mean and the log standard deviation of a normal, mean ~ N(0, 2^2), log sd ~ N(0, 0.5^2), and a case
# is 20 observations. Printed is the mean log density of the parameters of 5000 fresh cases: of the exact posterior (the
# mean has a closed form given the log sd, which is integrated over a grid); of the default flow given mean and log sd
# of the observations; with net_set() before its nets; and given the 20 observations as they are.
suppressMessages(library(bijectr))
given <- as.numeric(commandArgs(TRUE))
seeds <- c(given, 3)[1]
simulations <- c(given[-1], 5000)[1]
m <- 20

cases <- function(n) {
  theta <- cbind(mean = rnorm(n, 0, 2), log_sd = rnorm(n, 0, 0.5))
  list(theta = theta, x = matrix(rnorm(n * m), n) * exp(theta[, 2]) + theta[, 1])
}
statistics <- function(x) cbind(mean = rowMeans(x), log_sd = log(apply(x, 1, sd)))

# log p(mean, log sd) p(x | mean, log sd) and its integral, up to the same terms in x
exact <- function(at) {
  center <- rowMeans(at$x)
  squares <- rowSums((at$x - center)^2)
  of_sd <- function(log_sd) dnorm(log_sd, 0, 0.5, log = TRUE) - (m - 1) * log_sd - squares / (2 * exp(2 * log_sd))
  joint <- of_sd(at$theta[, 2]) + dnorm(at$theta[, 1], 0, 2, log = TRUE) +
    dnorm(center, at$theta[, 1], exp(at$theta[, 2]) / sqrt(m), log = TRUE)
  grid <- seq(-3.5, 3.5, by = 0.005)
  total <- 0
  for (log_sd in grid) total <- total + exp(of_sd(log_sd) + dnorm(center, 0, sqrt(4 + exp(2 * log_sd) / m), log = TRUE))
  mean(joint - log(total * 0.005))
}

fits <- list(
  statistics = function(at) list(condition = statistics(at$x), layers = default_layers(simulations, 2, 2)),
  net_set = function(at) {
    list(condition = at$x, layers = default_layers(simulations, 2, m, net = net_set(net_mlp(32), 1:m)))
  },
  plain = function(at) list(condition = at$x, layers = default_layers(simulations, 2, m))
)
cat(sprintf("%-4s %8s %s\n", "seed", "exact", paste(sprintf("%10s (s)", names(fits)), collapse = " ")))
for (seed in seq_len(seeds)) {
  set.seed(100 + seed)
  at <- cases(simulations)
  fresh <- cases(5000)
  shown <- vapply(fits, function(way) {
    set.seed(seed)
    seconds <- system.time(suppressWarnings(
      fit <- fit_flow(at$theta, way(at)$layers, condition = way(at)$condition, progress = FALSE)
    ))[["elapsed"]]
    score <- mean(suppressWarnings(logdensity(fit, fresh$theta, condition = way(fresh)$condition)))
    sprintf("%8.3f %5.1f", score, seconds)
  }, "")
  cat(sprintf("%-4d %8.3f %s\n", seed, exact(fresh), paste(shown, collapse = " ")))
}

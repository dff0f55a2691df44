# Coverage of 90 % prediction intervals of fit_flow(y ~ ., data) with its defaults: at new rows (500), the mean probability
# that predict(interval = 0.9) gives them, by the true distribution, over simulated data sets; and the mean length beside
# that of the true intervals.
#
#   Rscript bench/coverage.R [repetitions] [rows] [new rows]     e.g.  Rscript bench/coverage.R 30 30,100,300 500
suppressPackageStartupMessages(library(bijectr))

# Each: rows of conditions, and the true distribution function and quantiles at them.
models <- list(
  linear = list(
    x = function(n) data.frame(x1 = rnorm(n), x2 = rnorm(n)),
    p = function(q, d) pnorm(q, 1 + d$x1 - d$x2, 1), q = function(p, d) qnorm(p, 1 + d$x1 - d$x2, 1)
  ),
  spread = list( # a curve, whose spread grows
    x = function(n) data.frame(x = runif(n)),
    p = function(q, d) pnorm(q, sin(6 * d$x), 0.1 + 0.4 * d$x), q = function(p, d) qnorm(p, sin(6 * d$x), 0.1 + 0.4 * d$x)
  ),
  gamma = list(
    x = function(n) data.frame(x = runif(n, -1, 1), g = factor(base::sample(c("a", "b"), n, TRUE))),
    p = function(q, d) pgamma(q, 3, 3 * exp(-d$x - (d$g == "b"))), q = function(p, d) qgamma(p, 3, 3 * exp(-d$x - (d$g == "b")))
  )
)

a <- commandArgs(TRUE)
repetitions <- if (length(a) > 0) as.integer(a[1]) else 30L
sizes <- if (length(a) > 1) as.integer(strsplit(a[2], ",")[[1]]) else c(30L, 100L, 300L)
asked <- if (length(a) > 2) as.integer(a[3]) else 500L
cat(sprintf("%-8s %5s %9s %7s %9s %9s\n", "model", "rows", "coverage", "worst", "length", "s a fit"))
for (name in names(models)) {
  model <- models[[name]]
  for (n in sizes) {
    value <- vapply(seq_len(repetitions), function(seed) {
      set.seed(seed)
      d <- model$x(n)
      d$y <- model$q(runif(n), d)
      new <- model$x(asked)
      seconds <- system.time(fit <- suppressWarnings(suppressMessages(fit_flow(y ~ ., data = d))))[[3]]
      ends <- suppressWarnings(predict(fit, new, "median", interval = 0.9))
      held <- model$p(ends[, "upr"], new) - model$p(ends[, "lwr"], new)
      true <- model$q(0.95, new) - model$q(0.05, new)
      c(mean(held), mean(ends[, "upr"] - ends[, "lwr"]) / mean(true), seconds)
    }, numeric(3))
    cat(sprintf(
      "%-8s %5d %9.3f %7.3f %9.2f %9.1f\n", name, n, mean(value[1, ]), min(value[1, ]), mean(value[2, ]), mean(value[3, ])
    ))
  }
}

# Shared by the experiments, which source it from the root of the sources.
suppressPackageStartupMessages(library(bijectr))

source("vignettes/toy-data.R")

standardizer <- function(x) {
  centre <- colMeans(x)
  scale <- apply(x, 2, sd)
  function(y) (y - rep(centre, each = nrow(y))) / rep(scale, each = nrow(y))
}

fresh_loss <- function(fit, x, ...) -mean(logdensity(fit, x, ...))

# 2 E|X - Y| - E|X - X'| - E|Y - Y'|, 0 for equal distributions; its standard error at 1000 points each is about 0.001.
energy_distance <- function(x, y) {
  mean_distance <- function(a, b) mean(sqrt(pmax(outer(rowSums(a^2), rowSums(b^2), "+") - 2 * a %*% t(b), 0)))
  n <- nrow(x)
  m <- nrow(y)
  2 * mean_distance(x, y) - mean_distance(x, x) * n / (n - 1) - mean_distance(y, y) * m / (m - 1)
}

# One line a setting; `original` is the figure of the system that the experiment comes from.
report <- function(id, setting, figure, fit, original = "") {
  cat(sprintf("%s | %-36s | %s | %.1f s | %d steps | %s\n", id, setting, figure, fit$seconds, fit$steps, original))
}

nats <- function(...) paste(sprintf("%.4f", c(...)), collapse = " / ")

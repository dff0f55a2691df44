# Are default posteriors of simulators calibrated? One conditional fit with nothing told but the ends of the prior, to
# draws of it and their simulations, then sbc() and expected_coverage() by density and by distances, with fresh
# simulations: the p-values of each.
#
#   Rscript bench/sbc.R [simulations [pairs [tasks...]]]
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
budget <- as.integer(c(given, 2000)[1])
pairs <- if (length(given) > 1) as.integer(given[2]) else 300L

source("bench/lib/tasks.R") # from the root of the sources

for (name in if (length(given) > 2) given[-(1:2)] else names(tasks)) {
  task <- tasks[[name]]
  set.seed(1)
  theta <- task$prior$sample(budget)
  seen <- task$simulate(theta)
  seconds <- system.time({
    fit <- suppressWarnings(fit_flow(theta, condition = seen, support = task$prior$support))
  })[["elapsed"]]
  theta <- task$prior$sample(pairs)
  seen <- task$simulate(theta)
  taken <- system.time(ranks <- sbc(fit, theta, seen))[["elapsed"]]
  density <- expected_coverage(fit, theta, seen)
  tarp <- expected_coverage(fit, theta, seen, "tarp")
  cat(sprintf("%s, %d simulations, %d pairs: fit %.1f s, sbc %.1f s\n", name, budget, pairs, seconds, taken))
  print(format(ranks$tests, digits = 2), row.names = FALSE)
  cat(sprintf("  sbc: %s; coverage by density: area %.3f, p %.3g; tarp: p %.3g\n\n", ranks$verdict, density$area,
    density$p, tarp$p))
}

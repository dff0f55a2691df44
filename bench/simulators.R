# Simulators of the benchmark of Lueckmann, Boelts, Greenberg, Goncalves, Macke (2021, AISTATS).
#
#   Rscript bench/simulators.R DIR OUT simulations observations... [method=...] [rounds=...] [tasks=...]
#
# The methods are "default", one conditional fit to draws of the prior and their simulations, with nothing told;
# "supports", the same with the ends of the prior told; and "posterior" and "likelihood", those of fit_rounds(), for
# each observation by itself, with the simulations shared out to the rounds. tasks=slcp,two_moons are some of them.
# DIR has a folder for each task with a folder for each observation, in it observation.csv; bernoulli_glm has design.csv
# and stimulus.csv, without heads. OUT gets 10000 draws for each, TASK_SIMULATIONS_OBSERVATION.csv, within the prior;
# how many of the draws were outside is printed. The benchmark's classifier two-sample test, c2st() of the Python
# package sbibm, compares them with its reference draws.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
named <- grepl("=", given)
option <- function(name, default) {
  value <- sub(paste0("^", name, "="), "", grep(paste0("^", name, "="), given, value = TRUE))
  if (length(value)) value else default
}
method <- option("method", "default")
rounds <- as.integer(option("rounds", "1"))
chosen <- strsplit(option("tasks", ""), ",")[[1]]
given <- given[!named]
if (length(given) < 4) stop("usage: Rscript bench/simulators.R DIR OUT simulations observations... [method=...] ...")
budget <- as.integer(given[3])

source("bench/lib/tasks.R") # from the root of the sources

generalized_linear_model <- function() {
  design <- as.matrix(read.csv(file.path(given[1], "bernoulli_glm", "design.csv"), header = FALSE))
  stimulus <- read.csv(file.path(given[1], "bernoulli_glm", "stimulus.csv"), header = FALSE)[[1]]
  # the filter is smooth: second differences of its nine weights are small
  difference <- diag(9)
  difference[cbind(2:9, 1:8)] <- -1
  smooth <- difference %*% difference + diag(sqrt((0:8) / 9))
  precision <- rbind(c(0.5, rep(0, 9)), cbind(0, crossprod(smooth)))
  list(
    prior = normal_prior(t(chol(solve(precision)))),
    simulate = function(x) {
      y <- matrix(rbinom(nrow(x) * 100, 1, plogis(x %*% t(design))), nrow(x))
      lagged <- vapply(0:8, function(lag) drop(y[, (1 + lag):100] %*% stimulus[seq_len(100 - lag)]), numeric(nrow(x)))
      cbind(rowSums(y), lagged)
    }
  )
}

tasks$bernoulli_glm <- generalized_linear_model()

one_fit <- function(task) {
  theta <- task$prior$sample(budget)
  seen <- task$simulate(theta)
  fit_flow(theta, condition = seen, support = if (method == "supports") task$prior$support)
}

for (name in if (length(chosen)) chosen else names(tasks)) {
  task <- tasks[[name]]
  set.seed(1)
  amortized <- method %in% c("default", "supports")
  if (amortized) seconds <- system.time(fit <- suppressWarnings(one_fit(task)))[["elapsed"]]
  for (observation in given[-(1:3)]) {
    at <- as.numeric(read.csv(file.path(given[1], name, observation, "observation.csv")))
    if (!amortized) {
      seconds <- system.time(fit <- suppressWarnings(fit_rounds(
        task$simulate, task$prior[c("sample", "log_density")], at,
        simulations = rep(budget %/% rounds, rounds), method = method
      )))[["elapsed"]]
    }
    draws <- unname(if (amortized) sample(fit, 30000, condition = t(at)) else sample(fit, 10000))
    inside <- is.finite(task$prior$log_density(draws))
    cat(sprintf("%s, %s, %d simulations in %d rounds, observation %s: %.1f s, %.2f %% of draws outside of the prior\n",
                name, method, budget, rounds, observation, seconds, 100 * mean(!inside)))
    if (!is.null(fit$leakage)) cat(sprintf("  of the flow itself: %.2f %%\n", 100 * fit$leakage))
    if (!is.null(fit$evaluation)) cat(sprintf("  effective: %.0f %%\n", 100 * fit$evaluation$ess / fit$evaluation$n))
    kept <- head(draws[inside, ], 10000)
    file <- file.path(given[2], sprintf("%s_%d_%s.csv", name, budget, observation))
    write.table(kept, file, sep = ",", row.names = FALSE, col.names = FALSE)
  }
}

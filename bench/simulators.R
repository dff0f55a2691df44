# Simulators of the benchmark of Lueckmann, Boelts, Greenberg, Goncalves, Macke (2021, AISTATS): posteriors by one
# conditional fit to draws of the prior and their simulations, with nothing told.
#
#   Rscript bench/simulators.R DIR OUT simulations observations...
#
# DIR has a folder for each task with a folder for each observation, in it observation.csv; bernoulli_glm has design.csv
# and stimulus.csv, without heads. OUT gets 10000 draws for each, TASK_SIMULATIONS_OBSERVATION.csv, within the prior;
# how many of the draws were outside is printed. The benchmark's classifier two-sample test, c2st() of the Python
# package sbibm, compares them with its reference draws.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
if (length(given) < 4) stop("usage: Rscript bench/simulators.R DIR OUT simulations observations...")
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

for (name in names(tasks)) {
  task <- tasks[[name]]
  set.seed(1)
  theta <- task$prior$draw(budget)
  seen <- task$simulate(theta)
  seconds <- system.time(fit <- suppressWarnings(fit_flow(theta, condition = seen)))[["elapsed"]]
  for (observation in given[-(1:3)]) {
    at <- as.numeric(read.csv(file.path(given[1], name, observation, "observation.csv")))
    draws <- unname(sample(fit, 30000, condition = t(at)))
    inside <- task$prior$inside(draws)
    cat(sprintf("%s, %d simulations, observation %s: %.1f s, %.1f %% of draws outside of the prior\n", name, budget,
                observation, seconds, 100 * mean(!inside)))
    kept <- head(draws[inside, ], 10000)
    file <- file.path(given[2], sprintf("%s_%d_%s.csv", name, budget, observation))
    write.table(kept, file, sep = ",", row.names = FALSE, col.names = FALSE)
  }
}

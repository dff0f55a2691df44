# What the benchmarks of models in Stan share.
suppressMessages({
  library(rstan)
  library(bijectr)
})
options(bijectr.threads = 1L)
if (dir.exists("/usr/include/boost")) rstan_options(boost_lib = "/usr/include")

# The model of that name among `code`, compiled once for all runs that have `cache`, a folder.
compiled <- function(name, code, cache) {
  file <- file.path(cache, paste0(name, ".rds"))
  if (file.exists(file)) return(readRDS(file))
  model <- rstan::stan_model(model_code = code[[name]], model_name = name)
  saveRDS(model, file)
  model
}

# The largest errors of means, in standard deviations, and of standard deviations, as shares. `truth` has columns
# parameter, mean and sd.
errors <- function(draws, truth) {
  x <- unclass(draws)[, match(truth$parameter, colnames(draws)), drop = FALSE]
  c(mean = max(abs(colMeans(x) - truth$mean) / truth$sd), sd = max(abs(apply(x, 2, sd) / truth$sd - 1)))
}

# Microseconds of a training step through fit_flow(): the minimum over repeats of short fits, full batch. With a
# `target`, a log density, it is a step of the reverse Kullback-Leibler divergence with n draws; else `...` goes to
# fit_flow(). THREADS (1) and PRECISION ("double") of the environment are those of the steps.
options(bijectr.threads = as.integer(Sys.getenv("THREADS", "1")))
PRECISION <- Sys.getenv("PRECISION", "double")

step_time <- function(layers, d, n, target = NULL, ...) {
  set.seed(1)
  x <- matrix(rnorm(n * d), n)
  run <- function(steps) {
    settings <- list(
      steps = steps, batch_size = n, schedule = schedule_constant(), learning_rate = 1e-4, precision = PRECISION
    )
    fit <- if (is.null(target)) {
      control <- do.call(fit_control, c(settings, validation = 0, keep_best = FALSE))
      fit_flow(x, layers, standardize = "none", progress = FALSE, control = control, ...)
    } else {
      control <- do.call(fit_control, c(settings, validation = 0))
      fit_flow(target, layers, d = d, gradient = "symbolic", evaluate = 0, progress = FALSE, control = control)
    }
    1e6 * fit$seconds / fit$steps
  }
  guess <- run(3)
  # of a fit of fewer steps the first touch of its memory would be a good part
  steps <- max(24, min(500, round(3e4 / guess)))
  repeats <- max(5, min(60, round(3e6 / (steps * guess))))
  min(replicate(repeats, run(steps)))
}

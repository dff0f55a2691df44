# Microseconds of a training step through fit_flow(): the minimum over repeats of short fits, full batch.
step_time <- function(layers, d, n) {
  set.seed(1)
  x <- matrix(rnorm(n * d), n)
  run <- function(steps) {
    control <- fit_control(
      steps = steps, batch_size = n, validation = 0, keep_best = FALSE, schedule = schedule_constant(),
      learning_rate = 1e-4
    )
    fit <- fit_flow(x, layers, standardize = "none", progress = FALSE, control = control)
    1e6 * fit$seconds / fit$steps
  }
  guess <- run(3)
  steps <- max(4, min(500, round(3e4 / guess)))
  repeats <- max(12, min(60, round(3e6 / (steps * guess))))
  min(replicate(repeats, run(steps)))
}

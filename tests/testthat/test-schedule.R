# Rates that the history records, against the formulas.
rates <- function(schedule, steps = 40) {
  set.seed(1)
  control <- fit_control(learning_rate = 0.01, schedule = schedule, steps = steps, batch_size = 10, validation = 0)
  fit <- fit_flow(matrix(rnorm(20), 10), layer_elementwise(scalar_affine()), control = control)
  fit$history$rate
}
u <- (1:40) / 40

test_that("schedules follow their formulas", {
  expect_equal(rates(schedule_constant()), rep(0.01, 40))
  expect_equal(rates(schedule_cosine(final = 0.1)), 0.01 * (0.1 + 0.9 * (1 + cos(pi * u)) / 2))
  expect_equal(rates(schedule_exponential(decay = 0.9)), 0.01 * 0.9^(1:40))
  cosine <- function(from, to, t) to + (from - to) * (1 + cos(pi * t)) / 2
  expect_equal(
    rates(schedule_one_cycle(warmup = 0.25, start = 0.1, final = 0.01)),
    0.01 * ifelse(u < 0.25, cosine(0.1, 1, u / 0.25), cosine(1, 0.01, (u - 0.25) / 0.75))
  )
})

test_that("warm-up rises linearly", {
  expect_equal(rates(schedule_constant(warmup = 0.5))[1:19], 0.01 * (2:20) / 21)
})

test_that("arguments are checked", {
  expect_error(schedule_cosine(final = 2), "final")
  expect_error(schedule_exponential(decay = 0), "decay")
  expect_error(schedule_one_cycle(warmup = 1), "warmup")
})

# What a stack will take is told where it is long.

test_that("what many rows will take is told before, with the budget", {
  set.seed(1)
  x <- matrix(rnorm(2 * MANY_ROWS), MANY_ROWS)
  problem <- pose_problem(x, NULL, NULL, NULL, column_rules("auto"), function(n, weights) {
    list(train = seq_len(n), validation = integer())
  }, NULL, NULL, NULL, NULL)
  problem <- stack_problem(problem, NULL, stack_members())
  folds <- stack_folds(problem)
  kinds <- member_kinds()[c("normal", "affine_t")]
  jobs <- stack_jobs(kinds, folds)
  before <- .Random.seed
  expect_message(
    announce_stack(problem, kinds, folds, jobs, NULL, 0), "2 fits to 5,000 rows", class = "bijectr_message_budget"
  )
  expect_message(announce_stack(problem, kinds, folds, jobs, 60, 0), "budget of 60 s", class = "bijectr_message_budget")
  expect_identical(.Random.seed, before)
  expect_silent(announce_stack(problem, kinds, folds, jobs, NULL, 1e6))
  expect_gt(expected_seconds(problem, kinds, folds, jobs), 0)
  problem$n <- MANY_ROWS - 1
  expect_silent(announce_stack(problem, kinds, folds, jobs, NULL, 0))
})

test_that("a bar's remaining time is that of the pace, or of the budget", {
  expect_equal(remaining_seconds(10, 0.25), 30)
  expect_equal(remaining_seconds(10, 0.25, 15), 5)
  expect_identical(remaining_seconds(10, 0.25, 9), 0)
})

test_that("many rows have fewer flows of a kind", {
  fits <- function(n, k) {
    given <- if (k > 0) matrix(seq_len(n) + 0)
    folds <- stack_folds(list(data = matrix(seq_len(n) + 0), condition = given, weights = NULL, n = n, d = 1,
                              d_condition = k, whole = FALSE))
    c(folds$fits, folds$count)
  }
  expect_equal(fits(400, 0), c(10, 5))
  expect_equal(fits(600, 0), c(5, 5))
  expect_equal(fits(6000, 0), c(1, 1))
  expect_equal(fits(600, 1), c(4, 4))
  expect_equal(fits(6000, 1), c(3, 3))
  expect_equal(fits(20000, 1), c(1, 1))
})

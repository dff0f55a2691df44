# Equal rows against their texts, and how they are dealt out.

test_that("equal rows have the same number", {
  set.seed(1)
  x <- cbind(sample(5, 60, TRUE), sample(c(0.1, 0.2), 60, TRUE))
  key <- paste(x[, 1], x[, 2])
  group <- equal_rows(list(x[, 1], x[, 2]))
  expect_identical(match(group, unique(group)), match(key, unique(key)))
  expect_null(equal_rows(list(c(1, 1, 2), c(1, 2, 1))))
  expect_null(equal_rows(list(5)))
})

test_that("copies are dealt out together, values of positive probability are not", {
  set.seed(2)
  for (copies in 2:4) {
    group <- rep(sample(50), copies)
    part <- deal_rows(length(group), 5, group)
    expect_true(all(vapply(split(part, group), function(p) length(unique(p)) == 1, NA)))
    expect_setequal(part, 1:5)
    expect_true(max(abs(tabulate(part) - length(part) / 5)) <= copies)
  }
  group <- c(rep(1, 60), 2:41)
  part <- deal_rows(100, 5, group)
  expect_setequal(part[group == 1], 1:5)
  expect_true(max(abs(tabulate(part) - 20)) <= 1)
  expect_identical(sort(tabulate(deal_rows(13, 5))), c(2L, 2L, 3L, 3L, 3L))
})

test_that("a fold's rows have no copies among those for training, nor those for validation", {
  set.seed(3)
  x <- matrix(rnorm(120), 60)
  x <- rbind(x, x, x)
  folds <- stack_folds(list(data = x, condition = NULL, weights = NULL, n = 180, d = 2, d_condition = 0, whole = FALSE))
  for (fold in seq_len(folds$count)) {
    rows <- fold_rows(folds, fold, TRUE)
    expect_false(any(x[folds$of == fold, 1] %in% x[c(rows$train, rows$validation), 1]))
    expect_lte(length(intersect(x[rows$train, 1], x[rows$validation, 1])), 1)
    expect_setequal(c(rows$train, rows$validation, which(folds$of == fold)), 1:180)
  }
})

test_that("a table that was doubled is not taken for one of more rows", {
  set.seed(4)
  x <- matrix(rnorm(120), 60)
  y <- matrix(rnorm(4000), 2000)
  kinds <- c("normal", "student_t", "kernel", "full")
  once <- fit_flow(x, members = kinds)
  twice <- suppressWarnings(fit_flow(rbind(x, x), members = kinds))
  expect_lt(abs(mean(logdensity(twice, y)) - mean(logdensity(once, y))), 0.1)
  expect_lt(abs(twice$reference$flow - once$reference$flow), 0.15)
})

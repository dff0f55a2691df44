# Members whose draws lie further out than rows do.

# A stack of flows on a normal and on a t distribution with one degree of freedom, beside rows held out.
stack_of_two <- function(rows) {
  flows <- list(
    spline = flow(list(), 1, base_normal()),
    spline_t = flow(list(), 1, base_student_t(1)),
    normal = flow(list(), 1, base_normal())
  )
  members <- lapply(flows, function(flow) list(flows = list(flow), shares = 1, seeds = 1, folds = NULL))
  members$normal$seeds <- NULL
  densities <- cbind(
    spline = dnorm(rows, log = TRUE), spline_t = dt(rows, 1, log = TRUE), normal = dnorm(rows, log = TRUE)
  )
  list(
    members = members, densities = densities, problem = list(rows_are = "points", d = 1, data = matrix(rows)),
    folds = list(told = seq_along(rows), part = rep_len(1:2, length(rows)))
  )
}

wild_of <- function(stack) wild_kinds(stack$members, stack$densities, stack$problem, stack$folds)

test_that("a flow on t distributions that rows do not miss is left out where its draws are seen", {
  set.seed(1)
  rows <- rnorm(400)
  stack <- stack_of_two(rows)
  # among rows that are normal its weight is what would be seen: half of the rows by its density
  stack$densities[1:200, "spline_t"] <- stack$densities[1:200, "spline"] + 0.005
  expect_identical(wild_of(stack), "spline_t")
  stack$densities[1:200, "spline_t"] <- stack$densities[1:200, "spline"] + 0.5
  expect_identical(wild_of(stack), character()) # that would cost more than 0.01 a row
  expect_identical(wild_of(stack_of_two(rows)), "spline_t") # a small weight does not help it
})

test_that("heavy tails of rows keep flows on t distributions in", {
  set.seed(2)
  expect_identical(wild_of(stack_of_two(rt(400, 1))), character())
})

test_that("draws that are no numbers are wild", {
  set.seed(1)
  stack <- stack_of_two(rnorm(100))
  stack$members$spline_t$flows[[1]]$base <- base_student_t(1e-3) # its draws overflow
  expect_identical(wild_of(stack), "spline_t")
})

test_that("the last kind stays, whatever it draws, and one row held out is enough to look", {
  set.seed(1)
  stack <- stack_of_two(rnorm(100))
  alone <- stack
  alone$members <- alone$members["spline_t"]
  alone$densities <- alone$densities[, "spline_t", drop = FALSE]
  expect_identical(wild_of(alone), character())
  alone$members$beyond <- alone$members$spline_t
  alone$members$beyond$seeds <- NULL
  alone$densities <- cbind(alone$densities, beyond = alone$densities[, 1])
  expect_identical(wild_of(alone), character())
  one <- stack_of_two(0.3)
  expect_type(wild_of(one), "character")
  # draws that are no numbers are seen where there are no others
  broken <- stack
  broken$members <- broken$members[c("spline_t", "normal")]
  broken$members$spline_t$flows[[1]]$base <- base_student_t(1e-3)
  broken$densities <- broken$densities[, c("spline_t", "normal")]
  expect_identical(wild_of(broken), "spline_t")
})

test_that("only points are looked at, and only trained members", {
  set.seed(1)
  stack <- stack_of_two(rnorm(400))
  stack$densities[1:200, "spline_t"] <- stack$densities[1:200, "spline"] + 0.005
  whole <- stack
  whole$problem$rows_are <- "whole"
  expect_identical(wild_of(whole), character())
  for (kind in names(stack$members)) stack$members[[kind]]$seeds <- NULL
  expect_identical(wild_of(stack), character())
})

test_that("rows lie beside draws of flows that have not seen them", {
  flows <- lapply(c(-1000, 0, 1000), function(shift) flow(list(), 1, base_normal(loc = shift)))
  member <- list(flows = flows, shares = c(1, 1, 2) / 4, seeds = 1:3, folds = c(1, 2, 1))
  set.seed(1)
  expect_lt(max(abs(member_draws(member, 2, NULL, 5))), 10)
  of_first <- member_draws(member, 1, NULL, 50)
  expect_identical(dim(of_first), c(50L, as.integer(SPREAD_DRAWS), 1L))
  expect_gt(min(abs(of_first)), 900)
  expect_equal(mean(of_first > 0), 2 / 3, tolerance = 0.05)
})

test_that("mean squares are those of draws and rows in median absolute deviations", {
  set.seed(3)
  rows <- rnorm(300)
  stack <- stack_of_two(rows)
  spread <- stack_spread(stack$members["spline"], 1, stack$problem, stack$folds)
  draws_mad <- mad(qnorm(ppoints(1e4)), constant = 1)
  expect_equal(spread$seen, mean(rows^2) / draws_mad^2, tolerance = 0.3)
  expect_equal(drop(spread$drawn), 1 / draws_mad^2, tolerance = 0.2, ignore_attr = TRUE)
  expect_equal(spread$error, sd(rows^2) / sqrt(300) / draws_mad^2, tolerance = 0.4)
})

test_that("medians of rows are those of median()", {
  set.seed(4)
  for (k in c(1, 4, 7)) {
    x <- matrix(rnorm(6 * k), 6)
    expect_equal(row_medians(x), apply(x, 1, median))
  }
})

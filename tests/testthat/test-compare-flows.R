affine <- function(x, ...) fit_flow(x, layer_elementwise(scalar_affine()), steps = 50, progress = FALSE, ...)

test_that("fits are compared row by row", {
  set.seed(1)
  x <- matrix(rnorm(600), 300, dimnames = list(NULL, c("a", "b")))
  one <- affine(x[1:200, ])
  two <- affine(2 * x[1:200, ])
  new <- as.data.frame(x[201:300, ])
  found <- compare_flows(one, wide = two, data = new)
  expect_s3_class(found, "bijectr_comparison")
  expect_identical(found$table$name, c("one", "wide"))
  a <- logdensity(one, new)
  b <- logdensity(two, new)
  expect_equal(found$logdensity, cbind(one = a, wide = b))
  expect_equal(found$table$mean, c(mean(a), mean(b)))
  expect_equal(found$table$difference, c(0, mean(b - a)))
  expect_equal(found$table$difference_error[2], sd(b - a) * sqrt(99 / 100) / 10)
  expect_identical(found$table$rows, c(100L, 100L))
  expect_output(print(found), "100 rows.*wide")
  expect_equal(compare_flows(list(one = one, wide = two), data = new), found)
  # weights are counts
  twice <- compare_flows(one, wide = two, data = new, weights = rep(c(2, 0), 50))
  expect_equal(twice$table$mean, c(mean(a[c(TRUE, FALSE)]), mean(b[c(TRUE, FALSE)])))
  expect_identical(twice$table$rows, c(50L, 50L))
})

test_that("fits of other coordinates are refused", {
  set.seed(2)
  table <- data.frame(y = rlnorm(60), z = rnorm(60))
  y <- affine(table["y"])
  log_y <- affine(~ log(y), data = table)
  expect_error(compare_flows(y, log_y, data = table), "other coordinates", class = "bijectr_error_argument")
  expect_error(compare_flows(y, affine(table), data = table), "other coordinates", class = "bijectr_error_argument")
  expect_error(compare_flows(y, 3, data = table), "flow or a fit", class = "bijectr_error_argument")
  expect_error(compare_flows(data = table), "no fits", class = "bijectr_error_argument")
  expect_error(compare_flows(y), "data", class = "bijectr_error_argument")
})

test_that("rows of the training are told, others are not", {
  set.seed(3)
  table <- data.frame(y = rnorm(60), x = rnorm(60))
  joint <- affine(table["y"])
  given <- affine(y ~ x, data = table)
  expect_warning(compare_flows(joint, given, data = table), "joint.*given.*trained on",
    class = "bijectr_warning_training_rows"
  )
  expect_no_warning(compare_flows(joint, given, data = data.frame(y = rnorm(20), x = seq(-0.9, 0.9, length.out = 20))))
})

test_that("rows that one fit held out and another was trained on are told", {
  set.seed(5)
  table <- data.frame(a = rnorm(80), b = rnorm(80))
  stack <- fit_flow(table, members = c("normal", "student_t"), progress = FALSE)
  one <- affine(table)
  held_out <- table[one$rows$validation, ]
  expect_warning(compare_flows(stack, one, data = held_out), "stack.*trained on.*stack is trained on all.*flow_cv",
    class = "bijectr_warning_training_rows"
  )
  expect_warning(compare_flows(stack, data = table), "flow_cv", class = "bijectr_warning_training_rows")
  same <- affine(table, validation = one$rows$validation)
  other <- affine(table, validation = setdiff(seq_len(80), one$rows$validation)[1:8])
  expect_no_warning(compare_flows(one, same, data = held_out))
  expect_warning(compare_flows(one, other, data = held_out), "`other` was trained on.*same `validation`",
    class = "bijectr_warning_training_rows"
  )
  # so many rows, but others
  expect_no_warning(compare_flows(stack, one, data = held_out + 0.01))
  weighted <- affine(table, weights = rep(1:2, 40), validation = one$rows$validation)
  expect_warning(
    compare_flows(stack, weighted, data = held_out, weights = rep(1:2, 40)[one$rows$validation]), "stack",
    class = "bijectr_warning_training_rows"
  )
})

test_that("rows outside of a support and rows with gaps", {
  set.seed(4)
  x <- rexp(100)
  up <- fit_flow(x, layer_elementwise(scalar_affine()), support = positive(), steps = 30, progress = FALSE)
  real <- affine(x)
  found <- compare_flows(up, real, data = c(x[1:10] + 0.01, -1, NA))
  expect_identical(found$table$name, c("real", "up"))
  expect_identical(found$table$rows, c(11L, 11L))
  expect_identical(found$table$zero, c(0, 1))
  expect_identical(found$table$difference[2], -Inf)
  expect_match(found$notes, "1 rows have no figure")
  expect_output(print(found), "up: 1 rows have density 0")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(plot(found), found)
})

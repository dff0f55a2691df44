# update() is R's: it fits anew, and only what cannot be fitted anew goes on.
table <- local({
  set.seed(2)
  data.frame(y = rnorm(80), z = rexp(80), x = rnorm(80))
})
small <- masked_autoregressive_flow(flow_layers = 1, nn_width = 6)
again <- function(...) {
  set.seed(1)
  update(...)
}
refused <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")

test_that("arguments of the call are changed, and the rest stays", {
  set.seed(1)
  fit <- fit_flow(table, small, steps = 10)
  expect_identical(coef(again(fit)), coef(fit))
  set.seed(1)
  longer <- fit_flow(table, small, steps = 25)
  expect_identical(coef(again(fit, steps = 25)), coef(longer))
  expect_identical(again(fit, steps = 25)$call, quote(fit_flow(data = table, layers = small, steps = 25)))
  expect_identical(update(fit, data = table[1:2])$d, 2L)
  expect_length(update(fit, layers = layer_flip())$params, 0)
  expect_identical(update(fit, steps = NULL, max_epochs = 2)$epochs, 2)
  expect_identical(
    update(fit, data = other, steps = 3, evaluate = FALSE), quote(fit_flow(data = other, layers = small, steps = 3))
  )
  refused(update(fit, . ~ x), "not made by formula")
  refused(update(fit, 5), "not made by formula")
  refused(update(fit, y ~ x, 5), "names of arguments")
  refused(update(fit, nonsense = 1), "nonsense")
})

test_that("formulas are changed as those of other models", {
  set.seed(1)
  fit <- fit_flow(y ~ 1, data = table, layers = small, steps = 10)
  more <- again(fit, . ~ . + x)
  set.seed(1)
  expect_identical(coef(more), coef(fit_flow(y ~ x, data = table, layers = small, steps = 10)))
  expect_identical(more$formula, quote(y ~ x))
  expect_identical(update(fit, log(z) ~ x)$names, "log(z)")
  expect_identical(update(fit, cbind(., z) ~ .)$names, c("y", "z"))
  expect_identical(update(update(fit, ~ . + x), . ~ . - x)$d_condition, 0L)
  expect_identical(update(fit, subset = x > 0)$nobs, sum(table$x > 0))
  joint <- fit_flow(~y, data = table, layers = small, steps = 2)
  expect_identical(update(joint, ~ . + z)$names, c("y", "z"))
  all <- fit_flow(y ~ ., data = table, layers = small, steps = 2)
  expect_identical(update(all, . ~ . - z)$condition$names, "x")
})

test_that("data that cannot be found are asked for", {
  away <- local({
    local_table <- table
    fit_flow(y ~ x, data = local_table, layers = small, steps = 2)
  })
  refused(update(away, steps = 3), "`data` must be given.*local_table")
  expect_identical(update(away, data = table)$nobs, 80L)
  refused(resume(away, steps = 3), "`data` must be given.*local_table")
  away <- with(table, fit_flow(y ~ x, layers = small, steps = 2))
  refused(update(away), "`data` must be given: y and x of the formula")
  expect_identical(update(away, data = table)$nobs, 80L)
  written <- do.call(fit_flow, list(y ~ x, data = table, layers = quote(small), steps = 2))
  refused(update(written), "`data` must be given: it was written into the call")
  expect_identical(update(written, data = table, steps = 3)$steps, 3)
  expect_null(attributes(written$call$formula))
  plain <- local({
    local_table <- table
    fit_flow(local_table, small, steps = 2)
  })
  refused(update(plain), "`data` must be given.*local_table")
  wrapper <- function(...) fit_flow(...)
  refused(update(wrapper(table, small, steps = 2)), "`data` must be given")
})

test_that("fits to log densities and in rounds are fitted anew, too", {
  target <- function(x) -rowSums(x^2) / 2
  fit <- fit_flow(target, layer_triangular_affine(), d = 2, steps = 3, evaluate = 0)
  expect_identical(update(fit, steps = 5)$steps, 5)
  expect_identical(update(fit, d = 3)$d, 3L)
  other <- function(x) -rowSums(abs(x))
  expect_identical(update(fit, data = other)$call$data, quote(other))
  prior <- list(sample = function(n) matrix(rnorm(n), n), log_density = function(t) dnorm(t[, 1], log = TRUE))
  fit <- fit_rounds(function(theta) theta + rnorm(nrow(theta)), prior, 0.5,
    rounds = 1, simulations = 50, steps = 5, layers = small
  )
  expect_length(update(fit, rounds = 2, batch_size = 45, loss = loss_contrastive(5))$rounds, 2)
})

test_that("epochs, and what is no fit yet, go on", {
  fit <- fit_flow(table, small, max_epochs = 2)
  expect_message(more <- update(fit, epochs = +1), class = "bijectr_message_resume")
  expect_identical(more$epochs, 3)
  file <- withr::local_tempfile(fileext = ".rds")
  fit_flow(table, small, steps = 10, checkpoint = file)
  expect_message(more <- update(readRDS(file), steps = 5), class = "bijectr_message_resume")
  expect_identical(more$steps, 15)
  expect_identical(coef(suppressMessages(update(readRDS(file), steps = 5, data = table))), coef(more))
  expect_identical(update(readRDS(file), steps = 5, evaluate = FALSE), quote(resume(readRDS(file), steps = 5)))
  refused(suppressMessages(update(readRDS(file), learning_rate = 1)), "learning_rate")
  refused(update(readRDS(file), ~x), "`resume\\(\\)` to go on")
  withr::local_options(bijectr.seconds_per_call = 0)
  failed <- tryCatch(
    fit_flow(table, small, steps = 40, callback = function(fit, record) if (record$step > 9) stop("own")),
    error = identity
  )
  expect_message(rest <- update(failed$fit), class = "bijectr_message_resume")
  expect_identical(rest$steps, 40)
  # one that was stopped is a fit
  stopped <- fit_flow(table, small, steps = 40, callback = function(fit, record) record$step < 9)
  expect_identical(stopped$status, "stopped")
  expect_no_message(anew <- update(stopped, callback = NULL), class = "bijectr_message_resume")
  expect_identical(nrow(anew$history), nrow(fit_flow(table, small, steps = 40)$history))
})

test_that("resume() is for fits", {
  refused(resume(3), "must be a fit or a checkpoint")
  refused(resume(flow(layer_flip(), 2)), "must be a fit or a checkpoint")
})

# fit_flow(): what comes back, splits, weights, statuses.
small <- function(...) masked_autoregressive_flow(flow_layers = 2, nn_width = 8, ...)
quick_control <- function(...) fit_control(steps = 40, batch_size = 64, ...)

test_that("one fit of iris needs no argument but the data", {
  set.seed(1)
  fit <- fit_flow(iris[1:4], steps = 30)
  expect_s3_class(fit, c("bijectr_fit", "bijectr_flow"), exact = TRUE)
  expect_identical(colnames(sample(fit, 3)), names(iris)[1:4])
  expect_true(all(is.finite(logdensity(fit, iris[1:4]))))
  expect_identical(fit$status, "finished")
  expect_equal(fit$steps, 30)
})

test_that("vectors, matrices and data frames give the same fit", {
  x <- faithful$waiting
  fit_of <- function(data) {
    set.seed(2)
    coef(fit_flow(data, steps = 20))
  }
  expect_identical(fit_of(x), fit_of(matrix(x)))
  expect_identical(fit_of(x), fit_of(data.frame(waiting = x)))
})

test_that("set.seed() governs the whole fit, and saveRDS keeps it", {
  fit_of <- function() {
    set.seed(3)
    fit <- fit_flow(faithful, small(), control = quick_control())
    fit$seconds <- 0
    fit
  }
  fit <- fit_of()
  expect_identical(fit_of(), fit)
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_identical(readRDS(file), fit)
})

test_that("log densities are in the units of the data", {
  set.seed(4)
  data <- cbind(a = rnorm(500, 1e6, 1e-3), b = rnorm(500, -5, 1e4))
  fit <- fit_flow(data, steps = 100)
  truth <- dnorm(data[, 1], 1e6, 1e-3, log = TRUE) + dnorm(data[, 2], -5, 1e4, log = TRUE)
  expect_lt(abs(mean(logdensity(fit, data)) - mean(truth)), 0.1)
  expect_lt(max(abs(forward(fit, inverse(fit, data)$value)$value - data) / rep(c(1e-3, 1e4), each = 500)), 1e-6)
})

test_that("the frozen layer is learned from the training rows only", {
  set.seed(5)
  data <- cbind(rnorm(100), rnorm(100))
  data[91:100, ] <- data[91:100, ] + 1000
  fit <- fit_flow(data, small(), control = quick_control(validation = 91:100))
  frozen <- fit$layers$layers[[length(fit$layers$layers)]]
  expect_identical(frozen$kind, "standardize")
  expect_equal(frozen$loc, colMeans(data[1:90, ]))
  whitened <- inverse(flow(frozen, 2), data[1:90, ])$value
  expect_equal(cov(whitened), diag(2))
})

test_that("standardising can be scaled or switched off", {
  fit_with <- function(how) fit_flow(faithful, small(), standardize = how, control = quick_control())
  kinds <- function(fit) vapply(fit$layers$layers, function(layer) layer$kind, "")
  expect_false("standardize" %in% kinds(fit_with("none")))
  expect_false("standardize" %in% kinds(fit_with(FALSE)))
  expect_length(fit_with("scale")$layers$layers[[5]]$scale, 2)
  expect_length(fit_with(TRUE)$layers$layers[[5]]$scale, 4)
})

test_that("nearly collinear columns are whitened, collinear ones refused", {
  set.seed(6)
  x <- rnorm(50)
  fit <- fit_flow(cbind(x, x + 1e-6 * rnorm(50)), small(), control = quick_control())
  expect_length(fit$layers$layers[[5]]$scale, 4)
  expect_true(is.finite(fit$loglik))
  expect_error(
    fit_flow(cbind(x, x + 1e-9 * rnorm(50)), small(), control = quick_control()),
    "linear function", class = "bijectr_error_argument"
  )
})

test_that("case weights stand for repeated rows", {
  set.seed(7)
  x <- matrix(rnorm(60), 30)
  times <- rep(1:3, 10)
  fit_of <- function(data, weights) {
    set.seed(8)
    control <- fit_control(steps = 25, batch_size = 1000, validation = 0, schedule = schedule_constant())
    fit_flow(data, small(), standardize = "none", weights = weights, control = control)
  }
  weighted <- fit_of(x, times)
  repeated <- fit_of(x[rep(1:30, times), ], NULL)
  expect_equal(coef(weighted), coef(repeated), tolerance = 1e-6)
  expect_equal(weighted$loglik, repeated$loglik, tolerance = 1e-8)
})

test_that("rows without weight may hold anything finite and change nothing", {
  set.seed(9)
  x <- matrix(rnorm(100), 50)
  fit_of <- function(data) {
    set.seed(10)
    coef(fit_flow(data, small(), weights = rep(1:0, c(40, 10)), control = quick_control(validation = 1:5)))
  }
  moved <- x
  moved[41:50, ] <- moved[41:50, ] * 100
  expect_identical(fit_of(x), fit_of(moved))
})

test_that("a flow given conditions learns what they say", {
  set.seed(11)
  u <- runif(2000, 1, 5)
  fit <- fit_flow(data.frame(y = rnorm(2000, 10 * u, u)), masked_autoregressive_flow(flow_layers = 1, nn_width = 16),
    condition = data.frame(u = u), steps = 800
  )
  expect_gt(mean(logdensity(fit, 20, condition = data.frame(u = 2))), dnorm(20, 20, 2, log = TRUE) - 0.3)
  draws <- sample(fit, 4000, condition = c(u = 4))$y
  expect_equal(mean(draws), 40, tolerance = 0.02)
  expect_equal(sd(draws), 4, tolerance = 0.1)
})

test_that("budgets and statuses", {
  status <- function(...) fit_flow(faithful, small(), control = fit_control(...))$status
  expect_identical(status(steps = 10), "finished")
  expect_identical(status(max_epochs = 3, batch_size = 100), "max_epochs")
  expect_identical(status(steps = 1e8, seconds = 0.05), "time_limit")
  expect_identical(status(steps = 1e6, callback = function(fit, record) FALSE), "stopped")
  set.seed(12)
  expect_identical(
    status(max_epochs = 1000, patience = 2, learning_rate = 0.05, schedule = schedule_constant(), seconds = 20),
    "converged"
  )
})

test_that("epochs use every row once, the last partial batch included", {
  # with one batch of 7 and one of 3, two epochs are four steps
  set.seed(13)
  fit <- fit_flow(matrix(rnorm(20), 10), small(), control = fit_control(max_epochs = 2, batch_size = 7, validation = 0))
  expect_equal(fit$steps, 4)
  expect_equal(fit$epochs, 2)
  # a gradient of plain sgd with a vanishing rate is linear: the mean of the losses of an epoch is the loss of all rows
  f <- flow(small(), 2)
  x <- matrix(rnorm(20), 10)
  control <- fit_control(
    optimizer = opt_sgd(), learning_rate = 1e-12, max_epochs = 1, batch_size = 7, validation = 0,
    schedule = schedule_constant()
  )
  fit <- fit_flow(x, f, standardize = "none", control = control)
  losses <- fit$history$train
  expect_length(losses, 2)
  expect_equal(weighted.mean(losses, c(7, 3)), -mean(logdensity(f, x)), tolerance = 1e-8)
})

test_that("the best parameters are kept", {
  set.seed(14)
  control <- fit_control(
    steps = 300, batch_size = 64, learning_rate = 0.1, validate_every = 10, schedule = schedule_constant()
  )
  fit <- fit_flow(faithful, small(), control = control)
  held_out <- as.matrix(faithful)[fit$rows$validation, ]
  expect_equal(-mean(logdensity(fit, held_out)), min(fit$history$validation, na.rm = TRUE), tolerance = 1e-10)
  last <- fit_flow(faithful, small(), control = fit_control(
    steps = 20, validation = 0.2, keep_best = FALSE, keep_state = TRUE
  ))
  expect_identical(unname(coef(last)), last$state$theta)
})

test_that("averaged parameters are what is validated and returned", {
  set.seed(15)
  fit <- fit_flow(faithful, small(), control = fit_control(steps = 50, ema = 0.9, validation = 0, keep_state = TRUE))
  expect_identical(unname(coef(fit)), fit$state$average)
  expect_false(identical(fit$state$average, fit$state$theta))
})

test_that("validation rows can be named", {
  fit <- fit_flow(faithful, small(), control = quick_control(validation = seq(2, 272, 2)))
  expect_identical(fit$rows$train, seq(1L, 271L, 2L))
  logical <- fit_flow(faithful, small(), control = quick_control(validation = rep(c(FALSE, TRUE), 136)))
  expect_identical(logical$rows, fit$rows)
  expect_error(fit_flow(faithful, control = quick_control(validation = 300:301)), "validation")
})

test_that("data outside the support of the layers name the first row", {
  expect_error(
    fit_flow(c(1, 2, -3, 3:20 + 0.5), layer_elementwise(scalar_exp()), standardize = FALSE, steps = 5), "Row 3"
  )
})

test_that("unknown arguments are refused by name", {
  expect_error(fit_flow(faithful, layer = 1), "layer")
  expect_error(fit_flow(faithful, control = list()), "control")
  expect_error(fit_flow("a"), "data")
  expect_error(fit_flow(faithful, weights = 1:3), "weights")
  expect_error(fit_flow(faithful, condition = 1:3), "condition")
})

test_that("noise does not move data out of bounded layers", {
  set.seed(16)
  x <- matrix(rbeta(400, 1, 5), 200)
  layers <- layer_chain(small(), layer_elementwise(scalar_sigmoid()))
  expect_silent(fit <- fit_flow(x, layers, standardize = FALSE, steps = 50, noise = 0.5))
  expect_identical(fit$status, "finished")
  expect_identical(fit$control$noise, 0)
})

test_that("validations follow the budget that is given", {
  expect_null(fit_flow(faithful, small(), max_epochs = 1)$control$validate_every)
  expect_equal(fit_flow(faithful, small(), steps = 300)$control$validate_every, 3)
  expect_equal(fit_flow(faithful, small(), steps = 300, validate_every = 50)$control$validate_every, 50)
})

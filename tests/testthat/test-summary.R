set.seed(1)
fit <- fit_flow(faithful, steps = 20, validation = 0.1)

normal_log_density_by_hand <- function(x, mean, cov) {
  -0.5 * mahalanobis(x, mean, cov) - 0.5 * as.numeric(determinant(2 * pi * cov)$modulus)
}

test_that("the reference is a normal fitted to the training rows, judged on the held-out rows", {
  train <- as.matrix(faithful)[fit$rows$train, ]
  held_out <- as.matrix(faithful)[fit$rows$validation, ]
  cov <- cov(train) * (nrow(train) - 1) / nrow(train)
  expect_equal(fit$reference$normal, mean(normal_log_density_by_hand(held_out, colMeans(train), cov)))
  expect_equal(fit$reference$normal_train, mean(normal_log_density_by_hand(train, colMeans(train), cov)))
  expect_equal(fit$reference$flow, mean(logdensity(fit, held_out)))
  expect_equal(fit$reference$flow_train, mean(logdensity(fit, train)))
})

test_that("with weights it is the weighted normal", {
  set.seed(2)
  weights <- runif(272)
  weights[1:5] <- 0
  weighted <- fit_flow(faithful, weights = weights, steps = 2)
  rows <- weighted$rows
  moments <- cov.wt(faithful[rows$train, ], weights[rows$train] / sum(weights[rows$train]), method = "ML")
  density <- normal_log_density_by_hand(as.matrix(faithful), moments$center, moments$cov)
  expect_equal(weighted$reference$normal, weighted.mean(density[rows$validation], weights[rows$validation]))
  flow_density <- logdensity(weighted, faithful)
  expect_equal(weighted$reference$flow, weighted.mean(flow_density[rows$validation], weights[rows$validation]))
})

test_that("with conditions it is a linear regression", {
  given <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], steps = 2)
  line <- lm(eruptions ~ waiting, faithful, subset = given$rows$train)
  held_out <- faithful[given$rows$validation, ]
  density <- dnorm(held_out$eruptions, predict(line, held_out), sqrt(mean(resid(line)^2)), log = TRUE)
  expect_equal(given$reference$normal, mean(density))
})

test_that("two responses and collinear conditions", {
  conditions <- cbind(a = mtcars$hp, b = 2 * mtcars$hp)
  set.seed(3)
  given <- fit_flow(mtcars[c("mpg", "wt")], condition = conditions, steps = 2)
  train <- given$rows$train
  line <- lm(cbind(mpg, wt) ~ hp, mtcars, subset = train)
  residual <- as.matrix(mtcars[c("mpg", "wt")]) - predict(line, mtcars)
  density <- normal_log_density_by_hand(residual, c(0, 0), crossprod(residual[train, ]) / length(train))
  expect_equal(given$reference$normal_train, mean(density[train]))
})

test_that("a singular normal has no density", {
  doubled <- cbind(faithful$waiting, 2 * faithful$waiting)
  setup <- list(data = doubled, condition = NULL, weight = NULL)
  expect_true(all(is.na(normal_log_density(setup, 1:272))))
})

test_that("summary() holds what it prints", {
  s <- summary(fit)
  expect_s3_class(s, "summary.bijectr_fit")
  expect_identical(s$rows, c(train = 245L, validation = 27L))
  expect_identical(s$n_parameter, length(coef(fit)))
  expect_identical(s$density["flow", "held out"], fit$reference$flow)
  expect_equal(s$best_step, fit$history$step[which.min(fit$history$validation)])
  text <- capture.output(print(s))
  words <- c(
    "fit_flow(faithful, steps = 20, validation = 0.1)", "245 for training, 27 held out", "status \"finished\"", "gain"
  )
  for (word in words) expect_match(text, word, fixed = TRUE, all = FALSE)
  expect_true(all(nchar(text) <= 80))
  capture.output(expect_invisible(print(s)))
})

test_that("without held-out rows summary() shows the training rows alone", {
  all_rows <- fit_flow(faithful, steps = 3, validation = 0)
  s <- summary(all_rows)
  expect_true(is.na(s$density["flow", "held out"]))
  expect_true(is.na(s$best_step))
  text <- capture.output(print(s))
  expect_match(text, "^ +training$", all = FALSE)
  expect_false(any(grepl("best validation", text)))
})

test_that("a flow that was not fitted has a summary, too", {
  f <- flow(list(layer_coupling(scalar_affine(), net_mlp(width = 4)), layer_flip()), 3, base_normal(trainable = TRUE))
  s <- summary(f)
  expect_s3_class(s, "summary.bijectr_flow")
  expect_identical(s$n_parameter, length(coef(f)))
  expect_identical(s$parts$part, c("normal base", "coupling affine", "permute"))
  expect_equal(s$parts$parameters, c(6, length(coef(f)) - 6, 0))
  expect_output(print(s), "Flow, not fitted: 3 coordinates.*coupling affine +28\n +permute")
  expect_equal(summary(flow(list(), 1))$parts$parameters, 0)
  expect_error(summary(f, digits = 3), "Unknown argument", class = "bijectr_error_argument")
})

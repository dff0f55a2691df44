# fit_flow(data, layers = <a flow>): training starts from the flow's parameters.
data <- function() {
  set.seed(1)
  cbind(a = rnorm(60, 3), b = rnorm(60, -1, 2))
}
quick <- function(layers, ...) {
  control <- fit_control(steps = 2, batch_size = 60, validation = 0, schedule = schedule_constant())
  fit_flow(data(), layers, ..., control = control, progress = FALSE)
}

test_that("the first loss is that of the given flow", {
  set.seed(2)
  layers <- coupling_flow(flow_layers = 2, nn_width = 4, init = "uniform")
  f <- flow(layers, 2, base = base_student_t(4, trainable = TRUE))
  fit <- quick(f, standardize = "none")
  expect_equal(fit$history$train[1], -mean(logdensity(f, data())))
  expect_identical(fit$base, f$base)
  expect_identical(fit$layers, f$layers)
  expect_length(coef(fit), length(coef(f)))
  expect_false(any(coef(fit)[1:2] == coef(f)[1:2]))
})

test_that("a flow that is not standardised is, one that is stays as it is", {
  f <- flow(coupling_flow(flow_layers = 1, nn_width = 4), 2)
  fit <- quick(f)
  expect_identical(fit$layers$layers[[3]]$kind, "standardize")
  again <- quick(fit)
  expect_identical(again$layers, fit$layers)
  expect_equal(again$history$train[1], -mean(logdensity(fit, data())))
})

test_that("conditions keep the scaling of the fit", {
  set.seed(3)
  condition <- cbind(rnorm(60, 10, 5))
  fit <- quick(coupling_flow(flow_layers = 1, nn_width = 4), condition = condition)
  again <- quick(fit, condition = condition + 1)$condition$codecs[[1]]
  expect_identical(again[c("loc", "scale")], fit$condition$codecs[[1]][c("loc", "scale")])
  expect_identical(again$range, range(condition, condition + 1)) # that of all data so far
})

test_that("a flow of another size is refused", {
  expect_error(quick(flow(layer_flip(), 3)), "layers", class = "bijectr_error_argument")
  expect_error(quick(flow(layer_flip(), 2, d_condition = 1)), "condition", class = "bijectr_error_argument")
})

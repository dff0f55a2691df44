test_that("near misses are suggested, and nothing where nothing is near", {
  expect_match(meant("lernin_rate", c("learning_rate", "steps")), "Did you mean .*learning_rate")
  expect_match(meant("Waiting", c("waiting", "eruptions")), "waiting")
  expect_match(meant("log", c("logdensity", "logistic")) %||% "", "^$")
  expect_match(meant("quan", c("quantile", "draws")), "quantile")
  expect_match(meant("stpes", c("steps", "base")), "steps")
  expect_null(meant("zebra", c("waiting", "eruptions")))
  expect_null(meant(character(), "a"))
  expect_match(meant("a{b}", c("a{c}", "zzzzzz"), "{.val {near}}"), "{{c}}", fixed = TRUE)
})

test_that("arguments, choices, columns and kinds of members are suggested", {
  set.seed(1)
  fit <- fit_flow(faithful, members = 1, steps = 3)
  given <- fit_flow(eruptions ~ waiting, faithful, members = 1, steps = 3)
  suggests <- function(code, word) {
    expect_error(code, paste0("(Did you mean|It has) .*", word), class = "bijectr_error_argument")
  }
  suggests(fit_flow(faithful, lerning_rate = 0.1), "learning_rate")
  suggests(fit_flow(eruptions ~ waitin, faithful), "waiting")
  suggests(fit_flow(faithful, members = "nromal"), "normal")
  suggests(fit_flow(faithful, support = list(waitng = positive())), "waiting")
  suggests(plot(fit, "densty"), "density")
  suggests(predict(fit, faithful, "logdensty"), "logdensity")
  suggests(predict(given, data.frame(wating = 3), "median"), "wating: is that")
  suggests(marginal(fit, "waitin"), "waiting")
  suggests(logdensity(fit, data.frame(eruptons = 1, waiting = 2)), "eruptons: is that")
  suggests(logdensity(fit, faithful, conditon = 3), "condition")
})

test_that("errors name the user's own argument", {
  expect_error(coupling_flow(nn_width = "a"), "`nn_width`", class = "bijectr_error_argument")
  expect_error(coupling_flow(nn_depth = -1), "`nn_depth`", class = "bijectr_error_argument")
  expect_error(masked_autoregressive_flow(nn_activation = "rely"), "`nn_act", class = "bijectr_error_argument")
  expect_error(planar_flow(nn_width = 1.5), "`nn_width`", class = "bijectr_error_argument")
  expect_error(layer_elementwise(), "`scalar` is missing", class = "bijectr_error_argument")
  expect_error(layer_radial(), "`scalar` is missing", class = "bijectr_error_argument")
  expect_error(coupling_flow(scalar = 3), "`scalar` must be a scalar", class = "bijectr_error_argument")
})

test_that("a constructor that is not called is called, and a scalar without parameters refused", {
  set.seed(1)
  a <- flow(coupling_flow, 2)
  set.seed(1)
  expect_identical(a, flow(coupling_flow(), 2))
  expect_error(flow(layer_repeat, 2), "must be layers, not a function", class = "bijectr_error_argument")
  expect_error(flow(mean, 2), "must be layers, not a function", class = "bijectr_error_argument")
  for (make in list(layer_coupling, layer_autoregressive, coupling_flow, masked_autoregressive_flow)) {
    expect_error(make(scalar_tanh()), "has none", class = "bijectr_error_argument")
  }
  expect_no_error(layer_coupling(scalar_tanh_affine()))
})

test_that("constructors print so that they can be pasted", {
  set.seed(1)
  pasted <- function(spec) eval(parse(text = capture.output(print(spec))))
  for (spec in list(
    layer_permute(base::sample(40)), layer_standardize(1 / (1:9), sqrt(1:9)), coupling_flow(scalar_rq_spline(5)),
    scalar_power(1 / 3), base_mixture(3)
  )) {
    expect_equal(pasted(spec), spec, tolerance = 1e-14)
  }
  expect_lt(nchar(format(layer_permute(1:40))), 60)
})

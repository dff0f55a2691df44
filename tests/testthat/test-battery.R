# The batteries tell what failed: a wrong result is put in, and the message must lead to it.

failures <- function(code) {
  said <- character()
  withCallingHandlers(code, expectation = function(e) {
    if (!inherits(e, "expectation_failure")) return()
    said <<- c(said, conditionMessage(e))
    invokeRestart(computeRestarts(e)[[1]]) # the one of the expectation: its name is a matter of versions
  })
  said
}

# Runs `code` where the checks find `wrong` under `name`.
with_wrong <- function(name, wrong, code) {
  where <- environment(check_gradient_x)
  right <- get(name, where)
  assign(name, wrong, where)
  on.exit(assign(name, right, where))
  code
}

# flow_vjp() with the wrong sign in one coordinate of one direction at d = 3.
with_wrong_sign <- function(code) {
  wrong <- function(flow, x, inverse = TRUE, cotangents, condition = NULL) {
    out <- bijectr:::flow_vjp(flow, x, inverse, cotangents, condition)
    if (flow$d == 3 && inverse) out$x[, 2] <- -out$x[, 2]
    out
  }
  with_wrong("flow_vjp", wrong, code)
}

test_that("a failed check names itself, d, direction, coordinate and both numbers", {
  said <- failures(with_wrong_sign(for (d in c(1, 2, 3)) expect_layer_ok(layer_planar(), d = d, seed = 5)))
  expect_length(said, 1)
  expect_match(said, "gradient of x, d = 3, inverse, seed 5: gradient[row ", fixed = TRUE)
  expect_match(said, "coordinate 2] is ", fixed = TRUE)
  numbers <- as.numeric(regmatches(said, regexec("is ([-0-9.e]+), should be ([-0-9.e]+) \\(off", said))[[1]][2:3])
  expect_equal(numbers[1], -numbers[2], tolerance = 1e-6)
  expect_match(said, "tolerance 1e-06); 6 of 18 numbers are off", fixed = TRUE)
  expect_match(said, "layer_planar(", fixed = TRUE)
})

test_that("the lines of a failed check bring the subject back", {
  layer <- layer_coupling(scalar_rq_spline(3), net_mlp(4))
  said <- failures(with_wrong_sign(expect_layer_ok(layer, 3, d_condition = 2)))
  made <- new.env()
  lines <- sub("^    ", "", grep("^    ", strsplit(said[[1]], "\n")[[1]], value = TRUE))
  eval(parse(text = lines), made)
  exact <- flow_vjp(made$f, made$at, TRUE, made$cot, made$condition)$x
  worst <- as.integer(regmatches(said[[1]], regexec("row ([0-9]+), coordinate 2", said[[1]]))[[1]][2])
  wrong <- as.numeric(regmatches(said[[1]], regexec("is ([-0-9.e]+), should", said[[1]]))[[1]][2])
  expect_equal(-exact[worst, 2], wrong, tolerance = 1e-12)
})

test_that("an error in a check is a failure of that check", {
  said <- with_wrong(
    "native_vjp", function(...) stop("no root here"),
    failures(expect_scalar_ok(scalar_affine(), c(-1, 0.5, 2), only = "extreme inputs"))
  )
  expect_length(said, 2)
  expect_match(said[[1]], "extreme inputs, d = 1, forward, seed 1: error: no root here", fixed = TRUE)
})

test_that("wrong values, NaN and lengths are told apart", {
  s <- layer_subject(layer_flip(), 2)
  s$check <- "a check"
  expect_match(failures(agree(s, c(1, 2), c(1, NaN), 1e-6, "v")), "v[row 2] is 2, should be NaN", fixed = TRUE)
  expect_match(failures(agree(s, 1:2, 1, 1e-6, "v")), "v has 2 numbers, not 1", fixed = TRUE)
  expect_match(failures(agree_exactly(s, c(1, 2), c(1, 2 + 1e-15), "v")), "v[row 2] is 2, should be 2.00", fixed = TRUE)
  said <- failures(agree_exactly(s, list(a = 1, b = 2), list(a = 1, b = 3), "the"))
  expect_match(said, "the b[row 1] is 2, should be 3", fixed = TRUE)
  expect_match(failures(all_finite(s, c(1, Inf), "v", cbind(5:6))), "v[row 2] is Inf at (6)", fixed = TRUE)
  expect_length(failures(agree(s, 1, 1 + 1e-9, 1e-6, "v")), 0)
})

test_that("specs are told as the call that makes them", {
  for (spec in list(
    layer_planar(), layer_coupling(scalar_rq_spline(4, interval = c(-2, 3)), net_mlp(c(4, 3)), mask = c(TRUE, FALSE)),
    layer_chain(layer_flip(), layer_invert(layer_elementwise(scalar_chain(scalar_affine(), scalar_tanh())))),
    layer_actnorm(), layer_continuous(field_planar(2, net_mlp(3)), solver_tsit5(step = 0.1)), base_student_t(3)
  )) {
    expect_identical(eval(spec_call(spec)), spec)
  }
  said <- deparse(spec_call(layer_planar("leaky_relu", 0.1)))
  expect_identical(said, "layer_planar(activation = \"leaky_relu\", negative_slope = 0.1)")
})

test_that("a target with one coordinate that is not a number is its own root of the generic inverse", {
  f <- flow(layer_elementwise(scalar_affine()), 2)
  f$layers <- new_spec("layer", "chain", layers = list(new_spec("layer", "generic", layer = f$layers)))
  y <- rbind(c(NaN, 1), c(1, NaN), c(Inf, 1), c(1, 1))
  out <- native_map(f, y, NULL, TRUE)
  expect_true(all(is.nan(out$log_density[1:2])))
  expect_equal(out$value[4, ], c(1, 1))
})

# What the core makes of specifications that no constructor wrote.

refused <- function(spec, message) {
  expect_error(flow(spec, d = 2), message, fixed = TRUE, info = message)
}

changed <- function(spec, ...) {
  fields <- list(...)
  spec[names(fields)] <- fields
  spec
}

test_that("fields that are missing, of another type or out of range are refused with kind and name", {
  scalar <- function(...) layer_elementwise(changed(...))
  refused(scalar(scalar_power(2), exponent = NULL), "`exponent` of scalar_power() must be one finite number")
  refused(scalar(scalar_power(2), exponent = "2"), "`exponent` of scalar_power() must be a number")
  refused(scalar(scalar_power(2), exponent = NaN), "`exponent` of scalar_power() must be one finite number")
  refused(scalar(scalar_power(2), exponent = c(1, 2)), "`exponent` of scalar_power() must be one finite number")
  refused(scalar(scalar_rq_spline(), knots = 2.5), "`knots` of scalar_rq_spline() must be one whole number from 1 to")
  refused(scalar(scalar_rq_spline(), knots = 2^31), "`knots` of scalar_rq_spline() must be one whole number from 1 to")
  refused(scalar(scalar_rq_spline(), knots = NA), "`knots` of scalar_rq_spline() must be one whole number from 1 to")
  refused(scalar(scalar_rq_spline(), interval = 1), "`interval` of scalar_rq_spline() must be 2 finite numbers")
  refused(
    scalar(scalar_rq_spline(), boundary = "%s%n"),
    "`boundary` of scalar_rq_spline() must be one of \"linear\" \"free\" \"circular\""
  )
  layer <- layer_elementwise(scalar_exp())
  refused(changed(layer, shared = NA), "`shared` of layer_elementwise() must be TRUE or FALSE")
  refused(changed(layer, scalar = 1), "`scalar` of layer_elementwise() must be given")
  refused(changed(layer_permute(1:2), permutation = c(1, 1)), "`permutation` of layer_permute() must be the numbers 1")
  refused(changed(layer_standardize(1:2, 1:2), loc = 1), "`loc` of layer_standardize() must be 2 finite numbers")
  refused(scalar(scalar_exp(), kind = "%s%n"), "there is no scalar bijection \"%s%n\"")
})

test_that("a field that is not there at all is no default", {
  layer <- layer_elementwise(scalar_exp())
  layer[["shared"]] <- NULL
  refused(layer, "`shared` of layer_elementwise() must be TRUE or FALSE")
})

test_that("specifications are neither nested without end nor larger than memory", {
  scalar <- scalar_exp()
  for (i in 1:100) scalar <- changed(scalar_invert(scalar_exp()), scalar = scalar)
  refused(layer_elementwise(scalar), "nested more than 64 deep")
  expect_error(flow(layer_triangular_affine(), d = 20000), "too large")
  # nor a matter for R's own stack, whose errors have a class since R 4.2
  skip_if(getRversion() < "4.2.0")
  deep <- function(x, wrapped) {
    for (i in 1:3000) x <- wrapped(x)
    x
  }
  too_deep <- function(expr) expect_error(expr, "lists are nested too deep", class = "bijectr_error_argument")
  too_deep(format(changed(layer_elementwise(scalar_exp()), scalar = deep(scalar_exp(), list))))
  too_deep(format(deep(layer_flip(), function(x) changed(layer_invert(layer_flip()), layer = x))))
  too_deep(flow(deep(layer_flip(), function(x) changed(layer_invert(layer_flip()), layer = x)), 2))
  too_deep(layer_chain(deep(layer_flip(), list)))
})

test_that("a specification prints as the call that makes it", {
  prints <- function(spec) {
    text <- expect_no_warning(capture.output(print(spec)))
    bare <- function(spec) lapply(unclass(spec), function(v) if (is.function(v)) deparse(args(v)) else v)
    expect_identical(bare(eval(parse(text = paste(text, collapse = "\n")))), bare(spec), info = format(spec))
  }
  families <- "^(scalar|layer|net|base|field|solver|opt|schedule|loss)_"
  required <- list(
    scalar = scalar_rq_spline(3), exponent = 2, net = net_mlp(c(7, 5)), layer = layer_flip(), times = 2, loc = c(0, 1),
    scale = matrix(c(2, 1, 0, 3), 2), columns = c(1, 3), levels = c(12, 40),
    forward = function(x, params) list(x, 0), size = 4
  )
  dots <- list(
    scalar_chain = list(scalar_affine("exp"), scalar_exp()), net_separate = list(net_mlp(depth = 0), net_fourier(2)),
    layer_chain = list(layer_flip(), layer_invert(layer_roll(2))), base_categorical = list(4, net_mlp(3))
  )
  constructors <- grep(families, getNamespaceExports("bijectr"), value = TRUE)
  expect_gt(length(constructors), 70)
  for (name in constructors) {
    constructor <- get(name, asNamespace("bijectr"))
    missing <- Filter(function(argument) is.symbol(argument) && !nzchar(as.character(argument)), formals(constructor))
    prints(do.call(constructor, dots[[name]] %||% required[setdiff(names(missing), "...")]))
  }
  expect_identical(format(scalar_exp()), "scalar_exp()")
  prints(net_mlp(depth = 0))
  prints(layer_continuous(probe = matrix(c(1, -1), 1), steer = 0.1, trace = "exact"))
  prints(layer_coupling(mask = c(TRUE, FALSE, TRUE), swap = TRUE))
  prints(solver_tsit5(rtol = 1e-5, max_steps = 20))
  prints(layer_radial(scalar_leaky_relu(0.5, "identity"), center = 1:3))
  prints(layer_planar("leaky_relu", 0.25, net_polynomial(2)))
  prints(layer_permute(c(2, 3, 1)))
  prints(loss_importance_weighted(4))
  prints(opt_sgd(0.5, nesterov = TRUE))
})

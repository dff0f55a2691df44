# The battery of scalar bijections: that of all maps, elementwise and with parameters from a conditioner, and checks of
# extreme inputs and parameters.

# `x` are points of the domain, away from kinks (differences are taken across 4e-5). `domain` and `range` are the open
# intervals that the map and its inverse accept. `extreme` bounds the extreme inputs of the map, where its true value
# would overflow, and `extreme_inverse` those of the inverse. `spread` is the standard deviation of the random
# parameters around the initial ones.
expect_scalar_ok <- function(scalar, x, domain = c(-Inf, Inf), range = c(-Inf, Inf), extreme = domain,
                             extreme_inverse = range, spread = 0.5, only = NULL) {
  run <- function(s, checks) expect_checks(s, checks, only = intersect(names(checks), only %||% names(checks)))
  two <- cbind(x, rev(x))
  layer <- layer_elementwise(scalar)
  checks <- c(map_checks[names(map_checks) != "extreme inputs"], generic_scalar_checks)
  run(layer_subject(layer, 2, x = two, spread = spread, range = range), checks)
  within <- list(domain = domain, range = range, extreme = extreme, extreme_inverse = extreme_inverse)
  run(do.call(layer_subject, c(list(layer, 1, x = matrix(x), spread = 0), within)), scalar_checks)

  # parameters from a conditioner, one set a row
  if (length(coef(flow(layer_elementwise(scalar, shared = TRUE), d = 1))) == 0) return(invisible())
  layer <- layer_coupling(scalar, net_mlp(width = 4, activation = "tanh", init = "uniform"))
  run(layer_subject(layer, 2, x = two, spread = spread, range = range), checks)
}

random_flow <- function(layer, d, spread) {
  f <- flow(layer, d = d)
  if (length(coef(f))) params(f) <- coef(f) + spread * stats::rnorm(length(coef(f)))
  f
}

# The gradient of sum(value) + sum(logdet), straight from the core: the public functions take no inputs beyond 1e150,
# but inside a flow a scalar may meet them.
core_vjp <- function(f, x, inverse) {
  one <- list(value = matrix(1, nrow(x), ncol(x)), logdet = rep(1, nrow(x)))
  native_vjp(f, x, NULL, inverse, one)
}

extreme_inputs <- function(within) {
  sizes <- 10^c(-300, -100, -8, 0, 3, 8, 100, 154, 200, 300)
  x <- c(0, sizes, -sizes, within[is.finite(within)] * (1 + 1e-12), within[is.finite(within)] * (1 - 1e-12))
  x[x > within[1] & x < within[2]]
}

# Row by row: sums of such gradients may overflow.
check_scalar_extremes <- function(s) {
  x <- matrix(extreme_inputs(if (s$inverse) s$extreme_inverse else s$extreme))
  out <- core_vjp(s$f, x, s$inverse)
  all_finite(s, out$value, "value", x)
  all_finite(s, out$logdet, "logdet", x)
  for (i in seq_len(nrow(x))) {
    one <- core_vjp(s$f, x[i, , drop = FALSE], s$inverse)
    all_finite(s, one$x, "gradient of x", x[i, , drop = FALSE])
    all_finite(s, one$params, "gradient of parameters", x[i, , drop = FALSE])
  }
}

check_extreme_params <- function(s) {
  f <- s$f
  if (length(coef(f)) == 0) return(invisible())
  for (raw in c(1e300, -1e300, 1e3, -1e3)) {
    params(f) <- raw * rep_len(c(1, -1, -1, 0), length(coef(f)))
    out <- native_map(f, matrix(c(0.4, 0.6)), NULL, s$inverse) # inverse() says NA where these leave no density
    for (what in c("value", "logdet")) {
      all_finite(s, out[[what]], sprintf("with parameters of %g, %s", raw, what), good = not_na)
    }
  }
}
not_na <- function(x) !is.na(x)

# The scalar's own inverse against the root of its forward, with one set of parameters and with one a row.
check_generic_scalar <- function(s) {
  f <- s$f
  f$layers$layers[[1]]$scalar <- new_spec("scalar", "generic", scalar = f$layers$layers[[1]]$scalar)
  agree_with(s, f)
}
generic_scalar_checks <- list("inverse as the generic scalar's" = check_generic_scalar)

# Outside the domain the density is 0, without a NaN anywhere.
check_outside <- function(s) {
  within <- if (s$inverse) s$range else s$domain
  x <- matrix(c(-1e300, -5, 0, within, 5, 1e300))
  x <- x[is.finite(x) & !inside(x, within), , drop = FALSE]
  if (nrow(x) == 0) return(invisible())
  out <- core_vjp(s$f, x, s$inverse)
  all_finite(s, out$value, "value", x)
  agree_exactly(s, out$logdet, rep(-Inf, nrow(x)), "logdet outside the domain")
  all_finite(s, out$x, "gradient of x", x)
}

scalar_checks <- list(
  "extreme inputs" = check_scalar_extremes,
  "extreme parameters" = check_extreme_params,
  "outside the domain" = check_outside
)

# Flows whose parameters are finite but too large for doubles.

# With all parameters at `values`.
params_at <- function(f, values) {
  params(f) <- rep_len(values, length(coef(f)))
  f
}

# Its draws are not numbers.
huge_flow <- function() {
  params_at(flow(layer_chain(layer_triangular_affine(), layer_triangular_affine()), 3), c(1e300, -1e300, 1e308))
}

# exp(shift + scale z): draws overflow where that is above 709.
exploding_flow <- function(d, shift, scale) {
  f <- flow(list(layer_elementwise(scalar_affine(scale = "exp")), layer_elementwise(scalar_exp())), d)
  params_at(f, rep(c(shift, log(scale)), each = d))
}

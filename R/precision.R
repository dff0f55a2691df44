# What perceptrons compute in, see src/core/single.h. Their specs have an entry `precision` only where it is "single".

PRECISIONS <- c("double", "single")

with_precision <- function(spec, precision) {
  if (check_choice(precision, PRECISIONS, "precision") == "single") spec$precision <- "single"
  spec
}

# Hidden units from which on products of matrices are most of a step, in a net and in a field; tolerances of a solver
# below which it would follow the rounding of its field.
WIDE_NET <- 128
WIDE_FIELD <- 64
SINGLE_TOLERANCE <- 1e-6

# The solver of a field: its steps cannot be more accurate than floats where the field computes in these.
solver_for <- function(solver, field) {
  if (!identical(field$precision, "single")) return(solver)
  for (name in c("rtol", "atol", "training")) {
    if (!is.null(solver[[name]])) solver[[name]] <- max(solver[[name]], SINGLE_TOLERANCE)
  }
  solver
}

# The flow as it is trained; fits of before have no `precision`.
trained_as <- function(flow, control) {
  precision <- control$precision %||% "double"
  if (precision == "double") return(flow)
  flow[c("layers", "base")] <- lapply(flow[c("layers", "base")], in_single, all = precision == "single")
  flow
}

# A part of a flow with its perceptrons in single precision, all of them or those that gain by it.
in_single <- function(x, all, exact = FALSE) {
  if (!is.list(x)) return(x)
  if (inherits(x, "bijectr_layer_continuous")) {
    exact <- (x$solver$training %||% min(Inf, x$solver$rtol, x$solver$atol)) < SINGLE_TOLERANCE
  }
  parts <- vapply(x, is.list, NA)
  x[parts] <- lapply(x[parts], in_single, all = all, exact = exact)
  if (inherits(x, "bijectr_layer_continuous")) x$solver <- solver_for(x$solver, x$field)
  wide <- inherits(x, "bijectr_net_mlp") && max(0, x$width) >= WIDE_NET ||
    inherits(x, "bijectr_field_mlp") && max(x$width) >= WIDE_FIELD && !exact
  if (wide || all && inherits(x, c("bijectr_net_mlp", "bijectr_field_mlp"))) x$precision <- "single"
  x
}

# Flows of what was fitted by other means than training.

# A flow without trained layers: a base, and `inner` layers, with raw parameters `raw`, moved by `slope` times the
# conditions (columns by coordinates), in the units of the data.
closed_flow <- function(problem, base, raw, slope = NULL, inner = NULL) {
  line <- problem$line
  layers <- c(inner, list(
    if (!is.null(slope)) layer_additive_condition(), layer_standardize(line$center, line$scale), line$layer
  ))
  # initial parameters, which draw random numbers, are not used
  flow <- with_seed(1, new_flow(layer_chain(Filter(Negate(is.null), layers)), problem$d, base, problem$d_condition))
  flow["params"] <- list(c(raw, if (!is.null(slope)) as.vector(t(slope))))
  flow
}

with_intercept <- function(given) cbind(1, given)

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

with_intercept <- function(given) cbind(rep(1, nrow(given)), given)

# Where closed forms work, list(data, center, scale, layer): columns behind their supports, and about what they are.
line_behind <- function(problem, supports) {
  layer <- support_layer(supports)
  line <- on_the_line(problem$data, layer)$data
  look <- look_at_rows(problem$rows$train, problem$weights, rows_enough(problem$d))
  moments <- row_moments(line, look$rows, look$weights)
  list(data = line, center = unname(moments$center), scale = unname(moment_scale(moments)), layer = layer)
}

# Rows as closed forms see them, list(z, w, given): behind the supports, of about unit scale, no more than are enough.
closed_rows <- function(problem, rows, most = rows_enough(problem$d)) {
  look <- look_at_rows(rows$train, problem$weights, most)
  line <- problem$line
  w <- look$weights[look$rows]
  list(
    z = unname(rows_at(line$data, look$rows, line$center, line$scale)), w = if (!is.null(w)) w / mean(w),
    given = unname(rows_at(problem$condition, look$rows))
  )
}

# ---- rows nearby -----------------------------------------------------------------------------------------------------

# Of rows of x, a row each, and of y, a column each: exp(-r / width), r the root of the mean squared difference,
nearness <- function(x, y, width) native_near_kernels(x, y, 1 / (width * sqrt(ncol(x))), FALSE)
# and exp(-r^2 / (2 width^2)), r their distance.
normal_kernels <- function(x, y, width) native_near_kernels(x, y, 1 / (2 * width^2), TRUE)

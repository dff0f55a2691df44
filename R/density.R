# What a distribution does with points of the core: generics over which the verbs are written. A flow does all of it by
# its map of the base; stacks have methods in stack.R. Points and conditions are encoded, as take_in() gives them.

# Log densities, one a row.
points_density <- function(object, points, condition) UseMethod("points_density")

#' @export
points_density.bijectr_flow <- function(object, points, condition) native_log_density(object, points, condition)

# Draws, one a row; of `n` rows of conditions one each.
points_drawn <- function(object, n, condition) UseMethod("points_drawn")

#' @export
points_drawn.bijectr_flow <- function(object, n, condition) {
  native_map(object, native_draw(object, n, condition, draw_seed()), condition, inverse = FALSE)$value
}

# Draws with their log densities, list(value, log_density).
points_proposed <- function(object, n, condition) UseMethod("points_proposed")

#' @export
points_proposed.default <- function(object, n, condition) {
  value <- points_drawn(object, n, condition)
  list(value = value, log_density = points_density(object, value, condition))
}

#' @export
points_proposed.bijectr_flow <- function(object, n, condition) {
  native_map(object, native_draw(object, n, condition, draw_seed()), condition, inverse = FALSE)
}

# Of one coordinate: its distribution function at points that may be infinite.
points_cdf <- function(object, points, condition, lower_tail, log_p) UseMethod("points_cdf")

#' @export
points_cdf.bijectr_flow <- function(object, points, condition, lower_tail, log_p) {
  x <- column(points, 1)
  if (!length(x)) return(numeric())
  end <- is.infinite(x)
  back <- native_map(object, matrix(replace(x, end, 0)), condition, inverse = TRUE)
  z <- back$value[, 1]
  increasing <- flow_increases(object, condition)
  direction <- if (increasing) 1 else -1
  outside <- back$logdet == -Inf
  if (any(outside)) {
    # no inverse: all of the distribution lies on one side, that of its median
    half <- matrix(base_quantile(object, rep(0.5, length(x)), condition))
    middle <- native_map(object, half, condition, inverse = FALSE)$value[, 1]
    z[outside] <- (direction * ifelse(x < middle, -Inf, Inf))[outside]
  }
  z[end] <- direction * x[end]
  base_cdf(object, z, condition, lower.tail = lower_tail == increasing, log.p = log_p)
}

# Of one coordinate: its quantiles, one for each row of conditions.
points_quantile <- function(object, p, condition, lower_tail, log_p) UseMethod("points_quantile")

#' @export
points_quantile.bijectr_flow <- function(object, p, condition, lower_tail, log_p) {
  lower_tail <- lower_tail == flow_increases(object, condition)
  z <- matrix(base_quantile(object, p, condition, lower.tail = lower_tail, log.p = log_p))
  native_map(object, z, condition, inverse = FALSE)$value[, 1]
}

# A flow of one coordinate is monotone, but not always increasing: a power with a negative exponent turns it round.
flow_increases <- function(flow, condition) {
  if (!length(flow$layers$layers)) return(TRUE)
  given <- if (!is.null(condition)) rows_at(condition, c(1, 1))
  z <- matrix(base_quantile(flow, c(0.25, 0.75), given))
  ends <- native_map(flow, z, given, inverse = FALSE)$value
  ends[1] < ends[2]
}

RESPONSE_NODES <- 399L # a lognormal mean of sigma 1 to 1e-6
RESPONSE_DRAWS <- 2000L

# Points whose weighted means are those of the distribution, list(x, weight, far): of each of `n` rows of conditions as
# many points, row after row, as `weight` has rows, which has a column for each of these; `far` says which are beyond
# the FAR_SHARE quantiles. Of one coordinate they are quantiles, of several draws: see response.R.
points_spread <- function(object, n, condition) UseMethod("points_spread")

#' @export
points_spread.bijectr_flow <- function(object, n, condition) {
  if (object$d > 1) return(drawn_spread(object, n, condition))
  spread_of_one(object, n, condition, RESPONSE_NODES)
}

# The same of what is no stack, of one coordinate, by so many nodes or about as many.
spread_of_one <- function(object, n, condition, nodes) UseMethod("spread_of_one")

#' @export
spread_of_one.default <- function(object, n, condition, nodes) {
  rule <- quantile_rule(nodes)
  given <- if (!is.null(condition)) rows_at(condition, rep(seq_len(n), each = nodes))
  x <- if (!inherits(object, "bijectr_flow") || has_base_net(object)) { # no map, or no base that all rows share
    low <- rep(rule$low, n)
    out <- numeric(length(low))
    for (below in c(TRUE, FALSE)) {
      i <- which(low == below)
      out[i] <- points_quantile(object, rep(rule$p, n)[i], rows_at(given, i), below, FALSE)
    }
    matrix(out)
  } else {
    of_base <- function(below) base_quantile(object, rule$p[rule$low == below], NULL, lower.tail = below)
    native_map(object, matrix(rep(c(of_base(TRUE), of_base(FALSE)), n)), given, inverse = FALSE)$value
  }
  list(x = x, weight = matrix(rule$weight, nodes, n), far = rule$far)
}

# How many points a row that has, by so many nodes.
count_of_one <- function(object, nodes) UseMethod("count_of_one")

#' @export
count_of_one.default <- function(object, nodes) nodes

# How many points a row.
spread_size <- function(object) UseMethod("spread_size")

#' @export
spread_size.bijectr_flow <- function(object) if (object$d == 1) RESPONSE_NODES else RESPONSE_DRAWS

drawn_spread <- function(object, n, condition, m = RESPONSE_DRAWS) {
  given <- if (!is.null(condition)) rows_at(condition, rep(seq_len(n), each = m))
  list(x = points_drawn(object, m * n, given), weight = matrix(1 / m, m, n), far = rep(FALSE, m))
}

FAR_SHARE <- 1e-3

# From 0 to 1 by steps that are small at both ends.
crowded <- function(u) u^3 * (10 - 15 * u + 6 * u^2)

# Probabilities, of the lower tail where they are `low`, their weights, and which are far out. The upper half is counted
# from above, where p is 1 to many digits.
quantile_rule <- function(nodes) {
  u <- (seq_len(nodes) - 0.5) / nodes
  half <- u[u <= 0.5]
  p <- crowded(half)
  upper <- rev(p[half < 0.5])
  weight <- (u * (1 - u))^2
  list(
    p = c(p, upper), low = rep(c(TRUE, FALSE), c(length(p), length(upper))), weight = weight / sum(weight),
    far = c(p, upper) < FAR_SHARE
  )
}

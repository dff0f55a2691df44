# What is known of rows of one coordinate beside a number that stands for each: an interval that the row lies in and one
# outside of which it would not have been seen, a record of lower, upper, from and to as times.R describes it. Whole
# numbers k have one too, (k - 1/2, k + 1/2]. A problem has it as `observed`, NULL where rows are points; the log
# likelihood of a row is then, with F the distribution function,
#
#   log(F(upper) - F(lower)), or the log density where upper = lower, minus log(F(to) - F(from))

observed_whole <- function(data) {
  x <- column(data, 1)
  odd <- which(x != round(x))
  if (length(odd)) {
    stop_arg("Column {.field {column_label(data, 1)}} of {.arg data} must be whole numbers: row {odd[1]} is
              {x[odd[1]]}.")
  }
  around_whole(x)
}

around_whole <- function(x) {
  n <- length(x)
  list(lower = x - 0.5, upper = x + 0.5, from = rep(-Inf, n), to = rep(Inf, n))
}

# The record of some rows; NULL, points, has none.
observed_at <- function(observed, i) if (!is.null(observed)) lapply(observed, `[`, i)

# By what rows of data are told from others.
told_by <- function(data, observed) observed %||% data

# The same of rows that were taken in again for a fit, in which whole numbers have no record yet.
told_again <- function(fit, data, observed) {
  told_by(data, if (is.null(observed) && is_whole(fit)) around_whole(column(data, 1)) else observed)
}

# ---- likelihoods -----------------------------------------------------------------------------------------------------

# Log likelihoods of rows as a fit says them: log densities, of whole numbers log probabilities, and of rows with a
# record those that are written above.
rows_density <- function(object, points, condition, observed = NULL) {
  if (is.null(observed) && is_whole(object)) return(whole_density(object, points, condition))
  if (is.null(observed)) points_density(object, points, condition) else interval_density(object, observed, condition)
}

whole_density <- function(object, points, condition) UseMethod("whole_density")

#' @export
whole_density.default <- function(object, points, condition) {
  x <- column(points, 1)
  value <- log_interval(object, x - 0.5, x + 0.5, condition)
  value[x != round(x)] <- -Inf
  value
}

interval_density <- function(object, observed, condition) UseMethod("interval_density")

#' @export
interval_density.default <- function(object, observed, condition) {
  value <- numeric(length(observed$lower))
  exact <- observed$lower == observed$upper
  at <- which(exact)
  if (length(at)) value[at] <- rows_density(object, matrix(observed$lower[at]), rows_at(condition, at))
  probability <- function(from, to, at) log_interval(object, from[at], to[at], rows_at(condition, at))
  at <- which(!exact)
  if (length(at)) value[at] <- probability(observed$lower, observed$upper, at)
  at <- which(observed$from > -Inf | observed$to < Inf)
  if (length(at)) value[at] <- value[at] - probability(observed$from, observed$to, at)
  value
}

# log(F(upper) - F(lower)) by the tail that has the digits: of F(upper) and 1 - F(lower) the smaller one.
log_interval <- function(object, lower, upper, condition) {
  tails <- function(x, below, i = seq_along(x)) points_cdf(object, matrix(x[i]), rows_at(condition, i), below, TRUE)
  above <- tails(lower, FALSE)
  below <- tails(upper, TRUE)
  by_above <- above < below
  large <- pmin(above, below)
  small <- large
  if (any(by_above)) small[by_above] <- tails(upper, FALSE, which(by_above))
  if (!all(by_above)) small[!by_above] <- tails(lower, TRUE, which(!by_above))
  value <- large + log(-expm1(pmin(small - large, 0))) # rounding may turn them round
  value[large == -Inf] <- -Inf
  value
}

# Points of the line within intervals, drawn from a flow of the line: where the fit is right, their distribution is that
# of the flow. A row that lies at a point stays there.
drawn_within <- function(flow, lower, upper, condition) {
  ends <- function(below) {
    at <- function(x) points_cdf(flow, matrix(x), condition, below, FALSE)
    cbind(at(lower), at(upper))
  }
  below <- ends(TRUE)
  above <- ends(FALSE)
  share <- stats::runif(length(lower))
  low <- below[, 1] < 0.5 # by the tail that has the digits
  p <- ifelse(low, below[, 1] + share * (below[, 2] - below[, 1]), above[, 2] + share * (above[, 1] - above[, 2]))
  out <- lower
  for (tail in c(TRUE, FALSE)) {
    i <- which(low == tail & lower < upper)
    if (length(i)) out[i] <- points_quantile(flow, p[i], rows_at(condition, i), tail, FALSE)
  }
  out
}

# ---- training --------------------------------------------------------------------------------------------------------

# The space of training_space() for the loss of intervals. `shift` is what the change of units adds to the loss of the
# rows that lie at points; probabilities have no units.
in_intervals <- function(space, flow, observed, condition, rows, weights) {
  inner <- space$flow %||% flow
  outer <- last_support_layer(flow$layers$layers)
  on_line <- lapply(observed, end_on_the_line, outer$scalar[[1]])
  exact <- which(observed$lower == observed$upper)
  slope <- numeric(length(observed$lower))
  if (length(exact)) slope[exact] <- on_the_line(matrix(observed$lower[exact]), outer)$slope
  list(
    flow = space$flow, data = matrix(on_line$lower), ends = cbind(on_line$upper, on_line$from, on_line$to),
    shift = -vapply(rows[c("train", "validation")], function(i) mean_of_rows(slope, i, weights), 0),
    loss = loss_interval_likelihood(flow_increases(inner, condition))
  )
}

# Ends behind the support of a column, infinite where they are not inside.
end_on_the_line <- function(end, scalar) {
  lower <- scalar$lower %||% -Inf
  upper <- scalar$upper %||% Inf
  inside <- end > lower & end < upper
  end[!inside] <- ifelse(end[!inside] <= lower, -Inf, Inf)
  if (is.null(scalar) || !any(inside)) return(end)
  end[inside] <- on_the_line(matrix(end[inside]), layer_elementwise(list(scalar)))$data[, 1]
  end
}

# ---- numbers that stand for rows -------------------------------------------------------------------------------------

# One a row, by which supports and scales are found: of rows that lie in an interval the means that they have under the
# normal distribution, behind the support, that is most likely (EM; entry times count for nothing).
REPRESENTATIVE_STEPS <- 30

representatives <- function(observed, support, weights = NULL) {
  layer <- support_layer(list(support))
  lower <- end_on_the_line(observed$lower, layer$scalar[[1]])
  upper <- end_on_the_line(observed$upper, layer$scalar[[1]])
  exact <- lower == upper
  w <- if (is.null(weights)) rep(1, length(lower)) else weights
  w <- w / sum(w)
  z <- ifelse(is.finite(lower), ifelse(is.finite(upper), lower / 2 + upper / 2, lower), upper)
  z[!is.finite(z)] <- sum((w * z)[is.finite(z)]) / sum(w[is.finite(z)])
  spread <- 0
  for (step in seq_len(REPRESENTATIVE_STEPS)) {
    mean <- sum(w * z)
    sd <- sqrt(sum(w * ((z - mean)^2 + spread)))
    if (!(sd > 0)) break
    moments <- normal_moments((lower - mean) / sd, (upper - mean) / sd)
    z <- ifelse(exact, lower, mean + sd * moments$mean)
    spread <- ifelse(exact, 0, sd^2 * moments$variance)
  }
  z <- from_the_line(matrix(z), layer)$value[, 1]
  z <- pmin(pmax(z, observed$lower), observed$upper)
  ifelse(exact, observed$lower, z)
}

# Of a standard normal within (a, b).
normal_moments <- function(a, b) {
  swap <- a > 0 # by the tail that has the digits
  low <- ifelse(swap, -b, a)
  high <- ifelse(swap, -a, b)
  log_high <- stats::pnorm(high, log.p = TRUE)
  log_p <- log_high + log(-expm1(stats::pnorm(low, log.p = TRUE) - log_high))
  density <- function(x) exp(stats::dnorm(x, log = TRUE) - log_p)
  times <- function(x, y) ifelse(is.finite(x), x * y, 0)
  mean <- density(low) - density(high)
  variance <- 1 + times(low, density(low)) - times(high, density(high)) - mean^2
  far <- !is.finite(mean) # an interval without probability
  mean[far] <- ifelse(is.finite(high[far]), high[far], low[far])
  variance[far | !is.finite(variance) | variance < 0] <- 0
  list(mean = ifelse(swap, -mean, mean), variance = variance)
}

# How an interval with one end becomes the line: by a logarithm, a softplus, or what is between them.

# Logarithms are taken where they are less skewed than the values by so much, and the tail says nothing against them.
BENT <- 0.4

# Of powers from 0, which is "log", to 1, "softplus", that behind which the values beyond the median are most like the
# half of a normal distribution: the likelihood of Box and Cox (1964), of that half. So draws far out are as far as the
# tail of the values says: behind a logarithm too many they are exponentials of what is far out. NULL: too few values.
tail_power <- function(distance, weights, scale) {
  w <- if (is.null(weights)) rep(1, length(distance)) else weights * (effective_rows(0, weights) / sum(weights))
  beyond <- distance > scale
  r <- log1p(distance[beyond] / scale)
  w <- w[beyond]
  if (sum(w) < POWER_ROWS) return(NULL)
  likelihood <- function(power) {
    q <- if (power == 0) r else expm1(power * r) / power
    log_rest <- log(-expm1(-q))
    squares <- sum(w * (q + log_rest - line_of_median(power))^2)
    sum(w * ((power - 1) * r - log_rest)) - sum(w) / 2 * log(squares / sum(w))
  }
  found <- stats::optimize(likelihood, c(0, 1), maximum = TRUE, tol = 1e-3)
  bent <- abs(skewness(log(distance), weights)) < BENT * abs(skewness(distance, weights))
  if (bent && likelihood(0) > found$objective - POWER_CLEAR) return(0)
  found$maximum
}

# Where the map takes the median, of which r is log(2).
line_of_median <- function(power) {
  q <- if (power == 0) log(2) else expm1(power * log(2)) / power
  q + log(-expm1(-q))
}

# Twice the logarithm of a likelihood ratio is above 3.84 once in twenty times where there is nothing in it.
POWER_CLEAR <- 3.84 / 2
POWER_ROWS <- 10
POWER_LITTLE <- 0.1 # less is nearly a logarithm
POWER_MOST <- 0.75 # more is nearly a softplus

# A curve that was learned is straight beyond so many times the largest distance from the end: nothing was learned of
# what is there, and a t distribution behind a logarithm has neither a mean nor an end.
REACH <- 2

reach_of <- function(furthest) min(1e300, max(1e-300, REACH * furthest))

# `support` with its curve, where neither it nor `curve` says so. The scale is the median distance from the end. `train`
# are training values, `ends` the smallest and the largest of all.
with_curve <- function(support, train, ends, weights = NULL, curve = NULL) {
  if (sum(is.finite(c(support$lower, support$upper))) != 1) return(support)
  from_end <- function(value) if (is.finite(support$lower)) value - support$lower else support$upper - value
  distance <- from_end(train)
  support$curve <- support$curve %||% curve
  learned <- is.null(support$curve)
  scale <- weighted_quantile(distance, 0.5, weights)
  if (is.null(support$curve) || support$curve == "power") {
    power <- tail_power(distance, weights, scale) %||% 1
    by_power <- if (power < POWER_LITTLE) "log" else if (power > POWER_MOST) "softplus" else "power"
    support$curve <- support$curve %||% by_power
    if (support$curve == "power") support$power <- max(0.01, power)
  }
  if (support$curve != "log") support$scale <- scale
  if (learned && support$curve != "softplus") support$reach <- reach_of(max(from_end(ends)))
  support
}

# 0 where all values are the same.
skewness <- function(x, weights = NULL) {
  average <- if (is.null(weights)) mean else function(x) stats::weighted.mean(x, weights)
  x <- x / max(abs(x), .Machine$double.xmin)
  x <- x - average(x)
  variance <- average(x^2)
  if (variance > 0) average(x^3) / variance^1.5 else 0
}

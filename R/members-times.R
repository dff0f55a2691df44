# Members of a stack for censored times: accelerated failure time models, by maximum likelihood. Behind the support, on
# the line where times are their logarithms, with conditions x and an error e of one shape,
#
#   y = loc + slope'x + s e,    u = (y - loc - slope'x) / s = a y - b0 - b'x
#
# e is normal (times are lognormal), logistic (log-logistic), or as the logarithm of an exponential (Weibull). In (a, b)
# the log likelihood is concave but for entry times (Burridge 1981); with a = exp(log a) it is made largest by its
# gradient, minus penalty |b|^2 / 2: a normal prior of the slopes, in units of the error, of conditions in units of
# their standard deviations.

# Each shape: its log density of u, the slope of that, and the logarithms of both tails.
TIMES_SHAPES <- list(
  normal = list(
    log_density = function(u) stats::dnorm(u, log = TRUE), slope = function(u) -u,
    tails = function(u) {
      list(below = stats::pnorm(u, log.p = TRUE), above = stats::pnorm(u, lower.tail = FALSE, log.p = TRUE))
    }
  ),
  logistic = list(
    log_density = function(u) stats::dlogis(u, log = TRUE), slope = function(u) 1 - 2 * stats::plogis(u),
    tails = function(u) {
      list(below = stats::plogis(u, log.p = TRUE), above = stats::plogis(u, lower.tail = FALSE, log.p = TRUE))
    }
  ),
  minimum = list(
    log_density = function(u) u - exp(pmin(u, 700)), slope = function(u) 1 - exp(pmin(u, 700)),
    tails = function(u) list(below = ifelse(u < -30, u, log(-expm1(-exp(u)))), above = -exp(u))
  )
)

# Strengths of the prior, tried in this order; without conditions there are no slopes.
TIMES_PENALTIES <- c(0, 1, 4, 16, 64, 256)

times_member <- function(problem, rows, shape, size) {
  if (size$penalty > 0 && problem$d_condition == 0) return(NULL)
  look <- look_at_rows(rows$train, problem$weights, rows_enough(1 + problem$d_condition))
  line <- problem$line
  ends <- lapply(observed_at(problem$observed, look$rows), function(end) {
    (end_on_the_line(end, line$layer$scalar[[1]]) - line$center) / line$scale
  })
  given <- unname(rows_at(problem$condition, look$rows))
  found <- fit_times(ends, given, look$weights[look$rows], TIMES_SHAPES[[shape]], size$penalty)
  # the logarithm of an exponential is a Gumbel variable, of maxima, turned round by a reflection of the line
  base <- switch(shape, normal = base_normal(), logistic = base_logistic(), minimum = base_gumbel())
  inner <- c(
    if (shape == "minimum") list(layer_householder(1)), list(layer_elementwise(scalar_affine("exp", min_scale = 0)))
  )
  raw <- c(if (shape == "minimum") 1, found$loc, log(found$scale))
  list(closed_flow(problem, base, raw, found$slope, inner))
}

# list(loc, scale, slope), slopes a matrix of one column, NULL without conditions.
fit_times <- function(ends, given, w, shape, penalty) {
  n <- length(ends$lower)
  x <- if (is.null(given)) matrix(1, n, 1) else with_intercept(given)
  w <- if (is.null(w)) rep(1, n) else w / mean(w)
  k <- ncol(x)
  ridge <- c(0, rep(max(penalty, 1e-6), k - 1))
  exact <- which(ends$lower == ends$upper)
  wide <- which(ends$lower < ends$upper)
  seen <- which(ends$from > -Inf | ends$to < Inf)
  # minus the penalised log likelihood of log a and b, and its gradient
  value <- function(theta) {
    at <- times_likelihood(theta, ends, x, shape, exact, wide, seen)
    loss <- -sum(w * at$value) + sum(ridge * theta[-1]^2) / 2
    gradient <- -c(sum(w * at$by_log_a), crossprod(x, w * at$by_b)) + c(0, ridge * theta[-1])
    far <- !is.finite(loss) # a step into nowhere, which is taken back
    list(loss = if (far) 1e300 else loss, gradient = ifelse(is.finite(gradient), gradient, 0))
  }
  found <- stats::nlminb(rep(0, k + 1), function(theta) value(theta)$loss, function(theta) value(theta)$gradient,
    control = list(eval.max = 1000, iter.max = 500, rel.tol = 1e-13)
  )
  scale <- exp(-found$par[1])
  b <- found$par[-1]
  list(loc = b[1] * scale, scale = scale, slope = if (k > 1) matrix(b[-1] * scale))
}

# Log likelihoods of rows with their derivatives with respect to log a and to b0, list(value, by_log_a, by_b).
times_likelihood <- function(theta, ends, x, shape, exact, wide, seen) {
  a <- exp(theta[1])
  shift <- drop(x %*% theta[-1])
  out <- list(value = numeric(length(shift)), by_log_a = numeric(length(shift)), by_b = numeric(length(shift)))
  u <- a * ends$lower[exact] - shift[exact]
  slope <- shape$slope(u)
  out$value[exact] <- theta[1] + shape$log_density(u)
  out$by_log_a[exact] <- 1 + slope * a * ends$lower[exact]
  out$by_b[exact] <- -slope
  add <- function(out, rows, from, to, sign) {
    low <- a * from[rows] - shift[rows]
    high <- a * to[rows] - shift[rows]
    log_p <- log_between(shape$tails(low), shape$tails(high))
    push <- function(u) ifelse(is.finite(u), exp(shape$log_density(u) - log_p), 0)
    moved <- function(u, y) ifelse(is.finite(u), push(u) * a * y, 0)
    out$value[rows] <- out$value[rows] + sign * log_p
    out$by_log_a[rows] <- out$by_log_a[rows] + sign * (moved(high, to[rows]) - moved(low, from[rows]))
    out$by_b[rows] <- out$by_b[rows] - sign * (push(high) - push(low))
    out
  }
  out <- add(out, wide, ends$lower, ends$upper, 1)
  add(out, seen, ends$from, ends$to, -1)
}

# log(F(high) - F(low)) of two points' tails, by the one that has the digits.
log_between <- function(low, high) {
  by_above <- low$above < high$below
  large <- ifelse(by_above, low$above, high$below)
  small <- ifelse(by_above, high$above, low$below)
  ifelse(large == -Inf, -Inf, large + log(-expm1(small - large)))
}

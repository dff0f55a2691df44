# Members of a stack for counts, whole numbers with a smallest value and no largest: regressions by maximum likelihood.
# With conditions x, y the number less the smallest, f the negative binomial probability of mean m and size a, and z the
# probability of a zero that is none of its, 0 but in the zero-inflated kind,
#
#   p(y | x) = z [y = 0] + (1 - z) f(y; m, a),   m = exp(b0 + b'x),   a = exp(s),   z = 1 / (1 + exp(-c0 - c'x))
#   log f(y; m, a) = lgamma(y + a) - lgamma(a) - lgamma(y + 1) + a log(a / (a + m)) + y log(m / (a + m))
#
# Poisson regression is where a is large. Penalised by penalty |b|^2 / 2, a normal prior of the slopes for conditions in
# units of their standard deviations, and a little for what zeros alone would send off to infinity. Sources: Lawless
# (1987), Negative binomial and mixed Poisson regression, Canadian Journal of Statistics 15, 209-225,
# doi:10.2307/3314912; Lambert (1992), Zero-inflated Poisson regression, Technometrics 34, 1-14, doi:10.2307/1269547.
#
# A member is plain data of class bijectr_counts: `kind`, `d` (1), `d_condition`, `lower` (the smallest number), `size`
# (s), `mean` (b0, b), `zero` (c0, c; NULL where there is no such zero), `levels` (of codes among the conditions) and
# `params`, these numbers.

COUNTS_PENALTIES <- c(0, 1, 4, 16, 64)
SIZE_MOST <- 12 # of s: a Poisson distribution
SIZE_PRIOR <- 0.01
ZERO_PRIOR <- c(0.02, 1) # of c0, and the least of c
LOG_MEAN_MOST <- 40

# Kinds that have nothing to be fitted to have no sizes.
counts_sizes <- function(problem) {
  support <- problem$rules$given[[1]]
  if (problem$rows_are != "whole" || !is.finite(support$lower) || is.finite(support$upper)) return(list())
  penalties <- if (problem$d_condition > 0) COUNTS_PENALTIES else 0
  lapply(penalties, function(penalty) list(penalty = penalty))
}

# Counts with much less variance than a Poisson distribution of their mean has: no condition makes a negative binomial
# of these, whose variances are larger, and by conditions only part of the variance is left.
is_even_count <- function(problem) {
  if (!length(counts_sizes(problem))) return(FALSE)
  at <- coded_rows(problem, problem$rows, rows_enough(1))
  y <- at$x - (problem$rules$given[[1]]$lower + 0.5)
  w <- at$w %||% rep(1, length(y))
  mean <- sum(w * y) / sum(w)
  sum(w * (y - mean)^2) / sum(w) < EVEN_COUNT * mean
}

EVEN_COUNT <- 0.5

# From one penalty to the next the search goes on where it ended, of the same rows.
counts_member <- function(problem, rows, inflated, size) {
  at <- coded_rows(problem, rows, rows_enough(1 + problem$d_condition))
  lower <- problem$rules$given[[1]]$lower + 0.5
  x <- if (is.null(at$given)) matrix(1, length(at$x), 1) else with_intercept(at$given)
  key <- paste(inflated, rlang::hash(rows$train))
  found <- fit_counts(at$x - lower, x, at$w, inflated, size$penalty, problem$memo[[key]])
  problem$memo[[key]] <- c(found$size, found$mean, found$zero)
  list(structure(
    list(
      kind = if (inflated) "zero_inflated" else "negative_binomial", d = 1L,
      d_condition = as.integer(problem$d_condition), lower = lower, size = found$size, mean = found$mean,
      zero = found$zero, levels = problem$levels, params = c(found$size, found$mean, found$zero)
    ),
    class = "bijectr_counts"
  ))
}

# list(size, mean, zero)
fit_counts <- function(y, x, w, inflated, penalty, start = NULL) {
  w <- w %||% rep(1, length(y))
  k <- ncol(x)
  mean <- 1 + seq_len(k)
  zero <- if (inflated) 1 + k + seq_len(k)
  slope <- max(penalty, 1e-6)
  ridge <- c(
    SIZE_PRIOR, 1e-6, rep(slope, k - 1), if (inflated) c(ZERO_PRIOR[1], rep(max(slope, ZERO_PRIOR[2]), k - 1))
  )
  # minus the penalised log likelihood, and its gradient; which are asked for at the same places
  last <- NULL
  value <- function(theta) {
    if (identical(theta, last$theta)) return(last)
    at <- counts_likelihood(y, exp(theta[1]), drop(x %*% theta[mean]), if (inflated) drop(x %*% theta[zero]))
    loss <- -sum(w * at$value) + sum(ridge * theta^2) / 2
    gradient <- -c(sum(w * at$by_size), crossprod(x, w * at$by_mean), if (inflated) crossprod(x, w * at$by_zero)) +
      ridge * theta
    gradient[!is.finite(gradient)] <- 0
    last <<- list(theta = theta, loss = if (is.finite(loss)) loss else 1e300, gradient = gradient)
    last
  }
  start <- start %||% c(0, log(max(sum(w * y) / sum(w), 1e-3)), rep(0, k - 1), if (inflated) c(-1, rep(0, k - 1)))
  found <- stats::nlminb(start, function(theta) value(theta)$loss, function(theta) value(theta)$gradient,
    upper = c(SIZE_MOST, rep(Inf, length(start) - 1)), control = list(eval.max = 500, iter.max = 300, rel.tol = 1e-10)
  )
  list(size = found$par[1], mean = found$par[mean], zero = if (inflated) found$par[zero])
}

# Log probabilities of y with their derivatives with respect to log a, log m and the logit of z, NULL where that is 0.
counts_likelihood <- function(y, size, log_mean, logit) {
  mean <- exp(pmin(log_mean, LOG_MEAN_MOST))
  value <- stats::dnbinom(y, size = size, mu = mean, log = TRUE)
  by_mean <- size * (y - mean) / (size + mean)
  by_size <- size * (digamma(y + size) - digamma(size) + log(size / (size + mean)) + (mean - y) / (size + mean))
  if (is.null(logit)) return(list(value = value, by_size = by_size, by_mean = by_mean))
  z <- stats::plogis(logit)
  none <- ifelse(y == 0, stats::plogis(logit, log.p = TRUE), -Inf)
  whole <- log_add(none, stats::plogis(-logit, log.p = TRUE) + value)
  own <- exp(none - whole) # the probability that a zero is none of the counts
  list(value = whole, by_size = (1 - own) * by_size, by_mean = (1 - own) * by_mean, by_zero = own - z)
}

#' @export
check_member.bijectr_counts <- function(object, d, d_condition) {
  numbers <- function(x, n) is.numeric(x) && length(x) == n && !anyNA(x)
  levels <- object[["levels"]]
  whole <- numbers(object[["d"]], 1) && object$d == d && numbers(object[["d_condition"]], 1) &&
    object$d_condition == d_condition && (is.null(levels) || numbers(levels, d_condition)) &&
    numbers(object[["lower"]], 1) && numbers(object[["size"]], 1)
  whole <- whole && numbers(object[["mean"]], 1 + count_indicators(object)) &&
    (is.null(object[["zero"]]) || numbers(object$zero, length(object$mean))) && is.numeric(object[["params"]])
  if (!isTRUE(whole)) stop_damaged("members")
}

#' @export
coef.bijectr_counts <- function(object, ...) object$params

# ---- what a distribution does with points ----------------------------------------------------------------------------

# list(size, mean, zero) of n rows; `zero` is 0 where there is none but those of the counts.
counts_given <- function(object, condition, n) {
  given <- if (object$d_condition > 0) indicate_codes(all_rows(condition), object$levels)
  x <- if (is.null(given)) matrix(1, n, 1) else with_intercept(given)
  list(
    size = exp(object$size), mean = exp(pmin(drop(x %*% object$mean), LOG_MEAN_MOST)),
    zero = if (is.null(object$zero)) rep(0, n) else stats::plogis(drop(x %*% object$zero))
  )
}

#' @export
points_density.bijectr_counts <- function(object, points, condition) {
  y <- column(points, 1) - object$lower
  at <- counts_given(object, condition, length(y))
  whole <- y == round(y)
  value <- suppressWarnings(stats::dnbinom(y, size = at$size, mu = at$mean, log = TRUE))
  ifelse(whole, log_add(log(at$zero * (y == 0)), log1p(-at$zero) + value), -Inf)
}

#' @export
whole_density.bijectr_counts <- function(object, points, condition) points_density(object, points, condition)

#' @export
interval_density.bijectr_counts <- function(object, observed, condition) {
  points_density(object, matrix(observed$lower + 0.5), condition)
}

#' @export
points_drawn.bijectr_counts <- function(object, n, condition) {
  at <- counts_given(object, condition, n)
  y <- stats::rnbinom(n, size = at$size, mu = at$mean)
  matrix(object$lower + ifelse(stats::runif(n) < at$zero, 0, y))
}

#' @export
points_cdf.bijectr_counts <- function(object, points, condition, lower_tail, log_p) {
  y <- column(points, 1) - object$lower
  at <- counts_given(object, condition, length(y))
  value <- (1 - at$zero) * stats::pnbinom(floor(y), size = at$size, mu = at$mean, lower.tail = lower_tail)
  value <- value + at$zero * ((y >= 0) == lower_tail)
  if (log_p) log(value) else value
}

#' @export
points_quantile.bijectr_counts <- function(object, p, condition, lower_tail, log_p) {
  p <- if (log_p) exp(p) else p
  at <- counts_given(object, condition, length(p))
  p <- if (lower_tail) pmax((p - at$zero) / (1 - at$zero), 0) else pmin(p / (1 - at$zero), 1)
  object$lower + stats::qnbinom(p, size = at$size, mu = at$mean, lower.tail = lower_tail)
}

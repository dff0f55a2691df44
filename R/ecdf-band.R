# Is a sample of ranks uniform? With n ranks on 0, ..., m, of which N(j) are below j, N(j) has a binomial distribution
# with n and z = j / (m + 1). At some points j the tail probability of N(j) is computed; the smallest of these is the
# statistic, and a band of such tail probabilities, all of one size gamma, holds the whole path N with a probability
# that is known exactly (Sailynoja, Buerkner and Vehtari 2022): N is a Markov chain, that of a Poisson process of rate n
# on (0, 1) given that it has n points in all.

# Points at which paths are looked at.
ECDF_POINTS <- 100

ecdf_points <- function(m) unique(round(seq(1, m, length.out = min(m, ECDF_POINTS))))

# How many of `ranks` are below each of `at`.
counts_below <- function(ranks, at) findInterval(at - 0.5, sort(ranks))

# The counts whose tail probability is above `gamma`, list(low, high), one of each a point z.
pointwise_counts <- function(n, z, gamma) {
  tail <- gamma / 2 * (1 + 1e-9) # counts of just this probability are not above it
  list(low = stats::qbinom(tail, n, z), high = n - stats::qbinom(tail, n, 1 - z))
}

# The probability that low <= N <= high at all z.
path_probability <- function(n, z, low, high) {
  if (any(low > high)) return(0)
  states <- 0
  mass <- 1
  for (k in seq_along(z)) {
    to <- low[k]:high[k]
    step <- n * (z[k] - if (k > 1) z[k - 1] else 0)
    by <- (to[1] - states[length(states)]):(to[length(to)] - states[1])
    chance <- stats::dpois(by, step)
    mass <- drop(matrix(chance[outer(to, states, `-`) - by[1] + 1], length(to)) %*% mass)
    states <- to
  }
  sum(mass * stats::dpois(n - states, n * (1 - z[length(z)]))) / stats::dpois(n, n)
}

# The probability of a path as unlikely at some point as that of these ranks, if they are uniform on 0, ..., m.
ranks_p_value <- function(ranks, m) {
  ranks <- ranks[!is.na(ranks)]
  n <- length(ranks)
  if (n == 0) return(NA_real_)
  at <- ecdf_points(m)
  z <- at / (m + 1)
  found <- counts_below(ranks, at)
  tails <- 2 * pmin(stats::pbinom(found, n, z), stats::pbinom(found - 1, n, z, lower.tail = FALSE))
  gamma <- min(tails)
  if (gamma >= 1) return(1)
  within <- pointwise_counts(n, z, gamma)
  # one minus a probability has no digits below 1e-16
  min(1, max(gamma / 2, 1 - path_probability(n, z, within$low, within$high)))
}

# Counts within which the whole path of n uniform ranks stays with a probability of 1 - level or more: a data frame of
# `at`, `low` and `high`.
simultaneous_band <- function(n, m, level) {
  at <- ecdf_points(m)
  z <- at / (m + 1)
  within <- function(log_gamma) pointwise_counts(n, z, exp(log_gamma))
  left <- function(log_gamma) {
    band <- within(log_gamma)
    1 - path_probability(n, z, band$low, band$high)
  }
  from <- log(level / (2 * length(at)))
  to <- log(level)
  for (halving in 1:20) {
    middle <- (from + to) / 2
    if (left(middle) <= level) from <- middle else to <- middle
  }
  band <- within(from)
  data.frame(at = at, low = band$low, high = band$high)
}

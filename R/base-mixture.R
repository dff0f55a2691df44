#' @rdname base_laplace
#' @export
base_mixture <- function(components = 3, spread = 1) {
  new_spec("base", "mixture",
    components = check_count(components, "components", max = 256),
    spread = check_number(spread, "spread", min = 0, below = Inf)
  )
}

#' @export
base_distribution.bijectr_base_mixture <- function(base, raw) {
  mixed(raw$weight, raw$mean[, 1], softplus(raw$scale[, 1]))
}

# Distribution and quantile function of a mixture of normals. Tails stay accurate on the scale of logarithms.
mixed <- function(weight, mean, scale) {
  log_weight <- weight - max(weight) - log(sum(exp(weight - max(weight))))
  # f(z, means, scales) in logs, over the components: point by point, or component by component where these are fewer
  log_sum <- function(f, z) {
    if (length(z) < length(mean)) {
      return(vapply(z, function(point) {
        terms <- log_weight + f(point, mean, scale)
        most <- max(terms)
        if (is.na(most) || most == -Inf) most else most + log(sum(exp(terms - most)))
      }, 0))
    }
    terms <- lapply(seq_along(mean), function(c) log_weight[c] + f(z, mean[c], scale[c]))
    most <- do.call(pmax, terms)
    ifelse(most == -Inf, -Inf, most + log(Reduce(`+`, lapply(terms, function(term) exp(term - most)))))
  }
  log_cdf <- function(z, lower) log_sum(function(z, m, s) stats::pnorm(z, m, s, lower, TRUE), z)
  log_density <- function(z) log_sum(function(z, m, s) stats::dnorm(z, m, s, TRUE), z)

  cdf <- function(z, lower.tail = TRUE, log.p = FALSE) {
    tail <- log_cdf(z, lower.tail)
    large <- which(tail > -log(2))
    if (log.p && length(large)) tail[large] <- log1p(-exp(log_cdf(z[large], !lower.tail)))
    if (log.p) tail else exp(tail)
  }
  quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
    mixed_quantile(p, lower.tail, log.p, list(
      ends = function(log_p, lower, i) {
        each <- vapply(log_p, function(p) range(stats::qnorm(p, mean, scale, lower, TRUE)), c(0, 0))
        list(low = each[1, ], high = each[2, ])
      },
      log_cdf = function(z, lower, i) log_cdf(z, lower), log_density = function(z, i) log_density(z)
    ))
  }
  list(cdf = cdf, quantile = quantile)
}

# Quantiles of a mixture, between those of its members: Newton's steps on the scale of logarithms, halving where they
# lead out of what is left, and in every fourth step. `of` is a list of functions of points z and the numbers i of their
# probabilities: `ends(log_p, lower, i)`, list(low, high); `log_cdf(z, lower, i)`; `log_density(z, i)`.
mixed_quantile <- function(p, lower_tail, log_p, of) {
  tail_quantile <- function(log_p, lower, i) {
    found <- of$ends(log_p, lower, i)
    low <- found$low
    high <- found$high
    z <- middle_between(low, high)
    none <- log_p == -Inf # no search: the end of all members
    z[none] <- if (lower) low[none] else high[none]
    moving <- which(low < high & !none)
    for (step in 1:200) {
      if (length(moving) == 0) break
      at <- z[moving]
      tail <- of$log_cdf(at, lower, i[moving])
      over <- tail - log_p[moving]
      above <- (over > 0) == lower
      high[moving[above]] <- at[above]
      low[moving[!above]] <- at[!above]
      new <- at - (if (lower) over else -over) / exp(of$log_density(at, i[moving]) - tail)
      keep <- (is.na(new) | abs(new - at) > 1e-15 * abs(at)) & high[moving] - low[moving] > 1e-15 * abs(at)
      moving <- moving[keep]
      if (length(moving) == 0) break
      new <- new[keep]
      inside <- !is.na(new) & new > low[moving] & new < high[moving] & step %% 4 > 0
      z[moving] <- ifelse(inside, new, middle_between(low[moving], high[moving]))
    }
    z
  }
  logs <- if (log_p) p else suppressWarnings(log(p))
  z <- rep(NaN, length(p))
  small <- which(logs <= -log(2)) # of the tail that is asked for; else the other one is the small one
  large <- which(logs > -log(2) & logs <= 0)
  if (length(small)) z[small] <- tail_quantile(logs[small], lower_tail, small)
  if (length(large)) {
    z[large] <- tail_quantile(if (log_p) log(-expm1(p[large])) else log1p(-p[large]), !lower_tail, large)
  }
  z
}

# Between ends that differ much the middle of their magnitudes: members with long tails are hundreds of decades apart.
middle_between <- function(low, high) {
  middle <- low / 2 + high / 2
  least <- pmin(abs(low), abs(high))
  most <- pmax(abs(low), abs(high))
  wide <- which(is.finite(most) & most > 1e-300 & least < most / 4)
  apart <- sign(low[wide]) * sign(high[wide]) # -1 on the two sides of 0, which is between them
  root <- sqrt(pmax(least[wide], .Machine$double.xmin)) * sqrt(most[wide])
  middle[wide] <- ifelse(apart < 0, 0, sign(middle[wide]) * root)
  middle
}

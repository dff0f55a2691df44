#' @rdname base_laplace
#' @export
base_mixture <- function(components = 3, spread = 1, net = NULL) {
  new_spec("base", "mixture",
    components = check_count(components, "components", max = 256),
    spread = check_number(spread, "spread", min = 0, below = Inf), net = check_base_net(net)
  )
}

#' @export
base_distribution.bijectr_base_mixture <- function(base, raw) {
  by_row <- is.matrix(raw$weight)
  mixed(raw$weight, if (by_row) raw$mean else raw$mean[, 1], softplus(if (by_row) raw$scale else raw$scale[, 1]))
}

#' @export
given_raw.bijectr_base_mixture <- function(base, given) {
  k <- base$components
  part <- function(i) given[, (i - 1) * k + seq_len(k), drop = FALSE]
  list(weight = part(1), mean = part(2), scale = part(3))
}

# Distribution and quantile function of a mixture of normals, whose numbers are vectors, or matrices with a row for each
# point or probability. Tails stay accurate on the scale of logarithms.
mixed <- function(weight, mean, scale) {
  by_row <- is.matrix(weight)
  k <- if (by_row) ncol(weight) else length(weight)
  log_weight <- if (by_row) {
    apart <- weight - do.call(pmax, lapply(seq_len(k), function(c) weight[, c]))
    apart - log(rowSums(exp(apart)))
  } else {
    weight - max(weight) - log(sum(exp(weight - max(weight))))
  }
  of <- function(x, c, i) if (by_row) x[i, c] else x[c]
  # f(z, means, scales) in logs, over the components, at the points of numbers i: point by point, or component by
  # component where these are fewer
  log_sum <- function(f, z, i) {
    if (!by_row && length(z) < length(mean)) {
      return(vapply(z, function(point) {
        terms <- log_weight + f(point, mean, scale)
        most <- max(terms)
        if (is.na(most) || most == -Inf) most else most + log(sum(exp(terms - most)))
      }, 0))
    }
    terms <- lapply(seq_len(k), function(c) of(log_weight, c, i) + f(z, of(mean, c, i), of(scale, c, i)))
    most <- do.call(pmax, terms)
    ifelse(most == -Inf, -Inf, most + log(Reduce(`+`, lapply(terms, function(term) exp(term - most)))))
  }
  log_cdf <- function(z, lower, i) log_sum(function(z, m, s) stats::pnorm(z, m, s, lower, TRUE), z, i)
  log_density <- function(z, i) log_sum(function(z, m, s) stats::dnorm(z, m, s, TRUE), z, i)

  cdf <- function(z, lower.tail = TRUE, log.p = FALSE) {
    tail <- log_cdf(z, lower.tail, seq_along(z))
    large <- which(tail > -log(2))
    if (log.p && length(large)) tail[large] <- log1p(-exp(log_cdf(z[large], !lower.tail, large)))
    if (log.p) tail else exp(tail)
  }
  quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
    mixed_quantile(p, lower.tail, log.p, list(
      ends = function(log_p, lower, i) {
        each <- lapply(seq_len(k), function(c) stats::qnorm(log_p, of(mean, c, i), of(scale, c, i), lower, TRUE))
        list(low = do.call(pmin, each), high = do.call(pmax, each))
      },
      log_cdf = log_cdf, log_density = log_density
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

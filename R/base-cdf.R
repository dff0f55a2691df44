# Distribution and quantile functions of the base of a flow of one coordinate, from its raw parameters.

base_cdf <- function(flow, z, ...) base_functions(flow)$cdf(z, ...)

base_quantile <- function(flow, p, ...) base_functions(flow)$quantile(p, ...)

base_functions <- function(flow) {
  base <- flow$base
  raw <- params(flow)$base
  switch(base$kind,
    normal = {
      squared <- base$parameter == "variance"
      scale <- if (!base$trainable) 1 else if (squared) sqrt(softplus(raw$variance)) else softplus(raw$scale)
      mean <- if (base$trainable) raw$mean else 0
      list(
        cdf = function(z, ...) stats::pnorm(z, mean, scale, ...),
        quantile = function(p, ...) stats::qnorm(p, mean, scale, ...)
      )
    },
    student_t = {
      df <- if (base$trainable) max(softplus(raw$df), 1e-3) else base$df # the core's floor
      list(
        cdf = function(z, ...) stats::pt(z, df, ...),
        quantile = function(p, ...) stats::qt(p, df, ...)
      )
    },
    cauchy = located(
      base, raw, function(u, ...) stats::pcauchy(u, ...), function(p, ...) stats::qcauchy(p, ...)
    ),
    laplace = located(
      base, raw, function(u, ...) finish_cdf(ifelse(u < 0, exp(u) / 2, 1 - exp(-u) / 2), ...),
      function(p, ...) {
        p <- start_quantile(p, ...)
        ifelse(p < 0.5, log(2 * p), -log(2 * (1 - p)))
      }
    ),
    gumbel = located(
      base, raw, function(u, ...) finish_cdf(exp(-exp(-u)), ...), function(p, ...) -log(-log(start_quantile(p, ...)))
    ),
    mvnormal = {
      scale <- softplus(raw$cholesky[1, 1])
      list(
        cdf = function(z, ...) stats::pnorm(z, raw$mean, scale, ...),
        quantile = function(p, ...) stats::qnorm(p, raw$mean, scale, ...)
      )
    },
    mixture = mixed(raw$weight, raw$mean[, 1], softplus(raw$scale[, 1])),
    logistic = list(cdf = stats::plogis, quantile = stats::qlogis),
    uniform = list(
      cdf = function(z, ...) stats::punif(z, base$min, base$max, ...),
      quantile = function(p, ...) stats::qunif(p, base$min, base$max, ...)
    ),
    stop_arg("A flow on {.fn base_{base$kind}} has no distribution function here.")
  )
}

# Distribution and quantile function of loc + scale U from those of U.
located <- function(base, raw, cdf, quantile) {
  loc <- if (base$trainable) raw$loc else 0
  scale <- if (base$trainable) softplus(raw$scale) else 1
  list(
    cdf = function(z, ...) cdf((z - loc) / scale, ...),
    quantile = function(p, ...) loc + scale * quantile(p, ...)
  )
}

# Distribution and quantile function of a mixture of normals. Tails stay accurate on the scale of logarithms.
mixed <- function(weight, mean, scale) {
  log_weight <- weight - max(weight) - log(sum(exp(weight - max(weight))))
  log_sum <- function(f) {
    terms <- lapply(seq_along(mean), function(c) log_weight[c] + f(mean[c], scale[c]))
    most <- do.call(pmax, terms)
    ifelse(most == -Inf, -Inf, most + log(Reduce(`+`, lapply(terms, function(term) exp(term - most)))))
  }
  log_cdf <- function(z, lower) log_sum(function(m, s) stats::pnorm(z, m, s, lower, TRUE))
  log_density <- function(z) log_sum(function(m, s) stats::dnorm(z, m, s, TRUE))

  cdf <- function(z, lower.tail = TRUE, log.p = FALSE) {
    tail <- log_cdf(z, lower.tail)
    large <- which(tail > -log(2))
    if (log.p && length(large)) tail[large] <- log1p(-exp(log_cdf(z[large], !lower.tail)))
    if (log.p) tail else exp(tail)
  }
  # Between the quantiles of the members: Newton's steps on the scale of logarithms, halving where they lead out of what
  # is left, and in every fourth step.
  tail_quantile <- function(log_p, lower) {
    members <- lapply(seq_along(mean), function(c) stats::qnorm(log_p, mean[c], scale[c], lower, TRUE))
    low <- do.call(pmin, members)
    high <- do.call(pmax, members)
    z <- low / 2 + high / 2
    moving <- which(low < high)
    for (step in 1:200) {
      at <- z[moving]
      tail <- log_cdf(at, lower)
      over <- tail - log_p[moving]
      above <- (over > 0) == lower
      high[moving[above]] <- at[above]
      low[moving[!above]] <- at[!above]
      new <- at - (if (lower) over else -over) / exp(log_density(at) - tail)
      keep <- is.na(new) | abs(new - at) > 1e-15 * abs(at)
      moving <- moving[keep]
      if (length(moving) == 0) break
      new <- new[keep]
      inside <- !is.na(new) & new > low[moving] & new < high[moving] & step %% 4 > 0
      z[moving] <- ifelse(inside, new, low[moving] / 2 + high[moving] / 2)
    }
    z
  }
  quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
    log_p <- if (log.p) p else suppressWarnings(log(p))
    z <- rep(NaN, length(p))
    small <- which(log_p <= -log(2)) # of the tail that is asked for; else the other one is the small one
    large <- which(log_p > -log(2) & log_p <= 0)
    z[small] <- tail_quantile(log_p[small], lower.tail)
    z[large] <- tail_quantile(if (log.p) log(-expm1(p[large])) else log1p(-p[large]), !lower.tail)
    z
  }
  list(cdf = cdf, quantile = quantile)
}

# The usual arguments of distribution functions, for the ones that R does not have.
finish_cdf <- function(p, lower.tail = TRUE, log.p = FALSE) {
  if (!lower.tail) p <- 1 - p
  if (log.p) log(p) else p
}

start_quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
  if (log.p) p <- exp(p)
  if (lower.tail) p else 1 - p
}

softplus <- function(x) pmax(x, 0) + log1p(exp(-abs(x)))

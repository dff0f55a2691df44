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

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
    logistic = list(cdf = stats::plogis, quantile = stats::qlogis),
    uniform = list(
      cdf = function(z, ...) stats::punif(z, base$min, base$max, ...),
      quantile = function(p, ...) stats::qunif(p, base$min, base$max, ...)
    ),
    stop_arg("A flow on {.fn base_{base$kind}} has no distribution function here.")
  )
}

softplus <- function(x) pmax(x, 0) + log1p(exp(-abs(x)))

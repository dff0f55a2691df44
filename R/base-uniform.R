#' @rdname base_normal
#' @export
base_uniform <- function(min = 0, max = 1) {
  max <- check_number(max, "max", above = -Inf, below = Inf)
  new_spec("base", "uniform", min = check_number(min, "min", above = -Inf, below = max), max = max)
}

#' @export
base_distribution.bijectr_base_uniform <- function(base, raw) {
  list(
    cdf = function(z, ...) stats::punif(z, base$min, base$max, ...),
    quantile = function(p, ...) stats::qunif(p, base$min, base$max, ...)
  )
}

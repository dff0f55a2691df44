#' @rdname base_laplace
#' @export
base_mvnormal <- function() new_spec("base", "mvnormal")

#' @export
base_distribution.bijectr_base_mvnormal <- function(base, raw) {
  scale <- softplus(raw$cholesky[1, 1])
  list(
    cdf = function(z, ...) stats::pnorm(z, raw$mean, scale, ...),
    quantile = function(p, ...) stats::qnorm(p, raw$mean, scale, ...)
  )
}

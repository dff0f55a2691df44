#' @rdname base_laplace
#' @export
base_mvstudent_t <- function(df = 5) {
  new_spec("base", "mvstudent_t", df = check_number(df, "df", above = 0, below = Inf))
}

#' @export
base_distribution.bijectr_base_mvstudent_t <- function(base, raw) {
  scale <- softplus(raw$cholesky[1, 1])
  df <- max(softplus(raw$df), 1e-3) # the core's floor
  list(
    cdf = function(z, ...) stats::pt((z - raw$loc) / scale, df, ...),
    quantile = function(p, ...) raw$loc + scale * stats::qt(p, df, ...)
  )
}

#' @rdname base_laplace
#' @export
base_gumbel <- function(trainable = FALSE, net = NULL, loc = 0, scale = 1) {
  new_located("gumbel", trainable, net, loc, scale)
}

#' @export
base_distribution.bijectr_base_gumbel <- function(base, raw) {
  located(
    base, raw, gumbel_cdf,
    function(p, lower.tail = TRUE, log.p = FALSE) {
      if (!log.p) return(-log(-if (lower.tail) log(p) else log1p(-p)))
      if (lower.tail) -log(-p) else ifelse(p < -36, -p, -log(-log(-expm1(p))))
    }
  )
}

# By the tail that is asked for: both have all digits far out.
gumbel_cdf <- function(u, lower.tail = TRUE, log.p = FALSE) {
  e <- exp(-u)
  if (lower.tail) return(if (log.p) -e else exp(-e))
  if (log.p) ifelse(u > 30, -u, log(-expm1(-e))) else -expm1(-e)
}

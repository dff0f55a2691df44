#' @rdname base_laplace
#' @export
base_gumbel <- function(trainable = FALSE, net = NULL) new_located("gumbel", trainable, net)

#' @export
base_distribution.bijectr_base_gumbel <- function(base, raw) {
  located(
    raw, function(u, ...) finish_cdf(exp(-exp(-u)), ...), function(p, ...) -log(-log(start_quantile(p, ...)))
  )
}

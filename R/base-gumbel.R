#' @rdname base_laplace
#' @export
base_gumbel <- function(trainable = FALSE) new_spec("base", "gumbel", trainable = check_flag(trainable, "trainable"))

#' @export
base_distribution.bijectr_base_gumbel <- function(base, raw) {
  located(
    base, raw, function(u, ...) finish_cdf(exp(-exp(-u)), ...), function(p, ...) -log(-log(start_quantile(p, ...)))
  )
}

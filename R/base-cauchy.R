#' @rdname base_laplace
#' @export
base_cauchy <- function(trainable = FALSE) new_spec("base", "cauchy", trainable = check_flag(trainable, "trainable"))

#' @export
base_distribution.bijectr_base_cauchy <- function(base, raw) {
  located(base, raw, function(u, ...) stats::pcauchy(u, ...), function(p, ...) stats::qcauchy(p, ...))
}

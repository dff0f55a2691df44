#' @rdname base_laplace
#' @export
base_cauchy <- function(trainable = FALSE, net = NULL) new_located("cauchy", trainable, net)

#' @export
base_distribution.bijectr_base_cauchy <- function(base, raw) {
  located(raw, function(u, ...) stats::pcauchy(u, ...), function(p, ...) stats::qcauchy(p, ...))
}

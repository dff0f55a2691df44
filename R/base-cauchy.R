#' @rdname base_laplace
#' @export
base_cauchy <- function(trainable = FALSE, net = NULL, loc = 0, scale = 1) {
  new_located("cauchy", trainable, net, loc, scale)
}

#' @export
base_distribution.bijectr_base_cauchy <- function(base, raw) {
  located(base, raw, function(u, ...) stats::pcauchy(u, ...), function(p, ...) stats::qcauchy(p, ...))
}

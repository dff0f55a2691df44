#' @rdname base_normal
#' @export
base_logistic <- function(net = NULL) new_spec("base", "logistic", net = check_base_net(net))

#' @export
base_distribution.bijectr_base_logistic <- function(base, raw) {
  located(raw, function(u, ...) stats::plogis(u, ...), function(p, ...) stats::qlogis(p, ...))
}

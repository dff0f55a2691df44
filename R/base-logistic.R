#' @rdname base_normal
#' @export
base_logistic <- function(net = NULL, loc = 0, scale = 1) {
  new_spec("base", "logistic", net = check_base_net(net), loc = check_loc(loc), scale = check_scale(scale))
}

#' @export
base_distribution.bijectr_base_logistic <- function(base, raw) {
  located(base, raw, function(u, ...) stats::plogis(u, ...), function(p, ...) stats::qlogis(p, ...))
}

#' @rdname base_normal
#' @export
base_logistic <- function() new_spec("base", "logistic")

#' @export
base_distribution.bijectr_base_logistic <- function(base, raw) list(cdf = stats::plogis, quantile = stats::qlogis)

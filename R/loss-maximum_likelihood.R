#' @rdname loss_reverse_kl
#' @export
loss_maximum_likelihood <- function() new_spec("loss", "maximum_likelihood")

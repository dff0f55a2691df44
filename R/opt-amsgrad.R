#' @rdname opt_adam
#' @export
opt_amsgrad <- function(beta1 = 0.9, beta2 = 0.999, eps = 1e-8) new_adam("amsgrad", beta1, beta2, eps)

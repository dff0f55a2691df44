#' @rdname opt_adam
#' @export
opt_adamw <- function(weight_decay = 1e-4, beta1 = 0.9, beta2 = 0.999, eps = 1e-8) {
  new_adam("adamw", beta1, beta2, eps,
    weight_decay = check_number(weight_decay, "weight_decay", min = 0, below = Inf)
  )
}

#' @rdname opt_adam
#' @export
opt_sgd <- function(momentum = 0, nesterov = FALSE, weight_decay = 0) {
  new_spec("opt", "sgd",
    momentum = check_number(momentum, "momentum", min = 0, below = 1),
    nesterov = check_flag(nesterov, "nesterov"),
    weight_decay = check_number(weight_decay, "weight_decay", min = 0, below = Inf)
  )
}

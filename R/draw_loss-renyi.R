#' @rdname loss_reverse_kl
#' @export
loss_renyi <- function(alpha = 0.5, path = FALSE) {
  new_spec("loss", "renyi",
    alpha = check_number(alpha, "alpha", above = -Inf, below = Inf), path = check_flag(path, "path")
  )
}

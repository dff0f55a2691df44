#' @rdname loss_reverse_kl
#' @export
loss_renyi <- function(alpha = 0.5, path = FALSE) {
  new_spec("loss", "renyi",
    alpha = check_number(alpha, "alpha", above = -Inf, below = Inf), path = check_flag(path, "path")
  )
}

#' @exportS3Method
log_weight_loss.bijectr_loss_renyi <- function(loss) {
  alpha <- loss$alpha
  list(
    value = function(w) if (alpha == 1) -mean(w) else -log_mean_exp((1 - alpha) * w) / (1 - alpha),
    share = function(w) exp_shares((1 - alpha) * w),
    path_share = function(share) alpha * share + (1 - alpha) * share^2
  )
}

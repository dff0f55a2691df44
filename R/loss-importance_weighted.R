#' @rdname loss_reverse_kl
#' @export
loss_importance_weighted <- function(k = 8, path = FALSE) {
  new_spec("loss", "importance_weighted", draws = check_count(k, "k"), path = check_flag(path, "path"))
}

#' @export
arguments.bijectr_loss_importance_weighted <- function(spec) list(k = spec$draws, path = spec$path)

#' @exportS3Method
log_weight_loss.bijectr_loss_importance_weighted <- function(loss) {
  k <- loss$draws
  list(
    value = function(w) -mean(apply(matrix(w, k), 2, log_mean_exp)),
    share = function(w) as.vector(apply(matrix(w, k), 2, exp_shares)) / (length(w) / k),
    path_share = function(share) share^2 * (length(share) / k)
  )
}

#' @rdname loss_reverse_kl
#' @export
loss_importance_weighted <- function(k = 8, path = FALSE) {
  new_spec("loss", "importance_weighted", draws = check_count(k, "k"), path = check_flag(path, "path"))
}

#' @export
arguments.bijectr_loss_importance_weighted <- function(spec) list(k = spec$draws, path = spec$path)

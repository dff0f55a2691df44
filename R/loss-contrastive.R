#' @rdname loss_reverse_kl
#' @export
loss_contrastive <- function(atoms = 10) new_spec("loss", "contrastive", atoms = check_count(atoms, "atoms"))

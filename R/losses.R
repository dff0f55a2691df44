# What R knows of losses beyond their specifications: generics, with methods in the files of the kinds.

# ---- losses of data: rows of a table in the core ---------------------------------------------------------------------

check_data_loss <- function(loss) {
  check_family(loss, "loss", "loss")
  kinds <- native_kinds()
  if (loss$kind %in% kinds[kinds[, "family"] == "loss", "name"]) return(loss)
  stop_arg("{.arg loss} must be one for data, not {.fn loss_{loss$kind}}.")
}

# Whether a loss can train a flow: methods tell the user what does not fit.
check_loss <- function(loss, flow) UseMethod("check_loss")

#' @exportS3Method
check_loss.default <- function(loss, flow) invisible(loss)

# What the axis of a picture of losses says.
loss_label <- function(loss) UseMethod("loss_label")

#' @exportS3Method
loss_label.default <- function(loss) {
  if (is.null(log_weight_loss(loss))) "Loss: mean negative log density (nats)" else "Bound of log Z (nats)"
}

# ---- losses of log weights: methods in R -----------------------------------------------------------------------------

# A loss of log weights w, as list(value, share, path_share); NULL: it is none. value(w): the loss. share(w): minus its
# derivative with respect to w, which sums to 1 where the loss is a bound of log Z. path_share(share): the factor of the
# path gradient instead, for kinds whose `path` can be TRUE; the score at fixed draws enters w also through the shares,
# and by reparameterization that becomes, for share s of order alpha, alpha s + (1 - alpha) s^2.
log_weight_loss <- function(loss) UseMethod("log_weight_loss")

#' @exportS3Method
log_weight_loss.default <- function(loss) NULL

check_target_loss <- function(loss, batch_size) {
  check_family(loss, "loss", "loss")
  if (is.null(log_weight_loss(loss))) {
    stop_arg("{.arg loss} must be one for log densities, not {.fn loss_{loss$kind}}, which is for data.")
  }
  if (batch_size %% (loss$draws %||% 1L) != 0) {
    stop_arg("{.arg batch_size} ({batch_size}) must be a multiple of {.arg k} ({loss$draws}).")
  }
  loss
}

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
  if (is_draw_loss(loss)) "Bound of log Z (nats)" else "Loss: mean negative log density (nats)"
}

# ---- losses of draws, of log weights: in the core --------------------------------------------------------------------

is_draw_loss <- function(loss) {
  kinds <- native_kinds()
  isTRUE(loss$kind %in% kinds[kinds[, "family"] == "draw_loss", "name"])
}

check_target_loss <- function(loss, batch_size) {
  check_family(loss, "loss", "loss")
  if (!is_draw_loss(loss)) {
    stop_arg("{.arg loss} must be one for log densities, not {.fn loss_{loss$kind}}, which is for data.")
  }
  if (batch_size %% (loss$draws %||% 1L) != 0) {
    stop_arg("{.arg batch_size} ({batch_size}) must be a multiple of {.arg k} ({loss$draws}).")
  }
  loss
}

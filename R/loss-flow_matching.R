#' @rdname loss_reverse_kl
#' @export
loss_flow_matching <- function() new_spec("loss", "flow_matching")

#' @exportS3Method
loss_label.bijectr_loss_flow_matching <- function(loss) "Flow matching loss"

# Flow matching trains one continuous layer and nothing else.
#' @exportS3Method
check_loss.bijectr_loss_flow_matching <- function(loss, flow) {
  kinds <- vapply(flow$layers$layers, `[[`, "", "kind")
  slots <- Filter(function(slot) slot$path[1] == "layers", param_slots(flow))
  trained <- unique(vapply(slots, function(slot) as.integer(slot$path[2]), 1L))
  if (sum(kinds == "continuous") != 1 || !identical(kinds[trained], "continuous")) {
    stop_arg(c(
      "{.fn loss_flow_matching} trains one {.fn layer_continuous}, and other layers must have no parameters.",
      i = "The layers are: {toString(kinds)}."
    ))
  }
}

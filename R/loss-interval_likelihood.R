# The likelihood of intervals of one coordinate, which fits to censored responses and counts are trained by. The data of
# a training hold the lower ends, `ends` of its setup the others, see src/core/loss-interval_likelihood.c. `increasing`:
# whether the flow increases.
loss_interval_likelihood <- function(increasing = TRUE) {
  new_spec("loss", "interval_likelihood", increasing = check_flag(increasing, "increasing"))
}

#' @exportS3Method
loss_label.bijectr_loss_interval_likelihood <- function(loss) "Loss: mean negative log likelihood (nats)"

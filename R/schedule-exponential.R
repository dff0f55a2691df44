#' @rdname schedule_constant
#' @export
schedule_exponential <- function(decay = 0.999, warmup = 0) {
  new_spec("schedule", "exponential",
    decay = check_number(decay, "decay", above = 0, max = 1),
    warmup = check_number(warmup, "warmup", min = 0, below = 1)
  )
}

#' @rdname schedule_constant
#' @export
schedule_cosine <- function(final = 0, warmup = 0) {
  new_spec("schedule", "cosine",
    final = check_number(final, "final", min = 0, max = 1),
    warmup = check_number(warmup, "warmup", min = 0, below = 1)
  )
}

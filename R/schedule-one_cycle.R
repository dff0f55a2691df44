#' @rdname schedule_constant
#' @export
schedule_one_cycle <- function(warmup = 0.3, start = 0.04, final = 1e-4) {
  new_spec("schedule", "one_cycle",
    warmup = check_number(warmup, "warmup", min = 0, below = 1),
    start = check_number(start, "start", min = 0, max = 1),
    final = check_number(final, "final", min = 0, max = 1)
  )
}

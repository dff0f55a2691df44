# Handles of flows for the C code of other packages: what src/ffi-callable.c asks for, see inst/include/bijectr.h.

# Called from C: list(flow, standard, pull, threads, poll). `standard`: of each condition the centre and scale, and the
# ends beyond which it is pulled in, see codec-standard.R.
callable_parts <- function(flow) {
  if (!inherits(flow, "bijectr_flow")) {
    stop_arg("{.arg flow} must be a {.fn flow} or a fit of one, not {.obj_type_friendly {flow}}.")
  }
  check_object(flow)
  check_one_flow(flow, "A handle for C")
  if (is_whole(flow)) stop_arg("A handle for C is of a flow with a density, not of whole numbers.")
  standard <- vapply(seq_len(flow$d_condition), function(j) {
    codec <- flow$condition$codecs[[j]]
    if (!inherits(codec, "bijectr_codec_standard")) return(c(0, 1, -Inf, Inf))
    ends <- if (is.null(codec$range) || !isTRUE(codec$pull)) c(-Inf, Inf) else standard_range(codec)
    c(codec$loc, codec$scale, ends)
  }, numeric(4))
  list(
    flow = flow, standard = as.double(standard), pull = PULL, threads = thread_count(), poll = native_check_interrupt
  )
}

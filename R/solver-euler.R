#' @rdname solver_tsit5
#' @export
solver_euler <- function(step = 0.05) {
  new_spec("solver", "euler", step = check_number(step, "step", above = 0, below = Inf))
}

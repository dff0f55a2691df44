#' @rdname solver_tsit5
#' @export
solver_rk4 <- function(step = 0.05) {
  new_spec("solver", "rk4", step = check_number(step, "step", above = 0, below = Inf))
}

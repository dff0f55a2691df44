#' Runge-Kutta methods
#'
#' Explicit methods that solve the differential equation of [layer_continuous()]. `solver_tsit5()` (order 5) is the
#' method of choice; `solver_rk4()` is the classical method of order 4, `solver_euler()` that of order 1.
#'
#' With steps of one length the number of steps is \eqn{|t_1 - t_0| / step}, rounded up, and the interval is divided
#' evenly. With `rtol` or `atol`, `solver_tsit5()` takes the steps that keep the estimated error of every step, in the
#' root mean square over coordinates and log-determinant, below \eqn{atol + rtol\, |y|}{atol + rtol |y|}: each row of
#' the data has steps of its own, so that its result does not depend on the rows beside it. Their lengths follow a
#' proportional-integral control.
#'
#' @param step Largest length of a step, in units of time; with tolerances, the length of the first one tried.
#' @param rtol,atol Relative and absolute tolerance. `NULL` for both: steps of one length. One alone is taken for both.
#' @param max_steps With tolerances: most steps a row may try. More are an error; in training, the step of the optimizer
#'   is taken back.
#' @return A solver: an object of class `bijectr_solver`, for [layer_continuous()].
#' @references Tsitouras (2011), *Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
#'   assumption*, Computers and Mathematics with Applications 62, \doi{10.1016/j.camwa.2011.06.002}. Hairer,
#'   Norsett, Wanner (1993), *Solving ordinary differential equations I*, Springer, \doi{10.1007/978-3-540-78862-1}.
#' @order 1
#' @family continuous flows
#' @examples
#' solver_tsit5(step = 0.1)
#' solver_tsit5(rtol = 1e-6)
#' @export
solver_tsit5 <- function(step = 0.05, rtol = NULL, atol = NULL, max_steps = 256) {
  rtol <- check_number(rtol, "rtol", min = 0, null = TRUE)
  atol <- check_number(atol, "atol", above = 0, null = TRUE)
  if (is.null(atol) && identical(rtol, 0)) stop_arg("{.arg atol} must be given where {.arg rtol} is 0.")
  new_spec("solver", "tsit5",
    step = check_number(step, "step", above = 0, below = Inf), rtol = rtol %||% atol, atol = atol %||% rtol,
    max_steps = check_count(max_steps, "max_steps", max = 1e5)
  )
}

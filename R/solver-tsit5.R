#' Runge-Kutta methods
#'
#' Explicit methods that solve the differential equation of [layer_continuous()]. `solver_tsit5()` (order 5) is the
#' method of choice; `solver_rk4()` is the classical method of order 4, `solver_euler()` that of order 1.
#'
#' By default `solver_tsit5()` takes the steps that an accuracy asks for: the estimated error of every step, in the root
#' mean square over coordinates and log-determinant, is kept below \eqn{atol + rtol\, |y|}{atol + rtol |y|}, with a
#' tolerance of 1e-9 in [logdensity()], [sample()] and the like, and of `training` while a fit is trained. Errors add up
#' over the steps, and over the way there and back: a round trip comes back to some 1e-9. Each row of the data has steps
#' of its own, so that its result does not depend on the rows beside it. Their lengths follow a proportional-integral
#' control. An evaluation to 1e-9 takes about three times as long as one to 1e-6, which is enough for most uses but
#' exact round trips: `solver_tsit5(rtol = 1e-6, training = 1e-4)`. Without `training` the steps of a training would be
#' as accurate, too, and take longer for nothing.
#'
#' With `step` alone, and of the other methods, steps are of one length: \eqn{|t_1 - t_0| / step} of them, rounded up.
#' Whether that is enough, nobody looks at: fields that have been trained for long can need ten times the steps of one
#' that begins.
#'
#' @param step Largest length of a step, in units of time; with tolerances, the length of the first one tried, 0.2 for
#'   `NULL`. Of the other methods, 0.05.
#' @param rtol,atol Relative and absolute tolerance. One alone is taken for both; `NULL` for both is 1e-9, unless `step`
#'   is given.
#' @param max_steps With tolerances: most steps a row may try. More are an error; in training, the step of the optimizer
#'   is taken back.
#' @param training With tolerances: the one, relative and absolute, of the steps of a training and of its validations,
#'   whose gradients are those of a few rows anyway. `NULL` is 1e-4 where no tolerance is given, and else `rtol` and
#'   `atol`.
#' @return A solver: an object of class `bijectr_solver`, for [layer_continuous()].
#' @references Tsitouras (2011), *Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
#'   assumption*, Computers and Mathematics with Applications 62, \doi{10.1016/j.camwa.2011.06.002}. Hairer,
#'   Norsett, Wanner (1993), *Solving ordinary differential equations I*, Springer, \doi{10.1007/978-3-540-78862-1}.
#' @order 1
#' @family continuous flows
#' @examples
#' solver_tsit5()
#' solver_tsit5(rtol = 1e-6, training = 1e-4)
#' solver_tsit5(rtol = 1e-6) # in training, too
#' solver_tsit5(step = 0.1)
#' @export
solver_tsit5 <- function(step = NULL, rtol = NULL, atol = NULL, max_steps = 1000, training = NULL) {
  step <- check_number(step, "step", above = 0, below = Inf, null = TRUE)
  rtol <- check_number(rtol, "rtol", min = 0, null = TRUE)
  atol <- check_number(atol, "atol", above = 0, null = TRUE)
  training <- check_number(training, "training", above = 0, null = TRUE)
  if (is.null(c(step, rtol, atol))) {
    rtol <- EVALUATION_TOLERANCE
    training <- training %||% TRAINING_TOLERANCE
  }
  if (is.null(atol) && identical(rtol, 0)) stop_arg("{.arg atol} must be given where {.arg rtol} is 0.")
  if (!is.null(training) && is.null(c(rtol, atol))) {
    stop_arg("{.arg training} goes with {.arg rtol} or {.arg atol}: leave {.arg step} out, or give one of these, too.")
  }
  new_spec("solver", "tsit5",
    step = step %||% 0.2, rtol = rtol %||% atol, atol = atol %||% rtol,
    max_steps = check_count(max_steps, "max_steps", max = 1e5), training = training
  )
}

EVALUATION_TOLERANCE <- 1e-9
TRAINING_TOLERANCE <- 1e-4

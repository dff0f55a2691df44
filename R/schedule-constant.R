#' Learning-rate schedules
#'
#' How the learning rate goes from the first step to the last. With \eqn{u} the share of the steps that are done:
#'
#' * `schedule_constant()`: `rate`.
#' * `schedule_cosine()`: \eqn{rate (f + (1 - f) (1 + \cos \pi u) / 2)}{rate (f + (1 - f) (1 + cos pi u) / 2)}, with
#'   `final` \eqn{f}.
#' * `schedule_exponential()`: \eqn{rate \cdot decay^{step}}{rate * decay^step}.
#' * `schedule_one_cycle()`: along a cosine from `start * rate` up to `rate` during the first `warmup` of the steps,
#'   then down to `final * rate`.
#'
#' @param final Rate at the end as a fraction of the peak.
#' @param decay Factor a step.
#' @param start First rate as a fraction of the peak.
#' @param warmup Share of the steps during which the rate rises, linearly except for `schedule_one_cycle()`.
#' @return A schedule: an object of class `bijectr_schedule`, for [fit_control()].
#' @references Loshchilov, Hutter (2017), *SGDR*, arXiv:1608.03983. Smith, Topin (2018), *Super-convergence*,
#'   arXiv:1708.07120.
#' @family training
#' @examples
#' fit_control(learning_rate = 5e-3, schedule = schedule_cosine(), steps = 1000)
#' @export
schedule_constant <- function(warmup = 0) {
  new_spec("schedule", "constant", warmup = check_number(warmup, "warmup", min = 0, below = 1))
}

#' Optimisers
#'
#' The rule that turns gradients into steps. The learning rate is an argument of [fit_control()], and a `schedule_*`
#' says how it changes.
#'
#' * `opt_adam()`: Adam, with bias-corrected moments and `eps` outside the root.
#' * `opt_adamw()`: Adam with decoupled weight decay on every raw parameter.
#' * `opt_amsgrad()`: Adam with the largest second moment so far.
#' * `opt_sgd()`: stochastic gradient descent with momentum.
#'
#' @param beta1,beta2 Decay rates of the moments, in \[0, 1).
#' @param eps Added to the root of the second moment.
#' @param weight_decay Strength of the decay.
#' @param momentum Momentum, in \[0, 1).
#' @param nesterov Use Nesterov's form of momentum.
#' @return An optimiser: an object of class `bijectr_opt`.
#' @references Kingma, Ba (2015), *Adam*, arXiv:1412.6980. Loshchilov, Hutter (2019), *Decoupled weight decay
#'   regularization*, arXiv:1711.05101. Reddi, Kale, Kumar (2018), *On the convergence of Adam and beyond*,
#'   arXiv:1904.09237.
#' @family training
#' @examples
#' fit_control(optimizer = opt_adamw(weight_decay = 1e-3), steps = 1000)
#' @export
opt_adam <- function(beta1 = 0.9, beta2 = 0.999, eps = 1e-8) new_optimizer("adam", beta1, beta2, eps)

#' @rdname opt_adam
#' @export
opt_adamw <- function(weight_decay = 1e-4, beta1 = 0.9, beta2 = 0.999, eps = 1e-8) {
  new_optimizer("adamw", beta1, beta2, eps, weight_decay = weight_decay)
}

#' @rdname opt_adam
#' @export
opt_amsgrad <- function(beta1 = 0.9, beta2 = 0.999, eps = 1e-8) new_optimizer("amsgrad", beta1, beta2, eps)

#' @rdname opt_adam
#' @export
opt_sgd <- function(momentum = 0, nesterov = FALSE, weight_decay = 0) {
  new_optimizer("sgd", momentum = momentum, nesterov = nesterov, weight_decay = weight_decay)
}

# Every optimiser has every field: the core reads one struct.
new_optimizer <- function(kind, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, momentum = 0,
                          nesterov = FALSE) {
  new_spec("opt", kind,
    beta1 = check_number(beta1, "beta1", min = 0, below = 1),
    beta2 = check_number(beta2, "beta2", min = 0, below = 1),
    eps = check_number(eps, "eps", above = 0),
    weight_decay = check_number(weight_decay, "weight_decay", min = 0),
    momentum = check_number(momentum, "momentum", min = 0, below = 1),
    nesterov = check_flag(nesterov, "nesterov")
  )
}

#' Learning-rate schedules
#'
#' How the learning rate goes from the first step to the last. With \eqn{u} the share of the steps that are done:
#'
#' * `schedule_constant()`: `rate`.
#' * `schedule_cosine()`: \eqn{rate (f + (1 - f) (1 + \cos \pi u) / 2)}, with `final` \eqn{f}.
#' * `schedule_exponential()`: \eqn{rate \cdot decay^{step}}.
#' * `schedule_one_cycle()`: along a cosine from `start * rate` up to `rate` during the first `warmup` of the steps,
#'   then down to `final * rate`.
#'
#' @param final Rate at the end as a fraction of the peak.
#' @param decay Factor a step.
#' @param start First rate as a fraction of the peak.
#' @param warmup Share of the steps during which the rate rises, linearly except for `schedule_one_cycle()`.
#' @return A schedule: an object of class `bijectr_schedule`.
#' @references Loshchilov, Hutter (2017), *SGDR*, arXiv:1608.03983. Smith, Topin (2018), *Super-convergence*,
#'   arXiv:1708.07120.
#' @family training
#' @examples
#' fit_control(learning_rate = 5e-3, schedule = schedule_cosine(), steps = 1000)
#' @export
schedule_constant <- function(warmup = 0) new_schedule("constant", warmup = warmup)

#' @rdname schedule_constant
#' @export
schedule_cosine <- function(final = 0, warmup = 0) new_schedule("cosine", final = final, warmup = warmup)

#' @rdname schedule_constant
#' @export
schedule_exponential <- function(decay = 0.999, warmup = 0) new_schedule("exponential", decay = decay, warmup = warmup)

#' @rdname schedule_constant
#' @export
schedule_one_cycle <- function(warmup = 0.3, start = 0.04, final = 1e-4) {
  new_schedule("one_cycle", final = final, start = start, warmup = warmup)
}

new_schedule <- function(kind, final = 0, decay = 1, start = 1, warmup = 0) {
  new_spec("schedule", kind,
    final = check_number(final, "final", min = 0, max = 1),
    decay = check_number(decay, "decay", above = 0, max = 1),
    start = check_number(start, "start", min = 0, max = 1),
    warmup = check_number(warmup, "warmup", min = 0, below = 1)
  )
}

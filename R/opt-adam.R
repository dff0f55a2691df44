#' Optimizers
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
#' @return An optimizer: an object of class `bijectr_opt`, for [fit_control()].
#' @references Kingma, Ba (2015), *Adam*, arXiv:1412.6980. Loshchilov, Hutter (2019), *Decoupled weight decay
#'   regularization*, arXiv:1711.05101. Reddi, Kale, Kumar (2018), *On the convergence of Adam and beyond*,
#'   arXiv:1904.09237.
#' @family training
#' @examples
#' fit_control(optimizer = opt_adamw(weight_decay = 1e-3), steps = 1000)
#' @export
opt_adam <- function(beta1 = 0.9, beta2 = 0.999, eps = 1e-8) new_adam("adam", beta1, beta2, eps)

# The fields that Adam and its relatives share, and those of their own.
new_adam <- function(kind, beta1, beta2, eps, ...) {
  new_spec("opt", kind,
    beta1 = check_number(beta1, "beta1", min = 0, below = 1),
    beta2 = check_number(beta2, "beta2", min = 0, below = 1),
    eps = check_number(eps, "eps", above = 0, below = Inf),
    ...
  )
}

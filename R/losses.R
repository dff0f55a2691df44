#' Losses
#'
#' What a fit minimises. Fits to data minimise the mean negative log density (maximum likelihood). Fits to a log density
#' (`fit_flow()` of a function) choose among losses of the log weights \eqn{w_i = \log p(x_i) - \log q(x_i)} of draws
#' \eqn{x_i} from the flow \eqn{q}:
#'
#' | loss | minimised | gradient |
#' |:-----|:----------|:---------|
#' | `loss_maximum_likelihood()` | \eqn{-\frac1n \sum_i \log q(x_i)} over the data | all of it |
#' | `loss_reverse_kl()` | \eqn{-\frac1n \sum_i w_i}, the negative ELBO | through the draws and through \eqn{\log q} |
#' | `loss_stick_the_landing()` | the same | through the draws only |
#' | `loss_renyi(alpha)` | \eqn{-\frac1{1-\alpha} \log \frac1n \sum_i e^{(1-\alpha) w_i}} | either |
#' | `loss_importance_weighted(k)` | \eqn{-\log \frac1k \sum_{i \le k} e^{w_i}}, mean over groups | either |
#' | `loss_flow_matching()` | \eqn{|f(t, (1-u) z + u x) - (x - z) / (t_1 - t_0)|^2}, mean over the data | all of it |
#' | `loss_contrastive(atoms)` | \eqn{-\log (r_{ii} / \sum_j r_{ij})}, see [fit_rounds()] | all of it |
#'
#' Flow matching trains the vector field \eqn{f} of one [layer_continuous()] without solving its equation: each row
#' \eqn{x} of the data is paired with a draw \eqn{z} of the base and a random \eqn{u \sim U(0, 1)}, \eqn{t = t_0 + u
#' (t_1 - t_0)}, and the field is regressed on the straight way from one to the other. A step costs one evaluation of
#' the field. Other layers must have no parameters, and the base's are not trained. Losses in the history are not log
#' densities; `logLik()` and [logdensity()] solve the equation.
#'
#' The score, the derivative of \eqn{\log q} with respect to the parameters at fixed draws, has mean zero. A path
#' gradient leaves it out (`path = TRUE`; `loss_stick_the_landing()` is `loss_reverse_kl(path = TRUE)`): its variance
#' falls to zero as the flow comes to equal the target, where that of the full gradient does not. It needs one more pass
#' through the layers, against their direction. For `loss_renyi()` and `loss_importance_weighted()` it is the doubly
#' reparameterised gradient.
#'
#' The reverse Kullback-Leibler divergence prefers a flow that misses a mode of the target to one that covers the gaps
#' between them; `alpha` below 1, and larger `k`, cover more.
#'
#' @param path Take the path gradient.
#' @param alpha Order \eqn{\alpha}: a number, 0 for the importance-weighted loss of all draws of a step, 1 for the
#'   reverse Kullback-Leibler divergence; below 0 upper bounds of \eqn{\log Z} are minimised.
#' @param k Draws of a group. It must divide the draws of a step (`batch_size`).
#' @param atoms Number of other parameters \eqn{\theta_j} that each pair of a batch is told apart from, drawn from the
#'   batch; see [fit_rounds()].
#' @return A loss: an object of class `bijectr_loss`.
#' @references Roeder, Wu, Duvenaud (2017), *Sticking the landing*, arXiv:1703.09194. Li, Turner (2016), *Renyi
#'   divergence variational inference*, arXiv:1602.02311. Burda, Grosse, Salakhutdinov (2016), *Importance weighted
#'   autoencoders*, arXiv:1509.00519. Tucker, Lawson, Gu, Maddison (2019), *Doubly reparameterized gradient estimators
#'   for Monte Carlo objectives*, arXiv:1810.04152. Greenberg, Nonnenmacher, Macke (2019), *Automatic posterior
#'   transformation for likelihood-free inference*, arXiv:1905.07488. Durkan, Murray, Papamakarios (2020), *On
#'   contrastive learning for likelihood-free inference*, arXiv:2002.03712. Lipman, Chen, Ben-Hamu, Nickel, Le (2023),
#'   *Flow matching for generative modeling*, arXiv:2210.02747.
#' @family training
#' @examples
#' wave <- function(x) sin(2 * x[, 1]) - x[, 1]^2 / 2
#' fit_flow(wave, d = 1, steps = 40, loss = loss_stick_the_landing())
#' fit_flow(wave, d = 1, steps = 40, loss = loss_importance_weighted(k = 16))
#' @export
loss_reverse_kl <- function(path = FALSE) new_spec("loss", "reverse_kl", path = check_flag(path, "path"))

#' @rdname loss_reverse_kl
#' @export
loss_stick_the_landing <- function() new_spec("loss", "reverse_kl", path = TRUE)

#' @rdname loss_reverse_kl
#' @export
loss_renyi <- function(alpha = 0.5, path = FALSE) {
  new_spec("loss", "renyi",
    alpha = check_number(alpha, "alpha", above = -Inf, below = Inf), path = check_flag(path, "path")
  )
}

#' @rdname loss_reverse_kl
#' @export
loss_importance_weighted <- function(k = 8, path = FALSE) {
  new_spec("loss", "importance_weighted", draws = check_count(k, "k"), path = check_flag(path, "path"))
}

#' @export
arguments.bijectr_loss_importance_weighted <- function(spec) list(k = spec$draws, path = spec$path)

#' @rdname loss_reverse_kl
#' @export
loss_contrastive <- function(atoms = 10) new_spec("loss", "contrastive", atoms = check_count(atoms, "atoms"))

# The losses of log weights w. `value`: the loss. `share`: minus its derivative with respect to w, which sums to 1 where
# the loss is a bound of log Z. `path_share`: the factor of the path gradient instead; the score at fixed draws enters w
# also through the shares, and by reparameterisation that becomes, for share s of order alpha, alpha s + (1 - alpha)
# s^2.
TARGET_LOSSES <- list(
  reverse_kl = list(
    value = function(loss, w) -mean(w),
    share = function(loss, w) rep(1 / length(w), length(w)),
    path_share = function(loss, share) share
  ),
  renyi = list(
    value = function(loss, w) {
      if (loss$alpha == 1) return(-mean(w))
      -log_mean_exp((1 - loss$alpha) * w) / (1 - loss$alpha)
    },
    share = function(loss, w) exp_shares((1 - loss$alpha) * w),
    path_share = function(loss, share) loss$alpha * share + (1 - loss$alpha) * share^2
  ),
  importance_weighted = list(
    value = function(loss, w) -mean(apply(matrix(w, loss$draws), 2, log_mean_exp)),
    share = function(loss, w) {
      w <- matrix(w, loss$draws)
      as.vector(apply(w, 2, exp_shares)) / ncol(w)
    },
    path_share = function(loss, share) share^2 * (length(share) / loss$draws)
  )
)

# ---- losses of data: rows of a table in the core ---------------------------------------------------------------------

check_data_loss <- function(loss) {
  check_family(loss, "loss", "loss")
  kinds <- native_kinds()
  if (loss$kind %in% kinds[kinds[, "family"] == "loss", "name"]) return(loss)
  stop_arg("{.arg loss} must be one for data, not {.fn loss_{loss$kind}}.")
}

# Whether a loss can train a flow: methods tell the user what does not fit.
check_loss <- function(loss, flow) UseMethod("check_loss")

#' @exportS3Method
check_loss.default <- function(loss, flow) invisible(loss)

# What the axis of a picture of losses says.
loss_label <- function(loss) UseMethod("loss_label")

#' @exportS3Method
loss_label.default <- function(loss) "Loss: mean negative log density (nats)"

# ---- losses of log weights -------------------------------------------------------------------------------------------

check_target_loss <- function(loss, batch_size) {
  check_family(loss, "loss", "loss")
  if (is.null(TARGET_LOSSES[[loss$kind]])) {
    stop_arg("{.arg loss} must be one for log densities, not {.fn loss_{loss$kind}}, which is for data.")
  }
  if (batch_size %% (loss$draws %||% 1L) != 0) {
    stop_arg("{.arg batch_size} ({batch_size}) must be a multiple of {.arg k} ({loss$draws}).")
  }
  loss
}

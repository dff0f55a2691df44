#' Losses
#'
#' What a fit minimizes. Fits to data minimize the mean negative log density (maximum likelihood). Fits to a log density
#' (`fit_flow()` of a function) choose among losses of the log weights \eqn{w_i = \log p(x_i) - \log q(x_i)}{w_i = log
#' p(x_i) - log q(x_i)} of draws \eqn{x_i} from the flow \eqn{q}:
#'
#' * `loss_maximum_likelihood()`: \eqn{-\frac1n \sum_i \log q(x_i)}{-(1 / n) sum_i log q(x_i)} over the data.
#' * `loss_reverse_kl()`: \eqn{-\frac1n \sum_i w_i}{-(1 / n) sum_i w_i}, the negative ELBO. The gradient goes through
#'   the draws and through \eqn{\log q}{log q}.
#' * `loss_stick_the_landing()`: the same, with the gradient through the draws only.
#' * `loss_renyi(alpha)`: \eqn{-\frac1{1-\alpha} \log \frac1n \sum_i e^{(1-\alpha) w_i}}{-log((1 / n) sum_i exp((1 -
#'   alpha) w_i)) / (1 - alpha)}, with either gradient.
#' * `loss_importance_weighted(k)`: \eqn{-\log \frac1k \sum_{i \le k} e^{w_i}}{-log((1 / k) sum_(i <= k) exp(w_i))}, the
#'   mean over groups of `k` draws, with either gradient.
#' * `loss_flow_matching()`: \eqn{|f(t, (1-u) z + u x) - (x - z) / (t_1 - t_0)|^2}, the mean over the data.
#' * `loss_contrastive(atoms)`: \eqn{-\log (r_{ii} / \sum_j r_{ij})}{-log(r_ii / sum_j r_ij)}, see [fit_rounds()].
#'
#' Flow matching trains the vector field \eqn{f} of one [layer_continuous()] without solving its equation: each row
#' \eqn{x} of the data is paired with a draw \eqn{z} of the base and a random \eqn{u \sim U(0, 1)}{u ~ U(0, 1)}, \eqn{t
#' = t_0 + u (t_1 - t_0)}, and the field is regressed on the straight way from one to the other. A step costs one
#' evaluation of the field. Other layers must have no parameters, and the base's are not trained. Losses in the history
#' are not log densities; `logLik()` and [logdensity()] solve the equation.
#'
#' The score, the derivative of \eqn{\log q}{log q} with respect to the parameters at fixed draws, has mean zero. A path
#' gradient leaves it out (`path = TRUE`; `loss_stick_the_landing()` is `loss_reverse_kl(path = TRUE)`): its variance
#' falls to zero as the flow comes to equal the target, where that of the full gradient does not. It needs one more pass
#' through the layers, against their direction. For `loss_renyi()` and `loss_importance_weighted()` it is the doubly
#' reparameterized gradient.
#'
#' The reverse Kullback-Leibler divergence prefers a flow that misses a mode of the target to one that covers the gaps
#' between them; `alpha` below 1, and larger `k`, cover more.
#'
#' @param path Take the path gradient.
#' @param alpha Order \eqn{\alpha}: a number, 0 for the importance-weighted loss of all draws of a step, 1 for the
#'   reverse Kullback-Leibler divergence; below 0 upper bounds of \eqn{\log Z}{log Z} are minimized.
#' @param k Draws of a group. It must divide the draws of a step (`batch_size`).
#' @param atoms Number of other parameters \eqn{\theta_j} that each pair of a batch is told apart from, drawn from the
#'   batch; see [fit_rounds()].
#' @return A loss: an object of class `bijectr_loss`, for [fit_flow()] and [fit_rounds()].
#' @references Roeder, Wu, Duvenaud (2017), *Sticking the landing*, arXiv:1703.09194. Li, Turner (2016), *Renyi
#'   divergence variational inference*, arXiv:1602.02311. Burda, Grosse, Salakhutdinov (2016), *Importance weighted
#'   autoencoders*, arXiv:1509.00519. Tucker, Lawson, Gu, Maddison (2019), *Doubly reparameterized gradient estimators
#'   for Monte Carlo objectives*, arXiv:1810.04152. Greenberg, Nonnenmacher, Macke (2019), *Automatic posterior
#'   transformation for likelihood-free inference*, arXiv:1905.07488. Durkan, Murray, Papamakarios (2020), *On
#'   contrastive learning for likelihood-free inference*, arXiv:2002.03712. Lipman, Chen, Ben-Hamu, Nickel, Le (2023),
#'   *Flow matching for generative modeling*, arXiv:2210.02747.
#' @order 1
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

#' @exportS3Method
loss_label.bijectr_loss_reverse_kl <- function(loss) "ELBO (nats)"

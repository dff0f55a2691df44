#' Heavier, skewed, correlated and mixed base distributions
#'
#' `base_laplace()`, `base_cauchy()` and `base_gumbel()` have independent coordinates of one shape. `base_mvnormal()`
#' is a normal distribution with trained mean and covariance, `base_mvstudent_t()` a multivariate Student t with trained
#' location, scale matrix and degrees of freedom. `base_mixture()` is a mixture of normals with independent coordinates,
#' `base_gaussian_mixture()` one of normals with full covariances.
#'
#' @section Parameters:
#' Laplace, Cauchy, Gumbel (of maxima), if trainable: `loc` and raw `scale`, \eqn{s =
#' \mathrm{softplus}(scale)}{s = softplus(scale)}, one a coordinate.
#'
#' `base_mvnormal()`: `mean` (0) and `cholesky`, a square matrix whose lower triangle \eqn{L}, with softplus on its
#' diagonal, gives the covariance \eqn{L L'} (the identity at the start); entries above the diagonal take part in
#' nothing. At most 1024 coordinates, as for the other two with such a matrix.
#'
#' `base_mvstudent_t()`: `loc` (0), `cholesky` in the same way for the scale matrix \eqn{L L'}, and one raw `df`,
#' \eqn{\nu = \mathrm{softplus}(df)}{nu = softplus(df)} and at least 0.001, for all coordinates. The density is
#' \deqn{\frac{\Gamma((\nu + d) / 2)}{\Gamma(\nu / 2) (\nu \pi)^{d / 2} |L|} \left(1 + \frac{|u|^2}{\nu}\right)^{-(\nu
#' + d) / 2}, \quad u = L^{-1} (z - loc).}{Gamma((nu + d) / 2) / (Gamma(nu / 2) (nu pi)^(d / 2) |L|) (1 + |u|^2 /
#' nu)^(-(nu + d) / 2), u = L^-1 (z - loc).}
#'
#' `base_mixture()`: `weight`, \eqn{w = \mathrm{softmax}(weight)}{w = softmax(weight)} (equal at the start), and with
#' one row a component `mean` (`spread` times normal draws) and raw `scale` (scale 1), \eqn{s =
#' \mathrm{softplus}(scale)}{s = softplus(scale)}.
#'
#' With a `net`, and in a flow with conditions, the raw parameters of Laplace, Cauchy, Gumbel and `base_mixture()` are
#' the net's outputs given the conditions, row by row, added to their initial values: scales that depend on conditions,
#' and mixture density networks (Bishop 1994). The means of a mixture then start at `spread` times normal quantiles, and
#' the flow's parameters are those of the net, under `net`. Without conditions they are trained as they are.
#'
#' `base_gaussian_mixture()`: `weight` and `mean` as those of `base_mixture()`, and `cholesky`, an array \eqn{d \times
#' d \times}{d x d x} components with a matrix for each component like that of `base_mvnormal()`.
#'
#' @param trainable If `TRUE`, location and scale are trained with the layers.
#' @param net A net of the conditions, see [net_mlp()], whose outputs are the parameters of each row; `NULL`: all rows
#'   have the same.
#' @param loc,scale Location and scale: one number, or one a coordinate. Where they are trained, or given by a net, this
#'   is where they start.
#' @param df Degrees of freedom at the start, above 0.
#' @param components Number of components, at most 256.
#' @param spread Standard deviation of the initial means.
#' @return A base distribution: an object of class `bijectr_base`, for the `base` of [flow()] and [fit_flow()]. It is a
#'   plain list and prints as the call that makes it.
#' @references Bailey (1994), *Polar generation of random variates with the t-distribution*, Mathematics of Computation
#'   62, 779-781, \doi{10.2307/2153537}, for draws from the multivariate Student t, two coordinates at a time.
#'
#'   Bishop (1994), *Mixture density networks*, technical report NCRG/94/004, Aston University.
#'
#'   Figurnov, Mohamed, Mnih (2018), *Implicit reparameterization gradients*, Advances in Neural Information Processing
#'   Systems 31, \doi{10.48550/arXiv.1805.08498}, for gradients through draws of mixtures.
#' @order 1
#' @family base distributions
#' @examples
#' f <- flow(layer_flip(), d = 2, base = base_laplace())
#' logdensity(f, cbind(0, 1))
#' set.seed(1)
#' sample(flow(layer_flip(), d = 2, base = base_mixture(4, spread = 3)), 5)
#'
#' # a mixture with full covariances is a model of its own
#' base <- base_gaussian_mixture(2)
#' f <- fit_flow(faithful, layer_flip(), base = base, steps = 300, learning_rate = 0.05)
#' params(f)$base$cholesky
#'
#' # a mixture density network: two branches, of which x does not say the one
#' x <- runif(500, -1, 1)
#' y <- sample(c(-1, 1), 500, replace = TRUE) * x + 0.1 * rnorm(500)
#' f <- fit_flow(y, list(), condition = x, base = base_mixture(2, net = net_mlp(16)), steps = 500)
#' dflow(c(-0.8, 0, 0.8), f, condition = c(0.8, 0.8, 0.8))
#' @export
base_laplace <- function(trainable = FALSE, net = NULL, loc = 0, scale = 1) {
  new_located("laplace", trainable, net, loc, scale)
}

#' @export
base_distribution.bijectr_base_laplace <- function(base, raw) located(base, raw, laplace_cdf, laplace_quantile)

# One tail is the other turned round, so that both have all digits far out.
laplace_cdf <- function(u, lower.tail = TRUE, log.p = FALSE) {
  if (!lower.tail) u <- -u
  tail <- exp(-abs(u)) / 2
  if (log.p) ifelse(u < 0, u - log(2), log1p(-tail)) else ifelse(u < 0, tail, 1 - tail)
}

laplace_quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
  u <- if (log.p) {
    ifelse(p < -log(2), p + log(2), -log(-2 * expm1(p)))
  } else {
    ifelse(p < 0.5, log(2 * p), -log(2 * (1 - p)))
  }
  if (lower.tail) u else -u
}

#' Heavier, skewed, correlated and mixed base distributions
#'
#' `base_laplace()`, `base_cauchy()` and `base_gumbel()` have independent coordinates of one shape. `base_mvnormal()`
#' is a normal distribution with trained mean and covariance, `base_mixture()` a mixture of normals with independent
#' coordinates.
#'
#' @section Parameters:
#' Laplace, Cauchy, Gumbel (of maxima), if trainable: `loc` (0) and raw `scale` (scale 1), \eqn{s =
#' \mathrm{softplus}(scale)}{s = softplus(scale)}, one a coordinate.
#'
#' `base_mvnormal()`: `mean` (0) and `cholesky`, a square matrix whose lower triangle \eqn{L}, with softplus on its
#' diagonal, gives the covariance \eqn{L L'} (the identity at the start); entries above the diagonal take part in
#' nothing. At most 64 coordinates.
#'
#' `base_mixture()`: `weight`, \eqn{w = \mathrm{softmax}(weight)}{w = softmax(weight)} (equal at the start), and with
#' one row a component `mean` (`spread` times normal draws) and raw `scale` (scale 1), \eqn{s =
#' \mathrm{softplus}(scale)}{s = softplus(scale)}. Its draws do not move smoothly with its weights, so it cannot be
#' trained against a log density, only on data.
#'
#' @param trainable If `TRUE`, location and scale are trained with the layers.
#' @param components Number of components.
#' @param spread Standard deviation of the initial means.
#' @return A base distribution: an object of class `bijectr_base`, for the `base` of [flow()] and [fit_flow()]. It is a
#'   plain list and prints as the call that makes it.
#' @order 1
#' @family base distributions
#' @examples
#' f <- flow(layer_flip(), d = 2, base = base_laplace())
#' logdensity(f, cbind(0, 1))
#' set.seed(1)
#' sample(flow(layer_flip(), d = 2, base = base_mixture(4, spread = 3)), 5)
#' @export
base_laplace <- function(trainable = FALSE) new_spec("base", "laplace", trainable = check_flag(trainable, "trainable"))

#' @export
base_distribution.bijectr_base_laplace <- function(base, raw) {
  located(
    base, raw, function(u, ...) finish_cdf(ifelse(u < 0, exp(u) / 2, 1 - exp(-u) / 2), ...),
    function(p, ...) {
      p <- start_quantile(p, ...)
      ifelse(p < 0.5, log(2 * p), -log(2 * (1 - p)))
    }
  )
}

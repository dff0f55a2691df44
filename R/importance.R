#' Importance sampling with a fitted flow
#'
#' Draws from the flow \eqn{q}, weighted by \eqn{w = p(x) / q(x)}, stand for the distribution whose log density, up to a
#' constant, is `target`: whatever the fit is like, expectations under the weights are those of the target, if the
#' weights have a finite mean. How good they are is seen from `ess` and `pareto_k`.
#'
#' * `elbo`: mean of \eqn{\log w}{log w}, a lower bound of \eqn{\log Z}{log Z}, with standard error `elbo_se`. If the
#'   target is `-Inf` at a draw it is `-Inf`, and its error `NA`.
#' * `log_z`: log of the mean of \eqn{w}, the estimate of \eqn{\log \int p}{log integral of p}, with the standard error
#'   `log_z_se` of the mean relative to it.
#' * `ess`: effective sample size, \eqn{(\sum w)^2 / \sum w^2}.
#' * `pareto_k`: shape of the generalized Pareto distribution that fits the largest weights. Below 0.5 they have a
#'   finite variance; above 0.7 neither `log_z` nor the standard error can be trusted. `Inf`: nearly all weights are
#'   as good as 0 beside the largest. `NA`: `n` is 20 or less, too few to tell.
#'
#' @section What the numbers cannot see:
#' All of them are computed from draws of the flow, so they know nothing of places where the flow does not draw. A fit
#' by reverse Kullback-Leibler divergence tends to leave out tails and whole modes of the target. Then `log_z` is too
#' low by the logarithm of the share that is covered, all expectations are those of the covered part, and still `ess` is
#' near `n`, `pareto_k` is small and `log_z_se` is tiny. Good numbers are necessary, not sufficient: compare with draws
#' of another sampler, or with fits from other starts, with a base distribution of heavier tails ([base_student_t()]) or
#' with `anneal`. Of two fits whose `pareto_k` is small, the one with the larger `log_z` covers more.
#'
#' @param object A flow, or a fit: mostly one to a log density, but one to draws of another sampler, a stack too, will
#'   do.
#' @param target The log density: a function of a matrix with one row a point that returns one number a row, or a model,
#'   see [fit_flow_model]. `NULL`: the one that the fit's call names.
#' @param n Number of draws.
#' @param condition Values of the conditioning variables, one row.
#' @param ... Not used.
#' @return A list of class `bijectr_importance`: the numbers above, `n`, `draws` (in the form of the data of the fit,
#'   see [sample()]; a matrix for a fit to a log density) and `log_weights` (normalized, so that their exponentials sum
#'   to 1). The largest of the weights, `3 sqrt(n)` of them, are Pareto smoothed: replaced by the quantiles of the
#'   generalized Pareto distribution that fits them. The numbers above are those of the weights as they are.
#' @references Vehtari, Simpson, Gelman, Yao, Gabry (2024), *Pareto smoothed importance sampling*, arXiv:1507.02646.
#'   Zhang, Stephens (2009), *A new and efficient estimation method for the generalized Pareto distribution*,
#'   Technometrics 51(3), \doi{10.1198/tech.2009.08017}.
#' @seealso [fit_flow.function()], [sample_imh()]
#' @family inference
#' @examples
#' set.seed(1)
#' tilted <- function(x) -rowSums(x^2) / 2 + sin(x[, 1])
#' fit <- fit_flow(tilted, d = 2, steps = 80)
#' s <- importance_sample(fit, tilted, n = 2000)
#' s
#' sum(exp(s$log_weights) * s$draws[, 1]) # mean of the first coordinate
#' @export
importance_sample <- function(object, target = NULL, n = 10000, condition = NULL, ...) {
  check_unused(...)
  check_given("object")
  check_object(object)
  target <- find_target(object, target, parent.frame())
  structure(weigh_draws(object, target, check_count(n, "n", min = 2), condition), class = "bijectr_importance")
}

# The target that was given, or that of the fit's call, as a function.
find_target <- function(object, target, envir) {
  as_target(target %||% own_target(object, envir)) %||%
    stop_arg("{.arg target} must be a function or a model, not {.obj_type_friendly {target}}.")
}

own_target <- function(object, envir) UseMethod("own_target")

#' @export
own_target.default <- function(object, envir) NULL

#' @export
own_target.bijectr_target_fit <- function(object, envir) {
  found <- call_value(object, "data", envir, "target")
  if (is.null(found)) return(NULL)
  check_same_target(object, found)
  # a function that stands in the call itself has lost what was around it there
  written <- match_fit_call(object$call, envir)[["data"]]
  if (!is.call(written) || !identical(written[[1]], quote(`function`))) return(found)
  function(...) {
    tryCatch(found(...), error = function(e) {
      stop_arg(c(
        "{.arg target} must be given: the function in the call of the fit, evaluated here, ended in an error.",
        x = "{conditionMessage(e)}"
      ))
    })
  }
}

weigh_draws <- function(flow, target, n, condition = NULL) {
  proposal <- propose(flow, target, n, condition)
  log_w <- proposal$log_weight
  draws <- give_back(flow, proposal$points)
  smooth <- smooth_weights(log_w)
  c(summarise_weights(log_w), list(n = n, draws = draws, log_weights = smooth - log_mean_exp(smooth) - log(n)))
}

# Draws of the flow, as the target knows them and as points, with their log weights. The target sees a matrix whatever
# the form of the data, or a data frame where columns are more than numbers. Where it is -Inf the weight is 0. A draw
# that is no number, or that the flow itself gives no density, has no weight.
propose <- function(flow, target, n, condition = NULL) {
  condition <- take_condition(flow, condition, n)
  out <- points_proposed(flow, n, condition)
  stop_weightless(rowSums(is.na(out$value)) > 0, "is not a number")
  draws <- give_back(flow, out$value, form = NULL)
  log_p <- target_values(target(draws), n)
  stop_at_bad(log_p, is.na(log_p) | log_p == Inf, draws)
  outside <- log_p == -Inf
  stop_weightless(!outside & !is.finite(out$log_density), "has no finite log density")
  log_weight <- log_p - out$log_density
  log_weight[outside] <- -Inf
  list(draws = draws, points = out$value, log_weight = log_weight)
}

stop_at_bad <- function(log_p, bad, x) {
  at <- which(bad)[1]
  if (!is.na(at)) stop_arg("The target is {log_p[at]} at ({format(x[at, ], digits = 4)}).")
}

stop_weightless <- function(bad, what) {
  if (!any(bad)) return(invisible())
  stop_arg(c(
    "Draw {which(bad)[1]} of the flow {what}: parameters of the flow are too large for doubles.",
    i = "So it is with {sum(bad)} of {length(bad)} draws."
  ))
}

summarise_weights <- function(log_w) {
  n <- length(log_w)
  top <- max(log_w)
  if (top == -Inf) stop_arg("The target is -Inf at all {n} draws of the flow.")
  w <- exp(log_w - top)
  elbo <- mean(log_w)
  list(
    elbo = elbo, elbo_se = if (elbo == -Inf) NA_real_ else stats::sd(log_w) / sqrt(n), log_z = top + log(mean(w)),
    log_z_se = stats::sd(w) / mean(w) / sqrt(n), ess = sum(w)^2 / sum(w^2), pareto_k = pareto_k(log_w)
  )
}

# Shape of the tail.
pareto_k <- function(log_w) {
  tail <- weight_tail(log_w)
  if (is.null(tail)) return(NA_real_)
  # weights that are all but equal have no tail
  if (is_flat(tail)) -Inf else gpd_fit(tail$excess)[["k"]]
}

# The largest weights above the next smaller one, as many as Vehtari et al. take, ascending; NULL where these are too
# few: `excess` and the threshold `above`, both as shares of the largest, and their places `at`.
weight_tail <- function(log_w) {
  n <- length(log_w)
  m <- ceiling(min(0.2 * n, 3 * sqrt(n)))
  if (m < 5) return(NULL)
  order <- order(log_w, decreasing = TRUE)[seq_len(m + 1)]
  share <- exp(log_w[order] - log_w[order[1]])
  list(excess = rev(share[seq_len(m)] - share[m + 1]), above = share[m + 1], at = rev(order[seq_len(m)]))
}

is_flat <- function(tail) max(tail$excess) - tail$excess[1] < 1e-10

# The largest weights by the quantiles of the generalized Pareto distribution that fits them, none above the largest.
smooth_weights <- function(log_w) {
  tail <- weight_tail(log_w)
  if (is.null(tail) || is_flat(tail)) return(log_w)
  gpd <- gpd_fit(tail$excess)
  if (!is.finite(gpd[["k"]])) return(log_w)
  p <- (seq_along(tail$at) - 0.5) / length(tail$at)
  k <- gpd[["k"]]
  excess <- gpd[["sigma"]] * if (k == 0) -log1p(-p) else expm1(-k * log1p(-p)) / k
  replace(log_w, tail$at, max(log_w) + log(pmin(tail$above + excess, 1)))
}

# Posterior mean of the shape, with the weak prior towards 0.5 of Vehtari et al., and the scale, from x in ascending
# order. Where the quartile is 0 beside the largest, or its inverse overflows, the tail is longer than any shape tells.
gpd_fit <- function(x) {
  n <- length(x)
  m <- 30 + floor(sqrt(n))
  quartile <- x[floor(n / 4 + 0.5)]
  theta <- 1 / x[n] + (1 - sqrt(m / (seq_len(m) - 0.5))) / (3 * quartile)
  shape <- vapply(theta, function(t) mean(log1p(-t * x)), 0)
  log_likelihood <- n * (log(-theta / shape) - shape - 1)
  best <- sum(theta * exp_shares(log_likelihood))
  k <- mean(log1p(-best * x))
  if (is.nan(k)) return(c(k = Inf, sigma = NA))
  c(k = (n * k + 5) / (n + 10), sigma = -k / best)
}

#' @export
print.bijectr_importance <- function(x, ...) {
  cat("<importance sample> ", format(x$n, big.mark = ","), " draws\n", sep = "")
  print_evaluation(x)
  invisible(x)
}

print_evaluation <- function(e) {
  if (is.null(e)) return()
  error <- format(signif(e$log_z_se, 2))
  cat("  ELBO ", format_nats(e$elbo), ", log Z ", format_nats(e$log_z), " (standard error ", error, ")\n", sep = "")
  warning <- if (is.na(e$pareto_k)) {
    " (not known: log Z may be wrong)"
  } else if (e$pareto_k > 0.7) {
    " (above 0.7: log Z may be wrong, ask check_flow())"
  }
  cat("  effective sample size ", format(signif(100 * e$ess / e$n, 3)), " % of ", format(e$n, big.mark = ","),
    " draws, Pareto k-hat ", format(round(e$pareto_k, 2)), warning, "\n",
    sep = ""
  )
}

#' @rdname importance_sample
#' @param x What `importance_sample()` returns.
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: the draws, with their normalized log weights in a column `.log_weight`.
#'   `posterior::as_draws()`: these as a `draws_df` of package posterior, to which they are weighted draws:
#'   `posterior::resample_draws()` makes them draws without weights.
#' @export
as.data.frame.bijectr_importance <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  out <- as.data.frame(x$draws)
  out$.log_weight <- x$log_weights
  out
}

#' @rdname importance_sample
#' @exportS3Method posterior::as_draws
as_draws.bijectr_importance <- function(x, ...) {
  check_unused(...)
  posterior::as_draws_df(as.data.frame(x))
}

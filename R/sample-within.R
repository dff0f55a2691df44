#' Draws of a posterior within its prior
#'
#' A posterior that was learned from simulations may leak: some of its draws lie where the prior has no density. Draws
#' are made until `n` are within (rejection), which are draws of the posterior that is cut at the ends of the prior; the
#' share that was within says how much of the fit has leaked.
#'
#' Supports that the fit knows keep all draws within: `fit_flow(theta, condition = data, support = bounded(-1, 1))`.
#' @param fit A fit of parameters given data, or a flow of the parameters.
#' @param prior The prior, as [fit_rounds()] takes it: a list of the functions `sample` and `log_density`, or a flow;
#'   draws are within it where its log density is finite. Or a function of a matrix of parameters that returns for each
#'   row whether it is within.
#' @param n Number of draws.
#' @param condition The observation, one row; by default that of a fit in rounds.
#' @param tries How many draws to make at most for each one that is wanted.
#' @return `n` draws in the form that [sample()] gives, with attributes `"within"`, the share of all draws that were
#'   within the prior, and `"error"`, the standard error of that share. If fewer than `n` of `tries * n` draws are
#'   within, an error of class `bijectr_error_leakage`, with those that are in its field `draws` and their share in
#'   `within`.
#' @seealso [sample()], [fit_rounds()]
#' @family inference
#' @examples
#' set.seed(1)
#' theta <- matrix(runif(500, 0, 1))
#' data <- theta + 0.5 * rnorm(500)
#' fit <- fit_flow(theta, condition = data, members = 1, steps = 200, support = "real")
#' draws <- sample_within(fit, function(theta) theta > 0 & theta < 1, 1000, condition = 0.9)
#' attributes(draws)[c("within", "error")]
#' range(draws)
#' @export
sample_within <- function(fit, prior, n, condition = NULL, tries = 100) {
  check_given("fit", "prior", "n")
  n <- check_count(n, "n")
  tries <- check_count(tries, "tries")
  check_object(fit)
  if (inherits(fit, "bijectr_rounds_fit")) {
    condition <- condition %||% if (is.null(fit$likelihood)) matrix(fit$observed, 1)
    fit <- as_flow(fit) # whose draws are not kept within the prior yet
  }
  inside <- inside_of_prior(prior)
  if (condition_rows(fit, condition) != 1) stop_arg("{.arg condition} must be one row, the observation.")
  kept <- NULL
  made <- found <- 0
  while (found < n && made < tries * n) {
    # as many as are likely to be needed, a few more, and no more than are left
    share <- if (made > 0) max(found, 1) / made else 1
    size <- min(ceiling(1.1 * (n - found) / share), BY_ROWS_CHUNK, tries * n - made)
    draws <- draw_points(fit, size, condition)
    within <- which(inside(give_back(fit, draws, form = list(kind = "matrix"), drawn = TRUE)))
    kept <- rbind(kept, draws[within, , drop = FALSE])
    made <- made + size
    found <- found + length(within)
  }
  share <- found / made
  out <- give_back(fit, kept[seq_len(min(n, found)), , drop = FALSE], drawn = TRUE)
  if (found >= n) return(structure(out, within = share, error = sqrt(share * (1 - share) / made)))
  cli::cli_abort(
    c(
      "{found} of {made} draws lie within the prior: {n} were wanted, and {.arg tries} is {tries}.",
      i = "They are in this condition: {.code tryCatch(..., error = identity)$draws}.",
      i = "A fit that knows the ends of the prior does not leak: {.arg support} of {.fn fit_flow}."
    ),
    class = c("bijectr_error_leakage", "bijectr_error"), draws = out, within = share, call = user_call()
  )
}

# function(theta) that says of each row whether the prior has it.
inside_of_prior <- function(prior) {
  if (!is.function(prior)) {
    prior <- check_prior(prior)
    return(function(theta) has_density(prior, theta))
  }
  function(theta) {
    value <- prior(theta)
    if (is.logical(value) && length(value) == nrow(theta)) return(as.vector(value))
    stop_arg("{.arg prior} must return TRUE or FALSE for each of {nrow(theta)} rows, not {describe(value)}.")
  }
}

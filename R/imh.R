#' Independence Metropolis-Hastings around a flow
#'
#' Markov chains whose stationary distribution is exactly the target: proposals are draws of the flow \eqn{q}, and a
#' proposal \eqn{x'} replaces \eqn{x} with probability \eqn{\min(1, w(x') / w(x))}{min(1, w(x') / w(x))}, \eqn{w = p /
#' q}. They mix fast where the flow is close to the target, and stay for long at points where the flow has far less
#' density than the target.
#'
#' All proposals are drawn, and the target is evaluated, in one call each.
#'
#' @inheritParams importance_sample
#' @param size Draws of each chain.
#' @param chains Number of chains.
#' @param warmup First draws of each chain that are dropped.
#' @return An array of draws: iteration, chain, coordinate; a `draws_array` of the posterior package where that is
#'   installed. Attribute `"acceptance"`: the share of proposals that each chain accepted.
#' @references Tierney (1994), *Markov chains for exploring posterior distributions*, Annals of Statistics 22(4),
#'   \doi{10.1214/aos/1176325750}. Albergo, Kanwar, Shanahan (2019), *Flow-based generative models for Markov chain
#'   Monte Carlo in lattice field theory*, arXiv:1904.12072.
#' @seealso [importance_sample()]
#' @family inference
#' @examples
#' set.seed(1)
#' tilted <- function(x) -rowSums(x^2) / 2 + sin(x[, 1])
#' fit <- fit_flow(tilted, names = c("a", "b"), steps = 80)
#' chains <- sample_imh(fit, tilted, size = 500)
#' dim(chains)
#' attr(chains, "acceptance")
#' @export
sample_imh <- function(object, target = NULL, size = 1000, chains = 4, warmup = 100, condition = NULL, ...) {
  check_unused(...)
  check_given("object")
  check_object(object)
  whole <- whole_table(object)
  taken <- intersect(whole$names, c(".chain", ".iteration", ".draw"))
  if (length(taken)) stop_arg("A coordinate is called {.field {taken[1]}}, a name that draws objects use themselves.")
  size <- check_count(size, "size")
  chains <- check_count(chains, "chains")
  warmup <- check_count(warmup, "warmup", min = 0)
  steps <- as.double(size) + warmup + 1
  if (steps * chains > .Machine$integer.max) {
    asked <- c("size", if (chains > 1) "chains", if (warmup > 0) "warmup")
    stop_arg(
      "{.arg {asked}} {?is/are} too large: chains of {steps} steps need {steps * chains} draws,
       of which there can be {(.Machine$integer.max)}."
    )
  }
  target <- find_target(object, target, parent.frame())
  proposal <- propose(object, target, steps * chains, condition)
  log_w <- matrix(proposal$log_weight, steps, chains)
  if (any(colSums(log_w > -Inf) == 0)) stop_arg("The target is -Inf at all draws of the flow.")
  accept <- matrix(log(stats::runif(steps * chains)), steps, chains)
  # the state of a chain is the number of the proposal that it took last
  at <- matrix(1L, steps, chains)
  here <- rep(1L, chains)
  for (i in seq_len(steps)[-1]) {
    current <- log_w[cbind(here, seq_len(chains))]
    moves <- current == -Inf | accept[i, ] < log_w[i, ] - current
    here[moves] <- i
    at[i, ] <- here
  }
  kept <- seq_len(size) + warmup + 1
  rows <- at[kept, , drop = FALSE] + rep((seq_len(chains) - 1L) * steps, each = size)
  points <- with_dropped(proposal$points, object$dropped)[rows, ]
  out <- array(points, c(size, chains, whole$d), list(NULL, NULL, coordinate_labels(whole)))
  acceptance <- colMeans(at[kept, , drop = FALSE] == kept)
  if (requireNamespace("posterior", quietly = TRUE)) out <- posterior::as_draws_array(out)
  attr(out, "acceptance") <- acceptance
  out
}

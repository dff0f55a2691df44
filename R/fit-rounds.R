#' Simulation-based inference in rounds
#'
#' Learns the posterior distribution of the parameters \eqn{\theta} of a simulator, whose likelihood is not known, given
#' an observation: sequential neural posterior estimation (SNPE-C). In the first round parameters are drawn from the
#' prior and a conditional flow \eqn{q(\theta | x)} is fitted to them by maximum likelihood. In each later round they
#' are drawn from
#' \eqn{q(\theta | x_o)}, so that simulations are spent where the posterior is, and the flow is trained further on the
#' simulations of all rounds. Maximum likelihood would then learn a posterior under the wrong prior. The contrastive
#' loss does not: the flow has to tell the \eqn{\theta_i} that produced \eqn{x_i} from other parameters \eqn{\theta_j}
#' of its batch,
#' \deqn{-\log \frac{q(\theta_i | x_i) / p(\theta_i)}{\sum_j q(\theta_j | x_i) / p(\theta_j)},}
#' where the sum is over \eqn{\theta_i} and `atoms` others.
#'
#' A flow with density outside the support of the prior is not punished for it by the contrastive loss. Draws outside
#' are not simulated, but layers that end inside the support are better; see the
#' example. They need `noise = 0`, since noise would move parameters out of it.
#'
#' @param simulator A function of a matrix of parameters, one row each, that returns a numeric matrix with a row of
#'   simulated data for each.
#' @param prior A list of two functions: `sample(n)` gives a matrix of parameters, `log_density(theta)` one number a
#'   row; or an (unconditional) flow.
#' @param observed The observation: a numeric vector, one number a column of what the simulator returns.
#' @param rounds Number of rounds.
#' @param simulations Number of simulations of each round.
#' @param layers,base,standardize See [fit_flow()].
#' @param loss Loss of the rounds after the first, [loss_contrastive()].
#' @param control,...  Training settings of each round, see [fit_control()]; by default those of [fit_flow()], with
#'   batches of 100 pairs for the contrastive loss, which takes `atoms + 1` densities a pair.
#' @param progress Show progress bars.
#' @section Interrupts and errors: an interrupt ends the rounds, not the call: the fit so far is returned, with status
#'   `"interrupted"` and a warning of class `bijectr_warning_interrupted`. An error of the simulator in
#'   a later round, or during training, is raised as `bijectr_error_training` with the fit so far as `condition$fit`
#'   (`NULL` before the first step) and what was simulated as `condition$rounds`; the original error is its parent. A
#'   fit in rounds cannot be trained further with `update()`: start `fit_rounds()` with it as `layers`.
#' @return A `bijectr_fit` of the last round: a flow of the parameters given data, to be used with `condition =
#'   observed`. It has the additional fields `rounds` (a list with `theta`, `data` and `history` of each round;
#'   `history` is `NULL` where an interrupt came before its training) and `observed`.
#' @references Greenberg, Nonnenmacher, Macke (2019), *Automatic posterior transformation for likelihood-free
#'   inference*, arXiv:1905.07488. Durkan, Murray, Papamakarios (2020), *On contrastive learning for likelihood-free
#'   inference*, arXiv:2002.03712.
#' @seealso [loss_contrastive()]
#' @family inference
#' @examples
#' set.seed(1)
#' simulator <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
#' prior <- list(
#'   sample = function(n) matrix(runif(n, 0, 4), n, 1),
#'   log_density = function(theta) dunif(theta[, 1], 0, 4, log = TRUE)
#' )
#' # 4 sigmoid(t) ends inside the support of the prior
#' layers <- layer_chain(
#'   masked_autoregressive_flow(flow_layers = 2, nn_width = 16), layer_elementwise(scalar_sigmoid()),
#'   layer_standardize(0, 4)
#' )
#' fit <- fit_rounds(simulator, prior, 3,
#'   simulations = 200, layers = layers, standardize = "none", steps = 100, noise = 0
#' )
#' summary(sample(fit, 1000, condition = 3)[, 1])
#' @export
fit_rounds <- function(simulator, prior, observed, rounds = 2, simulations = 1000, layers = NULL, base = base_normal(),
                       standardize = TRUE, loss = loss_contrastive(), control = NULL, progress = interactive(), ...) {
  check_given("simulator", "prior", "observed")
  if (!is.function(simulator)) stop_arg("{.arg simulator} must be a function, not {.obj_type_friendly {simulator}}.")
  prior <- check_prior(prior)
  observed <- check_observed(observed)
  rounds <- check_count(rounds, "rounds")
  simulations <- check_count(simulations, "simulations", min = 10)
  if (check_family(loss, "loss", "loss")$kind != "contrastive") stop_arg("{.arg loss} must be {.fn loss_contrastive}.")
  settings <- function(n, d) make_control(control, default_control(n, d), list(...))
  check_rounds(settings(simulations, 1L), layers, base, standardize, progress)
  default_batch <- is.null(control$batch_size) && is.null(list(...)$batch_size)
  if (rounds > 1) check_atoms(loss$atoms, settings(2 * simulations, 1L), 2 * simulations, default_batch)
  call <- plain_call(sys.call())
  theta <- data <- log_prior <- NULL
  log <- list()
  fit <- NULL
  simulate_round <- function() {
    first <- !length(log)
    new <- if (first) prior$sample(simulations) else sample_inside(fit, observed, prior, simulations)
    new <- as_numeric_matrix(new, "prior$sample")
    if (first) check_rounds_fit(layers, ncol(new), base, length(observed))
    log_prior <<- c(log_prior, prior_values(prior, new))
    simulated <- check_simulated(simulator(new), nrow(new), observed)
    theta <<- rbind(theta, new)
    data <<- rbind(data, simulated)
    log[[length(log) + 1]] <<- list(theta = new, data = simulated, history = NULL)
  }
  train_round <- function() {
    own <- settings(nrow(theta), ncol(theta))
    fit <<- if (length(log) == 1) {
      fit_matrix(
        as_fit_data(theta, "theta"), layers, base, data, NULL, standardize, loss_maximum_likelihood(), own, progress
      )
    } else {
      fit_contrastive(fit, theta, data, log_prior, loss, own, progress, default_batch)
    }
    log[[length(log)]]$history <<- fit$history
  }
  finished <- function(fit) {
    fit[c("rounds", "observed", "call")] <- list(log, observed, call)
    class(fit) <- c("bijectr_rounds_fit", setdiff(class(fit), "bijectr_rounds_fit"))
    fit
  }
  simulate_round()
  # what comes now costs neither what was simulated nor what was trained
  ended <- guarded(without_advice(train_round()))
  while (!inherits(ended, "condition") && length(log) < rounds && fit$status != "interrupted") {
    ended <- guarded({
      simulate_round()
      without_advice(train_round())
    })
  }
  if (inherits(ended, "interrupt") && !is.null(fit)) fit$status <- "interrupted"
  if (!inherits(ended, "error") && identical(fit$status, "interrupted")) {
    ended <- guarded(warn_interrupted_rounds(n_trained(log)))
  }
  if (!inherits(ended, "condition")) return(finished(fit))
  if (!is.null(ended$fit)) {
    fit <- ended$fit
    log[[length(log)]]$history <- fit$history
  }
  raise_failed_round(ended, n_trained(log) + is.null(ended$fit), log, if (!is.null(fit)) finished(fit))
}

# What would be an error in a later round is one before anything is simulated.
check_rounds <- function(control, layers, base, standardize, progress) {
  force(control)
  check_flag(progress, "progress")
  check_standardize(standardize)
  check_family(base, "base", "base")
  if (inherits(layers, "bijectr_flow")) check_flow(layers) else if (!is.null(layers)) as_layer(layers, "layers")
}

# In the second round, which has the fewest rows.
check_atoms <- function(atoms, control, n, default_batch) {
  held_out <- control$validation
  held_out <- if (is.logical(held_out)) {
    sum(held_out)
  } else if (any(held_out < 1)) {
    round(held_out * n)
  } else {
    length(held_out)
  }
  batch_size <- min(n - held_out, if (default_batch) CONTRASTIVE_BATCH else control$batch_size)
  if (batch_size <= atoms) {
    stop_arg("{.arg atoms} ({atoms}) must be less than the rows of a batch ({batch_size}).")
  }
}

check_rounds_fit <- function(layers, d, base, d_condition) {
  if (inherits(layers, "bijectr_flow")) {
    check_start(layers, d, d_condition, "prior$sample", "observed")
  } else if (!is.null(layers)) {
    with_seed(1, new_flow(as_layer(layers, "layers"), d, base, d_condition))
  }
}

n_trained <- function(log) sum(!vapply(log, function(round) is.null(round$history), NA))

# The warning of an interrupted training says how update() goes on, which fits in rounds do not.
without_advice <- function(expr) {
  withCallingHandlers(expr, bijectr_warning_interrupted = function(w) invokeRestart("muffleWarning"))
}

warn_interrupted_rounds <- function(n) {
  cli::cli_warn(
    c("Interrupted in round {n}: this is the fit so far.", i = "{.fn fit_rounds} with {.code layers = fit} goes on."),
    class = "bijectr_warning_interrupted"
  )
}

raise_failed_round <- function(condition, round, log, fit) {
  # the error of a fit in one round says what holds for such fits
  parent <- if (inherits(condition, "bijectr_error_training")) condition$parent else condition
  cli::cli_abort(
    c(
      "Round {round} {if (inherits(parent, 'error')) 'ended in an error' else 'was interrupted'}.",
      i = if (!is.null(fit)) {
        "The fit so far is in this condition: {.code tryCatch(..., error = identity)$fit} or
         {.code rlang::last_error()$fit}."
      } else {
        "What was simulated is in this condition: {.code tryCatch(..., error = identity)$rounds} or
         {.code rlang::last_error()$rounds}."
      }
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = if (inherits(parent, "error")) parent, fit = fit,
    rounds = log, call = user_call()
  )
}

#' @export
update.bijectr_rounds_fit <- function(object, ...) {
  stop_arg(c(
    "A fit in rounds cannot be trained further by {.fn update}.",
    i = "{.fn fit_rounds} with {.code layers = fit} starts where it ended."
  ))
}

# Numbers; a row of a matrix or of a data frame is as good.
check_observed <- function(observed) {
  if (length(dim(observed)) == 2 && nrow(observed) == 1) observed <- as_numeric_matrix(observed, "observed")
  if (!is.numeric(observed) || !length(observed) || !(is.null(dim(observed)) || nrow(observed) == 1)) {
    stop_arg("{.arg observed} must be a numeric vector, not {describe(observed)}.")
  }
  as.double(check_finite(matrix(observed, 1), "observed"))
}

check_prior <- function(prior) {
  if (inherits(prior, "bijectr_flow")) {
    return(list(sample = function(n) sample(prior, n), log_density = function(theta) logdensity(prior, theta)))
  }
  if (is.list(prior) && is.function(prior$sample) && is.function(prior$log_density)) return(prior)
  stop_arg("{.arg prior} must be a flow, or a list of the functions {.field sample} and {.field log_density}.")
}

check_simulated <- function(data, n, observed) {
  data <- as_numeric_matrix(data, "simulator(theta)")
  if (nrow(data) != n || ncol(data) != length(observed)) {
    stop_arg(c(
      "The simulator must return a matrix of {n} row{?s} and {length(observed)} column{?s}, as {.arg observed} has.",
      i = "It returned {nrow(data)} row{?s} and {ncol(data)} column{?s}."
    ))
  }
  check_finite(data, "simulator(theta)")
}

prior_values <- function(prior, theta) {
  value <- target_values(prior$log_density(theta), nrow(theta), "`prior$log_density`")
  bad <- which(!is.finite(value))
  if (length(bad)) {
    stop_arg("{.arg prior$log_density} is {value[bad[1]]} at parameters that {.arg prior$sample} drew:
              ({format(theta[bad[1], ], digits = 4)}).")
  }
  value
}

# Draws of q(theta | observed) inside the prior's support.
sample_inside <- function(fit, observed, prior, n) {
  kept <- NULL
  for (attempt in 1:100) {
    draws <- sample(fit, n, condition = matrix(observed, 1))
    inside <- is.finite(target_values(prior$log_density(draws), n, "`prior$log_density`"))
    kept <- rbind(kept, draws[inside, , drop = FALSE])
    if (nrow(kept) >= n) return(kept[seq_len(n), , drop = FALSE])
  }
  stop_arg("Hardly a draw of the posterior lies in the support of the prior: {nrow(kept)} of {100 * n}.")
}

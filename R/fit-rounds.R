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
#' \deqn{-\log \frac{q(\theta_i | x_i) / p(\theta_i)}{\sum_j q(\theta_j | x_i) / p(\theta_j)},}{
#'   -log[ (q(theta_i | x_i) / p(theta_i)) / sum_j (q(theta_j | x_i) / p(theta_j)) ],}
#' where the sum is over \eqn{\theta_i} and `atoms` others.
#'
#' A flow with density outside the support of the prior is not punished for it by the contrastive loss. Draws outside
#' are not simulated, but layers that end inside the support are better; see the example. They need `noise = 0`, since
#' noise would move parameters out of it.
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
#'   `"interrupted"` and a warning of class `bijectr_warning_interrupted`. An error that comes once something was
#'   simulated (data that are not finite, an error of the simulator in a later round or of the training) is raised as
#'   `bijectr_error_training` with the fit so far as `condition$fit` (`NULL` before the first step) and what was
#'   simulated as `condition$rounds`; the original error is its parent. A fit in rounds cannot be trained further with
#'   `resume()`: start `fit_rounds()` with it as `layers`.
#' @return A `bijectr_fit` of the last round: a flow of the parameters given data, which are `observed` where its verbs
#'   are given no `condition`. Additional fields are `observed` and `rounds`, a list with `theta`, its log density
#'   `log_prior`, `data` and `history` of each round; `history` is `NULL` where the round ended before its training.
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
#' summary(sample(fit, 1000)[, 1]) # given the observation, 3
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
  check_round_rows(settings, simulations, rounds, loss$atoms, default_batch)
  call <- plain_call(sys.call())
  run <- list(
    problem = list(simulator = simulator, prior = prior, observed = observed, n = simulations),
    training = list(
      layers = layers, base = base, standardize = standardize, loss = loss, settings = settings,
      default_batch = default_batch, progress = progress
    ),
    rounds = list(), fit = NULL, ended = NULL
  )
  suspendInterrupts({
    while (is.null(run$ended) && length(run$rounds) < rounds) run <- next_round(run)
    conclude_rounds(run, call)
  })
}

# ---- the record of a fit in rounds -----------------------------------------------------------------------------------

# `run` holds what was asked for (`problem`, `training`), the rounds begun, the fit of the last one that was trained,
# and the condition that ended it all, NULL as long as nothing has. A stage of a round takes the record and gives a new
# one: whatever ends a stage leaves the record of the stage before, so that neither what was simulated nor what was
# trained is lost. Before anything was simulated there is nothing to lose, and a condition goes its way.
next_round <- function(run) {
  run$rounds[[length(run$rounds) + 1]] <- list(theta = NULL, log_prior = NULL, data = NULL, history = NULL)
  for (stage in list(draw_parameters, simulate_data, check_data, train_flow)) {
    after <- if (length(simulated(run))) guarded(stage(run)) else allowInterrupts(stage(run))
    run <- if (inherits(after, "condition")) ended_round(run, after) else after
    if (!is.null(run$ended)) break
  }
  run
}

# An error of the training carries the fit so far.
ended_round <- function(run, condition) {
  if (!is.null(condition$fit)) run <- trained(run, condition$fit)
  run$ended <- condition
  run
}

this_round <- function(run) run$rounds[[length(run$rounds)]]

set_round <- function(run, ...) {
  values <- list(...)
  run$rounds[[length(run$rounds)]][names(values)] <- values
  run
}

# The rounds whose simulator has come back.
simulated <- function(run) Filter(function(round) !is.null(round$data), run$rounds)

draw_parameters <- function(run) {
  problem <- run$problem
  first <- length(run$rounds) == 1
  theta <- if (first) problem$prior$sample(problem$n) else sample_inside(run$fit, problem)
  theta <- as_numeric_matrix(theta, "prior$sample")
  if (first) check_first_draws(theta, problem, run$training)
  set_round(run, theta = theta, log_prior = prior_values(problem$prior, theta))
}

simulate_data <- function(run) set_round(run, data = run$problem$simulator(this_round(run)$theta))

check_data <- function(run) {
  round <- this_round(run)
  set_round(run, data = check_simulated(round$data, nrow(round$theta), run$problem$observed))
}

train_flow <- function(run) {
  how <- run$training
  of_all <- function(field) do.call(rbind, lapply(run$rounds, `[[`, field))
  theta <- of_all("theta")
  control <- how$settings(nrow(theta), ncol(theta))
  trained(run, without_advice(
    if (is.null(run$fit)) {
      rules <- column_rules(how$standardize, support = if (!inherits(how$layers, "bijectr_flow")) "real")
      fit_matrix(as_fit_data(theta, "theta"), how$layers, how$base, of_all("data"), NULL, rules,
        loss_maximum_likelihood(), control, how$progress
      )
    } else {
      log_prior <- unlist(lapply(run$rounds, `[[`, "log_prior"))
      fit_contrastive(run$fit, theta, of_all("data"), log_prior, how$loss, control, how$progress, how$default_batch)
    }
  ))
}

trained <- function(run, fit) {
  run$fit <- fit
  if (fit$status == "interrupted") run$ended <- structure(list(), class = c("interrupt", "condition"))
  set_round(run, history = fit$history)
}

# The fit, with a warning if an interrupt has ended the rounds; or the error that has, with what there is.
conclude_rounds <- function(run, call) {
  fit <- run$fit
  ended <- run$ended
  if (!is.null(fit)) {
    if (inherits(ended, "interrupt")) fit$status <- "interrupted"
    fit[c("rounds", "observed", "call")] <- list(simulated(run), run$problem$observed, call)
    class(fit) <- c("bijectr_rounds_fit", setdiff(class(fit), "bijectr_rounds_fit"))
  }
  # where warnings are errors, the warning is one that carries the fit
  k <- length(run$rounds)
  if (inherits(ended, "interrupt") && !is.null(fit)) ended <- guarded(warn_interrupted_rounds(k))
  if (inherits(ended, "condition")) raise_failed_round(ended, k, simulated(run), fit)
  fit
}

# What would be an error in a later round is one before anything is simulated.
check_rounds <- function(control, layers, base, standardize, progress) {
  force(control)
  check_flag(progress, "progress")
  check_standardize(standardize)
  check_family(base, "base", "base")
  if (inherits(layers, "bijectr_flow")) check_starting(layers) else if (!is.null(layers)) as_layer(layers, "layers")
}

# Rows are those of all rounds: the first has the fewest, the second the fewest that the contrastive loss sees.
check_round_rows <- function(settings, n, rounds, atoms, default_batch) {
  for (k in seq_len(min(rounds, 2))) {
    control <- settings(k * n, 1L)
    rows <- with_seed(1, split_rows(k * n, control$validation, NULL))
  }
  batch_size <- min(length(rows$train), if (default_batch) CONTRASTIVE_BATCH else control$batch_size)
  if (rounds > 1 && batch_size <= atoms) {
    stop_arg("{.arg atoms} ({atoms}) must be less than the rows of a batch ({batch_size}).")
  }
}

# What the first draws tell, before anything is simulated from them.
check_first_draws <- function(theta, problem, training) {
  layers <- training$layers
  d_condition <- length(problem$observed)
  if (nrow(theta) != problem$n) {
    stop_arg("{.code prior$sample(n)} must return {.code n} rows, {problem$n} here, not {nrow(theta)}.")
  }
  if (inherits(layers, "bijectr_flow")) {
    check_start(layers, ncol(theta), d_condition, "prior$sample", "observed")
  } else if (!is.null(layers)) {
    with_seed(1, new_flow(as_layer(layers, "layers"), ncol(theta), training$base, d_condition))
  }
}

# The warning of an interrupted training says how resume() goes on, which fits in rounds do not.
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
  field <- if (is.null(fit)) "rounds" else "fit"
  what <- if (is.null(fit)) "What was simulated is" else "The fit so far is"
  cli::cli_abort(
    c(
      "Round {round} {if (inherits(parent, 'error')) 'ended in an error' else 'was interrupted'}.",
      i = "{what} in this condition: {.code tryCatch(..., error = identity)${field}} or
           {.code rlang::last_error()${field}}."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = if (inherits(parent, "error")) parent, fit = fit,
    rounds = log, call = user_call()
  )
}

#' @export
resume.bijectr_rounds_fit <- function(object, ...) {
  stop_arg(c(
    "A fit in rounds cannot be trained further by {.fn resume}.",
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
sample_inside <- function(fit, problem) {
  n <- problem$n
  kept <- NULL
  for (attempt in 1:100) {
    draws <- sample(fit, n, condition = matrix(problem$observed, 1))
    inside <- is.finite(target_values(problem$prior$log_density(draws), n, "`prior$log_density`"))
    kept <- rbind(kept, draws[inside, , drop = FALSE])
    if (nrow(kept) >= n) return(kept[seq_len(n), , drop = FALSE])
  }
  stop_arg("Hardly a draw of the posterior lies in the support of the prior: {nrow(kept)} of {100 * n}.")
}

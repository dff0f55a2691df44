#' Simulation-based inference in rounds
#'
#' Learns the posterior distribution of the parameters \eqn{\theta} of a simulator, whose likelihood is not known, given
#' an observation \eqn{x_o}. In the first round parameters are drawn from the prior, in later ones where the posterior
#' is by then, so that simulations are spent there.
#'
#' @details
#' **`method = "posterior"`**: sequential neural posterior estimation (SNPE-C). In the first round a conditional flow
#' \eqn{q(\theta | x)} is fitted to parameters and their data by maximum likelihood. In each later round parameters are
#' drawn from \eqn{q(\theta | x_o)}, and the flow is trained further on the simulations of all rounds. Maximum
#' likelihood would then learn a posterior under the wrong prior. The contrastive loss does not: the flow has to tell
#' the \eqn{\theta_i} that produced \eqn{x_i} from other parameters \eqn{\theta_j} of its batch,
#' \deqn{-\log \frac{q(\theta_i | x_i) / p(\theta_i)}{\sum_j q(\theta_j | x_i) / p(\theta_j)},}{
#'   -log[ (q(theta_i | x_i) / p(theta_i)) / sum_j (q(theta_j | x_i) / p(theta_j)) ],}
#' where the sum is over \eqn{\theta_i} and `atoms` others. With `rounds = 1` the flow holds for all observations alike.
#'
#' **`method = "likelihood"`**: sequential neural likelihood (SNLE). In each round a flow of data given parameters,
#' \eqn{q(x | \theta)}, is fitted to the simulations of all rounds by maximum likelihood, which no choice of parameters
#' biases. The posterior is proportional to \eqn{q(x_o | \theta) p(\theta)}{q(x_o | theta) p(theta)}; of several
#' observations of the same parameters, independent of each other, the likelihoods are multiplied. Draws of it come from
#' a sequential Monte Carlo sampler (Del Moral et al. 2006), which begins with draws of the prior and raises the
#' likelihood to powers from 0 to 1, so that no mode that these see is lost, with moves by differential evolution (ter
#' Braak 2006). They are the parameters of the next round; at the end a flow is fitted to 10000 of them, which is what
#' is returned. A flow fitted to that log density itself, by [fit_flow.function()], would leave out modes and not know.
#' Data of few columns, and several observations, are for this method; data of many columns are better left to
#' `"posterior"`, which need not learn their distribution.
#'
#' **Which method, how many rounds.** On the five simulators of a benchmark (Lueckmann et al. 2021), with 1000 and 10000
#' simulations in all, one round was as good as two of half as many each, or better, by either method: a flow that is
#' fitted by default makes more of many simulations than of fewer in a better place. Rounds pay where draws of the prior
#' hardly ever lead to data like those observed. `"likelihood"` in one round came closest to the posteriors of four of
#' the simulators, whose data are simple given the parameters; `"posterior"` to that of the fifth, normal with ten
#' columns. Whether a likelihood is right `check_flow(fit$likelihood, data, condition = theta)` tells of fresh
#' simulations: `check_flow(fit)` and the evaluation compare the flow of the posterior with the likelihood as learned.
#'
#' **Support of the prior.** With the default layers the flow of the parameters ends in the support of the prior, so
#' that none of its draws lies outside. The support is `support`, or `lower` and `upper`, of `prior`; where none of
#' them is given it is found: of each coordinate, an end is where the log density of the prior becomes `-Inf` on the
#' way out from a draw, the other coordinates kept, found by bisection to double precision, if it is the same from six
#' draws. So a box is found exactly, and an unbounded prior is the real line. Of supports of other shapes, as of a disc
#' or of ordered parameters, the ends that are the same for all values of the other coordinates are found; draws within
#' these but outside of the prior are drawn anew. So are draws outside where `layers` are given, behind which no
#' support is put. Whatever draws from the fit does so, [sample()] as well as [simulate()] and pictures; densities are
#' those of the flow, which has the share `leakage` of its draws outside. For a prior whose support is more than ends
#' the fit keeps its `log_density`, a function with all that its environment holds. [fit_flow()] with `condition` knows
#' of no prior: it looks at values alone, by the rules of [supports], takes a box for the real line unless it is the
#' one from 0 to 1 or to 100, and has draws outside.
#'
#' **Simulations that fail.** Rows of simulated data with values that are missing, not finite or larger than 1e150 are
#' left out, whole rows, with a warning of class `bijectr_warning_failed_simulations` that says how many, once a round.
#' At least five, and a tenth of a round, must be left. In a single round by `"posterior"` this biases nothing. In later
#' rounds, and by `"likelihood"`, what is learned is the likelihood given that a simulation succeeds, so parameters that
#' fail often are given too much density unless the failure has nothing to do with them.
#'
#' **Parallel simulations.** Where a [future::plan()] is set, and the package future.apply is installed, pieces of the
#' parameters are simulated by its workers, of the numbers of which the results do not depend: `simulator` is called for
#' each piece, with a random stream of its own (L'Ecuyer) that [set.seed()] governs. Without a plan it is called once a
#' round, for all.
#'
#' @param simulator A function of a matrix of parameters, one row each, that returns a numeric matrix with a row of
#'   simulated data for each.
#' @param prior A list of two functions: `sample(n)` gives a matrix of parameters, `log_density(theta)` one number a
#'   row, `-Inf` outside; and, if they are to be told, `support`, a list with an entry a coordinate, [positive()],
#'   [bounded()] or [real()] (by name where `sample(n)` has column names), or `lower` and `upper` ends, as those of
#'   [fit_flow()]. Or an (unconditional) flow.
#' @param observed The observation: a numeric vector, one number a column of what the simulator returns. For `method =
#'   "likelihood"` also a matrix, one row for each of several observations, independent given the parameters: their log
#'   likelihoods are added up, and so are the errors of the learned one, which must be smaller the more there are.
#' @param rounds Number of rounds; by default as many as `simulations` has numbers, 2 for one.
#' @param simulations Number of simulations of each round, at least 10: one number for all, or one a round.
#' @param layers,base,standardize See [fit_flow()]: of the flow of parameters given data, or, for `method =
#'   "likelihood"`, of data given parameters.
#' @param loss Loss of the rounds after the first of `method = "posterior"`, [loss_contrastive()].
#' @param control,...  Training settings of each round, see [fit_control()]; by default those of [fit_flow()], with
#'   batches of 100 pairs for the contrastive loss, which takes `atoms + 1` densities a pair.
#' @param progress Show progress bars.
#' @param method `"posterior"` or `"likelihood"`, see below.
#' @section Interrupts and errors: an interrupt ends the rounds, not the call: the fit so far is returned, with status
#'   `"interrupted"` and a warning of class `bijectr_warning_interrupted`. An error that comes once something was
#'   simulated (data of which too few are finite, an error of the simulator in a later round or of the training) is
#'   raised as `bijectr_error_training` with the fit so far as `condition$fit` (`NULL` before the first step; of
#'   `method = "likelihood"` the posterior at what was learned, or, if that cannot be had, the flow of the likelihood)
#'   and what was simulated as `condition$rounds`; the original error is its parent. A fit in rounds cannot be trained
#'   further with `resume()`: start `fit_rounds()` with it (or with its `likelihood`) as `layers`.
#' @return A `bijectr_fit`, of class `bijectr_rounds_fit`. By `"posterior"` it is that of the last round: a flow of the
#'   parameters given data, which are `observed` where its verbs are given no `condition`. By `"likelihood"` it is a
#'   flow of the parameters alone, also of class `bijectr_target_fit`: the posterior at `observed`, with an
#'   `evaluation` as in [fit_flow.function()], whose `log_z` is the logarithm of the evidence if the prior is
#'   normalized; [importance_sample()], [sample_imh()] and [check_flow()] know its log density. Another observation:
#'   [rounds_posterior()]. Additional fields are
#'   * `observed`, for `"likelihood"` a matrix;
#'   * `rounds`, a list with `theta`, its log density `log_prior`, `data`, the number of rows of it that `failed`, and
#'     `history` of each round; `history` is `NULL` where the round ended before its training;
#'   * `leakage`: the share of 10000 draws of the flow at `observed` that the prior gives no density, 0 where the flow
#'     ends in its support; such draws are drawn anew. `NA` where the prior's log density is an error there;
#'   * `prior_support`: where draws have to be drawn anew, a list of the ends `lower` and `upper`, and `log_density`,
#'     the prior's function if the ends are not all; else `NULL`;
#'   * for `"likelihood"`: `likelihood`, the fit of data given parameters (`logdensity(fit$likelihood, x, condition =
#'     theta)` is \eqn{\log q(x | \theta)}{log q(x | theta)}), and `draws`, the matrix of 10000 draws of the posterior
#'     that the flow was fitted to.
#' @references Greenberg, Nonnenmacher, Macke (2019), *Automatic posterior transformation for likelihood-free
#'   inference*, arXiv:1905.07488. Durkan, Murray, Papamakarios (2020), *On contrastive learning for likelihood-free
#'   inference*, arXiv:2002.03712. Papamakarios, Sterratt, Murray (2019), *Sequential neural likelihood*,
#'   arXiv:1805.07226.
#'
#'   Del Moral, Doucet, Jasra (2006), *Sequential Monte Carlo samplers*, Journal of the Royal Statistical Society B
#'   68(3), 411-436, \doi{10.1111/j.1467-9868.2006.00553.x}. Ter Braak (2006), *A Markov chain Monte Carlo version of
#'   the genetic algorithm differential evolution*, Statistics and Computing 16(3), 239-249,
#'   \doi{10.1007/s11222-006-8769-1}.
#' @seealso [rounds_posterior()], [loss_contrastive()]
#' @family inference
#' @examples
#' set.seed(1)
#' simulator <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
#' prior <- list(
#'   sample = function(n) matrix(runif(n, 0, 4), n, 1),
#'   log_density = function(theta) dunif(theta[, 1], 0, 4, log = TRUE)
#' )
#' fit <- fit_rounds(simulator, prior, 3.5, simulations = c(200, 100), steps = 50)
#' fit # the support of the prior was found: no draw is outside
#' summary(sample(fit, 1000)[, 1])
#'
#' # by the likelihood: here of three observations of the same parameter
#' \donttest{
#' fit <- fit_rounds(simulator, prior, matrix(c(3.5, 3, 4)),
#'   rounds = 1, simulations = 300, steps = 100, method = "likelihood"
#' )
#' fit
#' mean(sample(fit, 1000))
#' }
#' @export
fit_rounds <- function(simulator, prior, observed, rounds = 2, simulations = 1000, layers = NULL, base = base_normal(),
                       standardize = TRUE, loss = loss_contrastive(), control = NULL, progress = interactive(),
                       method = "posterior", ...) {
  check_given("simulator", "prior", "observed")
  if (!is.function(simulator)) stop_arg("{.arg simulator} must be a function, not {.obj_type_friendly {simulator}}.")
  prior <- check_prior(prior)
  method <- check_choice(method, c("posterior", "likelihood"), "method")
  columns <- if (length(dim(observed)) == 2) colnames(observed) else names(observed)
  observed <- check_observed(observed, several = method == "likelihood")
  simulations <- check_simulations(simulations, rounds, missing(rounds))
  if (check_family(loss, "loss", "loss")$kind != "contrastive") stop_arg("{.arg loss} must be {.fn loss_contrastive}.")
  settings <- function(n, d) make_control(control, default_control(n, d), list(...))
  check_rounds(settings(simulations[1], 1L), layers, base, standardize, progress)
  default_batch <- is.null(control$batch_size) && is.null(list(...)$batch_size)
  check_round_rows(settings, simulations, if (method == "posterior") loss$atoms else 0, default_batch)
  call <- plain_call(match.call())
  run <- list(
    problem = list(
      simulator = simulator, prior = prior, observed = observed, columns = columns, n = simulations, support = NULL
    ),
    training = list(
      method = method, layers = layers, base = base, standardize = standardize, loss = loss, settings = settings,
      default_batch = default_batch, progress = progress
    ),
    rounds = list(), fit = NULL, ended = NULL
  )
  run <- c(run, rounds_by(method))
  suspendInterrupts({
    while (is.null(run$ended) && length(run$rounds) < length(simulations)) run <- next_round(run)
    conclude_rounds(run, call)
  })
}

# What the methods differ in: the stages of a round, the parameters of the next one, and what is returned.
rounds_by <- function(method) {
  by_posterior <- method == "posterior"
  list(
    stages = list(draw_parameters, simulate_data, check_data, if (by_posterior) train_posterior else train_likelihood),
    propose = if (by_posterior) draw_posterior_flow else draw_posterior,
    finish = if (by_posterior) finish_posterior else finish_likelihood
  )
}

# ---- by a flow of parameters given data ------------------------------------------------------------------------------

train_posterior <- function(run) {
  how <- run$training
  theta <- of_simulations(run, "theta")
  data <- of_simulations(run, "data")
  control <- how$settings(nrow(theta), ncol(theta))
  trained(run, without_advice(
    if (is.null(run$fit)) {
      rules <- column_rules(how$standardize, support = support_of_layers(how$layers, run$problem$support$supports))
      fit_matrix(as_fit_data(theta, "theta"), how$layers, how$base, data, NULL, rules, loss_maximum_likelihood(),
        control, how$progress
      )
    } else {
      log_prior <- of_simulations(run, "log_prior")
      fit_contrastive(run$fit, theta, data, log_prior, how$loss, control, how$progress, how$default_batch)
    }
  ))
}

# With layers of the user's own nothing is put behind them; a flow has what it has.
support_of_layers <- function(layers, supports) {
  if (is.null(layers)) supports else if (!inherits(layers, "bijectr_flow")) "real"
}

draw_posterior_flow <- function(run, n) {
  problem <- run$problem
  flow <- as_flow(run$fit)
  condition <- repeat_row(take_condition(flow, matrix(problem$observed, 1), 1L), n)
  inside <- function(points) has_density(problem$prior, name_columns(points, flow$names))
  name_columns(draws_inside(flow, n, condition, inside), flow$names)
}

finish_posterior <- function(run) {
  fit <- run$fit
  fit$observed <- run$problem$observed
  # that the observation is beyond what was simulated is said where the fit is used
  at <- suppressWarnings(take_condition(fit, NULL, 1L), classes = "bijectr_warning_extrapolation")
  keep_within_prior(fit, run$problem, at)
}

# ---- by a flow of data given parameters ------------------------------------------------------------------------------

finish_likelihood <- function(run) fit_posterior(run$fit, run$problem, run$training$progress)

# ---- what was asked for ----------------------------------------------------------------------------------------------

# The number of simulations of each round.
check_simulations <- function(simulations, rounds, free) {
  if (length(simulations) <= 1 || !is.numeric(simulations)) {
    return(rep(check_count(simulations, "simulations", min = 10), check_count(rounds, "rounds")))
  }
  if (!free && check_count(rounds, "rounds") != length(simulations)) {
    stop_arg("{.arg simulations} must be one number, or one a round ({rounds}), not {length(simulations)}.")
  }
  vapply(simulations, check_count, 0L, "simulations", min = 10)
}

# What would be an error in a later round is one before anything is simulated.
check_rounds <- function(control, layers, base, standardize, progress) {
  force(control)
  check_flag(progress, "progress")
  check_standardize(standardize)
  check_family(base, "base", "base")
  if (inherits(layers, "bijectr_flow")) check_starting(layers) else if (!is.null(layers)) as_layer(layers, "layers")
}

# Rows are those of all rounds: the first has the fewest, the second the fewest that the contrastive loss sees. `atoms`:
# of that loss; 0 without it.
check_round_rows <- function(settings, simulations, atoms, default_batch) {
  for (n in utils::head(cumsum(simulations), 2)) {
    control <- settings(n, 1L)
    rows <- with_seed(1, split_rows(n, control$validation, NULL))
  }
  if (length(simulations) > 1 && atoms > 0) check_atoms(atoms, length(rows$train), control, default_batch)
}

# The observation as a row of numbers; with `several`, as a matrix of rows. A row of a data frame is as good. `columns`:
# names by which it is put in order.
check_observed <- function(observed, several, columns = NULL) {
  if (length(dim(observed)) == 2 && (several || nrow(observed) == 1)) {
    observed <- as_numeric_matrix(observed, "observed")
  }
  rows <- if (several) Inf else 1
  if (!is.numeric(observed) || !length(observed) || !(is.null(dim(observed)) || nrow(observed) <= rows)) {
    what <- if (several) "a numeric vector, or a matrix with a row for each observation" else "a numeric vector"
    stop_arg("{.arg observed} must be {what}, not {describe(observed)}.")
  }
  if (is.null(dim(observed))) observed <- matrix(observed, 1, dimnames = list(NULL, names(observed)))
  observed <- pick_columns(check_finite(observed, "observed"), columns, "observed")
  if (several) matrix(as.double(observed), nrow(observed)) else as.double(observed)
}

#' Fit a flow to a log density
#'
#' Variational inference: trains a flow so that its distribution \eqn{q} comes close to the one whose log density, up to
#' a constant, is the function `data`. The default loss is the reverse Kullback-Leibler divergence up to that constant,
#' the mean of \eqn{\log q(x) - \log p(x)}{log q(x) - log p(x)} over draws \eqn{x} of the flow; its negative is the
#' ELBO, a lower bound of \eqn{\log Z = \log \int p}{log Z = log integral of p}.
#'
#' @details
#' **From the simplest model to richer ones.** With the default layers, the fit first finds the mode by quasi-Newton
#' steps, in coordinates that are whitened anew as it goes, and of all normal distributions with the curvature at a
#' place on the way the one of largest ELBO (Zhang et al. 2022). Where the mode is not as good, as in hierarchical
#' models, which are densest where a scale is 0, eight short chains of Hamiltonian Monte Carlo look for where the mass
#' is, at some 20,000 points with gradients. Then the normal distribution of largest ELBO near it, by natural gradients
#' (Opper, Archambeau 2009). Where that leaves less than 0.01 nats to gain, by importance weights, it is the fit: an
#' affine layer, of no `steps`. Else a flow that starts there is trained.
#'
#' First by maximum likelihood of draws that are weighted towards the target, 300 steps of 512, from 20,000 draws of the
#' fit so far and of wider ones; up to three times, while that gains and draws of the flow cannot be trusted as they
#' are. This is the *forward* Kullback-Leibler divergence, which does not leave out what the flow does not draw yet. It
#' takes 20,000 values of the target and no gradients, beside those of evaluations, and is skipped where fewer than 1000
#' of the draws are effective.
#' Where this is not enough, because the verdict of [check_flow()] is "do not trust" or less than 60 per cent of the
#' draws are effective, 1000 steps of the loss with 64 draws follow, and then 2000 with up to 256, each followed by
#' weighted draws again. A flow of the loss is kept where its ELBO is larger by two standard errors or more, one of
#' weighted draws where both divergences together are smaller. `steps` counts all steps behind the fit; `history` has
#' those of the last stage with the loss, and no rows where there was none.
#' Where settings of the training are given, any of [fit_control()], `seconds`, `precision` and `checkpoint` among them,
#' or layers, a base or a loss, flows are trained by the loss as they say, from the same start: no draws are weighted,
#' modes are not looked for, and [check_flow()] alone tells of one that is missed.
#'
#' **Several modes.** At each stage modes that the fit does not draw are looked for, by climbing from points further out
#' in many directions. Those with 1 per cent of the mass or more become components of the base, which is then a
#' [base_gaussian_mixture()]; their weights are those of maximum likelihood by importance-weighted draws of the flow
#' itself. A mode in whose direction no climb began is not found.
#'
#' With layers of your own, and `start = "standard"`, a flow starts at about the standard normal distribution. A target
#' that is far from it, or has a very different scale, is then found faster with a layer [layer_standardize()] at the
#' end of the layers that shifts and scales to roughly where the target is. A target with bounded support needs
#' `support =`, or layers that end in it: where a draw has log density `-Inf` the loss is infinite.
#'
#' Draws are cheap only in the direction in which the layers run, so premade stacks should have `invert = FALSE`, as the
#' default layers have: two spline layers and two affine ones as [masked_autoregressive_flow()], as scales that depend
#' on other coordinates, those of hierarchical models, are affine (for one coordinate three elementwise splines), then
#' an elementwise affine map.
#'
#' **What the evaluation cannot see.** ELBO, `log_z`, `ess` and `pareto_k` come from draws of the fitted flow. Where the
#' flow does not draw, because training left out a tail or a mode of the target, nothing shows: `log_z` is then too low
#' and `ess` looks perfect. [check_flow()] of the fit looks further out, and gives a verdict. See [importance_sample()]
#' for what else to compare with.
#'
#' @param data The log density: a function of a matrix with one row a point and one column a coordinate that returns one
#'   number a row. It need not be normalized. With `names`, its columns are `x[, "sigma"]` (`drop = FALSE` keeps a
#'   matrix of one); a function `f` of one point is `function(x) apply(x, 1, f)` of many.
#' @param layers A layer, a list of layers, or a flow or fit where training is to start. `NULL` takes the layers
#'   described below.
#' @param ... Passed on to [fit_control()]: `steps`, `learning_rate`, `batch_size` (draws a step), `clip`, .... Where
#'   one of them is given, the others are by default 2000 steps of Adam with 256 draws, a cosine decay from a rate of
#'   5e-3, and gradients clipped at norm 5. Epochs, validation and noise have no meaning here.
#' @param d Number of coordinates; by default as many as `names` has.
#' @param names Names of the coordinates; the target's matrix has them as column names.
#' @param base Base distribution. Trainable parameters of a base can be trained if its draws are a differentiable
#'   function of them: not those of [base_student_t()] and [base_mvstudent_t()].
#' @param support,lower,upper Where the target has its mass, as a named list such as `list(sigma = positive(), rho =
#'   bounded(-1, 1))`, see [supports], or as ends of intervals: the fixed layer that is put behind `layers`.
#' @param gradient The derivatives of the log density: `"differences"`, central differences from one call of the target
#'   with \eqn{(2 d + 1) n} rows a step, which stay within the supports; `"symbolic"`, for targets that are a formula in
#'   `x[, 1]`, `x[, 2]`, ...; or a function that returns a matrix of the shape of its argument. A formula of `+`, `-`,
#'   `*`, `/`, `^`, `exp`, `expm1`, `log`, `log1p`, `sqrt`, `abs`, `sin`, `cos`, `tan`, `atan`, `sinh`, `cosh`, `tanh`,
#'   `plogis`, `pnorm`, `dnorm` (with its arguments), `pmin` and `pmax` is compiled, and no R code runs in training:
#'   names in it are numbers, taken when the fit is made. It is the fastest: differences of a formula of two columns
#'   take three times as long. The function may put parts under names before its last line. Formulas of other functions
#'   that [stats::deriv()] knows, as `lgamma`, stay R code, with the gradient of that; what it knows not is an error.
#' @param loss One of [loss_reverse_kl()], [loss_stick_the_landing()], [loss_renyi()], [loss_importance_weighted()].
#' @param anneal Share of the steps during which the target is flattened: its log density is multiplied by a number that
#'   rises linearly from 0.1 to 1. It helps against modes that are missed. The losses in `history` are those of the
#'   target itself.
#' @param start Where the training starts: `"normal"`, at the normal distribution of largest ELBO that is found as
#'   described below, or `"standard"`, at the standard one. `NULL`: `"normal"` with the default layers and without
#'   `anneal`, which would begin from one mode there, else `"standard"`. Supports are taken into account.
#' @param evaluate Number of draws of the final evaluation by [importance_sample()]; 0: none.
#' @param parallel Share the points of each call of the target among the workers of the plan that `future::plan()` has
#'   set, with the package future.apply. That pays where a call takes longer than a tenth of a second. The parts that
#'   points are divided into are the same for any number of workers, so that results do not depend on it. A model that
#'   was compiled in this session can only be evaluated by forks of it, `future::multicore`.
#' @param control Training settings, see [fit_control()].
#' @param progress Show a progress bar.
#' @section Comparing models: `fit$evaluation$log_z` estimates the logarithm of the integral of the target, for a
#'   likelihood times a prior, both with their constants (of a model in Stan see [fit_flow_model]), that of the evidence
#'   (marginal likelihood). The difference between two models of the same data is the logarithm of their Bayes factor,
#'   its standard error `sqrt(a$evaluation$log_z_se^2 + b$evaluation$log_z_se^2)`, where [check_flow()] does not say
#'   `"do not trust"` of either. Its own estimate, `check_flow(fit)$log_z`, is by fewer draws and by ones that go
#'   further out, between a lower and an upper bound.
#' @return A `bijectr_fit` (of class `bijectr_target_fit`) with the fields of [fit_flow()]; `history` has the loss, and
#'   `evaluation` is a list of `elbo` and its standard error `elbo_se`, `log_z` and `log_z_se`, `ess`, `pareto_k` and
#'   the number of draws `n`, see [importance_sample()]; `evaluations` is the number of points at which the target was
#'   evaluated, those of differences included; `digest$data` is the value of the target at a point, and the point.
#'   `resume(fit, steps = +1000)` trains it further, with the target that its call names; there, and in
#'   [importance_sample()] and [check_flow()], another log density of that name is an error. The fit does not keep the
#'   target, nor data in it: a function that makes fits returns it beside them, and after [readRDS()] it must be there.
#' @references Rezende, Mohamed (2015), *Variational inference with normalizing flows*, arXiv:1505.05770.
#'
#'   Zhang, Carpenter, Gelman, Vehtari (2022), *Pathfinder: parallel quasi-Newton variational inference*, Journal of
#'   Machine Learning Research 23(306).
#'
#'   Opper, Archambeau (2009), *The variational Gaussian approximation revisited*, Neural Computation 21(3), 786-792,
#'   \doi{10.1162/neco.2008.08-07-592}.
#'
#'   Naesseth, Lindsten, Blei (2020), *Markovian score climbing: variational inference with KL(p||q)*,
#'   arXiv:2003.10374, on the forward divergence.
#' @seealso [check_flow()], [importance_sample()], [sample_imh()], [fit_flow()] for data.
#' @family training
#' @examples
#' set.seed(1)
#' banana <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2)^2) / 2
#' fit <- fit_flow(banana, d = 2, steps = 100, gradient = "symbolic")
#' fit # the true log Z is log(2 pi) = 1.838; more steps come closer
#' sample(fit, 3)
#' check_flow(fit, draws = 5000)
#'
#' # a regression as it stands, nothing centred: columns of very different scale, and nearly dependent
#' x <- cbind(1, cars$speed)
#' posterior <- function(p) {
#'   error <- cars$dist - x %*% t(p[, 1:2, drop = FALSE])
#'   -nrow(x) * log(p[, 3]) - colSums(error^2) / (2 * p[, 3]^2)
#' }
#' fit <- fit_flow(posterior, names = c("a", "b", "sigma"), support = list(sigma = positive()))
#' summary(sample(fit, 1000))
#'
#' gamma <- function(x) 2 * log(x[, "rate"]) - 3 * x[, "rate"]
#' fit_flow(gamma, names = "rate", support = positive(), steps = 100)
#' @usage
#' \method{fit_flow}{function}(
#'   data,
#'   layers = NULL,
#'   ...,
#'   d = length(names),
#'   names = NULL,
#'   base = base_normal(),
#'   support = NULL,
#'   lower = NULL,
#'   upper = NULL,
#'   gradient = "differences",
#'   loss = loss_reverse_kl(),
#'   anneal = 0,
#'   start = NULL,
#'   evaluate = 10000,
#'   parallel = FALSE,
#'   control = NULL,
#'   progress = interactive()
#' )
#' @export
fit_flow.function <- function(data, layers = NULL, ..., d = length(names), names = NULL, base = base_normal(),
                              support = NULL, lower = NULL, upper = NULL, gradient = "differences",
                              loss = loss_reverse_kl(), anneal = 0, start = NULL, evaluate = 10000, parallel = FALSE,
                              control = NULL, progress = interactive()) {
  call <- user_fit_call()
  coordinates <- list(d = d, names = names, rules = list(support = support, lower = lower, upper = upper))
  how <- list(
    gradient = check_gradient(gradient), loss = loss, anneal = anneal, start = start, evaluate = evaluate,
    parallel = parallel, progress = progress
  )
  fit_log_density(data, call, layers, base, coordinates, how, control, list(...))
}

# `coordinates`: list(d, names, rules) of supports; `how`: what else is said of the fit, `settings` and `control` of
# the training.
fit_log_density <- function(target, call, layers, base, coordinates, how, control, settings) {
  told <- !is.null(control) || length(settings) > 0 || !is.null(layers) || !identical(base, base_normal()) ||
    !identical(how$loss, loss_reverse_kl())
  control <- make_control(control, default_target_control(), settings)
  if (is.null(control$steps)) stop_arg("{.arg steps} must be given.")
  start <- if (!is.null(how$start)) check_choice(how$start, c("normal", "standard"), "start")
  loss <- check_target_loss(how$loss, control$batch_size)
  anneal <- check_number(how$anneal, "anneal", min = 0, max = 1)
  if (inherits(layers, "bijectr_flow") && !is.null(start)) {
    stop_arg("{.arg start} is for layers: {.arg layers} is a flow, where the training starts.")
  }
  if (is.null(start)) start <- if (is.null(layers) && anneal == 0) "normal" else "standard"
  options <- list(
    anneal = anneal, evaluate = check_count(how$evaluate, "evaluate", min = 0), gradient = gradient_word(how$gradient),
    modes = !told && start == "normal" # whether they are looked for
  )
  parallel <- check_parallel(how$parallel, target)
  names <- coordinates$names
  if (!is.null(names) && (!is.character(names) || anyDuplicated(names) || length(names) != coordinates$d)) {
    stop_arg("{.arg names} must be {coordinates$d} different name{?s}, one a coordinate.")
  }
  flow <- start_target_flow(layers, coordinates$d, base, names, coordinates$rules)
  steered <- vapply(flow$layers$layers, function(layer) isTRUE(bare(layer)$steer > 0), NA)
  if (any(steered)) stop_arg("{.arg steer} of {.fn layer_continuous} is for fits to data.")
  check_own_gradient(target, how$gradient, flow)
  target <- target_with_gradient(target, how$gradient, flow$d, flow$names, parallel, support_limits(flow))
  origin <- list(call = call, loss = loss, options = options)
  train <- function(flow, origin, control) {
    check_target_start(flow, target, control$batch_size)
    fit_target(flow, target, new_state(flow, control), control, how$progress, origin)
  }
  with_target(if (options$modes) {
    fit_ladder(flow, target, origin, train, control)
  } else if (start == "standard") {
    train(flow, origin, control)
  } else {
    train_from_normal(flow, target, origin, train, control)
  }, target)
}

# With what is kept of the log density, and how often it was evaluated, `before` that in trainings before.
with_target <- function(fit, target, before = 0) {
  force(fit)
  fit["digest"] <- list(target_digest(fit, target))
  fit$evaluations <- before + evaluations_of(target)
  # where warnings are errors, the error carries the fit
  told <- guarded(warn_below_zero(fit, target))
  if (inherits(told, "error")) raise_ended(fit, told)
  fit
}

#' @rdname resume
#' @order 3
#' @param target,gradient The log density that the fit was made to, and its gradient, as in [fit_flow.function()]. By
#'   default the target, and a gradient that is a function, are taken from the fit's call.
#' @export
resume.bijectr_target_fit <- function(object, target = NULL, gradient = NULL, steps = NULL, seconds = NULL,
                                      checkpoint = NULL, callback = NULL, progress = interactive(), ...) {
  check_unused(...)
  check_fit(object)
  control <- continued_control(object, NULL, steps, seconds, checkpoint, callback, progress)
  if (!is.null(target)) target <- check_target(target)
  if (!is.null(gradient)) gradient <- check_gradient(gradient)
  unevaluated <- is.null(object$evaluation) && object$options$evaluate > 0
  if (is.null(control) && !unevaluated) return(object)
  target <- check_target(target %||% own_target(object, parent.frame()))
  rule <- gradient %||% object$options$gradient
  if (!is.null(model_of(target))) rule <- "model" else if (identical(rule, "model")) rule <- "differences"
  if (identical(rule, "function")) rule <- check_gradient(call_value(object, "gradient", parent.frame()))
  flow <- as_flow(object)
  target <- target_with_gradient(target, rule, flow$d, flow$names, ends = support_limits(flow))
  before <- object$evaluations %||% 0
  if (is.null(control)) {
    fit <- evaluated(object, function(fit) evaluate_target(fit, target, fit$options$evaluate))
    return(with_target(fit, target, before))
  }
  origin <- continued_origin(object)
  origin$options$gradient <- gradient_word(rule)
  with_target(fit_target(flow, target, resumed_state(object, control), control, progress, origin), target, before)
}

# The log density as a function, of which `target` may be a model.
check_target <- function(target) {
  as_target(target) %||% stop_arg("{.arg target} must be the log density of the fit, not {describe(target)}.")
}

# ---- printed ---------------------------------------------------------------------------------------------------------

#' @export
print.bijectr_target_fit <- function(x, ...) {
  check_fit(x)
  cat("<flow fit to a log density> ", format_coordinates(x), ", ", format_parameters(x), "\n", sep = "")
  layers <- strwrap(format_layers(x), initial = "  layers:  ", prefix = strrep(" ", 11), width = getOption("width"))
  cat(layers, sep = "\n")
  print_supports(x)
  steps <- paste0(format(x$steps, big.mark = ","), " step", if (x$steps != 1) "s", if (x$steps == 0) ", none needed,")
  cat("  trained: ", steps, " in ", format_seconds(x$seconds), ", status \"", x$status, "\"\n", sep = "")
  if (!is.null(x$evaluations)) {
    cat("  target:  evaluated at ", format(x$evaluations, big.mark = ","), " points\n", sep = "")
  }
  print_evaluation(x$evaluation)
  if (isFALSE(x$options$modes)) {
    cat("  modes:   none were looked for, as settings were given; check_flow() looks for them\n")
  }
  invisible(x)
}

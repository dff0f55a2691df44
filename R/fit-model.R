#' Fit a flow to a model
#'
#' The posterior distribution of a model in Stan or TMB: [fit_flow.function()] with the log density and the gradient of
#' the model, the names of its parameters and their supports. What that page says of starts, of the ladder of models and
#' of the evaluation holds here, and [check_flow()] of the fit says whether it can be trusted.
#'
#' @section Models:
#' * A `stanfit` of rstan: `rstan::sampling(model, data = data, chains = 0)` makes one without sampling; one that has
#'   draws is as good. It must be of this session, in which its model is compiled.
#' * A `brmsfit`, or a fit of rstanarm: the `stanfit` in it. `brms::brm(..., chains = 0)` makes one without sampling.
#' * A `CmdStanFit` of cmdstanr, after `fit$init_model_methods()`, and a `StanModel` of BridgeStan.
#' * What `TMB::MakeADFun()` or `RTMB::MakeADFun()` gives: the density is \eqn{e^{-fn}}{exp(-fn)}, where `fn` is the
#'   negative log likelihood with what the template adds to it as priors. Random effects that TMB integrates out by the
#'   Laplace approximation are integrated out here too: `random = NULL` in `MakeADFun()` makes them coordinates.
#'
#' @section Coordinates: Of a model in Stan, coordinates are the model's own parameters in its own units, wherever one
#'   unconstrained coordinate makes one parameter: real ones, those with lower or upper limits that do not depend on
#'   other parameters, with an offset and a multiplier. They have the model's names, `beta[2]`, and their supports.
#'   For others (simplexes, ordered and unit vectors, matrices of covariances, limits that are parameters) the
#'   coordinates are Stan's unconstrained ones, and are called `unconstrained theta[1]`. [sample()], [logdensity()] and
#'   all other verbs work on these coordinates; `posterior::as_draws()`, see [as_draws.bijectr_target_fit], gives draws
#'   of everything that the model has: parameters, transformed parameters and generated quantities.
#'
#'   Of TMB the coordinates are the entries of `par`, those of one vector numbered, `beta[2]`. `support`, `lower` and
#'   `upper` can be given.
#'
#' @section Log Z: The density is that which the model gives, with the constants that it keeps. In Stan `y ~ normal(m,
#'   s)` drops constants, and a parameter with a limit has a prior that is not normalized: \eqn{\log Z}{log Z} is then
#'   off by a constant, the same for all data but not for all models. Evidence, as for Bayes factors, needs `target +=
#'   normal_lpdf(y | m, s)` for likelihood and priors, and of a prior with a limit the logarithm of what is beyond it,
#'   `- normal_lccdf(0 | m, s)`; brms writes models so. Moments, quantiles and the verdict do not depend on constants.
#'
#' A point at which Stan rejects, or `fn` is not a number, has density 0. An integral that does not converge, as of flat
#' priors that the data leave improper, shows in the evaluation and in the verdict; it cannot be known beforehand.
#'
#' @param data The model, one of the above.
#' @param d Not used: the model has a number of coordinates.
#' @param support,lower,upper Of TMB: see [fit_flow.function()].
#' @inheritParams fit_flow.function
#' @return What [fit_flow.function()] returns. The fit does not keep the model: [check_flow()], [resume()],
#'   [importance_sample()] and others find it under the name that the call of the fit has, or take it as `target`.
#' @seealso [fit_flow.function()], [check_flow()], [as_draws.bijectr_target_fit]
#' @family training
#' @examples
#' \dontrun{
#' # the model is compiled, which takes half a minute; nothing is sampled
#' code <- "
#'   data { int<lower=0> n; vector[n] speed; vector[n] dist; }
#'   parameters { real a; real b; real<lower=0> sigma; }
#'   model { dist ~ normal(a + b * speed, sigma); }
#'   generated quantities { real at_20 = normal_rng(a + b * 20, sigma); }
#' "
#' model <- rstan::stan_model(model_code = code)
#' posterior <- rstan::sampling(model, data = c(n = nrow(cars), cars), chains = 0)
#' fit <- fit_flow(posterior)
#' check_flow(fit)
#' posterior::summarise_draws(posterior::as_draws(fit))
#' }
#'
#' # TMB's objects are lists of the negative log density, its gradient, and where to begin
#' object <- list(
#'   par = c(mu = 0, mu = 0), fn = function(par) sum((par - c(1, 2))^2) / 2,
#'   gr = function(par) par - c(1, 2)
#' )
#' fit <- fit_flow(object)
#' summary(sample(fit, 1000))
#' @name fit_flow_model
NULL

#' @rdname fit_flow_model
#' @export
fit_flow.stanfit <- function(data, layers = NULL, ..., d = NULL, base = base_normal(), support = NULL,
                             lower = NULL, upper = NULL, loss = loss_reverse_kl(), anneal = 0, start = NULL,
                             evaluate = 10000, parallel = FALSE, control = NULL, progress = interactive()) {
  call <- user_fit_call()
  settings <- list(...)
  taken <- c(if (!is.null(d)) "d", intersect(names(settings), c("names", "gradient")))
  if (length(taken)) stop_arg("{.arg {taken[1]}} cannot be given: the model has its own.")
  model <- as_model(data)
  rules <- list(support = support, lower = lower, upper = upper)
  if (!inherits(layers, "bijectr_flow")) rules <- supports_of_model(rules, model)
  coordinates <- list(d = length(model$names), names = model$names, rules = rules)
  how <- list(
    gradient = "model", loss = loss, anneal = anneal, start = start, evaluate = evaluate, parallel = parallel,
    progress = progress
  )
  fit_log_density(model_target(model), call, layers, base, coordinates, how, control, settings)
}

#' @rdname fit_flow_model
#' @export
fit_flow.brmsfit <- fit_flow.stanfit

#' @rdname fit_flow_model
#' @export
fit_flow.stanreg <- fit_flow.stanfit

#' @rdname fit_flow_model
#' @export
fit_flow.CmdStanFit <- fit_flow.stanfit

#' @rdname fit_flow_model
#' @export
fit_flow.StanModel <- fit_flow.stanfit

#' @rdname fit_flow_model
#' @export
fit_flow.bijectr_tmb <- fit_flow.stanfit

# Those of the model, or those that are given where it knows of none.
supports_of_model <- function(rules, model) {
  if (is.null(model$constrain)) return(rules)
  given <- names(Filter(Negate(is.null), rules))
  if (length(given)) stop_arg("{.arg {given[1]}} cannot be given: a model in Stan has its own.")
  has <- any(is.finite(c(model$lower, model$upper)))
  list(support = NULL, lower = if (has) model$lower, upper = if (has) model$upper)
}

# Models in Stan, by the interface that each package has to a compiled one:
#
#   unconstrained  names of the unconstrained coordinates, NULL where it does not tell them: `n` is their number
#   parameters     names of the parameters
#   quantities     names of all that constrain(u) gives, the parameters first
#                  (all with brackets or, as Stan has them within, with points: x.2.1 for x[2,1])
#   at             function(u) -> list(value, gradient), with the Jacobian of the parameters
#   constrain      function(u) -> numbers
#   rejected       function(e): whether an error of `at` says that there is no density at u; by default all do

stan_model <- function(unconstrained, n, parameters, quantities, at, constrain, rejected = function(e) TRUE) {
  parameters <- bracketed(parameters)
  quantities <- bracketed(quantities)
  if (!is.null(unconstrained)) unconstrained <- bracketed(unconstrained)
  curves <- find_curves(constrain, n, length(parameters))
  names <- paste("unconstrained", unconstrained %||% seq_len(n))
  known <- vapply(curves, function(at) at$curve != "free", NA)
  names[known] <- parameters[vapply(curves[known], `[[`, 0L, "parameter")]
  end <- function(which, none) vapply(curves, function(at) at[[which]] %||% none, 0)
  density <- function(u, gradient) density_of_rows(u, at, gradient, unless_rejected(rejected))
  new_target_model(names, end("lower", -Inf), end("upper", Inf), density_on_curves(density, curves),
    function(x) {
      u <- on_curves(x, curves, "to")
      values <- vapply(seq_len(nrow(x)), function(i) as.double(constrain(u[i, ])), numeric(length(quantities)))
      matrix(values, nrow(x), byrow = TRUE, dimnames = list(NULL, quantities))
    }
  )
}

# x[2,1] for x.2.1; names in Stan have no points of their own.
bracketed <- function(names) {
  inner <- sub("^[^.]*[.]?", "", names)
  paste0(sub("[.].*", "", names), ifelse(nzchar(inner), paste0("[", gsub(".", ",", inner, fixed = TRUE), "]"), ""))
}

# Stan throws errors at points that it rejects: there is no density. What its interface says else is the user's to know.
unless_rejected <- function(rejected) {
  function(e) if (!rejected(e)) stop_arg(c("The model could not be evaluated.", x = "{conditionMessage(e)}"))
}

# As for Stan's sampler, to which a solver that does not converge is a rejected point, too.
is_rejection <- function(e) inherits(e, "C++Error")

# ---- rstan, and packages that are built on it ------------------------------------------------------------------------

#' @export
as_model.stanfit <- function(x) {
  instance <- x@.MISC$stan_fit_instance
  n <- tryCatch(instance$num_pars_unconstrained(), error = function(e) NULL)
  if (is.null(n)) {
    stop_arg(c(
      "The model of this {.cls stanfit} is not there: it was made in another session, or never begun.",
      i = "{.code rstan::sampling(model, data = data, chains = 0)} makes one without sampling."
    ))
  }
  log_prob <- instance$log_prob # to look it up takes as long as a call
  at <- function(u) {
    value <- log_prob(u, TRUE, TRUE)
    list(value = value, gradient = attr(value, "gradient"))
  }
  stan_model(instance$unconstrained_param_names(FALSE, FALSE), n, instance$constrained_param_names(FALSE, FALSE),
    instance$constrained_param_names(TRUE, TRUE), at, instance$constrain_pars, is_rejection
  )
}

#' @export
as_model.brmsfit <- function(x) as_model(x$fit)

#' @export
as_model.stanreg <- function(x) as_model(x$stanfit)

# ---- cmdstanr --------------------------------------------------------------------------------------------------------

#' @export
as_model.CmdStanFit <- function(x) {
  n <- tryCatch(x$unconstrain_draws(), error = function(e) NULL)
  if (is.null(n)) {
    stop_arg(c(
      "The methods of the model of this {.cls CmdStanFit} are not there.",
      i = "{.code fit$init_model_methods()} compiles them."
    ))
  }
  # versions before 0.8 give lists of chains of draws
  n <- if (is.list(n) && !is.data.frame(n)) length(n[[1]][[1]]) else dim(n)[length(dim(n))]
  names_of <- function(all) {
    skeleton <- x$variable_skeleton(transformed_parameters = all, generated_quantities = all)
    unlist(lapply(names(skeleton), function(name) element_names(name, skeleton[[name]])))
  }
  at <- function(u) {
    gradient <- x$grad_log_prob(u)
    list(value = attr(gradient, "log_prob"), gradient = as.double(gradient))
  }
  stan_model(NULL, n, names_of(FALSE), names_of(TRUE), at,
    function(u) unlist(x$constrain_variables(u, transformed_parameters = TRUE, generated_quantities = TRUE))
  )
}

# beta, beta[2], beta[2,1]: in the order in which R keeps arrays.
element_names <- function(name, value) {
  if (is.null(dim(value)) && length(value) == 1) return(name)
  places <- arrayInd(seq_along(value), dim(value) %||% length(value))
  paste0(name, "[", apply(places, 1, paste, collapse = ","), "]")
}

# ---- BridgeStan ------------------------------------------------------------------------------------------------------

#' @export
as_model.StanModel <- function(x) {
  at <- function(u) {
    both <- x$log_density_gradient(u)
    list(value = both$val, gradient = both$gradient)
  }
  # generated quantities need a generator of BridgeStan's own
  stan_model(x$param_unc_names(), x$param_unc_num(), x$param_names(), x$param_names(include_tp = TRUE), at,
    function(u) x$param_constrain(u, include_tp = TRUE)
  )
}

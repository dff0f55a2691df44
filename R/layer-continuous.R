#' Continuous layer
#'
#' Moves points along a vector field: \eqn{dz/dt = f(t, z)} from \eqn{t_0} on the side of the base to \eqn{t_1} on the
#' side of the data. The log-determinant is the integral of the trace of the Jacobian along the way, \eqn{\int
#' \mathrm{tr}\,(\partial f / \partial z)\, dt}{integral of tr(df / dz) dt}. `inverse()` solves the equation back from
#' \eqn{t_1} to \eqn{t_0}; it is the inverse up to the solver's error.
#'
#' @section Trace:
#' `"exact"` sums up the diagonal of the Jacobian: free for [field_planar()], one product of matrices for [field_mlp()]
#' with one or two hidden layers, as many passes as coordinates with more layers. `"hutchinson"` takes
#' \eqn{e^\top J e}{e' J e} with one random probe \eqn{e} a row and solve: one pass, an unbiased estimate of the log
#' density and of its gradient. Probes are drawn in training only (a validation draws the same ones every time);
#' [logdensity()], [forward()] and [inverse()] take the exact trace whatever `trace` is, so that they are functions of
#' the point. A matrix given as `probe` is used in every call: row \eqn{i} of the data takes its row
#' \eqn{(i - 1) \bmod n + 1}{(i - 1) mod n + 1}; in a fit, \eqn{i} counts the rows of batch after batch.
#'
#' @section Gradients:
#' `"discrete"` differentiates the steps that the solver took: the gradient is that of the computed loss, up to the
#' dependence of adaptive step lengths on the parameters, which is of the order of the tolerance. It keeps the state at
#' the beginning of each of the first 64 steps, then of one in every \eqn{\sqrt{n}}{sqrt(n)}, and solves the stretches
#' between again; memory within a step does not grow with the number of steps. `"adjoint"` solves the adjoint
#' equation back over the same steps and keeps no states; its gradient is off by the solver's error.
#'
#' @section Regularizers:
#' In training, `kinetic` and `jacobian` times \eqn{\int |f|^2 dt}{integral of |f|^2 dt} and \eqn{\int |J|_F^2
#' dt}{integral of |J|_F^2 dt} (with probes \eqn{|J e|^2}) are added to the loss of each row: ways become straight and
#' speeds even, and solvers need fewer steps. `steer` shifts the end of the solve by \eqn{U(-steer, steer)}, anew in
#' each step. In fits to a log density ([fit_flow.function()]) probes and penalties act on the gradient, and `steer` is
#' an error; the contrastive loss of [fit_rounds()] knows none of them.
#'
#' @section Parameters:
#' Those of the field, under `field`.
#'
#' @param field The vector field: [field_mlp()] or [field_planar()].
#' @param solver The solver, see [solver_tsit5()]. `NULL` is `solver_tsit5()`, steps of a stated accuracy; but
#'   `solver_tsit5(step = 0.05)` for [field_planar()], whose gates are computed once for times that all rows share, and
#'   would take some fifty times as long where each row has times of its own.
#' @param trace `"exact"` or `"hutchinson"`. `NULL` is exact for up to three coordinates and where that takes no pass a
#'   coordinate: for [field_planar()], and without `jacobian` for [field_mlp()] with one or two hidden layers; but
#'   Hutchinson with a matrix as `probe`.
#' @param probe Distribution of the probes: `"rademacher"` (\eqn{\pm 1}{+-1}) or `"gaussian"`; or a matrix with a row a
#'   probe and a column a coordinate.
#' @param gradient `"discrete"` or `"adjoint"`.
#' @param t0,t1 Times at the base and at the data.
#' @param kinetic,jacobian Weights of the regularizers, 0 for none.
#' @param steer Largest shift of the end of the solve in training, below \eqn{|t_1 - t_0|}.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Chen, Rubanova, Bettencourt, Duvenaud (2018), *Neural ordinary differential equations*,
#'   arXiv:1806.07366. Grathwohl et al. (2019), *FFJORD*, arXiv:1810.01367. Finlay, Jacobsen, Nurbekyan, Oberman (2020),
#'   *How to train your neural ODE*, arXiv:2002.02798. Ghosh, Behl, Dupont, Torr, Namboodiri (2020), *STEER: simple
#'   temporal regularization for neural ODEs*, arXiv:2006.10711.
#' @seealso [continuous_flow()] for a whole flow, [loss_flow_matching()] to train one without solving.
#' @family layers
#' @family continuous flows
#' @examples
#' set.seed(1)
#' f <- flow(layer_continuous(field_mlp(8, init = "uniform"), solver_tsit5(step = 0.1)), d = 2)
#' there <- forward(f, cbind(0, 1))
#' inverse(f, there$value)$value
#' @export
layer_continuous <- function(field = field_mlp(), solver = NULL, trace = NULL, probe = "rademacher",
                             gradient = c("discrete", "adjoint"), t0 = 0, t1 = 1, kinetic = 0, jacobian = 0,
                             steer = 0) {
  t0 <- check_number(t0, "t0", above = -Inf, below = Inf)
  t1 <- check_number(t1, "t1", above = -Inf, below = Inf)
  if (t0 == t1) stop_arg("{.arg t0} and {.arg t1} must differ; both are {t0}.")
  if (!is.finite(t1 - t0)) stop_arg("{.arg t1} must not be that far from {.arg t0}: {t0} and {t1}.")
  given <- is.numeric(probe)
  if (given) probe <- check_finite(as_numeric_matrix(probe, "probe"), "probe")
  check_family(field, "field", "field")
  new_spec("layer", "continuous",
    field = field, solver = check_family(solver %||% default_solver(field), "solver", "solver"),
    trace = if (!is.null(trace)) check_choice(trace, c("exact", "hutchinson"), "trace"),
    probe = if (!given) check_choice(probe, c("rademacher", "gaussian"), "probe"),
    probe_values = if (given) unname(probe),
    gradient = check_choice(gradient, c("discrete", "adjoint"), "gradient"), t0 = t0, t1 = t1,
    kinetic = check_number(kinetic, "kinetic", min = 0, below = Inf),
    jacobian = check_number(jacobian, "jacobian", min = 0, below = Inf),
    steer = check_number(steer, "steer", min = 0, below = abs(t1 - t0))
  )
}

# The solver where none is given.
default_solver <- function(field) UseMethod("default_solver")

#' @export
default_solver.default <- function(field) solver_tsit5()

# Traces are exact where that is cheap. |J|^2 of a perceptron takes a pass a coordinate, whatever its trace takes.
#' @export
resolve.bijectr_layer_continuous <- function(layer, d, d_condition) {
  if (!is.null(layer$probe_values) && !isTRUE(ncol(layer$probe_values) == d)) {
    stop_arg("{.arg probe} must have {d} column{?s}, one a coordinate, not {ncol(layer$probe_values) %||% \"none\"}.")
  }
  field <- layer$field
  form <- inherits(field, "bijectr_field_mlp") && length(field$width) <= 2 && layer$jacobian == 0
  cheap <- is.null(layer$probe_values) && (inherits(field, "bijectr_field_planar") || form || d <= 3)
  layer$trace <- layer$trace %||% if (cheap) "exact" else "hutchinson"
  layer$solver <- solver_for(layer$solver, field)
  list(layer)
}

# Whether a part of a flow takes steps that follow an error, of which there may be too many.
solved_to_tolerance <- function(x) {
  if (inherits(x, "bijectr_layer_continuous")) return(!is.null(x$solver$rtol))
  is.list(x) && any(vapply(x, solved_to_tolerance, NA))
}

#' @export
arguments.bijectr_layer_continuous <- function(spec) {
  fields <- NextMethod()
  fields["probe"] <- list(spec$probe %||% spec$probe_values)
  fields
}

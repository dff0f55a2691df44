#' bijectr: normalizing flows with a pure C core
#'
#' A normalizing flow is a distribution made of a simple base distribution and a chain of invertible, differentiable
#' maps (*layers*). [fit_flow()] fits one to a data frame, a matrix or an unnormalised log density; the fit evaluates
#' log densities in the units of the data, draws samples and is a plain list that `saveRDS()` keeps.
#'
#' Where to look:
#' * fit: [fit_flow()] for data and formulas, [its method][fit_flow.function()] for log densities, [fit_rounds()] for
#'   simulators; [fit_control()] and [default_layers()] for how, [supports] for where values can lie; [resume()] goes
#'   on, [update()][update.bijectr_fit()] fits anew;
#' * use: [logdensity()], [predict()][predict.bijectr_flow()], [sample()], [dflow()], [importance_sample()];
#' * look at: [summary()][summary.bijectr_fit()], [plot()][plot.bijectr_flow()], [fit-methods];
#' * what warnings and errors mean, and how to switch them off: [bijectr-conditions];
#' * flows of your own: [flow()], and constructors whose names start with `layer_`, `scalar_`, `net_`, `base_`, `opt_`,
#'   `schedule_` and `loss_`.
#'
#' `vignette("bijectr")` is the start, `vignette("tables")` goes from a data frame to a distribution.
#'
#' Attaching the package makes [sample()] generic; for all but flows and fits it is that of base R. `set.seed()` governs
#' everything random: initial parameters, which rows are held out, the order of batches, noise, and draws. Results do
#' not depend on the number of threads, which `options(bijectr.threads = )` sets (2).
#'
#' @keywords internal
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 200)
#' summary(fit)
#' sample(fit, 3)
#' @useDynLib bijectr, .registration = TRUE
"_PACKAGE"

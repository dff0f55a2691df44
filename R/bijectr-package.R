#' bijectr: normalizing flows with a pure C core
#'
#' \if{html}{\figure{logo.png}{options: style='float: right' alt='' width='120'}}
#' A normalizing flow is a distribution made of a simple base distribution and a chain of invertible, differentiable
#' maps (*layers*). [fit_flow()] fits one to a data frame, a matrix or an unnormalized log density; the fit evaluates
#' log densities in the units of the data, draws samples and is a plain list that `saveRDS()` keeps.
#'
#' @section A map of the functions:
#' * **Fit**: [fit_flow()] for data, [its method for formulas][fit_flow.formula()] and [that for log
#'   densities][fit_flow.function()], models in Stan and TMB, [fit_flow_model],
#'   [fit_rounds()] for simulators; [fit_control()], [stack_members()] and
#'   [default_layers()] for how, [supports] for where values can lie; [resume()] goes on,
#'   [update()][update.bijectr_fit()] fits anew.
#' * **Ask**: [logdensity()], [predict()][predict.bijectr_flow()] (means, medians, modes, intervals, quantiles, survival
#'   functions, probabilities of levels, draws), [dflow()], [pflow()], [qflow()], [rflow()], [sample()] and
#'   [simulate()][simulate.bijectr_flow()]; [dist_flow()] for vectors of distributions.
#' * **Condition**: [conditional()] and [marginal()] distributions of a joint fit, [impute()] for gaps.
#' * **Look**: [summary()][summary.bijectr_fit()], [plot()][plot.bijectr_flow()] and `ggplot2::autoplot()`,
#'   [animate_layers()], [residuals()][residuals.bijectr_fit()], [methods of fits][fit-methods],
#'   [tidiers][fit-tidiers].
#' * **Trust**: [check_flow()] says whether a fit agrees with rows, [compare_flows()] and [flow_cv()] which is best;
#'   [importance_sample()] and [sample_imh()] correct draws of a fit to a log density, and
#'   [posterior::as_draws()][as_draws.bijectr_target_fit] gives them in the form of posterior; [sbc()],
#'   [expected_coverage()], [check_simulator()], [posterior_predictive()] and [sample_within()] are for posteriors of
#'   simulators.
#' * **Build**: [flow()] of layers; premade stacks as [coupling_flow()], [masked_autoregressive_flow()],
#'   [continuous_flow()]; constructors whose names begin with `layer_`, `scalar_`, `net_`, `field_`, `solver_`, `base_`,
#'   `opt_`, `schedule_` and `loss_`; [params()], [forward()] and [inverse()];
#'   [layer_r()] and [net_r()] for layers in R, and [check_layer()] for layers that are new.
#' * **Settle**: [bijectr-options], and [bijectr-conditions] for what warnings and errors mean and how to switch them
#'   off.
#'
#' `vignette("bijectr")` is the start, `vignette("tables")` goes from a data frame to a distribution,
#' `vignette("inference")` from a log density, a Stan model or a simulator to a posterior and its checks, and
#' `vignette("which")` says which flow when and answers questions. The scripts of all vignettes are in
#' `system.file("doc", package = "bijectr")`, and run there.
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
#' @importFrom rlang .data
#' @useDynLib bijectr, .registration = TRUE
"_PACKAGE"

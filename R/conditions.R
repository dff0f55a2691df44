#' Warnings, errors and messages of bijectr
#'
#' Every warning, error and message of the package has a class, by which it can be caught or switched off alone.
#'
#' `suppressWarnings(expr, classes = "bijectr_warning_ties")` is silent about ties only, in R 4.0 and later;
#' `suppressMessages(expr, classes = "bijectr_message_resume")` likewise. `tryCatch(expr, bijectr_error_argument =
#' function(e) NULL)` goes on after an error of one class, and `bijectr_error` is a class of all of them. The text of a
#' condition `e` is `conditionMessage(e)`, and `?bijectr_warning_ties` leads from a class to this page. With
#' `options(warn = 2)` all warnings are errors.
#'
#' @section Warnings about data, before the training:
#' They say what a careful colleague would, and the fit is made all the same. What you know to be in order can be
#' switched off.
#' * `bijectr_warning_ties`: a column is fitted as continuous, but has few values, or many rows agree. Its density can
#'   grow without bound at these values. Cure: spread them over their steps, `x + runif(n, -0.5, 0.5)` for whole
#'   numbers, or make the column a condition.
#' * `bijectr_warning_atom`: many rows have one value, as zeros among amounts. Cure: fit the other rows alone, and the
#'   share of this value beside them.
#' * `bijectr_warning_counts`: columns of whole numbers, counts or of few values, are fitted by their probabilities.
#'   Cure: say so, `support = counts()`, or `support = "real"` for a density. Or a single flow fits `counts()` beside
#'   other columns where gaps are learned from, with a density. Cure: round draws.
#' * `bijectr_warning_duplicates`: held-out rows are training rows too, so that validation cannot tell learning from
#'   remembering. Cure: drop the copies, count them in `weights`, or name `validation` rows without copies.
#' * `bijectr_warning_ess`: a conditional distribution, or the values that fill a gap, rest on few draws of equal
#'   weight. Cure: more `draws`, or a fit by formula with the columns that are given on its right side.
#' * `bijectr_warning_few_rows`: fewer than five training rows a column. Cure: fewer columns or more rows.
#' * `bijectr_warning_constant_condition`: a condition has one value in all training rows, which tell nothing of its
#'   effect. Cure: drop it.
#' * `bijectr_warning_large`: the flow has more than a million parameters; the time and memory it needs. Cure: fewer or
#'   narrower layers, or `seconds =`.
#'
#' @section Warnings about a training:
#' * `bijectr_warning_no_better`: after the training the flow is worse than a normal distribution. Cure: a lower
#'   `learning_rate`, more `steps`, fewer parameters; look at `summary(fit)` and `plot(fit, "loss")`.
#' * `bijectr_warning_diverged`: the loss was not finite too often; the fit has the best parameters so far. Cure: a
#'   lower `learning_rate`.
#' * `bijectr_warning_failed_simulations`: rows that the simulator of [fit_rounds()] returned are not numbers that a
#'   flow can be fitted to, and are left out; so many of so many in that round. Cure: a simulator, or a prior, that does
#'   not fail.
#' * `bijectr_warning_interrupted`: you interrupted the training; this is the fit so far. Cure: [resume()] goes on.
#' * `bijectr_warning_members`: kinds of members that were asked for by name cannot be fitted to these data, for the
#'   reason that is given; the stack is one of the others. Cure: leave them out of `members`.
#' * `bijectr_warning_evaluation`: the fit is whole, but its log likelihood, or what else is computed after the
#'   training, could not be computed, for the reason that is given. Cure: mend that reason; [logdensity()] can be called
#'   by hand.
#' * `bijectr_warning_checkpoint`: a checkpoint could not be written; the training goes on and tries again. Cure: make
#'   room on the disk, or the folder anew.
#' * `bijectr_warning_cluster`: `mpirun` has started several processes, but there is no package by which they could pass
#'   messages, and each fits for itself. Cure: install Rmpi or pbdMPI; or `options(bijectr.cluster = FALSE)`.
#' * `bijectr_warning_data`: the training of a single flow goes on with other data than it was made from. Cure: give
#'   [resume()] the same data; to learn from others, `fit_flow(data, fit)`. For stacks it is an error. Or what the call
#'   of a fit names as its data is something else by now, where [residuals()][residuals.bijectr_fit()] and pictures look
#'   for it. Cure: `data =`.
#'
#' @section Warnings about the use of a fit:
#' * `bijectr_warning_names`: no column of a matrix has a name that the flow knows, so columns are taken in order. Cure:
#'   the names of the flow, or none, `unname(x)`. Or data to fit have one name more than once, so that no column has a
#'   name. Cure: `names(data) <- make.unique(names(data))`.
#' * `bijectr_warning_extrapolation`: conditions lie beyond the range of those that the flow was fitted to, where it is
#'   a guess. Cure: stay within the range, which is named; `extrapolate` of [fit_flow()] says what becomes of them.
#' * `bijectr_warning_outside`: points lie outside the support of the flow, or where the left side of its formula has no
#'   value, and have no latent point (`NA`), no probability (`NA` of `pflow()`) and no place in pictures; or points of
#'   the base lie where a layer has no value, see [forward()]; or draws that no response can have are left out of a
#'   mean, see [predict.bijectr_flow()]. Cure: `support` of [fit_flow()].
#' * `bijectr_warning_response`: means are in the units of the left side of the formula, which is no function that can
#'   be inverted here. Cure: `mean(g(sample(fit, 1e4, condition)))` with the inverse, or whatever function, `g`.
#' * `bijectr_warning_tail_mean`: more than half of a mean is made by values beyond the 99.9 per cent quantile (or below
#'   the 0.1 per cent one), of which no data tell. Cure: medians, or conditions of less skewness, as in `y ~ log(x)`.
#' * `bijectr_warning_nan`: a result is not a number, because parameters are too large for doubles. Cure: train again,
#'   with a lower `learning_rate` or with `clip`.
#' * `bijectr_warning_misspecified`: [check_simulator()] finds that an observation is unlike all simulations. Cure: mend
#'   the simulator, or leave out the summaries that it names.
#' * `bijectr_warning_training_rows`: [compare_flows()] compares fits on rows that some of them were trained on. Cure:
#'   rows that no fit has seen, or [flow_cv()].
#' * `bijectr_warning_support`: a log density is no number where a coordinate is below 0. Cure: `support`, as of a
#'   standard deviation, `list(sigma = positive())`.
#' * `bijectr_warning_gradient`: the gradient that was given is not that of the log density. Cure: mend it, or leave it
#'   to differences.
#' * `bijectr_warning_weights`: importance weights of draws have no mean that so few could show. Cure: train longer, or
#'   other layers; [check_flow()] of the fit says more.
#' * `bijectr_warning_plot`: draws that are not finite are left out of a picture. Cure: as for the last one.
#'
#' @section Errors:
#' All have the class `bijectr_error` too.
#' * `bijectr_error_argument`: an argument, or the data in it, cannot be used; found before anything is computed. The
#'   message names argument, column and row, and the cure.
#' * `bijectr_error_dependent`: an error of the class before for columns that are linear functions of others. Cure:
#'   leave them out, or `collinear = "drop"`.
#' * `bijectr_error_rank`: another rank of a cluster has ended in an error, see [mpi_cluster()]; the message has its
#'   number and its error. Cure: that of the error; [resume()] goes on from the checkpoint.
#' * `bijectr_error_block`: a block of a [data_source()] cannot be read or used; the message says which one, and the
#'   parent, if there is one, why.
#' * `bijectr_error_training`: an error ended a training. The fit so far is in the field `fit` of the condition (of a
#'   fit in rounds before its first fit, the simulations are in `rounds`; of one with `na = "model"`, its fits so far
#'   are in `blocks`). Cure: mend the cause, which is the field `parent`, and go on with [resume()].
#' * `bijectr_error_leakage`: too few draws of a posterior lie within its prior, see [sample_within()]; those that do
#'   are in the field `draws`. Cure: `support` of [fit_flow()], or more `tries`.
#' * `bijectr_error_core`: the compiled core refused what it was given, or could not compute it: an object that was
#'   changed by hand or read from a damaged file, or an inverse or a differential equation that cannot be solved with
#'   the parameters at hand.
#'
#' @section Messages:
#' * `bijectr_message_rollback`: the loss was not finite at a step; the training went back to the last good state, with
#'   half the rate.
#' * `bijectr_message_new_state`: [resume()] goes on with a fit that kept no state, so that its optimizer starts anew.
#'   Cure: `keep_state = TRUE` in the fit.
#' * `bijectr_message_budget`: how [flow_cv()] shares its seconds out, and what a stack of many rows will take.
#' * `bijectr_message_predict`: `predict()` of a fit with conditions was given the response too, and so gives log
#'   densities; other models would give means. Say which `type`.
#' * `bijectr_message_sampled`: a fit that needs its rows at once is made from some of those of a source.
#' * `bijectr_message_resume`: [update()][update.bijectr_fit()] hands over to [resume()].
#' @return Every condition is a list with `message` and `call`, and the fields that are named above.
#' @seealso [fit_flow()], [suppressWarnings()], [tryCatch()]
#' @examples
#' set.seed(1)
#' visits <- rpois(200, 3)
#' fit <- suppressWarnings(fit_flow(visits, steps = 20), classes = "bijectr_warning_ties")
#'
#' # its text, and no fit
#' tryCatch(fit_flow(visits, steps = 20), bijectr_warning_ties = conditionMessage)
#'
#' # one warning as an error, all others as they are
#' try(withCallingHandlers(
#'   fit_flow(visits, steps = 20),
#'   bijectr_warning_ties = function(w) stop("no ties here, please: ", conditionMessage(w))
#' ))
#'
#' # an error of an argument
#' tryCatch(fit_flow(c(1, NA, 3)), bijectr_error_argument = conditionMessage)
#'
#' # what was trained before an error
#' ended <- tryCatch(
#'   fit_flow(faithful, callback = function(fit, record) stop("no time")),
#'   bijectr_error_training = identity
#' )
#' ended$fit
#' @name bijectr-conditions
#' @aliases bijectr_error bijectr_error_argument bijectr_error_block bijectr_error_rank bijectr_warning_cluster
#'   bijectr_message_sampled bijectr_error_core
#'   bijectr_error_dependent bijectr_error_leakage bijectr_error_training bijectr_message_budget
#'   bijectr_message_new_state bijectr_message_predict bijectr_message_resume bijectr_message_rollback
#'   bijectr_warning_atom bijectr_warning_checkpoint bijectr_warning_constant_condition bijectr_warning_counts
#'   bijectr_warning_data bijectr_warning_diverged bijectr_warning_duplicates bijectr_warning_ess
#'   bijectr_warning_evaluation bijectr_warning_extrapolation bijectr_warning_failed_simulations
#'   bijectr_warning_few_rows bijectr_warning_gradient bijectr_warning_support bijectr_warning_misspecified
#'   bijectr_warning_interrupted bijectr_warning_large bijectr_warning_members bijectr_warning_names bijectr_warning_nan
#'   bijectr_warning_no_better bijectr_warning_outside bijectr_warning_plot bijectr_warning_response
#'   bijectr_warning_tail_mean bijectr_warning_ties bijectr_warning_training_rows bijectr_warning_weights
NULL

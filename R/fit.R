#' Fit a normalizing flow, or a stack of them
#'
#' Trains a flow on data by maximum likelihood. With no further argument than the data it fits a stack: distributions of
#' several kinds, among them flows that suit most tables of a few columns, weighed by the log density that they give to
#' rows held out; see the section on stacks. Initial parameters, the choice of held-out rows, batches and noise are
#' random: [set.seed()] before it makes the same fit again.
#'
#' @param data The data: a data frame or matrix with one column a coordinate and one row an observation, or a numeric
#'   vector for one coordinate. A list of columns and draws of the posterior package will do as well (their variables,
#'   chains put together). Columns are numbers, finite and not constant, or factors, logical values and text, see the
#'   section on tables of mixed columns; classes that are numbers underneath, as dates, times, differences of times,
#'   units and labeled numbers, are kept and given back: see [sample()]. A [data_source()], or what becomes one, a
#'   lazy table of dbplyr, an Arrow dataset or a big.matrix, is fitted without being read into memory: see the section
#'   on sources.
#' @param layers A layer or a list of layers, from base to data, such as [coupling_flow()] or
#'   [masked_autoregressive_flow()]. `NULL` takes [default_layers()]. A [flow()] or an earlier fit is where training
#'   starts: its layers, parameters and base are taken over, and `base` is not used. If it is standardized already,
#'   `standardize` is not used either.
#' @param members What a stack is made of, see [stack_members()]; 1 for a single flow. `NULL`: a stack, where nothing
#'   is said of `layers`, `base`, `loss`, `control` or of the training (but `seconds`), else a single flow.
#' @param d Number of coordinates: needed for a log density, see [fit_flow.function()]; data tell it themselves.
#' @param base Base distribution, one of the `base_*` functions.
#' @param condition Conditioning variables: a numeric matrix or data frame (for one variable a vector) with as many rows
#'   as `data`, without missing values. The flow is then a distribution of the data given these. With a formula they
#'   stand on its right side. `NULL`: none.
#' @param weights Case weights: one finite, non-negative number a row, positive for two rows at least; a row counts as
#'   often as its weight says, in the likelihood too. `NULL`: all 1. With a formula they are looked for in `data` first.
#'   A row is held out with all its weight: of a table of counts, few rows of large weights, fits by the repeated rows
#'   judge better what they have not seen.
#' @param support Where the values of columns can lie: a named list such as `list(price = positive(), share =
#'   bounded(0, 1))`, see [supports]; one support for all; or `"real"`. Columns without one get what the data say where
#'   `layers` is `NULL`, by rules stated in [supports], else the line; `"auto"` looks at the data in any case.
#' @param lower,upper The same in numbers, or in dates and the like: ends of the supports of columns, by name or one a
#'   column; a list where they are of several classes.
#' @param standardize The frozen layer next to the data, learned from the training rows: `"whiten"` (mean 0 and identity
#'   covariance), `"robust"` (median 0 and quantile range 1.349, as a standard normal has, and no correlations among
#'   rows that are not far out), `"scale"` (mean 0 and variance 1), or `"none"`. `TRUE` is `"robust"` where a column has
#'   long tails, a standard deviation of more than twice (q.75 - q.25) / 1.349, else `"whiten"`. `FALSE` is `"none"`.
#'   With the default layers `TRUE` and `"robust"` also put a trained [scalar_tail()] next to columns with tails such as
#'   a t distribution of two degrees of freedom has: at least three values beyond 7 robust scales, and a Hill estimate,
#'   from the outer tenth of the values of one side or from its ten furthest, of more than 0.3. Of more than 16384
#'   training rows of d columns, and more than 25 d (d + 3), so many are looked at, spread over all.
#' @param extrapolate What becomes of conditions beyond the range of those that the flow was fitted to, where its nets
#'   have learned nothing: `"pull"` pulls them in smoothly, to half a standard deviation beyond the range at most;
#'   `"linear"` takes them as they are. Both warn, with class `bijectr_warning_extrapolation`.
#' @param na What to do about missing values in `data`: `"fail"`, or `"model"`, which takes what is missing as part of
#'   the model: see the section on missing values.
#' @param collinear What becomes of columns that are linear functions of columns before them, as copies, sums, and the
#'   last part of shares that add up to 1: together they have no density. `"error"` says so; `"drop"` leaves them out of
#'   the flow, whose log density, likelihood, parameters and pictures are those of the other columns, and computes them
#'   for draws. Points to evaluate may have them: a row that does not fulfill the relation, to a millionth of the
#'   standard deviation, has log density `-Inf`. Supports that are given for such columns have no effect.
#'   `"drop"` is for data without missing values.
#' @param loss [loss_maximum_likelihood()], or [loss_flow_matching()] for flows of one [layer_continuous()].
#' @param control Training settings of a single flow, see [fit_control()]. `NULL` takes [default_control()]: between
#'   1000 and 8000 steps, by the number of rows, all of which are made, and the parameters of the best validation on 15
#'   per cent of the rows.
#' @param progress Show a progress bar.
#' @param ... Passed on to [fit_control()], with the default settings for what is not given:
#'   `fit_flow(data, steps = 500)`.
#' @return A `bijectr_fit`: a flow with trained parameters, or a stack, see there for its fields. It is a plain list
#'   that [saveRDS()] keeps. A single flow has the fields of [flow()] and these, each of which is always there, `NULL`
#'   where there is nothing to say in it; fits with `na = "model"` have others, see missing values:
#'   * `call`: the call, without data and functions that were written into it; `formula`: the formula, if there was one;
#'   * `loss`: what was minimized, one of the `loss_*` functions; `options`: of a fit to a log density, `anneal`,
#'     `evaluate` and `gradient` (`"function"` if it was one); `control`: the training settings, see [fit_control()],
#'     without callbacks;
#'   * `standardize`: how the data were standardized, `"auto"` for `TRUE`;
#'   * `form`: what the data came as, and draws go out as: a list of `kind` (`"vector"`, `"matrix"` or `"frame"`) and,
#'     for a frame, its `class`;
#'   * `rows`: `train` and `validation`, row numbers of the data, among those that were used, and with `weights`
#'     `effective`, the number of training rows of equal weight that tell as much, `sum(w)^2 / sum(w^2)`; `na.action`:
#'     of a fit by formula, the rows that were left out for missing values, as in [lm()];
#'   * `digest`: the number of `rows` of the data, and two numbers each that tell the `data` and the `condition` from
#'     others, by which it is seen and said (a warning of class `bijectr_warning_data`; an error for stacks) that a
#'     training goes on with other data;
#'   * `status`: `"finished"`, `"max_epochs"`, `"converged"`, `"time_limit"` (of a stack: of any of its flows),
#'     `"stopped"` (by the callback), `"interrupted"`, `"diverged"` or `"failed"` (by an error); `steps`, `epochs`,
#'     `seconds`: how long it took;
#'   * `history`: a data frame of `step`, `train` and `validation` loss (mean negative log density in the units of the
#'     data, or what `loss` says) and learning `rate`;
#'   * `nobs`, `loglik`, `held_out_loglik`: the number of rows of positive weight, and the sums of their log densities,
#'     of all and of the held-out ones; `reference`: mean log densities of the flow and of a normal distribution, and
#'     the standard errors of their differences, see [summary.bijectr_fit()];
#'   * `quantiles`: of training rows and of draws, in the numbers that stand for the columns, see
#'     [summary.bijectr_fit()]: a list of `data` and `draws`, matrices of the quantiles 0, 1, 25, 50, 75, 99 and 100 per
#'     cent (rows) of the coordinates (columns), `reach`, `n`, `drawn` and `broken`;
#'   * `censoring`: of censored times, how many rows are what, see there;
#'   * `evaluation`: of a fit to a log density, see [fit_flow.function()]; `rounds`, `observed`, `leakage`,
#'     `prior_support`, `likelihood`, `draws`: of a fit in rounds, see [fit_rounds()];
#'   * `state`: what `resume()` needs to go on exactly where the training ended: kept with `keep_state = TRUE`, and
#'     with status `"time_limit"`, `"stopped"`, `"interrupted"` or `"failed"`.
#' @section Stacks: where nothing is said of `layers`, `base`, `loss`, `control` or of the training (but `seconds`), or
#'   where `members` says so, several kinds of members are fitted to parts of the rows and weighed by their densities of
#'   the others: see [stack_members()] for the kinds, the parts and the sources. The density is the weighted mean of
#'   those of the members. Everything else, and `members = 1`, is a single flow. Arguments of [fit_control()] beside
#'   `members` are those of the trained flows; [default_control()] says how these are trained, and [stack_members()] in
#'   what they differ from it. Members run side by side, by a plan of the future package if one is set and future.apply
#'   is installed, else in `options(bijectr.threads =)` forks of this process where the system has them
#'   (`options(bijectr.fork = FALSE)` does without); the bits are the same in any case. `seconds` is the budget of all,
#'   of which each flow gets its share. Of a table of mixed columns a plan fits all blocks before the last side by side,
#'   unless there is a budget.
#'
#'   A stack is a `bijectr_fit` of class `bijectr_stack`: [logdensity()], [sample()], [simulate()], [predict()],
#'   [dflow()] and its siblings, [plot()], [summary()][summary.bijectr_fit()], [importance_sample()], [check_flow()],
#'   [update()][update.bijectr_fit] and [resume()] work on it. It has no single map: `forward()`, `inverse()`,
#'   `params()`, pictures of losses and layers, and a training that starts from it are errors that say so. It has no
#'   `base`, `layers` and `params`; its other fields are those of a single flow, and
#'   * `members`: for each a list of `kind` and `label` (its name in [stack_members()], and in words), `size` (of
#'     mixtures, `components` and `strength` of the prior), `weight`, `held_out` (mean log density of rows held out) and
#'     `flows`, with their `shares` in the member, and of those that were trained the `seeds` and `folds`, one a flow.
#'     The weights add up to 1; members of less than a thousandth are left out, but for those on t distributions;
#'   * `folds`: of each row the part in which it was held out, 0 if never; `held_out`: the log densities of the rows
#'     that were, in their order, a column a kind, those of members of less weight than a thousandth too;
#'   * `left_out`: why there is no member of a kind that was asked for, or that suits the data but for the number of
#'     their rows or for what it says of rows held out: a character vector named by kinds. A kind that was asked for by
#'     name and has failed is a warning of class `bijectr_warning_members` too; if all have it is an error.
#'
#'   Some fields mean another thing than those of a single flow:
#'   * `rows$train` are all rows, and `rows$validation` is empty: each flow has rows of its own, which `folds` and its
#'     seed tell; `quantiles` are those of all rows;
#'   * `held_out_loglik`, and `flow`, `normal` and `error` of `reference`, are of the rows that were held out, by
#'     members that were fitted, and weights that were found, without them: the figure of [print()][fit-methods].
#'     `normal` is the member of that kind, `NA` without one. With one split, as for many rows, weights are those of the
#'     other half of its rows. `loglik`, and what ends in `_train`, are by the stack itself of the rows that it was
#'     fitted to, the latter, as of a single flow, of 16384 of them or more where there are many;
#'   * `control` are the settings of one flow of all rows, [default_control()]; `history` is empty, `epochs` is 0, and
#'     `steps` counts those of [resume()]; `state` is `NULL`;
#'   * `status` is `"finished"`, or `"interrupted"`: the stack has the members that were done.
#'
#'   With `na = "model"` each flow is a single one, and `members` other than 1 is an error.
#' @section Sources: a table that does not fit into memory is fitted from where it is, see [data_source()]. It is read
#'   through once. If all its rows fit into a quarter of its `memory` it is fitted as their table would be, to the bit.
#'   Else what is learned of columns, their supports, levels, centers and scales, is learned from 210,000 rows taken at
#'   random and the rows with the smallest and the largest value of each column and the first of each level. Rows held
#'   out are among these, 10,000 at the most; which they are depends on the numbers of rows alone, not on the seed. The
#'   training reads the blocks of the source in a random order, another one in each pass, and shuffles within buffers of
#'   as many rows as fit into a quarter of `memory`; where it stands is in its state, so that [resume()] goes on to the
#'   bit. Under a plan of the future package that has other processes, the next buffer is read by one of these while
#'   the core works, where the source can be opened once more: a file of SQLite, Parquet files, and with
#'   `reopen = TRUE`.
#'
#'   A source is fitted by a single flow, also where nothing is said of it, if its columns are numbers with densities.
#'   What needs its rows at once, as stacks with `members =`, levels in the place of numbers, whole numbers and censored
#'   times, is fitted to the rows that were taken, and says so (`bijectr_message_sampled`). Conditions stand on the
#'   right side of a formula; `condition`, `weights`, `subset` and `na = "model"` are for rows in memory. A block that
#'   cannot be used is named in an error of class `bijectr_error_block`, before the training, as for missing values, or
#'   during it, with the training so far as above.
#'
#'   The fit has a field `source`: `label`, `rows`, `columns` and `memory` of the source, and how many rows were `kept`
#'   and are in each of the `buffers` of a pass, `buffer`, in so many `lanes`, one a rank of an [mpi_cluster()]; `NULL`
#'   in other fits. `nobs` is the number of all rows, `loglik` an estimate, that of the kept rows times all over kept;
#'   `rows` and `digest` are of the kept rows; [print()][fit-methods] says what is in memory.
#' @section Interrupts and errors: nothing that was trained is lost. An interrupt ends the training, not the call: the
#'   fit so far is returned, with status `"interrupted"` and a warning of class `bijectr_warning_interrupted`. An error
#'   during training, in a callback or a log density or from a time limit, is raised as an error of class
#'   `bijectr_error_training` that carries the fit so far as `condition$fit`, with the original error as its parent;
#'   before the first step there is nothing to carry, and the error is the original one. In both cases `resume()` goes
#'   on from there. What cannot be computed after training, for an error or an interrupt, is
#'   `NA` or `NULL`, with a warning of class `bijectr_warning_evaluation`. Where warnings are errors (`options(warn =
#'   2)`), these warnings are errors of class `bijectr_error_training`, with the fit.
#' @references Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021), *Normalizing flows for probabilistic
#'   modeling and inference*, arXiv:1912.02762.
#' @seealso [logdensity()], [sample()], [plot.bijectr_fit()], [resume()], [update.bijectr_fit()]; [bijectr-conditions]
#'   for what warnings and errors mean
#' @examples
#' # a single flow, since something is said of its training;
#' # fit_flow(faithful) is a stack and takes seconds
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 100)
#' fit
#' logdensity(fit, data.frame(eruptions = 4, waiting = 80))
#' sample(fit, 3)
#'
#' # a stack of two kinds
#' fit_flow(faithful, members = c("normal", "student_t"))
#'
#' # flower sizes given the species
#' fit <- fit_flow(cbind(Sepal.Length, Sepal.Width) ~ Species, data = iris, steps = 100)
#' sample(fit, 3, condition = data.frame(Species = "setosa"))
#'
#' # a table with a factor: probabilities and a density
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' fit
#' sample(fit, 3)
#'
#' # censored times: survival of lung cancer given sex, as a Weibull regression
#' if (requireNamespace("survival", quietly = TRUE)) {
#'   fit <- fit_flow(Surv(time, status) ~ sex, data = survival::lung, members = "weibull")
#'   print(predict(fit, data.frame(sex = 1:2), "survival", times = c(100, 365)))
#' }
#' @order 1
#' @export
fit_flow <- function(data, ..., d) { # `d` stands here, else `d =` would be taken for an abbreviated `data =`
  UseMethod("fit_flow", formula_or_data(data, ...))
}

names_of_dots <- function(...) names(substitute(list(...)))[-1]

# What fit_flow() dispatches on. `fit_flow(y ~ x, data = table)` binds the table to the generic's first argument, and
# leaves the formula to the dots.
formula_or_data <- function(data, ...) {
  if (...length() && (missing(data) || !inherits(data, "formula"))) {
    k <- match("formula", names_of_dots(...), nomatch = 1L)
    first <- ...elt(k)
    if (inherits(first, "formula")) return(first)
  }
  check_given("data")
  if (is_tmb(data)) structure(list(), class = "bijectr_tmb") else data
}

#' @rdname fit_flow
#' @order 2
#' @export
fit_flow.data.frame <- function(data, layers = NULL, ..., d = NULL, members = NULL, base = base_normal(),
                                condition = NULL, weights = NULL, support = NULL, lower = NULL, upper = NULL,
                                standardize = TRUE, extrapolate = "pull", na = "fail", collinear = "error",
                                loss = loss_maximum_likelihood(), control = NULL, progress = interactive()) {
  call <- user_fit_call()
  settings <- joined_settings(list(...), control)
  said <- c(
    if (!is.null(layers)) "layers", if (!missing(base)) "base", if (!missing(loss)) "loss",
    if (!is.null(control)) "control"
  )
  from_source <- streamed(data, condition = condition, weights = weights, na = na)
  if (!is.null(from_source)) data <- from_source$table
  opened <- open_times(data)
  from <- list(
    data = opened$data, observed = opened$observed, condition = condition, weights = weights,
    form = form_of(opened$data), call = call, what = "{.arg data}",
    stream = from_source$stream
  )
  fit_data(from, layers, wanted_members(members, said, settings), is.null(members) || is_one(members), base,
    column_rules(standardize, extrapolate, support, lower, upper, collinear), na, loss, control, settings, progress, d
  )
}

#' @rdname fit_flow
#' @order 3
#' @export
fit_flow.matrix <- fit_flow.data.frame

#' @rdname fit_flow
#' @order 4
#' @export
fit_flow.numeric <- fit_flow.data.frame

#' @rdname fit_flow
#' @order 5
#' @export
fit_flow.bijectr_source <- fit_flow.data.frame

#' @export
fit_flow.default <- fit_flow.data.frame

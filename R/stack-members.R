#' Members of a stack
#'
#' What [fit_flow()] makes a stack of, where nothing is said of layers, base, loss or training: `members =` takes
#' what this function gives, names of kinds, a number of folds, or 1 for a single flow.
#'
#' @param kinds Names of kinds of members, see below; `NULL`: all that suit the data.
#' @param folds Number of parts that the rows are cut into, equal rows together: by default 5 of fewer than 500 rows
#'   without conditions, else 10.
#' @param fits How many flows of each kind are trained, each without one of these parts; parts beyond that number
#'   are never held out, and where there are more flows than parts these serve again. By default 10 of fewer than
#'   500 rows without conditions, 5 of fewer than 5000 (3 of more than 6000 numbers, else 4 given conditions), and 1
#'   of more (given conditions 3 of fewer than 20,000, 2 of more than 24,000 numbers), with no more than 10,000 rows
#'   held out. Of fewer than 1000 rows of up to 12 values, which have no flows, all parts are held out. Fewer than 500
#'   censored times are cut into 5 parts, each of which is held out from one flow of a kind.
#' @return A list of class `bijectr_members`.
#' @section Kinds:
#'   * `"normal"`: the normal distribution of maximum likelihood; given conditions, linear regression, as a t
#'     distribution with the degrees of freedom that are left. Without conditions it is there only where the rows that a
#'     fold leaves are at least three more than the columns, unless it is asked for by name: of fewer the mean log
#'     density of other rows is not finite;
#'   * `"shrunk"`: the predictive distribution of normal rows whose covariance is drawn towards a diagonal one, by the
#'     evidence (empirical Bayes), a multivariate t: for few rows and many columns;
#'   * `"student_t"`, `"shrunk_t"`: a multivariate t, by EM; given conditions, linear regression with such errors; the
#'     latter with the variances of the columns as one row more;
#'   * `"shared"`, `"full"`, `"diagonal"`: mixtures of 2 to 30 normals with one covariance, one each, or diagonal ones,
#'     by EM with a prior of three strengths; number and strength are those of the best density of rows held out;
#'   * `"kernel"`: a product of normal kernels at the rows, with widths by leave-one-out likelihood; up to 1200 rows;
#'   * `"spline"`, `"spline_t"`: the flow of [default_layers()], on a normal base and on t distributions with 5 degrees
#'     of freedom; `"affine_t"`: four affine autoregressive layers on t distributions whose degrees of freedom are
#'     trained;
#'   * `"weibull"`, `"lognormal"`, `"loglogistic"`: of censored times, regression of what is behind their support, by
#'     default logarithms, with errors of that shape and of one scale, by maximum likelihood; given conditions with a
#'     normal prior of the slopes, none or of a standard deviation of 1, 1/2, ... 1/16 scales of the error for a
#'     standard deviation of the condition, whichever has the best likelihood of rows held out;
#'   * `"cells"`: given conditions of few values (12 at the most), a normal distribution, with a common regression, of
#'     each combination of their values, or of the values of one of them, drawn towards the others by an inverse Wishart
#'     prior;
#'   * `"nearby"`: given conditions, kernels at the residuals of linear regression, each weighed by the distance of the
#'     conditions of its row, beside the regression itself: for conditions that say much in no smooth way; up to 4000
#'     rows;
#'   * `"negative_binomial"`, `"zero_inflated"`: of counts, whole numbers with a smallest value and no largest: negative
#'     binomial regression of the logarithm of the mean, of which Poisson regression is a limit, and the same with a
#'     logistic regression of zeros beside; given conditions with a normal prior of the slopes, none or of a standard
#'     deviation of 1, 1/2, 1/4 or 1/8 for a standard deviation of the condition;
#'   * `"frequencies"`, `"linear"`, `"local"`: of factors, and beside the others of whole numbers with up to 30 values:
#'     shares of the rows, with half a row spread over all values; multinomial regression with a ridge; and shares of
#'     rows nearby, each weighed by the distance of its conditions, with that regression as a prior;
#'   * `"beyond"`: `"shrunk"`, given conditions `"normal"`, of the columns as they are, where supports were found but
#'     not given, see [supports]. It has the weight of 1e-4 rows, so that a value beyond such a support is very
#'     unlikely but not impossible: the support may be wrong.
#'
#'   Flows are trained on seven eighths of the rows that are not held out, with the others for validation, in the steps
#'   of [default_control()], half of them for fewer than 5000 rows without conditions, one and a half times as many at
#'   twice the rate given conditions, and their densities are averaged. Spline flows have a decoupled weight decay,
#'   240 by the (effective) number of rows that they are trained on, and 2 at the most ([opt_adamw()]), which draws them
#'   towards their base distribution: the more, the fewer the rows. The other kinds are fitted to all rows in the end,
#'   of many to some 16,000 (mixtures: 10,000) by weight or at equal steps. Given conditions there are `"normal"`,
#'   `"student_t"`, `"cells"`, `"nearby"`, the flows and `"beyond"`; of factors only the three kinds that are for these,
#'   which of whole numbers with up to 12 values stand in the place of flows; of counts those two as well; of censored
#'   times there are the flows, on t distributions of 4 and 5 degrees of freedom, and the three that are for these.
#' @section Weights:
#'   The weights of the kinds make the log density of the rows held out largest, with a prior as of two rows: every
#'   kind keeps a little. Where fewer than 500 rows were held out there is a second prior, with ten rows more for
#'   the kinds of least freedom (`"normal"`, `"shrunk"`, `"student_t"`, `"shrunk_t"`, `"negative_binomial"`, and
#'   those for censored times), and the weights under both are averaged, each counting as the likelihood of rows
#'   that were left out of its weights.
#'
#'   A kind that holds its weight by the prior alone (less than a twentieth of a row speaks for it), and is 3 nats or
#'   more below the best kind on the rows held out, is left out, unless it was named: as a t distribution of fewer rows
#'   than columns, whose draws would be seen and nothing else. One kind on a t distribution stays.
#'
#'   Flows whose draws spread further than rows that they have not seen are left out, too, again unless they were named:
#'   where the mean square of draws of the stack about its median is more than 1.25 times, and two standard errors
#'   above, that of rows held out, those that make it so, if this costs no more than 0.01 nats a row. Of a flow on t
#'   distributions that is far out once in a hundred times densities say nothing, while means and standard deviations of
#'   draws are made by it.
#'
#'   Behind a support with `curve = "log"` the members on t distributions have no mean, and means of draws do not
#'   settle; behind one that was learned, straight beyond twice the largest value, they have, but it is
#'   that of a few draws far out. Means of `predict(type = "response")` do without these members, and
#'   `stack_members(c("normal", "shared", "full", "diagonal", "kernel", "spline"))` makes a stack that has none of
#'   them; given conditions `stack_members("spline")` does, as linear regression is a t distribution, too.
#' @references Smyth, Wolpert (1998), *Linearly combining density estimators via stacking*, Machine Learning 36, 59-83,
#'   \doi{10.1023/A:1007511322260}. Fraley, Raftery (2007), *Bayesian regularization for normal mixture estimation and
#'   model-based clustering*, Journal of Classification 24, 155-181, \doi{10.1007/s00357-007-0004-5}.
#' @family training
#' @seealso [fit_flow()]
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, members = stack_members(c("normal", "full", "kernel")))
#' fit
#' @export
stack_members <- function(kinds = NULL, folds = NULL, fits = NULL) {
  known <- names(member_kinds())
  if (!is.null(kinds)) {
    bad <- if (is.character(kinds)) setdiff(kinds, known)
    if (!is.character(kinds) || !length(kinds) || anyNA(kinds)) stop_arg("{.arg kinds} must be names of kinds.")
    if (length(bad)) {
      stop_arg(c(
        "There is no kind of member {.val {bad[1]}}; there are {.val {known}}.", i = meant(bad[1], known)
      ))
    }
  }
  structure(
    list(
      kinds = unique(kinds), folds = check_count(folds, "folds", min = 2, null = TRUE),
      fits = check_count(fits, "fits", null = TRUE)
    ),
    class = "bijectr_members"
  )
}

# What `members =` asks for: NULL for a single flow, else as stack_members() gives it. `said` names what was said of one
# flow or its training, which has its own way then; `settings` are those of fit_control() that were given.
wanted_members <- function(members, said, settings) {
  if (is_one(members) || is.null(members) && (length(said) || length(setdiff(names(settings), "seconds")))) return(NULL)
  if (length(said)) {
    stop_arg(c(
      "{.arg members} was given beside {.arg {said[1]}}, which is of one flow.",
      i = "Leave one of them out: {.code members = 1} fits a single flow."
    ))
  }
  lone <- intersect(names(settings), c("validation", "checkpoint", "checkpoint_seconds", "callback", "keep_state"))
  if (length(lone)) stop_arg("{.arg {lone[1]}} is for a single flow, {.code members = 1}, not for a stack.")
  if (is.character(members)) members <- stack_members(members)
  if (is.numeric(members)) members <- stack_members(folds = check_count(members, "members", min = 2))
  if (is.null(members)) members <- stack_members()
  if (!inherits(members, "bijectr_members")) {
    stop_arg("{.arg members} must be 1, names of kinds, a number of folds, or come from {.fn stack_members}.")
  }
  members$control <- settings[setdiff(names(settings), "seconds")]
  members
}

is_one <- function(members) is.numeric(members) && length(members) == 1 && isTRUE(members == 1)

# With `na = "model"` every flow is a single one.
refuse_members <- function() {
  stop_arg(c(
    "{.arg members} is for stacks, and {.code na = \"model\"} fits single flows to patterns of gaps.",
    i = "Leave it out; or fit a stack to the rows without gaps, {.code na.omit(data)}."
  ))
}

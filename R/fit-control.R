#' How a fit is trained
#'
#' The settings of a training. [fit_flow()] takes these arguments itself, in `...`, with other defaults: those that
#' [default_control()] computes from the number of rows and columns. Where one of them but `seconds` is given, and
#' nothing is said of `members`, it fits a single flow.
#'
#' [set.seed()] before the fit governs all that is random in it: initial parameters, which rows are held out, the order
#' of rows in batches, noise, and the draws of a fit to a log density. The same seed gives the same fit, bit for bit, on
#' one kind of processor, whatever the number of threads; only `seconds` ends it where the clock says.
#'
#' Held-out rows choose the parameters (`keep_best`) and end the training (`patience`). Their mean log density, which
#' [print()][fit-methods] and [summary()][summary.bijectr_fit()] of a single flow show, is thus somewhat too good: rows
#' that the fit has never seen tell how good it is.
#'
#' @param optimizer One of the `opt_*` functions.
#' @param learning_rate Peak learning rate.
#' @param schedule One of the `schedule_*` functions.
#' @param batch_size Rows of a minibatch. The last batch of an epoch may be smaller; rows are shuffled anew each epoch.
#' @param steps,max_epochs,seconds Budgets: optimizer steps, passes over the training rows, seconds. Training stops at
#'   the first that is reached; `NULL` is no bound. At least one of `steps` and `max_epochs` must be given. The learning
#'   rate falls and the noise fades along `steps`, whatever `seconds` says: a training that the clock cuts short has
#'   done neither, and is worse than one of as many `steps` as there is time for. [resume()] finishes it. The evaluation
#'   after the training takes its own time.
#' @param validation Share of the rows that are held out for validation, in \[0, 1), or a logical or integer vector that
#'   says which rows.
#' @param validate_every Steps between validations; `NULL`: at the end of each epoch, in [fit_flow()] where only `steps`
#'   are given a hundred times in all. A validation goes through all held-out rows: where steps are few it can take as
#'   long as the training.
#' @param patience Training stops once more than this number of validations in a row brought no gain; `NULL`, also the
#'   default of [fit_flow()]: never, all steps are made.
#' @param keep_best Return the parameters of the best validation (else the last ones; so it is without held-out rows).
#' @param clip Gradients with a larger global norm are scaled down to it; `NULL`: never.
#' @param freeze Parameters that are not trained and stay as they are, at their initial values or as in the flow that is
#'   the `layers` of [fit_flow()]: the names that [coef()][params()] gives them, without the places in brackets, or
#'   whole parts of these from the left, as `"base"`, `"layers.2"` or `"layers.2.net.W1"`. `NULL`: none.
#' @param ema Decay of an exponential moving average of the parameters, which is then what is validated and returned;
#'   0: none.
#' @param noise Noise regularization: in each step every row of the batch is moved by a fresh normal draw, `noise`
#'   standard deviations large in the standardized data (it is drawn with the covariance of the training rows). The
#'   noise falls to 0 along a cosine over the steps, so early parameters are smooth and late ones sharp, and validation
#'   chooses between them; 0: none. There is none either where it would move data out of the range of the layers.
#' @param max_failures Number of rollbacks after a loss or gradient that is not finite before the fit is given up with
#'   status "diverged". Each halves the rate.
#' @param keep_state Keep the state of the training in the fit, so that `resume()` can go on from there bit for bit, as
#'   if it had not ended: vectors of some seven times the size of the parameters. A fit with status `"time_limit"`,
#'   `"stopped"` or `"interrupted"`, and the fit of an error's condition, has it anyway.
#' @param checkpoint File to which the fit so far is written about every `checkpoint_seconds`, with its training state,
#'   to a temporary name first and then renamed, so that it is always readable: `resume(readRDS(file))` goes on from
#'   there. It is not evaluated (it has no `loglik` and no `reference`); `resume()` does that too.
#' @param checkpoint_seconds Seconds between checkpoints.
#' @param callback A function called between stretches of training (about five times a second) with the fit so far and a
#'   one-row data frame (`step`, `epoch`, `train`, `validation`, `rate`); training stops when it returns `FALSE`. It is
#'   not kept in the fit.
#' @param precision `"single"`: perceptrons compute in single precision while they are trained, see [net_mlp()], which
#'   takes half to two thirds of the time where they are wide. The fit itself, its log densities and its draws are in
#'   double precision, unless its nets say otherwise. `"auto"`: those that gain by it do, nets with 128 hidden units or
#'   more in a layer, and fields with 64, but where tolerances of the solver are below 1e-6. It gains most where hidden
#'   layers follow on each other. Trainings in one precision and in the other part after some hundred steps and end as
#'   far from each other as from another order of rows, neither of them nearer to the truth.
#' @param cluster Processes that train together: `NULL`, those that were started by `mpirun`, if there are any;
#'   [mpi_cluster()], which is the same; `FALSE`, this process alone. It is not kept in the fit.
#' @references Rothfuss, Ferreira, Boehm, Walther, Ulrich, Asfour, Krause (2019), *Noise regularization for conditional
#'   density estimation*, arXiv:1907.08982, for `noise`.
#' @return A list of class `bijectr_control` with these arguments, checked, as its fields.
#' @family training
#' @examples
#' # FlowJAX's fit_to_data()
#' fit_control(
#'   learning_rate = 5e-4, schedule = schedule_constant(), batch_size = 100, max_epochs = 100,
#'   validation = 0.1, patience = 5
#' )
#' @export
fit_control <- function(optimizer = opt_adam(), learning_rate = 5e-3, schedule = schedule_cosine(), batch_size = 256,
                        steps = NULL, max_epochs = NULL, seconds = NULL, validation = 0.1, validate_every = NULL,
                        patience = NULL, keep_best = TRUE, clip = NULL, ema = 0, noise = 0, max_failures = 10,
                        keep_state = FALSE, checkpoint = NULL, checkpoint_seconds = 10, callback = NULL,
                        freeze = NULL, precision = c("auto", "double", "single"), cluster = NULL) {
  if (is.null(steps) && is.null(max_epochs)) {
    stop_arg("One of {.arg steps} and {.arg max_epochs} must be given.")
  }
  if (length(validation) == 1 && is.numeric(validation)) {
    validation <- check_number(validation, "validation", min = 0, below = 1)
  } else if (!is.logical(validation) && !is_row_numbers(validation) || anyNA(validation)) {
    stop_arg("{.arg validation} must be a share, or a logical or integer vector of rows without missing values.")
  }
  if (!is.null(checkpoint)) check_file(checkpoint, "checkpoint")
  if (!is.null(freeze) && (!is.character(freeze) || !length(freeze) || anyNA(freeze))) {
    stop_arg("{.arg freeze} must be names of parameters, not {describe(freeze)}.")
  }
  if (!is.null(callback) && !is.function(callback)) stop_arg("{.arg callback} must be a function.")
  structure(
    list(
      optimizer = check_family(optimizer, "opt", "optimizer"),
      learning_rate = check_number(learning_rate, "learning_rate", above = 0, below = Inf),
      schedule = check_family(schedule, "schedule", "schedule"),
      batch_size = check_count(batch_size, "batch_size"),
      steps = check_count(steps, "steps", null = TRUE),
      max_epochs = check_count(max_epochs, "max_epochs", null = TRUE),
      seconds = check_number(seconds, "seconds", above = 0, null = TRUE),
      validation = validation,
      validate_every = check_count(validate_every, "validate_every", null = TRUE),
      patience = check_count(patience, "patience", min = 0, null = TRUE),
      keep_best = check_flag(keep_best, "keep_best"),
      clip = check_number(clip, "clip", above = 0, null = TRUE),
      ema = check_number(ema, "ema", min = 0, below = 1),
      noise = check_number(noise, "noise", min = 0, below = Inf),
      max_failures = check_count(max_failures, "max_failures", min = 0),
      keep_state = check_flag(keep_state, "keep_state"),
      checkpoint = checkpoint,
      checkpoint_seconds = check_number(checkpoint_seconds, "checkpoint_seconds", min = 0),
      callback = callback,
      freeze = freeze,
      precision = check_choice(precision, c("auto", PRECISIONS), "precision"),
      cluster = check_cluster(cluster)
    ),
    class = "bijectr_control"
  )
}

is_row_numbers <- function(x) is.numeric(x) && all(x == round(x), na.rm = TRUE)

#' @export
print.bijectr_control <- function(x, ...) {
  fields <- unclass(x)
  fields <- fields[!vapply(fields, function(v) is.null(v) || is.function(v), logical(1))]
  shown <- paste(names(fields), "=", vapply(fields, format_value, character(1)), collapse = ", ")
  cat(strwrap(paste0("fit_control(", shown, ")"), exdent = 2), sep = "\n")
  invisible(x)
}

# Those of the methods of fit_flow(), which may have been meant.
FIT_ARGUMENTS <- c(
  "data", "formula", "layers", "base", "condition", "weights", "subset", "na.action", "na", "collinear",
  "standardize", "support", "lower", "upper", "extrapolate", "members", "loss", "d", "names", "gradient", "anneal",
  "start", "evaluate", "parallel", "control", "progress"
)

# The settings of a fit: `control`, or the default ones, with what was given beside it.
make_control <- function(control, default, given) {
  if (is.null(control)) {
    control <- default
  } else if (!inherits(control, "bijectr_control")) {
    stop_arg("{.arg control} must come from {.fn fit_control}, not {.obj_type_friendly {control}}.")
  }
  if (!length(given)) return(control)
  unknown <- setdiff(names(given), names(formals(fit_control)))
  if (is.null(names(given)) || length(unknown)) {
    known <- c(names(formals(fit_control)), FIT_ARGUMENTS)
    elsewhere <- intersect(unknown, known)
    stop_arg(c("Unknown argument{?s} {.arg {unknown}} of {.fn fit_flow}.",
      i = if (length(elsewhere)) "{cli::qty(elsewhere)}{.arg {elsewhere}} {?is/are} for other kinds of what is fitted.",
      i = meant(setdiff(unknown, known), known, "Did you mean {.arg {near}}?"),
      i = "Beside its own arguments it takes those of {.fn fit_control}."
    ))
  }
  twice <- names(given)[duplicated(names(given))]
  if (length(twice)) stop_arg("{.arg {twice[1]}} was given twice.")
  # a budget in other units replaces the default one
  if (any(c("steps", "max_epochs") %in% names(given))) {
    control[c("steps", "max_epochs")] <- list(NULL)
    # a hundred validations in all, or one an epoch: the unit of patience follows that of the budget
    control["validate_every"] <- list(if (is.numeric(given$steps)) max(1, given$steps %/% 100))
  }
  control[names(given)] <- given
  do.call(fit_control, unclass(control))
}

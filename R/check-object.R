# Version of the format of flows and fits, for objects that were saved by other versions of the package.
FORMAT_VERSION <- 2L

# A flow as all verbs need it. It may come from a file that another version wrote, or that is damaged: nothing else
# reads it before. `.subset2()` is `[[` without a look for methods.
check_object <- function(object) {
  if (inherits(object, "bijectr_gaps_fit")) {
    stop_arg(c(
      "A fit with {.code na = \"model\"} is several flows: {.fn logdensity}, {.fn sample}, {.fn predict} and
       {.fn summary} work on it.",
      i = "Its flows are {.code object$blocks[[1]]$fit} and so on."
    ))
  }
  if (is_composed(object)) return(check_composed(object))
  if (!inherits(object, "bijectr_flow")) {
    stop_arg("{.arg object} must be a flow or a fit, not {.obj_type_friendly {object}}.")
  }
  if (!identical(.subset2(object, "format"), FORMAT_VERSION)) check_format(object[["format"]])
  native_check_flow(object)
  check_blueprint(object)
}

# What the core does not look at: how columns come in and go out.
check_blueprint <- function(object) {
  side <- .subset2(object, "condition")
  gone <- .subset2(object, "dropped")
  if (!is_dropped(gone)) stop_damaged("dropped")
  codecs <- c(.subset2(object, "codecs"), side[["codecs"]], gone[["codecs"]])
  for (codec in codecs) if (!intact(codec)) stop_damaged("codecs")
  if (!is_model(side[["model"]])) stop_damaged("condition")
  observed <- .subset2(object, "observed")
  known <- is.double(observed) && (is.matrix(observed) || length(observed) == object[["d_condition"]])
  if (!is.null(observed) && !known) stop_damaged("observed")
  levels <- side[["levels"]]
  if (!is.null(levels) && (!is.numeric(levels) || length(levels) != .subset2(object, "d_condition") || anyNA(levels))) {
    stop_damaged("condition")
  }
  if (!is_response(.subset2(object, "response"))) stop_damaged("response")
  if (!is_form(.subset2(object, "form"))) stop_damaged("form")
  object
}

stop_damaged <- function(field) stop_arg("This object cannot be used: its field {.field {field}} is damaged.")

# What a fit by formula knows of its right side.
is_model <- function(x) {
  is.null(x) || (is.list(x) && inherits(x[["terms"]], "terms") && is.character(x[["variables"]]) &&
    (is.null(x[["levels"]]) || is.list(x[["levels"]])) &&
    (is.null(x[["codecs"]]) || is.list(x[["codecs"]]) && has_names(x[["codecs"]], x[["variables"]]) &&
      all(vapply(x[["codecs"]], is_codec, NA))))
}

# Whether all parts have names, of those that are known.
has_names <- function(x, known) length(names(x)) == length(x) && all(names(x) %in% known)

# What it knows of a left side that is computed from columns.
is_response <- function(x) {
  is.null(x) || (is.list(x) && is.character(x[["variables"]]) && is.list(x[["parts"]]) && length(x[["parts"]]) > 0 &&
    all(vapply(x[["parts"]], is.language, NA)))
}

# ---- fits ------------------------------------------------------------------------------------------------------------

one_number <- function(x) is.numeric(x) && length(x) == 1 && is.null(dim(x))
some_count <- function(x) one_number(x) && is.finite(x) && x >= 0
null_or <- function(is) function(x) is.null(x) || is(x)
numbers_called <- function(...) function(x) is.list(x) && setequal(names(x), c(...)) && all(vapply(x, one_number, NA))

# A spec whose kind is that of its class, as constructors make it.
is_constructed <- function(x) {
  inherits(x, "bijectr_spec") && identical(sub("^[a-z]+_", "", constructor_name(x)), x[["kind"]])
}

# The numbers from 1 to n, each once.
are_all_rows <- function(i) all(tabulate(i, length(i)) == 1L)

# What can have become of a training: there is nothing left to do, or there is; checkpoints are of a paused one.
COMPLETE <- c("finished", "max_epochs", "converged", "diverged")
EARLY <- c("paused", "time_limit", "stopped", "interrupted", "failed")

# See quantiles.R.
QUANTILE_SHARES <- c(0, 0.01, 0.25, 0.5, 0.75, 0.99, 1)

is_quantiles <- function(x) {
  if (!is.list(x)) return(FALSE)
  table <- function(y) is.numeric(y) && is.matrix(y) && nrow(y) == length(QUANTILE_SHARES)
  table(x[["data"]]) && table(x[["draws"]]) && is.numeric(x[["reach"]]) && !anyNA(x[["reach"]]) &&
    ncol(x[["data"]]) == length(x[["reach"]]) && ncol(x[["draws"]]) == length(x[["reach"]]) &&
    some_count(x[["n"]]) && some_count(x[["drawn"]]) && some_count(x[["broken"]])
}

# See count_censoring() in times.R.
CENSORING_COUNTS <- c("events", "right", "left", "interval", "truncated")

REFERENCE_FIELDS <- c("normal", "flow", "normal_train", "flow_train", "error", "error_train")

# The fields of a fit beside those of its flow, in the words of ?fit_flow; all are always there. Each with what it may
# be: a fit may come from a file.
FIT_FIELDS <- list(
  call = null_or(is.call), formula = null_or(function(x) is.call(x) && identical(x[[1]], quote(`~`))),
  loss = function(x) inherits(x, "bijectr_loss"),
  options = null_or(function(x) {
    is.list(x) && some_count(x[["anneal"]]) && some_count(x[["evaluate"]]) &&
      isTRUE(x[["gradient"]] %in% c("differences", "symbolic", "function", "model"))
  }),
  control = function(x) {
    inherits(x, "bijectr_control") && all(names(x) %in% names(formals(fit_control))) &&
      is_constructed(x[["optimizer"]]) && is_constructed(x[["schedule"]])
  },
  standardize = null_or(function(x) is.character(x) && isTRUE(x %in% c("auto", STANDARDIZE))),
  rows = null_or(function(x) {
    is.list(x) && is.integer(x[["train"]]) && length(x[["train"]]) > 0 && is.integer(x[["validation"]]) &&
      are_all_rows(c(x[["train"]], x[["validation"]])) && null_or(some_count)(x[["effective"]])
  }),
  status = function(x) is.character(x) && length(x) == 1 && x %in% c(COMPLETE, EARLY),
  steps = some_count, epochs = some_count, seconds = some_count,
  history = function(x) {
    is.data.frame(x) && identical(names(x), c("step", "train", "validation", "rate")) && all(vapply(x, is.numeric, NA))
  },
  na.action = null_or(is.integer),
  digest = null_or(function(x) is.list(x) && some_count(x[["rows"]]) && is.numeric(x[["data"]])),
  nobs = null_or(some_count), loglik = null_or(one_number), held_out_loglik = null_or(one_number),
  reference = null_or(numbers_called(REFERENCE_FIELDS)),
  quantiles = null_or(is_quantiles),
  evaluation = null_or(numbers_called("elbo", "elbo_se", "log_z", "log_z_se", "ess", "pareto_k", "n")),
  evaluations = null_or(some_count),
  source = null_or(function(x) is.list(x) && some_count(x[["rows"]]) && some_count(x[["buffers"]])),
  prior = null_or(function(x) is.list(x) && is.function(x[["sample"]]) && is.function(x[["log_density"]])),
  rounds = null_or(is.list),
  observed = null_or(is.numeric),
  leakage = null_or(one_number),
  prior_support = null_or(function(x) is.list(x) && is.numeric(x[["lower"]]) && is.numeric(x[["upper"]])),
  likelihood = null_or(function(x) inherits(x, "bijectr_fit")),
  draws = null_or(function(x) is.matrix(x) && is.numeric(x)),
  censoring = null_or(function(x) is.numeric(x) && setequal(names(x), CENSORING_COUNTS) && !anyNA(x)),
  state = null_or(function(x) is.list(x) && some_count(x[["seed"]]) && is.numeric(x[["counters"]]))
)

# All of them, NULL where nothing is `known`.
fit_fields <- function(known) {
  out <- lapply(FIT_FIELDS, function(is) NULL)
  out[names(known)] <- known
  out
}

# What has become of several fits that are one: the least of it.
worst_status <- function(fits) {
  status <- vapply(fits, `[[`, "", "status")
  status[which.max(match(status, c(COMPLETE, EARLY)))]
}

# Whether x are numbers of places, of `most` there are.
are_places <- function(x, most) is.numeric(x) && !anyNA(x) && all(x >= 1 & x <= most & x == round(x))

# As check_object(), for verbs that read what is a fit's alone, or the insides of layers: the core builds the flow.
check_fit <- function(object) {
  check_object(object)
  if (!is_composed(object)) native_describe(object)
  for (field in names(FIT_FIELDS)) if (!FIT_FIELDS[[field]](object[[field]])) stop_damaged(field)
  known <- object[["quantiles"]]
  if (!is.null(known) && length(known$reach) != object$d) stop_damaged("quantiles")
  by_formula <- !is.null(object$formula) && object$d_condition > 0
  if (by_formula && is.null(object$condition$model)) stop_damaged("condition")
  object
}

check_format <- function(format) {
  if (!is.numeric(format) || length(format) != 1 || !is.finite(format) || format == FORMAT_VERSION) {
    stop_arg("This flow cannot be used: it does not say which format it has.")
  }
  if (format > FORMAT_VERSION) {
    stop_arg(c(
      "This flow was saved by a newer version of bijectr: update the package.",
      i = "It has format {format}; this version reads format {FORMAT_VERSION}."
    ))
  }
  stop_arg(c(
    "This flow was saved by an older version of bijectr, whose format {format} is not read any more.",
    i = "Fit it anew, or use it with the version that saved it."
  ))
}

# ---- stacks ----------------------------------------------------------------------------------------------------------

# The same of what is made of several flows, in the file of each kind.
check_composed <- function(object) UseMethod("check_composed")

# It may come from a file.
#' @export
check_composed.bijectr_stack <- function(object) {
  if (!identical(.subset2(object, "format"), FORMAT_VERSION)) check_format(object[["format"]])
  d <- object[["d"]]
  d_condition <- object[["d_condition"]]
  if (!some_count(d) || d < 1) stop_damaged("d")
  if (!some_count(d_condition)) stop_damaged("d_condition")
  members <- object[["members"]]
  if (!is.list(members) || !length(members)) stop_damaged("members")
  for (member in members) {
    whole <- is.list(member) && some_count(member[["weight"]]) && is.list(member[["flows"]]) &&
      length(member[["flows"]]) > 0
    if (!isTRUE(whole)) stop_damaged("members")
    for (flow in member$flows) {
      check_member(flow, d, d_condition)
    }
  }
  if (abs(sum(member_weights(object)) - 1) > 1e-6) stop_damaged("members")
  if (!is.character(object[["left_out"]])) stop_damaged("left_out")
  check_blueprint(object)
}

# Whether a member, or a flow of one, is whole.
check_member <- function(object, d, d_condition) UseMethod("check_member")

#' @export
check_member.default <- function(object, d, d_condition) stop_damaged("members")

#' @export
check_member.bijectr_flow <- function(object, d, d_condition) {
  if (is_composed(object)) stop_damaged("members")
  native_check_flow(object)
  if (!identical(as.numeric(object$d), as.numeric(d)) ||
    !identical(as.numeric(object$d_condition), as.numeric(d_condition))) {
    stop_damaged("members")
  }
}

# Several flows, which have no map in common.
is_composed <- function(object) is_stack(object) || is_table(object) || is_part(object)

is_stack <- function(object) inherits(object, "bijectr_stack")

is_table <- function(object) inherits(object, "bijectr_table")

is_part <- function(object) inherits(object, "bijectr_part")

# What the columns of any distribution are, see table-blocks.R.
column_roles_of <- function(object) {
  if (is_table(object)) return(object$roles)
  if (is_part(object)) return(column_roles_of(object$of)[object$free])
  kind <- if (is_whole(object)) "whole" else "line"
  rep(list(list(kind = kind)), object$d)
}

# Rows of which a part is a conditional distribution each; 1 of a marginal one.
count_given <- function(part) if (inherits(part, "bijectr_conditional")) nrow(part$given) else 1L

# Where several rows are given their numbers stand in the place of conditions: of each of n points the row that it goes
# with, or of each row itself where something is asked of all, as means are, see take_rows(). NULL where one is given.
rows_given <- function(part, n, name = "newdata") {
  k <- count_given(part)
  if (k == 1) return(NULL)
  if (n != k) stop_arg("{.arg {name}} must have as many rows as are given ({k}), not {n}.")
  matrix(seq_len(k) + 0)
}

# For verbs that need one map of one base, or one training. `verb` is cli's markup of what was called.
check_one_flow <- function(object, verb) {
  if (is_stack(object)) {
    verb <- cli::format_inline(verb)
    stop_arg(c(
      "A stack is several flows, which have no map and no training in common; {verb} needs one.",
      i = "{.code fit_flow(data, members = 1)} fits a single one; {.fn logdensity}, {.fn sample}, {.fn predict},
           {.fn pflow}, {.fn summary} and {.fn plot} work on stacks."
    ))
  }
  if (is_table(object)) {
    verb <- cli::format_inline(verb)
    stop_arg(c(
      "A table of mixed columns is a chain of fits, which have no map and no training in common; {verb} needs one
       flow.",
      i = "The fits are {.code object$blocks[[1]]$fit} and so on; {.fn logdensity}, {.fn sample}, {.fn predict},
           {.fn summary} and {.fn plot} work on tables."
    ))
  }
  if (is_part(object)) {
    verb <- cli::format_inline(verb)
    stop_arg("A conditional or marginal distribution has no map of its own; {verb} needs one flow.")
  }
  check_object(object)
}

# Parameters of a flow, or of all flows that something is made of.
count_parameters <- function(object) UseMethod("count_parameters")

#' @export
count_parameters.default <- function(object) length(object$params)

#' @export
count_parameters.bijectr_stack <- function(object) {
  sum(vapply(object$members, function(member) sum(lengths(lapply(member$flows, `[[`, "params"))), 0))
}

member_weights <- function(stack) vapply(stack$members, `[[`, 0, "weight")

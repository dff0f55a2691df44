# Fits by formula: the columns of the left side are the data, the model matrix of the right side the conditions.

#' @rdname fit_flow
#' @order 5
#' @param formula The coordinates on the left, the conditioning variables on the right, as in
#'   `cbind(y1, y2) ~ x1 + f`; or coordinates alone, as in `~ y1 + y2`: see the section on formulas. `data` is then a
#'   data frame with the columns that the formula names; without it they are looked for where the formula was written.
#' @param subset,na.action With a formula: the rows to use, as a logical vector or row numbers, looked for in `data`
#'   first; and what becomes of rows with missing values: [na.fail()] (an error that names the first), [na.omit()] or
#'   [na.exclude()] (they are left out), or [na.pass()] (they are handed on).
#' @section Formulas: `fit_flow(cbind(y1, y2) ~ x, data = table)` is `fit_flow(table[c("y1", "y2")], condition =
#'   table["x"])` with the conveniences of R's models. The right side goes through [stats::model.matrix()]: factors and
#'   strings become indicators of all levels but the first (treatment contrasts, whatever `options("contrasts")` says),
#'   `x1:x2`, `log(x)` or `poly(x, 2)` work, and there is no column for an intercept. `~ 1` stands for no conditions,
#'   and `.` on either side for all columns that the other side does not name. `~ y1 + y2`, without a left side, is the
#'   joint density of its terms, the same as `cbind(y1, y2) ~ 1`. There are no offsets, and no
#'   terms of `cluster()`, `frailty()` or `tt()`.
#'
#'   The left side is taken as it is written: for `log(y) ~ x` the coordinate is `log(y)`, which is also its name, the
#'   unit of the log density and what [sample()] draws. Points to evaluate may be data frames that have `y`, from which
#'   the left side is computed, or a column `log(y)`, which is taken as it is and first; numbers without names are
#'   values of `log(y)`. Centers, scales and knots of `scale(y)`, `poly(y, 2)` or `ns(y, 3)` are those of the fit. What
#'   else is computed from all rows, as `y - mean(y)` or `rank(y)`, is an error: make it a column of `data` before. A
#'   point at which the left side has no finite value, as `log(y)` at 0, has density 0, as outside of a support (see
#'   [supports]); such a row in data to fit is an error.
#'
#'   `weights` and `subset` are evaluated as [lm()] does: what they name is looked for in `data`, then where the
#'   formula was written. A row with a missing value in a column that the formula uses is an error that says so, unless
#'   `na.action = na.omit` leaves such rows out.
#'
#'   A factor of more than 10 levels that is a term of its own is one column of codes behind the other conditions, 0 for
#'   its first level, which the default layers look up in a trained table of 2 to 8 columns, see [net_embedding()]. With
#'   `layers` that have no such net it has indicators as other factors, up to 50 levels; beyond that it is an error.
#'
#'   A left side `Surv(time, status)` is one of censored times, see the section on these.
#'
#'   The fit remembers levels and transformations as plain data. [logdensity()], [sample()], [predict()] and the others
#'   then take a data frame of the variables on the right side as `condition`; without `condition` they find these
#'   variables in `newdata`, if it has them. [formula()], [terms()] and [model.frame()] work as for other models, and
#'   [update()][update.bijectr_fit] fits anew with another formula. A training that starts from a fit by formula
#'   (`layers = fit`) makes its coordinates and conditions with the levels and transformations of that fit.
#' @section Censored times: `fit_flow(Surv(time, status) ~ age, data = table)`, with `Surv()` of the survival package
#'   (which need not be attached), is the distribution of the time given the conditions. Of right-, left- and
#'   interval-censored rows the likelihood has the probability of what is known, \eqn{P(T > t)} for a row that is
#'   right-censored at t; with entry times, `Surv(start, stop, event)`, it is that given \eqn{T > start}. These are
#'   exact. A `Surv` object is taken as `data`, too, with `condition =`. Times are those of one kind of event; several
#'   (multistate objects) are an error. Rows with a missing time or status are missing values as others are; `weights`
#'   and `subset` work as elsewhere, `na = "model"` does not.
#'
#'   The coordinate is the time, under the name of its expression (`time`; that of the stop; `"time"` where rows are
#'   intervals), and positive by `positive(curve = "log")` where `support` says nothing else: an event at 0 or before is
#'   an error. A stack has Weibull, lognormal and log-logistic regressions beside its flows, see [stack_members()], and
#'   all its figures, also those of rows held out, are of these likelihoods. With entry times its weights and its
#'   held-out figures, and the averages of flows of a kind in these, are those of the distributions given the entry;
#'   `loglik` and [logdensity()] are of the mean of the members itself. There is no normal distribution to compare with.
#'
#'   [logdensity()] of rows that have the variables of the left side, or of `Surv` objects, is their log likelihood; of
#'   a column of the time alone, without status, it is the log density. [sample()] draws times without censoring.
#'   [predict()][predict.bijectr_flow] has survival functions, hazards and quantiles, `plot(fit, "survival")` draws the
#'   first. `print()` says how many rows are censored, as does the field `censoring`: numbers of rows of positive
#'   weight, `events`, `right`, `left`, `interval` and `truncated`; `NULL` in other fits.
#' @export
fit_flow.formula <- function(formula, data = NULL, layers = NULL, ..., d = NULL, members = NULL, base = base_normal(),
                             weights = NULL, subset = NULL, na.action = stats::na.fail, support = NULL,
                             lower = NULL, upper = NULL, standardize = TRUE, extrapolate = "pull", na = "fail",
                             collinear = "error", loss = loss_maximum_likelihood(), control = NULL,
                             progress = interactive()) {
  call <- sys.call(-1)
  said <- c(
    if (!is.null(layers)) "layers", if (!missing(base)) "base", if (!missing(loss)) "loss",
    if (!is.null(control)) "control"
  )
  if (inherits(data, "formula")) { # data |> fit_flow(y ~ x)
    swapped <- data
    data <- formula
    formula <- swapped
    call[2:3] <- call[3:2]
    if (!is.null(names(call))) names(call)[2:3] <- ""
  }
  if ("offset" %in% names_of_dots(...)) stop_arg("{.arg offset} means nothing for a density: it shifts no mean.")
  if ("condition" %in% names_of_dots(...)) {
    stop_arg("{.arg condition} was given beside {.arg formula}: conditions stand on its right side.")
  }
  settings <- joined_settings(list(...), control)
  members_wanted <- wanted_members(members, said, settings)
  from_source <- streamed(data, formula, weights = substitute(weights), subset = substitute(subset), na = na)
  if (!is.null(from_source)) data <- from_source$table
  form <- form_of(data)
  data <- formula_data(data)
  find <- function(expr, value, name) in_columns(expr, value, data, environment(formula), name)
  parts <- formula_parts(
    formula, data, find(substitute(weights), weights, "weights"), find(substitute(subset), subset, "subset"), na.action,
    layers, identical(na, "model")
  )
  from <- list(
    data = parts$data, observed = parts$observed, condition = parts$condition, weights = parts$weights, form = form,
    call = plain_call(match.call(fit_flow.formula, call)), what = "the left side of {.arg formula}", by_formula = parts,
    stream = from_source$stream
  )
  fit_data(from, layers, members_wanted, is.null(members) || is_one(members), base,
    column_rules(standardize, extrapolate, support, lower, upper, collinear), na, loss, control, settings, progress, d
  )
}

formula_data <- function(data) {
  if (!is.null(data)) data <- open_data(data, "data")
  if (is.matrix(data) || inherits(data, "data.table")) data <- as.data.frame(data)
  if (!is.null(data) && !is.data.frame(data)) {
    stop_arg("{.arg data} must be a data frame or a matrix, not {.obj_type_friendly {data}}.")
  }
  data
}

# As lm() evaluates its arguments: names stand for columns, or for what the formula's environment has. `value` is the
# argument itself, for what is neither. Where it cannot be had either, it is the first error that speaks of the columns.
in_columns <- function(expr, value, data, envir, name) {
  tryCatch(eval(expr, data, envir), error = function(first) {
    tryCatch(value, error = function(e) stop_arg("{.arg {name}} cannot be evaluated: {conditionMessage(first)}."))
  })
}

# What a formula makes of data, NULL or a data frame: list(
#   data, observed, condition, weights  as fit_matrix() takes them; observed and condition are NULL without any
#   kept        row numbers in the user's data; NULL: all
#   na_action   the rows that were left out for missing values, as of lm()
#   formula     without dots
#   model, response  what is needed to make conditions and coordinates of other data frames, see blueprint-formula.R,
#   left-side.R)
# `gappy`: values of the left side may be missing. Where `layers` is a fit by formula, its levels and transformations
# make the coordinates and conditions.
formula_parts <- function(formula, data, weights = NULL, subset = NULL, na_action = stats::na.fail,
                          layers = NULL, gappy = FALSE) {
  refuse_special_terms(formula)
  formula <- without_dots(formula, data)
  check_once(data, all.vars(formula), "data")
  envir <- environment(formula) %||% globalenv()
  sides <- formula_sides(formula)
  terms <- stats::terms(sides$right)
  attr(terms, "intercept") <- 1L # which conditions_from_frame() drops, so that all factors have treatment contrasts
  variables <- Filter(function(name) name %in% names(data) || !exists(name, baseenv()), all.vars(terms)) # pi is none
  if (!is.null(data)) check_variables(setdiff(variables, names(data)), names(data))
  check_sides(sides$left, variables, data, envir)
  start <- if (inherits(layers, "bijectr_flow")) layers
  left <- if (is.null(start$response)) sides$left else left_again(sides$left, start)
  left <- lapply(left, with_known_status, data, envir)
  values <- lapply(left, function(part) evaluate_formula(without_nan(eval(part, data, times_env(part, envir)))))
  times <- left_times(values)
  if (gappy) refuse_times(times)
  told <- values
  if (!is.null(times)) values[[1]] <- times$value
  value_of <- function(name) if (name %in% names(data)) data[[name]] else get0(name, envir)
  y <- left_columns(values, left, function(name, part) {
    if (name %in% names(data) || name %in% all.vars(part)) value_of(name)
  })
  right <- evaluate_formula(stats::model.frame(terms, data, na.action = stats::na.pass))
  terms <- attr(right, "terms")
  kept <- subset_rows(subset, NROW(y[[1]]), data)
  # what else is missing leaves a row out, whatever its left side
  whole <- which(are_there(as.list(right), NROW(y[[1]])))
  check_left(values, left, value_of, intersect(kept %||% seq_len(NROW(y[[1]])), whole))
  observed <- times$rows
  if (!is.null(observed)) names(observed) <- sprintf("(%s)", names(observed))
  rows <- used_rows(c(y, as.list(right), observed), kept, weights, na_action, length(y), gappy)
  y <- rows$table[seq_along(y)]
  model <- start$condition$model
  if (is.null(model)) {
    right <- drop_levels(rows$table[length(y) + seq_along(right)])
    model <- list(terms = terms, levels = stats::.getXlevels(terms, right), variables = variables)
    check_levels(model$levels)
    model$codes <- coded_factors(terms, model$levels, layers)
    units <- Filter(has_unit, stats::setNames(lapply(variables, value_of), variables))
    model$codecs <- if (length(units)) lapply(units, codec_of)
    environment(model$terms) <- NULL
    attr(right, "terms") <- terms
    condition <- if (length(attr(terms, "term.labels"))) conditions_from_frame(right, terms, model, "data")
  } else {
    check_right_side(terms, model$terms)
    condition <- conditions_again(model, layers$condition$names, data, rows$kept, envir)
  }
  response <- start$response
  if (is.null(response)) {
    response <- response_model(left, told, data, envir)
    check_rowwise(response, told, value_of, envir)
  }
  if (!is.null(observed)) observed <- stats::setNames(rows$table[names(observed)], names(times$rows))
  list(
    data = list2DF(y), observed = observed, condition = condition, weights = rows$weights, kept = rows$kept,
    na_action = rows$na_action, formula = formula, model = model,
    response = response
  )
}

# Terms that other functions read in a way of their own, which would be taken for values of conditions here.
SPECIAL_TERMS <- c(
  offset = "an offset, which means nothing for a density",
  cluster = "{.fn cluster}, which says of no row what its distribution is",
  frailty = "{.fn frailty}, and there are no random effects",
  tt = "{.fn tt}, and conditions do not change with time",
  "|" = "a bar, and there are no random effects"
)

refuse_special_terms <- function(formula) {
  called <- sub("^frailty[.].*", "frailty", called_names(formula))
  special <- intersect(names(SPECIAL_TERMS), called)
  if (length(special)) stop_arg(paste0("{.arg formula} has ", SPECIAL_TERMS[[special[1]]], "."))
}

# Of all functions that an expression calls, `pkg::f` as f.
called_names <- function(x) {
  if (!is.call(x)) return(NULL)
  name <- if (is.call(x[[1]])) x[[1]][[length(x[[1]])]] else x[[1]]
  c(if (is.symbol(name)) as.character(name), unlist(lapply(as.list(x)[-1], called_names)))
}

# `.` stands for all columns that the other side does not name.
without_dots <- function(formula, data) {
  if (!("." %in% all.vars(formula))) return(formula)
  two_sided <- length(formula) == 3
  if (two_sided && identical(formula[[2]], quote(.))) {
    rest <- setdiff(names(data), all.vars(formula[[3]]))
    if (!length(rest) || "." %in% all.vars(formula[[3]])) {
      stop_arg("{.code .} on the left side of {.arg formula} stands for no column of {.arg data}.")
    }
    formula[[2]] <- as.call(c(quote(cbind), lapply(rest, as.name)))
    return(formula)
  }
  if (is.null(data)) stop_arg("{.code .} in {.arg formula} stands for columns of {.arg data}, which must be given.")
  out <- evaluate_formula(stats::formula(stats::terms(formula, data = data)))
  environment(out) <- environment(formula)
  out
}

# Values that are no columns would have to be found again at each prediction.
check_variables <- function(outside, columns) {
  if (length(outside)) {
    stop_arg(c(
      "{.arg formula} needs {.field {outside}}, which {?is/are} not in {.arg data}.",
      i = meant(outside, columns, "Did you mean {.field {near}}?")
    ))
  }
}

# What is computed from conditions alone has no density given them.
check_sides <- function(left, variables, data, envir) {
  for (part in left) {
    # one number beside the data is a constant
    used <- Filter(function(name) name %in% names(data) || length(get0(name, envir)) != 1, all.vars(part))
    if (length(used) && all(used %in% variables)) {
      stop_arg(c(
        "{.field {used}} {?stands/stand} on both sides of {.arg formula}: given {?it/them},
         {.code {deparse1(part)}} has no density.",
        i = "Lagged values must be a column of their own."
      ))
    }
  }
}

check_levels <- function(levels) {
  one <- names(levels)[lengths(levels) == 1]
  if (length(one)) {
    stop_arg("{.field {one[1]}} of {.arg formula} has one level in these rows, {.val {levels[[one[1]]]}}, and
              must have 2 or more levels.")
  }
}

check_right_side <- function(terms, before) {
  labels <- lapply(list(terms, before), function(x) attr(x, "term.labels"))
  if (setequal(labels[[1]], labels[[2]])) return(invisible())
  sides <- lapply(labels, function(x) paste("~", paste(if (length(x)) x else "1", collapse = " + ")))
  stop_arg("The right side of {.arg formula} is {.code {sides[[1]]}}, but the fit that the training starts from has
            {.code {sides[[2]]}}.")
}

# Conditions by the model of an earlier fit.
conditions_again <- function(model, names, data, kept, envir) {
  table <- if (is.null(data)) mget(model$variables, envir, inherits = TRUE) else unclass(data)[model$variables]
  table <- as_plain_frame(table, NROW(table[[1]]))
  if (!is.null(kept)) table <- table[kept, , drop = FALSE]
  model_conditions(table, model, names, "data", envir)
}

# Fits by formula: the columns of the left side are the data, the model matrix of the right side the conditions.

#' @rdname fit_flow
#' @param formula The coordinates on the left, the conditioning variables on the right, as in
#'   `cbind(y1, y2) ~ x1 + f`: see the section on formulas. `data` is then a data frame with the columns that the
#'   formula names; without it they are looked for where the formula was written.
#' @section Formulas: `fit_flow(cbind(y1, y2) ~ x, data = table)` is `fit_flow(table[c("y1", "y2")], condition =
#'   table["x"])` with the conveniences of R's models. The right side goes through [stats::model.matrix()]: factors and
#'   strings become indicators of all levels but the first (treatment contrasts, whatever `options("contrasts")` says),
#'   `x1:x2`, `log(x)` or `poly(x, 2)` work, and there is no column for an intercept. `~ 1` stands for no conditions,
#'   and `.` on either side for all columns that the other side does not name. The left side is taken as it is
#'   evaluated: for `log(y) ~ x` the coordinate is `log(y)`, and so is the unit of the log density. Missing values are
#'   errors.
#'
#'   The fit remembers levels and transformations as plain data. [logdensity()], [sample()], [predict()] and the others
#'   then take a data frame of the variables on the right side as `condition`; without `condition` they find these
#'   variables in `newdata`, if it has them.
#' @export
fit_flow.formula <- function(formula, data = NULL, layers = NULL, ..., d = NULL, base = base_normal(), weights = NULL,
                             standardize = TRUE, loss = loss_maximum_likelihood(), control = NULL,
                             progress = interactive()) {
  call <- sys.call(-1)
  if (inherits(data, "formula")) { # data |> fit_flow(y ~ x)
    swapped <- data
    data <- formula
    formula <- swapped
    call[2:3] <- call[3:2]
    if (!is.null(names(call))) names(call)[2:3] <- ""
  }
  parts <- formula_parts(formula, data)
  y <- as_fit_data(parts$data)
  if (!is.null(d) && check_count(d, "d") != n_columns(y)) {
    stop_arg("{.arg d} is {d}, but the left side of {.arg formula} has {n_columns(y)} column{?s}.")
  }
  if ("condition" %in% names_of_dots(...)) {
    stop_arg("{.arg condition} was given beside {.arg formula}: conditions stand on its right side.")
  }
  control <- make_control(control, default_control(n_rows(y), n_columns(y)), list(...))
  fit_matrix(y, layers, base, parts$condition, weights, standardize, loss, control, progress,
    call = plain_call(match.call(fit_flow.formula, call)),
    formula = as.call(as.list(formula)), # without its environment
    model = parts$model
  )
}

# Data, conditions (NULL without any), and what is needed to build conditions from other data frames.
formula_parts <- function(formula, data) {
  if (is.matrix(data)) data <- as.data.frame(data)
  if (!is.null(data) && !is.data.frame(data)) {
    stop_arg("{.arg data} must be a data frame or a matrix, not {.obj_type_friendly {data}}.")
  }
  if (length(formula) != 3) stop_arg("{.arg formula} has no left side: that is where the data stand.")
  formula <- expand_left_dot(formula, data)
  frame <- evaluate_formula(
    stats::model.frame(stats::terms(formula, data = data), data, na.action = stats::na.pass, drop.unused.levels = TRUE)
  )
  terms <- stats::delete.response(attr(frame, "terms"))
  if (!is.null(attr(terms, "offset"))) stop_arg("{.arg formula} has an offset, which means nothing here.")
  attr(terms, "intercept") <- 1L # which model_conditions() drops, so that all factors have treatment contrasts
  variables <- Filter(function(name) name %in% names(data) || !exists(name, baseenv()), all.vars(terms)) # pi is none
  if (!is.null(data)) check_variables(setdiff(variables, names(data)))
  model <- list(terms = terms, levels = stats::.getXlevels(terms, frame), variables = variables)
  environment(model$terms) <- NULL
  condition <- if (length(attr(terms, "term.labels"))) conditions_from_frame(frame, terms, model$levels, "data")
  list(data = left_columns(frame[[1]], formula[[2]], data), condition = condition, model = model)
}

# `. ~ x`: all columns that the right side does not name.
expand_left_dot <- function(formula, data) {
  if (!identical(formula[[2]], quote(.))) return(formula)
  rest <- setdiff(names(data), all.vars(formula[[3]]))
  if (!length(rest) || "." %in% all.vars(formula[[3]])) {
    stop_arg("{.code .} on the left side of {.arg formula} stands for no column of {.arg data}.")
  }
  formula[[2]] <- as.call(c(quote(cbind), lapply(rest, as.name)))
  formula
}

# Values that are no columns would have to be found again at each prediction.
check_variables <- function(outside) {
  if (length(outside)) stop_arg("{.arg formula} needs {.field {outside}}, which {?is/are} not in {.arg data}.")
}

# The left side: a matrix with names, or columns of the data where some are no plain numbers. cbind() would turn the
# levels of a factor into numbers.
left_columns <- function(y, expr, data) {
  parts <- if (is.call(expr) && identical(expr[[1]], quote(cbind))) as.list(expr)[-1] else list(expr)
  for (part in parts[vapply(parts, is.name, logical(1))]) {
    column <- as.character(part)
    value <- data[[column]]
    if (has_codec(value) && all(vapply(parts, is.name, NA))) return(data[vapply(parts, as.character, "")])
    if (!is.null(value) && (!is.numeric(value) || has_codec(value))) {
      stop_arg("Column {.field {column}} of {.arg data} must be numeric, not {.obj_type_friendly {value}}.")
    }
  }
  if (!is.numeric(y)) {
    stop_arg("The left side of {.arg formula} must be numeric, not {.obj_type_friendly {y}}.")
  }
  labels <- vapply(parts, deparse1, "")
  y <- unclass(y)
  if (is.null(dim(y))) y <- matrix(y)
  names <- colnames(y)
  if (length(parts) == ncol(y)) names <- ifelse(nzchar(names %||% rep("", ncol(y))), names, labels)
  matrix(as.double(y), nrow(y), dimnames = list(NULL, names))
}

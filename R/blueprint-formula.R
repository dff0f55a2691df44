# Fits by formula and data frames of the variables that the formula names: coordinates are what the left side makes of
# them, conditions the columns of the model matrix of the right side.

# ---- the left side ---------------------------------------------------------------------------------------------------

part_labels <- function(parts) {
  labels <- vapply(parts, deparse1, "")
  given <- names(parts)
  if (is.null(given)) labels else ifelse(nzchar(given), given, labels)
}

# The coordinates that the parts of a left side have become, a list. Matrices are taken apart. Columns keep their
# classes, which cbind() would make numbers of. `known(name, part)` is what a name stands for in the data: that of a
# column of `log(cbind(y1, y2))` must not be taken for another column's.
left_columns <- function(values, parts, known = function(name, part) NULL) {
  labels <- part_labels(parts)
  out <- list()
  for (i in seq_along(values)) {
    value <- values[[i]]
    if (!is.atomic(value) || length(dim(value)) > 2) {
      stop_arg("The left side of {.arg formula} must be numeric, not {.obj_type_friendly {value}}.")
    }
    if (is.matrix(value)) {
      names <- colnames(value) %||% (if (ncol(value) == 1) labels[i] else rep("", ncol(value)))
      value <- lapply(seq_len(ncol(value)), function(j) as.vector(value[, j]))
      meant <- lapply(names, known, parts[[i]])
      other <- !vapply(meant, is.null, NA) & !mapply(identical, lapply(meant, as.vector), value)
      if (any(other)) names <- paste0(labels[i], ".", names)
      out <- c(out, stats::setNames(value, names))
    } else {
      out <- c(out, stats::setNames(list(value), labels[i]))
    }
  }
  out
}

# list(parts, variables): the expressions of a left side and the columns that they are computed from, as plain data.
# NULL where the coordinates are columns, and where they cannot be computed from columns alone.
response_model <- function(parts, values, data, envir) {
  labels <- part_labels(parts)
  # a matrix in one column of the data becomes several coordinates
  is_column <- mapply(function(part, value) {
    is.name(part) && !(is.matrix(value) && as.character(part) %in% names(data))
  }, parts, values)
  if (all(is_column) && identical(labels, vapply(parts, as.character, ""))) return(NULL)
  n <- NROW(values[[1]])
  names <- unique(unlist(lapply(parts, all.vars)))
  outside <- setdiff(names, names(data))
  outside <- outside[vapply(outside, exists, NA, envir)]
  # one number beside the data is a constant of the formula
  constant <- Filter(function(x) is.atomic(x) && length(x) == 1 && n > 1, mget(outside, envir, inherits = TRUE))
  variables <- setdiff(names, names(constant))
  if (!is.null(data) && length(setdiff(variables, names(data)))) return(NULL)
  # levels, knots, centres are those of the data
  parts <- unname(Map(function(part, value) {
    stats::makepredictcall(value, do.call(substitute, list(part, constant)))
  }, parts, values))
  clash <- labels %in% variables & !(vapply(parts, is.name, NA) & labels == vapply(parts, deparse1, ""))
  if (any(clash)) {
    stop_arg(c(
      "{.arg formula} gives the name {.field {labels[clash][1]}} to {.code {deparse1(parts[[which(clash)[1]]])}}, but
       that is a column it is computed from.",
      i = "In other data frames one could not be told from the other: use another name."
    ))
  }
  list(parts = stats::setNames(parts, labels), variables = variables)
}

# Points in the form of the left side: computed, if `x` has the columns that it needs and not the coordinates.
take_response <- function(x, flow, name) {
  response <- flow$response
  if (is.null(response) || !is.null(flow$names) && has_columns(x, flow$names)) return(x)
  if (!has_columns(x, response$variables)) {
    missing <- setdiff(response$variables, names(x))
    if (is.data.frame(x)) {
      stop_arg(c(
        "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
        i = "The left side of the formula of the fit is computed from {.field {response$variables}}."
      ))
    }
    return(x)
  }
  table <- (if (is.null(dim(x))) as.list(x) else as.data.frame(x))[response$variables]
  # some functions fail where a value is missing
  frame <- as_plain_frame(as.list(table), NROW(table[[1]]))
  whole <- stats::complete.cases(frame)
  if (!all(whole)) table <- frame[whole, , drop = FALSE]
  out <- tryCatch(
    list2DF(left_columns(lapply(response$parts, eval, table, globalenv()), response$parts)),
    error = function(e) {
      reason <- conditionMessage(e)
      stop_arg("{.arg {name}} does not fit the left side of the formula of the fit: {reason}.")
    }
  )
  all <- whole_table(flow)
  if (length(out) == all$d) names(out) <- all$names
  if (all(whole)) out else out[replace(rep(NA, length(whole)), whole, seq_len(sum(whole))), , drop = FALSE]
}

# ---- the right side --------------------------------------------------------------------------------------------------

conditions_from_frame <- function(frame, terms, model, name) {
  for (variable in names(frame)) {
    value <- frame[[variable]]
    row <- which(if (is.matrix(value)) rowSums(is.na(value)) > 0 else is.na(value))[1]
    if (!is.na(row)) {
      stop_arg("{.arg {name}} has a value that cannot be used: row {row}, column {.field {variable}} is NA.")
    }
  }
  codes <- code_columns(frame, model$levels, model$codes)
  terms <- uncoded_terms(terms, model$codes)
  if (is.null(terms)) return(codes)
  levels <- model$levels[setdiff(names(model$levels), model$codes)]
  x <- evaluate_formula(
    stats::model.matrix(terms, frame, contrasts.arg = lapply(levels, function(l) "contr.treatment"))
  )
  x <- cbind(x[, colnames(x) != "(Intercept)", drop = FALSE], codes)
  if (!is.numeric(x)) stop_arg("{.arg {name}} must have numeric, logical or categorical variables, not {typeof(x)}.")
  check_finite(matrix(as.double(x), nrow(x), ncol(x), dimnames = list(NULL, colnames(x))), name)
}

evaluate_formula <- function(expr) {
  tryCatch(expr, error = function(e) {
    reason <- conditionMessage(e)
    stop_arg("{.arg formula} cannot be evaluated: {reason}.")
  })
}

# Variables of the right side, as a data frame or with their names, to columns of the model matrix.
model_conditions <- function(condition, model, columns, name = "condition", envir = globalenv()) {
  if (!is.data.frame(condition)) {
    if (has_columns(condition, model$variables)) {
      condition <- if (is.null(dim(condition))) as.list(condition) else as.data.frame(condition)
      if (length(unique(lengths(condition))) > 1) stop_arg("The columns of {.arg {name}} must have one length.")
      if (!is.data.frame(condition)) condition <- list2DF(condition)
    } else if (is.null(model$codes) && identical(columns, model$variables) && is.null(colnames(condition))) {
      return(condition) # plain numbers in the order of the formula
    } else {
      stop_arg("{.arg {name}} must be a data frame with the column{?s} {.field {model$variables}}.")
    }
  }
  missing <- setdiff(model$variables, names(condition))
  if (length(missing)) {
    stop_arg("{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.")
  }
  terms <- model$terms
  environment(terms) <- envir
  frame <- tryCatch(
    suppressWarnings({ # a number where a factor was: .checkMFClasses() says it
      frame <- stats::model.frame(terms, condition, na.action = stats::na.pass, xlev = model$levels)
      stats::.checkMFClasses(attr(terms, "dataClasses"), frame)
      frame
    }),
    error = function(e) {
      reason <- conditionMessage(e)
      stop_arg("{.arg {name}} does not fit the formula of the fit: {reason}.")
    }
  )
  conditions_from_frame(frame, terms, model, name)
}

has_columns <- function(x, names) {
  given <- if (is.null(dim(x))) names(x) else colnames(x)
  !is.null(given) && all(names %in% given)
}

# Fits by formula and data frames of the variables that the formula names: conditions are the columns of the model
# matrix of the right side. Coordinates are what left-side.R makes of them.

conditions_from_frame <- function(frame, terms, model, name) {
  for (variable in names(frame)) {
    value <- frame[[variable]]
    row <- which(has_gap(value))[1]
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
    } else if (length(model$variables) == 1 && has_unit(condition)) {
      condition <- list2DF(stats::setNames(list(condition), model$variables))
    } else if (is.null(c(model$codes, model$codecs)) && identical(columns, model$variables) &&
      is.null(colnames(condition))) {
      return(condition) # plain numbers in the order of the formula
    } else {
      stop_arg("{.arg {name}} must be a data frame with the {cli::qty(model$variables)}column{?s}
                {.field {model$variables}}.")
    }
  }
  check_once(condition, model$variables, name)
  missing <- setdiff(model$variables, names(condition))
  if (length(missing)) {
    stop_arg(c(
      "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
      i = meant(missing, names(condition), NEAR_COLUMN)
    ))
  }
  condition <- in_units_of_fit(open_data(condition, name), model$codecs, name)
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

# Dates, times and spans of time among the variables, as the fit had them: their numbers alone go into the matrix.
in_units_of_fit <- function(condition, codecs, name) {
  if (is.null(codecs)) return(condition)
  variables <- names(codecs)
  check_columns(unclass(condition)[variables], codecs, name)
  condition[variables] <- Map(function(codec, x) decode(codec, encode(codec, x)), codecs, condition[variables])
  condition
}

has_columns <- function(x, names) {
  given <- if (is.null(dim(x))) names(x) else colnames(x)
  !is.null(given) && all(names %in% given)
}

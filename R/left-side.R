# Left sides of formulas: what becomes coordinates, and how it is made of other data frames again.

# ---- in data to fit --------------------------------------------------------------------------------------------------

# list(left, right): expressions of the coordinates, under the names that were given to them, and a formula of the
# conditions.
formula_sides <- function(formula) {
  envir <- environment(formula)
  if (length(formula) == 3) {
    y <- formula[[2]]
    left <- if (is.call(y) && identical(y[[1]], quote(cbind))) as.list(y)[-1] else list(y)
    if (is_times_call(y)) names(left) <- times_label(y)
    return(list(left = left, right = stats::as.formula(call("~", formula[[3]]), envir)))
  }
  terms <- evaluate_formula(stats::terms(formula))
  if (!length(attr(terms, "term.labels"))) stop_arg("{.arg formula} has no coordinates on either side.")
  if (any(attr(terms, "order") > 1)) {
    stop_arg("{.arg formula} without a left side lists coordinates, {.code ~ y1 + y2}: there are no interactions.")
  }
  used <- rowSums(attr(terms, "factors")) > 0 # not what a minus took out
  list(left = as.list(attr(terms, "variables"))[-1][used], right = stats::as.formula(quote(~1), envir))
}

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

# list(parts, variables): the expressions of a left side and the columns that they are computed from, as plain data, and
# `times`, TRUE where these are censored times. NULL where the coordinates are columns.
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
  parts <- unname(Map(function(part, value) with_basis(part, value, constant, data, envir), parts, values))
  times <- any(vapply(values, is_times, NA)) # whose label is that of the column of the time
  clash <- !times & labels %in% variables & !(vapply(parts, is.name, NA) & labels == vapply(parts, deparse1, ""))
  if (any(clash)) {
    stop_arg(c(
      "{.arg formula} gives the name {.field {labels[clash][1]}} to {.code {deparse1(parts[[which(clash)[1]]])}}, but
       that is a column it is computed from.",
      i = "In other data frames one could not be told from the other: use another name."
    ))
  }
  response <- list(parts = stats::setNames(parts, labels), variables = variables)
  if (times) response$times <- TRUE
  response
}

# Of the coordinates of a left side, those that are no columns of the data.
computed_coordinates <- function(response, labels) {
  if (!is.null(response)) setdiff(labels, names(Filter(is.name, response$parts)))
}

# The expression of a part, with constants and with the centres, scales, knots that it has from these data, as predict()
# of other models has it; also where such a call is inside of another.
with_basis <- function(part, value, constant, data, envir) {
  if (!is.call(part)) return(do.call(substitute, list(part, constant)))
  known <- part
  for (i in seq_along(part)[-1]) {
    if (!is.call(part[[i]])) next
    inner <- tryCatch(suppressWarnings(eval(part[[i]], data, envir)), error = function(e) NULL)
    if (!is.null(inner)) known[[i]] <- with_basis(part[[i]], inner, constant, data, envir)
  }
  call <- do.call(substitute, list(known, constant))
  of_package <- is.call(call[[1]]) && identical(call[[1]][[1]], quote(`::`))
  if (!of_package) return(stats::makepredictcall(value, call))
  call[[1]] <- call[[1]][[3]]
  call <- stats::makepredictcall(value, call)
  call[[1]] <- part[[1]]
  call
}

# Of rows of columns, whether all is there, and finite.
are_there <- function(columns, n) {
  there <- rep(TRUE, n)
  for (x in columns) {
    if (!is.atomic(x) || NROW(x) != n) next
    gone <- is.na(x) | is.infinite(x)
    there <- there & if (is.matrix(x)) rowSums(gone) == 0 else !gone
  }
  there
}

# Rows for which an expression has no finite value, though all that it is computed from is `there`: a point outside of
# its domain, as 0 is of a logarithm. NA says that a value is missing.
rows_beyond <- function(value, there) {
  value <- unclass(value)
  if (!is.double(value)) return(logical(NROW(value)))
  beyond <- is.nan(value) | is.infinite(value)
  there & if (is.matrix(value)) rowSums(beyond) > 0 else beyond
}

# What the warning says is looked for where it is of use.
without_nan <- function(expr) {
  withCallingHandlers(expr, warning = function(w) {
    if (identical(conditionMessage(w), gettext("NaNs produced", domain = "R"))) invokeRestart("muffleWarning")
  })
}

# The parts of a left side as a fit has them, with its centres, scales, knots and constants. Columns stay columns.
left_again <- function(parts, start) {
  known <- start$response$parts
  labels <- part_labels(parts)
  before <- if (!is.null(start[["formula"]])) formula_sides(stats::as.formula(start[["formula"]]))$left
  same <- labels %in% names(known)
  if (!is.null(before)) {
    names(before) <- part_labels(before)
    same <- same & mapply(function(label, part) identical(before[[label]], part), labels, parts)
  }
  columns <- vapply(parts, is.name, NA) & labels == vapply(parts, deparse1, "")
  if (!all(same | columns)) {
    stop_arg("The left side of {.arg formula} is {.code {part_labels(parts)}}, but the fit that the training starts from
              has {.code {names(known)}}.")
  }
  parts[!columns] <- known[labels[!columns]]
  stats::setNames(parts, labels)
}

# Rows in which the left side has no finite value, though all that it is computed from is there, cannot be learned from,
# and are not missing.
check_left <- function(values, parts, value_of, kept) {
  labels <- part_labels(parts)
  for (i in seq_along(values)) {
    n <- NROW(values[[i]])
    used <- stats::setNames(nm = all.vars(parts[[i]]))
    columns <- lapply(used, value_of)
    bad <- rows_beyond(values[[i]], are_there(columns, n))
    at <- kept[bad[kept]]
    if (!length(at)) next
    row <- at[1]
    what <- if (is.matrix(values[[i]])) Find(Negate(is.finite), values[[i]][row, ]) else values[[i]][row]
    from <- Filter(function(x) is.atomic(x) && is.null(dim(x)) && length(x) == n, columns)
    from <- vapply(from, function(x) format(x[row], digits = 15), "")
    stop_arg(c(
      "{.arg data} has a value that cannot be used: row {row}, column {.field {labels[i]}} is {what}.",
      i = if (length(from)) "There {.field {names(from)}} {?is/are} {from}.",
      i = if (length(at) > 1) "So it is with {length(at)} rows; {.arg subset} can leave them out." else
        "{.arg subset} can leave it out."
    ))
  }
}

# Shares of the rows: not halves, which can agree where data repeat.
PART_OF_ROWS <- 0.618

# What is computed from all rows, as `y - mean(y)`, would be another coordinate in other data frames: the parts of a
# left side as a flow keeps them must be the same for some rows alone. Draws no random numbers of the user's.
check_rowwise <- function(response, values, value_of, envir) {
  for (i in seq_along(response$parts)) {
    part <- response$parts[[i]]
    value <- values[[i]]
    n <- NROW(value)
    if (!is.call(part) || n < 2 || !is.numeric(unclass(value))) next
    columns <- Filter(function(x) NROW(x) == n, lapply(stats::setNames(nm = all.vars(part)), value_of))
    there <- which(are_there(columns, n))
    first <- seq_along(there) <= PART_OF_ROWS * length(there)
    for (rows in list(there[first], there[!first], there[1], there[length(there)])) {
      some <- lapply(columns, some_rows, rows)
      alone <- tryCatch(
        with_seed(1, suppressWarnings(eval(part, some, times_env(part, envir)))), error = function(e) NULL
      )
      known <- some_rows(value, rows)
      # codes of levels go by which there are
      same <- if (is.factor(value)) {
        identical(as.character(alone), as.character(known))
      } else {
        is_same(alone, known, value)
      }
      if (is.null(alone) || same) next
      stop_arg(c(
        "{.code {names(response$parts)[i]}} on the left side of {.arg formula} has other values where other rows are
         left out.",
        i = "Make a column of it first: what is learned from these rows cannot be computed of new ones."
      ))
    }
  }
}

some_rows <- function(x, i) if (length(dim(x)) == 2) x[i, , drop = FALSE] else x[i]

# Up to rounding, of values of the size of `all`.
is_same <- function(x, y, all) {
  if (inherits(x, "difftime") && inherits(y, "difftime")) units(x) <- units(y) # chosen by the values
  x <- as.vector(unclass(x))
  y <- as.vector(unclass(y))
  if (length(x) != length(y) || !is.numeric(x)) return(FALSE)
  all <- as.vector(unclass(all))
  size <- max(0, abs(all[is.finite(all)]))
  all(is.finite(x) == is.finite(y)) && all(abs(x - y) <= 1e-8 * size | !is.finite(x))
}

# ---- in points to evaluate -------------------------------------------------------------------------------------------

# Points in the form of the left side, list(points, off): computed, if `x` has the columns that it needs and not the
# coordinates. `off` says which rows have no place there; numbers stand in for these, the largest where it is infinite.
# Censored times have a record, `observed`, too; where what became of the rows is not there, a column of the time is one
# of times at which something happened.
take_response <- function(x, flow, name) {
  response <- flow$response
  by_name <- !is.null(flow$names) && has_columns(x, flow$names)
  if (is.null(response) || by_name && !(isTRUE(response$times) && has_columns(x, response$variables))) {
    return(list(points = x))
  }
  check_once(x, response$variables, name)
  if (!has_columns(x, response$variables)) {
    missing <- setdiff(response$variables, names(x))
    if (is.data.frame(x)) {
      stop_arg(c(
        "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
        i = "The left side of the formula of the fit is computed from {.field {response$variables}}."
      ))
    }
    return(list(points = x))
  }
  table <- (if (is.null(dim(x))) as.list(x) else as.data.frame(x))[response$variables]
  frame <- as_plain_frame(as.list(table), NROW(table[[1]]))
  off <- logical(nrow(frame))
  times <- NULL
  out <- tryCatch(
    {
      values <- lapply(response$parts, part_values, frame)
      times <- left_times(values)
      if (!is.null(times)) values[[1]] <- times$value
      for (i in seq_along(values)) {
        beyond <- rows_beyond(values[[i]], are_there(frame[all.vars(response$parts[[i]])], nrow(frame)))
        if (any(beyond)) values[[i]] <- stand_in(values[[i]], beyond)
        off <- off | beyond
      }
      list2DF(left_columns(values, response$parts))
    },
    error = function(e) {
      reason <- conditionMessage(e)
      stop_arg("{.arg {name}} does not fit the left side of the formula of the fit: {reason}.")
    }
  )
  all <- whole_table(flow)
  if (length(out) == all$d && !setequal(names(out), all$names)) names(out) <- all$names
  list(points = out, off = if (any(off)) off, observed = times$rows)
}

# Values of a part of the left side; NA where a value is missing that it needs: some functions fail there. A missing end
# of a time says that it is not known.
part_values <- function(part, frame) {
  if (is_times_call(part)) return(eval(part, frame, times_env(part, globalenv())))
  used <- frame[all.vars(part)]
  whole <- if (length(used)) stats::complete.cases(used) else rep(TRUE, nrow(frame))
  value <- without_nan(eval(part, if (all(whole)) frame else frame[whole, , drop = FALSE], globalenv()))
  if (all(whole)) return(value)
  from <- replace(rep(NA_integer_, length(whole)), whole, seq_len(sum(whole)))
  if (is.matrix(value)) value[from, , drop = FALSE] else value[from]
}

stand_in <- function(value, beyond) {
  kept <- attributes(value)
  value <- unclass(value)
  if (is.matrix(value)) beyond <- rep(beyond, ncol(value)) & !is.finite(value)
  x <- value[beyond]
  value[beyond] <- ifelse(is.nan(x), 0, sign(x) * .Machine$double.xmax)
  attributes(value) <- kept
  value
}

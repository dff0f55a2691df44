# Which columns of data to fit are linear functions of others, and the data without them: see dropped.R for what a flow
# keeps of them.

# Data to fit, not encoded, without the columns that are left out: list(data, dropped). A flow that training starts from
# has its own relations, which the data must fulfil.
drop_columns <- function(data, weights, collinear, start = NULL) {
  if (!is.null(start$dropped)) return(list(data = without_dropped(data, start, weights), dropped = start$dropped))
  if (collinear == "error" || inherits(start, "bijectr_flow") && start$d == n_columns(data)) return(list(data = data))
  x <- encode_columns(data, column_codecs(data, "data"))
  dropped <- find_dropped(x, counted_rows(x, weights), weights)
  if (is.null(dropped)) return(list(data = data))
  gone <- keep_columns(data, dropped$columns)
  dropped["names"] <- list(column_names(gone))
  dropped["codecs"] <- list(column_codecs(gone, "data"))
  list(data = keep_columns(data, -dropped$columns), dropped = dropped)
}

counted_rows <- function(x, weights) if (is.null(weights)) seq_len(n_rows(x)) else which(weights > 0)

# With "drop", what is dependent in all rows that count is left out before. What is refused then holds in fewer rows, or
# for a flow that has the column already; and in the units of `x`, unless it is told of another table behind supports.
beyond_drop <- function(found, x, weights, collinear) {
  if (collinear != "drop") return(found)
  tryCatch(found, bijectr_error_dependent = function(e) {
    label <- column_labels(x)
    inline <- function(text) cli::format_inline(text, keep_whitespace = FALSE)
    if (e$column %in% find_dropped(x, counted_rows(x, weights), weights)$columns) {
      e$body <- c(i = inline("The flow that the training starts from has it as a coordinate: nothing is left out."))
      stop(e)
    }
    e$message <- inline("Column {.field {label[e$column]}} of {.arg data} is a linear function of
      {.field {label[e$of]}} in the training rows, though not in all: together they have no density, and none can be
      left out for the other.")
    e$body <- c(i = inline("Leave {.field {label[e$column]}} out, or take other rows for {.arg validation}."))
    stop(e)
  })
}

# The supports that were given for all columns, of those that are kept; NULL where all are.
supports_of_kept <- function(rules, data, dropped) {
  if (is.null(dropped)) return(rules$given)
  given <- given_supports(
    rules$support, rules$lower, rules$upper, n_columns(data), column_names(data), column_codecs(data, "data")
  )
  given[-dropped$columns]
}

# The relations that hold in all rows that count, of encoded columns: each of a column with those before it.
find_dropped <- function(x, rows, weights) {
  check_flat(x, rows, weights)
  moments <- row_moments(x, rows, weights)
  root <- covariance_root(moments, x, rows, weights)
  if (is.null(root)) return(NULL)
  size <- sqrt(rowSums(root^2))
  bad <- unname(which(diag(root) <= DEPENDENT * size))
  if (!length(bad)) return(NULL)
  kept <- setdiff(seq_along(size), bad)
  scale <- unname(moment_scale(moments))
  found <- lapply(bad, function(j) {
    relation <- linear_relation(root / size, j, bad)
    of <- relation$of
    terms <- lapply(of, function(i) column_at(x, i, rows))
    exact <- sharpened(column_at(x, j, rows), terms, unname(relation$coefficient * scale[j] / scale[of]))
    c(exact, list(of = match(of, kept), tolerance = max(10 * DEPENDENT * scale[j], 2 * exact$error)))
  })
  list(
    columns = bad, of = lapply(found, `[[`, "of"), coefficients = lapply(found, `[[`, "coefficients"),
    intercept = unname(vapply(found, `[[`, 0, "intercept")), tolerance = unname(vapply(found, `[[`, 0, "tolerance"))
  )
}

# Coefficients are found up to rounding. Where round ones, as those of copies and sums are, do as well, they are meant.
sharpened <- function(y, terms, coefficients) {
  slack <- 8 * .Machine$double.eps * max(abs(y))
  with_intercept <- function(coefficients) {
    rest <- y - Reduce(`+`, Map(`*`, coefficients, terms))
    middle <- mean(range(rest))
    tried <- c(0, signif(middle, 9), middle)
    errors <- vapply(tried, function(a) max(abs(rest - a)), 0)
    take <- which(errors <= 2 * errors[3] + slack)[1]
    list(coefficients = coefficients, intercept = tried[take], error = errors[take])
  }
  round <- with_intercept(signif(coefficients, 9))
  found <- with_intercept(coefficients)
  if (round$error <= 2 * found$error + slack) round else found
}

# Data for a flow that has left columns out: these are looked at, and taken out, where the data have them.
without_dropped <- function(data, flow, weights = NULL) {
  if (!has_dropped(flow, data)) return(data)
  whole <- whole_table(flow)
  data <- pick_columns(data, whole$names, "data")
  check_columns(data, whole$codecs, "data")
  off <- split_dropped(encode_columns(data, whole$codecs), flow$dropped)$off
  bad <- which(off & (if (is.null(weights)) TRUE else weights > 0))
  if (length(bad)) {
    label <- flow$dropped$names %||% as.character(flow$dropped$columns)
    stop_arg(c(
      "Row {bad[1]} of {.arg data} does not fulfil the relation by which the fit has left out {.field {label}}.",
      i = if (length(bad) > 1) "So it is with {length(bad)} rows."
    ))
  }
  keep_columns(data, -flow$dropped$columns)
}

# Tables with gaps, fit_flow(data, na = "model"): what is missing is part of the model. With m the pattern of a row, one
# flag a column with gaps,
#
#   p(m, observed values) = P(m) p(x_full | m) prod_j p(x_j | m, columns before j)
#   P(m) = (n(m) + prod_j q_j^m_j (1 - q_j)^(1 - m_j)) / (n + 1),   q_j = (n_j + 1/2) / (n + 1)
#
# where x_full are the columns without gaps, in one flow, and j runs over those with gaps, fewest first, each with a flow
# in one coordinate that is trained on the rows that have it, and that the density of a row has only where the row has
# it. "Given m" is by flags of 0 and 1; in the conditions of later columns a value that is missing is replaced by the
# column's centre. So every value that was observed counts, and the densities are exact. Patterns count as they were
# seen, with one more row that is spread over all patterns as if columns had their gaps independently of each other.
#
# A fit is plain data: names, codecs, form, d, d_condition as in a flow, and
#   gaps      numbers of the columns with gaps, fewest first; `centre`, one number each
#   patterns  list(missing, weight, rate): the patterns seen, a logical matrix with one row a pattern and one column a
#             gap, the sum of weights of each, and the q_j
#   blocks    lists of columns, given (numbers of columns, of data and of earlier blocks), flags (which of the gaps), fit

# `data` comes from the user, `filled` is the same table without gaps.
fit_gaps <- function(data, filled, layers, base, condition, weights, standardize, loss, control, progress, call) {
  missing <- is_missing(data)
  n <- n_rows(filled)
  weights <- check_weights(weights, n)
  condition <- as_fit_condition(condition, n)
  rows <- split_rows(n, control$validation, weights)
  plan <- blueprint(filled, condition, rows$train)
  z <- encode_columns(filled, plan$codecs)
  given <- if (!is.null(condition)) encode_columns(condition, plan$condition$codecs)
  model <- gaps_model(z, missing, weights, rows$train)
  for (k in seq_along(model$blocks)) {
    block <- model$blocks[[k]]
    has <- which(!missing[, block$columns[1]])
    own <- control
    own["validation"] <- list(match(intersect(rows$validation, has), has))
    model$blocks[[k]]$fit <- keep_blocks(model$blocks[seq_len(k - 1)], fit_matrix(
      rows_at(z, has)[, block$columns, drop = FALSE], if (k == 1) layers, base,
      block_condition(model, block, z, missing, given)[has, , drop = FALSE], weights[has], standardize, loss, own,
      progress
    ))
  }
  new_gaps_fit(model, plan, call, rows, count_rows(n, weights))
}

is_missing <- function(table) {
  do.call(cbind, lapply(seq_len(n_columns(table)), function(j) is.na(as_stored(column(table, j)))))
}

# The median of what was observed stands in the gaps: a value that the column has, whatever its class.
fill_gaps <- function(table, missing) {
  for (j in which(colSums(missing) > 0)) {
    value <- column(table, j)
    observed <- which(!missing[, j])
    if (!length(observed)) stop_arg("Column {.field {column_label(table, j)}} of {.arg data} has no values.")
    middle <- observed[order(value[observed])[ceiling(length(observed) / 2)]]
    value[missing[, j]] <- value[middle]
    if (is.list(table)) table[[j]] <- value else table[, j] <- value
  }
  table
}

# Which columns have gaps, what replaces them, the patterns, and the blocks to be fitted.
gaps_model <- function(z, missing, weights, train) {
  n_missing <- colSums(missing)
  gaps <- order(n_missing)[sort(n_missing) > 0]
  full <- setdiff(seq_len(n_columns(z)), gaps)
  flags <- function(columns) { # those that vary where the block is trained
    has <- train[!missing[train, columns[1]]]
    which(vapply(gaps, function(j) length(unique(missing[has, j])) > 1, NA))
  }
  block <- function(columns, given) list(columns = columns, given = given, flags = flags(columns), fit = NULL)
  blocks <- if (length(full)) list(block(full, integer()))
  for (k in seq_along(gaps)) blocks <- c(blocks, list(block(gaps[k], c(full, gaps[seq_len(k - 1)]))))
  list(
    gaps = gaps, centre = vapply(gaps, function(j) column(z, j)[which(missing[, j])[1]], 0),
    patterns = count_patterns(missing[train, gaps, drop = FALSE], weights[train]), blocks = blocks
  )
}

count_patterns <- function(missing, weights) {
  if (is.null(weights)) weights <- rep(1, nrow(missing))
  key <- pattern_key(missing)
  first <- !duplicated(key)
  weight <- as.vector(tapply(weights, factor(key, unique(key)), sum))
  list(
    missing = missing[first, , drop = FALSE], weight = weight,
    rate = (colSums(missing * weights) + 0.5) / (sum(weights) + 1)
  )
}

pattern_key <- function(missing) do.call(paste0, lapply(seq_len(ncol(missing)), function(j) as.integer(missing[, j])))

# Log probabilities of the patterns of some rows.
pattern_log_density <- function(patterns, missing) {
  seen <- match(pattern_key(missing), pattern_key(patterns$missing))
  weight <- ifelse(is.na(seen), 0, patterns$weight[seen])
  independent <- missing %*% log(patterns$rate) + !missing %*% log1p(-patterns$rate)
  as.vector(log((weight + exp(independent)) / (sum(patterns$weight) + 1)))
}

draw_patterns <- function(patterns, n) {
  m <- nrow(patterns$missing)
  which <- base::sample(m + 1, n, replace = TRUE, prob = c(patterns$weight, 1))
  missing <- patterns$missing[pmin(which, m), , drop = FALSE]
  own <- which > m
  missing[own, ] <- stats::runif(sum(own) * ncol(missing)) < rep(patterns$rate, each = sum(own))
  missing
}

# What a block is conditioned on, a matrix with names, NULL where that is nothing: the user's conditions, values of other
# columns with centres in their gaps, flags.
block_condition <- function(model, block, z, missing, given) {
  values <- lapply(block$given, function(j) {
    value <- column(z, j)
    k <- match(j, model$gaps, nomatch = 0)
    if (k > 0) value[missing[, j]] <- model$centre[k]
    value
  })
  columns <- c(
    stats::setNames(values, sprintf("x%d", block$given)),
    lapply(stats::setNames(model$gaps[block$flags], sprintf("gap%d", block$flags)), function(j) as.double(missing[, j]))
  )
  cbind(if (!is.null(given)) all_rows(given), do.call(cbind, columns))
}

# An error, or an interrupt, of a later block does not cost the blocks before it.
keep_blocks <- function(done, fit) {
  ended <- tryCatch(force(fit), error = identity)
  if (!inherits(ended, "error") && ended$status != "interrupted") return(ended)
  so_far <- if (inherits(ended, "error")) ended$fit else ended
  cli::cli_abort(
    c("Block {length(done) + 1} of the table {if (inherits(ended, 'error')) 'ended in an error' else 'was interrupted'}.",
      i = "The fits of its blocks so far are in this condition: {.code tryCatch(..., error = identity)$blocks}."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = if (inherits(ended, "error")) ended,
    blocks = c(lapply(done, `[[`, "fit"), list(so_far)), call = user_call()
  )
}

new_gaps_fit <- function(model, plan, call, rows, nobs) {
  fits <- lapply(model$blocks, `[[`, "fit")
  worst <- which.max(match(vapply(fits, `[[`, "", "status"), c(COMPLETE, EARLY)))
  total <- function(field) sum(vapply(fits, `[[`, 0, field))
  structure(
    c(plan, model, list(
      format = FORMAT_VERSION, d = length(plan$names %||% unlist(lapply(model$blocks, `[[`, "columns"))),
      d_condition = fits[[1]]$d_condition - length(model$blocks[[1]]$flags), call = call, rows = rows, nobs = nobs,
      status = fits[[worst]]$status, steps = total("steps"), seconds = total("seconds")
    )),
    class = c("bijectr_gaps_fit", "bijectr_fit", "bijectr_flow")
  )
}

# ---- verbs -----------------------------------------------------------------------------------------------------------

gaps_log_density <- function(fit, z, missing, given) {
  out <- pattern_log_density(fit$patterns, missing[, fit$gaps, drop = FALSE])
  for (block in fit$blocks) {
    has <- which(!missing[, block$columns[1]])
    if (!length(has)) next
    condition <- block_condition(fit, block, z, missing, given)[has, , drop = FALSE]
    out[has] <- out[has] + logdensity(block$fit, rows_at(z, has)[, block$columns, drop = FALSE], condition)
  }
  out
}

# New points, whose missing values are gaps: list(z, missing, given).
take_gaps <- function(fit, x, condition) {
  if (missing(x)) stop_arg("{.arg newdata} is missing.")
  z <- take_points(x, fit$d, fit$names, fit$codecs, "newdata", ", one a coordinate", gaps = TRUE)
  missing <- is_missing(z)
  for (j in setdiff(which(colSums(missing) > 0), fit$gaps)) {
    row <- which(missing[, j])[1]
    stop_arg(c(
      "{.arg newdata} has a value that cannot be used: row {row}, column {.field {column_label(z, j)}} is NA.",
      i = "That column had no gaps when the fit was made."
    ))
  }
  list(z = z, missing = missing, given = take_condition(fit, condition, n_rows(z), x))
}

#' @rdname logdensity
#' @export
logdensity.bijectr_gaps_fit <- function(object, newdata, condition = NULL, ...) {
  check_unused(...)
  check_gaps_fit(object)
  at <- take_gaps(object, newdata, condition)
  gaps_log_density(object, at$z, at$missing, at$given)
}

#' @rdname sample
#' @param gaps For a fit with `na = "model"`: whether draws have gaps as the data had; `FALSE` gives the values that the
#'   model has in their places.
#' @export
sample.bijectr_gaps_fit <- function(x, size = 1, condition = NULL, gaps = TRUE, ...) {
  check_unused(...)
  check_gaps_fit(x)
  check_flag(gaps, "gaps")
  give_back(x, draw_gaps(x, check_count(size, "size", min = 0), condition, gaps))
}

draw_gaps <- function(fit, n, condition, gaps) {
  z <- matrix(0, n, fit$d)
  if (n == 0) return(z)
  given <- take_condition(fit, condition, n)
  missing <- matrix(FALSE, n, fit$d)
  missing[, fit$gaps] <- draw_patterns(fit$patterns, n)
  for (block in fit$blocks) {
    z[, block$columns] <- draw_points(block$fit, n, block_condition(fit, block, z, missing, given))
  }
  if (gaps) z[missing] <- NA
  z
}

# Tables with gaps, fit_flow(data, na = "model"): what is missing is part of the model. With m the pattern of a row,
# one flag a column with gaps,
#
#   p(m, observed values) = P(m) p(x_full | m) prod_j p(x_j | m, columns before j)
#   P(m) = (n(m) + prod_j q_j^m_j (1 - q_j)^(1 - m_j)) / (n + 1),   q_j = (n_j + 1/2) / (n + 1)
#
# where x_full are the columns without gaps, in one flow, and j runs over those with gaps, fewest first, each with a
# flow in one coordinate that is trained on the rows that have it, and that is in the density of a row only where the
# row has it. "Given m" is by flags of 0 and 1; in the conditions of later columns a value that is missing is replaced
# by the column's centre. So every value that was observed counts, and the densities are exact. Patterns count as they
# were seen, with one more row that is spread over all patterns as if columns had their gaps independently of each
# other.
#
# A fit is plain data: what blueprint() gives, d and d_condition as in a flow, the fields of a fit that new_gaps_fit()
# names, and
#   gaps      numbers of the columns with gaps, fewest first; `center`, one number each
#   patterns  list(missing, weight, rate): the patterns seen, a logical matrix with one row a pattern and one column a
#             gap, the sum of weights of each, and the q_j
#   blocks    lists of columns and given, numbers of columns, flags, which of the gaps, and fit

#' @rdname fit_flow
#' @order 6
#' @section Missing values: the default, `na = "fail"`, is an error that names the first row and column. With
#'   `na = "model"` every value that was observed counts, in data frames, matrices and vectors. The distribution is that
#'   of the pattern, which of a row's values are missing, and of the values that are not: log densities of rows with
#'   gaps are exact, of the pattern and the values that are there. Data without gaps get an ordinary fit.
#'
#'   The probability of a pattern is its share among the training rows, with one more row that is spread over all
#'   patterns. The columns without gaps have one flow, given the pattern, whose layers `layers` are; each column with
#'   gaps, fewest first, has a flow of one coordinate given the pattern and the columns before it, trained on the rows
#'   that have it. By formula it is the left side that may have gaps; conditions must be without, and `na.action` says
#'   what becomes of rows where they are not. Rows of weight 0 count for nothing here either, and `seconds` is the
#'   budget of all flows together, each of which makes some steps.
#'
#'   Such a fit has the fields `gaps`, the numbers of the columns with gaps, and `center`, what stands for their
#'   missing values as conditions; `patterns`, a list of the patterns seen (`missing`, a logical matrix), their
#'   `weight` and the `rate` of gaps in each column; `blocks`, a list of `columns`, `given` and `fit`, the ordinary
#'   fits; and of the fields of an ordinary fit those that speak of all: `call`, `formula`, `form`, `rows`,
#'   `na.action`, `nobs`, `loglik`, `held_out_loglik`, `status`, `steps` and `seconds`. [logdensity()], and `predict()`
#'   of log densities and densities, take `NA` in columns with gaps as missing; [sample()] and `simulate()` draw rows
#'   with gaps, `sample(gaps = FALSE)` whole ones; it prints and has `summary()`, `logLik()`, `coef()` and
#'   `nobs()`; `update()` makes it anew. Other verbs need one flow and are an error that says so:
#'   `fit$blocks[[1]]$fit` is the first of them.
#'
#'   An error or an interrupt in one of the later flows is an error of class `bijectr_error_training` that has the fits
#'   so far as `condition$blocks`.
#' @name fit_flow
NULL

# A table as the user has it, list(data, missing): with values in its gaps, see fill_gaps(), and where they were. Gaps
# of columns that have some in rows of weight 0 only are none; `missing` is NULL without any.
open_gaps <- function(data, weights) {
  data <- open_table(data)
  missing <- is_missing(data)
  if (!any(missing)) return(list(data = data))
  weights <- check_weights(weights, n_rows(data))
  counted <- if (is.null(weights)) TRUE else weights > 0
  data <- fill_gaps(data, missing, weights)
  missing[, colSums(missing[counted, , drop = FALSE]) == 0] <- FALSE
  list(data = data, missing = if (any(missing)) missing)
}

# `filled` and `missing` come from open_gaps(). `fit_block(data, layers, condition, weights, control, rules, levels)`
# fits one block. `by_formula`: what formula_parts() says.
fit_gaps <- function(filled, missing, layers, condition, weights, rules, control, fit_block, call, form,
                     by_formula = NULL) {
  started <- Sys.time()
  if (rules$collinear == "drop") stop_arg("{.code collinear = \"drop\"} is for data without missing values.")
  n <- n_rows(filled)
  weights <- check_weights(weights, n)
  unit <- weight_unit(weights)
  weights <- if (!is.null(weights)) weights / unit
  condition <- as_fit_condition(condition, n)
  rows <- count_effective(split_rows(n, control$validation, weights), weights)
  plan <- blueprint(
    filled, condition, rows$train, by_formula$model, response = by_formula$response, weights = weights,
    extrapolate = rules$extrapolate, form = form, nets = layers
  )
  coded <- coded_levels(by_formula$model, column_names(condition))
  if (is.null(layers) && !is.null(coded)) plan$condition$levels <- coded
  z <- encode_columns(filled, plan$codecs)
  given <- if (!is.null(condition)) encode_columns(condition, plan$condition$codecs)
  supports <- given_supports(rules$support, rules$lower, rules$upper, n_columns(z), plan$names, plan$codecs)
  check_gappy(z, missing, weights, rows, supports, rules$standardize, layers, control)
  advise_rows(n_columns(z), length(plan$condition$codecs), rows, weights)
  model <- gaps_model(z, missing, weights, rows$train)
  auto <- identical(rules$support, "auto")
  for (k in seq_along(model$blocks)) {
    block <- model$blocks[[k]]
    has <- which(!missing[, block$columns[1]])
    own <- control
    own["validation"] <- list(match(intersect(rows$validation, has), has))
    if (!is.null(control$seconds)) {
      own$seconds <- max(control$seconds - as.double(Sys.time() - started, units = "secs"), 1e-9)
    }
    points <- block_points(block, z, has)
    rules["given"] <- list(unname(supports[block$columns]))
    rules[c("support", "lower", "upper")] <- list(if (auto) "auto", NULL, NULL)
    of_block <- block_condition(model, block, z, missing, given, has)
    # the user's conditions come first; codes among them are looked up in every block
    levels <- c(plan$condition$levels, integer(length(of_block) - length(plan$condition$levels)))
    model$blocks[[k]]$fit <- keep_blocks(model$blocks[seq_len(k - 1)], within_blocks(fit_block(
      points, if (k == 1) layers, of_block, weights[has], own, rules, levels
    )))
  }
  fit <- new_gaps_fit(model, plan, rows, call, count_rows(n, weights), by_formula)
  density <- gaps_log_density(fit, z, missing, given)
  add_evaluation(fit, log_likelihoods(density, weights, rows, unit))
}

# What would be found in a block, and told in its words, is looked for in the table.
check_gappy <- function(z, missing, weights, rows, supports, standardize, layers, control) {
  labels <- column_labels(z)
  for (j in seq_along(labels)) {
    counted <- which(!missing[, j] & (if (is.null(weights)) TRUE else weights > 0))
    if (length(intersect(counted, rows$train)) < 2) {
      stop_arg("Column {.field {labels[j]}} of {.arg data} has fewer than two values in training rows that count.")
    }
    if (!is.null(supports[[j]])) check_outside(supports[[j]], column(z, j), counted, labels[j])
  }
  whole <- intersect(which(rowSums(missing) == 0), rows$train)
  if (!is.null(weights)) whole <- whole[weights[whole] > 0]
  # linear functions of each other are told by this, as in data_end()
  if (length(whole) > 2 * length(labels) && !length(flat_columns(z, whole))) {
    center_and_root(z, whole, weights, standardize)
  }
  full <- sum(colSums(missing) == 0)
  if (inherits(layers, "bijectr_flow") && check_object(layers)$d != max(full, 1)) {
    stop_arg(c(
      "{.arg layers} is a flow of {layers$d} coordinate{?s}, but {full} column{?s} of {.arg data} {?is/are} without
       gaps.",
      i = "With {.code na = \"model\"} {.arg layers} are those of the columns without gaps."
    ))
  }
  if (!is.null(control$checkpoint)) {
    stop_arg("{.arg checkpoint} is for fits of one flow; with {.code na = \"model\"} there are several.")
  }
}

is_missing <- function(table) {
  do.call(cbind, lapply(seq_len(n_columns(table)), function(j) is.na(as_stored(column(table, j)))))
}

# The median of what was observed, in rows that count, stands in the gaps: a value that the column has, whatever its
# class.
fill_gaps <- function(table, missing, weights = NULL) {
  if (is.null(weights)) weights <- rep(1, nrow(missing))
  for (j in which(colSums(missing) > 0)) {
    value <- column(table, j)
    observed <- which(!missing[, j])
    if (!length(observed)) stop_arg("Column {.field {column_label(table, j)}} of {.arg data} has no values.")
    if (any(weights[observed] > 0)) observed <- observed[weights[observed] > 0]
    observed <- observed[order(value[observed])]
    share <- cumsum(weights[observed] / max(weights))
    middle <- observed[which(share >= share[length(share)] / 2)[1]]
    value[missing[, j]] <- value[middle]
    if (is.list(table)) table[[j]] <- value else table[, j] <- value
  }
  table
}

# Which columns have gaps, what replaces them, the patterns, and the blocks to be fitted.
gaps_model <- function(z, missing, weights, train) {
  counted <- if (is.null(weights)) TRUE else weights > 0
  if (!is.null(weights)) train <- train[weights[train] > 0]
  n_missing <- colSums(missing[counted, , drop = FALSE])
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
    gaps = gaps, center = vapply(gaps, function(j) column(z, j)[which(missing[, j])[1]], 0),
    patterns = count_patterns(missing[train, gaps, drop = FALSE], weights[train]), blocks = blocks
  )
}

count_patterns <- function(missing, weights) {
  # weights of mean 1 over the rows that count: their scale says nothing
  weights <- if (is.null(weights)) rep(1, nrow(missing)) else weights / mean(weights[weights > 0])
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
  independent <- missing %*% log(patterns$rate) + (!missing) %*% log1p(-patterns$rate)
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

# What a block is a flow of, for some rows: columns of numbers.
block_points <- function(block, z, i) {
  stats::setNames(lapply(block$columns, function(j) column_at(z, j, i)), column_labels(z)[block$columns])
}

# And what it is conditioned on, NULL where that is nothing: the user's conditions, values of other columns with centres
# in their gaps, flags.
block_condition <- function(model, block, z, missing, given, i) {
  values <- lapply(block$given, function(j) {
    value <- column_at(z, j, i)
    k <- match(j, model$gaps, nomatch = 0)
    if (k > 0) value[missing[i, j]] <- model$center[k]
    value
  })
  flags <- lapply(model$gaps[block$flags], function(j) as.double(missing[i, j]))
  columns <- c(columns_at(given, i), values, flags)
  labels <- c(
    column_names(given) %||% sprintf("condition%d", seq_len(max(0, n_columns(given)))),
    column_labels(z)[block$given], sprintf("gap in %s", column_labels(z)[model$gaps[block$flags]])
  )
  if (length(columns)) list2DF(stats::setNames(columns, make.unique(labels)))
}

# An error, or an interrupt, of a later block does not cost the blocks before it, and those beside it. An argument that
# the first refuses has cost nothing.
keep_blocks <- function(done, fit, at = length(done) + 1, beside = list()) {
  ended <- tryCatch(force(fit), error = identity)
  if (!inherits(ended, "error") && ended$status != "interrupted") return(ended)
  if (!length(done) && inherits(ended, "bijectr_error_argument")) stop(ended)
  so_far <- if (inherits(ended, "error")) ended$fit else ended
  cli::cli_abort(
    c("Block {at} {if (inherits(ended, 'error')) 'ended in an error' else 'was interrupted'}.",
      i = "The fits of its blocks so far are in this condition: {.code tryCatch(..., error = identity)$blocks}."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = if (inherits(ended, "error")) ended,
    blocks = c(lapply(done, `[[`, "fit"), beside, if (!is.null(so_far)) list(so_far)), call = user_call()
  )
}

new_gaps_fit <- function(model, plan, rows, call, nobs, by_formula) {
  fits <- lapply(model$blocks, `[[`, "fit")
  total <- function(field) sum(vapply(fits, `[[`, 0, field))
  fields <- list(
    format = FORMAT_VERSION, d = sum(lengths(lapply(model$blocks, `[[`, "columns"))),
    d_condition = length(plan$condition$codecs), call = call,
    formula = if (!is.null(by_formula)) bare_formula(by_formula$formula), rows = rows,
    na.action = by_formula$na_action, nobs = nobs, loglik = NULL, held_out_loglik = NULL,
    status = worst_status(fits), steps = total("steps"), seconds = total("seconds")
  )
  structure(c(fields, plan, model), class = c("bijectr_gaps_fit", "bijectr_fit", "bijectr_flow"))
}

gaps_log_density <- function(fit, z, missing, given) {
  out <- pattern_log_density(fit$patterns, missing[, fit$gaps, drop = FALSE])
  for (block in fit$blocks) {
    has <- which(!missing[, block$columns[1]])
    if (!length(has)) next
    condition <- block_condition(fit, block, z, missing, given, has)
    out[has] <- out[has] + within_blocks(logdensity(block$fit, list2DF(block_points(block, z, has)), condition))
  }
  out
}

# What is told of the table as a whole is not told again of its parts; and columns that are conditions inside of the fit
# only may go beyond their range: the user's own are looked at by take_condition().
within_blocks <- function(expr) {
  quiet <- paste0("bijectr_warning_", c("extrapolation", "few_rows", "constant_condition", "duplicates"))
  withCallingHandlers(expr, warning = function(w) {
    if (inherits(w, quiet)) invokeRestart("muffleWarning")
  })
}

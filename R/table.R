# Tables of columns that are not all numbers with densities: a chain of blocks, each a fit given the columns before it,
#
#   p(x) = prod_k p(x_k | x_1, ..., x_(k-1), c)
#
# with probabilities of levels, whole numbers and atoms, and densities of all other columns, which are the last block
# and see all that is before them: exact, with respect to counting and Lebesgue measure. Columns with atoms, as amounts
# of which many are 0, are two blocks: which of the atoms a value is, or none, and the values that are none.
#
# A table is plain data: the blueprint of a flow (blueprint.R), `d` and `d_condition`, the fields of a fit, and `roles`
# and `blocks`, see table-blocks.R. The fits of blocks are by numbers, and have no blueprint but for their conditions.

#' @rdname fit_flow
#' @order 7
#' @section Tables of mixed columns: Factors, ordered or not, logical values and text are columns of `data`, and left
#'   sides of formulas, as numbers are: `fit_flow(iris)`, `fit_flow(Species ~ ., data = iris)`. Where stacks are
#'   fitted, so are columns of whole numbers that few values have (see `counts()` in [supports]) and columns of which
#'   many rows have one value, 0 among amounts or a bound (5 per cent of the rows at least). The distribution of such a
#'   table is a chain of blocks: first columns of levels, the fewest levels first, then whole numbers, then columns with
#'   atoms, then all others together, each block a fit of its own, given the columns before it and the conditions.
#'   Log densities are exact: of probabilities for levels, whole numbers and atoms, of densities for other values; that
#'   is, with respect to counting measure for the former and Lebesgue measure for the latter. Draws have the classes and
#'   levels of the columns. A level that no row has is unlikely but possible where the factor knows it; others are
#'   refused in points to evaluate. `layers`, `base`, `control` and settings of the training are those of the last
#'   block; the others are stacks ([stack_members()]) in any case.
#'
#'   Such a fit is of class `bijectr_table`, with the fields of a stack but `members`, `folds`, `held_out`, `left_out`,
#'   and: `roles`, of each column a list of `kind` (`"levels"`, `"whole"`, `"atoms"` or `"line"`) and what belongs to
#'   it;
#'   `blocks`, lists of `kind`, `columns` and `given` (numbers of columns) and `fit`, an ordinary fit of the codes and
#'   numbers of the block. `reference$flow` is the mean log density of rows held out, that of each
#'   block by its share of the rows, and `held_out_loglik` as much for all rows.
#'   [conditional()] and [marginal()] make distributions of it, [impute()] fills gaps.
#' @name fit_flow
NULL

# list(z, codecs, names): columns of data to fit as numbers, those of levels as codes; of other columns what
# as_fit_data() says. NULL where there is no column of levels.
open_levels <- function(data) {
  if (has_levels(data)) data <- list2DF(list(data))
  if (!is.list(data) || !inherits(data, "data.frame") && is.object(data)) return(NULL)
  data <- open_data(data, "data")
  of_levels <- vapply(data, has_levels, NA)
  if (!any(of_levels)) return(NULL)
  if (nrow(data) < 2) stop_arg("{.arg data} must have at least two rows, not {nrow(data)}.")
  codecs <- rep(list(NULL), length(data))
  names <- if (all(nzchar(names(data) %||% ""))) names(data)
  columns <- as.list(data)
  for (j in which(of_levels)) {
    x <- columns[[j]]
    label <- names[j] %||% as.character(j)
    if (anyNA(x)) {
      stop_arg(c(
        "{.arg data} has a value that cannot be used: row {which(is.na(x))[1]}, column {.field {label}} is NA.",
        i = "{.code na.omit(data)} leaves such rows out; {.code addNA()} makes a level of what is missing."
      ))
    }
    count <- length(unique(x))
    if (count < 2) stop_arg("Column {.field {label}} of {.arg data} has one level in these rows: leave it out.")
    if (count == length(x)) {
      stop_arg("Column {.field {label}} of {.arg data} has a level of its own in every row, as names have: leave it
                out.")
    }
    codecs[[j]] <- codec_levels(x)
    columns[[j]] <- encode(codecs[[j]], x)
  }
  numbers <- which(!of_levels)
  if (length(numbers)) {
    rest <- as_fit_data(data[numbers], cure = "{.code na.omit(data)} leaves such rows out.")
    found <- column_codecs(rest, "data")
    for (k in seq_along(numbers)) {
      codecs[[numbers[k]]] <- found[[k]] %||% CODEC_NUMBER
      columns[[numbers[k]]] <- encode(found[[k]], column(rest, k))
    }
  }
  list(z = stats::setNames(columns, names), codecs = codecs, names = names)
}

# The same of data without such columns, as as_fit_data() gives them.
open_numbers <- function(data) {
  codecs <- column_codecs(data, "data")
  list(z = encode_columns(data, codecs), codecs = codecs, names = column_names(data))
}

# The roles of the columns of opened data; NULL where no blocks are needed. `find`: whether they are looked for, as in
# stacks.
table_roles <- function(opened, weights, rules, find) {
  z <- opened$z
  n <- n_rows(z)
  weights <- check_weights(weights, n)
  supports <- given_supports(rules$support, rules$lower, rules$upper, n_columns(z), opened$names, opened$codecs)
  roles <- column_roles(z, opened$codecs, supports, weights, list(train = seq_len(n)), find && rules$whole)
  if (!needs_blocks(roles)) return(NULL)
  for (j in seq_along(roles)) if (roles[[j]]$kind == "levels") roles[[j]]$names <- opened$codecs[[j]]$levels
  tell_whole(roles, column_labels(z), supports)
  list(roles = roles, supports = supports)
}

tell_whole <- function(roles, labels, supports) {
  found <- which(role_kinds(roles) == "whole" & vapply(supports, is.null, NA))
  found <- found[vapply(roles[found], function(role) role$step == 1, NA)]
  if (!length(found)) return(invisible())
  says <- sprintf("list(%s = %s)", labels[found[1]], counts_call(roles[[found[1]]]$support))
  warn_counts(labels[found], says, "real()")
}

# `fit_block(kind, points, condition, weights, rules, levels, seconds, progress)` fits one block; `by_formula` is what
# formula_parts() says; `own` whether the last block has layers or settings of the user's: it is the first to be fitted
# then, as what is wrong in them should be told before anything is computed.
fit_table <- function(opened, found, condition, weights, rules, seconds, progress, fit_block, call, form,
                      by_formula = NULL, own = FALSE) {
  started <- Sys.time()
  elapsed <- function() as.double(Sys.time() - started, units = "secs")
  if (rules$collinear == "drop") stop_arg("{.code collinear = \"drop\"} is for tables of numbers with densities.")
  z <- opened$z
  n <- n_rows(z)
  weights <- check_weights(weights, n)
  counted <- if (is.null(weights)) seq_len(n) else which(weights > 0)
  rows <- count_effective(list(train = seq_len(n), validation = integer()), weights)
  condition <- as_fit_condition(condition, n)
  levels <- coded_levels(by_formula$model, column_names(condition))
  side <- table_side(z, condition, rows$train, weights, rules, by_formula, levels)
  given <- if (!is.null(condition)) encode_columns(condition, side$codecs)
  roles <- found$roles
  blocks <- table_blocks(roles, z)
  seeds <- sample.int(.Machine$integer.max, length(blocks))
  auto <- identical(rules$support, "auto")
  rules[c("support", "lower", "upper")] <- list(if (auto) "auto", NULL, NULL)
  job_of <- function(k) {
    block <- blocks[[k]]
    i <- intersect(block_rows(block, roles, z), counted)
    at <- condition_of_block(block, roles, z, column_labels(z), given, levels, i)
    list(
      seed = seeds[k], kind = block$kind, share = sum_of_weights(i, weights) / sum_of_weights(counted, weights),
      points = stats::setNames(points_of_block(block, roles, z, i), column_labels(z)[block$columns]),
      condition = if (!is.null(at)) list2DF(at$columns), weights = weights[i], levels = at$levels,
      rules = c(block_rules(block, roles, rules, found$supports), list(groups = at$groups))
    )
  }
  waiting <- seq_along(blocks)
  for (now in block_turns(length(blocks), seconds, own)) {
    jobs <- lapply(now, job_of)
    if (!is.null(seconds)) {
      columns <- lengths(lapply(blocks[waiting], `[[`, "columns"))
      jobs[[1]]$seconds <- max(seconds - elapsed(), 1e-3) * length(blocks[[now]]$columns) / sum(columns)
    }
    blocks[now] <- fit_blocks(blocks[now], jobs, fit_block, progress, blocks[setdiff(seq_along(blocks), waiting)], now)
    waiting <- setdiff(waiting, now)
  }
  plan <- list(
    names = opened$names, codecs = opened$codecs, condition = side, response = by_formula$response, form = form,
    dropped = NULL
  )
  new_table(blocks, roles, plan, rows, n_columns(z), length(side$codecs), list(
    call = call, formula = if (!is.null(by_formula)) bare_formula(by_formula$formula), standardize = rules$standardize,
    na.action = by_formula$na_action, digest = data_digest(z, given, by_formula$formula),
    nobs = count_rows(n, weights), seconds = elapsed()
  ), sum_of_weights(counted, weights))
}

# Which of n blocks are fitted together: each by itself, as its members run side by side; but where the user's plan has
# workers all before the last, which is as a rule the largest by far, so that no worker waits for the end of each.
block_turns <- function(n, seconds, own) {
  turns <- if (is.null(seconds) && n > 2 && future_workers() > 1) list(seq_len(n - 1), n) else as.list(seq_len(n))
  if (own) rev(turns) else turns
}

# `blocks`, the numbers `at` of a table, with their fits and shares. `done` are those fitted before.
fit_blocks <- function(blocks, jobs, fit_block, progress, done, at) {
  work <- block_worker(fit_block, RNGkind(), progress && length(jobs) == 1)
  if (length(jobs) == 1) {
    fits <- list(keep_blocks(done, work(jobs[[1]]), at))
  } else {
    fits <- guarded(in_futures(jobs, or_error(work), one_each = TRUE, tick = progress_ticks(length(jobs))))
    if (inherits(fits, "interrupt")) keep_blocks(done, list(status = "interrupted"), at[1])
    if (inherits(fits, "error")) keep_blocks(done, stop(fits), at[1])
    failed <- vapply(fits, inherits, NA, "error")
    for (k in seq_along(fits)) {
      beside <- fits[!failed & seq_along(fits) != k]
      keep_blocks(done, if (failed[k]) stop(fits[[k]]) else fits[[k]], at[k], beside)
    }
  }
  Map(function(block, job, fit) replace(block, c("fit", "share"), list(fit, job$share)), blocks, jobs, fits)
}

# In frames of their own, as workers are sent all that is in them.
block_worker <- function(fit_block, random, progress) {
  force(list(fit_block, random, progress))
  function(job) {
    with_seed_of(job$seed, random, within_blocks(fit_block(
      job$kind, job$points, job$condition, job$weights, job$rules, job$levels, job$seconds, progress
    )))
  }
}

or_error <- function(work) {
  force(work)
  function(job) tryCatch(work(job), error = identity)
}

# The user's conditions, as a blueprint has them; NULL without any.
table_side <- function(z, condition, train, weights, rules, by_formula, levels) {
  if (is.null(condition)) return(NULL)
  side <- blueprint(
    list(seq_len(n_rows(z)) + 0), condition, train, by_formula$model, weights = weights, extrapolate = rules$extrapolate
  )$condition
  if (!is.null(levels)) side$levels <- levels
  side
}

block_rules <- function(block, roles, rules, supports) {
  role <- roles[[block$columns[1]]]
  codes <- switch(block$kind, levels = role$count, atoms = length(role$atoms) + 1)
  rules$whole <- block$kind %in% c("levels", "whole", "atoms")
  rules$nominal <- block$kind == "atoms" || block$kind == "levels" && !role$ordered
  rules["given"] <- list(
    if (!is.null(codes)) list(counts(0, codes - 1))
    else if (block$kind == "whole") list(role$support)
    else unname(supports[block$columns])
  )
  rules
}

# `total`: the weight of all rows, of which the blocks speak of shares.
new_table <- function(blocks, roles, plan, rows, d, d_condition, fields, total) {
  fits <- lapply(blocks, `[[`, "fit")
  share <- vapply(blocks, `[[`, 0, "share")
  flow <- sum(share * vapply(fits, function(fit) fit$reference$flow %||% NA_real_, 0))
  of_normal <- stats::setNames(rep(list(NA_real_), length(REFERENCE_FIELDS)), REFERENCE_FIELDS)
  known <- c(fields, list(
    loss = loss_maximum_likelihood(), control = fits[[length(fits)]]$control, rows = rows,
    status = worst_status(fits), steps = sum(vapply(fits, `[[`, 0, "steps")), epochs = 0, history = NO_HISTORY,
    loglik = sum(vapply(fits, function(fit) fit$loglik %||% NA_real_, 0)),
    held_out_loglik = flow * total, reference = replace(of_normal, "flow", flow)
  ))
  head <- list(format = FORMAT_VERSION, d = d, d_condition = d_condition)
  structure(
    c(head, plan, fit_fields(known), list(roles = roles, blocks = blocks)),
    class = c("bijectr_table", "bijectr_fit", "bijectr_flow")
  )
}

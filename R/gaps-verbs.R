# Verbs of fits to tables with gaps, see gaps.R.

# It may come from a file: the fits are looked at by their own verbs.
check_gaps_fit <- function(fit) {
  if (!identical(fit[["format"]], FORMAT_VERSION)) check_format(fit[["format"]])
  d <- fit[["d"]]
  if (!(one_number(d) && are_places(d, 1e6))) stop_damaged("d")
  side <- fit[["condition"]]
  d_condition <- fit[["d_condition"]]
  if (!(one_number(d_condition) && are_places(d_condition + 1, 1e6))) stop_damaged("d_condition")
  of_columns <- function(names, codecs, d) {
    (is.null(names) || is.character(names) && length(names) == d) && is.list(codecs %||% list()) &&
      length(codecs) %in% c(0, d)
  }
  if (!of_columns(fit[["names"]], fit[["codecs"]], d)) stop_damaged("names")
  if (!is.list(side %||% list()) || !of_columns(side[["names"]], side[["codecs"]], d_condition)) {
    stop_damaged("condition")
  }
  check_blueprint(fit)
  fields <- c("call", "formula", "na.action", "rows", "status", "steps", "seconds", "nobs", "loglik", "held_out_loglik")
  for (field in fields) {
    if (!FIT_FIELDS[[field]](fit[[field]])) stop_damaged(field)
  }
  k <- length(fit[["gaps"]])
  if (!are_places(fit[["gaps"]], d)) stop_damaged("gaps")
  if (!is.numeric(fit[["center"]]) || length(fit[["center"]]) != k) stop_damaged("center")
  patterns <- fit[["patterns"]]
  whole <- is.list(patterns) && is.logical(patterns[["missing"]]) && identical(ncol(patterns[["missing"]]), k) &&
    is.numeric(patterns[["weight"]]) && length(patterns[["weight"]]) == nrow(patterns[["missing"]]) &&
    all(patterns[["weight"]] >= 0) && is.numeric(patterns[["rate"]]) && length(patterns[["rate"]]) == k
  if (!isTRUE(whole) || anyNA(patterns$missing)) stop_damaged("patterns")
  for (block in fit[["blocks"]]) {
    whole <- is.list(block) && are_places(block[["columns"]], d) && are_places(block[["given"]], d) &&
      are_places(block[["flags"]], k) && inherits(block[["fit"]], "bijectr_fit")
    if (!isTRUE(whole)) stop_damaged("blocks")
  }
  columns <- unlist(lapply(fit$blocks, `[[`, "columns"))
  if (!identical(sort(as.numeric(columns)), as.numeric(seq_len(d)))) stop_damaged("blocks")
  fit
}

# New points, whose missing values are gaps: list(z, missing, given, off), `off` as take_in() has it.
take_gaps <- function(fit, x, condition) {
  if (missing(x)) stop_arg("{.arg newdata} is missing.")
  side <- take_side(fit, x, "newdata", gaps = TRUE)
  z <- side$points
  missing <- is_missing(z)
  for (j in setdiff(which(colSums(missing) > 0), fit$gaps)) {
    row <- which(missing[, j])[1]
    stop_arg(c(
      "{.arg newdata} has a value that cannot be used: row {row}, column {.field {column_label(z, j)}} is NA.",
      i = "That column had no gaps in the data of the fit."
    ))
  }
  list(z = z, missing = missing, given = take_condition(fit, condition, n_rows(z), x, gaps = TRUE), off = side$off)
}

#' @rdname logdensity
#' @order 3
#' @export
logdensity.bijectr_gaps_fit <- function(object, newdata, condition = NULL, ..., into = NULL) {
  check_unused(...)
  check_gaps_fit(object)
  if (!is.null(into) || is_source(newdata)) {
    return(logdensity_in_blocks(newdata, condition, into, function(rows) logdensity(object, rows, condition)))
  }
  at <- take_gaps(object, newdata, condition)
  out <- rep(NA_real_, n_rows(at$z))
  kept <- which(rep_len(!rows_with_gaps(at$given), length(out)))
  given <- if (!is.null(at$given)) keep_rows(at$given, kept)
  out[kept] <- gaps_log_density(object, keep_rows(at$z, kept), at$missing[kept, , drop = FALSE], given)
  if (!is.null(at$off)) out[at$off & !is.na(out)] <- -Inf
  out
}

#' @rdname sample
#' @order 3
#' @param gaps For a fit with `na = "model"`: whether draws have gaps as the data have. `FALSE` gives whole rows:
#'   columns without gaps as before, the others given these as if no value were missing.
#' @export
sample.bijectr_gaps_fit <- function(x, size = 1, condition = NULL, gaps = TRUE, ..., into = NULL) {
  check_unused(...)
  check_gaps_fit(x)
  check_flag(gaps, "gaps")
  if (!is.null(into)) return(sample_in_blocks(x, size, condition, into, function(k) sample(x, k, condition, gaps)))
  size <- check_count(size, "size", min = 0)
  at <- rows_to_draw(x, size, condition)
  name_rows(draw_gappy(x, at$n, at$condition, gaps), at$of)
}

#' @export
drawn_as_data.bijectr_gaps_fit <- function(object, n, condition) draw_gappy(object, n, condition, TRUE)

draw_gappy <- function(x, n, condition, gaps) {
  z <- name_columns(matrix(0, n, x$d), x$names)
  missing <- matrix(FALSE, n, x$d)
  if (n > 0) {
    given <- take_condition(x, condition, n)
    missing[, x$gaps] <- draw_patterns(x$patterns, n)
    seen <- missing
    for (block in x$blocks) {
      # in the place of gaps stand draws that see each other: given the columns without gaps, as if none were missing
      if (!gaps && block$columns[1] %in% x$gaps) seen[] <- FALSE
      of_block <- block_condition(x, block, z, seen, given, seq_len(n))
      z[, block$columns] <- within_blocks(draw_points(block$fit, n, of_block))
    }
  }
  if (gaps) z[missing] <- NA
  give_back(x, tell_nan_but(z, missing), drawn = TRUE)
}

# Gaps are no warning, other values that are no numbers are.
tell_nan_but <- function(z, missing) {
  tell_nan(ifelse(missing, 0, z), "The draw")
  z
}

#' @export
simulate.bijectr_gaps_fit <- function(object, nsim = 1, seed = NULL, n = object$nobs, condition = NULL, gaps = TRUE,
                                      ...) {
  check_unused(...)
  check_gaps_fit(object)
  check_flag(gaps, "gaps")
  draw <- function(n) draw_gappy(object, n, condition, gaps)
  extrapolation_once(seeded_sets(nsim, seed, n, draw))
}

#' @export
predict.bijectr_gaps_fit <- function(object, newdata,
                                     type = c(
                                       "logdensity", "density", "latent", "distribution", "quantile", "response"
                                     ), condition = NULL, ...) {
  check_unused(...)
  check_gaps_fit(object)
  type <- check_choice(type, eval(formals()$type), "type")
  switch(type,
    logdensity = logdensity(object, newdata, condition),
    density = exp(logdensity(object, newdata, condition)),
    response = stop_arg(c(
      "A fit with {.code na = \"model\"} has no mean of the response by itself: rows have gaps or are whole.",
      i = "The mean of whole draws is {.code colMeans(sample(object, 1e4, condition, gaps = FALSE))}."
    )),
    latent = stop_arg(c(
      "{.code type = \"latent\"} needs one flow, but a fit with {.code na = \"model\"} is several: what is missing in a
       row has no point on a base side.",
      i = "Its flows are {.code object$blocks[[1]]$fit} and so on; {.fn logdensity} works on all."
    )),
    stop_arg(c(
      "{.code type = \"{type}\"} needs one flow of one coordinate, but a fit with {.code na = \"model\"} is several.",
      i = "Probabilities can be had from draws: {.code mean(sample(object, 1e5, gaps = FALSE)[[1]] < 3)}."
    ))
  )
}

#' @export
flow_supports.bijectr_gaps_fit <- function(flow) supports_of_blocks(flow, flow$blocks)

#' @export
formula.bijectr_gaps_fit <- function(x, ...) {
  check_gaps_fit(x)
  if (is.null(x$formula)) stop_arg("This fit was not made by formula: it has none.")
  stats::as.formula(x$formula, parent.frame())
}

#' @export
terms.bijectr_gaps_fit <- function(x, ...) stats::terms(formula.bijectr_gaps_fit(x))

#' @export
nobs.bijectr_gaps_fit <- function(object, ...) check_gaps_fit(object)$nobs

#' @export
coef.bijectr_gaps_fit <- function(object, ...) {
  unlist(lapply(stats::setNames(check_gaps_fit(object)$blocks, block_labels(object)), function(b) coef(b$fit)))
}

#' @export
logLik.bijectr_gaps_fit <- function(object, newdata = NULL, condition = NULL, ...) {
  check_unused(...)
  check_gaps_fit(object)
  each <- if (!is.null(newdata)) logdensity(object, newdata, condition)
  value <- if (is.null(each)) object$loglik else sum(each)
  structure(value,
    df = length(coef(object)) + nrow(object$patterns$missing) - 1,
    nobs = if (is.null(each)) object$nobs else length(each),
    class = "logLik"
  )
}

block_labels <- function(fit) {
  vapply(fit$blocks, function(block) paste(coordinate_labels(fit)[block$columns], collapse = ", "), "")
}

#' @export
print.bijectr_gaps_fit <- function(x, ...) {
  check_gaps_fit(x)
  n <- nrow(x$patterns$missing)
  size <- format(length(coef(x)), big.mark = ",")
  cat("<flow fit of a table with gaps> ", format_coordinates(x), ", ", size, " parameters\n", sep = "")
  shares <- paste0(coordinate_labels(x)[x$gaps], " (", format(100 * x$patterns$rate, digits = 2, trim = TRUE), " %)")
  cat("  gaps:    ", shorten_list(shares), ", ", n, if (n == 1) " pattern" else " patterns", "\n", sep = "")
  for (k in seq_along(x$blocks)) {
    given <- x$blocks[[k]]$given
    cat("  block ", k, ": ", block_labels(x)[k],
      if (length(given)) paste0(" given ", shorten_list(coordinate_labels(x)[given])), "\n", sep = ""
    )
  }
  print_supports(x)
  if (is.finite(x$held_out_loglik %||% NA)) {
    cat("  mean log density of held-out rows: ", format_nats(x$held_out_loglik / length(x$rows$validation)), "\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @export
summary.bijectr_gaps_fit <- function(object, ...) {
  check_unused(...)
  check_gaps_fit(object)
  structure(list(fit = object, blocks = lapply(object$blocks, function(block) summary(block$fit))),
    class = "summary.bijectr_gaps_fit"
  )
}

#' @export
print.summary.bijectr_gaps_fit <- function(x, ...) {
  print(x$fit)
  for (k in seq_along(x$blocks)) {
    cat("\nBlock ", k, " (", block_labels(x$fit)[k], ")\n", sep = "")
    print(x$blocks[[k]])
  }
  invisible(x)
}

#' Fill the gaps of a table
#'
#' Draws for missing values from the conditional distribution, under a fit, of what is missing in a row given what is
#' there: multiple imputation.
#'
#' @param fit A fit of a joint density, or a flow, of columns without gaps: `fit_flow(na.omit(data))`.
#' @param data A data frame or matrix with the columns of the fit, and others, which stay as they are; `NA` is missing.
#' @param m Number of completed tables.
#' @param condition For a fit that is itself conditional: its conditioning variables, one row or one a row of `data`;
#'   fits by formula find them in `data`.
#' @param draws How many weighted draws there are for a row, where they are not exact, see [conditional()].
#' @param type `"mids"`, a `mids` object of the mice package, for its `complete()`, `with()` and `pool()`; `"list"`, a
#'   list of `m` tables; `NULL`: a `mids` object where mice is installed and `data` is a data frame, else a list.
#' @param ... Not used.
#' @return A list of `m` tables like `data` without gaps in the columns of the fit, or a `mids` object; with attribute
#'   `"ess"`: for each row with gaps the effective number of draws from which its values were taken (`draws` where these
#'   are exact). Below 50 there is a warning of class `bijectr_warning_ess`.
#' @references Rubin (1987), *Multiple imputation for nonresponse in surveys*, \doi{10.1002/9780470316696}. van Buuren,
#'   Groothuis-Oudshoorn (2011), *mice: multivariate imputation by chained equations in R*, Journal of Statistical
#'   Software 45(3), \doi{10.18637/jss.v045.i03}.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' gappy <- iris[c(1, 51, 101), ]
#' gappy$Petal.Width[1] <- NA
#' gappy$Species[3] <- NA
#' impute(fit, gappy, m = 2, type = "list")
#' @export
impute <- function(fit, data, m = 5, condition = NULL, draws = 500, type = NULL, ...) {
  check_unused(...)
  check_given("fit", "data")
  check_object(fit)
  m <- check_count(m, "m")
  draws <- check_count(draws, "draws", min = 100)
  if (!is.null(type)) type <- check_choice(type, c("mids", "list"), "type")
  if (!is.data.frame(data) && !is.matrix(data)) stop_arg("{.arg data} must be a data frame or a matrix.")
  has_mice <- requireNamespace("mice", quietly = TRUE)
  if (is.null(type)) type <- if (has_mice && is.data.frame(data) && ncol(data) > 1) "mids" else "list"
  if (type == "mids" && !(has_mice && is.data.frame(data))) {
    stop_arg("{.code type = \"mids\"} needs a data frame and the package {.pkg mice}.")
  }
  check_divisible(fit)
  labels <- coordinate_labels(fit)
  if (is.null(colnames(data)) && ncol(data) == fit$d) colnames(data) <- labels
  z <- all_rows(take_points(data, fit$d, labels, fit$codecs, "data", gaps = TRUE))
  given <- if (fit$d_condition > 0) all_rows(take_condition(fit, condition, nrow(z), if (is.data.frame(data)) data))
  filled <- fill_rows(fit, z, given, m, draws)
  if (any(filled$ess < LEAST_ESS)) {
    cli::cli_warn(c(
      "The draws of {sum(filled$ess < LEAST_ESS)} row{?s} of {.arg data} are worth less than {LEAST_ESS}: what is there
       is far from draws of the fit, or nearly determines what is missing.",
      i = "More {.arg draws} help."
    ), class = "bijectr_warning_ess")
  }
  missing <- is.na(z)
  for (k in seq_len(m)) filled$z[, , k] <- settled_draws(fit, matrix(filled$z[, , k], nrow(z)))
  values <- lapply(seq_len(fit$d), function(j) {
    i <- which(missing[, j])
    value <- decode(fit$codecs[[j]], as.vector(filled$z[i, j, ]))
    list(rows = i, value = as_settled(list(value), fit$codecs[j])[[1]])
  })
  if (is.data.frame(data)) {
    for (j in which(vapply(fit$codecs, is_levels, NA) & colSums(missing) > 0)) {
      x <- data[[labels[j]]]
      data[[labels[j]]] <- open_to_levels(x, values[[j]]$value)
      if (is.character(x)) values[[j]]$value <- as.character(values[[j]]$value)
    }
  }
  out <- if (type == "mids") {
    as_imputed(data, labels, values, m)
  } else {
    lapply(seq_len(m), function(k) {
      for (j in seq_along(values)) {
        i <- values[[j]]$rows
        if (length(i)) data[i, labels[j]] <- values[[j]]$value[(k - 1) * length(i) + seq_along(i)]
      }
      data
    })
  }
  structure(out, ess = filled$ess)
}

# A column that can take `value`: gaps alone have no class; factors may lack levels.
open_to_levels <- function(x, value) {
  if (all(is.na(x))) return(value[rep(NA_integer_, length(x))])
  if (is.factor(x)) factor(x, union(levels(x), levels(value)), ordered = is.ordered(x)) else x
}

# list(z, ess): an array of rows, columns and `m` completions, and of each row the effective number of draws.
fill_rows <- function(fit, z, condition, m, draws) {
  out <- array(z, c(dim(z), m))
  ess <- rep(NA_real_, nrow(z))
  missing <- is.na(z)
  gaps <- which(rowSums(missing) > 0)
  proposal <- NULL
  for (i in split(gaps, pattern_key(missing[gaps, , drop = FALSE]))) {
    known <- which(!missing[i[1], ])
    exact <- is_exact_given(fit, known)
    if (!exact && is.null(proposal)) proposal <- make_proposal(fit, known, condition)
    each <- if (exact) m else draws
    for (rows in row_chunks(length(i), PART_CHUNK %/% each)) {
      part <- i[rows]
      here <- if (!is.null(condition)) rows_at(condition, if (n_rows(condition) == 1) 1L else part)
      found <- weighted_rows(fit, z[part, , drop = FALSE], known, proposal, here, each)
      weight <- matrix(found$log_weight, each)
      ess[part] <- if (exact) draws else weigh_columns(weight)$ess
      for (r in seq_along(part)) {
        w <- weight[, r]
        chosen <- if (exact) seq_len(m) else sample.int(each, m, TRUE, if (any(w > -Inf)) exp(w - max(w)))
        out[part[r], , ] <- t(found$z[(r - 1) * each + chosen, , drop = FALSE])
      }
    }
  }
  list(z = out, ess = ess[gaps])
}

# A mids object with these values.
as_imputed <- function(data, labels, values, m) {
  # the skeleton alone: mice would leave out columns of which it could make nothing
  out <- suppressWarnings(mice::mice(as.data.frame(data),
    m = m, maxit = 0, printFlag = FALSE, remove.constant = FALSE, remove.collinear = FALSE
  ))
  for (j in seq_along(values)) {
    i <- values[[j]]$rows
    if (!length(i)) next
    out$method[[labels[j]]] <- "bijectr"
    for (k in seq_len(m)) out$imp[[labels[j]]][[k]] <- values[[j]]$value[(k - 1) * length(i) + seq_along(i)]
  }
  out
}

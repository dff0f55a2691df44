# What check_flow() looks at: a fit and rows, as numbers of the core.

# At most so many rows, without and with conditions.
CHECK_ROWS <- c(5000, 1000)

# A fit and rows as numbers of the core, list(
#   flow        the fit with a blueprint of plain numbers: draws and points are matrices, as are conditions
#   x, given    the rows, and their conditions or NULL; `off`: rows that have no place in the density whatever it says
#   train       number of rows that the fit was made from; used, of: see ?check_flow
#   lebesgue    whether its densities are with respect to Lebesgue measure
#   rows        which of the user's rows these are
#   single      whether it is one map; labels, codecs: of the coordinates
#   notes       what is to be said, of which row_notes are of the rows alone)
# `names` are those that the user's function has for `data` and `condition`, `most` as CHECK_ROWS.
check_subject <- function(fit, data, condition, weights = NULL, names = c("data", "condition"), most = CHECK_ROWS) {
  gappy <- inherits(fit, "bijectr_gaps_fit")
  if (gappy) check_gaps_fit(fit) else check_object(fit)
  taken <- rows_to_check(fit, data, condition, weights, gappy, names, most)
  what <- if (gappy) {
    "A fit with na = \"model\""
  } else if (is_stack(fit)) {
    "A stack"
  } else if (is_table(fit)) {
    "A table of mixed columns"
  } else if (is_part(fit) || is_whole(fit)) {
    "Such a distribution"
  }
  single <- is.null(what)
  notes <- c(taken$notes, if (!single) {
    paste(
      what, "has no single map: latent coordinates, round trip and Jacobian are left out."
    )
  })
  given <- taken$given
  if (!gappy && is_whole(fit)) {
    notes <- c(notes, "Whole numbers have places at random between those of the numbers next to them.")
  } else if (!is.null(taken$observed)) {
    rows <- taken$observed
    if (any(rows$from > -Inf | rows$to < Inf)) {
      stop_arg("{.arg {names[1]}} has entry times: rows that were not seen are missing from what would be looked at.")
    }
    notes <- c(notes, "Censored times are looked at by times that the fit draws where they can be.")
    drawn <- matrix(drawn_within(plain_flow(fit), rows$lower, rows$upper, given))
    taken$x <- name_columns(drawn, colnames(taken$x))
  }
  flow <- plain_flow(fit)
  if (!gappy && is_whole(fit)) flow$codecs <- fit$codecs
  list(
    flow = flow, x = taken$x, given = given, off = taken$off, train = rows_behind(fit), of = taken$of,
    rows = taken$rows, used = taken$used, single = single, gappy = gappy,
    lebesgue = !gappy && !is_whole(fit) && !is_table(fit) && !(is_part(fit) && is_table(fit$of)),
    labels = coordinate_labels(fit),
    conditions = if (!is.null(given)) fit$condition$names %||% paste("condition", seq_len(ncol(given))),
    codecs = fit$codecs, notes = notes, row_notes = taken$notes
  )
}

plain_flow <- function(fit) {
  fit[c("codecs", "condition", "response", "form", "dropped")] <- list(NULL)
  fit
}

rows_behind <- function(fit) {
  n <- fit$rows$effective %||% length(fit$rows$train)
  if (n == 0) n <- fit$nobs %||% Inf
  n
}

rows_to_check <- function(fit, data, condition, weights, gappy, names, most) {
  side <- take_side(fit, data, names[1], gaps = TRUE)
  x <- all_rows(side$points)
  of <- n_rows(x)
  given <- take_condition(fit, condition, of, data, gaps = TRUE, argument = names[2])
  if (!is.null(given)) given <- all_rows(given)
  off <- rep_len(side$off %||% FALSE, of)
  weights <- check_weights(weights, of)
  kept <- which(!rows_with_gaps(given) & (gappy | !rows_with_gaps(x)))
  notes <- if (length(kept) < of) paste(of - length(kept), "rows with missing values are left out.")
  observed <- side$observed
  rows <- rows_of_fit(fit, x, given, kept, observed)
  if (rows$used == "training") {
    notes <- c(notes, "These are rows that the fit was trained on, which flatter it: rows that it never saw say more.")
  }
  i <- rows$rows
  if (!is.null(weights)) {
    i <- i[stats::runif(length(i)) * max(weights[i]) < weights[i]]
    notes <- c(notes, paste(length(i), "rows were drawn in proportion to their weights."))
  }
  most <- rep_len(most, 2)[if (is.null(given)) 1 else 2]
  if (length(i) > most) i <- sort(i[sample.int(length(i), most)])
  if (length(i) < 5) {
    stop_arg(
      "{.arg {names[1]}} must have at least 5 rows to look at, not {length(i)}: fewer tell nothing of a density."
    )
  }
  if (length(i) < 20) notes <- c(notes, "So few rows tell little.")
  list(
    x = named_rows(x[i, , drop = FALSE], fit$names),
    given = if (!is.null(given)) named_rows(given[i, , drop = FALSE], fit$condition$names),
    observed = observed_at(side$observed, i), off = off[i], of = of, rows = i, used = rows$used, notes = notes
  )
}

# Whether these are the rows of the fit, and which of them to look at.
rows_of_fit <- function(fit, x, given, kept, observed) {
  before <- fit$digest
  other <- list(rows = kept, used = "given")
  if (is.null(before) || before$rows != length(kept)) return(other)
  told <- told_again(fit, x[kept, , drop = FALSE], observed_at(observed, kept))
  now <- data_digest(told, if (!is.null(given)) given[kept, , drop = FALSE], fit$formula)
  if (!identical(before$data, now$data)) return(other)
  held_out <- kept[fit$rows$validation]
  if (length(held_out) >= 10) list(rows = held_out, used = "held out") else list(rows = kept, used = "training")
}

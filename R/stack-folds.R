# The folds of a stack: which rows its members are fitted to, and which are held out.

# Which fold each row is in, 0 for rows that are never held out, and which rows have a positive weight: list(of, count,
# repeats, counted). Few rows are cut into fifths, each of which is held out from two flows of a kind, for what counts
# is their mean; more rows, and rows with conditions, into tenths, of which some are held out, from one flow each. Many
# rows are split once.
FEW_ROWS <- 500
MANY_NUMBERS <- 6000 # more make flows expensive
SPLIT_MOST <- 10000

stack_folds <- function(problem, parts = NULL, fits = NULL) {
  counted <- counted_rows(problem$data, problem$weights)
  n <- length(counted)
  few <- n < FEW_ROWS && problem$d_condition == 0
  parts <- min(parts %||% if (few) 5 else 10, n)
  fits <- fits %||% if (few) 10 else if (n >= MANY_ROWS) 1 else if (n * problem$d > MANY_NUMBERS) 3 else 5
  count <- min(fits, parts)
  part <- rep_len(seq_len(parts), n)[sample.int(n)]
  part[part > count] <- 0L
  if (count == 1 && n > SPLIT_MOST * parts) part[which(part == 1)[-seq_len(SPLIT_MOST)]] <- 0L
  of <- integer(problem$n)
  of[counted] <- part
  list(of = of, count = as.integer(count), repeats = ceiling(fits / parts), counted = counted)
}

# Rows that a flow is trained on and validated by, without those of a fold.
VALIDATION_SHARE <- 1 / 8

fold_rows <- function(folds, fold, validate) {
  rows <- folds$counted[folds$of[folds$counted] != fold]
  if (!validate) return(list(train = rows, validation = integer()))
  n <- length(rows)
  held_out <- sort(rows[sample.int(n, max(2, min(round(VALIDATION_SHARE * n), SPLIT_MOST)))])
  list(train = setdiff(rows, held_out), validation = held_out)
}

# Whether the rows that each fold leaves are enough for a normal of maximum likelihood; given conditions it is a t
# distribution, which knows how little they are.
judges_normal <- function(problem, folds) {
  if (problem$d_condition > 0) return(TRUE)
  known <- vapply(seq_len(folds$count), function(fold) {
    rows <- fold_rows(folds, fold, FALSE)$train
    effective_rows(length(rows), problem$weights[rows])
  }, 0)
  enough_for_normal(min(known), problem$d)
}

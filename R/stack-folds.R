# The folds of a stack: which rows its members are fitted to, and which are held out.

# list(of, told, part, count, fits, counted, group): `of`, which fold each row is in, 0 for rows that are never held
# out; `told`, the rows that are, and `part`, their folds; `counted`, the rows of positive weight, and `group`,
# numbers of those that are equal, NULL where none are. Few rows are cut into fifths, each of which is held out from
# two flows of a kind, for what counts is their mean; more rows, and rows with conditions, into tenths, of which some
# are held out, from one flow each. Censored times say less each: few of them are all held out, from one flow of a kind.
# Many rows are split once, with conditions from 20,000 on. `fits`: flows of a kind.
# Equal rows are held out together: a copy among the training rows would make a density that peaks at the rows look
# good.
FEW_ROWS <- 500
SOME_ROWS <- 1000
MANY_NUMBERS <- 6000 # more make flows expensive
SPLIT_MOST <- 10000
FEW_LEVELS <- 12 # of so few values members over these say enough

stack_folds <- function(problem, parts = NULL, fits = NULL) {
  counted <- counted_rows(problem$data, problem$weights)
  n <- length(counted)
  times <- n < FEW_ROWS && identical(problem$rows_are, "times")
  few <- n < FEW_ROWS && problem$d_condition == 0
  parts <- min(parts %||% if (few || times) 5 else 10, n)
  fits <- fits %||% if (times) {
    5
  } else if (few) {
    10
  } else if (length(problem$values) %in% seq_len(FEW_LEVELS) && n < SOME_ROWS) {
    parts # whose members are no flows, and soon fitted
  } else if (n >= MANY_ROWS && (problem$d_condition == 0 || n >= 4 * MANY_ROWS)) {
    1
  } else if (problem$d_condition > 0 && n * problem$d > 4 * MANY_NUMBERS) {
    2
  } else if (n >= MANY_ROWS || n * problem$d > MANY_NUMBERS) {
    3
  } else if (problem$d_condition > 0) {
    4
  } else {
    5
  }
  count <- min(fits, parts)
  group <- equal_counted(problem, counted)
  part <- deal_rows(n, parts, group)
  part[part > count] <- 0L
  if (count == 1 && n > SPLIT_MOST * parts) part[which(part == 1)[-seq_len(SPLIT_MOST)]] <- 0L
  of <- integer(problem$n)
  of[counted] <- part
  new_folds(of, counted, group, fits)
}

new_folds <- function(of, counted, group, fits = NULL) {
  told <- which(of > 0)
  list(
    of = of, told = told, part = of[told], count = max(of), fits = fits, counted = counted, group = group
  )
}

# The folds of a stack again, for the data that it was made of.
folds_again <- function(stack, problem) {
  counted <- counted_rows(problem$data, problem$weights)
  new_folds(stack$folds, counted, equal_counted(problem, counted))
}

# Rows that lie in intervals, as whole numbers do, agree by their nature, and a probability does not grow without bound.
equal_counted <- function(problem, counted) {
  rows <- observed_at(problem$observed, counted)
  if (!is.null(rows) && all(rows$lower < rows$upper)) return(NULL)
  equal_rows(c(rows %||% columns_at(problem$data, counted), columns_at(problem$condition, counted)))
}

# Rows that a flow is trained on and validated by, without those of a fold.
VALIDATION_SHARE <- 1 / 8

fold_rows <- function(folds, fold, validate) {
  kept <- folds$of[folds$counted] != fold
  rows <- folds$counted[kept]
  if (!validate) return(list(train = rows, validation = integer()))
  size <- max(2, min(round(VALIDATION_SHARE * length(rows)), SPLIT_MOST))
  at <- if (is.null(folds$group)) {
    sample.int(length(rows), size)
  } else {
    order(sample.int(max(folds$group))[folds$group[kept]])[seq_len(size)]
  }
  list(train = rows[-at], validation = sort(rows[at]))
}

# Whether the rows that each fold leaves are enough for a normal of maximum likelihood; given conditions it is a t
# distribution, which knows how little they are.
judges_normal <- function(problem, folds) {
  if (problem$d_condition > 0) return(TRUE)
  known <- vapply(seq_len(folds$count), function(fold) {
    effective_number(fold_rows(folds, fold, FALSE)$train, problem$weights)
  }, 0)
  enough_for_normal(min(known), problem$d)
}

# What nets do with conditions before they read them as numbers: which are codes that they look up, which are
# observations of one set, and which say how many observations there are.

# The uses that the nets in `x` make of conditions, as a list of list(of, columns, ...), with `columns` by their numbers
# among the flow's; `x` are layers, a base, a net, or a list of such.
#   of = "codes"  each of `columns` holds codes of `levels` levels
#   of = "count"  each of `columns` holds a number of observations, up to `most`
#   of = "set"    `columns` hold observations of one variable, which stand for each other. `place`: which observation
#                 each of them is, and `count` the column that says how many there are, NULL where all are there
# `seen`: for each condition that the nets are given the numbers of the flow's that it is; several for a net that sees
# one observation of a set after the other, none for numbers that a net in front has made.
condition_uses <- function(x, seen) UseMethod("condition_uses")

#' @export
condition_uses.default <- function(x, seen) {
  if (!is.list(x)) return(list())
  unlist(lapply(unclass(x), condition_uses, seen), recursive = FALSE, use.names = FALSE)
}

# Those of one sort, of d conditions of a flow. Columns beyond are none: the core refuses such nets.
uses_of <- function(of, x, d) Filter(function(use) use$of == of, condition_uses(x, as.list(seq_len(d))))

# ---- codes and counts, which stay as they are ------------------------------------------------------------------------

# For each of d conditions one more than the largest whole number that it may hold: how many levels of it the tables
# have in which it is looked up, at the least; 0 where it may be any number.
whole_levels <- function(x, d) {
  levels <- integer(d)
  fewer <- function(columns, most) {
    levels[columns] <<- ifelse(levels[columns] > 0, pmin(levels[columns], most), most)
  }
  for (use in uses_of("codes", x, d)) fewer(use$columns, use$levels)
  for (use in uses_of("count", x, d)) fewer(use$columns, use$most + 1L)
  levels
}

# Encoded conditions, by the blueprint. Conditions that an earlier version has standardised are no codes; nor is there a
# check for flows without data, whose nets give NaN beyond the levels.
check_codes <- function(condition, side, name = "condition") {
  levels <- side$levels
  if (is.null(levels)) return(invisible())
  for (j in which(levels > 0)) {
    value <- column(condition, j)
    bad <- which(value < 0 | value > levels[j] - 1 | value != round(value))
    if (!length(bad)) next
    label <- if (is.null(side$names)) j else side$names[j]
    stop_arg(c(
      "Column {.field {label}} of {.arg {name}} must hold whole numbers from 0 to {levels[j] - 1L}:
       row {bad[1]} is {format(value[bad[1]], digits = 15)}.",
      i = "The layers read them as codes of levels, {.fn net_embedding}, or as numbers of observations, {.fn net_set}."
    ))
  }
}

# ---- observations of sets, which are standardised alike --------------------------------------------------------------

# The sets of `x`, list(columns, place, count), as condition_uses() has them; those that share a column are one.
pooled_sets <- function(x, d) {
  sets <- list()
  for (use in uses_of("set", x, d)) {
    shared <- vapply(sets, function(set) any(set$columns %in% use$columns), NA)
    sets <- c(sets[!shared], list(Reduce(joined_sets, sets[shared], use)))
  }
  sets
}

# What one of them counts, counts.
joined_sets <- function(a, b) {
  if (!setequal(a$columns, b$columns) || !identical(a[c("place", "count")], b[c("place", "count")])) {
    a["place"] <- a["count"] <- list(NULL)
  }
  a$columns <- union(a$columns, b$columns)
  a
}

# All observations of a set as one column of points, list(x, weights), from some rows of conditions that are encoded but
# for standardisation. What is beyond the count of a row has no weight.
pooled_column <- function(set, x, rows, weights) {
  values <- lapply(set$columns, function(j) column_at(x, j, rows))
  every <- if (!is.null(weights)) rep(weights[rows], length(values))
  counted <- if (!is.null(set$count)) {
    unlist(Map(function(count, place) column_at(x, count, rows) >= place, set$count, set$place)) * (every %||% 1)
  }
  list(x = matrix(unlist(values)), weights = if (any(counted > 0)) counted else every)
}

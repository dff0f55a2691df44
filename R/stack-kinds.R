# Which kinds of members suit a problem.

# The kinds that suit a problem, of all or of those that were `chosen`, and why others do not: list(kinds, left_out),
# see stack.R. That some kinds cannot be given conditions, or are for other rows, is told only of those that were asked
# for.
ROWS_ARE <- c(
  points = "numbers with a density", whole = "whole numbers", levels = "levels", times = "censored times"
)

stack_kinds <- function(problem, folds, chosen) {
  kinds <- member_kinds()
  if (!is.null(chosen)) {
    kinds <- kinds[intersect(names(kinds), chosen)]
  } else {
    if (problem$d_condition > 0) kinds <- Filter(function(kind) kind$conditional, kinds)
    if (!problem$found_supports) kinds$beyond <- NULL
    kinds <- Filter(function(kind) length(kind_sizes(kind, problem)) > 0, kinds)
    if (length(problem$values) %in% seq_len(FEW_LEVELS)) kinds[c("student_t", "spline", "spline_t", "affine_t")] <- NULL
    if (is.null(problem$values)) kinds[c("frequencies", "linear", "local")] <- NULL
    if (problem$d_condition == 0) kinds[GIVEN_CONDITIONS] <- NULL
    if (is_even_count(problem)) kinds[c("negative_binomial", "zero_inflated")] <- NULL
    if (frequencies_say_all(problem)) kinds <- kinds["frequencies"]
    kinds <- Filter(function(kind) problem$rows_are %in% kind$of, kinds)
  }
  n <- effective_number(problem$rows$train, problem$weights)
  why <- vapply(names(kinds), function(name) {
    kind <- kinds[[name]]
    if (!kind$conditional && problem$d_condition > 0) return("it cannot be given conditions")
    if (!problem$rows_are %in% kind$of) return(paste("it is not for", ROWS_ARE[[problem$rows_are]]))
    if ("levels" %in% kind$of && is.null(problem$values)) return("it is for few values")
    if (name %in% GIVEN_CONDITIONS && problem$d_condition == 0) return("it is for columns that are given conditions")
    if (!length(kind_sizes(kind, problem))) {
      return(if ("points" %in% kind$of) "there are no conditions of few values" else "it is for counts with no largest")
    }
    few <- n < kind$rows[1] || name == "normal" && is.null(chosen) && !judges_normal(problem, folds)
    if (few) "too few rows" else if (n > kind$rows[2]) "too many rows" else ""
  }, "")
  list(kinds = kinds[why == ""], left_out = why[why != ""])
}

GIVEN_CONDITIONS <- c("cells", "nearby", "linear", "local")

# Of few values, all of which are known, and many rows of each.
frequencies_say_all <- function(problem) {
  if (is.null(problem$values) || problem$d_condition > 0) return(FALSE)
  if (problem$rows_are == "levels") return(TRUE)
  support <- problem$rules$given[[1]]
  is.finite(support$lower) && is.finite(support$upper) && problem$n > ROWS_A_VALUE * length(problem$values)
}

ROWS_A_VALUE <- 50

kind_sizes <- function(kind, problem) if (is.function(kind$sizes)) kind$sizes(problem) else kind$sizes

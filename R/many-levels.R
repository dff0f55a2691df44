# Factors with many levels on the right side of a formula: each becomes one column of codes, 0 for its first level,
# which net_embedding() looks up, and not a column for every level but one.

MANY_LEVELS <- 10 # more are looked up, where a net does that
MOST_INDICATORS <- 50 # more must be

# The names of these factors among the `levels` of a formula's factors. `layers` are those of the call: NULL, a flow
# that has its codes already, or layers, which look codes up if they have a net that does.
coded_factors <- function(terms, levels, layers) {
  if (inherits(layers, "bijectr_flow")) return(layers$condition$model$codes)
  many <- names(levels)[lengths(levels) > MANY_LEVELS]
  if (!length(many)) return(NULL)
  used <- attr(terms, "factors") > 0
  alone <- many %in% colnames(used) & rowSums(used[many, , drop = FALSE]) == 1
  looks_up <- is.null(layers) || length(uses_of("codes", layers, 0)) > 0
  too_many <- lengths(levels[many]) > MOST_INDICATORS & !(looks_up & alone)
  if (any(too_many)) {
    factor <- many[too_many][1]
    n <- length(levels[[factor]])
    stop_arg(c(
      "{.field {factor}} has {n} levels, too many for a column each.",
      i = if (!alone[too_many][1]) "Levels are looked up in a table where the factor is only a term of its own.",
      i = if (!looks_up) "The default {.arg layers} look levels up in a table, as layers with {.fn net_embedding} do."
    ))
  }
  if (looks_up && any(alone)) many[alone]
}

# The terms of a formula without these factors; NULL if none are left.
uncoded_terms <- function(terms, codes) {
  coded <- which(attr(terms, "term.labels") %in% codes)
  if (!length(coded)) return(terms)
  if (length(coded) < length(attr(terms, "term.labels"))) stats::drop.terms(terms, coded)
}

# Their columns, in a frame of the variables. Levels that the fit has not seen have been refused before.
code_columns <- function(frame, levels, codes) {
  columns <- lapply(codes, function(name) match(as.character(frame[[name]]), levels[[name]]) - 1)
  matrix(as.double(unlist(columns)), nrow(frame), length(codes), dimnames = list(NULL, codes))
}

# For each column of conditions, the number of levels of which it holds codes, or 0; NULL without a coded factor.
coded_levels <- function(model, names) {
  if (is.null(model$codes)) return(NULL)
  levels <- integer(length(names))
  levels[match(model$codes, names)] <- lengths(model$levels[model$codes])
  levels
}

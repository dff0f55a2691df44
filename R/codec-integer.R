# Columns that were stored as integers: plain numbers (codec.R), of which draws are integers again. Points that were not
# drawn, as quantiles, means and what a map gives, stay what they are.

is_integer_codec <- function(codec) isTRUE(codec$integer)

# Encoded draws, those of integers rounded, and never onto an end of the support: a draw of 0.3 of what is above 0 is
# 1. What was left out as a linear function of others is one of these, then.
settled_draws <- function(flow, z) {
  whole <- which(vapply(flow$codecs, is_integer_codec, NA))
  supports <- if (length(whole)) flow_supports(flow)
  for (j in whole) {
    x <- round(z[, j])
    # ends of the support, and values of positive probability of their own, are not rounded to
    taken <- c(supports[[j]]$lower, supports[[j]]$upper, column_roles_of(flow)[[j]]$atoms)
    onto <- which(x %in% taken & x != z[, j])
    x[onto] <- ifelse(z[onto, j] > x[onto], ceiling(z[onto, j]), floor(z[onto, j]))
    z[, j] <- x
  }
  z
}

# Decoded draws, as a list of columns. Numbers that no integer can hold stay as they are.
as_settled <- function(columns, codecs) {
  whole <- vapply(codecs, is_integer_codec, NA)
  columns[whole] <- lapply(columns[whole], function(x) {
    fits <- is.na(x) | x == round(x) & abs(x) <= .Machine$integer.max
    if (all(fits)) as.integer(x) else x
  })
  columns
}

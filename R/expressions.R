# Walks through R expressions.

# Sums and products of many parts nest as deep as they are long, a + b + c being (a + b) + c; R's stack is not as deep.
# `goes` says which of them to enter, `innermost` gives what is made of the first part that is none, and `next_one` what
# is made of a call around it.
along_chain <- function(e, goes, innermost, next_one) {
  around <- list()
  while (is_chain(e) && goes(e)) {
    around[[length(around) + 1]] <- e
    e <- e[[2]]
  }
  made <- innermost(e)
  for (call in rev(around)) made <- next_one(call, made)
  made
}

is_chain <- function(e) {
  plain <- is.call(e) && length(e) == 3 && is.name(e[[1]]) && is.null(names(e))
  plain && as.character(e[[1]]) %in% c("+", "-", "*", "/")
}

# An expression with other parts: `part` gives what stands for one, or NULL.
replace_parts <- function(e, part) {
  along_chain(e, function(e) is.null(part(e)), function(e) {
    put <- part(e)
    if (!is.null(put)) return(put)
    if (is.call(e) && length(e) > 1) {
      e[-1] <- lapply(e[-1], function(one) if (is_empty_argument(one)) one else replace_parts(one, part))
    }
    e
  }, function(call, first) {
    call[[2]] <- first
    call[[3]] <- replace_parts(call[[3]], part)
    call
  })
}

# The nothing before a comma, as in x[, 1].
is_empty_argument <- function(e) is.symbol(e) && !nzchar(as.character(e))

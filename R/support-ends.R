# The ends of supports: numbers, or values of a class that says what numbers mean.

is_far <- function(x) !is.object(x) && is.infinite(x)

# One number, which may be `far`, or one value of a class that says what numbers mean.
support_end <- function(x, name, far = NULL) {
  if (inherits(x, "POSIXlt")) x <- as.POSIXct(x)
  if (!is.null(far) && length(x) == 1 && (is.numeric(x) || has_unit(x)) && as_stored(x) %in% far) return(far)
  if (!has_unit(x)) return(check_number(x, name))
  if (length(x) != 1 || !is.finite(as_stored(x))) {
    stop_arg("{.arg {name}} must be one value that is finite, not {.obj_type_friendly {x}} of length {length(x)}.")
  }
  unname(x)
}

# 0 is the same in all units.
is_bare_zero <- function(x, beside) {
  !is.object(x) && x == 0 && inherits(beside, c("difftime", "units"))
}

are_ascending <- function(lower, upper) {
  if (is_far(lower) || is_far(upper)) return(identical(lower, -Inf) || identical(upper, Inf))
  if (is_bare_zero(lower, upper)) return(as_stored(upper) > 0)
  if (is_bare_zero(upper, lower)) return(as_stored(lower) < 0)
  codec <- codec_of(lower)
  if (!accepts(codec, upper)) {
    stop_arg("{.arg lower} and {.arg upper} must be of one kind, not {.obj_type_friendly {lower}} and
              {.obj_type_friendly {upper}}.")
  }
  encode(codec, lower) < encode(codec, upper)
}

# An end, or another value of its column, in words.
format_end <- function(x, codec = NULL, digits = NULL) {
  if (!is.null(codec) && is.finite(x) && has_unit(decode(codec, x))) x <- decode(codec, x)
  if (has_unit(x)) return(trimws(format(x)))
  if (is.null(digits)) format_value(x) else format(x, digits = digits)
}

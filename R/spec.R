# A spec is a plain classed list: its kind, and the fields that the C core reads by name. Numbers, one string, a spec,
# a list of specs, or NULL for what is not given; anything else stays on the R side under a name that starts with a dot.
# A constructor writes every field of its kind: the core asks for each, and has no defaults.

new_spec <- function(family, kind, ...) {
  structure(
    list(kind = kind, ...),
    class = c(paste0("bijectr_", family, "_", kind), paste0("bijectr_", family), "bijectr_spec")
  )
}

constructor_name <- function(spec) sub("^bijectr_", "", class(spec)[1])

# The arguments of the call of its constructor that makes a spec: its fields that are called as the arguments are.
arguments <- function(spec) UseMethod("arguments")

#' @export
arguments.default <- function(spec) {
  constructor <- get0(constructor_name(spec), asNamespace("bijectr"), mode = "function")
  spec <- unclass(spec)
  spec[names(spec) %in% names(formals(constructor))]
}

# The call that makes it, short of arrays of more than `most` numbers, and of digits after so many. print() gives one
# that can be pasted.
#' @export
format.bijectr_spec <- function(x, most = 6, digits = 6, ...) not_too_deep(format_spec(x, most, digits))

format_spec <- function(x, most, digits) {
  values <- Filter(Negate(is.null), arguments(x))
  shown <- vapply(values, format_value, character(1), most = most, digits = digits)
  if (length(names(shown))) shown <- paste(names(shown), "=", shown)
  paste0(constructor_name(x), "(", paste(shown, collapse = ", "), ")")
}

format_value <- function(v, most = 6, digits = 6) {
  if (inherits(v, "bijectr_spec")) return(format_spec(v, most, digits))
  if (is.list(v) && length(v) > most) return(paste(length(v), "specifications"))
  if (is.list(v)) {
    return(paste0("list(", paste(vapply(v, format_value, character(1), most, digits), collapse = ", "), ")"))
  }
  if (length(v) == 0) return(deparse(v))
  if (is.function(v)) return(format_function(v, most))
  if (length(v) > most) return(paste(length(v), if (is.numeric(v)) "numbers" else "values"))
  shown <- if (is.character(v)) {
    encodeString(v, quote = "\"")
  } else if (is.logical(v)) {
    as.character(v)
  } else {
    vapply(unname(v), shortest_number, "", digits)
  }
  if (length(v) == 1) return(shown)
  vector <- paste0("c(", paste(shown, collapse = ", "), ")")
  if (is.matrix(v)) paste0("matrix(", vector, ", ", nrow(v), ")") else vector
}

# In short one with several lines is its arguments alone.
format_function <- function(f, most) {
  lines <- deparse(f)
  if (length(lines) == 1 || most >= PASTED_MOST) return(paste(lines, collapse = "\n"))
  paste0("function(", paste(names(formals(f)), collapse = ", "), ") ...")
}

# In no more digits than it takes to tell a number from others.
shortest_number <- function(x, digits) {
  short <- format(x, digits = min(digits, 15), trim = TRUE)
  if (digits <= 15 || identical(as.double(short), as.double(x))) short else format(x, digits = digits, trim = TRUE)
}

# Arrays that are longer are no code that anybody pastes.
PASTED_MOST <- 1000

#' @export
print.bijectr_spec <- function(x, ...) {
  call <- format(x, PASTED_MOST, 17)
  lines_count <- grepl("\n", call, fixed = TRUE) # those of a function
  cat(if (lines_count) call else strwrap(call, exdent = 2), sep = "\n")
  invisible(x)
}

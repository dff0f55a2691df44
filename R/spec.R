# A spec is a plain classed list: its kind, and the fields that the C core reads by name. Numbers, one string, a spec,
# a list of specs, or NULL for what is not given; anything else stays on the R side under a name that starts with a dot.
# A constructor writes every field of its kind: the core asks for each, and has no defaults.

new_spec <- function(family, kind, ...) {
  structure(
    list(kind = kind, ...),
    class = c(paste0("bijectr_", family, "_", kind), paste0("bijectr_", family), "bijectr_spec")
  )
}

spec_family <- function(x) sub("^bijectr_", "", utils::tail(class(x), 2)[1])

#' @export
format.bijectr_spec <- function(x, ...) {
  fields <- unclass(x)
  fields <- fields[names(fields) != "kind" & !startsWith(names(fields), ".") & lengths(fields) > 0]
  paste0(spec_family(x), "_", x$kind, "(", paste0(format_fields(fields), collapse = ", "), ")")
}

format_fields <- function(fields) {
  value <- vapply(fields, function(v) {
    if (inherits(v, "bijectr_spec")) return(format(v))
    if (is.list(v)) return(paste0("list of ", length(v)))
    if (is.character(v)) return(paste0("\"", v, "\""))
    if (length(v) > 6) return(paste0(length(v), " numbers"))
    shown <- format(v, digits = 6, trim = TRUE)
    if (length(v) == 1) shown else paste0("c(", paste(shown, collapse = ", "), ")")
  }, character(1))
  paste(names(fields), "=", value)
}

#' @export
print.bijectr_spec <- function(x, ...) {
  cat(strwrap(format(x), exdent = 2), sep = "\n")
  invisible(x)
}

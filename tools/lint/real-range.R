# A number that no float holds, 1e-300 or DBL_MIN, would be 0 or Inf where a real is one, or lose what it is for: it
# stands in a BY_REAL(), beside the one for a float.
function() {
  decimal <- "\\b\\d+\\.?\\d*e[-+]?(3[89]|[4-9]\\d|\\d{3,})\\b"
  binary <- "\\b0x1p[-+]?(12[6-9]|1[3-9]\\d|[2-9]\\d{2}|\\d{4,})\\b"
  # without the calls of BY_REAL(), to the parenthesis that ends each, and no more than these
  outside <- function(file) {
    text <- paste(c_code(file), collapse = "\n")
    at <- gregexpr("\\bBY_REAL(\\((?:[^()]|(?1))*\\))", text, perl = TRUE)
    regmatches(text, at) <- list(gsub("[^\n]", " ", regmatches(text, at)[[1]]))
    strsplit(text, "\n", fixed = TRUE)[[1]]
  }
  complain(
    project_files("^src/core/[^/]*\\.[ch]$"), paste0(decimal, "|", binary, "|\\bDBL_"),
    "a number that goes by the type of a real", outside
  )
}

# Sizes of the vectors of at least n doubles that an expression allocates. Needs capabilities("profmem").
copies <- function(expr, n) {
  file <- tempfile()
  on.exit(unlink(file))
  utils::Rprofmem(file, threshold = 8 * n - 1)
  force(expr)
  utils::Rprofmem(NULL)
  sizes <- sub(" :.*", "", readLines(file))
  as.numeric(grep("^[0-9]+$", sizes, value = TRUE))
}

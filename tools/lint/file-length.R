# Short files: a kind that needs more than 400 lines of C or 300 of R is often two. A warning, not an error.
function() {
  long <- function(files, most) {
    lines <- vapply(files, function(f) length(readLines(f, warn = FALSE)), 0L)
    over <- lines > most
    if (any(over)) sprintf("warning: %s:1: %d lines, more than %d", files[over], lines[over], most)
  }
  c(long(project_files("^src/.*\\.[ch]$"), 400L), long(project_files("^R/.*\\.R$"), 300L))
}

# Lines of C end at 120 columns, as lintr asks of R. clang-format breaks code, but leaves comments alone.
function() {
  read <- function(f) readLines(f, warn = FALSE, encoding = "UTF-8")
  complain(project_files("^(src|tools)/.*\\.[ch]$"), "^.{121,}$", "longer than 120 columns", reader = read)
}

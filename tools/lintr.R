# lintr over R/, tests/ and tools/ with the rules of .lintr. Without lintr it says so and passes.
if (!requireNamespace("lintr", quietly = TRUE)) {
  cat("lintr is not installed: skipped\n")
  quit()
}
found <- unlist(lapply(c("R", "tests", "tools"), function(dir) as.list(lintr::lint_dir(dir))), recursive = FALSE)
for (l in found) cat(sprintf("%s:%d: %s\n", l$filename, l$line_number, l$message))
if (length(found)) quit(status = 1)

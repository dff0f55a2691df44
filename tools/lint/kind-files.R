# A kind is one base name in src/core/, R/ and tests/testthat/, so that a reader finds all of it, and no kind is without
# its conformance test. Base distributions, a few lines each, may share R/base.R and tests/testthat/test-base.R.
function() {
  no_kind <- c("scalar-common", "layer-common", "net-common", "field-common", "base-common")
  kinds <- sub("\\.c$", "", basename(project_files("^src/core/(layer|scalar|net|field|solver|base)-[^/]*\\.c$")))
  kinds <- setdiff(kinds, no_kind)
  need <- function(pattern) {
    path <- sprintf(pattern, kinds)
    together <- sprintf(pattern, sub("^base-.*", "base", kinds))
    missing <- !file.exists(path) & !file.exists(together)
    if (any(missing)) sprintf("src/core/%s.c:1: has no %s", kinds[missing], path[missing])
  }
  c(need("R/%s.R"), need("tests/testthat/test-%s.R"))
}

# A kind is a row of a table in src/core/kinds.c, and one base name in src/core/, R/ and tests/testthat/, so that a
# reader finds all of it and no kind is without its conformance test. Its further files are parts,
# `<family>-<kind>-<part>.c`. What kinds of a family share is in `<family>-common.*`.
function() {
  kinds <- as.data.frame(bijectr:::native_kinds()) # of the package as installed: rules run after tools/install.sh
  base <- paste0(kinds$family, "-", kinds$name)

  need <- c(sprintf("src/core/%s.c", base), sprintf("R/%s.R", base), sprintf("tests/testthat/test-%s.R", base))
  missing <- need[!file.exists(need)]

  files <- project_files(sprintf("^src/core/(%s)-[^/]*\\.c$", paste(unique(kinds$family), collapse = "|")))
  stem <- sub("\\.c$", "", basename(files))
  owner <- vapply(stem, function(s) any(s == base | startsWith(s, paste0(base, "-"))), logical(1))
  stray <- files[!owner & !grepl("-(common|default)$", stem)]
  c(
    sprintf("src/core/kinds.c:1: a kind of its tables has no %s", missing),
    sprintf("%s:1: is neither a kind of src/core/kinds.c nor a part of one", stray)
  )
}

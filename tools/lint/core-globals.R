# The core has no changing globals: it runs on several threads, and a fit must not depend on what ran before it.
# Compiled without -fpic, constant tables of function pointers stay in read-only sections, so that whatever nm calls
# data (d), bss (b) or common (c) can be written to.
function() {
  if (Sys.info()[["sysname"]] != "Linux" || !nzchar(Sys.which("gcc")) || !file.exists("src/core/core.c")) return(NULL)
  object <- tempfile(fileext = ".o")
  on.exit(unlink(object))
  status <- system2("gcc", c("-std=gnu99", "-fno-pic", "-O0", "-c", "src/core-baseline.c", "-o", object),
    stdout = FALSE, stderr = FALSE
  )
  if (status != 0) return("src/core-baseline.c:1: does not compile")
  symbols <- grep("^[0-9a-f]+ [dDbBcC] ", system2("nm", object, stdout = TRUE), value = TRUE)
  if (length(symbols)) sprintf("src/core-baseline.c:1: %s is a global that can change", sub("^\\S+ . ", "", symbols))
}

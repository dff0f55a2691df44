# Does what vignettes/extending.Rmd says: copies the sources, applies the code blocks of the vignette to the copy, and
# there writes the documentation, installs, lints, formats, tests, and runs the sessions that the page shows. So no
# block of the page can rot unseen.
#
#   Rscript --vanilla tools/check-extending.R [save]
#
# A block with `data-file=` is a file or the next piece of one; with `data-after=` too, lines to be inserted after the
# first line of an existing file that has this text. A block with `data-run=` is a session: what it prints, and the
# objects that `data-keep=` names, are stored in vignettes/precomputed/extending.rds if "save" is given; the vignette
# shows them.
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
root <- normalizePath(file.path(dirname(script), ".."))
save <- "save" %in% commandArgs(TRUE)
page <- readLines(file.path(root, "vignettes/extending.Rmd"), encoding = "UTF-8")

attribute <- function(head, name) {
  found <- regmatches(head, regexec(paste0(" data-", name, "=\"([^\"]*)\""), head))[[1]]
  if (length(found)) found[2] else NA
}
open <- grep("^```\\{\\.[a-z]+ ", page)
fence <- grep("^```$", page)
blocks <- lapply(open, function(i) {
  list(
    lines = page[seq(i + 1, length.out = min(fence[fence > i]) - i - 1)], file = attribute(page[i], "file"),
    after = attribute(page[i], "after"), run = attribute(page[i], "run"), keep = attribute(page[i], "keep"), at = i
  )
})
if (!length(blocks)) stop("vignettes/extending.Rmd has no code blocks")

# ---- the copy --------------------------------------------------------------------------------------------------------

copy <- tempfile("extending-")
dir.create(copy)
setwd(root)
parts <- c("DESCRIPTION", "NAMESPACE", "LICENSE", "NEWS.md", "R", "src", "man", "tests", "tools", "bench", "inst")
invisible(file.copy(c(parts[file.exists(parts)], "Makefile", ".clang-format"), copy, recursive = TRUE))
setwd(copy)
unlink(list.files("src", pattern = "\\.(o|so|dll)$", full.names = TRUE))

written <- character()
for (b in blocks) {
  if (is.na(b$file)) next
  if (is.na(b$after)) {
    new <- !(b$file %in% written)
    if (new && file.exists(b$file)) stop("extending.Rmd:", b$at, ": ", b$file, " exists already")
    # pieces of a file are a blank line apart
    cat(if (!new) "", b$lines, file = b$file, sep = "\n", append = !new)
  } else {
    old <- readLines(b$file, encoding = "UTF-8")
    at <- grep(b$after, old, fixed = TRUE)
    if (!length(at)) stop("extending.Rmd:", b$at, ": ", b$file, " has no line with ", b$after)
    writeLines(append(old, b$lines, at[1]), b$file, useBytes = TRUE)
  }
  written <- union(written, b$file)
}
cat("applied to a copy:", written, sep = "\n  ")

# ---- what the page tells to do ---------------------------------------------------------------------------------------

Sys.setenv(R_LIBS = file.path(copy, ".lib"))
step <- function(name, command, ...) {
  started <- proc.time()[[3]]
  out <- suppressWarnings(system2(command, c(...), stdout = TRUE, stderr = TRUE))
  status <- attr(out, "status")
  cat(sprintf("%-10s %4.0f s\n", name, proc.time()[[3]] - started))
  if (!is.null(status)) {
    cat(tail(out, 60), sep = "\n")
    stop(name, " failed", call. = FALSE)
  }
  out
}
rscript <- file.path(R.home("bin"), "Rscript")
run <- function(code) {
  file <- tempfile(fileext = ".R")
  writeLines(code, file)
  c("--vanilla", file)
}
invisible(step("document", "make", "document"))
invisible(step("install", "sh", "tools/install.sh", ".lib"))
invisible(step("lint", rscript, "--vanilla", "tools/lint/run.R"))
if (nzchar(Sys.which("clang-format"))) invisible(step("format", "sh", "tools/format.sh", "check"))

shown <- list(tests = character())
kinds <- sub("\\.c$", "", basename(grep("^src/core/[a-z]+-.*\\.c$", written, value = TRUE)))
for (filter in c(kinds, "kinds")) {
  out <- step("test", rscript, "--vanilla", "tools/test.R", filter)
  shown$tests <- c(shown$tests, paste0("make test FILTER=", filter, ": ", tail(out, 1)))
}
for (b in blocks) {
  if (is.na(b$run)) next
  keep <- if (!is.na(b$keep)) strsplit(b$keep, " ")[[1]]
  file <- tempfile(fileext = ".rds")
  code <- c(
    "options(width = 88)", "suppressMessages(library(bijectr))", b$lines,
    sprintf("saveRDS(mget(%s), '%s')", deparse(as.character(keep)), file)
  )
  out <- step(b$run, rscript, run(code))
  shown[[b$run]] <- if (length(keep)) lapply(readRDS(file), round, digits = 4) else out
}
if (save) {
  dir.create(file.path(root, "vignettes/precomputed"), showWarnings = FALSE)
  saveRDS(shown, file.path(root, "vignettes/precomputed/extending.rds"), compress = "xz")
}
setwd(root)
unlink(copy, recursive = TRUE)
for (name in names(shown)) if (is.character(shown[[name]])) cat("--", name, shown[[name]], sep = "\n")

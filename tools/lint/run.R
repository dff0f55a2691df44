# Runs every rule of this folder: Rscript --vanilla tools/lint/run.R [rule ...]
#
# A rule is a file with its reason in the head comment and one function as its value. The function takes nothing and
# returns complaints, "file:line: text"; those that start with "warning: " are printed and forgiven. The helpers below
# are what a rule may use.
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
setwd(file.path(dirname(script), "../.."))

# Files of the project whose path matches: git's list and new files, or all files where there is no git.
project_files <- local({
  all <- NULL
  function(pattern) {
    if (is.null(all)) {
      listed <- tryCatch(
        suppressWarnings(system2("git", c("-c", "safe.directory='*'", "ls-files", "-co", "--exclude-standard"),
          stdout = TRUE, stderr = FALSE
        )),
        error = function(e) character()
      )
      if (!length(listed)) {
        listed <- list.files(all.files = TRUE, recursive = TRUE)
        listed <- grep("^(\\.git|\\.lib[^/]*|\\.check)/|\\.(o|so|dll|png)$", listed, value = TRUE, invert = TRUE)
      }
      all <<- sort(listed[file.exists(listed)])
    }
    grep(pattern, all, value = TRUE)
  }
})

# Lines of C with comments and string contents blanked, so that a rule sees code only.
c_code <- function(file) {
  text <- paste(readLines(file, warn = FALSE), collapse = "\n")
  blank <- function(m) gsub("[^\n]", " ", m)
  at <- gregexpr("(?s)/\\*.*?\\*/|//[^\n]*|\"(?:[^\"\\\\\n]|\\\\.)*\"", text, perl = TRUE)
  is_include <- function(m, pos) grepl("#[ ]*include[ ]*$", substring(text, pmax(1, pos - 20), pos - 1))
  found <- regmatches(text, at)[[1]]
  keep <- if (length(found)) is_include(found, at[[1]]) else logical()
  regmatches(text, at) <- list(ifelse(keep, found, blank(found)))
  strsplit(text, "\n", fixed = TRUE)[[1]]
}

r_code <- function(file) sub("#.*$", "", readLines(file, warn = FALSE))

# Complaints for each line of `files` that matches a perl regular expression.
complain <- function(files, pattern, text, reader = c_code) {
  unlist(lapply(files, function(f) {
    at <- grep(pattern, reader(f), perl = TRUE)
    if (length(at)) sprintf("%s:%d: %s", f, at, text)
  }))
}

main <- function() {
  wanted <- commandArgs(TRUE)
  rules <- setdiff(list.files("tools/lint", pattern = "\\.R$"), "run.R")
  if (length(wanted)) rules <- intersect(rules, paste0(wanted, ".R"))
  bad <- 0
  for (rule in rules) {
    said <- source(file.path("tools/lint", rule), local = new.env(parent = globalenv()))$value()
    fatal <- said[!startsWith(as.character(said), "warning: ")]
    if (length(said)) cat(paste0(said, " [", sub("\\.R$", "", rule), "]"), sep = "\n")
    bad <- bad + length(fatal)
  }
  cat(length(rules), "house rules,", bad, "complaints\n")
  if (bad) quit(status = 1)
}
main()

# Spelling of help pages, vignettes, DESCRIPTION and the pages beside it, in American English. Names and terms that the
# dictionary does not know are in inst/WORDLIST; it has no others. `update` writes it anew: look at what that adds.
#
#   Rscript --vanilla tools/spelling.R [update]
#
# Without the package spelling it says so and passes.
if (!requireNamespace("spelling", quietly = TRUE)) {
  cat("spelling is not installed: skipped\n")
  quit()
}
pages <- c("CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "src/README.md")
in_package <- spelling::spell_check_package(".", use_wordlist = FALSE)
in_pages <- spelling::spell_check_files(pages, lang = "en-US")
unknown <- sort(unique(c(in_package$word, in_pages$word)), method = "radix")
if ("update" %in% commandArgs(TRUE)) writeLines(unknown, "inst/WORDLIST")
known <- readLines("inst/WORDLIST")
bad <- setdiff(unknown, known)
for (word in bad) {
  places <- unlist(c(in_package$found[in_package$word == word], in_pages$found[in_pages$word == word]))
  cat(sprintf("%s: %s\n", word, paste(places, collapse = " ")))
}
unused <- setdiff(known, unknown)
if (length(unused)) cat("inst/WORDLIST has words that are not used:", unused, "\n")
if (length(bad) || length(unused)) quit(status = 1)

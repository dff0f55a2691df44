# Renders vignettes into doc/: all, or those whose names match.
#
#   Rscript --vanilla tools/vignettes.R [filter]
#
# With BIJECTR_FULL set, results of long runs are computed anew and saved in vignettes/precomputed/.
args <- commandArgs(TRUE)
files <- list.files("vignettes", pattern = "\\.Rmd$", full.names = TRUE)
if (length(args)) files <- grep(args[1], files, value = TRUE)
if (!length(files)) stop("no vignette of that name")
dir.create("doc", showWarnings = FALSE)
for (file in files) {
  started <- Sys.time()
  # each in a process of its own, as R CMD build does
  status <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", "-e", shQuote(sprintf(
    "rmarkdown::render('%s', output_dir = 'doc', quiet = TRUE)", file
  ))))
  if (status != 0) quit(status = 1)
  html <- file.path("doc", sub("Rmd$", "html", basename(file)))
  cat(sprintf("%s: %.0f s, %.0f kB\n", html, as.numeric(Sys.time() - started, units = "secs"), file.size(html) / 1024))
}

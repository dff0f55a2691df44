# Runs the test suite on the installed package and closes with a line "N passed, N failed".
#
#   Rscript --vanilla tools/test.R [filter]
#
# Expectations are counted; an error outside an expectation is one failure. NOT_CRAN is set, so that skip_on_cran() does
# not skip. The status is 1 if anything failed or nothing ran.
Sys.setenv(NOT_CRAN = "true")
args <- commandArgs(TRUE)
filter <- if (length(args) && nzchar(args[[1]])) args[[1]]

library(testthat)
results <- as.data.frame(test_dir(
  "tests/testthat",
  package = "bijectr", load_package = "installed", filter = filter, reporter = SummaryReporter$new(),
  stop_on_failure = FALSE
))
passed <- sum(results$passed)
failed <- sum(results$failed) + sum(results$error)
seconds <- tapply(results$real, results$file, sum)
slow <- head(sort(seconds[seconds > 5], decreasing = TRUE), 5)
if (length(slow)) cat("slowest files:", sprintf("%s %.0f s", names(slow), slow), "\n", sep = " ")
if (sum(results$skipped)) cat(sum(results$skipped), "tests skipped\n")
cat(passed, " passed, ", failed, " failed\n", sep = "")
if (failed > 0 || passed == 0) quit(status = 1)

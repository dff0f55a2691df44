# Writes tests/testthat/fixtures/fit-digests.csv: for every instruction set of this machine, the digests of the
# parameters of the fits in tests/testthat/helper-fits.R, and those of their draws of R's generator afterwards.
#
#   Rscript --vanilla tools/make-digests.R
#
# The digests say that a change of the house changes no number. Run it only where numbers are meant to change, and say
# so in NEWS.md; rows of instruction sets that this machine does not have are kept.
library(bijectr)
source("tests/testthat/helper-fits.R")
file <- "tests/testthat/fixtures/fit-digests.csv"
old <- if (file.exists(file)) utils::read.csv(file)
options(bijectr.threads = 1)
new <- do.call(rbind, lapply(bijectr:::native_isa(), function(isa) {
  options(bijectr.isa = isa)
  rows <- lapply(names(digest_fits), function(name) {
    fit <- run_digest_fit(name)
    data.frame(isa = isa, fit = name, params = digest_numbers(fit$params), after = digest_numbers(stats::runif(2)))
  })
  do.call(rbind, rows)
}))
kept <- old[!old$isa %in% new$isa, ]
utils::write.csv(rbind(new, kept), file, row.names = FALSE, quote = FALSE)

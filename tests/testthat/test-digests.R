# The bits of trained parameters stay as they are: tools/make-digests.R says when and how the file is written anew.

test_that("fits give the parameters that they gave, bit for bit", {
  skip_on_cran()
  skip_if_instrumented() # other flags of the compiler, other bits
  stored <- utils::read.csv(test_path("fixtures", "fit-digests.csv"))
  sets <- intersect(native_isa(), stored$isa)
  skip_if(length(sets) == 0, "no digests for the instruction sets of this machine")
  expect_setequal(unique(stored$fit), names(digest_fits))
  withr::local_options(bijectr.threads = 1)
  for (isa in sets) {
    withr::local_options(bijectr.isa = isa)
    for (name in names(digest_fits)) {
      before <- stored[stored$isa == isa & stored$fit == name, ]
      fit <- run_digest_fit(name)
      expect_identical(digest_numbers(fit$params), before$params, info = paste(name, "on", isa))
      expect_identical(digest_numbers(stats::runif(2)), before$after, info = paste("R's generator after", name))
    }
  }
})

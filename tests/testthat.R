# testthat is suggested, not required.
if (requireNamespace("testthat", quietly = TRUE)) {
  library(testthat)
  library(bijectr)
  test_check("bijectr")
}

# A source of the rows of a data frame, in blocks of so many. `change(block, i, times)` may do something to what the
# `times`-th reading of block i gives.
source_of <- function(table, block = 5000, memory = 1, change = function(block, i, times) block, ...) {
  times <- new.env()
  n <- nrow(table)
  new_source(names(table), "`rows`", function(i) {
    key <- as.character(i)
    times[[key]] <- (times[[key]] %||% 0) + 1
    change(table[((i - 1) * block + 1):min(i * block, n), , drop = FALSE], i, times[[key]])
  }, n = n, n_block = ceiling(n / block), memory = memory, ...)
}

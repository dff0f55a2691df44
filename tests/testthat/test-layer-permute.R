test_that("permute, flip and roll", {
  wide <- 10^c(-300, -8, 3, 8, 150)
  expect_layer_ok(layer_permute(c(3, 1, 4, 2)), d = 4, extreme = wide)
  expect_layer_ok(layer_permute(1), d = 1, extreme = wide)
  expect_layer_ok(layer_permute(), d = 5, extreme = wide)
  expect_layer_ok(layer_flip(), d = 3, extreme = wide)
  expect_layer_ok(layer_roll(2), d = 5, extreme = wide)
})

test_that("the coordinates stand where the help says", {
  map <- function(layer, d) c(forward(flow(layer, d), t(seq_len(d)))$value)
  expect_identical(map(layer_permute(c(3, 1, 2)), 3), c(3, 1, 2))
  expect_identical(map(layer_flip(), 4), c(4, 3, 2, 1))
  expect_identical(map(layer_roll(1), 4), c(4, 1, 2, 3))
  expect_identical(map(layer_roll(-1), 4), c(2, 3, 4, 1))
  expect_identical(map(layer_roll(5), 4), c(4, 1, 2, 3))
  expect_identical(c(inverse(flow(layer_permute(c(3, 1, 2)), 3), t(1:3))$value), c(2, 3, 1))
})

test_that("random permutations follow the seed and are never the identity", {
  drawn <- function(seed, d) {
    set.seed(seed)
    flow(layer_permute(), d)$layers$layers[[1]]$permutation
  }
  expect_identical(drawn(1, 6), drawn(1, 6))
  expect_false(identical(drawn(1, 20), drawn(2, 20)))
  for (seed in 1:30) expect_false(identical(drawn(seed, 3), 1:3))
  expect_identical(drawn(1, 2), 2:1)
  expect_identical(drawn(1, 1), 1L)
})

test_that("wrong permutations are named", {
  expect_error(layer_permute(c(1, 1)), "permutation", class = "bijectr_error_argument")
  expect_error(layer_permute(c(0, 1)), "permutation", class = "bijectr_error_argument")
  expect_error(layer_permute("a"), "permutation", class = "bijectr_error_argument")
  expect_error(flow(layer_permute(c(2, 1)), d = 3), "permutation")
  expect_error(layer_roll(0.5), "shift", class = "bijectr_error_argument")
})

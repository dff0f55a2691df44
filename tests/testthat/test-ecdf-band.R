test_that("p-values of ranks are the shares of all samples that are as unlikely", {
  skip_if_not(exists("ranks_p_value", asNamespace("bijectr")))
  n <- 4
  m <- 5
  all <- as.matrix(expand.grid(rep(list(0:m), n)))
  smallest_tail <- apply(all, 1, function(ranks) {
    min(vapply(seq_len(m), function(j) {
      below <- sum(ranks < j)
      z <- j / (m + 1)
      2 * min(sum(dbinom(0:below, n, z)), sum(dbinom(below:n, n, z)))
    }, 0), 1)
  })
  exact <- vapply(smallest_tail, function(t) mean(smallest_tail <= t * (1 + 1e-9)), 0)
  expect_equal(apply(all, 1, ranks_p_value, m), exact, tolerance = 1e-10)
  # and bands hold the share of samples that they say
  band <- simultaneous_band(n, m, 0.2)
  out <- apply(all, 1, function(ranks) {
    below <- vapply(band$at, function(j) sum(ranks < j), 0)
    any(below < band$low | below > band$high)
  })
  expect_lte(mean(out), 0.2)
  expect_equal(mean(out), max(exact[exact <= 0.2]), tolerance = 1e-10)
})

test_that("p-values are uniform for uniform ranks, and small for others", {
  skip_if_not(exists("ranks_p_value", asNamespace("bijectr")))
  set.seed(1)
  p <- replicate(200, ranks_p_value(sample(0:99, 200, TRUE), 99))
  expect_gt(suppressWarnings(stats::ks.test(p, "punif", exact = FALSE))$p.value, 0.01)
  expect_lt(ranks_p_value(pmin(sample(0:99, 200, TRUE), sample(0:99, 200, TRUE)), 99), 1e-6)
  expect_gt(ranks_p_value(rep(0, 100), 99), 0)
  expect_lt(ranks_p_value(rep(0, 100), 99), 1e-100)
  expect_identical(ranks_p_value(c(NA, NA), 9), NA_real_)
})

# Two parameters with standard normal priors, seen with noise of standard deviation 1/2: the posterior of each is normal
# with mean 0.8 x and variance 0.2.
conjugate_pairs <- function(n) {
  theta <- matrix(stats::rnorm(2 * n), n, dimnames = list(NULL, c("a", "b")))
  list(theta = theta, data = theta + 0.5 * stats::rnorm(2 * n))
}

conjugate <- function(narrow = 1, shift = 0, tilt = 0) {
  force(narrow)
  function(data, draws) {
    z <- matrix(stats::rnorm(2 * draws), draws)
    z[, 2] <- tilt * z[, 1] + sqrt(1 - tilt^2) * z[, 2]
    data[rep(1, draws), ] * 0.8 + sqrt(0.2) * (shift + narrow * z)
  }
}

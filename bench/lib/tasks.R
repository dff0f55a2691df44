# Simulators of the benchmark of Lueckmann, Boelts, Greenberg, Goncalves, Macke (2021, AISTATS): each a `prior`, of the
# functions `sample(n)` and `log_density(x)` and a `support` for fit_flow(), and `simulate(x)`.
uniform_prior <- function(d, half) {
  list(
    sample = function(n) matrix(runif(n * d, -half, half), n), support = bounded(-half, half),
    log_density = function(x) ifelse(rowSums(abs(x) > half) == 0, -d * log(2 * half), -Inf)
  )
}
normal_prior <- function(root) {
  d <- nrow(root)
  list(
    sample = function(n) matrix(rnorm(n * d), n) %*% t(root), support = "real",
    log_density = function(x) colSums(dnorm(forwardsolve(root, t(x)), log = TRUE)) - sum(log(diag(root)))
  )
}

tasks <- list(
  two_moons = list(prior = uniform_prior(2, 1), simulate = function(x) {
    angle <- runif(nrow(x), -pi / 2, pi / 2)
    radius <- rnorm(nrow(x), 0.1, 0.01)
    cbind(
      radius * cos(angle) + 0.25 - abs(x[, 1] + x[, 2]) / sqrt(2), radius * sin(angle) + (x[, 2] - x[, 1]) / sqrt(2)
    )
  }),
  gaussian_mixture = list(prior = uniform_prior(2, 10), simulate = function(x) {
    x + ifelse(runif(nrow(x)) < 0.5, 1, 0.1) * rnorm(length(x))
  }),
  gaussian_linear = list(
    prior = normal_prior(diag(sqrt(0.1), 10)), simulate = function(x) x + sqrt(0.1) * rnorm(length(x))
  ),
  slcp = list(prior = uniform_prior(5, 3), simulate = function(x) {
    r <- tanh(x[, 5])
    points <- lapply(1:4, function(k) {
      z <- matrix(rnorm(2 * nrow(x)), ncol = 2)
      cbind(x[, 1] + x[, 3]^2 * z[, 1], x[, 2] + x[, 4]^2 * (r * z[, 1] + sqrt(1 - r^2) * z[, 2]))
    })
    do.call(cbind, points)
  })
)

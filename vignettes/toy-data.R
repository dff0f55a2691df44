# Toy distributions of the vignettes; the experiments in bench/ draw from the same.

# Two half circles of radius 2 that interlock, with normal noise.
two_moons <- function(n, noise = 0.2) {
  angle <- runif(n, 0, 2 * pi)
  centre <- ifelse(angle > pi, 1, -1)
  cbind(x = 2 * cos(angle) + centre, y = 2 * sin(angle)) + noise * matrix(rnorm(2 * n), n)
}

# A spiral of two and a half turns, with normal noise.
spiral <- function(n) {
  t <- runif(n, 0, 5 * pi)
  cbind(x = t * cos(t), y = t * sin(t)) / 20 + 0.02 * matrix(rnorm(2 * n), n)
}

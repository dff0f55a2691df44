# F4: posterior of intercept and slope of a linear regression (prior N(0, I), noise sd 0.5, 20 points) by an affine
# masked autoregressive flow, 400 steps of 100 draws at a rate of 1e-3, on three data sets. KL(q, exact posterior) in
# nats, seconds. FlowJAX: 0.023, 0.025, 0.009.
suppressPackageStartupMessages(library(bijectr))
options(bijectr.threads = 1)

regression <- function(seed) {
  set.seed(seed)
  x <- cbind(1, runif(20, -1, 1))
  y <- as.vector(x %*% rnorm(2) + 0.5 * rnorm(20))
  precision <- diag(2) + crossprod(x) / 0.25
  list(
    log_density = function(b) -rowSums(b^2) / 2 - colSums((y - x %*% t(b))^2) / 0.5,
    gradient = function(b) -b + t(crossprod(x, y - x %*% t(b))) / 0.25,
    log_posterior = function(b) {
      u <- b - rep(solve(precision, crossprod(x, y) / 0.25), each = nrow(b))
      -rowSums((u %*% precision) * u) / 2 + log(det(precision)) / 2 - log(2 * pi)
    }
  )
}

run <- function(label, ...) {
  kl <- seconds <- numeric(3)
  for (seed in 1:3) {
    problem <- regression(seed)
    fit <- fit_flow(problem$log_density, masked_autoregressive_flow(scalar_affine(), invert = FALSE),
      d = 2, gradient = problem$gradient, steps = 400, batch_size = 100, evaluate = 0, ...
    )
    draws <- sample(fit, 50000)
    kl[seed] <- mean(logdensity(fit, draws) - problem$log_posterior(draws))
    seconds[seed] <- fit$seconds
  }
  cat(sprintf("F4 %-34s KL %s, %.2f s, 400 steps\n", label, paste(sprintf("%.4f", kl), collapse = " "), mean(seconds)))
}

run("rate 1e-3, as FlowJAX", learning_rate = 1e-3, schedule = schedule_constant())
run("rate 1e-2 with cosine", learning_rate = 1e-2)
run("the same, stick the landing", learning_rate = 1e-2, loss = loss_stick_the_landing())

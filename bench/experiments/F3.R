# F3: u_i ~ U(0, 5), x_i ~ U(0, u_i), i = 1, 2: a block neural autoregressive flow given u, 10000 pairs. Loss of 20000
# fresh points in raw units; the entropy is 1.2189. FlowJAX: 1.349 and 1.334.
source("bench/experiments/common.R")

pairs_of <- function(n) {
  u <- matrix(runif(2 * n, 0, 5), n)
  list(u = u, x = u * runif(2 * n))
}
for (seed in 1:2) {
  set.seed(seed)
  train <- pairs_of(10000)
  fresh <- pairs_of(20000)
  run <- function(setting, layers, original = "", ...) {
    set.seed(seed)
    fit <- fit_flow(train$x, layers, condition = train$u, ...)
    loss <- fresh_loss(fit, fresh$x, condition = fresh$u)
    report("F3", sprintf("%s, seed %d", setting, seed), nats(loss), fit, original)
  }
  run("FlowJAX: 5e-2, patience 10", block_neural_autoregressive_flow(), "1.349, 1.334",
    standardize = "scale", learning_rate = 5e-2, schedule = schedule_constant(), batch_size = 100, max_epochs = 100,
    patience = 10, validation = 0.1, validate_every = NULL, noise = 0
  )
  run("2e-2, cosine", block_neural_autoregressive_flow(),
    learning_rate = 2e-2, batch_size = 256, steps = 8000, noise = 0
  )
  run("fit_flow(x, condition = u)", NULL)
}

# F2: the premade families with FlowJAX's settings of a fit on two moons, 10000 standardised points; then Adam with a
# cosine decay and no early stopping. Loss of 20000 fresh points; the entropy is 1.488.
source("bench/experiments/common.R")
set.seed(1)
train <- two_moons(10000)
standard <- standardizer(train)
fresh <- standard(two_moons(20000))

families <- list(
  list("coupling affine", function() coupling_flow(scalar_affine(), init = "uniform"), "1.565"),
  list("masked autoregressive affine", function() masked_autoregressive_flow(scalar_affine(), init = "uniform"), "2.046"),
  list("block neural autoregressive", function() block_neural_autoregressive_flow(), "1.835"),
  list("planar", function() planar_flow(init = "small"), "2.484"),
  list("triangular spline", function() triangular_spline_flow(), "1.568")
)
for (family in families) {
  run <- function(setting, original = "", seed = 2, ...) {
    set.seed(seed)
    fit <- fit_flow(standard(train), family[[2]](), standardize = "none", noise = 0, ...)
    report("F2", sprintf("%s, %s, seed %d", family[[1]], setting, seed), nats(fresh_loss(fit, fresh)), fit, original)
  }
  # FlowJAX's run of the block neural autoregressive flow is compared with several of ours
  for (seed in if (family[[1]] == "block neural autoregressive") 2:6 else 2) {
    run("FlowJAX", family[[3]], seed,
      learning_rate = 1e-3, schedule = schedule_constant(), batch_size = 100, max_epochs = 100, patience = 5,
      validation = 0.1, validate_every = NULL
    )
  }
  run("1e-2, cosine", learning_rate = 1e-2, batch_size = 100, steps = 8000)
}

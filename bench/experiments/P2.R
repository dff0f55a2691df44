# P2: a planar continuous flow on two moons, 500 fresh standardised points in each of 2000 steps. Loss of 20000 fresh
# points under the exact trace, and the energy distance of draws to fresh points. Original: 1.914 (5000 fresh points).
# Entropy in standardised units: 1.488. With BIJECTR_FULL set also other starts, solvers, fields and flow matching.
source("bench/experiments/common.R")

# The original standardises every batch by itself; here a large sample does it for all.
set.seed(100)
standard <- standardizer(two_moons(1e6))
fresh <- standard(two_moons(20000))

run <- function(setting, layers, seed, steps = 2000, batch = 500, rate = 1e-2, schedule = schedule_constant(),
                original = "", ...) {
  set.seed(seed)
  fit <- fit_flow(standard(two_moons(steps * batch)), layers,
    standardize = "none", validation = 0, batch_size = batch, max_epochs = 1, learning_rate = rate,
    schedule = schedule, noise = 0, keep_best = FALSE, ...
  )
  drawing <- system.time(draws <- as.matrix(sample(fit, 2000)))[["elapsed"]]
  report("P2", sprintf("%s, seed %d", setting, seed), nats(fresh_loss(fit, fresh)), fit, original)
  distance <- energy_distance(draws, fresh[1:2000, ])
  cat(sprintf("P2 |   2000 draws: energy distance %.4f, %.3f s\n", distance, drawing))
}

tsit5 <- solver_tsit5(step = 0.05)
planar <- function(init, ...) layer_continuous(field_planar(init = init), tsit5, ...)
for (seed in 1:3) {
  run("the tutorial's", planar("small", trace = "hutchinson", probe = "gaussian"), seed, original = "1.914, 34-2700 s")
  run("identity, cosine", planar("identity"), seed, schedule = schedule_cosine())
}
if (nzchar(Sys.getenv("BIJECTR_FULL"))) {
  seed <- 1
  run("exact trace", planar("small"), seed)
  run("from the identity", planar("identity"), seed)
  run("identity, rk4 in 8 steps, cosine", layer_continuous(field_planar(), solver_rk4(1 / 8)), seed,
    schedule = schedule_cosine()
  )
  run("mlp 64-64, rk4 in 8 steps, cosine", layer_continuous(field_mlp(), solver_rk4(1 / 8)), seed,
    schedule = schedule_cosine()
  )
  run("mlp 128-128, flow matching, cosine", layer_continuous(field_mlp(c(128, 128)), solver_rk4(1 / 8)), seed,
    steps = 10000, rate = 5e-3, schedule = schedule_cosine(), loss = loss_flow_matching()
  )
}

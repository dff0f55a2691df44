# A2: radial layers on a spiral. bijx: one layer, a fresh batch of 512 in every step (here one pass over 5000 of them),
# Adam 1e-2, 5000 steps: -0.587, the training loss of the last 50, 12.2 ms a step in double precision. mclust (G = 30)
# with 10000 points: -0.821 in 110 s; ks::kde: -0.592 in 3 s. The entropy is -0.864.
# Loss of 50000 fresh points, and how far that is above the true density of the same points with its standard error;
# seconds of the fit on one thread, and those of the processor for the whole call.
source("bench/experiments/common.R")
options(bijectr.threads = 1)

# The position along the spiral is integrated out: a step of the grid is at most a third of the noise.
spiral_log_density <- function(x, noise = 0.02, n_grid = 4000) {
  t <- (seq_len(n_grid) - 0.5) * 5 * pi / n_grid
  one <- function(i) {
    squares <- outer(x[i, 1], t * cos(t) / 20, "-")^2 + outer(x[i, 2], t * sin(t) / 20, "-")^2
    log(rowMeans(exp(-squares / (2 * noise^2)))) - log(2 * pi * noise^2)
  }
  unlist(lapply(split(seq_len(nrow(x)), (seq_len(nrow(x)) - 1) %/% 1000), one))
}

# A deformation acts around its own `loc`: spread over the radii, in no particular order, others in each layer. The last
# feature of the net is constant.
radial <- function(layers, depth, spread) {
  f <- flow(radial_flow(depth = depth, flow_layers = layers, net = net_fourier(3), center = c(-0.5, -1)), d = 2)
  one <- coef(flow(layer_elementwise(scalar_cubic_conjugation()), d = 1))
  at_loc <- length(one) * (seq_len(depth) - 1) + grep("loc", names(one))
  p <- params(f)
  for (i in seq_along(p$layers)) {
    weight <- p$layers[[i]]$net$weight
    weight[at_loc, ncol(weight)] <- spread * ((seq_len(depth) * 0.618034 + 0.37 * (i - 1)) %% 1)
    p$layers[[i]]$net$weight <- weight
  }
  params(f) <- p
  f
}

bijx <- function() {
  flow(radial_flow(depth = 64, net = net_fourier(3, init = "uniform"), center = c(-0.5, -1)), d = 2)
}

run <- function(setting, start, steps, batch, data, seed = 2, rate = 1e-2, schedule = schedule_cosine(), original = "",
                ...) {
  set.seed(seed)
  train <- spiral(data)
  start <- start()
  cpu <- system.time(fit <- fit_flow(train, start,
    standardize = "none", validation = 0, noise = 0, keep_best = FALSE, learning_rate = rate, schedule = schedule,
    steps = steps, batch_size = batch, ...
  ))[["user.self"]]
  excess <- truth - logdensity(fit, fresh)
  figure <- sprintf(
    "%.4f, %.4f (%.4f) above the truth, %.1f s of the processor", fresh_loss(fit, fresh), mean(excess),
    sd(excess) / sqrt(nrow(fresh)), cpu
  )
  report("A2", sprintf("%s, seed %d", setting, seed), figure, fit, original)
}

# The last setting was chosen with other fresh points (seed 101) and the seeds 4 to 6.
set.seed(202)
fresh <- spiral(50000)
truth <- spiral_log_density(fresh)
cat(sprintf("A2 | the true density | %.4f (%.4f)\n", -mean(truth), sd(truth) / sqrt(nrow(fresh))))
run("bijx: 64 cubic", bijx, 5000, 512, data = 5000 * 512, schedule = schedule_constant(), original = "-0.587, 61 s")
run("locations spread", function() radial(1, 64, 3), 5000, 512, data = 5000 * 512, original = "-0.587, 61 s")
for (seed in 11:15) {
  run("three layers of 32", function() radial(3, 32, 3), 12000, 256, data = 3e5, seed = seed, rate = 2e-2, clip = 1)
}

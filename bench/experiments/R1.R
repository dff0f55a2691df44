# R1: RealNVP on N(mu, L L'), d = 4, 50000 points; AdamW 1e-3 with weight decay 0.1, 1000 full batches. Relative errors
# of mean and covariance of 100000 draws. Originals on three random targets (not these three; from 1000 draws): MLP
# 0.027/0.075, 0.036/0.023, 0.054/0.455, 95 ms a step in double precision; Hermite polynomials NaN within 30 steps.
source("bench/experiments/common.R")

target <- function(seed, d = 4, n = 50000) {
  set.seed(seed)
  mu <- rnorm(d)
  root <- matrix(rnorm(d * d), d)
  list(mu = mu, cov = tcrossprod(root), x = rep(mu, each = n) + matrix(rnorm(n * d), n) %*% t(root))
}
relative_errors <- function(fit, at) {
  x <- as.matrix(sample(fit, 100000))
  norm2 <- function(a) sqrt(sum(a^2))
  c(norm2(colMeans(x) - at$mu) / norm2(at$mu), norm2(cov(x) - at$cov) / norm2(at$cov))
}
run <- function(setting, at, layers, original = "", batch_size = 50000, schedule = schedule_constant(), rate = 1e-3,
                steps = 1000, standardize = "none", weight_decay = 0.1, ...) {
  fit <- fit_flow(at$x, layers,
    base = base_normal(trainable = TRUE, parameter = "variance"), optimizer = opt_adamw(weight_decay),
    learning_rate = rate, schedule = schedule, batch_size = batch_size, steps = steps, validation = 0, noise = 0,
    standardize = standardize, keep_best = FALSE, ...
  )
  report("R1", setting, paste(sprintf("%.4f", relative_errors(fit, at)), collapse = " / "), fit, original)
}
mlp_original <- c("0.027 / 0.075, 95 s", "0.036 / 0.023, 95 s", "0.054 / 0.455, 95 s")
# The polynomials' initial coefficients, 0.1 N(0, 1), are too large for the tails of unbounded exponentials.
hermite <- function(shrink, ...) {
  base <- base_normal(trainable = TRUE, parameter = "variance")
  f <- flow(realnvp_flow(net = net_polynomial(3), ...), d = 4, base = base)
  p <- coef(f)
  at <- grepl("coef", names(p))
  p[at] <- shrink * p[at]
  params(f) <- unname(p)
  f
}
for (seed in 1:3) {
  at <- target(seed)
  label <- function(text) sprintf("%s, target %d", text, seed)
  run(label("MLP"), at, realnvp_flow(), mlp_original[seed])
  run(label("MLP, whitened, 512, cosine"), at, realnvp_flow(),
    batch_size = 512, schedule = schedule_cosine(), rate = 3e-3, standardize = "whiten"
  )
  run(label("Hermite, bounded, whitened"), at, hermite(1, bounded = TRUE), "NaN", standardize = "whiten")
  run(label("Hermite, start x 0.1, whitened"), at, hermite(0.1), "NaN", standardize = "whiten")
  run(label("Hermite, bounded, whitened, 512"), at, hermite(0.1, bounded = TRUE), "NaN",
    batch_size = 512, schedule = schedule_cosine(), standardize = "whiten", rate = 3e-3, clip = 5
  )
}

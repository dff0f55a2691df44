# A1: 64 stacked scalar bijections on N(0, 1) against log p(x) = sin(5x) exp(-5x^2) + 2 cos(10x) - 0.2 x^4 by reverse
# KL. Loss over a grid of 20000 quantiles (the best possible is -log Z = -1.8374), seconds on one thread, steps.
# The settings were chosen with other seeds (1 to 6, 21). bijx, 20000 steps of Adam 1e-2 with clipping and cosine decay: cubic
# -1.818, sinh -1.682, rational -1.568.
suppressPackageStartupMessages(library(bijectr))
options(bijectr.threads = 1)

target <- function(x) sin(5 * x[, 1]) * exp(-5 * x[, 1]^2) + 2 * cos(10 * x[, 1]) - 0.2 * x[, 1]^4
exact_loss <- function(fit) {
  z <- matrix(qnorm((seq_len(20000) - 0.5) / 20000))
  x <- forward(fit, z)
  mean(dnorm(z, log = TRUE) - x$logdet - target(x$value))
}

# A deformation acts around its own `loc`: spread over the range of the target, in no particular order.
stack <- function(scalar, layers = 64, spread = 2) {
  f <- flow(layer_elementwise(scalar_chain(rep(list(scalar), layers))), d = 1)
  p <- coef(f)
  at <- grep("loc", names(p))
  p[at] <- spread * (2 * ((seq_along(at) * 0.618034) %% 1) - 1)
  params(f) <- unname(p)
  f
}

run <- function(kind, ...) {
  scalar <- get(paste0("scalar_", kind), envir = asNamespace("bijectr"))()
  for (seed in 31:33) {
    set.seed(seed)
    cpu <- system.time(
      fit <- fit_flow(target, stack(scalar), d = 1, gradient = "symbolic", clip = 5, evaluate = 0, ...)
    )[["user.self"]]
    cat(sprintf(
      "A1 %-18s seed %d: loss %.4f, %.1f s (%.1f s of the processor), %d steps\n", kind, seed, exact_loss(fit),
      fit$seconds, cpu, fit$steps
    ))
  }
}

run("cubic_conjugation", learning_rate = 3e-2, steps = 8000)
run("sinh_conjugation", learning_rate = 3e-2, steps = 6000, anneal = 0.5)
run("cubic_rational", learning_rate = 3e-2, steps = 8000, anneal = 0.5)

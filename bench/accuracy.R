# What the steps of a continuous flow cost and how accurate they are: training with ten steps of one length and with
# steps of several tolerances, then the log densities of fresh points by the same fields with steps of several
# tolerances, against those of a tolerance of 1e-11, and a round trip through the fit.
#
#   Rscript bench/accuracy.R [steps]        2000 steps by default; seconds are processor time on one thread
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)

given <- commandArgs(TRUE)
steps <- if (length(given)) as.integer(given[1]) else 2000L
moons <- function(n) {
  t <- runif(n, 0, pi)
  upper <- runif(n) < 0.5
  cbind(ifelse(upper, cos(t), 1 - cos(t)), ifelse(upper, sin(t), 0.5 - sin(t))) + 0.1 * matrix(rnorm(2 * n), n)
}
set.seed(1)
mixing <- diag(8) + matrix(rnorm(64), 8) / 3
curved <- function(n) {
  z <- matrix(rnorm(8 * n), n)
  z[, 2] <- z[, 2] / 2 + z[, 1]^2 / 2
  z[, 3] <- z[, 3] * exp(z[, 4] / 2)
  z %*% mixing
}

# The flow of a fit with another solver in all of its continuous layers.
with_solver <- function(x, solver) {
  if (inherits(x, "bijectr_layer_continuous")) x$solver <- solver
  parts <- intersect(c("layers", "layer"), names(x))
  for (part in parts) {
    one <- inherits(x[[part]], "bijectr_spec")
    x[[part]] <- if (one) with_solver(x[[part]], solver) else lapply(x[[part]], with_solver, solver)
  }
  x
}
seconds <- function(call) system.time(call, gcFirst = FALSE)[["user.self"]]

ten <- solver_tsit5(step = 0.1)
tolerances <- function(words) sapply(words, function(word) solver_tsit5(rtol = as.numeric(word)), simplify = FALSE)
trained <- c(list("ten steps" = ten), tolerances(c("1e-2", "1e-3", "1e-4", "1e-5")))
evaluated <- c(list("ten steps" = ten), tolerances(c("1e-5", "1e-7", "1e-9")))
for (name in c("moons", "curved")) {
  set.seed(2)
  x <- get(name)(2000)
  new <- get(name)(2000)
  for (tolerance in names(trained)) {
    set.seed(1)
    control <- fit_control(steps = steps, batch_size = 256, learning_rate = 3e-3, validation = 0)
    layers <- continuous_flow(solver = trained[[tolerance]])
    took <- seconds(fit <- fit_flow(x, layers, progress = FALSE, control = control))
    exact <- logdensity(with_solver(fit, solver_tsit5(rtol = 1e-11, max_steps = 5000)), new)
    cat(sprintf("%s, trained with %s: %.1f s, mean log density %.4f\n", name, tolerance, took, mean(exact)))
    for (of in names(evaluated)) {
      f <- with_solver(fit, evaluated[[of]])
      took <- seconds(found <- logdensity(f, new))
      set.seed(3)
      there <- as.matrix(sample(f, 1000))
      trip <- max(abs(inverse(f, forward(f, there)$value)$value - there))
      cat(sprintf("  evaluated with %-9s %.3f s, largest error %.0e, round trip %.0e\n", of, took,
        max(abs(found - exact)), trip
      ))
    }
  }
}

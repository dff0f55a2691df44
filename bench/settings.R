# How the settings of single flows (fit_flow(members = 1)) were chosen: five-fold held-out log density (per row, in nats) minus that of the
# multivariate normal fitted to the same rows, and two moons as in moons.R. `Rscript bench/settings.R` compares a few.
library(bijectr)

normal_density <- function(x, train) {
  root <- chol(cov(train) * (nrow(train) - 1) / nrow(train))
  z <- backsolve(root, t(x) - colMeans(train), transpose = TRUE)
  -colSums(z^2) / 2 - sum(log(diag(root))) - ncol(x) / 2 * log(2 * pi)
}

gain <- function(data, fit_one, seeds = 1:2) {
  data <- as.matrix(data)
  mean(vapply(seeds, function(seed) {
    set.seed(seed)
    fold <- sample(rep_len(1:5, nrow(data)))
    total <- 0
    for (k in 1:5) {
      train <- data[fold != k, , drop = FALSE]
      test <- data[fold == k, , drop = FALSE]
      total <- total + sum(logdensity(fit_one(train), test) - normal_density(test, train))
    }
    total / nrow(data)
  }, numeric(1)))
}

spline <- function(knots = 8) scalar_rq_spline(knots = knots, interval = 5)
maf <- function(flow_layers = 4, nn_width = 32, ...) masked_autoregressive_flow(spline(...), flow_layers, nn_width)
with_control <- function(layers = maf(), ...) {
  given <- list(...)
  function(x) do.call(fit_flow, c(list(x, layers), given))
}

settings <- list(
  "the default" = function(x) fit_flow(x, members = 1),
  "no noise" = with_control(noise = 0),
  "noise 0.6 whatever n" = with_control(noise = 0.6),
  "validation 25 %" = with_control(validation = 0.25),
  "narrow: width 16, 3 layers" = with_control(maf(3, 16)),
  "wide: width 64, 6 layers" = with_control(maf(6, 64)),
  "16 knots" = with_control(maf(knots = 16)),
  "coupling" = with_control(coupling_flow(spline(), 4, 32)),
  "affine" = with_control(masked_autoregressive_flow(scalar_affine(), 4, 32)),
  "rate 2e-3" = with_control(learning_rate = 2e-3),
  "weight decay 0.1" = with_control(optimizer = opt_adamw(0.1)),
  "averaging 0.98" = with_control(ema = 0.98),
  "scaled, not whitened" = with_control(standardize = "scale"),
  "FlowJAX's fit settings" = with_control(
    masked_autoregressive_flow(scalar_rq_spline(8, 4, boundary = "free"), init = "uniform"),
    control = fit_control(
      learning_rate = 1e-3, schedule = schedule_constant(), batch_size = 100, max_epochs = 100, patience = 5, validation = 0.1
    )
  )
)

data <- list(faithful = faithful, iris = iris[1:4], quakes = quakes)
cat(sprintf("%-28s %9s %9s %9s %9s\n", "gain over the normal, nats", names(data)[1], names(data)[2], names(data)[3], "seconds"))
for (label in names(settings)) {
  time <- system.time(gains <- vapply(data, gain, numeric(1), fit_one = settings[[label]]))[["elapsed"]]
  cat(sprintf("%-28s %9.3f %9.3f %9.3f %9.1f\n", label, gains[1], gains[2], gains[3], time))
}

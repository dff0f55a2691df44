# Perceptrons trained in single precision: the same fits with precision = "double" and "single", whether held-out log
# densities agree, and processor time of a step.
#
#   Rscript bench/precision.R [seeds] [models, or "tables"]
#
# "tables": the flow that fit_flow() takes by default where it fits one, on the tables of bench/defaults.R, held out in
# five parts. Its nets are too narrow for single precision by default; here they are made to use it.
#
# A row each: mean log density of 5000 fresh rows, in nats, by the fit in double precision; the difference of that in
# single, its mean over seeds and the largest; the standard deviation over seeds of the log density itself, beside which
# it is to be seen; and the ratio of seconds a step.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
seeds <- seq_len(if (length(given)) as.integer(given[1]) else 5)

# Rows on bent sheets.
rows <- function(n, d) {
  z <- matrix(rnorm(n * d), n)
  for (j in seq_len(d)[-1]) z[, j] <- 0.5 * z[, j] + sin(2 * z[, j - 1])
  z
}

source("bench/lib/tables.R") # from the root of the sources
held_out <- function(x, seed, precision) {
  set.seed(seed)
  fold <- sample(rep_len(1:5, nrow(x)))
  seconds <- 0
  log_density <- lapply(1:5, function(k) {
    center <- colMeans(x[fold != k, ])
    spread <- apply(x[fold != k, ], 2, sd)
    z <- scale(x, center, spread)
    set.seed(seed)
    time <- system.time(fit <- suppressWarnings(fit_flow(z[fold != k, ], precision = precision)))
    seconds <<- seconds + time[["user.self"]]
    logdensity(fit, z[fold == k, , drop = FALSE])
  })
  c(mean(unlist(log_density)), seconds)
}

spline <- scalar_rq_spline(knots = 8, interval = 5)
models <- list(
  "coupling, 2 x 128, d 8" = list(8, coupling_flow(spline, flow_layers = 4, nn_width = 128, nn_depth = 2), NULL),
  "coupling, 256, d 32" = list(32, coupling_flow(scalar_affine(limit = 2), nn_width = 256), NULL),
  "autoregressive, 256, d 16" = list(16, masked_autoregressive_flow(scalar_affine(limit = 2), nn_width = 256), NULL),
  "autoregressive, spline, 128, d 8" = list(8, masked_autoregressive_flow(spline, flow_layers = 3, nn_width = 128), NULL),
  "field 64-64, d 2" = list(2, layer_continuous(field_mlp(), solver_tsit5(step = 0.1)), 150),
  "field 64-64, flow matching, d 4" = list(4, layer_continuous(field_mlp()), 1500, loss_flow_matching())
)

fitted <- function(model, seed, precision) {
  set.seed(seed)
  x <- rows(4000, model[[1]])
  fresh <- rows(5000, model[[1]])
  settings <- list(
    x, model[[2]], steps = if (is.null(model[[3]])) 400 else model[[3]], batch_size = 500, precision = precision
  )
  if (length(model) > 3) settings$loss <- model[[4]]
  seconds <- system.time(fit <- suppressWarnings(do.call(fit_flow, settings)))[["user.self"]]
  c(mean(logdensity(fit, fresh)), seconds)
}

cat(sprintf("%-34s %10s %12s %10s %10s %8s\n", "", "double", "difference", "largest", "sd, seeds", "times"))
compared <- function(name, run) {
  both <- vapply(seeds, function(seed) c(run(seed, "double"), run(seed, "single")), numeric(4))
  off <- both[3, ] - both[1, ]
  cat(sprintf("%-34s %10.4f %12.5f %10.5f %10.4f %8.2f\n", name, mean(both[1, ]), mean(off), max(abs(off)), sd(both[1, ]),
    sum(both[2, ]) / sum(both[4, ])
  ))
}
if (identical(given[2], "tables")) {
  for (name in names(tables)) {
    x <- tryCatch(tables[[name]](), error = function(e) NULL)
    if (!is.null(x)) compared(name, function(seed, precision) held_out(x, seed, precision))
  }
} else {
  for (name in if (length(given) > 1) given[-1] else names(models)) {
    compared(name, function(seed, precision) fitted(models[[name]], seed, precision))
  }
}

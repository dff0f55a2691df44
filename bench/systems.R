# Time of a training step of the systems that the package comes from, each with its own sizes, through fit_flow(): loss,
# gradient and Adam, by default on one thread and in double precision (bench/lib/step-time.R), the fastest instruction
# set of this machine. Beside it the originals in double precision (JAX, one core of an AMD EPYC with AVX-512; compile
# time left out) and a C prototype written for that workload alone, on the same machine (AVX-512 / AVX2). Two probes of
# this machine, the rate of multiply-adds and the time of an exp, say how it compares. Times are minima over many short
# runs.
#
#   Rscript bench/systems.R A planar     times these only
suppressMessages(library(bijectr))
source("bench/lib/step-time.R") # from the root of the sources

stack <- layer_elementwise(scalar_chain(rep(list(scalar_cubic_conjugation()), 64)))
oscillating <- function(x) sin(5 * x[, 1]) * exp(-5 * x[, 1]^2) + 2 * cos(10 * x[, 1]) - 0.2 * x[, 1]^4
# Intercept and slope of 20 points, noise of sd 0.5, as one expression; the original is timed in single precision.
regression <- function(points = 20) {
  set.seed(1)
  x <- round(runif(points, -1, 1), 3)
  y <- round(1 - x + 0.5 * rnorm(points), 3)
  residuals <- sprintf("(%s - x[, 1] - %s * x[, 2])^2", sprintf("(%s)", y), sprintf("(%s)", x))
  formula <- paste("-(x[, 1]^2 + x[, 2]^2) / 2 - 2 * (", paste(residuals, collapse = " + "), ")")
  as.function(c(alist(x = ), str2lang(formula)))
}
# what, layers, coordinates, rows, original, prototype, target
workloads <- list(
  A = list("64 cubic_conjugation, reverse KL", stack, 1, 256, 2419, "42.5 / 64.5", oscillating),
  F4 = list(
    "regression of 20 points, ELBO", masked_autoregressive_flow(scalar_affine(), invert = FALSE), 2, 100, 598, "",
    regression()
  ),
  B = list("radial_conditional, 64 cubic", radial_flow(), 2, 512, 12234, "298 / 407"),
  planar = list("planar x 20, tanh, permutations", planar_flow(20), 2, 5000, 5446, "193 / 268"),
  plain = list("the same without permutations", layer_invert(layer_repeat(layer_planar(), 20)), 2, 5000, NA, "193 / 268"),
  BNAF = list("block autoregressive, defaults", block_neural_autoregressive_flow(), 2, 100, 1624, ""),
  spline = list("triangular spline, defaults", triangular_spline_flow(), 2, 100, 1840, ""),
  R1 = list("RealNVP, full batch", realnvp_flow(), 4, 50000, 94711, "")
)

named <- commandArgs(TRUE)
if (length(named)) workloads <- workloads[named]
cat("| id | workload | n | us | original, double | times faster | prototype, 512 / AVX2 | GF/s | ns an exp |\n")
cat("|---|---|---|---|---|---|---|---|---|\n")
for (id in names(workloads)) {
  w <- workloads[[id]]
  us <- step_time(w[[2]], w[[3]], w[[4]], if (length(w) > 6) w[[7]])
  cat(sprintf(
    "| %s | %s | %d | %.0f | %s | %s | %s | %.1f | %.2f |\n", id, w[[1]], w[[4]], us,
    if (is.na(w[[5]])) "" else w[[5]], if (is.na(w[[5]])) "" else sprintf("%.1f", w[[5]] / us), w[[6]],
    bijectr:::native_probe("fma", 300L), min(replicate(5, bijectr:::native_probe("exp", 3000L)))
  ))
}

# Time of a training step of planar layers and of the triangular spline flow through fit_flow(): loss, gradient and
# Adam, one thread, for every instruction set of this machine.
#
# A planar prototype written by hand (20 layers, tanh, 5000 rows, two coordinates; loss, gradient and Adam) takes 381 us
# with AVX2 on the machine where an exp in cache takes 1.9 ns an element. Compared is what does not depend on the
# machine, (time / time of an exp), ours / the prototype's. Required for AVX2: at most 1.5. Times are minima.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)

planar <- function(...) layer_invert(layer_repeat(layer_planar(...), 20))
workloads <- list(
  "planar x 20, tanh" = list(planar(), 2, 5000),
  "the same, permutations" = list(planar_flow(20), 2, 5000),
  "planar x 20, leaky_relu" = list(planar("leaky_relu", 0.1), 2, 5000),
  "planar x 20, tanh, d = 8" = list(planar(), 8, 5000),
  "triangular spline x 8" = list(triangular_spline_flow(), 2, 100)
)
prototype <- c(us = 381, exp = 1.9)

source("bench/lib/step-time.R") # from the root of the sources

# Draws from a fitted planar flow solve an equation a row and layer.
draw_time <- function(n = 5000) {
  set.seed(1)
  f <- flow(planar(), 2)
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  1e6 * min(replicate(20, system.time(for (i in 1:5) sample(f, n))[["elapsed"]])) / 5
}

cat(sprintf("%-26s %5s %-9s %9s %8s\n", "layers", "n", "set", "us", "by exp"))
for (set in bijectr:::native_isa()) {
  options(bijectr.isa = set)
  for (name in names(workloads)) {
    work <- workloads[[name]]
    probe <- min(replicate(5, bijectr:::native_probe("exp", 3000L)))
    us <- step_time(work[[1]], work[[2]], work[[3]])
    theirs <- prototype[["us"]] / prototype[["exp"]]
    ratio <- if (name == names(workloads)[1]) sprintf("%.2f", us / probe / theirs) else ""
    cat(sprintf("%-26s %5d %-9s %9.1f %8s\n", name, work[[3]], set, us, ratio))
  }
  cat(sprintf("%-26s %5d %-9s %9.1f\n", "draws, planar x 20, tanh", 5000L, set, draw_time()))
}

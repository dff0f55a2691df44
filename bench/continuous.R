# Time of a training step of continuous flows through fit_flow(): loss, gradient and Adam, for every instruction set of
# this machine, by default on one thread and in double precision (bench/lib/step-time.R).
#
# The planar field of the tutorial: 20 units, gates 1-40-40-40-1, Tsit5 with 20 steps, 500 rows in two coordinates. A
# prototype written by hand takes 4.2 ms with AVX-512 and about 6.0 ms with AVX2 where the probe of multiply-adds gives
# 39 GF/s and an exp takes 1.9 ns (solver 4.5 ms, gates 1.5 ms with AVX-512); the tutorial's own program takes 1350 ms,
# the best batched JAX 17 ms in single and 33 ms in double precision. Times are minima.
suppressMessages(library(bijectr))
source("bench/lib/step-time.R") # from the root of the sources

tsit5 <- solver_tsit5(step = 0.05)
workloads <- list(
  "planar, exact" = list(layer_continuous(field_planar(), tsit5), 2, 500),
  "planar, hutchinson" = list(layer_continuous(field_planar(), tsit5, "hutchinson", "gaussian"), 2, 500),
  "planar, adjoint" = list(layer_continuous(field_planar(), tsit5, gradient = "adjoint"), 2, 500),
  "mlp 64-64, exact" = list(layer_continuous(field_mlp(), solver_tsit5(step = 0.1)), 2, 500),
  "mlp 64-64, d = 8, hutchinson" = list(layer_continuous(field_mlp(), solver_tsit5(step = 0.1)), 8, 500),
  "mlp 64-64, adaptive 1e-5" = list(layer_continuous(field_mlp(), solver_tsit5(rtol = 1e-5)), 2, 500),
  "mlp 64-64, by default" = list(layer_continuous(), 2, 500)
)
matching <- list("mlp 64-64, flow matching" = list(layer_continuous(field_mlp()), 2, 500))

cat(sprintf("%-30s %5s %-9s %9s %9s\n", "layer", "n", "set", "us", "GF/s fma"))
for (set in bijectr:::native_isa()) {
  options(bijectr.isa = set)
  probe <- max(replicate(5, bijectr:::native_probe("fma", 300L)))
  for (name in names(workloads)) {
    work <- workloads[[name]]
    cat(sprintf("%-30s %5d %-9s %9.0f %9.1f\n", name, work[[3]], set, step_time(work[[1]], work[[2]], work[[3]]), probe))
  }
  us <- step_time(matching[[1]][[1]], 2, 500, loss = loss_flow_matching())
  cat(sprintf("%-30s %5d %-9s %9.0f %9.1f\n", names(matching), 500L, set, us, probe))
}

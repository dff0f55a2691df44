# Time of a training step through fit_flow(): loss, gradient and Adam, for every instruction set of this machine, by
# default on one thread and in double precision (bench/lib/step-time.R). `Rscript bench/steps.R C2 E64` times these only.
#
# Absolute times say as much about the machine (and about its other users) as about the package. So two probes of the
# processor run next to each workload: the rate of fused multiply-adds, and vexp of 512 numbers in cache. A prototype of
# the same step, written by hand for each workload, was timed together with the same probes on another machine. Compared
# is what does not depend on the machine:
#
#   by fma = (time x rate of multiply-adds), ours / prototype's;   by exp = (time / time of an exp), ours / prototype's
#
# What binds says which of the two to read: "fma" where products of matrices take most of the time, "exp" where
# elementwise functions do. Required: at most 1.5. Times are minima over many short runs.
suppressMessages(library(bijectr))

spline <- scalar_rq_spline(knots = 8, interval = 4)
# layers, coordinates, rows; what binds; the prototype's us a step (AVX-512, AVX2, baseline)
workloads <- list(
  C2 = list(coupling_flow(scalar_affine()), 2, 100, "exp", c(24, 42, 105)),
  C8 = list(coupling_flow(scalar_affine()), 8, 256, "fma", c(267, 393, 955)),
  C64 = list(coupling_flow(scalar_affine(), nn_width = 256), 64, 512, "fma", c(14000, 26300, 64600)),
  D2 = list(coupling_flow(spline), 2, 100, "exp", c(278, 435, 1020)),
  D8 = list(coupling_flow(spline), 8, 256, "fma", c(1950, 3100, 7820)),
  E8 = list(masked_autoregressive_flow(scalar_affine()), 8, 256, "fma", c(391, 572, 1416)),
  E64 = list(masked_autoregressive_flow(scalar_affine(), nn_width = 512), 64, 512, "fma", c(38700, 59600, 163700))
)
words <- c(C = "coupling, affine", D = "coupling, rq_spline", E = "autoregressive, affine")
prototype_fma <- c(avx512 = 75, avx2 = 40, baseline = 12)
prototype_exp <- c(avx512 = 0.9, avx2 = 1.9, baseline = 4.4)

# Multiply-adds of the nets, forward and back: three products, two flops each, by the weights that a mask keeps (half).
flops <- function(layers, d, n) {
  f <- flow(layers, d)
  count <- function(x) if (is.list(x)) sum(vapply(x, count, 0)) else if (is.matrix(x)) as.double(length(x)) else 0
  6 * n * count(params(f)) * (if (any(unlist(f$layers) == "autoregressive")) 0.5 else 1)
}

source("bench/lib/step-time.R") # from the root of the sources

named <- commandArgs(TRUE)
if (length(named)) workloads <- workloads[named]
cat("us a step; GF/s of multiply-adds and ns an exp: probes next to the workload\n\n")
cat(sprintf("| %-3s | %-25s | %3s | %-8s | %8s | %5s | %4s | %6s | %6s | %6s | %6s | %5s |\n", "id", "layers (8)", "n",
            "set", "us", "GF/s", "exp", "MFLOP", "% peak", "by fma", "by exp", "binds"))
cat("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
for (id in names(workloads)) {
  w <- workloads[[id]]
  for (isa in bijectr:::native_isa()) {
    options(bijectr.isa = isa)
    fma <- bijectr:::native_probe("fma", 300L)
    exp_ns <- bijectr:::native_probe("exp", 3000L)
    us <- step_time(w[[1]], w[[2]], w[[3]])
    fma <- max(fma, bijectr:::native_probe("fma", 300L))
    exp_ns <- min(exp_ns, bijectr:::native_probe("exp", 3000L))
    work <- flops(w[[1]], w[[2]], w[[3]])
    theirs <- w[[5]][match(isa, names(prototype_fma))]
    cat(sprintf(
      "| %-3s | %-25s | %3d | %-8s | %8.1f | %5.1f | %4.2f | %6.1f | %5.0f%% | %6.2f | %6.2f | %5s |\n", id,
      paste0(words[[substr(id, 1, 1)]], " ", w[[2]]), w[[3]], isa, us, fma, exp_ns, work * 1e-6, work / us * 1e-1 / fma,
      us * fma / (theirs * prototype_fma[[isa]]), us / exp_ns / (theirs / prototype_exp[[isa]]), w[[4]]
    ))
  }
}

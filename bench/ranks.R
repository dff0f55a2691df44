# Steps of a training by several ranks, `mpirun --oversubscribe -n 2 Rscript bench/ranks.R`, beside those of rank 0 alone
# in the same run, all on one thread each and in double precision: microseconds a step, minima of three fits, and how
# many times as fast. C64, E64 and C8 are those of bench/steps.R, `rows` is a coupling flow on a million rows of ten
# columns in batches of 4096. `sum` is what adding up its gradient over the ranks takes.
suppressMessages(library(bijectr))
options(bijectr.threads = 1)

ranks <- mpi_cluster()
normals <- function(n, d) {
  set.seed(1)
  matrix(rnorm(n * d), n)
}
workloads <- list( # layers, data, batch, steps
  C64 = list(coupling_flow(scalar_affine(), nn_width = 256), normals(512, 64), 512, 80),
  E64 = list(masked_autoregressive_flow(scalar_affine(), nn_width = 512), normals(512, 64), 512, 40),
  rows = list(coupling_flow(scalar_affine()), normals(1e6, 10), 4096, 400),
  C8 = list(coupling_flow(scalar_affine()), normals(2560, 8), 256, 2000)
)
named <- commandArgs(TRUE)
if (length(named)) workloads <- workloads[named]

trained <- function(w, steps, cluster) {
  set.seed(1)
  suppressWarnings(fit_flow(w[[2]], w[[1]],
    steps = steps, batch_size = w[[3]], validation = 0, standardize = "none", precision = "double", cluster = cluster
  ))
}

# Of steps after the first ones, in whose time memory is touched for the first time.
step_time <- function(w, cluster) {
  few <- w[[4]] / 4
  seconds <- replicate(3, c(trained(w, few, cluster)$seconds, trained(w, w[[4]], cluster)$seconds))
  (min(seconds[2, ]) - min(seconds[1, ])) / (w[[4]] - few)
}

sum_time <- function(n) {
  x <- numeric(n)
  ranks$sum(0)
  min(replicate(20, system.time(ranks$sum(x))[["elapsed"]]))
}

if (ranks$rank == 0) {
  cat("| step | one rank | ", ranks$size, " ranks | times | numbers summed | sum |\n|---|---|---|---|---|---|\n", sep = "")
}
for (id in names(workloads)) {
  w <- workloads[[id]]
  if (ranks$rank == 0) alone <- step_time(w, FALSE)
  ranks$sum(0) # the others wait
  together <- step_time(w, NULL)
  n <- length(coef(flow(w[[1]], ncol(w[[2]]))))
  took <- sum_time(n)
  if (ranks$rank == 0) {
    cat(sprintf("| %s | %.0f | %.0f | %.2f | %d | %.0f |\n", id, alone * 1e6, together * 1e6, alone / together, n, took * 1e6))
  }
}

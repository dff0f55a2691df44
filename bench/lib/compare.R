# Two installed copies of the package, step by step in turn: for changes that must not cost time.
#
#   Rscript bench/lib/compare.R before after [ids] [sets]     libraries; "C2,PL"; "avx512,avx2"
#
# A machine with other users changes its speed from second to second and from process to process by more than the few
# per cent that are looked for. So both copies run in sessions that stay, several of each; short fits alternate between
# them in random order; and what is printed is the ratio after / before of the minima, of the tenth percentiles, and
# the median ratio of neighbours. Where these three agree they mean something.
suppressMessages(library(callr))
args <- commandArgs(TRUE)
if (length(args) < 2) stop("usage: Rscript bench/lib/compare.R before after [ids] [sets]")
sessions <- 4
repeats <- 25 # a session
seconds <- 0.04 # a fit

start <- function(library) {
  session <- r_session$new(r_session_options(libpath = c(library, .libPaths())))
  session$run(function(library) {
    library(bijectr, lib.loc = library)
    options(bijectr.threads = 1L)
    spline <- scalar_rq_spline(knots = 8, interval = 4)
    tsit5 <- solver_tsit5(step = 0.05)
    cubics <- scalar_chain(rep(list(scalar_cubic_conjugation()), 16))
    workloads <<- list( # layers, coordinates, rows
      C2 = list(coupling_flow(scalar_affine()), 2, 100), C8 = list(coupling_flow(scalar_affine()), 8, 256),
      D2 = list(coupling_flow(spline), 2, 100),
      D8 = list(coupling_flow(spline), 8, 256), E8 = list(masked_autoregressive_flow(scalar_affine()), 8, 256),
      P = list(layer_repeat(layer_planar(), 20), 2, 5000),
      PL = list(layer_repeat(layer_planar("leaky_relu"), 20), 2, 5000),
      P8 = list(layer_repeat(layer_planar(), 20), 8, 5000), PP = list(planar_flow(20), 2, 5000),
      R = list(radial_flow(), 2, 512), R1 = list(realnvp_flow(), 4, 10000), TS = list(triangular_spline_flow(), 2, 100),
      B = list(block_neural_autoregressive_flow(), 2, 100), SP = list(layer_elementwise(spline), 3, 512),
      CJ = list(layer_elementwise(cubics), 1, 256), KE = list(layer_continuous(field_planar(), tsit5), 2, 500),
      KH = list(layer_continuous(field_planar(), tsit5, "hutchinson", "gaussian"), 2, 500),
      KA = list(layer_continuous(field_planar(), tsit5, gradient = "adjoint"), 2, 500),
      M = list(layer_continuous(field_mlp(), solver_tsit5(step = 0.1)), 2, 500),
      MA = list(layer_continuous(field_mlp(), solver_tsit5(rtol = 1e-5)), 2, 500)
    )
    step_time <<- function(id, set, steps) {
      options(bijectr.isa = set)
      work <- workloads[[id]]
      set.seed(1)
      x <- matrix(stats::rnorm(work[[2]] * work[[3]]), work[[3]])
      control <- fit_control(
        steps = steps, batch_size = nrow(x), schedule = schedule_constant(), learning_rate = 1e-4, validation = 0,
        keep_best = FALSE
      )
      fit <- fit_flow(x, work[[1]], standardize = "none", progress = FALSE, control = control)
      1e6 * fit$seconds / fit$steps
    }
    list(ids = names(workloads), sets = bijectr:::native_isa())
  }, list(library))
  session
}
pairs <- lapply(seq_len(sessions), function(i) lapply(args[1:2], start))
time_in <- function(session, ...) session$run(function(...) step_time(...), list(...))

known <- pairs[[1]][[1]]$run(function() list(ids = names(workloads), sets = bijectr:::native_isa()))
chosen <- function(k, default) if (length(args) >= k) strsplit(args[k], ",")[[1]] else default
cat(sprintf("%-3s %-8s %9s %9s   %6s %6s %6s\n", "id", "set", "before", "after", "min", "tenth", "pairs"))
for (id in chosen(3, known$ids)) {
  for (set in chosen(4, known$sets)) {
    steps <- max(4, min(3000, round(1e6 * seconds / time_in(pairs[[1]][[1]], id, set, 3))))
    us <- do.call(cbind, lapply(pairs, function(pair) {
      replicate(repeats, {
        took <- numeric(2)
        for (k in sample(2)) took[k] <- time_in(pair[[k]], id, set, steps)
        took
      })
    }))
    low <- apply(us, 1, quantile, c(0, 0.1))
    cat(sprintf("%-3s %-8s %9.1f %9.1f   %6.3f %6.3f %6.3f\n", id, set, low[1, 1], low[1, 2], low[1, 2] / low[1, 1],
                low[2, 2] / low[2, 1], median(us[2, ] / us[1, ])))
  }
}

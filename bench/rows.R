# Rows a second of log densities and of draws, millions, for every premade flow with its defaults, two coordinates and
# random parameters near the start, on one thread and on two; and seconds from library(bijectr) to a fitted two moons
# (10000 points, fit_flow() with no further argument) in a fresh process.
#
#   Rscript bench/rows.R [rows]        200000 rows by default; continuous flows get a hundredth
#
# Minima over three calls, the fastest instruction set of the machine; the probes say what the machine does meanwhile.
suppressMessages(library(bijectr))

given <- commandArgs(TRUE)
rows <- if (length(given)) as.integer(given[1]) else 200000L
flows <- list(
  "coupling, affine" = coupling_flow(scalar_affine()),
  "coupling, rq_spline" = coupling_flow(scalar_rq_spline(8, 4)),
  "autoregressive, affine" = masked_autoregressive_flow(scalar_affine()),
  "autoregressive, rq_spline" = masked_autoregressive_flow(scalar_rq_spline(8, 4)),
  "block autoregressive" = block_neural_autoregressive_flow(),
  "planar" = planar_flow(),
  "triangular spline" = triangular_spline_flow(),
  "radial" = radial_flow(),
  "RealNVP" = realnvp_flow(),
  "continuous" = continuous_flow()
)

seconds <- function(call, threads) {
  options(bijectr.threads = threads)
  min(replicate(3, system.time(call(), gcFirst = FALSE)[["elapsed"]]))
}

cat(sprintf("%.1f GF/s of multiply-adds, %.2f ns an exp (%s)\n\n", bijectr:::native_probe("fma", 300L),
  min(replicate(5, bijectr:::native_probe("exp", 3000L))), bijectr:::native_isa()[1]
))
cat("| flow | log densities, 1 thread | 2 threads | draws, 1 thread | 2 threads |\n|---|---|---|---|---|\n")
for (name in names(flows)) {
  set.seed(1)
  f <- flow(flows[[name]], 2)
  params(f) <- coef(f) + 0.05 * rnorm(length(coef(f)))
  n <- if (name == "continuous") max(1L, rows %/% 100L) else rows
  x <- matrix(rnorm(2 * n), n)
  took <- c(
    vapply(1:2, function(threads) seconds(function() logdensity(f, x), threads), 0),
    vapply(1:2, function(threads) seconds(function() sample(f, n), threads), 0)
  )
  cat(sprintf("| %s | %s |\n", name, paste(sprintf("%.3f", 1e-6 * n / took), collapse = " | ")))
}

script <- paste(
  "suppressMessages(library(bijectr)); options(bijectr.threads = 1L); source(\"vignettes/toy-data.R\"); set.seed(1);",
  "invisible(fit_flow(two_moons(10000), progress = FALSE))"
)
fresh <- function() system.time(system2("Rscript", c("-e", shQuote(script))))[["elapsed"]]
cat(sprintf("\nTwo moons from library() to the fit: %.1f s\n", min(fresh(), fresh())))

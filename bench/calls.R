# Time of a short call: logdensity() of few rows and its like, as a default fit and a small flow have it, which is mostly
# what a call costs before any arithmetic: looking at the flow and at the points, reading specs, building nodes. And that
# a second thread never makes a call slower. `Rscript bench/calls.R`; R_LIBS says which library's bijectr, to compare two.
#
# The probes say what the machine does meanwhile: ns an exp, and us an empty .Call and a fixed piece of work in R. Times
# are minima over many short runs, of processor time. Aims for one row of a default fit: d = 2 in less than 50 us, 65 from
# a data frame, and 80 given a condition.
suppressMessages(library(bijectr))

time_of <- function(call, seconds = 0.05, repeats = 20, clock = "user.self") {
  run <- function(n) system.time(for (i in seq_len(n)) call(), gcFirst = FALSE)[[clock]]
  n <- 8
  while (run(n) < seconds) n <- 2 * n
  1e6 * min(replicate(repeats, run(n))) / n
}
probes <- function() {
  c(
    exp = bijectr:::native_probe("exp", 3000L), empty = time_of(bijectr:::native_check_interrupt, repeats = 10),
    r = time_of(function() vapply(1:20, function(i) i + 1, 0), repeats = 10)
  )
}

set.seed(1)
y <- matrix(rnorm(1000), 200)
fit_2 <- fit_flow(faithful, max_epochs = 1, progress = FALSE)
fit_5 <- fit_flow(y, max_epochs = 1, progress = FALSE)
given <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], max_epochs = 1, progress = FALSE)
affine <- flow(layer_elementwise(scalar_affine()), d = 2)
row <- as.matrix(faithful)[1, , drop = FALSE]
row_5 <- y[1, , drop = FALSE]
frame <- faithful[1, ]
wait <- row[, "waiting", drop = FALSE]
row_1 <- row[, "eruptions", drop = FALSE]
frame_1 <- frame["eruptions"]
calls <- list(
  "default fit, d = 2, matrix" = function() logdensity(fit_2, row),
  "default fit, d = 2, data frame" = function() logdensity(fit_2, frame),
  "default fit, d = 5, matrix" = function() logdensity(fit_5, row_5),
  "one affine layer, matrix" = function() logdensity(affine, row),
  "given a condition, matrices" = function() logdensity(given, row_1, wait),
  "given a condition, data frame" = function() logdensity(given, frame_1, wait),
  "sample(), one draw" = function() sample(fit_2, 1),
  "forward()" = function() forward(fit_2, row),
  "inverse()" = function() inverse(fit_2, row),
  "predict(), data frame" = function() predict(fit_2, frame)
)

cat("us for one row; probes next to each: ns an exp, us an empty .Call, us a fixed piece of R\n\n")
cat(sprintf("| %-30s | %-8s | %6s | %5s | %5s | %5s |\n", "call", "set", "us", "exp", ".Call", "R"))
cat("|---|---|---|---|---|---|\n")
for (isa in bijectr:::native_isa()) {
  options(bijectr.isa = isa)
  for (name in names(calls)) {
    before <- probes()
    us <- time_of(calls[[name]])
    best <- pmin(before, probes())
    cat(sprintf("| %-30s | %-8s | %6.1f | %5.2f | %5.2f | %5.2f |\n", name, isa, us, best[1], best[2], best[3]))
  }
}

# By the clock on the wall, for threads; alternating, so that other users of the machine meet both.
options(bijectr.isa = NULL)
cat("\nus by rows and threads, default fit, d = 2\n\n| rows | 1 thread | 2 threads | 2 / 1 |\n|---|---|---|---|\n")
for (n in c(1, 32, 128, 256, 512, 1024, 4096, 65536)) {
  x <- as.matrix(faithful)[rep_len(seq_len(nrow(faithful)), n), , drop = FALSE]
  us <- c(Inf, Inf)
  for (turn in 1:8) {
    for (threads in 1:2) {
      options(bijectr.threads = threads)
      us[threads] <- min(us[threads], time_of(function() logdensity(fit_2, x), repeats = 6, clock = "elapsed"))
    }
  }
  cat(sprintf("| %5d | %8.1f | %9.1f | %5.2f |\n", n, us[1], us[2], us[2] / us[1]))
}

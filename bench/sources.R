# A flow trained on rows that are not in memory, beside one trained on rows that are: throughput, peak memory and mean
# log density of fresh rows.
#
#   Rscript bench/sources.R make FOLDER 1e8       writes the rows, five columns, to a file of doubles and to SQLite
#   Rscript bench/sources.R KIND FOLDER [STEPS]   trains; KIND is binary, sqlite, or memory, which reads the first 1e7 rows
#
# Each training is a process of its own. With WORKERS=2 in the environment other processes read ahead.
suppressMessages(library(bijectr))
options <- commandArgs(TRUE)
workers <- Sys.getenv("WORKERS")
if (nzchar(workers)) future::plan(future::multisession, workers = as.integer(workers))
kind <- options[1]
folder <- options[2]
columns <- letters[1:5]

rows <- function(n) {
  a <- rnorm(n)
  data.frame(a = a, b = a^2 + rnorm(n) / 2, c = rexp(n), d = sin(2 * a) + rnorm(n) / 4, e = rt(n, 5))
}

file <- file.path(folder, "rows.bin")
database <- file.path(folder, "rows.sqlite")
if (kind == "make") {
  set.seed(1)
  to <- file(file, "wb")
  db <- DBI::dbConnect(RSQLite::SQLite(), database, synchronous = "off")
  n <- as.double(options[3])
  for (i in seq_len(ceiling(n / 5e5))) {
    some <- rows(min(5e5, n - (i - 1) * 5e5))
    writeBin(as.double(t(as.matrix(some))), to)
    DBI::dbWriteTable(db, "measured", some, append = TRUE)
  }
  close(to)
  DBI::dbDisconnect(db)
  quit()
}

n <- file.size(file) / 40
read <- function(i, columns) {
  from <- file(file, "rb")
  on.exit(close(from))
  seek(from, (i[1] - 1) * 40)
  x <- matrix(readBin(from, "double", 5 * length(i)), ncol = 5, byrow = TRUE)
  colnames(x) <- letters[1:5]
  x[, columns]
}
data <- switch(kind,
  memory = as.data.frame(read(seq_len(min(n, 1e7)), columns)),
  binary = data_source(read = read, n = n, names = columns, reopen = TRUE),
  sqlite = data_source(DBI::dbConnect(RSQLite::SQLite(), database), "measured")
)
steps <- if (length(options) > 2) as.integer(options[3]) else 8000L
set.seed(1)
seconds <- system.time(fit <- fit_flow(data, steps = steps, progress = FALSE))[["elapsed"]]
peak <- sub("VmHWM:\\s*", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
set.seed(2)
fresh <- rows(2e5)
cat(sprintf(
  "%s, %.0f rows: in all %.1f s, of which training %.1f s, %.0f rows a second; peak %s; mean log density %.4f\n", kind,
  nobs(fit), seconds, fit$seconds, fit$steps * fit$control$batch_size / fit$seconds, peak, mean(logdensity(fit, fresh))
))

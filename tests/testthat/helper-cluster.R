# Runs R code in n ranks by mpirun: list(status, out, seconds, values), `values` what each rank gave to keep(). Ranks
# that have not ended within `timeout` seconds are killed, with status 124.
run_ranks <- function(n, code, timeout = 120, env = character()) {
  folder <- withr::local_tempdir()
  script <- file.path(folder, "script.R")
  values <- file.path(folder, paste0("rank-", seq_len(n) - 1, ".rds"))
  writeLines(c(
    "suppressMessages(library(bijectr))",
    sprintf("keep <- function(x) saveRDS(x, file.path('%s', paste0('rank-', mpi_cluster()$rank, '.rds')))", folder),
    deparse(code)
  ), script)
  began <- Sys.time()
  out <- withr::with_envvar(
    c(
      OMPI_ALLOW_RUN_AS_ROOT = "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = "1", OMPI_MCA_orte_tmpdir_base = folder,
      R_TESTS = "", env
    ),
    suppressWarnings(system2("timeout", c("-k", "5", timeout, "mpirun", "--oversubscribe", "-n", n,
      shQuote(file.path(R.home("bin"), "Rscript")), shQuote(script)), stdout = TRUE, stderr = TRUE))
  )
  list(
    status = attr(out, "status") %||% 0L, out = as.character(out),
    seconds = as.double(Sys.time() - began, units = "secs"),
    values = lapply(values, function(file) if (file.exists(file)) readRDS(file))
  )
}

skip_without_mpi <- function() {
  skip_on_cran()
  skip_if(!nzchar(Sys.which("mpirun")) || !nzchar(Sys.which("timeout")), "there is no mpirun")
  skip_if(!nzchar(system.file(package = "Rmpi")), "Rmpi is not installed")
}

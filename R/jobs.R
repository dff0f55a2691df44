# Independent pieces of work, one after another or side by side: by a plan of the future package where the user has set
# one, else by forks of this process where the machine has them. Each job has its own seed and its own result, so that
# the bits are the same in any case.

# list(results, status): what `work(job)` gives for each job, NULL for those that were not begun. They are done in
# batches: between these interrupts are looked for, and the bar moves. `seconds`: a budget for all, of which each job
# gets its share as `job$seconds`.
run_jobs <- function(jobs, work, seconds = NULL, progress = FALSE) {
  started <- Sys.time()
  elapsed <- function() as.double(Sys.time() - started, units = "secs")
  results <- rep(list(NULL), length(jobs))
  side <- side_by_side()
  remaining <- "?"
  bar <- if (progress) {
    cli::cli_progress_bar(
      total = length(jobs), clear = TRUE, .auto_close = FALSE,
      format = "Fitting members {cli::pb_bar} {cli::pb_current} of {cli::pb_total} | {remaining} left"
    )
  }
  status <- "finished"
  batches <- split(seq_along(jobs), (seq_along(jobs) - 1) %/% (if (progress) side$count else BATCH * side$count))
  for (batch in batches) {
    now <- jobs[batch]
    if (!is.null(seconds)) {
      left <- max(seconds - elapsed(), 1e-3)
      share <- left * side$count / (length(jobs) - batch[1] + 1)
      now <- lapply(now, function(job) c(job, seconds = share))
    }
    done <- guarded(side$apply(now, work))
    if (inherits(done, "interrupt")) {
      status <- "interrupted"
      break
    }
    if (inherits(done, "error")) stop(done)
    results[batch] <- done
    if (progress) {
      at <- batch[length(batch)]
      remaining <- format_seconds(remaining_seconds(elapsed(), at / length(jobs), seconds))
      cli::cli_progress_update(set = at, id = bar)
    }
  }
  if (progress) cli::cli_progress_done(id = bar)
  list(results = results, status = status)
}

# By the pace of the share that is done, and no more than the budget has left.
remaining_seconds <- function(elapsed, done, seconds = NULL) {
  max(0, min(elapsed * (1 - done) / done, (seconds %||% Inf) - elapsed))
}

# Jobs of a batch, for each that is done at a time.
BATCH <- 12

# How jobs are done, list(count, apply): so many at a time.
side_by_side <- function() {
  if (has_future_plan()) return(list(count = future_workers(), apply = in_futures))
  count <- thread_count()
  if (count == 1 || .Platform$OS.type != "unix" || !isTRUE(getOption("bijectr.fork", TRUE))) {
    return(list(count = 1, apply = lapply))
  }
  list(count = count, apply = function(jobs, work) {
    done <- suppressWarnings(parallel::mclapply(jobs, on_one_thread(work),
      mc.cores = count, mc.preschedule = TRUE, mc.set.seed = FALSE
    ))
    # what a fork has not given back is done again here
    lost <- vapply(done, function(result) is.null(result) || inherits(result, "try-error"), NA)
    done[lost] <- lapply(jobs[lost], work)
    done
  })
}

# What runs beside its like neither takes threads nor forks: the others have the cores.
on_one_thread <- function(work) {
  force(work)
  function(job) {
    old <- options(bijectr.threads = 1L)
    on.exit(options(old))
    work(job)
  }
}

# As lapply(), by the user's plan; jobs have seeds of their own. `one_each`: a future for each, begun when a worker is
# free.
in_futures <- function(jobs, work, one_each = FALSE) {
  future.apply::future_lapply(jobs, on_one_thread(work),
    future.seed = NULL, future.packages = "bijectr", future.scheduling = if (one_each) Inf else 1
  )
}

# Workers of the user's plan, 1 where there is none.
future_workers <- function() {
  if (!has_future_plan()) return(1)
  workers <- future::nbrOfWorkers()
  if (is.finite(workers)) workers else 8
}

has_future_plan <- function() {
  if (!isNamespaceLoaded("future") || !requireNamespace("future.apply", quietly = TRUE)) return(FALSE)
  !inherits(future::plan(), "sequential")
}

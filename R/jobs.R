# Independent pieces of work, one after another or side by side: by a plan of the future package where the user has set
# one, else by forks of this process where the machine has them. Each job has its own seed and its own result, so that
# the bits are the same in any case.

# list(results, status): what `work(job)` gives for each job, NULL for those that were not begun. They are done in
# batches of some seconds by the pace of the one before: between these interrupts are looked for, and the bar moves.
# `seconds`: a budget for all, of which each job gets its share as `job$seconds`.
run_jobs <- function(jobs, work, seconds = NULL, progress = FALSE) {
  cluster <- current_cluster()
  if (!is.null(cluster)) return(jobs_of_ranks(cluster, jobs, work, seconds))
  started <- Sys.time()
  elapsed <- function() as.double(Sys.time() - started, units = "secs")
  tick <- progress_ticks(length(jobs))
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
  at <- 0
  pace <- 0 # seconds of one worker for a job
  while (at < length(jobs)) {
    left <- length(jobs) - at
    here <- pace * left < side$worth
    workers <- if (here) 1 else side$count
    batch <- at + seq_len(if (here) 1 else batch_size(left, workers, pace))
    now <- jobs[batch]
    if (!is.null(seconds)) {
      share <- max(seconds - elapsed(), 1e-3) * workers / left
      now <- lapply(now, function(job) c(job, seconds = share))
    }
    before <- elapsed()
    apply <- if (here) lapply else side$apply
    done <- guarded(apply(now, work))
    if (inherits(done, "interrupt")) {
      status <- "interrupted"
      break
    }
    if (inherits(done, "error")) stop(done)
    results[batch] <- done
    tick(length(batch))
    at <- batch[length(batch)]
    pace <- (elapsed() - before) * min(workers, length(batch)) / length(batch)
    if (progress) {
      remaining <- format_seconds(remaining_seconds(elapsed(), at / length(jobs), seconds))
      cli::cli_progress_update(set = at, id = bar)
    }
  }
  if (progress) cli::cli_progress_done(id = bar)
  list(results = results, status = status)
}

# Every rank of a cluster does its share of the jobs, alone, and has the results of all.
jobs_of_ranks <- function(cluster, jobs, work, seconds) {
  end <- Sys.time() + (seconds %||% Inf)
  mine <- seq_along(jobs)[(seq_along(jobs) - 1) %% cluster$size == cluster$rank]
  work <- on_one_thread(work, threads = thread_count())
  results <- rep(list(NULL), length(jobs))
  status <- "finished"
  told <- on_all_ranks(cluster, {
    for (i in mine) {
      left <- as.double(end - Sys.time(), units = "secs") / sum(mine >= i)
      done <- guarded(work(c(jobs[[i]], if (!is.null(seconds)) list(seconds = max(left, 1e-3)))))
      if (inherits(done, "interrupt")) {
        status <- "interrupted"
        break
      }
      if (inherits(done, "error")) stop(done)
      results[i] <- list(done)
    }
    list(results = results[mine], status = status)
  })
  for (r in seq_along(told)) {
    theirs <- (seq_along(jobs) - 1) %% cluster$size == r - 1
    results[theirs] <- told[[r]]$results
    if (told[[r]]$status != "finished") status <- told[[r]]$status
  }
  list(results = results, status = status)
}

# As many jobs for each worker as take BATCH_SECONDS; one where the pace is not known.
batch_size <- function(left, workers, pace) {
  min(left, workers * if (pace > 0) max(1, round(BATCH_SECONDS / pace)) else 1)
}

BATCH_SECONDS <- 4

# By the pace of the share that is done, and no more than the budget has left.
remaining_seconds <- function(elapsed, done, seconds = NULL) {
  max(0, min(elapsed * (1 - done) / done, (seconds %||% Inf) - elapsed))
}

# Seconds of work that are worth a fork: a fork copies what its collection of garbage touches, which some machines take
# a second for.
FORK_SECONDS <- 4

# How jobs are done, list(count, worth, apply): so many at a time where the work that is left is `worth` these seconds,
# else one after another here.
side_by_side <- function() {
  if (has_future_plan()) return(list(count = future_workers(), worth = 0, apply = in_futures))
  count <- thread_count()
  if (count == 1 || .Platform$OS.type != "unix" || !isTRUE(getOption("bijectr.fork", TRUE))) {
    return(list(count = 1, worth = Inf))
  }
  list(count = count, worth = FORK_SECONDS, apply = function(jobs, work) {
    done <- suppressWarnings(parallel::mclapply(jobs, on_one_thread(work),
      mc.cores = count, mc.preschedule = TRUE, mc.set.seed = FALSE
    ))
    # what a fork has not given back is done again here
    lost <- vapply(done, function(result) is.null(result) || inherits(result, "try-error"), NA)
    done[lost] <- lapply(jobs[lost], work)
    done
  })
}

# What runs beside its like neither takes threads nor forks: the others have the cores. Nor is it one of several ranks.
on_one_thread <- function(work, threads = 1L) {
  force(list(work, threads))
  function(job) {
    old <- options(bijectr.threads = threads, bijectr.cluster = FALSE, bijectr.fork = FALSE)
    on.exit(options(old))
    work(job)
  }
}

# A function that tells the progressr package, for whoever listens, that n pieces of so many are done, and does
# nothing where it is not loaded. The pieces are those of the function that asks, and end with it.
progress_ticks <- function(total, frame = parent.frame()) {
  if (total == 0 || !isNamespaceLoaded("progressr")) return(function(n = 1) invisible())
  step <- progressr::progressor(steps = total, envir = frame)
  function(n = 1) step(amount = n)
}

ticking <- function(work, tick) {
  if (is.null(tick)) return(work)
  force(work)
  function(job) {
    on.exit(tick())
    work(job)
  }
}

# As lapply(), by the user's plan; jobs have seeds of their own. `one_each`: a future for each, begun when a worker is
# free. `tick`: that of progress_ticks(), called by the workers.
in_futures <- function(jobs, work, one_each = FALSE, seed = NULL, tick = NULL) {
  future.apply::future_lapply(jobs, ticking(on_one_thread(work), tick),
    future.seed = seed, future.packages = "bijectr", future.scheduling = if (one_each) Inf else 1
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

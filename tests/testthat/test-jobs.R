# Jobs one after another and side by side, see R/jobs.R.

test_that("jobs have their own results, whoever does them, and whatever they take", {
  jobs <- lapply(1:9, function(i) list(i = i, seconds_needed = if (i > 6) 1.5 else 0))
  work <- function(job) {
    Sys.sleep(job$seconds_needed)
    list(i = job$i, pid = Sys.getpid())
  }
  withr::local_options(bijectr.threads = 2)
  run <- run_jobs(jobs[1:6], work)
  expect_identical(run$status, "finished")
  expect_identical(vapply(run$results, `[[`, 0L, "i"), 1:6)
  # short jobs stay here
  expect_true(all(vapply(run$results, `[[`, 0L, "pid") == Sys.getpid()))
  skip_on_os("windows")
  long <- c(jobs, jobs[7:9]) # six of 1.5 s: worth forks once the first has shown its length
  run <- run_jobs(long, work)
  expect_identical(vapply(run$results, `[[`, 0L, "i"), c(1:9, 7:9))
  pid <- vapply(run$results, `[[`, 0L, "pid")
  expect_true(all(pid[1:7] == Sys.getpid()))
  expect_false(any(pid[8:12] == Sys.getpid()))
  withr::local_options(bijectr.fork = FALSE)
  run <- run_jobs(long[c(1, 7)], work)
  expect_true(all(vapply(run$results, `[[`, 0L, "pid") == Sys.getpid()))
})

test_that("a budget is shared among the jobs that are left", {
  withr::local_options(bijectr.threads = 1)
  run <- run_jobs(rep(list(list()), 4), function(job) job$seconds, seconds = 8)
  expect_equal(unlist(run$results), c(2, 8 / 3, 4, 8), tolerance = 0.01)
})

test_that("batches are as long as the pace says", {
  expect_identical(batch_size(100, 2, 0), 2)
  expect_identical(batch_size(100, 2, 0.5), 2 * BATCH_SECONDS / 0.5)
  expect_identical(batch_size(5, 2, 0.01), 5)
  expect_identical(batch_size(100, 2, 60), 2)
})

test_that("an error of the work ends all, an interrupt keeps what was done", {
  withr::local_options(bijectr.threads = 1)
  expect_error(run_jobs(list(1, 2), function(job) stop("of the work")), "of the work")
  run <- run_jobs(as.list(1:3), function(job) {
    if (job == 2) stop(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
    job
  })
  expect_identical(run$status, "interrupted")
  expect_identical(run$results, list(1L, NULL, NULL))
})

test_that("progressr hears of every job, done here and by futures", {
  skip_if_not_installed("progressr")
  loadNamespace("progressr")
  withr::local_options(progressr.enable = TRUE)
  heard <- function(expr) {
    told <- 0
    withCallingHandlers(expr, progression = function(p) {
      if (identical(p$type, "update")) told <<- told + p$amount
    })
    told
  }
  expect_identical(heard(run_jobs(as.list(1:5), identity)), 5)
  expect_identical(heard(fit_flow(faithful, members = c("normal", "student_t"))), 2)
  candidates <- list(a = list(layers = planar_flow(1)), b = list(layers = planar_flow(2)))
  expect_identical(heard(flow_cv(faithful, candidates, steps = 5, folds = 2)), 4)
  skip_if_not_installed("future.apply")
  old <- future::plan(future::multisession, workers = 2)
  withr::defer(future::plan(old))
  expect_identical(heard(run_jobs(as.list(1:5), identity)), 5)
  expect_identical(heard(flow_cv(faithful, candidates, steps = 5, folds = 2)), 4)
})

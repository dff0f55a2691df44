alone <- function(rank, size) new_cluster("test", rank, size, 1L, identity, function(object) rep(list(object), size))

relative <- function(a, b) max(abs(a - b) / pmax(abs(b), 1e-3))

# One epoch without a step, of all ranks in turn: what each would have added up.
losses_of <- function(flow, x, size, lanes, batch, held_out = integer()) {
  n <- nrow(x)
  start <- function(lane) (n * lane) %/% lanes
  found <- NULL
  for (rank in seq_len(size) - 1) {
    share <- c(rank_share(alone(rank, size), lanes), list(n = n, sum = function(numbers) {
      found <<- rbind(found, c(rank, numbers[1:2]))
      numbers
    }))
    rows <- start(share$lane):(start(share$lane_end) - 1)
    control <- fit_control(learning_rate = 1e-12, max_epochs = 1, batch_size = batch)
    setup <- train_setup(control, 1,
      data = x, condition = NULL, weight = NULL, train_row = as.integer(rows), validation_row = held_out,
      batch_size = batch, noise = 0, noise_root = diag(2), loss = loss_maximum_likelihood(), share = share, seed = 5,
      seconds = 10
    )
    run <- native_train(flow, setup, new_state(flow, control))
    expect_identical(run$outcome, "finished")
  }
  found
}

test_that("ranks and lanes share every batch, whatever their numbers: each row of an epoch once", {
  flow <- with_seed(1, flow(planar_flow(2), 2))
  x <- as.matrix(with_seed(2, data.frame(a = rnorm(203), b = rnorm(203))))
  each <- -logdensity(flow, x)
  for (size in c(1, 2, 3, 7)) {
    for (lanes in c(1, 2, 3, 5)) {
      found <- losses_of(flow, x, size, lanes, 50)
      expect_identical(sum(found[, 3]), 203)
      expect_equal(sum(found[, 2]), sum(each), tolerance = 1e-9)
      weights <- matrix(found[, 3], ncol = size) # a row a step
      expect_identical(nrow(weights), 5L)
      expect_true(all(abs(rowSums(weights) - c(50, 50, 50, 50, 3)) <= lanes))
      expect_true(all(diff(range(weights[1, ])) <= ceiling(50 / lanes) + 1))
    }
  }
  # one batch of all, and ranks without rows
  expect_equal(sum(losses_of(flow, x, 3, 1, 1000)[, 2]), sum(each), tolerance = 1e-9)
  expect_equal(sum(losses_of(flow, x[1:2, ], 5, 1, 1000)[, 2]), sum(each[1:2]), tolerance = 1e-9)
  # held-out rows are shared as well: two more sums of each rank
  found <- losses_of(flow, x, 3, 1, 1000, held_out = 0:99)
  expect_identical(sum(found[, 3]), 203 + 100)
  expect_equal(sum(found[, 2]), sum(each) + sum(each[1:100]), tolerance = 1e-9)
})

test_that("a share that is none is refused", {
  flow <- with_seed(1, flow(planar_flow(1), 2))
  x <- matrix(rnorm(20), 10)
  train <- function(...) {
    control <- fit_control(max_epochs = 1)
    setup <- train_setup(control, 1,
      data = x, condition = NULL, weight = NULL, train_row = 0:9, validation_row = integer(), batch_size = 5, noise = 0,
      noise_root = diag(2), loss = loss_maximum_likelihood(), seed = 1, seconds = 10,
      share = utils::modifyList(c(rank_share(alone(0, 2)), n = 10), list(...))
    )
    native_train(flow, setup, new_state(flow, control))
  }
  expect_identical(train()$outcome, "finished")
  expect_error(train(rank = 2), "rank")
  expect_error(train(lane_end = 2), "lane_end")
  expect_error(train(n = 11), "lanes of this process")
  expect_error(train(sum = function(x) x[-1]), "sum over processes")
  run <- train(sum = function(x) simpleCondition("gone"))
  expect_identical(run$outcome, "paused")
  expect_identical(conditionMessage(run$condition), "gone")
  expect_identical(run$state$counters[["step"]], 0)
})

test_that("a script alone is rank 0 of 1, and clusters that are none are refused", {
  ranks <- mpi_cluster()
  expect_identical(c(ranks$rank, ranks$size), c(0L, 1L))
  expect_output(print(ranks), "rank 0 of 1")
  expect_error(fit_flow(faithful, steps = 1, cluster = 2), "cluster")
  fit <- with_seed(1, fit_flow(faithful, steps = 5, cluster = FALSE))
  expect_identical(fit$params, with_seed(1, fit_flow(faithful, steps = 5))$params)
  expect_null(fit$control$cluster)
})

test_that("a process that a rank has started is no rank", {
  withr::local_envvar(OMPI_COMM_WORLD_SIZE = "4", BIJECTR_RANK_PROCESS = "1")
  expect_identical(launched_processes(), 1L)
  withr::local_envvar(BIJECTR_RANK_PROCESS = "")
  expect_identical(launched_processes(), 4L)
})

test_that("samples of parts of a source merge to that of the whole", {
  n <- 30000
  table <- with_seed(1, data.frame(a = rnorm(n), g = sample(c("u", "v", "w"), n, TRUE)))
  table$g[17000] <- "rare"
  source <- source_of(table, 2500)
  whole <- open_stream(source, most = 1000)
  parts <- lapply(0:2, function(rank) {
    kept <- new_sample(1, 1000)
    for (i in seq(rank + 1, 12, 3)) {
      first <- (i - 1) * 2500
      kept <- add_to_sample(kept, source$read(i), first, native_row_hash(first, 2500, 0))
    }
    sent_sample(kept)
  })
  joined <- settled_sample(joined_samples(parts, parts[[1]]))
  expect_identical(joined$number, whole$number)
  expect_identical(joined$table, whole$table)
  expect_false(joined$whole)
  parts[[2]]$like$a <- "x"
  expect_error(joined_samples(parts, parts[[1]]), "class character")
})

test_that("ranks fit as one process does, up to rounding, and a stack to the bit", {
  skip_without_mpi()
  code <- quote({
    ranks <- mpi_cluster()
    set.seed(1 + ranks$rank) # those of rank 0 count
    one <- fit_flow(faithful, steps = 100, batch_size = 64)
    conditional <- fit_flow(eruptions ~ waiting, data = faithful, steps = 100)
    stack <- fit_flow(faithful, members = c("normal", "full", "spline"), steps = 40)
    keep(list(
      ranks = unlist(ranks[c("rank", "size", "here")]), one = one$params, conditional = conditional$params,
      stack = logdensity(stack, faithful), threads = bijectr:::thread_count(),
      mine = if (ranks$rank == 0) fit_flow(faithful, steps = 3, cluster = FALSE)$steps
    ))
  })
  set.seed(1)
  one <- fit_flow(faithful, steps = 100, batch_size = 64)
  conditional <- fit_flow(eruptions ~ waiting, data = faithful, steps = 100)
  stack <- logdensity(fit_flow(faithful, members = c("normal", "full", "spline"), steps = 40), faithful)
  for (size in 2:3) {
    run <- run_ranks(size, code)
    expect_identical(run$status, 0L, info = run$out)
    for (of in run$values) {
      expect_identical(of$one, run$values[[1]]$one)
      expect_lt(relative(of$one, one$params), 1e-10)
      expect_lt(relative(of$conditional, conditional$params), 1e-10)
      expect_identical(of$stack, stack)
    }
    expect_identical(unname(run$values[[size]]$ranks), c(size - 1L, size, size))
    expect_identical(run$values[[1]]$mine, 3)
  }
  # over TCP
  run <- run_ranks(4, code, env = c(OMPI_MCA_btl = "tcp,self"))
  expect_identical(run$status, 0L, info = run$out)
  expect_lt(relative(run$values[[4]]$one, one$params), 1e-10)
})

test_that("each rank reads its part of a source, and any number of ranks goes on with a training", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  code <- substitute(
    {
      set.seed(1)
      n <- 40000
      table <- data.frame(a = rnorm(n), b = rexp(n))
      reads <- 0
      read <- function(rows, columns) {
        reads <<- reads + 1
        table[rows, columns]
      }
      source <- data_source(read = read, n = n, names = names(table), block = 2000, memory = 1)
      set.seed(2)
      settings <- list(data = source, noise = 0, schedule = schedule_constant(), validate_every = 50, keep_state = TRUE)
      fit <- do.call(fit_flow, c(settings, steps = 40))
      read_by_40 <- reads
      on <- resume(fit, data = source, steps = 60)
      if (mpi_cluster()$rank == 0) saveRDS(fit, file)
      keep(list(fit = fit, on = on$params, reads = read_by_40))
    },
    list(file = file.path(folder, "fit.rds"))
  )
  run <- run_ranks(3, code)
  expect_identical(run$status, 0L, info = run$out)
  fit <- run$values[[1]]$fit
  expect_identical(fit$source$lanes, 3L)
  expect_lt(max(vapply(run$values, `[[`, 0, "reads")), 20) # of 20 blocks in the first pass and as many in the training
  for (of in run$values) expect_identical(of$on, run$values[[1]]$on)
  source <- with_seed(1, source_of(data.frame(a = rnorm(40000), b = rexp(40000)), 2000))
  expect_lt(relative(resume(fit, data = source, steps = 60)$params, run$values[[1]]$on), 1e-10)
  code[[length(code) - 4]] <- quote(fit <- readRDS(FILE))
  code <- do.call(substitute, list(code, list(FILE = file.path(folder, "fit.rds"))))
  for (size in c(2, 4)) {
    more <- run_ranks(size, code)
    expect_identical(more$status, 0L, info = more$out)
    expect_lt(relative(more$values[[size]]$on, run$values[[1]]$on), 1e-10)
  }
})

test_that("an error or an interrupt of one rank ends all at the same step, with what was trained", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  code <- substitute(
    {
      rank <- mpi_cluster()$rank
      set.seed(1)
      table <- data.frame(a = rnorm(40000), b = rexp(40000))
      times <- 0
      read <- function(rows, columns) {
        times <<- times + 1
        if (rank == 1 && times > 25) stop("the disk is gone")
        table[rows, columns]
      }
      source <- data_source(read = read, n = 40000, names = names(table), block = 2000, memory = 1)
      failed <- tryCatch(fit_flow(source, steps = 1e5, checkpoint = file), error = identity)
      given <- if (rank == 1) faithful[-1, ] else faithful
      other <- tryCatch(fit_flow(given, steps = 5), error = identity)
      gone <- tryCatch(
        fit_flow(data_source(read = function(rows, columns) {
          if (rank == 2) stop("no such file")
          table[rows, columns]
        }, n = 40000, names = names(table), block = 2000, memory = 1)),
        error = identity
      )
      told <- 0
      stopped <- fit_flow(faithful, steps = 1e6, callback = function(fit, record) {
        told <<- told + 1
        FALSE
      })
      late <- fit_flow(faithful, steps = 1e8, seconds = 1.5)
      keep(list(
        classes = class(failed), parent = class(failed$parent), why = conditionMessage(failed$parent),
        steps = failed$fit$steps, params = failed$fit$params, other = conditionMessage(other),
        gone = conditionMessage(gone), stopped = c(stopped$status, late$status), told = told,
        after = c(stopped$steps, late$steps)
      ))
    },
    list(file = file.path(folder, "checkpoint.rds"))
  )
  run <- run_ranks(3, code)
  expect_identical(run$status, 0L, info = run$out)
  for (of in run$values) {
    expect_true("bijectr_error_training" %in% of$classes)
    expect_match(of$why, "the disk is gone")
    expect_identical(of$params, run$values[[1]]$params)
    expect_gt(of$steps, 0)
    expect_match(of$other, "Rank 1 .*same data")
    expect_match(of$gone, "no such file")
    expect_identical(of$stopped, c("stopped", "time_limit"))
    expect_identical(of$after, run$values[[1]]$after)
  }
  expect_true("bijectr_error_rank" %in% run$values[[1]]$parent)
  expect_match(run$values[[1]]$why, "Rank 1 of the cluster")
  expect_match(run$values[[2]]$why, "Block [0-9]+")
  expect_identical(vapply(run$values, `[[`, 0, "told"), c(1, 0, 0))
  expect_identical(readRDS(file.path(folder, "checkpoint.rds"))$steps, run$values[[1]]$steps)
})

test_that("a rank that is killed ends all, and the checkpoint goes on", {
  skip_without_mpi()
  file <- withr::local_tempfile(fileext = ".rds")
  code <- substitute(
    {
      rank <- mpi_cluster()$rank
      set.seed(1)
      if (rank == 1) {
        system(sprintf("(sleep 2.5; kill -9 %d) >/dev/null 2>&1 &", Sys.getpid()))
      }
      fit_flow(faithful, steps = 1e7, checkpoint = file, checkpoint_seconds = 0)
    },
    list(file = file)
  )
  run <- run_ranks(2, code, timeout = 60)
  expect_false(run$status %in% c(0L, 124L))
  expect_lt(run$seconds, 30)
  saved <- readRDS(file)
  expect_gt(saved$steps, 0)
  expect_identical(resume(saved, data = faithful, steps = 10)$steps, saved$steps + 10)
})

test_that("an error that a script does not catch ends all ranks", {
  skip_without_mpi()
  run <- run_ranks(2, quote({
    if (mpi_cluster()$rank == 1) stop("wrong")
    fit_flow(faithful, steps = 1e7)
  }), timeout = 60)
  expect_false(run$status %in% c(0L, 124L))
  expect_match(run$out, "wrong", all = FALSE)
})

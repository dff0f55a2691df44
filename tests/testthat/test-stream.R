curved <- function(n, seed = 1) {
  set.seed(seed)
  a <- rnorm(n)
  data.frame(a = a, b = a^2 + rnorm(n) / 2, c = rexp(n))
}

quietly <- function(expr) suppressMessages(suppressWarnings(expr))

test_that("hashes of rows are uniform, differ by seed, and do not depend on how rows are cut", {
  h <- native_row_hash(0, 1e5, 0)
  expect_gt(stats::ks.test(h, "punif")$p.value, 1e-3)
  expect_lt(abs(cor(h[-1], h[-1e5])), 0.02)
  expect_identical(c(native_row_hash(0, 10, 3), native_row_hash(10, 90, 3)), native_row_hash(0, 100, 3))
  expect_false(any(native_row_hash(0, 100, 3) == native_row_hash(0, 100, 4)))
  expect_identical(anyDuplicated(h), 0L)
})

test_that("a source that fits into memory is fitted as its table is, to the bit", {
  table <- curved(2000)
  of_source <- with_seed(1, fit_flow(source_of(table, 300, memory = 64), steps = 60))
  of_table <- with_seed(1, fit_flow(table, steps = 60))
  expect_identical(of_source$params, of_table$params)
  expect_identical(of_source$held_out_loglik, of_table$held_out_loglik)
  expect_null(of_source$source)
})

test_that("the table that columns are learned from is a uniform sample with the extremes and all levels", {
  n <- 40000
  table <- curved(n)
  table$kind <- c(rep("common", n - 1), "rare")[order(native_row_hash(0, n, 9))]
  for (block in c(1000, 7000)) {
    stream <- open_stream(source_of(table, block), most = 1000)
    expect_false(stream$whole)
    expect_identical(sum(stream$rows), 40000L)
    hash <- native_row_hash(0, n, 0)
    expect_identical(stream$number[1:1000], order(hash)[1:1000] - 1) # however the source is cut
    expect_equal(stream$table, table[stream$number + 1, ], ignore_attr = TRUE)
    for (name in c("a", "b", "c")) expect_identical(range(stream$table[[name]]), range(table[[name]]))
    expect_setequal(stream$table$kind, c("common", "rare"))
    expect_lte(nrow(stream$table), 1000 + 8)
  }
})

# The buffers of a pass, naively: the training rows block by block.
test_that("each pass has every training row once, in blocks of another order, and no held-out row", {
  table <- curved(30000)
  stream <- open_stream(source_of(table, 4000))
  fit <- quietly(with_seed(1, fit_flow(source_of(table, 4000), planar_flow(1), steps = 1, standardize = "none")))
  held_out <- 1:700
  control <- fit_control(batch_size = 500, steps = 1)
  plan <- plan_stream(stream, fit, list(data = stream$table), NULL, list(validation = held_out), control)
  expect_identical(plan$size %% 500, 0)
  out <- stream$number[held_out] + 1
  passes <- lapply(0:1, function(pass) {
    blocks <- block_reader(plan)
    buffers <- lapply(pass * plan$buffers + seq_len(plan$buffers) - 1, function(e) read_buffer(plan, blocks, e, 17))
    expect_identical(vapply(buffers[-plan$buffers], `[[`, 0, "n"), rep(plan$size, plan$buffers - 1))
    for (buffer in buffers) expect_identical(buffer$data[[1]][held_out], table$a[out])
    unlist(lapply(buffers, function(buffer) buffer$data[[1]][-held_out]))
  })
  for (pass in 0:1) {
    order <- order(native_row_hash(pass * 8, 8, 17))
    naive <- unlist(lapply(order, function(i) {
      rows <- ((i - 1) * 4000 + 1):min(i * 4000, 30000)
      table$a[setdiff(rows, out)]
    }))
    expect_identical(passes[[pass + 1]], naive)
  }
  expect_false(identical(passes[[1]], passes[[2]]))
})

test_that("a flow trained on blocks is as good as one on the table", {
  table <- curved(40000)
  fresh <- curved(20000, 2)
  of_source <- with_seed(1, fit_flow(source_of(table), steps = 1200))
  of_table <- with_seed(1, fit_flow(table, steps = 1200))
  expect_gt(of_source$source$buffers, 2)
  expect_lt(abs(mean(logdensity(of_source, fresh)) - mean(logdensity(of_table, fresh))), 0.02)
  expect_identical(nobs(of_source), 40000)
  expect_output(print(of_source), "`rows`, 40,000 rows; in memory 40,000 and buffers of .* at most 1 MB")
  expect_lt(abs(of_source$loglik / sum(logdensity(of_source, table)) - 1), 1e-3)
})

test_that("a training on blocks goes on to the bit, also from a checkpoint", {
  source <- source_of(curved(30000))
  train <- function(...) {
    with_seed(3, fit_flow(source, ...,
      schedule = schedule_constant(), noise = 0, validate_every = 40, keep_state = TRUE
    ))
  }
  all <- train(max_epochs = 3)
  half <- train(max_epochs = 1)
  expect_identical(c(all$epochs, half$epochs), c(3, 1))
  on <- resume(half, epochs = 2)
  expect_identical(on$params, all$params)
  expect_identical(on$steps, all$steps)
  file <- withr::local_tempfile(fileext = ".rds")
  stopped <- train(max_epochs = 3, checkpoint = file, callback = function(fit, record) record$step < 60)
  expect_identical(stopped$status, "stopped")
  expect_identical(resume(readRDS(file), data = source)$params, all$params)
  expect_error(resume(half, data = source_of(curved(29000)), epochs = 1), "29000 rows, not 30000")
})

test_that("how calls are cut and who reads ahead does not change a bit", {
  table <- curved(30000)
  before <- with_seed(1, fit_flow(source_of(table), steps = 200))
  cut <- withr::with_options(list(bijectr.seconds_per_call = 0), with_seed(1, fit_flow(source_of(table), steps = 200)))
  expect_identical(cut$params, before$params)
  skip_if_not_installed("future.apply")
  file <- withr::local_tempfile()
  saveRDS(table, file)
  again <- function() {
    data_source(read = function(i, columns) readRDS(file)[i, ], n = 30000, names = c("a", "b", "c"), block = 5000)
  }
  old <- future::plan(future::multisession, workers = 2)
  withr::defer(future::plan(old))
  ahead <- with_seed(1, fit_flow(source_of(table, reopen = again), steps = 200))
  expect_identical(ahead$params, before$params)
  # what a worker cannot read is read here
  broken <- with_seed(1, fit_flow(source_of(table, reopen = function() stop("gone")), steps = 200))
  expect_identical(broken$params, before$params)
})

test_that("formulas with levels are trained on blocks", {
  table <- curved(30000)
  table$g <- factor(rep(c("u", "v", "w"), 10000))
  table$b <- table$b + 2 * (table$g == "w")
  fit <- with_seed(1, fit_flow(b ~ a + g, data = source_of(table), steps = 300))
  expect_false(is.null(fit$source))
  expect_identical(fit$source$columns, c("a", "b", "g"))
  means <- predict(fit, data.frame(a = 0, g = c("u", "w")), "response")
  expect_lt(abs(diff(unlist(means)) - 2), 0.3)
  all <- with_seed(1, fit_flow(b ~ ., data = source_of(table), steps = 2))
  expect_identical(all$source$columns, names(table))
})

test_that("what needs its rows at once is fitted to a sample, and says so", {
  table <- curved(30000)
  table$g <- rep(c("u", "v", "w"), 10000)
  expect_message(
    fit <- with_seed(1, fit_flow(source_of(table), members = c("normal", "cells"), seconds = 5)),
    class = "bijectr_message_sampled"
  )
  expect_setequal(names(sample(fit, 3)), names(table))
  whole <- data.frame(k = rpois(50000, 20))
  expect_message(
    with_seed(1, fit_flow(source_of(whole, memory = 0.1), support = counts(), steps = 20)),
    class = "bijectr_message_sampled"
  )
})

test_that("bad blocks are named before anything is trained", {
  table <- curved(20000)
  spoil <- function(column, row, value, block = 3) {
    source_of(table, change = function(rows, i, times) {
      if (i == block) rows[[column]][row] <- value
      rows
    })
  }
  expect_error(
    fit_flow(spoil("b", 17, NA)), "Block 3 of `rows`.*column b .*row 17;",
    class = "bijectr_error_block"
  )
  expect_error(fit_flow(spoil("c", 1, "x")), "Block 3.*c is of class character.*numeric", class = "bijectr_error_block")
  gone <- source_of(table, change = function(rows, i, times) if (i == 2) stop("connection lost") else rows)
  expect_error(fit_flow(gone), "Block 2 of `rows`", class = "bijectr_error_block")
  expect_error(fit_flow(gone), "connection lost")
  expect_error(fit_flow(source_of(table), weights = 1:3), "weights.*rows in memory")
  expect_error(fit_flow(source_of(table), condition = 1), "condition.*rows in memory")
  expect_error(fit_flow(source_of(table), na = "model"), "na")
  expect_error(fit_flow(b ~ a, data = source_of(table), subset = a > 0), "subset.*rows in memory")
  expect_error(fit_flow(source_of(table), steps = 5, validation = 1:10), "share of the rows")
  expect_error(fit_flow(b ~ nothing, data = source_of(table)), "nothing")
  expect_error(fit_flow(source_of(table[1, ])), "at least two rows")
})

test_that("a source that breaks in the middle of a training keeps what was trained", {
  table <- curved(30000)
  breaking <- function(how) source_of(table, change = function(rows, i, times) if (times > 2) how(rows) else rows)
  e <- expect_error(
    with_seed(1, fit_flow(breaking(function(rows) stop("server closed")), steps = 2000)),
    class = "bijectr_error_training"
  )
  expect_gt(e$fit$steps, 0)
  expect_identical(e$fit$status, "failed")
  expect_match(conditionMessage(e$parent), "Block [0-9] of `rows`")
  on <- quietly(resume(e$fit, data = source_of(table)))
  expect_identical(on$steps, 2000)
  e <- expect_error(
    with_seed(1, fit_flow(breaking(function(rows) rows[1:10, ]), steps = 2000)), class = "bijectr_error_training"
  )
  expect_match(conditionMessage(e$parent), "has 10 rows, and had 5000 when it was first read")
  e <- expect_error(
    with_seed(1, fit_flow(breaking(function(rows) {
      rows$a[4] <- Inf
      rows
    }), steps = 2000)),
    class = "bijectr_error_training"
  )
  expect_match(paste(conditionMessage(e$parent), conditionMessage(e$parent$parent)), "Block .*Inf")
})

fit_of_two <- function() with_seed(1, fit_flow(faithful, steps = 40))

test_that("log densities of a source are those of its rows, whatever the blocks", {
  fit <- fit_of_two()
  each <- logdensity(fit, faithful)
  for (block in c(50, 1000)) expect_identical(logdensity(fit, source_of(faithful, block)), each)
  seen <- list()
  n <- logdensity(fit, source_of(faithful, 100), into = function(rows) seen <<- c(seen, list(rows)))
  expect_identical(n, 272)
  expect_identical(vapply(seen, nrow, 0L), c(100L, 100L, 72L))
  expect_identical(do.call(rbind, seen)$logdensity, each)
  gappy <- faithful
  gappy$waiting[3] <- NA
  expect_identical(which(is.na(logdensity(fit, source_of(gappy, 100)))), 3L)
  empty <- new_source(names(faithful), "some", function(i) if (i < 3) faithful[if (i == 1) 0 else 1:4, ])
  expect_identical(logdensity(fit, empty), each[1:4])
})

test_that("files have all digits and appear only when they are whole", {
  fit <- fit_of_two()
  each <- logdensity(fit, faithful)
  for (ending in c(".csv", ".tsv.gz")) {
    file <- withr::local_tempfile(fileext = ending)
    logdensity(fit, source_of(faithful, 100), into = file)
    back <- utils::read.table(file, header = TRUE)
    expect_identical(back$logdensity, each)
    expect_error(logdensity(fit, faithful, into = file), "is there already", class = "bijectr_error_argument")
  }
  folder <- withr::local_tempdir()
  file <- file.path(folder, "out.csv")
  broken <- source_of(faithful, 100, change = function(rows, i, times) if (i == 3) stop("gone") else rows)
  expect_error(logdensity(fit, broken, into = file), "Block 3 of `rows`", class = "bijectr_error_block")
  expect_identical(list.files(folder), character())
  expect_error(logdensity(fit, faithful, into = file.path(folder, "no", "out.csv")), "not there")
  expect_error(logdensity(fit, faithful, into = "out.xlsx"), "must end in .csv")
})

test_that("tables of databases are written in one transaction", {
  skip_if_not_installed("RSQLite")
  fit <- fit_of_two()
  db <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  withr::defer(DBI::dbDisconnect(db))
  DBI::dbWriteTable(db, "rows", faithful)
  logdensity(fit, data_source(db, "rows", block = 100), into = list(db, "found"))
  expect_identical(DBI::dbReadTable(db, "found")$logdensity, logdensity(fit, faithful))
  expect_error(logdensity(fit, faithful, into = list(db, "found")), "already")
  broken <- source_of(faithful, 100, change = function(rows, i, times) if (i == 2) stop("gone") else rows)
  expect_error(logdensity(fit, broken, into = list(db, "half")), class = "bijectr_error_block")
  expect_false(DBI::dbExistsTable(db, "half"))
})

test_that("matrices on disk are written where they are; those in memory are refused", {
  fit <- fit_of_two()
  expect_error(logdensity(fit, faithful, into = matrix(0, 272, 1)), "a copy that nobody sees")
  expect_error(logdensity(fit, faithful, into = 3), "`into` must be")
  skip_if_not_installed("bigmemory")
  big <- bigmemory::big.matrix(272, 1)
  logdensity(fit, source_of(faithful, 100), into = big)
  expect_identical(big[, 1], logdensity(fit, faithful))
  expect_error(logdensity(fit, faithful, into = bigmemory::big.matrix(10, 1)), "has 10 rows")
})

test_that("draws are written, the same for a seed", {
  fit <- fit_of_two()
  write <- function(seed, ...) {
    file <- withr::local_tempfile(fileext = ".csv")
    with_seed(seed, sample(fit, 1.5e5, into = file, ...))
    utils::read.csv(file)
  }
  draws <- write(1, logdensity = TRUE)
  expect_identical(names(draws), c("eruptions", "waiting", "logdensity"))
  expect_identical(nrow(draws), 150000L)
  expect_identical(draws, write(1, logdensity = TRUE))
  expect_false(identical(draws[1:2], write(2)))
  expect_equal(draws$logdensity[1:500], logdensity(fit, draws[1:500, 1:2]), tolerance = 1e-9)
  one <- sample(fit, 1.5e5)
  for (name in names(one)) expect_gt(stats::ks.test(one[[name]], draws[[name]])$p.value, 1e-4)
  expect_false(any(draws$waiting[1:5e4] %in% draws$waiting[100001:150000])) # blocks are not repeated
  expect_error(sample(fit, 1.5, into = identity), "whole number")
})

test_that("stacks, tables, fits with gaps and conditions write too", {
  stack <- with_seed(1, fit_flow(faithful, members = "normal"))
  expect_identical(logdensity(stack, source_of(faithful, 100)), logdensity(stack, faithful))
  table <- with_seed(1, fit_flow(iris, members = c("normal", "cells")))
  seen <- NULL
  with_seed(1, sample(table, 20, into = function(rows) seen <<- rows))
  expect_identical(names(seen), names(iris))
  expect_identical(levels(seen$Species), levels(iris$Species))
  gappy <- airquality[c("Ozone", "Temp")]
  gaps <- suppressWarnings(with_seed(1, fit_flow(gappy, na = "model", steps = 20)))
  expect_identical(logdensity(gaps, source_of(gappy, 60)), logdensity(gaps, gappy))
  sample(gaps, 30, into = function(rows) seen <<- rows)
  expect_identical(dim(seen), c(30L, 2L))
  given <- with_seed(1, fit_flow(eruptions ~ waiting, data = faithful, steps = 20))
  expect_identical(logdensity(given, source_of(faithful, 100)), logdensity(given, faithful))
  sample(given, 10, condition = data.frame(waiting = 70), into = function(rows) seen <<- rows)
  expect_identical(dim(seen), c(10L, 1L))
  expect_error(sample(given, 10, condition = data.frame(waiting = 70:71), into = identity), "one row")
  expect_error(logdensity(given, source_of(faithful), condition = data.frame(waiting = 1:5)), "one row")
  vector <- with_seed(1, fit_flow(faithful$waiting, steps = 20))
  expect_identical(logdensity(vector, faithful$waiting, into = function(rows) seen <<- rows), 272)
  expect_identical(seen$logdensity, logdensity(vector, faithful$waiting))
})

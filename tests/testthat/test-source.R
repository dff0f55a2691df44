blocks_of <- function(source) {
  out <- list()
  repeat {
    block <- if (is.na(source$n_block) || length(out) < source$n_block) source$read(length(out) + 1)
    if (is.null(block)) return(out)
    out <- c(out, list(block))
  }
}

table_of <- function(source) {
  rows <- do.call(rbind, blocks_of(source))
  rownames(rows) <- NULL
  rows
}

set.seed(1)
rows <- data.frame(a = rnorm(2500), k = sample(1:9, 2500, TRUE) + 0, g = sample(c("u", "v"), 2500, TRUE))

test_that("a function that reads rows is asked for blocks", {
  asked <- list()
  source <- data_source(read = function(i, columns) {
    asked <<- c(asked, list(range(i)))
    rows[i, columns]
  }, n = 2500, names = names(rows), block = 1000)
  expect_identical(table_of(source), rows)
  expect_equal(asked, list(c(1, 1000), c(1001, 2000), c(2001, 2500)))
  expect_identical(source$n_block, 3)
  expect_output(print(source), "`read\\(\\)`.*a, k, g.*2,500.*3.*256 MB")
  expect_null(source$reopen)
  expect_identical(table_of(data_source(read = function(i, columns) as.matrix(rows[i, 1:2]), n = 2500,
    names = c("a", "k"), reopen = TRUE)$reopen()), rows[1:2])
  some <- data_source(read = function(i, columns) rows[i, ], n = 2500, names = names(rows), columns = c("k", "a"))
  expect_identical(table_of(some), rows[c("k", "a")])
})

test_that("what a function gives is looked at", {
  bad <- function(value) data_source(read = function(i, columns) value, n = 10, names = c("a", "b"))$read(1)
  expect_error(bad(1:10), "gave an integer vector where rows 1 to 10 were asked for", class = "bijectr_error_argument")
  expect_error(bad(data.frame(a = 1:3, b = 1)), "gave 3 rows where rows 1 to 10")
  expect_error(bad(data.frame(a = 1:10, c = 1)), "no column b")
  expect_error(data_source(read = 3, n = 1, names = "a"), "`read` must be a function")
  expect_error(data_source(read = identity), "`n` and `names` must be given")
  expect_error(data_source(), "One of `x` and `read`")
  expect_error(data_source(3), "`x` must be")
  expect_error(data_source(rows, columns = "z"), "is none")
  expect_error(data_source(rows, memory = 0), "`memory`")
  expect_error(data_source(matrix(1, 2, 2, dimnames = list(NULL, c("a", "a")))), "each its own")
})

test_that("matrices on disk are read by rows", {
  x <- as.matrix(rows[1:2])
  expect_identical(table_of(data_source(x, block = 700)), rows[1:2])
  expect_identical(data_source(unname(x))$names, c("V1", "V2"))
  skip_if_not_installed("bigmemory")
  big <- bigmemory::as.big.matrix(x)
  expect_equal(table_of(data_source(big, block = 700)), rows[1:2])
})

test_that("tables of SQLite are read by ranges of rowid, also where it has gaps", {
  skip_if_not_installed("RSQLite")
  file <- withr::local_tempfile(fileext = ".sqlite")
  db <- DBI::dbConnect(RSQLite::SQLite(), file)
  withr::defer(DBI::dbDisconnect(db))
  DBI::dbWriteTable(db, "rows", rows)
  source <- data_source(db, "rows", block = 600)
  expect_identical(table_of(source), rows)
  expect_identical(source$read(2), source$read(2))
  expect_identical(table_of(source$reopen()), rows)
  DBI::dbExecute(db, "DELETE FROM rows WHERE rowid BETWEEN 500 AND 1300 OR rowid = 7")
  expect_identical(table_of(data_source(db, "rows", block = 600)), local({
    left <- rows[-c(500:1300, 7), ]
    rownames(left) <- NULL
    left
  }))
  expect_identical(table_of(data_source(db, "rows", key = "rowid", columns = "a"))$a, rows$a[-c(500:1300, 7)])
  DBI::dbExecute(db, "CREATE VIEW some AS SELECT a, k FROM rows WHERE k > 4")
  kept <- rows[-c(500:1300, 7), ]
  expect_identical(table_of(data_source(db, "some", block = 100))$a, kept$a[kept$k > 4])
  expect_identical(table_of(data_source(db, query = "SELECT a + 1 AS b FROM rows", block = 400))$b, kept$a + 1)
  # numbers of rows with wide gaps would make blocks without rows
  DBI::dbExecute(db, "CREATE TABLE wide AS SELECT * FROM rows")
  DBI::dbExecute(db, "UPDATE wide SET rowid = rowid * 1000000")
  wide <- data_source(db, "wide", block = 600)
  expect_identical(wide$n_block, NA)
  expect_identical(table_of(wide), kept, ignore_attr = TRUE)
  DBI::dbExecute(db, "UPDATE wide SET rowid = rowid + 9007199254740993 WHERE k < 3")
  expect_identical(nrow(table_of(data_source(db, "wide", block = 600))), nrow(kept))
  # columns are chosen by the database
  one <- data_source(db, "rows", columns = "k")
  expect_identical(names(one$read(1)), "k")
  reopened <- one$reopen()
  expect_identical(names(reopened$read(1)), "k")
  reopened$close()
  expect_error(reopened$read(1))
  expect_error(data_source(db, "nothing"), "no table `nothing`", class = "bijectr_error_argument")
  expect_error(data_source(db, query = "SELECT x FROM nothing"), "cannot be read")
  expect_error(data_source(db), "One of|one of")
  expect_error(data_source(db, "rows", key = "a"), "whole numbers")
})

test_that("what is read in order is kept, and read again from there", {
  skip_if_not_installed("RSQLite")
  db <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  DBI::dbWriteTable(db, "rows", rows)
  source <- data_source(db, query = "SELECT * FROM rows", block = 800)
  third <- source$read(3) # the first two are read on the way
  expect_identical(third$a, rows$a[1601:2400])
  expect_identical(source$read(1)$a, rows$a[1:800])
  expect_identical(table_of(source), rows)
  expect_null(source$read(9))
  DBI::dbDisconnect(db)
  expect_identical(source$read(2)$a, rows$a[801:1600]) # the database is gone
})

test_that("delimited files are read in pieces, with the types of the first", {
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(rows, file, row.names = FALSE)
  expect_equal(table_of(data_source(file, block = 900)), rows)
  tabs <- withr::local_tempfile(fileext = ".tsv.gz")
  to <- gzfile(tabs, "wt")
  utils::write.table(rows, to, sep = "\t", row.names = FALSE)
  close(to)
  expect_equal(table_of(data_source(tabs, block = 900)), rows)
  expect_equal(table_of(data_source(c(file, file), block = 900)), rbind(rows, rows), ignore_attr = TRUE)
  semi <- withr::local_tempfile()
  utils::write.table(rows, semi, sep = ";", row.names = FALSE, quote = FALSE)
  expect_equal(table_of(data_source(semi, sep = ";")), rows)
  spoil <- function(line, text) {
    lines <- readLines(file)
    lines[line] <- text
    bad <- withr::local_tempfile(fileext = ".csv", .local_envir = parent.frame())
    writeLines(lines, bad)
    table_of(data_source(bad, block = 900))
  }
  expect_error(spoil(2000, "1,many,\"u\""), "Column k is numeric at first, and .*many.* in line 2000")
  expect_error(spoil(2001, "1,2"), "Line 2001 of .* has 2 fields where the first line names 3")
  expect_error(spoil(2002, "1,2,\"u"), "Line 2002")
  expect_error(data_source("nowhere.csv"), "nowhere.csv")
  with_gap <- withr::local_tempfile(fileext = ".csv")
  writeLines(c("a,b", "1,x", ",y", "3,NA"), with_gap)
  expect_identical(table_of(data_source(with_gap)), data.frame(a = c(1, NA, 3), b = c("x", "y", NA)))
})

test_that("Parquet files are read by row groups", {
  skip_if_not_installed("arrow")
  file <- withr::local_tempfile(fileext = ".parquet")
  arrow::write_parquet(rows, file, chunk_size = 800)
  source <- data_source(file)
  expect_identical(source$n_block, 4)
  expect_equal(table_of(source), rows, ignore_attr = TRUE)
  expect_equal(table_of(data_source(arrow::open_dataset(file))), rows, ignore_attr = TRUE)
})

# ---- a server --------------------------------------------------------------------------------------------------------

# A server of PostgreSQL of its own, with its files in a folder that goes with it; it does not run as root.
local_postgres <- function(env = parent.frame()) {
  skip_on_cran()
  skip_if_not_installed("RPostgreSQL")
  programs <- Sys.glob("/usr/lib/postgresql/*/bin")
  skip_if(!length(programs), "no server of PostgreSQL")
  programs <- programs[length(programs)]
  as_root <- identical(Sys.info()[["effective_user"]], "root")
  run <- function(...) {
    command <- paste(...)
    if (as_root) command <- paste("su postgres -c", shQuote(command))
    system(command, ignore.stdout = TRUE, ignore.stderr = TRUE)
  }
  folder <- tempfile("postgres-", tmpdir = if (dir.exists("/tmp")) "/tmp" else tempdir())
  dir.create(folder)
  Sys.chmod(folder, "777", use_umask = FALSE) # the server has a user of its own
  data <- file.path(folder, "data")
  skip_if(run(file.path(programs, "initdb"), "-A trust -N -D", data) != 0, "PostgreSQL does not start")
  port <- 20000 + Sys.getpid() %% 20000
  options <- shQuote(paste("-k", folder, "-p", port, "-c listen_addresses='' -c fsync=off"))
  control <- function(...) run(file.path(programs, "pg_ctl"), "-D", data, ...)
  withr::defer(
    {
      control("-m immediate stop")
      unlink(folder, recursive = TRUE)
    },
    envir = env
  )
  skip_if(control("-w -l", file.path(folder, "log"), "-o", options, "start") != 0, "PostgreSQL does not start")
  connect <- function() {
    user <- if (as_root) "postgres" else Sys.info()[["user"]]
    DBI::dbConnect(RPostgreSQL::PostgreSQL(), dbname = "postgres", host = folder, port = port, user = user)
  }
  list(connect = connect, stop = function() control("-m immediate stop"))
}

test_that("tables of PostgreSQL are read by pages, and a server that goes away costs no training", {
  server <- local_postgres()
  db <- server$connect()
  table <- data.frame(a = rnorm(60000), b = rexp(60000))
  table$b <- table$b + table$a^2
  DBI::dbWriteTable(db, "rows", table, row.names = FALSE)
  source <- data_source(db, "rows", block = 6000, memory = 1)
  expect_gt(source$n_block, 7)
  expect_equal(table_of(source), table, ignore_attr = TRUE)
  expect_equal(table_of(data_source(db, query = "SELECT a, b FROM rows", block = 25000)), table, ignore_attr = TRUE)
  expect_identical(names(data_source(db, "rows", columns = "b")$read(1)), "b")
  # rows of a table that inherits from another are rows of that, in pages of their own
  DBI::dbExecute(db, "CREATE TABLE more () INHERITS (rows)")
  DBI::dbExecute(db, "INSERT INTO more SELECT a, b FROM rows LIMIT 10")
  expect_identical(nrow(table_of(data_source(db, "rows", block = 6000))), 60010L)
  DBI::dbExecute(db, "DROP TABLE more")
  fit <- with_seed(1, fit_flow(source, steps = 300))
  in_memory <- with_seed(1, fit_flow(table, steps = 300))
  expect_lt(abs(mean(logdensity(fit, table)) - mean(logdensity(in_memory, table))), 0.1)
  reads <- 0
  read <- source$read
  source$read <- function(i) {
    reads <<- reads + 1
    if (reads == source$n_block + 15) server$stop()
    suppressWarnings(read(i))
  }
  e <- expect_error(suppressWarnings(fit_flow(source, steps = 5000)), class = "bijectr_error_training")
  expect_gt(e$fit$steps, 0)
  expect_match(conditionMessage(e$parent), "Block [0-9]+ of table \"rows\"")
})

test_that("lazy tables are fitted as the tables or queries that they stand for", {
  skip_if_not_installed("RSQLite")
  skip_if_not_installed("dbplyr")
  skip_if_not_installed("dplyr")
  db <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  withr::defer(DBI::dbDisconnect(db))
  DBI::dbWriteTable(db, "rows", rows)
  lazy <- dplyr::tbl(db, "rows")
  expect_identical(table_of(data_source(lazy, block = 700)), rows)
  few <- dplyr::filter(lazy, k > 5)
  expect_identical(table_of(data_source(few, block = 300))$a, rows$a[rows$k > 5])
  fit <- with_seed(1, fit_flow(a ~ k, data = lazy, steps = 50))
  expect_identical(fit$params, with_seed(1, fit_flow(a ~ k, data = rows, steps = 50))$params)
})

test_that("a million rows of a database and of a file are trained on in little memory, as those in memory are", {
  skip_on_cran()
  skip_if_not_installed("RSQLite")
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  n <- 1e6
  rows <- function(n) {
    a <- rnorm(n)
    data.frame(a = a, b = a^2 + rnorm(n) / 2, c = rexp(n), d = sin(2 * a) + rnorm(n) / 4, e = rt(n, 5))
  }
  table <- with_seed(1, rows(n))
  writeBin(as.double(t(as.matrix(table))), file.path(folder, "rows.bin"))
  db <- DBI::dbConnect(RSQLite::SQLite(), file.path(folder, "rows.sqlite"), synchronous = "off")
  DBI::dbWriteTable(db, "measured", table)
  DBI::dbDisconnect(db)
  fresh <- with_seed(2, rows(1e5))
  # in processes of their own, for their peaks: list(rise of the peak in MB by the fit, log density, source, seconds)
  trained <- function(kind) {
    callr::r(function(kind, folder, n, fresh) {
      library(bijectr)
      peak <- function() as.double(gsub("\\D", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
      file <- file.path(folder, "rows.bin")
      read <- function(rows, columns) {
        from <- file(file, "rb")
        on.exit(close(from))
        seek(from, (rows[1] - 1) * 40)
        matrix(readBin(from, "double", 5 * length(rows)), ncol = 5, byrow = TRUE, dimnames = list(NULL, columns))
      }
      data <- switch(kind,
        memory = as.data.frame(read(seq_len(n), letters[1:5])),
        file = data_source(read = read, n = n, names = letters[1:5], memory = 32),
        sqlite = data_source(
          DBI::dbConnect(RSQLite::SQLite(), file.path(folder, "rows.sqlite")), "measured",
          memory = 32
        )
      )
      set.seed(1)
      fit <- fit_flow(data, members = 1, steps = 3000, batch_size = 512, progress = FALSE)
      list(peak = if (file.exists("/proc/self/status")) peak(), density = mean(logdensity(fit, fresh)),
        source = fit$source, seconds = fit$seconds)
    }, list(kind, folder, n, fresh), libpath = .libPaths())
  }
  runs <- lapply(c(memory = "memory", file = "file", sqlite = "sqlite"), trained)
  for (run in runs[-1]) {
    expect_gt(run$source$buffers, 3)
    expect_lt(abs(run$density - runs$memory$density), 0.005)
    expect_lt(run$peak %||% 0, 1000)
  }
})

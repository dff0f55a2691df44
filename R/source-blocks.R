# A source of rows that are not in memory: list(
#   names    of its columns
#   label    what it is, for messages
#   n        number of rows where it is known, else NULL
#   n_block  number of blocks where it is known, else NA: then read(i) gives NULL beyond the last
#   read     function(i): block i, from 1, a data frame of these columns, the same rows whenever it is asked; blocks may
#            have no rows. Callers say in which block an error was.
#   choose   NULL, or function(columns): a source of these columns alone, where others need not be read for that
#   reopen   NULL, or function(): a source of the same rows with connections of its own, for another process
#   close    NULL, or function(): closes these
#   memory)  megabytes that a fit may use for rows
new_source <- function(names, label, read, n = NULL, n_block = NA, choose = NULL, reopen = NULL, close = NULL,
                       memory = 256) {
  structure(list(
    names = names, label = label, n = n, n_block = n_block, read = read, choose = choose, reopen = reopen,
    close = close, memory = memory
  ), class = "bijectr_source")
}

# Calls work(block, i) for one block after the other, as `read(i)` gives them.
each_block <- function(source, read, work) {
  i <- 0
  while (is.na(source$n_block) || i < source$n_block) {
    i <- i + 1
    block <- read(i)
    if (is.null(block)) break
    work(block, i)
  }
}

# An error that `expr` raises is one of block i.
in_block <- function(source, i, expr) {
  tryCatch(expr, error = function(e) {
    cli::cli_abort("Block {i} of {source$label} cannot be used.",
      class = c("bijectr_error_block", "bijectr_error"), parent = e, call = user_call()
    )
  })
}

stop_block <- function(source, i, why, .envir = parent.frame()) {
  reason <- cli::format_inline(why, .envir = .envir)
  cli::cli_abort("Block {i} of {source$label} cannot be used: {reason}.",
    class = c("bijectr_error_block", "bijectr_error"), call = user_call()
  )
}

# Of n rows that can be had by their numbers.
by_rows_of <- function(label, names, n, block, reopen, rows_of) {
  source <- new_source(names, label, function(i) rows_of(seq((i - 1) * block + 1, min(i * block, n))), n,
    ceiling(n / block)
  )
  if (reopen) source$reopen <- function() source
  source
}

# A source of what is read from the beginning to the end: `following()` gives one block after the other, then NULL. Each
# is kept in a file of its own, from which it is read when it is asked for again. `close()` comes after the last, or an
# error.
spooled_source <- function(names, label, following, close) {
  folder <- tempfile("bijectr-rows-")
  dir.create(folder)
  state <- new.env()
  state$read <- 0
  state$ended <- FALSE
  reg.finalizer(state, function(state) unlink(folder, recursive = TRUE), onexit = TRUE)
  file_of <- function(i) file.path(folder, paste0(format(i, scientific = FALSE), ".rds"))
  new_source(names, label, function(i) {
    block <- NULL
    while (state$read < i && !state$ended) {
      block <- tryCatch(following(), error = function(e) {
        close()
        stop(e)
      })
      if (is.null(block)) {
        state$ended <- TRUE
        close()
      } else {
        state$read <- state$read + 1
        saveRDS(block, file_of(state$read), compress = FALSE)
      }
    }
    if (i > state$read) NULL else block %||% readRDS(file_of(i))
  })
}

# Results that are written block by block, so that memory does not grow with the rows: log densities of the rows of a
# source, and draws.

# Draws that are made and written at once.
INTO_BLOCK <- 1e5

# Log densities of the rows of a source, or, with `into`, of any rows, as `density(rows)` gives them: all of them as a
# vector, or written, and then the number of rows.
logdensity_in_blocks <- function(newdata, condition, into, density) {
  check_one_condition(condition, "log densities are computed block by block")
  source <- if (is_source(newdata)) as_source(newdata) else source_of_rows(newdata)
  place <- if (!is.null(into)) place_for(into)
  found <- list()
  n <- 0
  write_blocks(place, function() {
    each_block(source, function(i) in_block(source, i, source$read(i)), function(block, i) {
      if (nrow(block) == 0) return()
      value <- in_block(source, i, density(block))
      n <<- n + length(value)
      if (is.null(place)) found[[i]] <<- value else place$write(data.frame(logdensity = value))
    })
  })
  if (is.null(place)) as.double(unlist(found)) else invisible(n)
}

# Rows in memory as a source: a data frame, or what has rows.
source_of_rows <- function(x) {
  if (length(dim(x)) != 2) x <- list2DF(list(x))
  by_rows_of("newdata", column_names(x), nrow(x), INTO_BLOCK, FALSE, function(rows) x[rows, , drop = FALSE])
}

# Rows of conditions that go with rows one by one cannot be told to blocks.
check_one_condition <- function(condition, where) {
  rows <- if (is.data.frame(condition) || is.matrix(condition)) nrow(condition) else 1
  if (rows != 1) stop_arg("{.arg condition} must be one row for all where {where}, not {rows}.")
}

# Draws, `size` of them, as `draw(k)` gives k, written as a data frame a block, and their number.
sample_in_blocks <- function(object, size, condition, into, draw) {
  size <- check_number(size, "size", min = 0, max = 2^53)
  if (size != round(size)) stop_arg("{.arg size} must be a whole number, not {size}.")
  check_one_condition(condition, "draws are written block by block")
  place <- place_for(into)
  write_blocks(place, function() {
    done <- 0
    while (done < size) {
      k <- min(INTO_BLOCK, size - done)
      place$write(draws_as_rows(object, draw(k)))
      done <- done + k
    }
  })
  invisible(size)
}

# With their log densities in a last column, where they have them.
draws_as_rows <- function(object, draws) {
  found <- attr(draws, "logdensity")
  attr(draws, "logdensity") <- NULL
  if (is.null(dim(draws))) draws <- stats::setNames(list2DF(list(draws)), coordinate_labels(object)[1])
  rows <- as.data.frame(draws)
  rownames(rows) <- NULL
  rows$logdensity <- found
  rows
}

# ---- places ----------------------------------------------------------------------------------------------------------

# Writes by `write()`; what ends it early leaves nothing half done behind.
write_blocks <- function(place, write) {
  done <- FALSE
  on.exit(if (!done && !is.null(place)) place$undo())
  write()
  if (!is.null(place)) place$finish()
  done <- TRUE
}

# Where blocks go, list(write, finish, undo), each a function, of the user's `into`.
place_for <- function(into) {
  if (is.function(into)) return(list(write = into, finish = function() NULL, undo = function() NULL))
  if (is.character(into) && length(into) == 1 && is.null(dim(into))) return(place_in_file(into))
  if (is.list(into) && length(into) == 2 && inherits(into[[1]], "DBIConnection")) {
    return(place_in_database(into[[1]], into[[2]]))
  }
  if (is.matrix(into) || is.data.frame(into)) {
    stop_arg(c("{.arg into} is {.obj_type_friendly {into}} in memory, which would be a copy that nobody sees.",
      i = "Without {.arg into} the result is in memory."
    ))
  }
  if (length(dim(into)) == 2) return(place_in_matrix(into))
  stop_arg("{.arg into} must be a function, the name of a file, {.code list(connection, \"table\")} or a matrix on disk,
    not {.obj_type_friendly {into}}.")
}

# To a name of its own in the same folder, then renamed, so that nobody meets half a file.
place_in_file <- function(file) {
  pattern <- "[.](csv|tsv)([.]gz)?$"
  if (!grepl(pattern, file)) {
    stop_arg("{.arg into} must end in .csv or .tsv, or in .gz after these; it is {.val {file}}.")
  }
  if (file.exists(file)) stop_arg("{.arg into}, {.file {file}}, is there already.")
  if (!dir.exists(dirname(file))) stop_arg("{.arg into} is in the folder {.file {dirname(file)}}, which is not there.")
  part <- tempfile("bijectr-", tmpdir = dirname(file))
  to <- if (grepl("[.]gz$", file)) gzfile(part, "wt") else file(part, "wt")
  sep <- if (grepl("[.]tsv", file)) "\t" else ","
  first <- TRUE
  write <- function(rows) {
    text <- lapply(rows, function(x) if (is.double(x) && !is.object(x)) all_digits(x) else x)
    quoted <- which(vapply(rows, function(x) is.character(x) || is.factor(x), NA))
    utils::write.table(list2DF(text), to,
      sep = sep, row.names = FALSE, col.names = first, quote = if (length(quoted)) quoted else FALSE,
      qmethod = "double"
    )
    first <<- FALSE
  }
  finish <- function() {
    close(to)
    if (!file.rename(part, file)) stop_arg("{.arg into}, {.file {file}}, could not be written.")
  }
  undo <- function() {
    try(close(to), silent = TRUE)
    unlink(part)
  }
  list(write = write, finish = finish, undo = undo)
}

# As text from which the same number is read.
all_digits <- function(x) {
  text <- sprintf("%.15g", x)
  other <- which(is.finite(x) & as.double(text) != x)
  text[other] <- sprintf("%.17g", x[other])
  text[is.na(x)] <- NA
  text
}

# In one transaction where the database has these; else the table is removed again.
place_in_database <- function(con, table) {
  rlang::check_installed("DBI", "to write to a database")
  if (isTRUE(DBI::dbExistsTable(con, table))) stop_arg("{.arg into} has a table {.val {as.character(table)}} already.")
  begun <- tryCatch(isTRUE(DBI::dbBegin(con)), error = function(e) FALSE)
  written <- FALSE
  list(
    write = function(rows) {
      DBI::dbWriteTable(con, table, rows, append = written, row.names = FALSE)
      written <<- TRUE
    },
    finish = function() if (begun) DBI::dbCommit(con),
    undo = function() {
      if (begun) try(DBI::dbRollback(con), silent = TRUE) else if (written) try(DBI::dbRemoveTable(con, table))
    }
  )
}

# What can be assigned to where it is.
place_in_matrix <- function(into) {
  at <- 0
  write <- function(rows) {
    if (at + nrow(rows) > nrow(into) || ncol(rows) != ncol(into)) {
      stop_arg("{.arg into} has {nrow(into)} row{?s} and {ncol(into)} column{?s}, which is no place for more than {at}
        row{?s} of {ncol(rows)} column{?s}.")
    }
    if (!all(vapply(rows, is.numeric, NA))) {
      stop_arg("{.arg into} is a matrix of numbers, and not all columns to write are numbers.")
    }
    into[at + seq_len(nrow(rows)), ] <- as.matrix(rows)
    at <<- at + nrow(rows)
  }
  list(write = write, finish = function() NULL, undo = function() NULL)
}

#' Rows that are not in memory
#'
#' A source of rows for [fit_flow()], which trains on them block by block without reading them all into memory. What
#' `data_source()` makes of a table is a list of where its blocks are; nothing but a few rows is read before the fit.
#'
#' Training reads the blocks in a random order. So each kind of source is read from the middle in its own way:
#' * `read`: by the numbers of rows that it is asked for;
#' * a matrix on disk, anything of two dimensions with `[`, as a `big.matrix`, a `filematrix` or an HDF5 array: by rows,
#'   with the names of its columns, else `V1`, `V2`, ...;
#' * a `table` of a DBI connection: of SQLite by ranges of `rowid`, of PostgreSQL by ranges of pages, of any database by
#'   ranges of a whole-number column that is its `key`. Rows must not change between the first reading and the end of
#'   the training; a block that has more or fewer of them is an error;
#' * Parquet files and Arrow datasets, by the package arrow: one block is a row group;
#' * what can be read only from the beginning, a `query`, other tables, views and delimited files, is copied once, as it
#'   is first read, to files in the folder of temporary files ([tempdir()]), block by block in R's own format.
#'
#' Delimited files are read in pieces of `block` lines, with the types of the first one: what is a number there must be
#' one everywhere. Fields may be quoted, but may not contain ends of lines. The separator is that of the file's name
#' (`.csv`: comma, `.tsv`: tab) unless `sep` says so; files with `.gz`, `.bz2` and `.xz` are read too. Missing values
#' are `NA` and empty fields, for which see [fit_flow()].
#'
#' @param x Where the rows are: a DBI connection, a lazy table of dbplyr, names of delimited or Parquet files (several
#'   of the same columns are one table), an Arrow dataset or table, or a matrix on disk. `NULL` with `read`.
#' @param table,query Of a connection, the name of a table (text, or [DBI::Id()]), or the text of a query.
#' @param key Of a `table`, the name of a column of whole numbers by whose ranges it is read, best one with an index.
#' @param columns Names of the columns to read; `NULL`: all.
#' @param read A function of `rows`, consecutive numbers of rows, and `columns`, names, that gives a data frame or
#'   matrix of these.
#' @param n,names With `read`, the number of rows, and the names of all columns.
#' @param sep Of delimited files, what separates fields.
#' @param block Rows of a block.
#' @param memory Megabytes that a fit to the source may use for its rows, more or less: a quarter of it is the buffer in
#'   which rows are shuffled; sources of which all rows fit into that are read as a whole. The kept rows, see the
#'   section on sources of [fit_flow()], and R itself come on top.
#' @param reopen Of `read` and of matrices on disk: whether another process, to which they are sent, can read too, which
#'   reads ahead under a plan of the future package. Not where they hold a connection.
#' @return An object of class `bijectr_source`, a list of `names` (of the columns), `label` (what it is), `n` (rows,
#'   where they are known), `n_block` (where the blocks are known, else `NA`), `read` (a function that gives block `i`
#'   as a data frame), `memory`, and functions that are `NULL` where they mean nothing: `choose` (gives the source of
#'   some columns alone), `reopen` (gives it with connections of its own) and `close` (closes these).
#' @seealso [fit_flow()], section on sources; [mpi_cluster()]; `vignette("many-machines")`
#' @family training
#' @examples
#' # a file of doubles, row after row
#' file <- tempfile()
#' writeBin(as.double(t(faithful)), file)
#' source <- data_source(
#'   read = function(rows, columns) {
#'     on.exit(close(from))
#'     from <- file(file, "rb")
#'     seek(from, (rows[1] - 1) * 2 * 8)
#'     x <- matrix(readBin(from, "double", 2 * length(rows)), ncol = 2, byrow = TRUE)
#'     colnames(x) <- names(faithful)
#'     x[, columns]
#'   },
#'   n = nrow(faithful), names = names(faithful)
#' )
#' source
#' set.seed(1)
#' fit_flow(source, steps = 100)
#'
#' # a table of a database
#' if (requireNamespace("RSQLite", quietly = TRUE)) {
#'   db <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
#'   DBI::dbWriteTable(db, "faithful", faithful)
#'   print(fit_flow(eruptions ~ waiting, data = data_source(db, "faithful"), steps = 100))
#'   DBI::dbDisconnect(db)
#' }
#' unlink(file)
#' @export
data_source <- function(x = NULL, table = NULL, query = NULL, key = NULL, columns = NULL, read = NULL, n = NULL,
                        names = NULL, sep = NULL, block = 1e5, memory = 256, reopen = FALSE) {
  block <- check_count(block, "block")
  memory <- check_number(memory, "memory", above = 0, max = 1e9)
  check_flag(reopen, "reopen")
  if (is.null(x) == is.null(read)) stop_arg("One of {.arg x} and {.arg read} must be given.")
  made <- if (!is.null(read)) {
    source_of_reader(read, n, names, block, reopen)
  } else if (inherits(x, "DBIConnection")) {
    source_of_database(x, table, query, key, block)
  } else if (inherits(x, "tbl_lazy")) {
    source_of_lazy(x, key, block)
  } else if (inherits(x, c("Dataset", "ArrowTabular"))) {
    source_of_arrow(x, block)
  } else if (is.character(x) && is.null(dim(x))) {
    source_of_files(x, sep, block)
  } else if (length(dim(x)) == 2) {
    source_of_matrix(x, block, reopen)
  } else {
    stop_arg("{.arg x} must be a connection, a lazy table, names of files, an Arrow dataset or a matrix on disk, not
      {.obj_type_friendly {x}}.")
  }
  if (is.null(made$names) || anyDuplicated(made$names)) {
    stop_arg("The columns of {made$label} must have names, each its own.")
  }
  made$memory <- memory
  if (is.null(columns)) made else chosen_columns(made, columns)
}

chosen_columns <- function(source, columns) {
  lost <- setdiff(columns, source$names)
  if (!is.character(columns) || length(lost)) {
    stop_arg("{.arg columns} must be names of columns of {source$label}; {.val {lost[1]}} is none.")
  }
  again <- source$reopen
  if (!is.null(source$choose)) {
    source[c("names", "read", "choose")] <- source$choose(columns)[c("names", "read", "choose")]
  } else {
    all <- source$read
    source$names <- columns
    source$read <- function(i) {
      rows <- all(i)
      if (!is.null(rows)) rows[columns]
    }
  }
  if (!is.null(again)) source$reopen <- function() chosen_columns(again(), columns)
  source
}

#' @export
print.bijectr_source <- function(x, ...) {
  cat("<data source> ", x$label, "\n", sep = "")
  cat(strwrap(paste(x$names, collapse = ", "), initial = "  columns: ", prefix = strrep(" ", 11)), sep = "\n")
  if (!is.null(x$n)) cat("  rows:    ", format_count(x$n), "\n", sep = "")
  if (!is.na(x$n_block)) cat("  blocks:  ", format_count(x$n_block), "\n", sep = "")
  cat("  memory:  ", x$memory, " MB\n", sep = "")
  invisible(x)
}

# ---- rows by their numbers -------------------------------------------------------------------------------------------

source_of_reader <- function(read, n, names, block, reopen) {
  if (!is.function(read)) stop_arg("{.arg read} must be a function, not {.obj_type_friendly {read}}.")
  if (is.null(n) || is.null(names)) stop_arg("With {.arg read}, {.arg n} and {.arg names} must be given.")
  n <- check_number(n, "n", min = 1, max = 2^52)
  if (!is.character(names) || !length(names)) stop_arg("{.arg names} must be the names of the columns.")
  source <- by_rows_of("`read()`", names, n, block, reopen, function(rows) given_rows(read(rows, names), rows, names))
  source$choose <- function(columns) source_of_reader(read, n, columns, block, reopen)
  source
}

# What the user's function gave, as a data frame.
given_rows <- function(x, rows, names) {
  if (is.atomic(x) && is.null(dim(x)) && length(names) == 1) x <- matrix(x, dimnames = list(NULL, names))
  asked <- paste0("where rows ", format(rows[1], scientific = FALSE), " to ",
    format(rows[length(rows)], scientific = FALSE), " were asked for")
  if (length(dim(x)) != 2) stop_arg("{.fn read} gave {.obj_type_friendly {x}} {asked}.")
  if (nrow(x) != length(rows)) stop_arg("{.fn read} gave {nrow(x)} row{?s} {asked}.")
  x <- as.data.frame(x)
  if (ncol(x) == length(names) && !any(names %in% colnames(x))) names(x) <- names
  lost <- setdiff(names, names(x))
  if (length(lost)) stop_arg("{.fn read} gave no column {.field {lost[1]}} {asked}.")
  x[names]
}

source_of_matrix <- function(x, block, reopen) {
  names <- colnames(x) %||% paste0("V", seq_len(ncol(x)))
  by_rows_of(paste("matrix of class", class(x)[1]), names, nrow(x), block, reopen, function(rows) {
    got <- as.matrix(x[rows, , drop = FALSE])
    colnames(got) <- names
    as.data.frame(got)
  })
}

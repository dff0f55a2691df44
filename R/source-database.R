# Sources of databases, by the package DBI.

source_of_database <- function(con, table, query, key, block) {
  rlang::check_installed("DBI", "to read from a database")
  if (is.null(table) == is.null(query)) {
    stop_arg("With a connection one of {.arg table} and {.arg query} must be given.")
  }
  open <- tryCatch(DBI::dbIsValid(con), error = function(e) TRUE) # not all drivers can tell
  if (!open) stop_arg("{.arg x} is a connection that is closed.")
  if (!is.null(query)) {
    if (!is.character(query) || length(query) != 1) stop_arg("{.arg query} must be the text of one query.")
    return(source_of_query(con, query, "query", block))
  }
  quoted <- tryCatch(DBI::dbQuoteIdentifier(con, table), error = function(e) {
    stop_arg("{.arg table} must be the name of a table.")
  })
  if (!isTRUE(tryCatch(DBI::dbExistsTable(con, table), error = function(e) TRUE))) {
    stop_arg("{.arg x} has no table {quoted}.")
  }
  label <- paste("table", quoted)
  if (!is.null(key)) {
    name <- DBI::dbQuoteIdentifier(con, key)
    return(source_of_ranges(con, quoted, label, as.character(name), block, NULL))
  }
  if (inherits(con, "SQLiteConnection") && has_rowid(con, quoted)) {
    return(source_of_ranges(con, quoted, label, "rowid", block, reopen_sqlite(con, table, block)))
  }
  if (inherits(con, c("PqConnection", "PostgreSQLConnection")) && has_pages(con, quoted)) {
    return(source_of_pages(con, quoted, label, block))
  }
  source_of_query(con, paste("SELECT * FROM", quoted), label, block)
}

source_of_lazy <- function(x, key, block) {
  rlang::check_installed("dbplyr", "to read a lazy table")
  con <- dbplyr::remote_con(x)
  name <- dbplyr::remote_name(x)
  if (!is.null(name)) return(source_of_database(con, name, NULL, key, block))
  source_of_query(con, as.character(dbplyr::sql_render(x)), "query", block)
}

names_of_query <- function(con, query) {
  names(DBI::dbGetQuery(con, paste0("SELECT * FROM (", query, ") AS bijectr_rows LIMIT 0")))
}

# Views, and tables that were made without it, have none.
has_rowid <- function(con, quoted) {
  tryCatch(
    is.finite(as.double(DBI::dbGetQuery(con, paste("SELECT max(rowid) AS n FROM", quoted))$n)),
    error = function(e) FALSE
  )
}

# The columns to read, as SQL has them; NULL: all.
select_list <- function(con, columns) {
  if (is.null(columns)) "*" else paste(DBI::dbQuoteIdentifier(con, columns), collapse = ", ")
}

# Blocks by a key of which so many have no rows, as of numbers with wide gaps, are not worth it.
KEY_BLOCKS <- 10000
KEY_SHARE <- 0.1

# By ranges of a column of whole numbers; where these have gaps blocks are smaller.
source_of_ranges <- function(con, quoted, label, key, block, reopen, columns = NULL) {
  ends <- DBI::dbGetQuery(con, sprintf("SELECT min(%s) AS least, max(%s) AS most FROM %s", key, key, quoted))
  ends <- suppressWarnings(vapply(ends, as.double, 0)) # of 64 bits, which is seen below
  if (anyNA(ends)) stop_arg("{.arg x}, {label}, has no rows.")
  if (any(ends != round(ends))) stop_arg("{.arg key} must be a column of whole numbers; it is not in {label}.")
  query <- paste("SELECT", select_list(con, columns), "FROM", quoted)
  span <- ends[[2]] - ends[[1]] + 1
  sparse <- span > KEY_BLOCKS * block && {
    n <- as.double(DBI::dbGetQuery(con, paste("SELECT count(*) AS n FROM", quoted))$n)
    n < KEY_SHARE * span
  }
  # nor do doubles have all whole numbers beyond 2^53
  if (sparse || any(abs(ends) > 2^53)) return(source_of_query(con, query, label, block))
  new_source(names_of_query(con, query), label, function(i) {
    from <- ends[[1]] + (i - 1) * block
    where <- sprintf("WHERE %s >= %.0f AND %s < %.0f ORDER BY %s", key, from, key, from + block, key)
    DBI::dbGetQuery(con, paste(query, where))
  },
  n_block = ceiling(span / block), reopen = reopen,
  choose = function(columns) source_of_ranges(con, quoted, label, key, block, NULL, columns)
  )
}

# A file of SQLite can be opened once more.
reopen_sqlite <- function(con, table, block) {
  file <- con@dbname
  if (!nzchar(file) || identical(file, ":memory:") || !file.exists(file)) return(NULL)
  function() {
    again <- DBI::dbConnect(RSQLite::SQLite(), file, flags = RSQLite::SQLITE_RO)
    source <- source_of_database(again, table, NULL, NULL, block)
    source$close <- function() DBI::dbDisconnect(again)
    source
  }
}

pages_of <- function(con, quoted) {
  text <- DBI::dbQuoteString(con, as.character(quoted))
  DBI::dbGetQuery(con, sprintf(
    "SELECT relkind::text AS kind, relhassubclass AS parent,
     pg_relation_size(oid)::float8 / current_setting('block_size')::float8 AS pages
     FROM pg_class WHERE oid = %s::regclass", text
  ))
}

# Scans of ranges of row addresses came with version 14. A table that others inherit from has pages in these, too.
has_pages <- function(con, quoted) {
  tryCatch(
    {
      version <- DBI::dbGetQuery(con, "SELECT current_setting('server_version_num') AS version")$version
      found <- pages_of(con, quoted)
      as.integer(version) >= 140000 && identical(found$kind, "r") && !isTRUE(as.logical(found$parent))
    },
    error = function(e) FALSE
  )
}

# By ranges of pages, of about `block` rows: those of the first pages tell how many a page has.
source_of_pages <- function(con, quoted, label, block, columns = NULL) {
  pages <- pages_of(con, quoted)$pages
  range <- function(what, from, to) {
    sprintf("SELECT %s FROM %s WHERE ctid >= '(%.0f,0)'::tid AND ctid < '(%.0f,0)'::tid", what, quoted, from, to)
  }
  looked_at <- min(pages, 100)
  rows <- as.double(DBI::dbGetQuery(con, range("count(*) AS n", 0, looked_at))$n)
  if (pages == 0) stop_arg("{.arg x}, {label}, has no rows.")
  step <- max(1, round(block * looked_at / max(rows, 1)))
  what <- select_list(con, columns)
  new_source(names_of_query(con, paste("SELECT", what, "FROM", quoted)), label, function(i) {
    DBI::dbGetQuery(con, range(what, (i - 1) * step, i * step))
  }, n_block = ceiling(pages / step), choose = function(columns) source_of_pages(con, quoted, label, block, columns))
}

# By a cursor, from the beginning to the end.
source_of_query <- function(con, query, label, block) {
  names <- tryCatch(names_of_query(con, query), error = function(e) {
    stop_arg(c("{label} of {.arg x} cannot be read.", x = "{conditionMessage(e)}"))
  })
  result <- NULL
  following <- function() {
    if (is.null(result)) result <<- DBI::dbSendQuery(con, query)
    if (DBI::dbHasCompleted(result)) return(NULL)
    rows <- DBI::dbFetch(result, n = block)
    if (nrow(rows)) rows
  }
  spooled_source(names, label, following, function() if (!is.null(result)) DBI::dbClearResult(result))
}

# Sources of files: delimited text, and Parquet by the package arrow.

source_of_files <- function(files, sep, block) {
  if (length(files) == 1 && dir.exists(files)) {
    files <- list.files(files, "[.]parquet$", full.names = TRUE, recursive = TRUE)
    if (!length(files)) stop_arg("{.arg x} is a folder without Parquet files.")
  }
  lost <- files[!file.exists(files)]
  if (!length(files) || length(lost)) stop_arg("{.arg x} must be names of files; {.file {lost[1]}} is none.")
  if (all(grepl("[.]parquet$", files))) source_of_parquet(files) else source_of_text(files, sep, block)
}

label_of_files <- function(files) {
  paste0("file ", basename(files[1]), if (length(files) > 1) paste(" and", length(files) - 1, "more"))
}

# ---- delimited -------------------------------------------------------------------------------------------------------

source_of_text <- function(files, sep, block) {
  if (is.null(sep)) sep <- if (grepl("[.](tsv|tab)([.](gz|bz2|xz))?$", files[1])) "\t" else ","
  if (!is.character(sep) || length(sep) != 1 || nchar(sep) != 1) stop_arg("{.arg sep} must be one character.")
  names <- header_of(files[1], sep)
  at <- list(file = 0, line = 0, open = NULL)
  types <- NULL
  finish <- function() {
    if (!is.null(at$open)) close(at$open)
    at["open"] <<- list(NULL)
  }
  following <- function() {
    repeat {
      if (is.null(at$open)) {
        if (at$file == length(files)) return(NULL)
        at <<- opened_text(files, at$file + 1, sep, names)
      }
      lines <- readLines(at$open, block)
      if (length(lines)) break
      finish()
    }
    fields <- fields_of(lines, sep, length(names), files[at$file], at$line)
    types <<- types %||% types_of(fields)
    block <- typed_fields(fields, types, names, files[at$file], at$line)
    at$line <<- at$line + length(lines)
    block
  }
  spooled_source(names, label_of_files(files), following, finish)
}

header_of <- function(file, sep) {
  from <- file(file, "rt")
  on.exit(close(from))
  first <- readLines(from, 1)
  if (!length(first)) stop_arg("{.file {file}} has no lines.")
  scan(text = first, what = "", sep = sep, quote = "\"", quiet = TRUE, strip.white = TRUE)
}

opened_text <- function(files, k, sep, names) {
  if (!identical(header_of(files[k], sep), names)) {
    stop_arg("The first lines of {.file {files[1]}} and {.file {files[k]}} are not the same: they name the columns.")
  }
  open <- file(files[k], "rt")
  readLines(open, 1)
  list(file = k, line = 1, open = open)
}

# Columns of text, one a field. The line that is too short or too long is named.
fields_of <- function(lines, sep, columns, file, before) {
  from <- textConnection(lines)
  on.exit(close(from))
  count <- utils::count.fields(from, sep = sep, quote = "\"", blank.lines.skip = FALSE, comment.char = "")
  bad <- which(is.na(count) | count != columns)
  if (length(bad)) {
    has <- if (is.na(count[bad[1]])) "an open quote" else paste(count[bad[1]], "fields")
    stop_arg("Line {before + bad[1]} of {.file {file}} has {has} where the first line names {columns} columns.")
  }
  scan(
    text = lines, what = rep(list(""), columns), sep = sep, quote = "\"", quiet = TRUE, strip.white = TRUE,
    na.strings = c("NA", ""), multi.line = FALSE
  )
}

# Whether the fields of each column are numbers, truth values or text.
types_of <- function(fields) {
  vapply(fields, function(x) {
    kind <- class(utils::type.convert(x, as.is = TRUE))[1]
    if (kind == "integer") "numeric" else kind
  }, "")
}

typed_fields <- function(fields, types, names, file, before) {
  columns <- Map(function(x, type, name) {
    if (type == "character") return(x)
    value <- suppressWarnings(if (type == "numeric") as.double(x) else as.logical(x))
    bad <- which(is.na(value) & !is.na(x) & x != "NaN")
    if (length(bad)) {
      stop_arg("Column {.field {name}} is {type} at first, and {.val {x[bad[1]]}} in line {before + bad[1]} of
        {.file {file}}.")
    }
    value
  }, fields, types, names)
  as_plain_frame(stats::setNames(columns, names), length(columns[[1]]))
}

# ---- Parquet and Arrow -----------------------------------------------------------------------------------------------

source_of_parquet <- function(files) {
  rlang::check_installed("arrow", "to read Parquet files")
  readers <- lapply(files, function(file) arrow::ParquetFileReader$create(file))
  groups <- vapply(readers, function(reader) as.double(reader$num_row_groups), 0)
  before <- cumsum(c(0, groups))
  source <- new_source(readers[[1]]$GetSchema()$names, label_of_files(files), function(i) {
    k <- findInterval(i - 1, before)
    as.data.frame(readers[[k]]$ReadRowGroup(i - 1 - before[k]))
  }, n = sum(vapply(readers, function(reader) as.double(reader$num_rows), 0)), n_block = sum(groups))
  source$reopen <- function() source_of_parquet(files)
  source
}

# A dataset on disk has files, a table in memory has rows.
source_of_arrow <- function(x, block) {
  rlang::check_installed("arrow", "to read Arrow data")
  files <- if (inherits(x, "Dataset")) x$files
  if (length(files) && all(grepl("[.]parquet$", files))) return(source_of_parquet(files))
  if (inherits(x, "Dataset")) {
    reader <- arrow::Scanner$create(x)$ToRecordBatchReader()
    following <- function() {
      batch <- reader$read_next_batch()
      if (!is.null(batch)) as.data.frame(batch)
    }
    return(spooled_source(x$schema$names, "Arrow dataset", following, function() NULL))
  }
  n <- as.double(x$num_rows)
  by_rows_of("Arrow table", names(x), n, block, FALSE, function(rows) {
    as.data.frame(x$Slice(rows[1] - 1, length(rows)))
  })
}

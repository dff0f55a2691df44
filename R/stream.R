# Fits to sources of rows that are not in memory (source.R). One pass over the blocks learns what columns are: it keeps
# a table of rows on which everything that a fit does before its training is done as for any table. The training then
# takes its rows from the blocks (stream-rows.R).
#
# The table has the rows of the smallest hashes of their numbers, the same whatever the seed of a fit: such samples of
# parts of a source merge to that of the whole, and quantiles of a uniform sample of k rows have ranks right to sqrt(p
# (1 - p) / k), 0.1 % for those below. So that supports and levels are those of all rows it also has, of each column,
# the rows with the smallest and the largest value, and of each level the first row.

# Held-out rows are the first of these, no more than a default fit holds out, and never trained on.
STREAM_HELD_OUT <- 10000

# Rows that columns are learned from, and that a fit which needs its rows at once is made of.
STREAM_LEARNED <- 2e5

# Levels that a column may have.
STREAM_LEVELS <- 10000

# What fit_flow() takes for a source.
SOURCE_CLASSES <- c("bijectr_source", "tbl_lazy", "Dataset", "ArrowTabular", "big.matrix", "filematrix")

is_source <- function(x) inherits(x, SOURCE_CLASSES)

as_source <- function(x) if (inherits(x, "bijectr_source")) x else data_source(x)

# What fit_flow() was given as list(table, stream), NULL where that is no source. A source whose rows all fit into its
# memory is read: the table is one like others, and there is no stream. `...`: arguments that are of rows in memory
# alone.
streamed <- function(data, formula = NULL, na, ...) {
  if (!is_source(data)) return(NULL)
  given <- Filter(Negate(is.null), list(...))
  if (length(given)) {
    stop_arg(c("{.arg {names(given)[1]}} is for rows in memory, and {.arg data} is a source.",
      i = "Conditions stand on the right side of a formula; rows are chosen where the source is made."
    ))
  }
  if (!identical(na, "fail")) stop_arg("{.code na = \"model\"} is for rows in memory, and {.arg data} is a source.")
  source <- as_source(data)
  columns <- if (!is.null(formula)) intersect(source$names, all.vars(formula))
  if ("." %in% all.vars(formula)) columns <- NULL
  stream <- open_stream(source, columns)
  list(table = stream$table, stream = if (!stream$whole) stream)
}

# A stream: list(
#   source         whose rows
#   columns        the names of those that are read
#   rows           numbers of rows of the blocks
#   n              of all rows
#   table          the rows that are kept, a data frame in the order of their hashes, those with extremes at the end
#   number         their numbers, from 0
#   whole)         whether they are all there are, then in the order of the source
open_stream <- function(source, columns = NULL, most = STREAM_LEARNED + STREAM_HELD_OUT) {
  source <- as_source(source)
  kept <- new_sample(source$memory, most)
  rows <- integer()
  n <- 0
  each_block(source, function(i) read_block(source, i, columns, kept$like), function(block, i) {
    refuse_gaps(block, source, i, n)
    kept <<- add_to_sample(kept, block, n, native_row_hash(n, nrow(block), 0))
    rows <<- c(rows, nrow(block))
    n <<- n + nrow(block)
  })
  if (n < 2) stop_arg("{.arg data}, {source$label}, must have at least two rows, not {n}.")
  c(list(source = source, columns = names(kept$like), rows = rows, n = n), settled_sample(kept))
}

# Block i with the columns that are wanted, NULL beyond the last; `like`: one row of those before.
read_block <- function(source, i, columns, like = NULL) {
  block <- in_block(source, i, source$read(i))
  if (is.null(block)) return(NULL)
  lost <- setdiff(columns, names(block))
  if (length(lost)) stop_arg("{.arg data}, {source$label}, has no column {.field {lost[1]}}.")
  block <- as.data.frame(block)[columns %||% names(block)]
  kinds <- vapply(block, function(x) class(x)[1], "")
  before <- vapply(like, function(x) class(x)[1], "")
  changed <- which(kinds != before & !(kinds %in% NUMBERS & before %in% NUMBERS))
  if (length(like) && length(changed)) {
    stop_block(source, i, "its column {.field {names(block)[changed[1]]}} is of class {kinds[changed[1]]}, and was of
      class {before[changed[1]]} before")
  }
  block
}

NUMBERS <- c("integer", "numeric")

refuse_gaps <- function(block, source, i, first) {
  for (name in names(block)) {
    gone <- which(rows_with_gaps(block[name]))
    if (!length(gone)) next
    stop_block(source, i, "column {.field {name}} has a missing value in its row {gone[1]}, row {first + gone[1]} of
      all; leave such rows out where the source is made, as by a {.code WHERE} of a query")
  }
}

# ---- the sample ------------------------------------------------------------------------------------------------------

# list(parts, held, like, bytes, most, whole, cut, ends, levels): `parts` are rows, `held` in all, with their numbers
# and hashes, `like` is a row of `row_bytes`; while all rows fit into `bytes` they are all kept, from then on no more
# than `most`, those with hashes below `cut`. `ends` are the rows with extremes, these `most_of` each column, and
# `levels` those that were seen.
new_sample <- function(memory, most) {
  list(parts = list(), held = 0, like = NULL, bytes = memory * 2^20 / 4, most = most, whole = TRUE, cut = Inf)
}

add_to_sample <- function(kept, block, first, hash) {
  if (nrow(block) == 0) return(kept)
  if (is.null(kept$like)) {
    kept$like <- block[1, , drop = FALSE]
    kept$row_bytes <- as.double(utils::object.size(block)) / nrow(block)
  }
  number <- first + seq_len(nrow(block)) - 1
  kept <- add_extremes(kept, block, number)
  taken <- if (kept$whole) seq_along(hash) else which(hash < kept$cut)
  if (!length(taken)) return(kept)
  part <- list(rows = block[taken, , drop = FALSE], number = number[taken], hash = hash[taken])
  kept$parts <- c(kept$parts, list(part))
  kept$held <- kept$held + length(taken)
  kept$whole <- kept$whole && kept$held * kept$row_bytes <= kept$bytes
  if (!kept$whole && kept$held > 2 * kept$most) trimmed_sample(kept) else kept
}

add_extremes <- function(kept, block, number) {
  take <- function(kept, i, name) {
    kept$ends[[name]] <- list(rows = block[i, , drop = FALSE], number = number[i])
    kept
  }
  for (name in names(block)) {
    x <- block[[name]]
    if (is.character(x) || is.factor(x)) {
      new <- setdiff(unique(as.character(x)), kept$levels[[name]])
      for (level in new) kept <- take(kept, match(level, x), paste(name, level))
      kept$levels[[name]] <- c(kept$levels[[name]], new)
      if (length(kept$levels[[name]]) > STREAM_LEVELS) {
        stop_arg("Column {.field {name}} of {.arg data} has more than {STREAM_LEVELS} different levels.")
      }
    } else if (is.numeric(x) || inherits(x, c("Date", "POSIXct", "difftime"))) {
      value <- as.double(x)
      for (sign in c(-1, 1)) {
        key <- paste(name, sign)
        i <- which.max(sign * value)
        if (is.null(kept$most_of[[key]]) || sign * value[i] > kept$most_of[[key]]) {
          kept$most_of[[key]] <- sign * value[i]
          kept <- take(kept, i, key)
        }
      }
    }
  }
  kept
}

bound_parts <- function(parts) {
  list(
    rows = do.call(rbind, lapply(parts, `[[`, "rows")), number = unlist(lapply(parts, `[[`, "number")),
    hash = unlist(lapply(parts, `[[`, "hash"))
  )
}

trimmed_sample <- function(kept) {
  all <- bound_parts(kept$parts)
  i <- utils::head(order(all$hash), kept$most)
  kept$cut <- all$hash[i[length(i)]]
  kept$parts <- list(list(rows = all$rows[i, , drop = FALSE], number = all$number[i], hash = all$hash[i]))
  kept$held <- length(i)
  kept
}

settled_sample <- function(kept) {
  if (!kept$whole) kept <- trimmed_sample(kept)
  all <- bound_parts(kept$parts)
  if (!kept$whole) {
    ends <- bound_parts(unname(kept$ends))
    new <- which(!ends$number %in% all$number & !duplicated(ends$number))
    all$rows <- rbind(all$rows, ends$rows[new, , drop = FALSE])
    all$number <- c(all$number, ends$number[new])
  }
  rownames(all$rows) <- NULL
  list(table = all$rows, number = all$number, whole = kept$whole)
}

# ---- what a fit makes of it ------------------------------------------------------------------------------------------

# Held out are the rows of the smallest hashes, which are the first of the table.
stream_split <- function(stream, validation) {
  if (!is.numeric(validation) || length(validation) != 1 || validation >= 1) {
    stop_arg("{.arg validation} must be a share of the rows where {.arg data} is a source.")
  }
  n <- nrow(stream$table)
  held_out <- as.integer(min(round(validation * stream$n), STREAM_HELD_OUT, n %/% 2))
  list(train = held_out + seq_len(n - held_out), validation = seq_len(held_out))
}

inform_sampled <- function(stream, what) {
  cli::cli_inform(c(
    i = "{what} needs its rows at once: it is fitted to {nrow(stream$table)} of the {stream$n} rows of
         {stream$source$label}, taken at random.",
    i = "{.code members = 1} trains a flow of columns of numbers on all of them."
  ), class = "bijectr_message_sampled")
}

# What a fit says of the source.
stream_fields <- function(plan) {
  source <- plan$stream$source
  list(
    label = source$label, rows = plan$stream$n, memory = source$memory, columns = plan$stream$columns,
    kept = nrow(plan$stream$table), buffer = plan$size, buffers = plan$buffers
  )
}

# The stream of a fit again, of the same source.
stream_again <- function(fit, source) {
  stream <- open_stream(source, fit$source$columns)
  if (stream$n != fit$source$rows) {
    stop_arg("{.arg data} are not the data of this fit: they have {stream$n} rows, not {fit$source$rows}.")
  }
  stream
}

print_source <- function(fit) {
  of <- fit$source
  if (is.null(of)) return(invisible())
  cat("  source:  ", of$label, ", ", format_count(of$rows), " rows; in memory ", format_count(of$kept),
    " and buffers of ", format_count(of$buffer), ", at most ", of$memory, " MB\n",
    sep = ""
  )
}

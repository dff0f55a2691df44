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
  cluster <- current_cluster()
  if (!is.null(source$choose) && !is.null(columns) && all(columns %in% source$names)) {
    source <- chosen_columns(source, columns)
  }
  kept <- new_sample(source$memory, most)
  read <- function(i) {
    block <- read_block(source, i, columns, kept$like)
    refuse_gaps(block, source, i)
    block
  }
  rows <- count_blocks(source, read, function(block, first) {
    kept <<- add_to_sample(kept, block, first, native_row_hash(first, nrow(block), 0))
  }, cluster)
  n <- sum(as.double(rows))
  if (!is.null(cluster)) kept <- joined_samples(on_all_ranks(cluster, sent_sample(kept)), kept)
  if (n < 2) stop_arg("{.arg data}, {source$label}, must have at least two rows, not {n}.")
  c(list(source = source, columns = names(kept$like), rows = rows, n = n), settled_sample(kept))
}

# The numbers of rows of all blocks. Each rank reads its own in turn, `work(block, first)` has them with the number of
# their first row of all.
count_blocks <- function(source, read, work, cluster) {
  rows <- integer()
  n <- 0
  repeat {
    block <- NULL
    told <- unlist(on_all_ranks(cluster, {
      i <- length(rows) + 1 + (cluster$rank %||% 0)
      if (is.na(source$n_block) || i <= source$n_block) block <- read(i)
      if (is.null(block)) NA_integer_ else nrow(block)
    }))
    if (!is.null(block)) work(block, n + sum(told[seq_len(cluster$rank %||% 0)]))
    told <- told[!is.na(told)]
    rows <- c(rows, told)
    n <- n + sum(told)
    if (length(told) < (cluster$size %||% 1)) return(rows)
  }
}

# Block i with the columns that are wanted, NULL beyond the last; `like`: one row of those before.
read_block <- function(source, i, columns, like = NULL) {
  block <- in_block(source, i, source$read(i))
  if (is.null(block)) return(NULL)
  lost <- setdiff(columns, names(block))
  if (length(lost)) stop_arg("{.arg data}, {source$label}, has no column {.field {lost[1]}}.")
  block <- as.data.frame(block)[columns %||% names(block)]
  changed <- if (length(like)) changed_classes(block, like)
  if (length(changed)) {
    stop_block(source, i, "its column {.field {changed[1]}} is of class {class(block[[changed[1]]])[1]}, and was of
      class {class(like[[changed[1]]])[1]} before")
  }
  block
}

refuse_gaps <- function(block, source, i) {
  for (name in names(block)) {
    gone <- which(rows_with_gaps(block[name]))
    if (!length(gone)) next
    stop_block(source, i, "column {.field {name}} has a missing value in its row {gone[1]}; leave such rows out where
      the source is made, as by a {.code WHERE} of a query")
  }
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
  if (!is_lead()) return(invisible())
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
    kept = nrow(plan$stream$table), buffer = plan$size, buffers = plan$buffers, lanes = plan$share$n_lane %||% 1
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

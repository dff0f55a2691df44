# Rows that are equal, and how they are dealt out: what is held out must not have copies among the rows for training.

# Numbers, from 1, of rows with these columns, the same for equal ones; NULL where all differ.
equal_rows <- function(columns) {
  at <- do.call(order, c(columns, list(method = "radix")))
  n <- length(at)
  new <- logical(n - 1)
  for (column in columns) {
    sorted <- column[at]
    new <- new | sorted[-1] != sorted[-n]
  }
  if (all(new)) return(NULL)
  group <- integer(n)
  group[at] <- cumsum(c(1L, new))
  group
}

# `n` rows into parts as equal as can be, at random; equal rows, with numbers `group`, into the same. What has more than
# half a part's rows is no copy but a value of positive probability, and dealt out row by row.
deal_rows <- function(n, parts, group = NULL) {
  if (is.null(group)) return(rep_len(seq_len(parts), n)[sample.int(n)])
  many <- tabulate(group)[group] > n / (2 * parts)
  group[many] <- max(group) + seq_len(sum(many))
  group <- match(group, unique(group))
  size <- tabulate(group)
  order <- sample.int(length(size))
  part <- integer(length(size))
  part[order] <- as.integer((cumsum(size[order]) - size[order]) * parts / n) + 1L
  part[group]
}

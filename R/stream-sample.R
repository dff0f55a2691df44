# The rows of a source that are kept while it is read through (stream.R).

# Levels that a column may have.
STREAM_LEVELS <- 10000

# list(parts, held, like, bytes, most, whole, cut, ends, levels): `parts` are rows, `held` in all, with their numbers
# and hashes, `like` is a row of `row_bytes`; while all rows fit into `bytes` they are all kept, from then on no more
# than `most`, those with hashes below `cut`. `ends` are the rows with extremes and the first ones of each of the
# `levels`, by what they are kept for, with a `value`: of several the row of the largest is kept, then the first.
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
  for (name in names(block)) {
    x <- block[[name]]
    if (is.character(x) || is.factor(x)) {
      new <- setdiff(unique(as.character(x)), kept$levels[[name]])
      for (level in new) kept <- add_end(kept, block, number, paste(name, level), match(level, x), 0)
      kept$levels[[name]] <- c(kept$levels[[name]], new)
      refuse_many_levels(kept$levels[[name]], name)
    } else if (is.numeric(x) || inherits(x, c("Date", "POSIXct", "difftime"))) {
      value <- as.double(x)
      for (sign in c(-1, 1)) {
        i <- which.max(sign * value)
        kept <- add_end(kept, block, number, paste(name, sign), i, sign * value[i])
      }
    }
  }
  kept
}

add_end <- function(kept, block, number, key, i, value) {
  if (is_better_end(list(value = value, number = number[i]), kept$ends[[key]])) {
    kept$ends[[key]] <- list(rows = block[i, , drop = FALSE], number = number[i], value = value)
  }
  kept
}

is_better_end <- function(end, than) {
  is.null(than) || end$value > than$value || end$value == than$value && end$number < than$number
}

refuse_many_levels <- function(levels, name) {
  if (length(levels) <= STREAM_LEVELS) return(invisible())
  stop_arg("Column {.field {name}} of {.arg data} has more than {STREAM_LEVELS} different levels.")
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

# What a rank has kept, for the others.
sent_sample <- function(kept) {
  if (!kept$whole && kept$held > 0) kept <- trimmed_sample(kept)
  kept
}

# What ranks have kept is what one process would have. `own`: that of this rank, for what they have in common.
joined_samples <- function(all, own) {
  all <- Filter(function(kept) !is.null(kept$like), all)
  if (!length(all)) return(own)
  of <- function(name) lapply(all, `[[`, name)
  kept <- all[[1]]
  refuse_classes(of("like"))
  kept$parts <- do.call(c, of("parts"))
  kept$held <- sum(unlist(of("held")))
  kept$whole <- all(unlist(of("whole"))) && kept$held * kept$row_bytes <= kept$bytes
  for (other in all[-1]) {
    for (key in names(other$ends)) {
      if (is_better_end(other$ends[[key]], kept$ends[[key]])) kept$ends[[key]] <- other$ends[[key]]
    }
    for (name in names(other$levels)) {
      kept$levels[[name]] <- union(kept$levels[[name]], other$levels[[name]])
      refuse_many_levels(kept$levels[[name]], name)
    }
  }
  kept
}

# Rows of different ranks, one each.
refuse_classes <- function(rows) {
  for (row in rows[-1]) {
    changed <- changed_classes(row, rows[[1]])
    if (length(changed)) {
      stop_arg("Column {.field {changed[1]}} of {.arg data} is of class {class(row[[changed[1]]])[1]} in some blocks
        and of class {class(rows[[1]][[changed[1]]])[1]} in others.")
    }
  }
}

# The columns that are not of the class that they have in `like`.
changed_classes <- function(rows, like) {
  kinds <- vapply(rows, function(x) class(x)[1], "")
  before <- vapply(like, function(x) class(x)[1], "")
  names(rows)[kinds != before & !(kinds %in% NUMBERS & before %in% NUMBERS)]
}

NUMBERS <- c("integer", "numeric")

settled_sample <- function(kept) {
  if (!kept$whole) kept <- trimmed_sample(kept)
  all <- bound_parts(kept$parts)
  if (kept$whole) {
    order <- order(all$number)
    all <- list(rows = all$rows[order, , drop = FALSE], number = all$number[order])
  } else {
    ends <- bound_parts(unname(kept$ends))
    new <- order(ends$number)
    new <- new[!ends$number[new] %in% all$number & !duplicated(ends$number[new])]
    all$rows <- rbind(all$rows, ends$rows[new, , drop = FALSE])
    all$number <- c(all$number, ends$number[new])
  }
  rownames(all$rows) <- NULL
  list(table = all$rows, number = all$number, whole = kept$whole)
}

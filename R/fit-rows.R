# Rows of data to fit: their weights, and which are held out.

check_weights <- function(weights, n) {
  if (is.null(weights)) return(NULL)
  if (!is.numeric(weights) || length(weights) != n) {
    stop_arg("{.arg weights} must be {n} numbers, one a row of {.arg data}, not {describe(weights)}.")
  }
  bad <- which(!is.finite(weights) | weights < 0)
  if (length(bad)) stop_arg("{.arg weights} must be finite and not negative; element {bad[1]} is {weights[bad[1]]}.")
  bad <- which(weights > LARGEST)
  if (length(bad)) stop_arg("{.arg weights} must not exceed {LARGEST}; element {bad[1]} is {weights[bad[1]]}.")
  if (sum(weights > 0) < 2) stop_arg("{.arg weights} must be positive for at least two rows.")
  as.double(weights)
}

# Weights are trained with in this unit, so that neither squares nor sums under- or overflow; a power of two, so that no
# digit is another.
weight_unit <- function(weights) if (is.null(weights)) 1 else 2^floor(log2(max(weights)))

# Training and validation rows. A held-out row must have weight, or it would say nothing.
split_rows <- function(n, validation, weights) {
  all <- seq_len(n)
  if (length(validation) == 1 && is.numeric(validation) && validation < 1) {
    held_out <- sort(sample.int(n, round(validation * n)))
  } else {
    held_out <- tryCatch(all[validation], error = function(e) NA)
    if (anyNA(held_out) || anyDuplicated(held_out) || (is.logical(validation) && length(validation) != n)) {
      stop_arg("{.arg validation} must name rows of {.arg data} ({n} rows), each once.")
    }
  }
  if (!is.null(weights)) held_out <- held_out[weights[held_out] > 0]
  train <- native_other_rows(n, held_out)
  if (length(train) < 2) stop_arg("{.arg validation} leaves {length(train)} training row{?s}; at least two are needed.")
  if (!is.null(weights) && sum(weights[train] > 0) < 2) {
    stop_arg(c(
      "{.arg validation} leaves {sum(weights[train] > 0)} training row{?s} of positive weight; at least two are
       needed.",
      i = "{.code validation = 0} trains on all rows."
    ))
  }
  list(train = train, validation = held_out)
}

# With weights, how many training rows of equal weight know as much: `effective`. A fit does not keep its weights.
count_effective <- function(rows, weights) {
  if (!is.null(weights)) rows$effective <- effective_number(rows$train, weights)
  rows
}

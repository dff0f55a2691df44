# What a careful colleague would say of data and of a fit: warnings of classes of their own, each once a fit, with the
# cure. The rules look at no more than ADVICE_ROWS rows, and draw no random numbers.

ADVICE_ROWS <- 8192

# Before the training. Data and conditions are numbers already, as the core takes them.
# `counts`: the columns that the user knows to be whole numbers; `exact`: the rows that lie at a point, NULL if all do.
advise_data <- function(data, condition, rows, weights, counts = NULL, exact = NULL) {
  i <- unique(look_at_rows(exact %||% seq_len(n_rows(data)), weights, ADVICE_ROWS)$rows)
  labels <- column_labels(data)
  advise_rows(n_columns(data), if (is.null(condition)) 0 else n_columns(condition), rows, weights)
  if (!length(i)) return(invisible())
  x <- columns_at(data, i)
  values <- lapply(x, count_values)
  fine <- advise_values(values, labels, counts)
  given <- columns_at(condition, i)
  if (any(fine) && is.null(exact)) {
    sharpest <- which(fine)[which.min(vapply(values[fine], occupancy, 0))]
    if (length(i) < n_rows(data)) {
      i <- rows_of_like_value(data, sharpest, x[[sharpest]], weights)
      x <- columns_at(data, i)
      given <- columns_at(condition, i)
    }
    advise_copies(c(x, given), sharpest, i, rows)
  }
}

# Of a large table about ADVICE_ROWS rows among which all copies of theirs are: those in the middle of the values of a
# column, of which `some` are known.
rows_of_like_value <- function(data, j, some, weights) {
  share <- ADVICE_ROWS / n_rows(data)
  ends <- weighted_quantile(some, 0.5 + c(-0.5, 0.5) * share)
  i <- native_rows_within(column(data, j), ends[1], ends[2])
  if (is.null(weights)) i else i[weights[i] > 0]
}

warn_advice <- function(class, ...) {
  cli::cli_warn(c(...), class = paste0("bijectr_warning_", class), .envir = parent.frame())
}

# ---- values ----------------------------------------------------------------------------------------------------------

# The distinct values of a column, ascending, and how often each of them is there.
count_values <- function(x) {
  runs <- rle(sort.int(x, method = "radix"))
  list(value = runs$values, count = runs$lengths)
}

# An atom is a value that at least 5 % of the rows have, 8 at the least, and more than five times as many as the three
# next values on either side, one of which may be an atom too: zeros among amounts, a bound, a code for what is missing.
# Where people round to tens, many values are heavy: an atom is three times as heavy as the fourth heaviest value.
find_atoms <- function(values) {
  count <- values$count
  fourth <- c(sort(count, decreasing = TRUE), 0, 0, 0, 0)[4]
  heavy <- which(count >= max(8, 0.05 * sum(count), 3 * fourth))
  Filter(function(k) {
    near <- sort(count[setdiff(max(1, k - 3):min(length(count), k + 3), k)], decreasing = TRUE)
    length(near) > 0 && count[k] > 5 * near[min(2, length(near))]
  }, heavy)
}

# Ties: the chance that two rows agree in a column is more than 8 %, atoms aside. That of a normal column rounded to
# steps of h is about 0.28 h / sd, so this is a step of 0.28 sd. Rounding to finer steps harms little and says nothing.
TIES <- 0.08

agreement <- function(count) {
  n <- sum(count)
  sum(count * (count - 1)) / (n * (n - 1))
}

# Returns which columns are neither tied nor have atoms.
advise_values <- function(values, labels, counts = NULL) {
  atoms <- lapply(values, find_atoms)
  tied <- mapply(function(v, atom) {
    rest <- if (length(atom)) v$count[-atom] else v$count
    sum(rest) > 1 && agreement(rest) > TIES
  }, values, atoms)
  told <- tied
  told[counts] <- FALSE
  if (any(told)) {
    first <- values[[which(told)[1]]]
    whole <- all(first$value == round(first$value))
    where <- if (sum(told) > 1) cli::format_inline(" of {.field {labels[told][1]}}")
    warn_advice("ties",
      "{cli::qty(sum(told))}Column{?s} {.field {labels[told]}} of {.arg data} {?is/are} fitted as continuous, but
       {?has/have} few values: {length(first$value)} {if (whole) 'whole numbers'} in {sum(first$count)} rows{where}.",
      i = "The density of such a column can grow without bound at its values and says nothing between them.",
      i = "Spread the values over their steps first, as in {.code x + runif(n, -0.5, 0.5)} for whole numbers, or make
           the column a condition."
    )
  }
  spiked <- which(!tied & lengths(atoms) > 0)
  if (length(spiked)) {
    said <- vapply(spiked, function(j) {
      k <- atoms[[j]][which.max(values[[j]]$count[atoms[[j]]])]
      sprintf("column %s: %.0f %% at %s", labels[j], 100 * values[[j]]$count[k] / sum(values[[j]]$count),
        format(values[[j]]$value[k], digits = 6)
      )
    }, "")
    warn_advice("atom",
      "Many rows have one value ({said}), where a density can grow without bound.",
      i = "Fit the other rows alone, and the share of this value beside them."
    )
  }
  !tied & lengths(atoms) == 0
}

# ---- rows ------------------------------------------------------------------------------------------------------------

# Which share of the places between the quartiles of a column, as far apart as its closest values, is taken: 1 of whole
# numbers with none left out, nearly 0 of measurements.
occupancy <- function(values) {
  at <- cumsum(values$count) / sum(values$count)
  middle <- values$value[at >= 0.25 & c(0, at[-length(at)]) <= 0.75]
  if (length(middle) < 3) middle <- values$value
  range <- middle[length(middle)] - middle[1]
  gap <- diff(middle)
  gap <- gap[gap > 1e-9 * range] # rounding
  if (length(gap)) length(middle) / (range / min(gap) + 1) else 1
}

# The chance that a row, of those numbered `at`, agrees with some other because values of `x` are rounded: the share of
# places around its value, as far as NEAR other values on either side, where there is a row that agrees in the `others`.
# Places are as far apart as the closest values there: steps may vary, as those of logarithms of whole numbers do.
NEAR <- 5

chance_of_copy <- function(x, others, at) {
  value <- sort(unique(x))
  m <- length(value)
  if (m < 3) return(rep(1, length(at)))
  gap <- diff(value)
  gap[gap <= 1e-9 * (value[m] - value[1])] <- Inf # rounding
  place <- match(x, value)
  rest <- match(others, unique(others)) * m # with a place, a number for each combination
  mine <- place[at]
  first <- pmax(mine - NEAR, 1)
  last <- pmin(mine + NEAR, m)
  taken <- 1
  step <- Inf
  for (k in -NEAR:NEAR) {
    j <- mine + k
    if (k != 0) taken <- taken + (j >= first & j <= last & (rest[at] + j) %in% (rest + place))
    step <- pmin(step, ifelse(j >= first & j < last, gap[pmin(pmax(j, 1), m - 1)], Inf))
  }
  pmin(1, taken / ((value[last] - value[first]) / step + 1))
}

# One number a row, by which rows are told from each other: columns in units of their own, with weights between which no
# sums of few digits agree.
row_key <- function(columns, n) {
  key <- numeric(n)
  for (j in seq_along(columns)) {
    x <- columns[[j]]
    size <- max(abs(x))
    if (size > 0) key <- key + x / size * sqrt(j + 0.1)
  }
  key
}

# Held-out rows that are training rows too: at least three, a quarter of them, and clearly more than chance explains, by
# half and by two standard deviations. `columns` hold the rows `i` of the data and conditions; `sharpest` is the number
# of the one with the fewest coincidences.
advise_copies <- function(columns, sharpest, i, rows) {
  held_out <- i %in% rows$validation
  if (sum(held_out) < 3) return(invisible())
  key <- row_key(columns, length(i))
  copies <- sum(key[held_out] %in% key[!held_out])
  if (copies < max(3, sum(held_out) / 4)) return(invisible())
  chance <- chance_of_copy(columns[[sharpest]], row_key(columns[-sharpest], length(i)), which(held_out))
  if (copies > 1.5 * sum(chance) + 2 * sqrt(sum(chance * (1 - chance)))) {
    warn_advice("duplicates",
      "{copies} of {sum(held_out)} held-out rows are training rows too: the validation cannot tell learning from
       remembering.",
      i = "Drop the copies ({.fn unique}; {.arg weights} can count them), or name {.arg validation} rows of which
           training has no copies."
    )
  }
}

# Fewer than five training rows a variable. Rows of unequal weight count as the number of equal ones with their spread.
advise_rows <- function(d, d_condition, rows, weights) {
  n <- effective_number(rows$train, weights)
  k <- d + d_condition
  if (n >= 5 * k) return(invisible())
  unheld <- if (length(rows$validation)) {
    "; {.code validation = 0} trains on all rows, but nothing is left to choose by"
  }
  warn_advice("few_rows",
    "{if (!is.null(weights)) 'By their weights there' else 'There'} are {format(n, digits = 3)} training rows for
     {k} column{?s}{if (d_condition > 0) ', conditions included'}: fewer than five a column.",
    i = paste0(
      "Of so few rows a flow learns little more than means and covariances, and these are uncertain. Take fewer
       columns or more rows", unheld, "."
    )
  )
}

# Conditions with one value in all training rows, up to rounding, before they are standardised.
advise_condition <- function(condition, rows, weights) {
  if (is.null(condition)) return(invisible())
  constant <- flat_columns(encode_columns(condition, column_codecs(condition, "condition")), rows$train, weights)
  if (!length(constant)) return(invisible())
  label <- column_labels(condition)[constant]
  warn_advice("constant_condition",
    "{cli::qty(label)}Condition{?s} {.field {label}} {?does/do} not vary in the training rows, which can
     tell nothing of {?its/their} effect.",
    i = "{cli::qty(label)}Drop {?it/them}: predictions for other values are made up."
  )
}

# ---- the network -----------------------------------------------------------------------------------------------------

LARGE <- 1e6

# Parameters beyond LARGE, with the time that they will take, from the density of one batch (a step with its gradient is
# about four of them), and the size of the training state.
advise_size <- function(flow, data, condition, rows, control) {
  size <- length(flow$params)
  if (size <= LARGE) return(invisible())
  i <- rows$train[seq_len(min(control$batch_size, length(rows$train)))]
  one <- system.time(native_log_density(flow, rows_at(data, i), rows_at(condition, i)))[["elapsed"]]
  seconds <- 4 * one * data_steps(control, rows)
  bytes <- 8 * size * (5 + 2 * native_optimizer_moments(control$optimizer)) # theta, best, safe copies, gradients
  warn_advice("large",
    "The flow has {format(size, big.mark = ',')} parameters: training needs about {format_seconds(seconds)} and
     {format(ceiling(bytes / 2^20), big.mark = ',')} MB.",
    i = "Fewer or narrower {.arg layers} may do as well, see {.arg nn_width}; {.arg seconds} limits the time."
  )
}

# ---- after the training ----------------------------------------------------------------------------------------------

# A flow that is worse than the normal beside it, clearly so (by two standard errors of the difference, and 0.01 nats),
# on the held-out rows, or, where they are fewer than 20, on the training rows. A training of fewer than 100 steps was
# not meant to succeed.
advise_fit <- function(fit) {
  reference <- fit$reference
  if (is.null(reference) || fit$steps < 100) return(invisible())
  n <- lengths(fit$rows)
  held_out <- n[["validation"]] >= 20
  if (!held_out && n[["train"]] < 20) return(invisible())
  flow <- if (held_out) reference$flow else reference$flow_train
  normal <- if (held_out) reference$normal else reference$normal_train
  error <- if (held_out) reference$error else reference$error_train
  loss <- normal - flow
  if (is.na(normal) || isTRUE(loss <= max(0.01, 2 * error))) return(invisible())
  warn_advice("no_better",
    "The fit is worse than a normal distribution: mean log density {format(flow, digits = 4)} against
     {format(normal, digits = 4)} on the {if (held_out) 'held-out' else 'training'} rows.",
    i = "A lower {.arg learning_rate}, more {.arg steps} or fewer parameters may help; see {.code summary(fit)} and
         {.code plot(fit, \"loss\")}."
  )
}

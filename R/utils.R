# What several files need and none of them is about.

`%||%` <- function(x, y) if (is.null(x)) y else x

# With all digits, which format() leaves out from 100,000 on.
format_count <- function(n) format(n, big.mark = ",", scientific = FALSE)

softplus <- function(x) pmax(x, 0) + log1p(exp(-abs(x)))

log_mean_exp <- function(w) {
  top <- max(w)
  if (!is.finite(top)) return(top)
  top + log(mean(exp(w - top)))
}

exp_shares <- function(w) {
  e <- exp(w - max(w))
  e / sum(e)
}

# Logarithms of the sums of the exponentials of rows, and rows less these.
log_sum_rows <- function(e) {
  most <- do.call(pmax, lapply(seq_len(ncol(e)), function(j) e[, j]))
  most + log(rowSums(exp(e - most)))
}

normalize_logits <- function(logits) logits - log_sum_rows(logits)

# `size` of the numbers from 1 to n, each as often as its weight says, as nearly as whole numbers can; an `offset` at
# random between 0 and 1 makes that right in the mean.
spread_rows <- function(n, weights, size, offset = 0.5) {
  total <- cumsum(weights %||% rep(1, n))
  pmin(findInterval((seq_len(size) - 1 + offset) / size * total[n], total) + 1, n)
}

name_columns <- function(x, names) {
  if (!is.null(names)) dimnames(x) <- list(NULL, names)
  x
}

# The flow alone, without what a fit adds.
as_flow <- function(object) {
  fields <- c(
    "format", "d", "d_condition", "base", "layers", "params", "names", "codecs", "condition", "response", "form",
    "dropped"
  )
  structure(unclass(object)[fields], class = "bijectr_flow")
}

# Evaluates with R's generator at `seed` and leaves it as it was. Seeds of the core have more bits than set.seed()
# takes.
with_seed <- function(seed, expr) {
  before <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  on.exit(
    if (is.null(before)) {
      rm(".Random.seed", envir = globalenv())
    } else {
      assign(".Random.seed", before, envir = globalenv())
    }
  )
  set.seed(seed %% .Machine$integer.max)
  expr
}

# R's generator at a seed, of the kinds of the session that asks, wherever this runs. Setting kinds, even the same,
# would draw a number.
with_seed_of <- function(seed, kinds, expr) {
  if (identical(RNGkind(), kinds)) return(with_seed(seed, expr))
  before <- as.list(RNGkind(kinds[1], kinds[2], kinds[3]))
  on.exit(do.call(RNGkind, before))
  with_seed(seed, expr)
}

# The value of `expr`, which may be the user's code, or the error or interrupt that ended it. Interrupts are let in.
guarded <- function(expr) tryCatch(allowInterrupts(expr), error = identity, interrupt = identity)

shorten_list <- function(names, at_most = 5) {
  if (length(names) > at_most) names <- c(names[seq_len(at_most - 1)], "...")
  paste(names, collapse = ", ")
}

format_seconds <- function(seconds) {
  if (seconds < 120) return(paste(format(signif(seconds, 2)), "s"))
  if (seconds < 7200) return(paste(format(round(seconds / 60, 1)), "min"))
  paste(format(round(seconds / 3600, 1)), "h")
}

# Tails of draws beside those of rows. Of n rows e are expected beyond the point that a share e / n of draws exceeds. A
# fit to m rows knows this share as well as m rows do, so that the number is one of a negative binomial distribution of
# size m e / n, and a Poisson one for a flow that was not fitted.

TAIL_COUNTS <- c(1, 3, 10)

# A rate that is off by such a factor is forgiven.
TAIL_RATE <- 1.5

look_at_tails <- function(places, subject) {
  d <- length(subject$labels)
  ends <- expand.grid(end = c("low", "high"), j = seq_len(d), stringsAsFactors = FALSE)
  out <- do.call(rbind, lapply(seq_len(nrow(ends)), function(i) {
    end_of_column(places, subject, ends$j[i], ends$end[i])
  }))
  # the low end of log densities: rows that the fit did not expect
  surprise <- end_of_column(places, subject, d + 1, "low")
  out <- rbind(out, surprise)
  out$p <- pmin(1, out$p * nrow(out) / CHECK_SHARES[["tails"]])
  out
}

end_of_column <- function(places, subject, j, end) {
  sign <- if (end == "high") 1 else -1
  of_density <- j > length(subject$labels)
  x <- sign * if (of_density) places$log_density else subject$x[, j]
  drawn <- sign * if (of_density) places$draws_log_density else places$draws[, j]
  away <- places$ranks[, j]
  if (end == "high") away <- 1 - away
  here <- !is.na(x)
  n <- sum(here)
  top <- if (n > 0) max(x[here]) else NA_real_
  extremes <- extremes_of_draws(drawn, n, places$own, here)
  least <- if (n > 0) min(away[here]) else 1
  chance <- if (is.null(places$own) || places$exact) -expm1(n * log1p(-least)) else mean(extremes >= top)
  shown <- sign * stats::quantile(extremes, c(0.5, 0.005, 0.995), names = FALSE, type = 1, na.rm = TRUE)
  data.frame(
    what = colnames(places$ranks)[j], end = end, data = sign * top, median = shown[1], from = min(shown[2:3]),
    to = max(shown[2:3]), chance = chance, furthest = sign * suppressWarnings(max(drawn, na.rm = TRUE)),
    p = tail_p(away[here], n, subject$train, places$precision[j]), beyond = attr(tail_counts(away[here], n), "beyond")
  )
}

# The most extreme of n draws, many times: from sets of draws with one a row, or as order statistics.
extremes_of_draws <- function(drawn, n, own, here) {
  if (!is.null(own)) {
    sets <- matrix(drawn, own)[, here, drop = FALSE]
    return(do.call(pmax, c(lapply(seq_len(ncol(sets)), function(i) sets[, i]), na.rm = TRUE)))
  }
  drawn <- drawn[!is.na(drawn)]
  if (!length(drawn)) return(NA_real_)
  stats::quantile(drawn, stats::ppoints(999)^(1 / max(1, n)), names = FALSE, type = 1)
}

tail_counts <- function(away, n) {
  expected <- TAIL_COUNTS[TAIL_COUNTS < n / 4]
  counts <- vapply(expected, function(e) sum(away < e / n), 0)
  far <- if (length(counts)) which.max(counts / expected) else integer()
  structure(counts, expected = expected, beyond = if (length(far)) counts[far] / expected[far] else NA_real_)
}

# Smallest of the probabilities of so many rows beyond a point, and of so few, times their number.
tail_p <- function(away, n, train, precision) {
  if (n < 10) return(1)
  counts <- tail_counts(away, n)
  expected <- attr(counts, "expected")
  known <- 1 / (1 / train + precision)
  many <- count_p(counts, TAIL_RATE * expected, known * expected / n, lower = FALSE)
  few <- count_p(counts, expected / TAIL_RATE, known * expected / n, lower = TRUE)
  least <- min(away)
  none <- count_p(0, n * least / TAIL_RATE, known * least, lower = TRUE)
  min(1, c(many, few, none) * (2 * length(expected) + 1))
}

count_p <- function(count, mean, size, lower) {
  if (!lower) count <- count - 1
  if (all(is.finite(size))) {
    stats::pnbinom(count, size = pmax(size, 1e-12), mu = mean, lower.tail = lower)
  } else {
    stats::ppois(count, mean, lower.tail = lower)
  }
}

# ---- reasons ---------------------------------------------------------------------------------------------------------

tail_reasons <- function(tails, subject, level) {
  bad <- tails[tails$p < level, ]
  vapply(seq_len(nrow(bad)), function(i) tail_reason(bad[i, ], subject), "")
}

tail_reason <- function(one, subject) {
  many <- isTRUE(one$beyond > 1)
  if (one$what == "log density") {
    return(if (many) {
      paste0(
        "Some rows have far lower densities than draws have (the lowest log density is ", format(signif(one$data, 3)),
        ", of as many draws ", format(signif(one$median, 3)), "): rows that the fit did not expect. ",
        "Look at them; base_student_t() or support = for tails."
      )
    } else {
      "No row has a density as low as some draws have: the fit's tails are too heavy. A base with lighter tails."
    })
  }
  value <- format_in_column(one$data, one$what, subject)
  drawn <- format_in_column(one$median, one$what, subject)
  side <- if (one$end == "high") "upper" else "lower"
  if (many) {
    paste0(
      one$what, ": more rows lie in the ", side, " tail than draws do (", value, " in the data, ", drawn,
      " in as many draws): the fit misses a heavy tail. Use scalar_tail() or base_student_t()."
    )
  } else {
    paste0(
      one$what, ": the ", side, " tail of draws is longer than that of the rows (", value, " in the data, ", drawn,
      " in as many draws). Give the column a support, or a base with lighter tails."
    )
  }
}

# A number of a column in the class that the column has.
format_in_column <- function(x, what, subject) {
  codec <- subject$codecs[[match(what, subject$labels)]]
  shown <- if (is.null(codec)) x else decode(codec, x)
  if (is.numeric(shown) && !is.object(shown)) shown <- signif(shown, 4)
  trimws(format(shown))
}

# Of tails with exponent 1 / xi the most extreme of N values is (N / n)^xi times that of n. Hill's estimate of xi from
# the outer tenth of the distances from the middle, which descend, three standard errors up; NA where there are too few.
tail_exponent <- function(away) {
  n <- length(away)
  if (n < 10) return(NA_real_)
  k <- max(5, floor(0.1 * n))
  if (away[k + 1] <= 0) return(NA_real_)
  mean(log(away[seq_len(k)] / away[k + 1])) * (1 + 3 / sqrt(k))
}

# Draws further out than the tails of the rows can explain; a factor of 10 is for chance.
explosion_reasons <- function(places, subject) {
  finite <- is.finite(places$draws)
  out <- lapply(seq_along(subject$labels), function(j) {
    x <- subject$x[!is.na(subject$x[, j]), j]
    n <- length(x)
    away <- sort(abs(x - stats::median(x)), decreasing = TRUE)
    xi <- tail_exponent(away)
    if (is.na(xi)) return(NULL)
    drawn <- places$draws[finite[, j], j]
    far <- if (length(drawn)) max(abs(drawn - stats::median(x))) else 0
    if (far <= 10 * away[1] * max(1, length(drawn) / n)^xi) return(NULL)
    worst <- drawn[which.max(abs(drawn - stats::median(x)))]
    paste0(
      subject$labels[j], ": draws go as far as ", format_in_column(worst, subject$labels[j], subject), ", ",
      format(signif(far / away[1], 2)), " times as far out as any row: the fit explodes in places. ",
      "Bound the scales of its layers, or fit with weight decay, clip or a support."
    )
  })
  unlist(out)
}

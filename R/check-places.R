# Places of rows among draws: the rank of each column, of the log density and of each latent coordinate of a row among
# those of draws given the row's conditions, as numbers between 0 and 1 that are uniform where the row is a draw, too.
# Ties are broken at random.

# list(
#   ranks        a matrix with one row a row; its columns are the coordinates, "log density", "latent 1", ...
#   fresh        the same, without latents, of one further draw for each row
#   precision    of each column of ranks: one over the number of draws that the ranks of all rows share
#   log_density, draws_log_density, draws (a matrix), total, broken (draws that are no finite numbers),
#   no_inverse   the error of an inverse that failed)
look_at_places <- function(subject, draws) {
  flow <- subject$flow
  n <- nrow(subject$x)
  own <- if (!is.null(subject$given)) max(20, min(1000, 5 * draws %/% n))
  reference <- draw_reference(flow, subject$given, own %||% draws)
  log_density <- quietly(logdensity(flow, subject$x, subject$given))
  log_density[subject$off] <- -Inf
  fresh <- draw_rows(flow, n, subject$given)
  fresh_density <- finite_density(flow, fresh, subject$given)
  place <- function(x, density) {
    exact <- exact_places(flow, x, subject)
    columns <- lapply(seq_len(ncol(x)), function(j) {
      if (!is.null(exact)) exact else places_among(x[, j], reference$x[, j], own)
    })
    cbind(do.call(cbind, columns), places_among(density, reference$log_density, own))
  }
  ranks <- place(subject$x, log_density)
  colnames(ranks) <- c(subject$labels, "log density")
  precision <- rep(if (is.null(own)) 1 / draws else 0, ncol(ranks))
  latent <- if (subject$single && flow$d > 1) latent_places(flow, subject, draws)
  ranks <- cbind(ranks, latent$ranks)
  broken <- !is.finite(reference$log_density) | not_finite(reference$x)
  list(
    ranks = ranks, fresh = place(fresh, fresh_density), precision = c(precision, rep(1 / draws, NCOL(latent$ranks))),
    log_density = log_density, draws_log_density = reference$log_density, draws = reference$x,
    total = length(reference$log_density), broken = sum(broken), no_inverse = latent$error,
    own = own, exact = flow$d == 1 && !is.null(exact_places(flow, subject$x[1, , drop = FALSE], subject, 1))
  )
}

# Warnings of the verbs, of points outside of the support and of numbers that are none, become reasons here.
quietly <- function(expr) {
  withCallingHandlers(expr, warning = function(w) {
    if (inherits(w, c("bijectr_warning_outside", "bijectr_warning_nan"))) invokeRestart("muffleWarning")
  })
}

# As the flows of a fit to a table with gaps know them.
named_rows <- function(x, names) name_columns(unname(x), names)

draw_rows <- function(flow, n, given) {
  named_rows(as.matrix(quietly(drawn_as_data(flow, n, given))), flow$names)
}

# Draws and their log densities: `n` in all, or with conditions `n` for each row of them, one after another.
draw_reference <- function(flow, given, n) {
  if (!is.null(given)) {
    given <- given[rep(seq_len(nrow(given)), each = n), , drop = FALSE]
    n <- nrow(given)
  }
  x <- draw_rows(flow, n, given)
  list(x = x, log_density = finite_density(flow, x, given))
}

# Log densities of draws, of which those that are no numbers have none.
finite_density <- function(flow, x, given) {
  whole <- !not_finite(x)
  out <- rep(NA_real_, nrow(x))
  if (any(whole)) {
    given <- if (!is.null(given)) given[whole, , drop = FALSE]
    out[whole] <- quietly(logdensity(flow, x[whole, , drop = FALSE], given))
  }
  out
}

# Rows with numbers that are none; gaps are something else.
not_finite <- function(x) rowSums(is.nan(x) | is.infinite(x)) > 0

# Places of `x` among all of the reference, or of each among its `own` ones. Missing values have none.
places_among <- function(x, reference, own = NULL) {
  out <- rep(NA_real_, length(x))
  here <- which(!is.na(x))
  if (is.null(own)) {
    reference <- sort(reference[!is.na(reference)])
    most <- length(reference)
    below <- findInterval(x[here], reference, left.open = TRUE)
    equal <- findInterval(x[here], reference) - below
  } else {
    reference <- matrix(reference, own)[, here, drop = FALSE]
    x <- rep(x[here], each = own)
    most <- colSums(!is.na(reference))
    below <- colSums(reference < x, na.rm = TRUE)
    equal <- colSums(reference == x, na.rm = TRUE)
  }
  out[here] <- (below + stats::runif(length(here)) * (equal + 1)) / (most + 1)
  out
}

# Of one coordinate, by the distribution function; NULL where the fit has none, or gives no number.
exact_places <- function(flow, x, subject, rows = seq_len(nrow(x))) {
  if (flow$d > 1 || subject$gappy || is_table(flow) || is_discrete(flow$base)) return(NULL)
  given <- if (!is.null(subject$given)) subject$given[rows, , drop = FALSE]
  at <- function(x) tryCatch(quietly(pflow(x, flow, given)), bijectr_error = function(e) NULL)
  p <- at(x[, 1])
  if (is.null(p) || anyNA(p)) return(NULL)
  if (!is_whole(flow)) return(p)
  below <- at(x[, 1] - 1)
  below + stats::runif(length(p)) * (p - below)
}

# Of the points on the base side, among draws from the base.
latent_places <- function(flow, subject, draws) {
  back <- tryCatch(quietly(inverse(flow, subject$x, condition = subject$given)), bijectr_error_core = identity)
  if (inherits(back, "error")) return(list(error = conditionMessage(back)))
  own <- if (has_base_net(flow)) max(20, min(1000, 5 * draws %/% nrow(subject$x)))
  size <- if (is.null(own)) draws else own * nrow(subject$x)
  given <- if (!is.null(own)) {
    take_condition(flow, subject$given[rep(seq_len(nrow(subject$x)), each = own), , drop = FALSE], size)
  }
  reference <- native_draw(flow, size, given, draw_seed())
  ranks <- vapply(
    seq_len(flow$d), function(j) places_among(back$value[, j], reference[, j], own), numeric(nrow(subject$x))
  )
  ranks <- matrix(ranks, nrow(subject$x))
  colnames(ranks) <- paste("latent", seq_len(flow$d))
  list(ranks = ranks)
}

# ---- are they uniform? -----------------------------------------------------------------------------------------------

# Legendre polynomials on (0, 1), of mean 0 and variance 1 there.
legendre <- function(u, k) {
  x <- 2 * u - 1
  value <- switch(k,
    x, (3 * x^2 - 1) / 2, (5 * x^3 - 3 * x) / 2, (35 * x^4 - 30 * x^2 + 3) / 8, (63 * x^5 - 70 * x^3 + 15 * x) / 8,
    (231 * x^6 - 315 * x^4 + 105 * x^2 - 5) / 16
  )
  sqrt(2 * k + 1) * value
}

# Shares of the level: places as a whole, location and spread of columns and log density, other aspects, clouds, tails.
CHECK_SHARES <- c(whole = 0.2, main = 0.3, other = 0.15, energy = 0.2, tails = 0.15)

# At most so many columns in pairs, and so many conditions.
CHECK_PAIRS <- 8
CHECK_CONDITIONS <- 20

# A fit chooses its own density to be high at its rows: that deviates by more than a given function of rows does.
DENSITY_TOLERANCE <- 4

uniformity <- function(places, subject, tolerance) {
  ranks <- places$ranks
  single <- lapply(seq_len(ncol(ranks)), function(j) {
    means <- lapply(1:6, function(k) moment_of(legendre(ranks[, j], k)))
    cbind(what = colnames(ranks)[j], aspect = c("location", "spread", paste("shape", 3:6)), do.call(rbind, means),
      share = places$precision[j]
    )
  })
  d <- length(subject$labels)
  out <- rbind(
    do.call(rbind, lapply(single, as.data.frame)), pair_moments(places, seq_len(d), places$fresh),
    if (any(grepl("^latent", colnames(ranks)))) pair_moments(places, d + 1 + seq_len(d)),
    condition_moments(ranks[, seq_len(d), drop = FALSE], subject)
  )
  out[c("effect", "n", "share")] <- lapply(out[c("effect", "n", "share")], as.numeric)
  out$error <- sqrt(1 / out$n + 1 / subject$train + out$share)
  out$beyond <- pmax(0, abs(out$effect) - tolerance * ifelse(out$what == "log density", DENSITY_TOLERANCE, 1))
  p <- 2 * stats::pnorm(-out$beyond / out$error)
  main <- out$aspect %in% c("location", "spread") & out$what %in% c(subject$labels, "log density")
  out$p <- pmin(1, p * ifelse(main, sum(main) / CHECK_SHARES[["main"]], sum(!main) / CHECK_SHARES[["other"]]))
  out <- rbind(out, whole_places(out, colnames(ranks)))
  rownames(out) <- NULL
  out[c("what", "aspect", "effect", "error", "p")]
}

# All six together, which see what none of them does alone.
whole_places <- function(found, names) {
  do.call(rbind, lapply(names, function(what) {
    six <- found[found$what == what, ]
    p <- stats::pchisq(sum((six$beyond / six$error)^2), nrow(six), lower.tail = FALSE)
    one <- six[1, ]
    one[c("aspect", "effect", "p")] <- list(
      "whole", sqrt(sum(six$effect^2)), min(1, p * length(names) / CHECK_SHARES[["whole"]])
    )
    one
  }))
}

moment_of <- function(x) {
  x <- x[!is.na(x)]
  data.frame(effect = if (length(x)) mean(x) else 0, n = max(1, length(x)))
}

# Means of products of two columns, beside those of draws where columns of draws depend on each other.
pair_moments <- function(places, columns, fresh = NULL) {
  columns <- utils::head(columns, CHECK_PAIRS)
  if (length(columns) < 2) return(NULL)
  ranks <- places$ranks
  pairs <- utils::combn(columns, 2)
  do.call(rbind, lapply(seq_len(ncol(pairs)), function(i) {
    a <- pairs[1, i]
    b <- pairs[2, i]
    do.call(rbind, lapply(list(c(1, 1), c(1, 2), c(2, 1), c(2, 2)), function(k) {
      product <- function(u) legendre(u[, a], k[1]) * legendre(u[, b], k[2])
      one <- moment_of(product(ranks))
      share <- places$precision[a]
      if (!is.null(fresh)) {
        expected <- product(fresh)
        expected <- expected[is.finite(expected)]
        if (length(expected) < 5) return(NULL)
        one$effect <- (one$effect - mean(expected)) / max(stats::sd(expected), 0.5)
        share <- share + 1 / length(expected)
      }
      aspect <- if (all(k == 1)) "dependence" else "dependence, not linear"
      data.frame(what = paste(colnames(ranks)[c(a, b)], collapse = ", "), aspect = aspect, one, share = share)
    }))
  }))
}

# Means of products of location and spread with conditions: what is right on average may be wrong at each of them.
condition_moments <- function(ranks, subject) {
  given <- subject$given
  if (is.null(given)) return(NULL)
  varies <- which(apply(given, 2, function(x) any(x != x[1])))
  out <- lapply(utils::head(varies, CHECK_CONDITIONS), function(j) {
    score <- rank(given[, j])
    score <- (score - mean(score)) / sqrt(mean((score - mean(score))^2))
    do.call(rbind, lapply(seq_len(ncol(ranks)), function(i) {
      do.call(rbind, lapply(1:2, function(k) {
        data.frame(what = paste(colnames(ranks)[i], "given", subject$conditions[j]),
          aspect = c("location", "spread")[k], moment_of(score * legendre(ranks[, i], k)), share = 0
        )
      }))
    }))
  })
  do.call(rbind, out)
}

# One reason for each thing that was looked at, named by it, of the simplest aspect in which it deviates. Pairs of
# columns that are told themselves are not, and what is not said in the user's columns is only where nothing else is.
uniformity_reasons <- function(found, level, subject) {
  found <- found[found$p < level, ]
  # polynomials in units of their largest values, so that far out, where all are at these, the simplest is said
  size <- abs(found$effect) / c(sqrt(2 * 1:6 + 1), whole = Inf, dependence = 1)[aspect_order(found$aspect)]
  found <- found[order(-size), ]
  found <- found[!duplicated(found$what), ]
  indirect <- found$what == "log density" | grepl("^latent", found$what)
  if (any(!indirect)) found <- found[!indirect, ]
  if (!nrow(found)) return(NULL)
  plain <- intersect(found$what, subject$labels)
  parts <- strsplit(sub(" given .*$", "", found$what), ", ", fixed = TRUE)
  found <- found[found$what %in% plain | !vapply(parts, function(of) any(of %in% plain), NA), ]
  reasons <- vapply(seq_len(nrow(found)), function(i) uniformity_reason(found[i, ], subject), "")
  names(reasons) <- found$what
  if (length(reasons) <= 6) return(reasons)
  c(reasons[1:5], more = paste(length(reasons) - 5, "more are in the field uniformity, with p below the level."))
}

aspect_order <- function(aspect) {
  ifelse(startsWith(aspect, "dependence"), 8, match(aspect, c("location", "spread", paste("shape", 3:6), "whole")))
}

uniformity_reason <- function(one, subject) {
  up <- one$effect > 0
  if (one$what == "log density") {
    return(switch(one$aspect,
      location = if (up) {
        own <- "is too wide, or follows its own rows too closely: rows that it never saw tell which."
        wide <- "is too wide. More steps, or more flexible layers."
        paste("The rows have higher densities than draws have: the fit", if (subject$used == "training") own else wide)
      } else {
        paste("The rows have lower densities than draws have: the fit is too sure of itself, or these are other data.",
          "Fewer parameters, more rows, or noise = in the fit."
        )
      },
      "Densities of the rows are not spread as those of draws are. More steps, or other layers; see plot()."
    ))
  }
  what <- if (grepl("^latent", one$what)) paste(one$what, "on the base side") else one$what
  given <- grepl(" given ", what) && !is.null(subject$conditions)
  said <- if (grepl("^dependence", one$aspect)) {
    "the dependence of these two is not that of the draws"
  } else if (given) {
    paste("the error of the", one$aspect, "depends on this condition")
  } else {
    switch(one$aspect,
      location = paste("the rows lie", if (up) "higher" else "lower", "than the draws"),
      spread = paste("the rows are spread", if (up) "more" else "less", "widely than the draws"),
      "the rows have another shape than the draws, as further modes or skewness that the fit has not"
    )
  }
  cure <- if (one$aspect == "location" && abs(one$effect) > 1.2) {
    "Look whether data and fit have the same units."
  } else if (given) {
    "Wider nets or more steps; or add what the condition lacks (interactions, transformations) to the formula."
  } else {
    "More steps, more flexible layers or a support for the column; plot() shows where."
  }
  paste0(what, ": ", said, ". ", cure)
}

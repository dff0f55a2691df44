# Energy distance between rows and draws. For clouds x and y of n points each
#
#   E = 2 mean |x - y| - mean |x - x'| - mean |y - y'|
#
# is 0 where they are one distribution, and sqrt(E) is a distance. Points are normal scores of places among draws, made
# white by the correlations of draws: no column's units or tails count for more than another's. Given conditions, points
# are these and the scores of the conditions, and row and draw of one condition change places with each other.

CHECK_CLOUD <- 300
CHECK_PERMUTATIONS <- 999

# The smallest p that permutations can give is to be a quarter of the level, as far as they do not take too long.
MOST_PERMUTATIONS <- 19999

energy_permutations <- function(level) {
  min(MOST_PERMUTATIONS, max(CHECK_PERMUTATIONS, ceiling(4 / (level * CHECK_SHARES[["energy"]])) - 1))
}

energy_note <- function(level) {
  least <- 1 / (1 + energy_permutations(level)) / CHECK_SHARES[["energy"]]
  if (least >= level) "At so low a level the clouds of rows and draws do not speak: permutations tell too little."
}

energy_distance <- function(places, subject, tolerance, level) {
  d <- length(subject$labels)
  n <- min(nrow(places$ranks), CHECK_CLOUD)
  i <- sort(sample.int(nrow(places$ranks), n))
  rows <- cloud_scores(places$ranks[i, seq_len(d), drop = FALSE])
  draws <- cloud_scores(places$fresh[i, seq_len(d), drop = FALSE])
  root <- white_root(cloud_scores(places$fresh[, seq_len(d), drop = FALSE]))
  points <- rbind(rows, draws) %*% root
  given <- subject$given
  if (!is.null(given)) {
    scores <- apply(given[i, , drop = FALSE], 2, function(x) stats::qnorm((rank(x) - 0.5) / n))
    scores <- utils::head(t(matrix(scores, n)), CHECK_CONDITIONS)
    points <- cbind(points, rbind(t(scores), t(scores)))
  }
  distance <- as.matrix(stats::dist(points))
  energy <- function(signs) sqrt(pmax(0, -colSums(signs * (distance %*% signs)) / n^2))
  own <- energy(matrix(rep(c(1, -1), each = n)))
  # what the estimate and the reference add to the distance, and what is forgiven: that of a shift in one column
  ratio <- sqrt((2 / n) / (2 / n + 1 / subject$train + places$precision[1]))
  forgiven <- sqrt(0.56 * tolerance^2 / sqrt(ncol(points)))
  found <- max(0, own - forgiven) * ratio
  # where the first permutations tell that the clouds are alike, the others are spared
  exceed <- made <- 0
  few <- CHECK_PERMUTATIONS %/% 10
  batches <- diff(c(0, few, seq(CHECK_PERMUTATIONS, energy_permutations(level), CHECK_PERMUTATIONS)))
  left <- energy_permutations(level) - sum(batches)
  for (some in c(batches, if (left > 0) left)) {
    exceed <- exceed + sum(energy(permuted_signs(n, some, paired = !is.null(given))) >= found)
    made <- made + some
    if (exceed >= 10) break
  }
  list(distance = own, p = min(1, (1 + exceed) / (1 + made) / CHECK_SHARES[["energy"]]), rows = n)
}

# Gaps are a column of their own.
cloud_scores <- function(u) {
  u <- unname(u)
  gaps <- is.na(u)
  z <- stats::qnorm(pmin(pmax(u, 1e-6), 1 - 1e-6))
  z[gaps] <- 0
  cbind(z, (2 * gaps)[, colSums(gaps) > 0, drop = FALSE])
}

# The inverse root of the covariance, of which directions of less than a thousandth are left as they are.
white_root <- function(z) {
  if (ncol(z) == 1) return(matrix(1))
  parts <- eigen(stats::cov(z), symmetric = TRUE)
  parts$vectors %*% (t(parts$vectors) / sqrt(pmax(parts$values, 1e-3)))
}

permuted_signs <- function(n, times, paired) {
  if (paired) {
    flip <- matrix(base::sample(c(1, -1), n * times, replace = TRUE), n)
    return(rbind(flip, -flip))
  }
  vapply(seq_len(times), function(b) base::sample(rep(c(1, -1), n)), numeric(2 * n))
}

energy_reasons <- function(energy, level) {
  if (energy$p >= level) return(NULL)
  paste0(
    "The cloud of rows is not that of draws (energy distance ", format(signif(energy$distance, 2)), "). ",
    "More steps or more flexible layers; plot(fit, \"samples\", data = ) shows both."
  )
}

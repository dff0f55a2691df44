# Weights of the members of a stack, by what they say of rows that they have not seen. With p_m(i) the density of
# row i under member m, fitted without the fold that the row is in, the weights are the mode of
#
#   sum_i log sum_m w_m p_m(i) + a / M sum_m log w_m
#
# found by EM: Smyth and Wolpert (1998), Linearly combining density estimators via stacking. The prior, as of `a` rows,
# keeps members with long tails in.

STACK_PRIOR_ROWS <- 2
STACK_EM_STEPS <- 2000

# log(exp(a) + exp(b))
log_add <- function(a, b) {
  most <- pmax(a, b)
  ifelse(most == -Inf, -Inf, most + log1p(exp(pmin(a, b) - most)))
}

# Mean log density of some rows, by their weights. What is no number, or no density at all, counts as a very small one.
held_out_value <- function(log_density, rows, weights) {
  w <- if (is.null(weights)) rep(1, length(log_density)) else weights
  value <- log_density[rows]
  value[is.nan(value) | value < -1e10] <- -1e10
  sum(w[rows] * value) / sum(w[rows])
}

best_size <- function(held_out, rows, weights) which.max(apply(held_out, 2, held_out_value, rows, weights))

# Of vectors, each with values for some rows: log means of exponentials over those that have one.
averaged_rows <- function(values) {
  values <- do.call(cbind, values)
  count <- rowSums(!is.na(values))
  values[is.na(values)] <- -Inf
  total <- Reduce(log_add, lapply(seq_len(ncol(values)), function(j) values[, j]))
  ifelse(count > 0, total - log(count), NA_real_)
}

# One column a kind, of the size that is best for `rows`.
chosen_densities <- function(members, rows, weights) {
  do.call(cbind, lapply(members, function(member) member$held_out[, best_size(member$held_out, rows, weights)]))
}

stack_weights <- function(log_density, w = NULL) {
  k <- ncol(log_density)
  w <- if (is.null(w)) rep(1, nrow(log_density)) else w / mean(w)
  most <- do.call(pmax, lapply(seq_len(k), function(j) log_density[, j]))
  density <- exp(log_density - ifelse(is.finite(most), most, 0))
  weight <- rep(1 / k, k)
  for (step in seq_len(STACK_EM_STEPS)) {
    share <- density * rep(weight, each = nrow(density))
    total <- rowSums(share)
    share <- share / ifelse(total > 0, total, 1)
    new <- (colSums(w * share) + STACK_PRIOR_ROWS / k) / (sum(w[total > 0]) + STACK_PRIOR_ROWS)
    done <- max(abs(new - weight)) < 1e-7
    weight <- new
    if (done) break
  }
  weight / sum(weight)
}

# The log density of every row that was held out, by weights and sizes that were found without its fold; of one split
# without its half.
honest_densities <- function(members, folds, weights) {
  of <- folds$of
  if (folds$count == 1) {
    at <- which(of > 0)
    of[at] <- 1L + seq_along(at) %% 2L
  }
  out <- rep(NA_real_, length(of))
  for (fold in unique(of[of > 0])) {
    others <- of > 0 & of != fold
    densities <- chosen_densities(members, others, weights)
    weight <- stack_weights(densities[others, , drop = FALSE], weights[others])
    at <- of == fold
    out[at] <- weighted_density(densities[at, , drop = FALSE], weight)
  }
  out
}

weighted_density <- function(log_density, weight) {
  Reduce(log_add, lapply(seq_along(weight), function(j) log_density[, j] + log(weight[j])))
}

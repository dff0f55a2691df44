# Weights of the members of a stack, by what they say of rows that they have not seen. With p_m(i) the density of
# row i under member m, fitted without the fold that the row is in, the weights are the mode of
#
#   sum_i log sum_m w_m p_m(i) + a / M sum_m log w_m
#
# found by EM: Smyth and Wolpert (1998), Linearly combining density estimators via stacking. The prior, as of `a` rows,
# keeps members with long tails in.
#
# Of few rows luck makes weights: a mixture that happens to suit thirty normal rows would be believed. So there are
# two priors, one with further rows for the kinds of least freedom, and the weights of these modes are averaged, each
# counting as the likelihood of rows that are left out of its weights in turn.
#
# A support that was found, not told, may be wrong, but held-out rows cannot say so: it was found in them too. What is
# beyond it counts as a small part of one row, so that no row is impossible and draws stay inside all the same.

STACK_PRIOR_ROWS <- 2
STACK_EM_STEPS <- 2000
PRIOR_STRENGTHS <- c(0, 10) # further rows, shared by
LEAST_FREE <- c(
  "normal", "shrunk", "student_t", "shrunk_t", "weibull", "lognormal", "loglogistic", "negative_binomial"
)
LUCKY_ROWS <- 500 # of so many rows luck makes nothing
BEYOND_ROWS <- 1e-4

# log(exp(a) + exp(b))
log_add <- function(a, b) {
  most <- pmax(a, b)
  sum <- most + log1p(exp(pmin(a, b) - most))
  sum[most == -Inf] <- -Inf
  sum
}

# Mean log density by weights. What is no number, or no density at all, counts as a very small one.
held_out_value <- function(log_density, w = NULL) {
  log_density[is.nan(log_density) | log_density < -1e10] <- -1e10
  if (is.null(w)) mean(log_density) else sum(w * log_density) / sum(w)
}

best_size <- function(held_out, w) which.max(apply(held_out, 2, held_out_value, w))

# Of vectors, each with values for some rows: log means of exponentials over those that have one.
averaged_rows <- function(values) {
  values <- do.call(cbind, values)
  count <- rowSums(!is.na(values))
  values[is.na(values)] <- -Inf
  total <- Reduce(log_add, lapply(seq_len(ncol(values)), function(j) values[, j]))
  ifelse(count > 0, total - log(count), NA_real_)
}

# One column a kind, of the size that is best for the rows.
chosen_densities <- function(members, w) {
  do.call(cbind, lapply(members, function(member) member$held_out[, best_size(member$held_out, w)]))
}

# Groups of rows, each of which is left out in turn where weights are judged: the folds, or halves of one split.
left_out_together <- function(part) {
  if (any(part != part[1])) part else seq_along(part) %% 2L
}

# Of `log_density`, one named column a kind, of rows that were held out as a `part`.
stack_weights <- function(log_density, part, w = NULL) {
  rows <- effective_rows(nrow(log_density), w)
  beyond <- colnames(log_density) == "beyond"
  if (any(beyond) && !all(beyond)) {
    share <- BEYOND_ROWS / max(1, rows)
    others <- (1 - share) * stack_weights(log_density[, !beyond, drop = FALSE], part, w)
    return(c(others, beyond = share)[colnames(log_density)])
  }
  w <- if (is.null(w)) rep(1, nrow(log_density)) else w * rows / sum(w)
  least_free <- colnames(log_density) %in% LEAST_FREE
  further <- least_free / max(1, sum(least_free))
  mode <- function(rows, strength) {
    mixture_mode(log_density[rows, , drop = FALSE], w[rows], STACK_PRIOR_ROWS / ncol(log_density) + strength * further)
  }
  strengths <- if (rows < LUCKY_ROWS && any(least_free)) PRIOR_STRENGTHS else 0
  modes <- vapply(strengths, function(strength) mode(rep(TRUE, length(w)), strength), numeric(ncol(log_density)))
  modes <- matrix(modes, ncol(log_density))
  if (length(strengths) == 1) return(stats::setNames(modes[, 1], colnames(log_density)))
  group <- left_out_together(part)
  value <- vapply(strengths, function(strength) {
    sum(vapply(unique(group), function(left_out) {
      at <- group == left_out
      sum(w[at] * pmax(weighted_density(log_density[at, , drop = FALSE], mode(!at, strength)), -1e10))
    }, 0))
  }, 0)
  share <- exp(value - max(value))
  stats::setNames(drop(modes %*% (share / sum(share))), colnames(log_density))
}

# Kinds that hold a weight by the prior alone, and are far below the best: a normal with a prior where columns nearly
# depend on each other, a t distribution of fewer rows than columns. Their draws would be all that is seen of them.
# One of `kept`, with long tails, stays.
HOPELESS_ROWS <- 0.05
HOPELESS_NATS <- 3

hopeless_kinds <- function(log_density, weight, w = NULL, kept = character()) {
  together <- weighted_density(log_density, weight)
  spoken <- exp(log_density + rep(log(weight), each = nrow(log_density)) - together)
  rows <- colSums(spoken * if (is.null(w)) 1 else w * effective_rows(0, w) / sum(w), na.rm = TRUE)
  value <- apply(log_density, 2, held_out_value, w)
  beyond <- colnames(log_density) == "beyond"
  out <- rows < HOPELESS_ROWS & value < max(value) - HOPELESS_NATS & !beyond
  long <- colnames(log_density) %in% kept & !beyond
  if (any(long) && all(out[long])) out[long][which.max(value[long])] <- FALSE
  colnames(log_density)[out]
}

# Weights v that make sum_i w_i log sum_m v_m p_m(i) + sum_m prior_m log v_m largest: by EM, whose steps are
# extrapolated where that leads upwards (Varadhan and Roland 2008, Scandinavian Journal of Statistics 35, 335-353,
# doi:10.1111/j.1467-9469.2007.00585.x). Where the prior is 0 a weight may end at 0, which no extrapolation passes.
mixture_mode <- function(log_density, w, prior) {
  most <- do.call(pmax, lapply(seq_len(ncol(log_density)), function(j) log_density[, j]))
  density <- exp(log_density - ifelse(is.finite(most), most, 0))
  possible <- rowSums(density) > 0
  density <- density[possible, , drop = FALSE]
  w <- w[possible]
  total <- sum(w) + sum(prior)
  step <- function(weight) {
    mixed <- drop(density %*% weight)
    list(
      weight = (weight * drop(crossprod(density, w / mixed)) + prior) / total,
      value = sum(w * log(mixed)) + sum(prior[prior > 0] * log(weight[prior > 0]))
    )
  }
  weight <- rep(1 / ncol(log_density), ncol(log_density))
  at <- step(weight)
  for (round in seq_len(STACK_EM_STEPS)) {
    first <- at$weight - weight
    if (max(abs(first)) < 1e-9) break
    second <- step(at$weight)
    bend <- second$weight - at$weight - first
    far <- sqrt(sum(first^2) / max(sum(bend^2), 1e-300))
    new <- weight + 2 * far * first + far^2 * bend
    ahead <- if (far > 1 && all(new > 0)) step(new / sum(new))
    if (!is.null(ahead) && ahead$value >= second$value) {
      weight <- new / sum(new)
      at <- ahead
    } else {
      weight <- second$weight
      at <- step(weight)
    }
  }
  at$weight / sum(at$weight)
}

# The log density of every row that was held out, by weights and sizes that were found without its group.
honest_densities <- function(members, part, w) {
  group <- left_out_together(part)
  out <- numeric(length(part))
  for (left_out in unique(group)) {
    at <- group == left_out
    sizes <- vapply(members, function(member) best_size(member$held_out[!at, , drop = FALSE], w[!at]), 0L)
    densities <- do.call(cbind, Map(function(member, size) member$held_out[, size], members, sizes))
    weight <- stack_weights(densities[!at, , drop = FALSE], part[!at], w[!at])
    out[at] <- weighted_density(densities[at, , drop = FALSE], weight)
  }
  out
}

weighted_density <- function(log_density, weight) {
  most <- do.call(pmax, lapply(seq_along(weight), function(j) log_density[, j]))
  most <- ifelse(is.finite(most), most, 0)
  most + log(drop(exp(log_density - most) %*% weight))
}

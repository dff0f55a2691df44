# Where the mass of a log density is, if its mode does not tell: a hierarchical model is densest where a scale is 0 and
# all that it scales is equal, and what climbs ends there, far from nearly all draws. Short chains of Hamiltonian Monte
# Carlo (Neal 2011, "MCMC using Hamiltonian dynamics", arXiv:1206.1901) go where the volume is. They need not converge:
# a normal distribution where one of them has come to is where the start goes on from (normal-start.R), if its ELBO is
# larger.
#
#   y = y0 + L u, p ~ N(0, I): p += e g / 2, u += e p, p += e g / 2, a few times, g the gradient by u; accepted with
#   probability min(1, exp(change of log p(y) - |p|^2 / 2))
#
# Chains are rows of one matrix, so that a target is called once for all. They share L, the root of the curvature where
# the middle one of them is, by its density, found anew every few moves, since what is far and narrow for one scale is
# near and wide for another; and the length e of a step, which follows their mean acceptance.

CHAIN_COUNT <- 8
CHAIN_ROUNDS <- 12
CHAIN_MOVES <- 16 # a round
CHAIN_STEPS <- 10 # at most, a move
CHAIN_ACCEPT <- 0.8
CHAIN_LAST <- 4 # rounds whose points count

# Candidates list(loc, root), two for each chain from near a point: where it was in its last rounds, with the curvature
# there, and with the spread of chains; NULL where they cannot move.
chain_places <- function(target, start) {
  d <- length(start)
  root <- curvature_at(target, start, diag(d))$root %||% diag(d)
  apart <- 0.1 * matrix(stats::rnorm(CHAIN_COUNT * d), CHAIN_COUNT)
  at <- chain_points(target, normal_points(start, root, apart))
  alive <- which(at$value > -Inf)
  if (!length(alive)) return(NULL)
  # where the density is 0 nothing says where to go
  at <- at_rows(at, rep_len(alive, CHAIN_COUNT))
  e <- 0.1
  points <- array(0, c(CHAIN_COUNT, d, CHAIN_ROUNDS * CHAIN_MOVES))
  n <- 0
  for (round in seq_len(CHAIN_ROUNDS)) {
    for (move in seq_len(CHAIN_MOVES)) {
      moved <- chain_move(target, at, root, e, sample.int(CHAIN_STEPS, 1))
      at <- moved$at
      e <- min(max(e * exp((moved$accepted - CHAIN_ACCEPT) / sqrt(move)), 1e-6), 1)
      n <- n + 1
      points[, , n] <- at$y
    }
    middle <- order(at$value)[CHAIN_COUNT / 2]
    root <- curvature_at(target, at$y[middle, ], root)$root %||% root
  }
  last <- points[, , seq(n - CHAIN_LAST * CHAIN_MOVES + 1, n), drop = FALSE]
  spread <- apply(apply(last, 1:2, stats::sd), 2, stats::median)
  places <- lapply(seq_len(CHAIN_COUNT), function(i) {
    loc <- rowMeans(matrix(last[i, , ], d))
    roots <- list(curvature_at(target, loc, root)$root, if (all(spread > 0)) diag(spread, d))
    lapply(roots[!vapply(roots, is.null, NA)], function(root) list(loc = loc, root = root))
  })
  unlist(places, recursive = FALSE)
}

chain_points <- function(target, y) {
  out <- target(y)
  out$value[!is.finite(out$value) | !is.finite(rowSums(out$gradient))] <- -Inf
  list(y = y, value = out$value, gradient = out$gradient)
}

at_rows <- function(at, i) {
  list(y = at$y[i, , drop = FALSE], value = at$value[i], gradient = at$gradient[i, , drop = FALSE])
}

# One move of all chains: list(at, accepted), the mean acceptance. A way whose energy is that far off is not gone on
# with: a target need not be made for where it leads.
CHAIN_LOST <- 1000

chain_move <- function(target, at, root, e, steps) {
  n <- nrow(at$y)
  p <- matrix(stats::rnorm(length(at$y)), n)
  energy <- function(at, p) at$value - rowSums(p^2) / 2
  before <- energy(at, p)
  to <- at
  lost <- rep(FALSE, n)
  for (step in seq_len(steps)) {
    p <- p + e / 2 * to$gradient %*% root
    y <- to$y + e * p %*% t(root)
    lost <- lost | !(rowSums(abs(y)) < POINT_FAR)
    y[lost, ] <- at$y[lost, ]
    to <- chain_points(target, y)
    p <- p + e / 2 * to$gradient %*% root
    lost <- lost | !(energy(to, p) > before - CHAIN_LOST)
    lost[is.na(lost)] <- TRUE
  }
  chance <- ifelse(lost, 0, pmin(1, exp(energy(to, p) - before)))
  taken <- stats::runif(n) < chance
  at$y[taken, ] <- to$y[taken, ]
  at$gradient[taken, ] <- to$gradient[taken, ]
  at$value[taken] <- to$value[taken]
  list(at = at, accepted = mean(chance))
}

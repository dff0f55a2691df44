# Where a fit to a log density starts: a normal distribution N(m, L L') on the line, L lower triangular. With
# g the gradient of log p and, for draws z of a standard normal, y = m + L z:
#
#   mode and curvature   BFGS to the mode, in coordinates that are whitened anew by the curvature where it has come to;
#                        of all places on the way the normal distribution of largest ELBO counts (Zhang, Carpenter,
#                        Gelman, Vehtari 2022): the mode itself may be far from the mass. Where no way ends in a
#                        mode that is as good, chains look for the mass (chain-start.R)
#   the best normal      at the maximum of the ELBO  E g = 0  and  E -grad g = (L L')^-1  (Opper, Archambeau 2009). In
#                        whitened coordinates, with r = L' g + z and Stein's lemma,
#                        b = E r,  A = I - E z r',  m <- m + L A^-1 b,  L L' <- L A^-1 L'
#                        r is 0 for a normal target, so that a step has no noise there
#
# Zhang, Carpenter, Gelman, Vehtari (2022), Pathfinder: parallel quasi-Newton variational inference, Journal of Machine
# Learning Research 23(306). Opper, Archambeau (2009), The variational Gaussian approximation revisited, Neural
# Computation 21(3), 786-792, doi:10.1162/neco.2008.08-07-592.

# list(loc, root, elbo), `elbo` by draws of its own; NULL where no normal distribution has a finite ELBO. `target(y)`
# gives list(value, gradient) of rows on the line, without a gradient if `gradient = FALSE`.
normal_start <- function(target, d) {
  z <- antithetic_draws(START_DRAWS, d)
  best <- list(loc = numeric(d), root = diag(d), elbo = normal_elbo(target, numeric(d), diag(d), z))
  starts <- start_points(target, d)
  paths <- lapply(starts, function(start) path_to_mode(target, start, z))
  for (path in paths) best <- better_normal(best, path$best)
  # where nothing has a finite ELBO chains would wander off to where an improper density has one
  if (best$elbo > -Inf && !any(vapply(paths, `[[`, 0, "mode") > best$elbo - NORMAL_WORSE)) {
    # an error of the target that far from the ways up is no error of the fit
    places <- lapply(starts, function(start) tryCatch(chain_places(target, start), error = function(e) NULL))
    for (at in unlist(places, recursive = FALSE)) {
      at$elbo <- normal_elbo(target, at$loc, at$root, z)
      best <- better_normal(best, at)
    }
  }
  if (best$elbo == -Inf) return(NULL)
  best_normal(target, best)
}

START_DRAWS <- 200
START_TRIES <- 64 # draws of the standard normal among which paths start
START_PATHS <- 2

better_normal <- function(a, b) if (b$elbo > a$elbo) b else a

# n draws of which the second half is the first mirrored.
antithetic_draws <- function(n, d) {
  half <- matrix(stats::rnorm(ceiling(n / 2) * d), ncol = d)
  rbind(half, -half)
}

# Up to a constant of d.
normal_elbo <- function(target, loc, root, z) {
  value <- target(normal_points(loc, root, z), gradient = FALSE)$value
  value[is.na(value) | value == Inf] <- -Inf
  mean(value) + sum(log(diag(root)))
}

# The origin, and of a few draws the best.
start_points <- function(target, d) {
  tried <- rbind(0, matrix(stats::rnorm(START_TRIES * d), ncol = d))
  value <- target(tried, gradient = FALSE)$value
  good <- which(is.finite(value))
  order <- good[order(-value[good])]
  chosen <- unique(c(if (1 %in% good) 1, utils::head(order, START_PATHS)))
  lapply(utils::head(chosen, START_PATHS), function(i) tried[i, ])
}

PATH_ROUNDS <- 30
PATH_STEPS <- 20 # of BFGS a round
NORMAL_WORSE <- 2 # nats by which a mode may be worse than the best normal distribution on the way to it

# On the way from a point to the mode that is found from there: list(best, mode), the best normal distribution, and the
# ELBO of that at the mode (-Inf where it was not reached). Coordinates are those of `root` at first.
path_to_mode <- function(target, start, z, root = diag(length(start))) {
  at <- list(loc = start, root = root, elbo = -Inf)
  best <- at
  worse <- 0
  mode <- -Inf
  for (round in seq_len(PATH_ROUNDS)) {
    loc <- climb(target, at$loc, at$root, PATH_STEPS)$loc
    if (is.null(loc) || max(abs(loc)) > POINT_FAR) break
    curvature <- curvature_at(target, loc, at$root)
    if (is.null(curvature)) break
    at <- list(loc = loc, root = curvature$root, elbo = normal_elbo(target, loc, curvature$root, z))
    worse <- if (at$elbo > best$elbo + 0.01) 0 else worse + 1
    best <- better_normal(best, at)
    level <- isTRUE(max(abs(target(matrix(loc, 1))$gradient %*% at$root)) < 1e-3)
    mode <- if (level && curvature$down) at$elbo else -Inf
    if (level && round > 1 || worse >= 4) break
  }
  list(best = best, mode = mode)
}

# list(loc, converged) after some steps of BFGS up from a point, in coordinates of `root`; NULL where they lead
# nowhere. The first step is as long as the gradient, or `near`, of length 1: a longer one may leave a mode behind.
climb <- function(target, loc, root, steps, near = FALSE) {
  at <- function(u) matrix(loc + drop(root %*% u), 1)
  slope <- function(u) -drop(target(at(u), TRUE)$gradient %*% root)
  found <- try({
    begin <- numeric(length(loc))
    control <- list(maxit = steps, fnscale = if (near) max(1, sqrt(sum(slope(begin)^2))) else 1)
    stats::optim(begin, function(u) -target(at(u), FALSE)$value, slope, method = "BFGS", control = control)
  }, silent = TRUE)
  if (inherits(found, "try-error") || !all(is.finite(at(found$par)))) return(NULL)
  list(loc = drop(at(found$par)), converged = found$convergence == 0)
}

NORMAL_STEPS <- 40
NORMAL_PATIENCE <- 4

# The normal distribution of largest ELBO near one, by the steps above; at no time worse than it was.
best_normal <- function(target, start) {
  d <- length(start$loc)
  n <- max(2 * START_DRAWS, 8 * d)
  check <- antithetic_draws(2 * n, d)
  start$elbo <- normal_elbo(target, start$loc, start$root, check)
  best <- at <- start
  reach <- 1 # how far a step goes
  stale <- 0
  for (step in seq_len(NORMAL_STEPS)) {
    z <- antithetic_draws(n, d)
    slope <- target(normal_points(at$loc, at$root, z))$gradient %*% at$root
    good <- is.finite(rowSums(slope))
    if (mean(good) < 0.5) break
    moved <- normal_step(at, z[good, , drop = FALSE], slope[good, , drop = FALSE], reach)
    moved$elbo <- normal_elbo(target, moved$loc, moved$root, check)
    if (moved$elbo < at$elbo - 0.1 || is.nan(moved$elbo)) {
      reach <- reach / 2
      stale <- stale + 1
    } else {
      stale <- if (moved$elbo > best$elbo + 1e-3) 0 else stale + 1
      at <- moved
    }
    best <- better_normal(best, moved)
    if (stale >= NORMAL_PATIENCE) break
  }
  best
}

normal_step <- function(at, z, slope, reach) {
  d <- ncol(z)
  rest <- slope + z
  precision <- diag(d) - crossprod(z, rest) / nrow(z)
  parts <- eigen((precision + t(precision)) / 2, symmetric = TRUE)
  size <- pmin(pmax(parts$values, 1 / 4), 4)^reach
  shift <- drop(parts$vectors %*% (crossprod(parts$vectors, colMeans(rest)) / size)) * reach
  far <- sqrt(sum(shift^2))
  if (far > 2 * sqrt(d)) shift <- shift * 2 * sqrt(d) / far
  list(
    loc = at$loc + drop(at$root %*% shift),
    root = lower_root(at$root %*% parts$vectors %*% diag(1 / sqrt(size), d))
  )
}

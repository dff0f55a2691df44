# Several modes of a log density. Everything is in the coordinates z of the base of a flow, which is a mixture of normal
# distributions N(loc_c, root_c root_c') with weights w_c, or one: there the target has the density
# p(forward(z)) |det dx/dz|. A mode that no component is near becomes a component, by the normal distribution of its
# curvature. Weights of components are those of their shares of the target, by importance weights v = p / q of draws
# of the flow itself (maximum likelihood, a step of expectation and maximization):
#
#   w_c <- sum v r_c / sum v,   r_c(z) = w_c N_c(z) / q(z)

# list(weight, loc, root), loc k x d, root d x d x k; NULL for a base that is no such mixture.
base_components <- function(flow) {
  d <- flow$d
  if (identical(flow$base, base_normal())) {
    return(list(weight = 1, loc = matrix(0, 1, d), root = array(diag(d), c(d, d, 1))))
  }
  if (flow$base$kind != "gaussian_mixture") return(NULL)
  raw <- base_params(flow)
  root <- apply(raw$cholesky, 3, function(l) {
    scale <- softplus(diag(as.matrix(l)))
    l[upper.tri(l, diag = TRUE)] <- 0
    l + diag(scale, d)
  })
  list(weight = exp_shares(raw$weight), loc = raw$mean, root = array(root, dim(raw$cholesky)))
}

# log w_c + log N(z; loc_c, (spread root_c) (spread root_c)'), a column each. `along_axes`: only one coordinate of
# root_c^-1 (z - loc_c) is that wide, each with the same probability.
log_components <- function(z, parts, spread = 1, along_axes = FALSE) {
  d <- ncol(z)
  columns <- lapply(seq_along(parts$weight), function(c) {
    root <- matrix(parts$root[, , c], d)
    u <- forwardsolve(root, t(z) - parts$loc[c, ])
    size <- -sum(log(diag(root))) - d * log(2 * pi) / 2 + log(parts$weight[c])
    if (!along_axes) return(size - colSums(u^2) / (2 * spread^2) - d * log(spread))
    size - colSums(u^2) / 2 + log_sum_rows(t(u)^2 * (1 - 1 / spread^2) / 2) - log(spread) - log(d)
  })
  matrix(unlist(columns), nrow(z))
}

# A component for each row, at random by its shares.
chosen_components <- function(log_parts) {
  shares <- exp(normalize_logits(log_parts))
  u <- stats::runif(nrow(shares))
  below <- rep(0, nrow(shares))
  chosen <- rep(1L, nrow(shares))
  for (c in seq_len(ncol(shares) - 1)) {
    below <- below + shares[, c]
    chosen <- chosen + (u > below)
  }
  chosen
}

# Rows of u, which are of a standard normal distribution, as points of the component `of` each.
component_points <- function(parts, of, u) {
  for (c in unique(of)) {
    i <- which(of == c)
    u[i, ] <- normal_points(parts$loc[c, ], matrix(parts$root[, , c], ncol(u)), u[i, , drop = FALSE])
  }
  u
}

# ---- looking for modes -----------------------------------------------------------------------------------------------

# Directions at random, and up and down axes; along each of them points are tried, and climbs begin at the best of both
# kinds at each radius.
MODE_DIRECTIONS <- c(random = 100, axes = 60)
CLIMB_STEPS <- 12 # of BFGS, after which it is seen whether the climb has come to a component
CLIMB_STAGES <- 5
# How much further out than draws are.
MODE_RADII <- c(3, 6, 12, 25, 50, 100, 200, 400)
MODE_LEAST <- 0.01 # of the target beside what the flow draws

# Modes that no draw comes near, by climbing from points further out: a list of list(loc, root, share), the best normal
# distribution on the way to each, and its `share` of the target beside what the flow draws, by its ELBO.
other_modes <- function(flow, target, log_z) {
  d <- flow$d
  parts <- base_components(flow)
  if (is.null(parts) || !is.finite(log_z)) return(list())
  through <- target_through(flow, target)
  starts <- mode_starts(through, parts, d)
  z <- antithetic_draws(START_DRAWS, d)
  found <- list()
  known <- function(loc) is_near_one(loc, parts) || length(found) && is_near_one(loc, as_components(found, d))
  for (i in seq_len(nrow(starts$z))) {
    root <- matrix(parts$root[, , starts$from[i]], d)
    top <- climb_to_mode(through, starts$z[i, ], root, known)
    if (is.null(top)) next
    best <- suppressWarnings(path_to_mode(through, top, z, root))$best
    share <- exp(best$elbo + d * (log(2 * pi) + 1) / 2 - log_z)
    if (!is.finite(share) || share < MODE_LEAST || known(best$loc)) next
    found <- c(found, list(list(loc = best$loc, root = best$root, share = share)))
  }
  found
}

# Where a climb ends, NULL where that is `known`, or where it comes so near to what is that it will end there.
climb_to_mode <- function(target, loc, root, known) {
  for (stage in seq_len(CLIMB_STAGES)) {
    # so far out a target may well warn
    top <- suppressWarnings(climb(target, loc, root, CLIMB_STEPS, near = TRUE))
    if (is.null(top) || known(top$loc)) return(NULL)
    if (top$converged) break
    loc <- top$loc
  }
  top$loc
}

# list(z, from): points further out than draws, a row each, and the component about which each is: those where the
# target is largest beside a normal distribution, as it is about another mode. Modes that mirror each other often are on
# axes.
mode_starts <- function(target, parts, d) {
  random <- matrix(stats::rnorm(MODE_DIRECTIONS[["random"]] * d), ncol = d)
  axes <- rbind(diag(d), -diag(d))
  axes <- axes[sample.int(2 * d, min(2 * d, MODE_DIRECTIONS[["axes"]])), , drop = FALSE]
  directions <- rbind(random / sqrt(rowSums(random^2)), axes)
  of <- expand.grid(direction = seq_len(nrow(directions)), radius = seq_along(MODE_RADII))
  u <- directions[of$direction, , drop = FALSE] * (sqrt(d) + MODE_RADII[of$radius])
  from <- rep_len(seq_along(parts$weight), nrow(u))
  z <- component_points(parts, from, u)
  # so far out a target may well warn
  value <- suppressWarnings(target(z, FALSE)$value)
  beside <- ifelse(is.finite(value), value + rowSums(u^2) / 2, -Inf)
  kind <- interaction(of$radius, of$direction > nrow(random))
  best <- vapply(split(seq_along(beside), kind), function(i) i[which.max(beside[i])], 0L)
  best <- best[beside[best] > -Inf]
  list(z = z[best, , drop = FALSE], from = from[best])
}

# Whether a point is where a component may well draw.
is_near_one <- function(z, parts) {
  d <- length(z)
  any(vapply(seq_along(parts$weight), function(c) {
    sum(forwardsolve(matrix(parts$root[, , c], d), z - parts$loc[c, ])^2) < (sqrt(d) + 4)^2
  }, NA))
}

as_components <- function(modes, d) {
  list(
    weight = vapply(modes, `[[`, 0, "share"), loc = matrix(unlist(lapply(modes, `[[`, "loc")), ncol = d, byrow = TRUE),
    root = array(unlist(lapply(modes, `[[`, "root")), c(d, d, length(modes)))
  )
}

# ---- flows with a component for each ---------------------------------------------------------------------------------

# The flow with further components, by their shares of the target.
with_modes <- function(flow, modes, target) {
  parts <- base_components(flow)
  more <- as_components(modes, flow$d)
  wider <- on_components(flow, list(
    weight = c(parts$weight, more$weight), loc = rbind(parts$loc, more$loc),
    root = array(c(parts$root, more$root), c(flow$d, flow$d, length(parts$weight) + length(modes)))
  ))
  reweighed_modes(wider, target)
}

# The same layers behind a mixture of these components.
on_components <- function(flow, parts) {
  kept <- utils::tail(flow$params, length(flow$params) - length(unlist(base_params(flow))))
  # initial parameters, which draw random numbers, are not used
  out <- with_seed(1, new_flow(flow$layers, flow$d, base_gaussian_mixture(length(parts$weight)), 0L, flow$names))
  out["params"] <- list(c(raw_gaussian_mixture(parts$weight, parts$loc, parts$root), kept))
  out
}

REWEIGH_DRAWS <- 4000
REWEIGH_ROUNDS <- 3

# The flow, with the weights that the target gives its components.
reweighed_modes <- function(flow, target) {
  for (round in seq_len(REWEIGH_ROUNDS)) {
    parts <- base_components(flow)
    z <- native_draw(flow, REWEIGH_DRAWS, NULL, draw_seed())
    there <- native_map(flow, z, NULL, inverse = FALSE)
    log_v <- target(there$value, gradient = FALSE)$value - there$log_density
    log_v[is.na(log_v)] <- -Inf
    log_parts <- log_components(z, parts)
    shares <- colSums(exp_shares(log_v) * exp(normalize_logits(log_parts)))
    if (!all(is.finite(shares))) break
    parts$weight <- pmax(shares, 1e-3)
    flow <- on_components(flow, parts)
  }
  flow
}

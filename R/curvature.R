# Normal distributions by the curvature of a log density.

# Beyond it no start is looked for.
POINT_FAR <- 1e10

normal_points <- function(loc, root, z) z %*% t(root) + rep(loc, each = nrow(z))

# list(root, down) at a point: the root of the inverse of minus the Hessian, from differences of the gradient in
# coordinates of `root`, and whether the density curves downwards in all directions; those in which it curves upwards
# are given the width of their curvature downwards. NULL where there is no curvature, or next to none.
curvature_at <- function(target, loc, root, step = 1e-3) {
  d <- length(loc)
  moves <- rbind(diag(step, d), diag(-step, d))
  slope <- target(normal_points(loc, root, moves))$gradient %*% root
  hessian <- (slope[seq_len(d), , drop = FALSE] - slope[d + seq_len(d), , drop = FALSE]) / (2 * step)
  if (!all(is.finite(hessian))) return(NULL)
  parts <- eigen(-(hessian + t(hessian)) / 2, symmetric = TRUE)
  size <- pmax(abs(parts$values), 1e-12 * max(abs(parts$values)), 1e-12)
  root <- lower_root(root %*% parts$vectors %*% diag(1 / sqrt(size), d))
  if (max(abs(root)) < POINT_FAR) list(root = root, down = all(parts$values > 0))
}

# Lower triangular, with the same product with its transpose.
lower_root <- function(m) {
  r <- t(qr.R(qr(t(m), tol = 0))) # columns stay in their order
  r * rep(sign(diag(r)), each = nrow(r))
}

# Draws about points of a target that lie apart. Where a ridge bends, as that of a banana does, no draw of a flow that
# ends too early leads further along it, however wide. About each of the points that are furthest from their neighbours
# is put a normal distribution of the covariance of these neighbours, wider by a factor:
#
#   k(x) = 1 / M sum_c N(x; x_c, s^2 C_c),   m(x) = (1 - a) m_0(x) + a k(x)
#
# m_0 being the density of the draws (wide-draws.R) among which the points were found. All of this behind supports, on
# the line. Nonparametric importance sampling: West (1993), Approximating posterior distributions by mixtures, Journal
# of the Royal Statistical Society B 55(2), 409-422.

LOCAL_SHARE <- 0.2 # a
LOCAL_CENTERS <- 50 # M
LOCAL_POOL <- 1000 # points of the target among which centers are looked for
LOCAL_EFFECT <- 0.4 # s, by wide_factor()
# Neighbours, as many for each coordinate, and at least.
LOCAL_NEIGHBOURS <- c(3, 20)
# In more coordinates all points are about as far from each other, and neighbours tell nothing of the place.
LOCAL_COORDINATES <- 10

# Components about points of the target, which `shares` draw from the rows of `u`, and the `row` of each, wider than
# neighbours by `s`; NULL where there are too few.
local_components <- function(u, shares, s) {
  d <- ncol(u)
  pool <- unique(sample.int(nrow(u), LOCAL_POOL, replace = TRUE, prob = shares))
  k <- max(LOCAL_NEIGHBOURS[1] * d, LOCAL_NEIGHBOURS[2])
  if (length(pool) < 5 * k) return(NULL)
  u <- u[pool, , drop = FALSE]
  # whitened, so that a thin target is not a line
  root <- root_or_null(stats::cov(u))
  if (is.null(root)) return(NULL)
  white <- t(forwardsolve(root, t(u)))
  between <- as.matrix(stats::dist(white))
  furthest <- apply(between, 1, function(apart) sort.int(apart, partial = k + 1)[k + 1])
  centers <- utils::head(order(-furthest), LOCAL_CENTERS)
  roots <- lapply(centers, function(i) {
    near <- white[between[i, ] <= furthest[i], , drop = FALSE]
    s * root %*% root_or_null(stats::cov(near) + diag(1e-8, d))
  })
  m <- length(centers)
  list(
    weight = rep(1 / m, m), loc = u[centers, , drop = FALSE], root = array(unlist(roots), c(d, d, m)),
    row = pool[centers]
  )
}

# The lower triangular root of a covariance matrix, NULL where it has none.
root_or_null <- function(covariance) {
  tryCatch(t(chol(covariance)), error = function(e) NULL)
}

# n draws, as many of each component as its weight says.
component_draws <- function(parts, n) {
  of <- spread_rows(length(parts$weight), parts$weight, n)
  component_points(parts, of, matrix(stats::rnorm(n * ncol(parts$loc)), n))
}

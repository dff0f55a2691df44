# Distributions that are fitted in closed form or by expectation and maximisation: of n rows z of d numbers of about
# unit scale, with weights w of mean 1 (NULL: all 1). Each gives plain numbers, which members.R makes a flow of.
#
# A prior keeps every covariance away from singular ones. Fraley and Raftery (2007), J. Classification 24, 155-181,
# doi:10.1007/s00357-007-0004-5, have the one of mixtures: an inverse Wishart distribution with d + 2 degrees of freedom
# and a share of the covariance of all rows.

# Multivariate t by EM (Liu and Rubin 1995, Statistica Sinica 5, 19-39), its degrees of freedom from a grid; `prior`
# rows of the columns' variances are added to the scale: list(df, mean, root, loglik). `design`: a matrix whose columns
# the mean is linear in, then there is `slope`, and `mean` is NULL.
T_DEGREES <- c(1, 2, 3, 5, 8, 15, 40)
T_STEPS <- 100

fit_student_t <- function(z, w = NULL, prior = 0, design = NULL) {
  if (is.null(w)) w <- rep(1, nrow(z))
  x <- design %||% matrix(1, nrow(z), 1)
  d <- ncol(z)
  # the prior is of the columns as they are, and keeps their covariance away from singular ones
  apart <- if (prior == 0) triangle_of_spread(weighted_regression(x, z, w)$residual, w, ncol(x))
  if (!is.null(apart)) z <- z %*% backsolve(apart, diag(d))
  start <- weighted_regression(x, z, w)
  spread <- diag(pmax(colSums(w * start$residual^2) / sum(w), 1e-12), d)
  best <- NULL
  for (df in T_DEGREES) {
    at <- start
    scale <- crossprod(sqrt(w) * at$residual) / sum(w) + 1e-8 * spread
    old <- -Inf
    for (step in seq_len(T_STEPS)) {
      root <- t(chol(scale))
      q <- colSums(forwardsolve(root, t(at$residual))^2)
      loglik <- sum(w * log_student_t(q, root, df))
      if (loglik - old < 1e-7 * abs(loglik)) break
      old <- loglik
      u <- w * (df + d) / (df + q)
      at <- weighted_regression(x, z, u)
      scale <- (crossprod(sqrt(u) * at$residual) + prior * spread) / (sum(w) + prior) + 1e-8 * spread
    }
    if (is.null(best) || loglik > best$loglik) {
      best <- list(df = df, coefficient = at$coefficient, root = root, loglik = loglik)
    }
  }
  if (!is.null(apart)) {
    best$coefficient <- best$coefficient %*% apart
    best$root <- t(apart) %*% best$root
    best$loglik <- best$loglik - sum(w) * sum(log(diag(apart)))
  }
  if (is.null(design)) best["mean"] <- list(best$coefficient[1, ])
  best
}

# The upper triangle R, of positive diagonal, with R'R the mean square of residuals by weight: not by these squares, so
# that columns which nearly depend on each other lose no digits in it. NULL where the rows are too few for it.
triangle_of_spread <- function(residual, w, taken = 1) {
  d <- ncol(residual)
  if (nrow(residual) - taken < d) return(NULL)
  scale <- sqrt(pmax(colSums(w * residual^2) / sum(w), 1e-12))
  r <- qr.R(qr(sqrt(w / sum(w)) * residual / rep(scale, each = nrow(residual)), tol = 0))
  r <- r * ifelse(diag(r) < 0, -1, 1)
  diag(r) <- pmax(diag(r), LEAST_SPREAD)
  r * rep(scale, each = d)
}

LEAST_SPREAD <- 1e-9

# The like for fewer rows: a singular covariance, kept from being it.
ridged_triangle <- function(residual, w) {
  squares <- crossprod(sqrt(w) * residual) / sum(w)
  chol(squares + diag(1e-9 * pmax(diag(squares), 1e-3), ncol(residual)))
}

# Of squared distances q in units of the scale.
log_student_t <- function(q, root, df) {
  d <- nrow(root)
  lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - sum(log(diag(root))) - (df + d) / 2 * log1p(q / df)
}

# Least squares with weights, columns of z on columns of x; what cannot be told apart gets 0.
weighted_regression <- function(x, z, w) {
  coefficient <- qr.coef(qr(sqrt(w) * x), sqrt(w) * z)
  coefficient <- matrix(coefficient, ncol(x))
  coefficient[is.na(coefficient)] <- 0
  list(coefficient = coefficient, residual = z - x %*% coefficient)
}

# The predictive distribution of the next row where rows are normal, with a normal and inverse Wishart prior (Gelman et
# al. 2013, Bayesian Data Analysis, section 3.6): a multivariate t, list(df, mean, root). The prior is diagonal; its
# degrees of freedom and its scale are those of the largest evidence: few rows lean on the variances alone, many on
# their covariances too.
PRIOR_DEGREES <- c(1.1, 2, 4, 8, 16, 32)
PRIOR_SCALES <- 10^seq(-4, 0.5, 0.5)
PRIOR_ROWS <- 0.01 # that the prior knows of the mean

fit_predictive_normal <- function(z, w = NULL) {
  if (is.null(w)) w <- rep(1, nrow(z))
  d <- ncol(z)
  n <- effective_rows(length(w), w)
  mean <- colSums(w * z) / sum(w)
  squares <- crossprod(sqrt(w) * (z - rep(mean, each = nrow(z)))) * n / sum(w)
  variance <- if (n < 3) rep(1, d) else pmax(diag(squares) / (n - 1), 1e-12)
  best <- NULL
  for (more in PRIOR_DEGREES) {
    for (scale in PRIOR_SCALES) {
      prior <- diag(variance * scale * more, d)
      evidence <- log_evidence(d + more, prior, n, squares)
      if (is.null(best) || evidence > best$evidence) {
        best <- list(evidence = evidence, df = d + more + n, scale = prior + squares)
      }
    }
  }
  rows <- n + PRIOR_ROWS
  df <- best$df - d + 1
  list(df = df, mean = mean, root = t(chol(best$scale * (rows + 1) / (rows * df))))
}

# Up to what no prior changes.
log_evidence <- function(df, prior, n, squares) {
  d <- nrow(prior)
  gammas <- function(x) sum(lgamma(x / 2 + (1 - seq_len(d)) / 2))
  log_det <- function(a) as.numeric(determinant(a)$modulus)
  gammas(df + n) - gammas(df) + df / 2 * log_det(prior) - (df + n) / 2 * log_det(prior + squares)
}

# ---- mixtures --------------------------------------------------------------------------------------------------------

# Mixture of `components` normals by EM (src/core/em.c), list(weight, mean, roots, loglik, steps): `shape` is "full",
# "shared" (one covariance for all) or "diagonal"; the prior of each covariance has `strength` times a share of the
# covariance of all rows. Starts at groups by k-means++ (Arthur and Vassilvitskii 2007), of whitened rows and of the
# rows themselves.
EM_STEPS <- 200
EM_TOLERANCE <- 1e-6 # of the log likelihood

fit_normal_mixture <- function(z, components, shape, strength = 1, w = NULL) {
  if (is.null(w)) w <- rep(1, nrow(z))
  d <- ncol(z)
  center <- colSums(w * z) / sum(w)
  shift <- z - rep(center, each = nrow(z))
  scale <- sqrt(pmax(colSums(w * shift^2) / sum(w), 1e-12))
  whitening <- triangle_of_spread(shift, w) %||% ridged_triangle(shift, w)
  spaces <- list(white = shift %*% backsolve(whitening, diag(d)), scaled = shift / rep(scale, each = nrow(z)))
  # where the prior is a multiple of the unit matrix
  own <- if (shape == "diagonal") "scaled" else "white"
  back <- if (own == "white") whitening else diag(scale, d)
  prior <- diag(strength / components^(2 / d), d)
  best <- NULL
  for (space in spaces[if (components == 1) own else names(spaces)]) {
    groups <- seeded_groups(space, components, w)
    fit <- native_mixture_em(
      spaces[[own]], w, groups, components, shape, prior, numeric(d), EM_STEPS, EM_TOLERANCE
    )
    if (is.null(best) || fit$loglik > best$loglik) best <- fit
  }
  best$mean <- best$mean %*% back + rep(center, each = components)
  best$roots[] <- apply(best$roots, 3, function(root) t(back) %*% root)
  best$loglik <- best$loglik - sum(w) * sum(log(diag(back)))
  best
}

# For each row the nearest of k seeds, each drawn with probability proportional to weight and squared distance from
# those before it.
seeded_groups <- function(z, k, w) {
  n <- nrow(z)
  distance <- function(i) rowSums((z - rep(z[i, ], each = n))^2)
  nearest <- distance(sample.int(n, 1, prob = w))
  group <- rep(1L, n)
  for (g in seq_len(k - 1)) {
    chance <- w * nearest
    if (!any(chance > 0)) break
    new <- distance(sample.int(n, 1, prob = chance))
    closer <- new < nearest
    group[closer] <- g + 1L
    nearest[closer] <- new[closer]
  }
  group
}

# ---- kernels ---------------------------------------------------------------------------------------------------------

# Widths of a product of normal kernels, one a column, by the leave-one-out likelihood, drawn towards n^(-1 / (d + 4))
# as if by one row. Of more than KERNEL_ROWS rows so many are looked at, and their widths taken over by that rate.
KERNEL_ROWS <- 300
KERNEL_WIDTHS <- c(0.02, 8) # in units of the rate, at the ends

fit_kernel_widths <- function(z, w = NULL) {
  n <- nrow(z)
  d <- ncol(z)
  look <- if (n > KERNEL_ROWS) round(seq(1, n, length.out = KERNEL_ROWS)) else seq_len(n)
  rate <- function(n) n^(-1 / (d + 4))
  w <- if (is.null(w)) rep(1, length(look)) else w[look]
  start <- rep(log(rate(length(look))), d)
  squares <- lapply(seq_len(d), function(j) outer(z[look, j], z[look, j], "-")^2)
  same <- Reduce(`+`, squares) == 0
  loss <- function(log_width, gradient = FALSE) {
    precision <- exp(-2 * log_width)
    e <- -0.5 * Reduce(`+`, Map(`*`, squares, precision))
    e <- e + rep(log(w), each = length(w))
    e[same] <- -Inf
    most <- do.call(pmax, lapply(seq_along(w), function(i) e[, i]))
    share <- exp(e - most)
    sums <- rowSums(share)
    if (!gradient) {
      return(-sum(w * (most + log(sums))) / sum(w) + sum(log_width) + 0.5 * sum((log_width - start)^2) / length(w))
    }
    share <- w * share / sums
    vapply(seq_len(d), function(j) 1 - sum(share * squares[[j]]) * precision[j] / sum(w), 0) +
      (log_width - start) / length(w)
  }
  ends <- log(KERNEL_WIDTHS)
  found <- stats::optim(start, loss, function(x) loss(x, TRUE),
    method = "L-BFGS-B", lower = start + ends[1], upper = start + ends[2], control = list(maxit = 30)
  )
  exp(found$par) * rate(n) / rate(length(look))
}

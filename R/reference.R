# What a fit is compared with: a multivariate normal fitted to the same training rows, given the conditions by linear
# regression. Computed when the fit is made, because a fit does not keep its data.

# Mean log densities per unit of weight, on training and on held-out rows (NA where there are none), and the standard
# errors of the differences between flow and normal.
fit_reference <- function(setup, rows, log_density) {
  normal <- normal_log_density(setup, rows$train)
  weight <- setup$weight
  mean_over <- function(x, i) {
    if (!is.null(weight)) i <- i[weight[i] > 0] # elsewhere the log density may be -Inf
    if (!length(i)) return(NA_real_)
    if (is.null(weight)) mean(x[i]) else stats::weighted.mean(x[i], weight[i])
  }
  error_over <- function(i) {
    w <- if (is.null(weight)) rep(1, length(i)) else weight[i]
    i <- i[w > 0]
    w <- w[w > 0] / sum(w)
    gain <- log_density[i] - normal[i]
    if (length(i)) sqrt(sum(w^2 * (gain - sum(w * gain))^2)) else NA_real_
  }
  list(
    normal = mean_over(normal, rows$validation), flow = mean_over(log_density, rows$validation),
    normal_train = mean_over(normal, rows$train), flow_train = mean_over(log_density, rows$train),
    error = error_over(rows$validation), error_train = error_over(rows$train)
  )
}

# Log density of every row under the normal of maximum likelihood of the rows `train`; NA where that normal is singular.
# With conditions it is the joint normal's conditional distribution, which is the regression with normal residuals.
normal_log_density <- function(setup, train) {
  data <- setup$data
  weight <- setup$weight
  n <- n_rows(data)
  k <- if (is.null(setup$condition)) 0L else n_columns(setup$condition)
  d <- n_columns(data)
  joint <- function(i) cbind(if (k > 0) rows_at(setup$condition, i), rows_at(data, i))
  total <- if (is.null(weight)) length(train) else sum(weight[train])
  share <- function(i) (if (is.null(weight)) rep(1, length(i)) else weight[i]) / total
  center <- sum_over_rows(train, function(i) colSums(share(i) * joint(i)))
  # in units of their own: a correlation matrix does not under- or overflow
  variance <- sum_over_rows(train, function(i) colSums(share(i) * (joint(i) - rep(center, each = length(i)))^2))
  scale <- sqrt(variance)
  if (!all(scale[k + seq_len(d)] > 0)) return(rep(NA_real_, n))
  scale[scale == 0] <- 1
  standard <- function(i) (joint(i) - rep(center, each = length(i))) / rep(scale, each = length(i))
  correlation <- sum_over_rows(train, function(i) crossprod(sqrt(share(i)) * standard(i)))
  y <- k + seq_len(d)
  slope <- matrix(0, k, d)
  if (k > 0) {
    slope <- qr.coef(qr(correlation[-y, -y, drop = FALSE]), correlation[-y, y, drop = FALSE])
    slope[is.na(slope)] <- 0 # collinear conditions
  }
  residual_cov <- correlation[y, y, drop = FALSE] - t(slope) %*% correlation[-y, -y, drop = FALSE] %*% slope
  root <- tryCatch(chol(residual_cov), error = function(e) NULL)
  if (is.null(root)) return(rep(NA_real_, n))
  constant <- -sum(log(diag(root)), log(scale[y])) - 0.5 * d * log(2 * pi)
  out <- numeric(n)
  for (first in seq(1, n, by = ROWS_PER_CHUNK)) {
    i <- first:min(first + ROWS_PER_CHUNK - 1, n)
    z <- standard(i)
    residual <- z[, y, drop = FALSE] - z[, seq_len(k), drop = FALSE] %*% slope
    out[i] <- constant - 0.5 * colSums(backsolve(root, t(residual), transpose = TRUE)^2)
  }
  out
}

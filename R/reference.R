# What a fit is compared with: a multivariate normal fitted to the same training rows, given the conditions by linear
# regression. Computed when the fit is made, because a fit does not keep its data.

# Mean log densities per unit of weight, on training and on held-out rows (NA where there are none), and the standard
# errors of the differences between flow and normal. Of many training rows some are looked at.
fit_reference <- function(setup, rows, log_density) {
  columns <- n_columns(setup$data) + if (is.null(setup$condition)) 0 else n_columns(setup$condition)
  look <- look_at_rows(rows$train, setup$weight, rows_enough(columns))
  at <- c(rows$validation, look$rows)
  normal <- if (!is.null(setup$observed) || isTRUE(setup$codes)) {
    rep(NA_real_, length(at)) # a density is no probability
  } else {
    normal_log_density(setup, look$rows, look$weights, at)
  }
  held_out <- seq_along(rows$validation)
  known <- effective_number(rows$train, setup$weight)
  if (!enough_for_normal(known, n_columns(setup$data), columns - n_columns(setup$data))) normal[held_out] <- NA
  on_held_out <- compare_densities(log_density[rows$validation], normal[held_out], setup$weight[rows$validation])
  on_train <- compare_densities(
    log_density[look$rows], normal[length(held_out) + seq_along(look$rows)], look$weights[look$rows]
  )
  list(
    normal = on_held_out$normal, flow = on_held_out$flow, normal_train = on_train$normal, flow_train = on_train$flow,
    error = on_held_out$error, error_train = on_train$error
  )
}

# Whether `n` rows are enough for a normal of `d` columns given `k` to be judged by rows that it has not seen. With v =
# n - 1 - k degrees of freedom the mean squared distance of these, in units of its covariance, is a multiple of
# d / (v - d - 1): there is none for fewer, and their mean log density is whatever chance makes of it.
enough_for_normal <- function(n, d, k = 0) n - 1 - k >= d + 2

compare_densities <- function(flow, normal, weight) {
  if (!is.null(weight)) { # elsewhere the log density may be -Inf
    flow <- flow[weight > 0]
    normal <- normal[weight > 0]
    weight <- weight[weight > 0]
  }
  if (!length(flow)) return(list(normal = NA_real_, flow = NA_real_, error = NA_real_))
  w <- if (is.null(weight)) rep(1, length(flow)) else weight
  w <- w / sum(w)
  average <- function(x) if (is.null(weight)) mean(x) else stats::weighted.mean(x, weight)
  gain <- flow - normal
  list(normal = average(normal), flow = average(flow), error = sqrt(sum(w^2 * (gain - sum(w * gain))^2)))
}

# Log density of the rows `at` under the normal of maximum likelihood of the rows `train`; NA where that normal is
# singular. With conditions it is the joint normal's conditional distribution, the regression with normal residuals.
normal_log_density <- function(setup, train, weight = setup$weight, at = seq_len(n_rows(setup$data))) {
  data <- setup$data
  n <- length(at)
  k <- if (is.null(setup$condition)) 0L else n_columns(setup$condition)
  d <- n_columns(data)
  joint <- function(i, center = NULL, scale = NULL) {
    y <- k + seq_len(d)
    own <- rows_at(data, i, center[y], scale[y])
    if (k > 0) cbind(rows_at(setup$condition, i, center[seq_len(k)], scale[seq_len(k)]), own) else own
  }
  total <- if (is.null(weight)) length(train) else sum(weight[train])
  share <- function(i) (if (is.null(weight)) rep(1, length(i)) else weight[i]) / total
  center <- sum_over_rows(train, function(i) colSums(share(i) * joint(i)))
  # in units of their own: a correlation matrix does not under- or overflow
  variance <- sum_over_rows(train, function(i) colSums(share(i) * joint(i, center, rep(1, k + d))^2))
  scale <- sqrt(variance)
  if (!all(scale[k + seq_len(d)] > 0)) return(rep(NA_real_, n))
  scale[scale == 0] <- 1
  correlation <- sum_over_rows(train, function(i) crossprod(sqrt(share(i)) * joint(i, center, scale)))
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
    z <- joint(at[i], center, scale)
    residual <- if (k > 0) z[, y, drop = FALSE] - z[, seq_len(k), drop = FALSE] %*% slope else z
    out[i] <- constant - 0.5 * colSums(backsolve(root, t(residual), transpose = TRUE)^2)
  }
  out
}

# What a fit is compared with: a multivariate normal fitted to the same training rows, given the conditions by linear
# regression. Computed when the fit is made, because a fit does not keep its data.

# Mean log densities per unit of weight, on training and on held-out rows (NA where there are none).
fit_reference <- function(setup, rows, log_density) {
  normal <- normal_log_density(setup, rows$train)
  weight <- setup$weight %||% rep(1, nrow(setup$data))
  mean_over <- function(x, i) {
    i <- i[weight[i] > 0] # elsewhere the log density may be -Inf
    if (length(i)) stats::weighted.mean(x[i], weight[i]) else NA_real_
  }
  list(
    normal = mean_over(normal, rows$validation), flow = mean_over(log_density, rows$validation),
    normal_train = mean_over(normal, rows$train), flow_train = mean_over(log_density, rows$train)
  )
}

# Log density of every row under the normal of maximum likelihood of the rows `train`; NA where that normal is singular.
normal_log_density <- function(setup, train) {
  data <- setup$data
  design <- cbind(rep(1, nrow(data)), setup$condition)
  weight <- setup$weight[train] %||% rep(1, length(train))
  coefficients <- stats::lm.wfit(design[train, , drop = FALSE], data[train, , drop = FALSE], weight)$coefficients
  coefficients[is.na(coefficients)] <- 0 # collinear conditions
  residual <- data - design %*% coefficients
  # columns in units of their own: a correlation matrix does not under- or overflow
  scale <- sqrt(colSums(weight * residual[train, , drop = FALSE]^2) / sum(weight))
  if (!all(scale > 0)) return(rep(NA_real_, nrow(data)))
  residual <- residual / rep(scale, each = nrow(data))
  correlation <- crossprod(sqrt(weight) * residual[train, , drop = FALSE]) / sum(weight)
  root <- tryCatch(chol(correlation), error = function(e) NULL)
  if (is.null(root)) return(rep(NA_real_, nrow(data)))
  distance <- colSums(backsolve(root, t(residual), transpose = TRUE)^2)
  -0.5 * distance - sum(log(diag(root)), log(scale)) - 0.5 * ncol(data) * log(2 * pi)
}

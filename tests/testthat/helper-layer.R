# The conformance batteries: what every layer, conditioner net and base distribution must do, whatever its formula.
# Everything goes through a flow, at random parameters around the initial ones.

# Layers. `x` are points away from kinks (differences are taken across 1e-5), by default normal draws. `spread` is the
# standard deviation of the random parameters around the initial ones. `extreme` are sizes of inputs for which all
# outputs and gradients must be finite.
expect_layer_ok <- function(layer, d, d_condition = 0, x = NULL, spread = 0.5, extreme = 10^c(-300, -8, 3, 8),
                            round_trip = 1e-9, seed = 1) {
  set.seed(seed)
  f <- flow(layer, d, d_condition = d_condition)
  params(f) <- unname(coef(f)) + spread * rnorm(length(coef(f)))
  if (is.null(x)) x <- matrix(rnorm(6 * d), 6)
  condition <- if (d_condition > 0) matrix(rnorm(nrow(x) * d_condition), nrow(x))

  expect_params_ok(f, layer)
  y <- forward(f, x, condition)$value
  expect_inverse_ok(f, x, y, condition, round_trip)
  for (inverse in c(FALSE, TRUE)) {
    at <- if (inverse) y else x
    expect_jacobian_ok(f, at, condition, inverse)
    expect_gradient_ok(f, at, condition, inverse)
    expect_extreme_ok(f, condition, inverse, extreme)
    expect_batches_ok(f, at, condition, inverse)
    expect_machines_ok(f, at, condition, inverse)
  }
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(f, file)
  testthat::expect_identical(readRDS(file), f)
  testthat::expect_identical(forward(readRDS(file), x, condition), forward(f, x, condition))
  invisible(f)
}

# A net in the layer that every net can serve; its parameters, inputs and conditions are checked through it.
expect_net_ok <- function(net, ..., spread = 0.5) {
  expect_layer_ok(layer_coupling(scalar_affine(), net), d = 3, ..., spread = spread)
  expect_layer_ok(layer_coupling(scalar_tanh_affine(), net), d = 4, d_condition = 2, ..., spread = spread, seed = 2)
}

# ---- pieces --------------------------------------------------------------------------------------------------------

# Largest |a - b| / (1 + |b|).
layer_gap <- function(a, b) {
  if (length(a) != length(b)) return(Inf)
  max(0, abs(a - b) / (1 + abs(b)))
}

expect_params_ok <- function(f, layer) {
  testthat::expect_identical(length(unlist(params(f))), length(coef(f)))
  testthat::expect_identical(length(flow(layer, f$d, d_condition = f$d_condition)$params), length(coef(f)))
  testthat::expect_false(anyDuplicated(names(coef(f))) > 0)
  g <- f
  params(g) <- params(f)
  testthat::expect_identical(g, f)
  params(g) <- 2 * unname(coef(f))
  testthat::expect_identical(as.double(unlist(params(g))), 2 * as.double(unlist(params(f))))
}

expect_inverse_ok <- function(f, x, y, condition, tolerance) {
  there <- forward(f, x, condition)
  back <- inverse(f, y, condition)
  testthat::expect_lt(layer_gap(back$value, x), tolerance)
  testthat::expect_lt(layer_gap(back$logdet, -there$logdet), tolerance)
  back <- inverse(f, x, condition)
  there <- forward(f, back$value, condition)
  testthat::expect_lt(layer_gap(there$value, x), tolerance)
  testthat::expect_lt(layer_gap(there$logdet, -back$logdet), tolerance)
}

map_rows <- function(f, x, condition, inverse) {
  if (inverse) bijectr::inverse(f, x, condition) else forward(f, x, condition)
}

expect_jacobian_ok <- function(f, x, condition, inverse, h = 1e-5) {
  columns <- lapply(seq_len(f$d), function(j) {
    step <- h * (col(x) == j)
    (map_rows(f, x + step, condition, inverse)$value - map_rows(f, x - step, condition, inverse)$value) / (2 * h)
  })
  numeric <- vapply(seq_len(nrow(x)), function(i) {
    jacobian <- vapply(columns, function(column) column[i, ], numeric(f$d))
    c(determinant(matrix(jacobian, f$d))$modulus)
  }, numeric(1))
  testthat::expect_lt(layer_gap(numeric, map_rows(f, x, condition, inverse)$logdet), 1e-6)
}

# All gradients of a random combination of value, logdet and log_density, against central differences.
expect_gradient_ok <- function(f, x, condition, inverse, h = 1e-5, tolerance = 1e-6) {
  n <- nrow(x)
  cot <- list(value = rnorm(length(x)), logdet = rnorm(n), log_density = rnorm(n))
  rows <- function(f, x, condition) {
    out <- native_map(f, x, condition, inverse)
    rowSums(matrix(cot$value, n) * out$value) + cot$logdet * out$logdet + cot$log_density * out$log_density
  }
  exact <- flow_vjp(f, x, inverse, cot, condition)
  out <- native_map(f, x, condition, inverse)
  testthat::expect_identical(exact[names(out)], out)
  slope <- function(up, down) (up - down) / (2 * h)
  for (j in seq_len(ncol(x))) {
    step <- h * (col(x) == j)
    numeric <- slope(rows(f, x + step, condition), rows(f, x - step, condition))
    testthat::expect_lt(layer_gap(exact$x[, j], numeric), tolerance)
  }
  for (j in seq_len(f$d_condition)) {
    step <- h * (col(condition) == j)
    numeric <- slope(rows(f, x, condition + step), rows(f, x, condition - step))
    testthat::expect_lt(layer_gap(exact$condition[, j], numeric), tolerance)
  }
  theta <- f$params
  numeric <- vapply(seq_along(theta), function(i) {
    f["params"] <- list(replace(theta, i, theta[i] + h))
    up <- rows(f, x, condition)
    f["params"] <- list(replace(theta, i, theta[i] - h))
    sum(slope(up, rows(f, x, condition)))
  }, numeric(1))
  testthat::expect_lt(layer_gap(exact$params, numeric), tolerance)
}

# Each size alone in each coordinate, and in all.
expect_extreme_ok <- function(f, condition, inverse, sizes) {
  sizes <- c(0, sizes, -sizes)
  x <- do.call(rbind, c(
    list(matrix(sizes, length(sizes), f$d)),
    lapply(seq_len(f$d), function(j) replace(matrix(0.5, length(sizes), f$d), cbind(seq_along(sizes), j), sizes))
  ))
  if (!is.null(condition)) condition <- condition[rep(1, nrow(x)), , drop = FALSE]
  out <- native_vjp(f, x, condition, inverse, list(value = rep(1, length(x)), logdet = rep(1, nrow(x))))
  bad <- vapply(out[c("value", "logdet", "params", "x", "condition")], function(v) !all(is.finite(v)), logical(1))
  testthat::expect_equal(names(bad)[bad], character())
}

# What a row gives does not depend on the rows beside it, to the last bit.
expect_batches_ok <- function(f, x, condition, inverse) {
  many <- rep_len(seq_len(nrow(x)), 300)
  x <- x[many, , drop = FALSE] + rep(seq(0, 1e-3, length.out = 300), f$d)
  condition <- condition[many, , drop = FALSE]
  run <- function(rows) {
    cot <- list(value = rep(1, length(rows) * f$d), logdet = rep(1, length(rows)))
    out <- native_vjp(f, x[rows, , drop = FALSE], condition[rows, , drop = FALSE], inverse, cot)
    cbind(out$value, out$logdet, out$log_density, out$x, out$condition)
  }
  all <- run(1:300)
  for (n in c(1, 31, 32, 33, 127, 129)) testthat::expect_identical(run(seq_len(n)), all[seq_len(n), , drop = FALSE])
  alone <- do.call(rbind, lapply(c(1:40, 299, 300), run))
  testthat::expect_identical(alone, all[c(1:40, 299, 300), , drop = FALSE])
}

# Threads change nothing, instruction sets only the last digits.
expect_machines_ok <- function(f, x, condition, inverse) {
  old <- options("bijectr.threads", "bijectr.isa")
  on.exit(options(old))
  many <- rep_len(seq_len(nrow(x)), 2000)
  x <- x[many, , drop = FALSE]
  condition <- condition[many, , drop = FALSE]
  run <- function(threads, isa) {
    options(bijectr.threads = threads, bijectr.isa = isa)
    native_vjp(f, x, condition, inverse, list(value = x, logdet = x[, 1], log_density = -x[, 1]))
  }
  sets <- native_isa()
  first <- run(1, sets[1])
  testthat::expect_identical(run(2, sets[1]), first)
  for (isa in sets[-1]) {
    other <- run(1, isa)
    # the gradient of parameters is a sum over all rows, in which terms cancel
    for (field in names(first)) {
      testthat::expect_lt(layer_gap(other[[field]], first[[field]]), if (field == "params") 1e-11 else 1e-12)
    }
  }
}

# ---- solvers -------------------------------------------------------------------------------------------------------

# The error against a solution of many steps must fall with the power of the method's order.
expect_order_ok <- function(solver, order, steps) {
  set.seed(1)
  at <- function(solver) flow(layer_continuous(field_mlp(8, init = "uniform"), solver), 2)
  f <- at(solver_tsit5(step = 0.004))
  theta <- 2 * unname(coef(f))
  params(f) <- theta
  x <- matrix(rnorm(20), 10)
  exact <- forward(f, x)
  for (what in c("value", "logdet")) {
    error <- vapply(steps, function(step) {
      g <- at(solver(step = step))
      params(g) <- theta
      sqrt(mean((forward(g, x)[[what]] - exact[[what]])^2))
    }, 1)
    slope <- stats::coef(stats::lm(log(error) ~ log(steps)))[[2]]
    expect_gt(slope, order - 0.35)
    expect_lt(slope, order + 1.25)
  }
}

# ---- base distributions --------------------------------------------------------------------------------------------

# `density` and `cdf` are functions of one coordinate at the parameters that the base has here; `x` points where it is
# smooth. `support` is where the density is positive.
expect_base_ok <- function(base, density, cdf, x = c(-2.5, -0.4, 0.1, 0.9, 3), support = c(-Inf, Inf), theta = NULL) {
  one <- flow(layer_permute(1), d = 1, base = base)
  if (!is.null(theta)) params(one) <- theta
  log_density <- function(x) logdensity(one, x)
  testthat::expect_lt(layer_gap(log_density(x), density(x)), 1e-12)
  mass <- integrate(function(x) exp(log_density(x)), support[1], support[2], rel.tol = 1e-8)
  testthat::expect_equal(mass$value, 1, tolerance = 1e-6)

  # more coordinates add up, and gradients of all of it
  d <- 3
  f <- flow(layer_permute(1:d), d = d, base = base)
  if (!is.null(theta)) params(f) <- rep(theta, each = d)
  points <- matrix(x, length(x), d)
  testthat::expect_lt(layer_gap(logdensity(f, points), d * density(x)), 1e-12)
  for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, points, NULL, inverse)
  expect_batches_ok(f, points, NULL, TRUE)
  expect_machines_ok(f, points, NULL, TRUE)
  finite <- all(is.infinite(support))
  if (finite) testthat::expect_true(all(is.finite(log_density(c(0, 10^c(-300, 3, 8, 100), -10^c(3, 8, 100))))))

  expect_draws_ok(f, cdf, support)
}

expect_draws_ok <- function(f, cdf, support) {
  old <- options("bijectr.threads")
  on.exit(options(old))
  draw <- function(n, threads) {
    options(bijectr.threads = threads)
    set.seed(11)
    sample(f, n)
  }
  draws <- draw(20000, 1)
  testthat::expect_identical(draw(20000, 2), draws)
  for (n in c(1, 31, 33, 129)) testthat::expect_identical(draw(n, 2), draws[seq_len(n), , drop = FALSE])
  testthat::expect_true(all(draws > support[1] & draws < support[2]))
  u <- cdf(draws)
  for (j in seq_len(ncol(u))) testthat::expect_gt(suppressWarnings(stats::ks.test(u[, j], "punif")$p.value), 1e-3)
  # coordinates and successive rows are independent
  testthat::expect_lt(max(abs(stats::cor(u)[lower.tri(diag(ncol(u)))])), 4 / sqrt(nrow(u)))
  testthat::expect_lt(abs(stats::cor(u[-1, 1], u[-nrow(u), 1])), 4 / sqrt(nrow(u)))
  testthat::expect_false(anyDuplicated(draws[, 1]) > 0)
  set.seed(12)
  testthat::expect_false(any(sample(f, 100) == draws[1:100, ]))
}

# ---- naive nets ----------------------------------------------------------------------------------------------------

naive_activation <- function(name) {
  switch(name,
    relu = function(t) pmax(t, 0),
    tanh = tanh,
    elu = function(t) ifelse(t > 0, t, expm1(t)),
    gelu = function(t) t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 * t^3))),
    silu = function(t) t / (1 + exp(-t)),
    softplus = function(t) log1p(exp(-abs(t))) + pmax(t, 0),
    sin = sin
  )
}

# One row through a net with the parameters p (W1, b1, ...); masks: a matrix of 0 and 1 for each weight matrix.
naive_mlp <- function(p, x, activation, masks = NULL) {
  depth <- length(p) / 2 - 1
  act <- naive_activation(activation)
  h <- x
  for (l in seq_len(depth + 1)) {
    w <- p[[paste0("W", l)]]
    if (!is.null(masks)) w <- w * masks[[l]]
    h <- c(w %*% h + p[[paste0("b", l)]])
    if (l <= depth) h <- act(h)
  }
  h
}

# Masks of a net whose inputs are d coordinates and then the conditions, with k outputs a coordinate.
naive_masks <- function(d, d_condition, width, k) {
  input <- c(seq_len(d) - 1, rep(-1, d_condition))
  cycle <- if (d_condition > 0) function(w) (seq_len(w) - 1) %% d - 1 else function(w) (seq_len(w) - 1) %% max(d - 1, 1)
  ranks <- c(list(input), lapply(width, cycle), list(rep(seq_len(d) - 1, each = k)))
  last <- length(ranks) - 1
  lapply(seq_len(last), function(l) {
    if (l == last) 1 * outer(ranks[[l + 1]], ranks[[l]], ">") else 1 * outer(ranks[[l + 1]], ranks[[l]], ">=")
  })
}

# Two observations of two numbers, count, and one number that is not of the set; points, conditions.
small <- net_mlp(5, activation = "tanh", init = "uniform")
set_of_two <- function(count = NULL) {
  net_set(small, matrix(c(2, 4, 3, 6), 2), dim = 3, embed = net_mlp(6, activation = "tanh"), count = count)
}
set_subject <- function(make, net, d, n = 6, counts = c(0, 1, 2, 2, 1, 2)) {
  set.seed(1)
  f <- flow(make(net), d, d_condition = 6)
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  given <- matrix(rnorm(6 * n), n)
  given[, 5] <- rep_len(counts, n)
  flow_subject(f, matrix(rnorm(n * d), n), given)
}

test_that("a conditioner like any other, dense and masked", {
  for (make in layers_around_net(small)) {
    for (net in list(set_of_two(), set_of_two(count = 5))) {
      for (inverse in c(TRUE, FALSE)) {
        s <- set_subject(make, net, 3)
        # a count is no number that differences can be taken in
        if (is.null(net$count)) expect_gradient_ok(s$f, s$x, s$condition, inverse)
        expect_batches_ok(s$f, s$x, s$condition, inverse)
        expect_machines_ok(s$f, s$x, s$condition, inverse)
      }
    }
  }
})

# Central differences of the sum of log densities in some numbers.
differences <- function(density, at) {
  vapply(seq_along(at), function(i) {
    step <- replace(numeric(length(at)), i, 1e-5)
    (density(at + step) - density(at - step)) / 2e-5
  }, 1)
}

test_that("gradients are those of differences, with counts, in parameters and observations", {
  for (make in list(
    function(net) layer_autoregressive(scalar_affine(), net), function(net) layer_coupling(scalar_affine(), net)
  )) {
    s <- set_subject(make, set_of_two(count = 5), 3, n = 40)
    exact <- flow_vjp(s$f, s$x, TRUE, list(log_density = rep(1, 40)), s$condition)
    of_params <- function(theta) {
      params(s$f) <- theta
      sum(logdensity(s$f, s$x, s$condition))
    }
    expect_equal(unname(exact$params), differences(of_params, unname(coef(s$f))), tolerance = 1e-6)
    of_condition <- function(row) sum(logdensity(s$f, s$x[1:4, ], matrix(row, 4)))
    numbers <- differences(of_condition, c(s$condition[1:4, ]))
    expect_equal(exact$condition[1:4, ], matrix(numbers, 4), tolerance = 1e-6)
    expect_identical(exact$condition[1, c(2, 3, 4, 6, 5)], rep(0, 5)) # of no observations
    expect_identical(exact$condition[2, c(4, 6)], c(0, 0))
    expect_true(all(exact$condition[2, 1:3] != 0))
  }
})

test_that("the net sees coordinates, other conditions, the mean, and the share", {
  set.seed(3)
  for (count in list(NULL, 5)) {
    f <- flow(layer_coupling(scalar_affine("exp"), set_of_two(count)), 3, d_condition = 6)
    params(f) <- rnorm(length(coef(f)))
    p <- params(f)$layers[[1]]$net
    given <- c(0.7, 1, 2, 3, 1, 4)
    phi <- function(o) naive_mlp(p$embed, o, "tanh")
    seen <- if (is.null(count)) c(0.3, 0.7, 1, (phi(c(1, 2)) + phi(c(3, 4))) / 2) else c(0.3, 0.7, phi(c(1, 2)), 1 / 2)
    out <- forward(f, rbind(c(0.3, -1, 2)), rbind(given))$value
    raw <- naive_mlp(p$net, seen, "tanh")
    expect_equal(out[1, ], c(0.3, c(-1, 2) * exp(raw[c(2, 4)]) + raw[c(1, 3)]), tolerance = 1e-13)
  }
})

test_that("columns go variable by variable, or as a matrix says", {
  x <- matrix(1:6, 3) # a case: three observations of two numbers
  expect_identical(net_set(small, as.vector(matrix(1:6, 3)), size = 2), net_set(small, matrix(1:6, 3)))
  by_row <- matrix(1:6, 3, byrow = TRUE)
  seen <- function(net, given) {
    set.seed(4)
    logdensity(flow(layer_additive_condition(net), 1, d_condition = 6), 0, matrix(given, 1))
  }
  expect_identical(seen(net_set(small, by_row), as.vector(t(x))), seen(net_set(small, 1:6, 2), as.vector(x)))
})

test_that("the order of observations does not matter, nor what is beyond the count", {
  s <- set_subject(function(net) layer_autoregressive(scalar_affine(), net), set_of_two(), 3, n = 70)
  turned <- s$condition[, c(1, 4, 6, 2, 5, 3)]
  expect_equal(logdensity(s$f, s$x, turned), logdensity(s$f, s$x, s$condition), tolerance = 1e-13)
  mixed <- s$condition[, c(1, 4, 3, 2, 5, 6)] # not whole observations
  expect_true(all(logdensity(s$f, s$x, mixed) != logdensity(s$f, s$x, s$condition)))
  s <- set_subject(function(net) layer_autoregressive(scalar_affine(), net), set_of_two(count = 5), 3, n = 70)
  filled <- s$condition
  filled[filled[, 5] < 2, c(4, 6)] <- 1e149
  filled[filled[, 5] < 1, 2:3] <- -1e149
  expect_identical(logdensity(s$f, s$x, filled), logdensity(s$f, s$x, s$condition))
  expect_identical(
    flow_vjp(s$f, s$x, TRUE, list(log_density = rep(1, 70)), filled),
    flow_vjp(s$f, s$x, TRUE, list(log_density = rep(1, 70)), s$condition)
  )
  s$condition[1:4, 5] <- c(-1, 3, 9e149, 2)
  expect_warning(bad <- logdensity(s$f, s$x, s$condition), class = "bijectr_warning_nan")
  expect_identical(which(is.na(bad)), 1:3)
})

test_that("in front of a masked net nothing of a later coordinate is seen", {
  set.seed(5)
  net <- net_set(net_mlp(9, activation = "tanh"), 2:3, embed = net_mlp(4, activation = "tanh"))
  f <- flow(layer_autoregressive(scalar_affine(), net), 4, d_condition = 4)
  params(f) <- 0.5 * rnorm(length(coef(f)))
  x <- matrix(rnorm(4), 1)
  given <- rbind(rnorm(4))
  for (j in 1:4) {
    changed <- forward(f, replace(x, j, x[j] + 1), given)$value != forward(f, x, given)$value
    expect_identical(which(changed)[1], j)
    expect_true(all(forward(f, x, replace(given, j, 3))$value != forward(f, x, given)$value))
  }
  expect_equal(inverse(f, forward(f, x, given)$value, given)$value, x, tolerance = 1e-12)
})

test_that("sets within sets, codes within observations, and nets in front", {
  set.seed(6)
  group <- net_set(net_mlp(4, activation = "tanh"), 1:2, dim = 2, embed = small)
  coded <- net_embedding(small, 2, 3, dim = 2)
  nets <- list(
    net_set(small, matrix(1:6, 3), dim = 2, embed = group), net_set(small, matrix(1:6, 3), dim = 2, embed = coded),
    net_embedding(net_set(small, 1:4), c(1, 6), c(3, 3)), net_bounded(net_set(small, 2:5))
  )
  given <- matrix(rnorm(36), 6)
  codes <- cbind(sample(0:2, 6, TRUE), given[, 2:5], sample(0:2, 6, TRUE))
  conditions <- list(given, cbind(given[, 1:3], matrix(sample(0:2, 18, TRUE), 6)), codes, given)
  for (i in seq_along(nets)) {
    f <- flow(layer_autoregressive(scalar_affine(), nets[[i]]), 2, d_condition = 6)
    params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
    x <- matrix(rnorm(12), 6)
    density <- function(theta) {
      params(f) <- theta
      sum(logdensity(f, x, conditions[[i]]))
    }
    exact <- flow_vjp(f, x, TRUE, list(log_density = rep(1, 6)), conditions[[i]])$params
    expect_equal(unname(exact), differences(density, unname(coef(f))), tolerance = 1e-6)
  }
  uses <- function(i) {
    lapply(condition_uses(nets[[i]], as.list(1:6)), function(use) c(use$of, use$columns))
  }
  expect_identical(uses(1), list(c("set", 1:3), c("set", 4:6), c("set", 1:6)))
  expect_identical(uses(2), list(c("set", 1:3), c("set", 4:6), c("codes", 4:6)))
  expect_identical(uses(3), list(c("codes", 1), c("codes", 6), c("set", 2:5)))
})

test_that("fits standardize a set as one, and are exchangeable", {
  set.seed(7)
  theta <- cbind(rnorm(200), rnorm(200))
  given <- cbind(size = rnorm(200, 50), matrix(rnorm(1000), 200) + theta[, 1])
  given[, 4] <- given[, 4] + 1 # as chance may have it, but more
  layers <- function(net) list(layer_autoregressive(scalar_affine(limit = 8), net), layer_permute(2:1))
  fit <- fit_flow(theta, layers(net_set(net_mlp(8), 2:6)), condition = given, steps = 20)
  codec <- fit$condition$codecs
  for (j in 3:6) expect_identical(codec[[j]], codec[[2]])
  train <- c(given[fit$rows$train, 2:6])
  expect_equal(c(codec[[2]]$loc, codec[[2]]$scale), c(mean(train), sd(train)), tolerance = 1e-3)
  expect_identical(codec[[2]]$range, range(given[, 2:6]))
  turned <- given[, c(1, 4, 6, 2, 3, 5)]
  turned[1, 2:6] <- given[1, 2:6] <- c(100, 1, 1, -100, 1) # beyond all that was seen
  turned[1, 2:6] <- rev(turned[1, 2:6])
  suppressWarnings(expect_equal(logdensity(fit, theta, turned), logdensity(fit, theta, given), tolerance = 1e-12))
  wider <- suppressWarnings(fit_flow(theta, fit, condition = given, steps = 2))
  expect_identical(wider$condition$codecs[[4]]$range, c(-100, 100))
  in_base <- fit_flow(theta, layer_flip(),
    base = base_normal(net = net_set(net_mlp(8), 2:6)), condition = given[-1, ][c(1, 1:199), ], steps = 2
  )
  expect_equal(logdensity(in_base, theta[-1, ], turned[-1, ]), logdensity(in_base, theta[-1, ], given[-1, ]))
  expect_identical(unserialize(serialize(fit, NULL)), fit)
})

test_that("fits to sets of different sizes look at the observations that count", {
  set.seed(8)
  n <- 300
  theta <- cbind(a = rnorm(n), b = rnorm(n))
  counts <- sample(0:4, n, TRUE)
  values <- matrix(rnorm(4 * n, theta[, 1] + 50), n)
  values[col(values) > counts] <- 0
  given <- cbind(values, n = counts)
  layer <- layer_autoregressive(scalar_affine(limit = 8), net_set(net_mlp(8), 1:4, count = 5))
  fit <- fit_flow(theta, layer, condition = given, steps = 20)
  train <- fit$rows$train
  seen <- values[train, ][col(values[train, ]) <= counts[train]]
  expect_equal(fit$condition$codecs[[1]]$loc, mean(seen))
  expect_equal(fit$condition$codecs[[3]]$scale, sd(seen), tolerance = 1e-3)
  expect_identical(fit$condition$levels, c(0L, 0L, 0L, 0L, 5L))
  other <- given
  other[, 1:4][col(values) > counts] <- 47
  expect_identical(logdensity(fit, theta, other), logdensity(fit, theta, given))
  other[3, 5] <- 1.5
  expect_error(logdensity(fit, theta, other), "from 0 to 4", class = "bijectr_error_argument")
  other[3, 5] <- 5
  expect_error(fit_flow(theta, layer, condition = other), "numbers of observations", class = "bijectr_error_argument")
})

test_that("weights count, and sets that share a column are one", {
  set.seed(10)
  given <- cbind(matrix(rnorm(150), 50), rep_len(0:3, 50))
  w <- rep_len(c(0, 1, 2), 50)
  one <- pooled_sets(net_set(small, 1:3, count = 4), 4)
  codecs <- standard_codecs(given, 1:40, w, "pull", one)
  counted <- (col(given[1:40, 1:3]) <= given[1:40, 4]) * w[1:40]
  expect_equal(codecs[[2]]$loc, sum(given[1:40, 1:3] * counted) / sum(counted))
  expect_equal(standard_codecs(given[, 1:3], 1:40, NULL, "pull", one[0])[[2]]$loc, mean(given[1:40, 2]))
  given[, 4] <- 0 # nothing counts
  expect_equal(standard_codecs(given, 1:40, NULL, "pull", one)[[1]]$loc, mean(given[1:40, 1:3]))
  layers <- list(
    layer_additive_condition(net_set(small, 1:3)), layer_additive_condition(net_set(small, 5:6)),
    layer_additive_condition(net_set(small, c(4, 3)))
  )
  expect_setequal(lapply(pooled_sets(layers, 6), function(set) sort(set$columns)), list(1:4, 5:6))
  twice <- rep(list(layer_additive_condition(net_set(small, 1:3, count = 4))), 2)
  expect_identical(pooled_sets(twice, 4), one)
})

test_that("the posterior of a normal mean is found", {
  set.seed(9)
  n <- 2000
  mean <- rnorm(n)
  given <- matrix(rnorm(8 * n, mean), n)
  layer <- layer_autoregressive(scalar_affine(limit = 8), net_set(net_mlp(8), 1:8, dim = 2))
  fit <- fit_flow(matrix(mean), layer, condition = given, steps = 500)
  new <- matrix(rnorm(800, rnorm(100)), 100)
  # known: N(8 mean / 9, 1 / 9)
  expected <- 8 * rowMeans(new) / 9
  found <- suppressWarnings(predict(fit, condition = new, type = "quantile", p = c(0.1, 0.5, 0.9)))
  found <- matrix(unlist(found), 100)
  expect_lt(max(abs(found[, 2] - expected)), 0.2)
  expect_equal(mean(found[, 3] - found[, 1]), 2 * qnorm(0.9) / 3, tolerance = 0.1)
})

test_that("wrong arguments are named", {
  expect_argument <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  expect_argument(net_set(scalar_affine(), 1), "must be a net")
  expect_argument(net_set(small, 1, embed = 3), "`embed` must be a net")
  expect_argument(net_set(small), "columns")
  expect_argument(net_set(small, c(1, 2, 1)), "each once")
  expect_argument(net_set(small, integer()), "each once")
  expect_argument(net_set(small, c(1, NA)), "`columns`")
  expect_argument(net_set(small, 1:5, size = 2), "5 numbers")
  expect_argument(net_set(small, 1:4, size = 0), "`size`")
  expect_argument(net_set(small, 1:4, dim = 0), "`dim`")
  expect_argument(net_set(small, 1:4, count = 4), "`count`")
  expect_error(flow(layer_coupling(net = net_set(small, 1:3)), 2, d_condition = 2), "name conditions")
  expect_error(flow(layer_coupling(net = net_set(small, 1:2, count = 3)), 2, d_condition = 2), "name conditions")
  expect_error(flow(layer_autoregressive(net = net_set(net_fourier(), 1:2)), 2, d_condition = 2), "masks")
})

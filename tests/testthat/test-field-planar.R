fine <- solver_tsit5(step = 0.04)
gate <- net_mlp(4, activation = "tanh", init = "uniform")

test_that("gated planar fields pass the battery", {
  for (d in c(1, 2, 4)) expect_layer_ok(layer_continuous(field_planar(3, gate), fine), d = d, spread = 0.3)
  expect_layer_ok(layer_continuous(field_planar(2, gate), fine), d = 2, d_condition = 1, spread = 0.3)
  # gates of relu, whose kinks in time are met by single steps
  expect_layer_ok(
    layer_continuous(field_planar(3, net_mlp(c(4, 3), init = "uniform")), fine),
    d = 2, spread = 0.2, round_trip = 1e-4
  )
})

test_that("the field is its formula", {
  set.seed(1)
  d <- 3
  units <- 4
  f <- flow(layer_continuous(field_planar(units, gate), solver_euler(step = 1), t0 = 0.3, t1 = 1.3), d)
  params(f) <- rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]$field
  x <- matrix(rnorm(4 * d), 4)
  out <- forward(f, x)
  for (i in 1:4) {
    value <- 0
    trace <- 0
    for (k in seq_len(units)) {
      w <- p$w[k, ]
      t <- sum(w * p$u[k, ])
      u <- p$u[k, ] + (log(1 + log1p(exp(t))) - 1 - t) * w / sum(w^2)
      h <- tanh(sum(w * x[i, ]) + p$b[k])
      g <- naive_mlp(p$gate[[k]], 0.3, "tanh")
      value <- value + g * (x[i, ] + u * h)
      trace <- trace + g * (d + (1 - h^2) * sum(w * u))
    }
    expect_equal(out$value[i, ] - x[i, ], value, tolerance = 1e-12)
    expect_equal(out$logdet[i], trace, tolerance = 1e-11)
  }
})

test_that("with the start at the identity only the gates stretch", {
  set.seed(2)
  f <- flow(layer_continuous(field_planar(3, gate), fine), 2)
  x <- matrix(rnorm(10), 5)
  y <- forward(f, x)$value
  expect_equal(y / x, matrix(y[1] / x[1], 5, 2), tolerance = 1e-9)
  small <- coef(flow(layer_continuous(field_planar(3, gate, init = "small"), fine), 2))
  expect_lt(max(abs(small[grep("field[.][wub]", names(small))])), 0.1)
})

test_that("conditions reach the gates", {
  set.seed(3)
  f <- flow(layer_continuous(field_planar(3, gate), fine), 2, d_condition = 1)
  x <- matrix(rnorm(4), 2)
  expect_gt(max(abs(forward(f, x, 0)$value - forward(f, x, 1)$value)), 1e-4)
})

test_that("arguments are checked", {
  expect_error(field_planar(0), "units", class = "bijectr_error_argument")
  expect_error(field_planar(gate = field_mlp()), "gate", class = "bijectr_error_argument")
  expect_error(field_planar(init = "zero"), "init", class = "bijectr_error_argument")
})

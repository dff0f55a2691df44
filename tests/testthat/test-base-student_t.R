test_that("fixed degrees of freedom", {
  for (df in c(0.6, 1, 3, 30)) {
    expect_base_ok(base_student_t(df = df), function(x) dt(x, df, log = TRUE), function(x) pt(x, df))
  }
  expect_length(coef(flow(layer_flip(), 2, base = base_student_t())), 0)
})

test_that("trainable degrees of freedom", {
  for (raw in c(-0.5, 0.4, 3)) {
    df <- log1p(exp(raw))
    expect_base_ok(base_student_t(trainable = TRUE), function(x) dt(x, df, log = TRUE), function(x) pt(x, df),
      theta = raw
    )
  }
})

test_that("draws move with the degrees of freedom", {
  for (df in c(0.05, 0.6, 2, 30, 4e3)) expect_moving_draws(flow(list(), 1, base = base_student_t(df, trainable = TRUE)))
  # where the normal distribution stands in its place, -(u + u^3) / (4 v^2), from both sides
  move <- function(df, u) {
    f <- flow(list(), 1, base = base_student_t(df, trainable = TRUE))
    native_draw_vjp(f, matrix(u), NULL, matrix(1)) * df^2
  }
  for (u in c(-6, -1, 0.02, 0.5, 4, 30)) {
    for (df in c(1e6, 0.9e7, 2e8)) expect_equal(move(df, u), -(u + u^3) / 4, tolerance = 2e-3)
  }
  expect_equal(move(1.1e8, 1000), -(1000 + 1000^3) / 4, tolerance = 1e-2)
  expect_identical(move(3, 0), 0)
  expect_identical(c(move(2, -Inf), move(1e9, Inf)), c(0, 0))
})

test_that("trained degrees of freedom are found against a log density", {
  set.seed(4)
  fit <- fit_flow(function(x) dt(x[, 1], 3, log = TRUE), flow(list(), 1, base = base_student_t(8, trainable = TRUE)),
    d = 1, steps = 600, learning_rate = 0.05, evaluate = 0, progress = FALSE
  )
  expect_equal(log1p(exp(params(fit)$base$df)), 3, tolerance = 0.1)
})

test_that("the initial degrees of freedom are those given", {
  f <- flow(layer_flip(), 2, base = base_student_t(df = 4, trainable = TRUE))
  expect_equal(params(f)$base$df, rep(log(expm1(4)), 2))
  expect_equal(logdensity(f, cbind(1, -3)), sum(dt(c(1, -3), 4, log = TRUE)))
  f <- flow(layer_flip(), 1, base = base_student_t(df = 1000, trainable = TRUE))
  expect_equal(logdensity(f, 1), dt(1, 1000, log = TRUE))
})

test_that("far tails", {
  f <- flow(layer_flip(), 1, base = base_student_t(df = 3))
  expect_equal(logdensity(f, c(1e5, -1e20, 1e100)), dt(c(1e5, -1e20, 1e100), 3, log = TRUE))
  for (df in c(1e3, 1e5)) {
    f <- flow(layer_flip(), 1, base = base_student_t(df = df))
    expect_equal(logdensity(f, c(0, 2)), dt(c(0, 2), df, log = TRUE), tolerance = 1e-9, info = df)
  }
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 1, base = base_student_t(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6, 1e12)) {
    params(f) <- raw
    out <- flow_vjp(f, c(0, 1), TRUE, list(log_density = c(1, 1)))
    expect_true(all(is.finite(unlist(out))), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
})

test_that("wrong arguments are named", {
  expect_error(base_student_t(df = 0), "df", class = "bijectr_error_argument")
})

test_that("location and scale by a net", {
  for (df in c(1, 4.5)) {
    expect_given_loc_scale_ok(base_student_t(df, net = given_net()), function(x) dt(x, df, log = TRUE),
      function(x) pt(x, df)
    )
  }
  df <- log1p(exp(1.2))
  expect_given_loc_scale_ok(base_student_t(trainable = TRUE, net = given_net()), function(x) dt(x, df, log = TRUE),
    function(x) pt(x, df),
    own = 1.2
  )
})

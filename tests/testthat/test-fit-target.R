correlated <- matrix(c(1, 0.6, 0.6, 2), 2)
gaussian <- function(x) {
  u <- x - rep(c(1, -2), each = nrow(x))
  -rowSums((u %*% solve(correlated)) * u) / 2
}
log_z <- log(2 * pi) + log(det(correlated)) / 2
small <- function(...) masked_autoregressive_flow(flow_layers = 2, nn_width = 8, invert = FALSE, ...)

test_that("a normal target: its log Z, mean and covariance", {
  set.seed(1)
  fit <- fit_flow(gaussian, small(), d = 2, steps = 800, learning_rate = 2e-2, loss = loss_stick_the_landing())
  e <- fit$evaluation
  expect_equal(e$log_z, log_z, tolerance = 1e-3)
  expect_equal(e$elbo, log_z, tolerance = 1e-3)
  expect_lte(e$elbo, e$log_z)
  expect_gt(e$ess, 0.99 * e$n)
  expect_identical(fit$status, "finished")
  draws <- sample(fit, 20000)
  expect_equal(colMeans(draws), c(1, -2), tolerance = 0.05)
  expect_equal(cov(draws), correlated, tolerance = 0.05, ignore_attr = TRUE)
  expect_lt(tail(fit$history$train, 1), -log_z + 0.01)
})

test_that("every loss comes to the same target", {
  for (loss in list(
    loss_reverse_kl(), loss_renyi(0.5), loss_renyi(0.5, path = TRUE), loss_renyi(2), loss_importance_weighted(8),
    loss_importance_weighted(8, path = TRUE)
  )) {
    set.seed(1)
    fit <- fit_flow(gaussian, layer_chain(small(), layer_standardize(c(1, -2), c(1, 1.4))),
      d = 2, steps = 300, learning_rate = 2e-2, loss = loss, gradient = function(x) {
        -(x - rep(c(1, -2), each = nrow(x))) %*% solve(correlated)
      }
    )
    expect_equal(fit$evaluation$log_z, log_z, tolerance = 0.02, info = format(loss))
  }
})

test_that("posterior of a linear regression", {
  set.seed(2)
  x <- cbind(1, runif(20, -1, 1))
  y <- as.vector(x %*% c(0.5, -1) + 0.5 * rnorm(20))
  precision <- diag(2) + crossprod(x) / 0.25
  mean <- as.vector(solve(precision, crossprod(x, y) / 0.25))
  posterior <- function(b) -rowSums(b^2) / 2 - colSums((y - x %*% t(b))^2) / 0.5
  fit <- fit_flow(posterior, masked_autoregressive_flow(invert = FALSE),
    names = c("intercept", "slope"), steps = 400, batch_size = 100, learning_rate = 1e-2
  )
  draws <- sample(fit, 10000)
  u <- draws - rep(mean, each = nrow(draws))
  exact <- -rowSums((u %*% precision) * u) / 2 + log(det(precision)) / 2 - log(2 * pi)
  expect_lt(base::mean(logdensity(fit, draws) - exact), 0.01)
  expect_identical(colnames(draws), c("intercept", "slope"))
  log_evidence <- posterior(t(mean)) + log(2 * pi) - log(det(precision)) / 2
  expect_equal(fit$evaluation$log_z, log_evidence, tolerance = 0.01)
})

test_that("a trainable base is trained", {
  set.seed(1)
  fit <- fit_flow(function(x) -(x[, 1] - 3)^2 / 0.5, layer_elementwise(scalar_affine()),
    d = 1, base = base_normal(trainable = TRUE), steps = 600, learning_rate = 3e-2
  )
  expect_equal(fit$evaluation$log_z, log(sqrt(0.5 * pi)), tolerance = 1e-2)
  expect_false(coef(fit)[1] == 0)
})

test_that("resume() goes on as if the fit had been longer", {
  run <- function(steps) {
    set.seed(4)
    fit_flow(gaussian, small(),
      d = 2, steps = steps, schedule = schedule_constant(), ema = 0.9, evaluate = 100, keep_state = TRUE
    )
  }
  once <- run(60)
  twice <- resume(run(25), steps = +35)
  expect_identical(coef(once), coef(twice))
  expect_identical(once$history, twice$history)
  expect_identical(resume(once)$params, once$params)
  expect_error(resume(once, steps = 5, target = 1), "target")
})

test_that("a fit does not depend on where calls are cut, or on threads", {
  run <- function() {
    set.seed(4)
    coef(fit_flow(gaussian, small(), d = 2, steps = 30, batch_size = 400, evaluate = 0))
  }
  once <- run()
  old <- options(bijectr.seconds_per_call = 0, bijectr.threads = 1)
  on.exit(options(old))
  expect_identical(run(), once)
})

test_that("budgets and callbacks end it", {
  fit <- fit_flow(gaussian, small(), d = 2, steps = 1e6, seconds = 0.3, evaluate = 0)
  expect_identical(fit$status, "time_limit")
  expect_null(fit$evaluation)
  seen <- NULL
  fit <- fit_flow(gaussian, small(), d = 2, steps = 1e6, evaluate = 0, callback = function(fit, record) {
    seen <<- record
    FALSE
  })
  expect_identical(fit$status, "stopped")
  expect_identical(seen$step, fit$steps)
  file <- tempfile()
  fit_flow(gaussian, small(), d = 2, steps = 20, evaluate = 0, checkpoint = file)
  expect_s3_class(readRDS(file), "bijectr_target_fit")
})

test_that("a loss that is not finite takes the training back", {
  calls <- 0
  moody <- function(x) {
    calls <<- calls + 1
    if (calls == 150) rep(NaN, nrow(x)) else gaussian(x)
  }
  expect_message(
    fit <- fit_flow(moody, small(), d = 2, steps = 300, learning_rate = 2e-2, keep_state = TRUE),
    class = "bijectr_message_rollback"
  )
  expect_identical(fit$status, "finished")
  expect_true(all(is.finite(coef(fit))))
  expect_identical(fit$state$counters[["rate_factor"]], 0.5)
  broken <- function(x) {
    calls <<- calls + 1
    if (calls > 200) rep(NaN, nrow(x)) else gaussian(x)
  }
  calls <- 0
  expect_warning(
    suppressMessages(fit <- fit_flow(broken, small(), d = 2, steps = 300, max_failures = 3, evaluate = 0)),
    class = "bijectr_warning_diverged"
  )
  expect_identical(fit$status, "diverged")
})

test_that("annealing flattens the target at first; the history is of the target itself", {
  two <- function(x) {
    a <- -8 * (x[, 1] - 2)^2
    b <- -8 * (x[, 1] + 2)^2
    pmax(a, b) + log1p(exp(-abs(a - b)))
  }
  set.seed(1)
  fit <- fit_flow(two, d = 1, steps = 1500, learning_rate = 3e-3, anneal = 0.5)
  expect_equal(fit$evaluation$log_z, log(2 * sqrt(pi / 8)), tolerance = 0.05)
  expect_lt(abs(mean(sample(fit, 5000) > 0) - 0.5), 0.3) # both modes
  f <- flow(layer_elementwise(scalar_affine()), 1)
  z <- matrix(rnorm(10))
  at <- reverse_gradient(f, z, target_with_gradient(two, "differences", 1, NULL), loss_reverse_kl(), beta = 0.5)
  expect_equal(at$shown, mean(logdensity(f, forward(f, z)$value) - two(forward(f, z)$value)))
  expect_equal(at$loss, mean(logdensity(f, forward(f, z)$value) - 0.5 * two(forward(f, z)$value)))
})

test_that("mistakes are told before training", {
  expect_error(fit_flow(gaussian), "`d` must be given")
  expect_error(fit_flow(gaussian, d = NA), "`d` must be one whole number, not NA", class = "bijectr_error_argument")
  expect_error(fit_flow(gaussian, d = 1.5), "`d`")
  expect_error(fit_flow(gaussian, d = 2, names = "a"), "`names`")
  expect_error(fit_flow(function(x) 0, d = 2), "must return 200 numbers")
  expect_error(fit_flow(function(x) log(x[, 1]), d = 1), "at a draw of the initial flow") |> suppressWarnings()
  expect_error(fit_flow(function(x) ifelse(x[, 1] > 0, 0, -Inf), d = 1), "support.* says so")
  expect_error(fit_flow(gaussian, d = 2, gradient = "exact"), "gradient")
  expect_error(fit_flow(gaussian, d = 2, anneal = 2), "anneal")
  expect_error(fit_flow(gaussian, d = 2, wrong = 2), "wrong")
  expect_error(fit_flow(gaussian, d = 2, max_epochs = 2), "`steps` must be given")
  expect_error(fit_flow(faithful, d = 3), "`d` is 3")
  expect_error(fit_flow(gaussian, flow(small(), 3), d = 2), "flow of 3")
})

test_that("a gradient that is no number at the mode, and a density that is infinite, are told or passed", {
  set.seed(1)
  fit <- fit_flow(function(x) -sqrt(x[, 1]^2), d = 1, gradient = "symbolic", steps = 50)
  expect_lt(abs(fit$evaluation$log_z - log(2)), 0.05)
  infinite <- function(x) ifelse(x[, 1] > 3, Inf, ifelse(x[, 1] < -3, -Inf, -x[, 1]^2 / 2))
  expect_error(fit_flow(infinite, d = 1, steps = 50), "target is -?Inf at", class = "bijectr_error_argument")
})

test_that("training can start from a flow or a fit", {
  set.seed(1)
  first <- fit_flow(gaussian, small(), names = c("a", "b"), steps = 300, learning_rate = 2e-2)
  second <- fit_flow(gaussian, first, steps = 10, learning_rate = 1e-6)
  expect_equal(coef(second), coef(first), tolerance = 1e-3)
  expect_identical(second$names, c("a", "b"))
})

test_that("methods", {
  set.seed(1)
  fit <- fit_flow(gaussian, small(), names = c("a", "b"), steps = 50, evaluate = 500)
  expect_output(print(fit), "fit to a log density.*50 steps.*ELBO.*log Z.*effective sample size.*modes:   none were")
  expect_output(print(summary(fit)), "ELBO")
  expect_error(nobs(fit), "not made from data")
  file <- tempfile()
  saveRDS(fit, file)
  expect_equal(readRDS(file), fit)
  pdf(NULL)
  on.exit(dev.off())
  expect_silent(plot(fit, "loss"))
})

# ---- reference vectors -----------------------------------------------------------------------------------------------

# The losses and parameters of a reference run of Adam, step by step on its base draws.
expect_reference_run <- function(model, target, z, learning_rate, losses, params, id) {
  flow <- model$flow
  found <- numeric()
  flow["params"] <- list(textbook_steps(textbook_adam, flow$params, function(theta) {
    flow["params"] <- list(theta)
    at <- reverse_gradient(flow, z[[length(found) + 1]], target, loss_reverse_kl())
    found <<- c(found, at$loss)
    at$gradient
  }, length(losses), learning_rate))
  expect_near(found, losses, 1e-9, paste(id, "losses"))
  expect_near(flow$params, flat_values(model, params, NA), 1e-8, paste(id, "params"))
}

test_that("a fit makes the steps of Adam on the draws of its seeds", {
  f <- flow(coupling_flow(scalar_affine(limit = 2), flow_layers = 2, nn_width = 9), 2)
  for (gradient in c("differences", "symbolic")) {
    target <- target_with_gradient(function(x) -x[, 1]^4 - x[, 2]^2, gradient, 2, NULL)
    for (anneal in c(0, 0.5)) {
      control <- fit_control(opt_adam(), 1e-2, schedule_constant(), steps = 20, batch_size = 50)
      origin <- list(loss = loss_renyi(0.5), options = list(anneal = anneal, evaluate = 0))
      state <- new_state(f, control)
      fit <- fit_target(f, target, state, control, FALSE, origin)
      step <- 0
      by_hand <- textbook_steps(textbook_adam, f$params, function(theta) {
        f["params"] <- list(theta)
        beta <- if (step < 20 * anneal) 0.1 + 0.9 * step / (20 * anneal) else 1
        at <- reverse_gradient(f, NULL, target, loss_renyi(0.5), beta = beta, seed = state$seed + step, n = 50)
        step <<- step + 1
        at$gradient
      }, 20, 1e-2)
      expect_equal(fit$params, by_hand, tolerance = 1e-10)
    }
  }
})

test_that("reference runs of reverse KL", {
  skip_if_not_installed("jsonlite")
  for (name in c("training", "analytic")) {
    file <- file.path(vectors_folder(), paste0(name, ".json"))
    if (!file.exists(file)) next
    for (case in Filter(function(case) grepl("elbo_adam|reverse_kl", case$id), read_vectors(file))) {
      h <- case$hyper
      tryCatch(
        if (name == "training") {
          model <- set_values(new_model(premade_parts(h), h$d, invert = h$invert), case$params)
          p <- case$target
          target <- function(x) {
            u <- x - rep(p$mean, each = nrow(x))
            list(value = -rowSums((u %*% p$precision) * u) / 2, gradient = -u %*% p$precision)
          }
          z <- lapply(seq_len(case$steps), function(t) case$z[t, , ])
          expect_reference_run(model, target, z, case$optimizer$learning_rate, case$losses, case$params_final, case$id)
        } else {
          model <- set_values(new_model(scalar_parts(h), 1), case$params)
          wave <- function(x) sin(5 * x) * exp(-5 * x^2) + 2 * cos(10 * x) - 0.2 * x^4
          target <- target_with_gradient(wave, "symbolic", 1, NULL)
          steps <- case$training
          z <- lapply(seq_along(steps$losses), function(t) matrix(steps$z[t, ]))
          expect_reference_run(model, target, z, steps$learning_rate, steps$losses, steps$final_params, case$id)
        },
        vectors_pending = function(e) message("pending: ", case$id)
      )
    }
  }
})

test_that("a gradient that is not the target's is told, a right one is not", {
  target <- function(x) -rowSums(x^2) / 2
  fit <- function(gradient, f = target) fit_flow(f, d = 2, steps = 2, gradient = gradient, start = "standard")
  expect_warning(fit(function(x) x), "differences say", class = "bijectr_warning_gradient")
  expect_no_warning(fit(function(x) -x))
  expect_no_warning(fit(function(x) -x, function(x) 1e9 - rowSums(x^2) / 2))
})

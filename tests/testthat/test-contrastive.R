simulator <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
normal_prior <- list(
  sample = function(n) matrix(rnorm(n), n),
  log_density = function(theta) dnorm(theta[, 1], log = TRUE)
)

make_pairs <- function(n) {
  theta <- matrix(rnorm(2 * n), n)
  list(theta = theta, condition = theta + rnorm(2 * n), log_prior = rowSums(dnorm(theta, log = TRUE)))
}

test_that("the loss and its gradient against plain loops", {
  set.seed(1)
  f <- flow(masked_autoregressive_flow(flow_layers = 1, nn_width = 5, nn_activation = "tanh"), 2, d_condition = 2)
  params(f) <- coef(f) + 0.3 * rnorm(length(coef(f)))
  pairs <- make_pairs(20)
  rows <- c(3, 7, 20, 1, 11)
  atoms <- draw_atoms(5, 3)
  naive <- function(p) {
    params(f) <- p
    ratio <- function(i, j) {
      logdensity(f, pairs$theta[j, , drop = FALSE], pairs$condition[i, , drop = FALSE]) - pairs$log_prior[j]
    }
    mean(vapply(1:5, function(i) {
      all <- vapply(c(i, atoms[i, ]), function(j) ratio(rows[i], rows[j]), 0)
      log(sum(exp(all))) - all[1]
    }, 0))
  }
  out <- contrastive_loss(f, pairs, rows, atoms)
  expect_equal(out$loss, naive(coef(f)))
  numeric <- vapply(seq_along(f$params), function(i) {
    step <- replace(0 * f$params, i, 1e-5)
    (naive(f$params + step) - naive(f$params - step)) / 2e-5
  }, 0)
  expect_equal(out$gradient, numeric, tolerance = 1e-6)
  expect_identical(contrastive_loss(f, pairs, rows, atoms, gradient = FALSE)$loss, out$loss)
})

test_that("atoms are others, each once; the generator is left alone", {
  set.seed(1)
  before <- .Random.seed
  atoms <- with_seed(5, draw_atoms(12, 11))
  expect_identical(.Random.seed, before)
  for (i in 1:12) expect_setequal(atoms[i, ], setdiff(1:12, i))
  expect_identical(dim(draw_atoms(4, 1)), c(4L, 1L))
})

test_that("the posterior of a normal model, over rounds", {
  set.seed(1)
  fit <- fit_rounds(simulator, normal_prior, observed = 1.5,
    rounds = 3, simulations = 400, layers = masked_autoregressive_flow(flow_layers = 2, nn_width = 16), steps = 500,
    learning_rate = 3e-3
  )
  draws <- sample(fit, 10000, condition = 1.5)
  expect_equal(mean(draws), 1.5 / 1.25, tolerance = 0.1)
  expect_equal(sd(draws), sqrt(0.2), tolerance = 0.15)
  expect_length(fit$rounds, 3)
  # later rounds simulate where the posterior is
  expect_lt(sd(fit$rounds[[2]]$theta), 0.7 * sd(fit$rounds[[1]]$theta))
  expect_true(all(is.finite(fit$rounds[[3]]$history$train)))
  expect_false(all(is.na(fit$rounds[[3]]$history$validation)))
  expect_error(resume(fit), "rounds")
  expect_output(print(fit), "given 1")
})

test_that("a bounded prior, and a flow as a prior", {
  set.seed(1)
  prior <- flow(layer_elementwise(scalar_affine()), 1, base = base_uniform(-1, 1))
  fit <- fit_rounds(simulator, prior, observed = 0.9,
    rounds = 2, simulations = 100, layers = masked_autoregressive_flow(flow_layers = 1, nn_width = 8), steps = 50
  )
  expect_true(all(abs(fit$rounds[[2]]$theta) <= 1))
})

test_that("an observation may be a row of a data frame", {
  fit <- fit_rounds(simulator, normal_prior, data.frame(x = 1.5), rounds = 1, simulations = 20, steps = 2)
  expect_identical(fit$observed, 1.5)
})

test_that("mistakes are told", {
  expect_error(fit_rounds(1, normal_prior, 1), "simulator")
  expect_error(fit_rounds(simulator, list(), 1), "prior")
  expect_error(fit_rounds(function(theta) cbind(theta, theta), normal_prior, 1, simulations = 50), "1 column")
  expect_error(fit_rounds(simulator, normal_prior, 1, loss = loss_reverse_kl()), "loss_contrastive")
  # before anything is simulated
  never <- function(theta) stop("simulated")
  expect_error(fit_rounds(never, normal_prior, "a"), "`observed` must be a numeric vector, not \"a\"")
  expect_error(fit_rounds(never, normal_prior, numeric()), "`observed` must be a numeric vector")
  expect_error(fit_rounds(never, normal_prior, c(1, NA)), "`observed` has a value that cannot be used")
  expect_error(fit_rounds(never, normal_prior, diag(2)), "`observed` must be a numeric vector")
  expect_error(
    fit_rounds(simulator, normal_prior, 1, simulations = 20, loss = loss_contrastive(60), steps = 5), "must be less"
  )
})

test_that("wrong arguments are found before anything is simulated", {
  never <- function(theta) stop("simulated")
  refused <- function(message, ...) {
    expect_error(fit_rounds(never, normal_prior, 1, ...), message, class = "bijectr_error_argument")
  }
  refused("`layers`", layers = 3)
  refused("`layers` is a flow of 2 coordinates", layers = flow(layer_elementwise(scalar_affine()), 2))
  refused("`base`", base = 3)
  refused("`standardize`", standardize = "no")
  refused("`progress`", progress = 3)
  refused("`control`", control = list())
  refused("`control`", control = list(), rounds = 1)
  refused("`control`", control = "a")
  refused("Unknown argument `stepz`", stepz = 3, rounds = 1)
  expect_error(fit_rounds(never, normal_prior), "`observed` is missing", class = "bijectr_error_argument")
  refused("Unknown argument `stepz`", stepz = 3)
  refused("`atoms` \\(60\\) must be less", simulations = 20, loss = loss_contrastive(60))
  bad_prior <- list(sample = normal_prior$sample, log_density = function(theta) replace(theta[, 1], 3, -Inf))
  expect_error(fit_rounds(never, bad_prior, 1), "`prior\\$log_density` is -Inf", class = "bijectr_error_argument")
  bad_prior$log_density <- function(theta) "a"
  expect_error(fit_rounds(never, bad_prior, 1), "`prior\\$log_density` must return 1000 numbers",
    class = "bijectr_error_argument"
  )
})

test_that("simulations outlive what ends their training", {
  failed <- tryCatch(
    fit_rounds(simulator, normal_prior, 1,
      simulations = 30, steps = 5,
      layers = layer_chain(layer_elementwise(scalar_sigmoid())), standardize = "none", noise = 0
    ),
    error = identity
  )
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed$parent), "initial flow")
  expect_null(failed$fit)
  expect_identical(dim(failed$rounds[[1]]$theta), c(30L, 1L))
  expect_identical(dim(failed$rounds[[1]]$data), c(30L, 1L))
})

# ---- what ends the rounds --------------------------------------------------------------------------------------------

affine <- function() masked_autoregressive_flow(flow_layers = 1, nn_width = 6)

# The simulator, which does something else in its k-th round.
in_round <- function(k, instead) {
  round <- 0
  function(theta) {
    round <<- round + 1
    if (round == k) instead(theta) else simulator(theta)
  }
}

run_rounds <- function(simulator, ..., rounds = 3) {
  fit_rounds(simulator, normal_prior, 1, rounds = rounds, simulations = 30, steps = 5, layers = affine(), ...)
}

test_that("data that cannot be used do not cost what was simulated", {
  nowhere <- function(theta) replace(theta, -1, NaN)
  for (k in 1:2) {
    failed <- tryCatch(run_rounds(in_round(k, nowhere)), error = identity)
    expect_s3_class(failed, "bijectr_error_training")
    expect_match(conditionMessage(failed), paste("Round", k))
    expect_match(conditionMessage(failed$parent), paste("29 of 30 simulations of round", k))
    expect_length(failed$rounds, k)
    expect_identical(which(!is.nan(failed$rounds[[k]]$data)), 1L)
    expect_null(failed$rounds[[k]]$history)
    expect_identical(is.null(failed$fit), k == 1)
  }
  expect_identical(failed$fit$rounds, failed$rounds)
  expect_length(sample(failed$fit, 3, condition = 1), 3)
})

test_that("an interrupt of the simulator ends the rounds, not the call", {
  skip_on_os("windows")
  sleepy <- function(theta) {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    Sys.sleep(20)
    theta
  }
  expect_warning(
    fit <- run_rounds(in_round(3, sleepy)), "Interrupted in round 3",
    class = "bijectr_warning_interrupted"
  )
  expect_identical(fit$status, "interrupted")
  expect_length(fit$rounds, 2)
  expect_length(sample(fit, 3, condition = 1), 3)
  # before anything was simulated it is the user's
  interrupted <- tryCatch(run_rounds(in_round(1, sleepy)), interrupt = identity)
  expect_s3_class(interrupted, "interrupt")
  withr::local_options(warn = 2)
  failed <- tryCatch(run_rounds(in_round(2, sleepy)), error = identity)
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed), "Round 2")
  expect_identical(failed$fit$status, "interrupted")
  expect_length(failed$rounds, 1)
})

test_that("an interrupt while a later round is trained keeps what it has reached", {
  skip_on_os("windows")
  withr::local_options(bijectr.seconds_per_call = 0)
  seen <- 0
  # a callback of round 2, the first round has made its steps
  callback <- function(fit, record) {
    if (record$step == 1) seen <<- seen + 1
    if (seen == 2 && record$step == 3) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(20)
    }
  }
  expect_warning(
    fit <- run_rounds(simulator, callback = callback), "Interrupted in round 2",
    class = "bijectr_warning_interrupted"
  )
  expect_identical(fit$status, "interrupted")
  expect_identical(fit$steps, 3)
  expect_length(fit$rounds, 2)
  expect_identical(fit$rounds[[2]]$history, fit$history)
})

test_that("a fit is where further rounds start", {
  set.seed(3)
  fit <- run_rounds(simulator, rounds = 1)
  more <- fit_rounds(simulator, normal_prior, 1, rounds = 1, simulations = 30, steps = 1, layers = fit)
  expect_length(more$rounds, 1)
  expect_lt(max(abs(coef(more) - coef(fit))), 0.1)
  expect_error(
    fit_rounds(simulator, normal_prior, c(1, 2), simulations = 30, layers = fit), "`observed` has 2",
    class = "bijectr_error_argument"
  )
})

test_that("rows of validation and of the prior are looked at before anything is simulated", {
  never <- function(theta) stop("simulated")
  refused <- function(message, ..., prior = normal_prior) {
    expect_error(fit_rounds(never, prior, 1, simulations = 30, ...), message, class = "bijectr_error_argument")
  }
  refused("`validation` must name rows", validation = 30:31)
  refused("`validation` must name rows", validation = rep(c(TRUE, FALSE), 15)) # which fits the first round alone
  refused("must return `n` rows, 30 here, not 7", prior = list(
    sample = function(n) matrix(0, 7), log_density = normal_prior$log_density
  ))
})

test_that("without a condition the flow is the posterior of the observation", {
  set.seed(5)
  fit <- run_rounds(simulator, rounds = 1)
  theta <- c(-1, 0, 2)
  expect_identical(logdensity(fit, theta), logdensity(fit, theta, condition = 1))
  expect_identical(quantile(fit, 0.3), quantile(fit, 0.3, condition = 1))
  set.seed(6)
  draws <- sample(fit, 4)
  set.seed(6)
  expect_identical(draws, sample(fit, 4, condition = 1))
  expect_false(identical(logdensity(fit, theta, condition = 0), logdensity(fit, theta)))
  expect_error(logdensity(replace(fit, "observed", list(NULL)), theta), "`condition` is missing",
    class = "bijectr_error_argument"
  )
})

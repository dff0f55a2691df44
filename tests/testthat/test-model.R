# A model in Stan as its packages show it: unconstrained u, parameters of all kinds of constraints, what is computed
# from them, and the density with its Jacobian. The target is independent of the constraints' formulas in R/: the
# parameters are normal but for their limits.
stan_like <- function() {
  constrain <- function(u) {
    e <- exp(c(u[6:7], 0))
    parameters <- c(u[1], exp(u[2]), -1 + 3 * plogis(u[3]), 3 - exp(u[4]), 2 + 3 * u[5], e / sum(e), u[1] + exp(u[8]))
    c(parameters, parameters[2]^2)
  }
  log_density <- function(u) {
    p <- constrain(u)
    jacobian <- u[2] + log(3) + dlogis(u[3], log = TRUE) + u[4] + log(3) + sum(log(p[6:8])) + u[8]
    sum(dnorm(p[c(1:5, 9)], c(0, 1, 0, 0, 2, 1), c(1, 1, 1, 1, 3, 2), log = TRUE)) + jacobian
  }
  slope <- function(u) {
    h <- 1e-5
    at <- function(j, h) log_density(replace(u, j, u[j] + h))
    vapply(seq_along(u), function(j) (at(j, h) - at(j, -h)) / (2 * h), 0)
  }
  list(
    constrain = constrain, log_density = log_density, slope = slope,
    unconstrained = c("mu", "sigma", "r", "w", "o", "p.1", "p.2", "z"),
    parameters = c("mu", "sigma", "r", "w", "o", "p.1", "p.2", "p.3", "z"), quantities = "variance"
  )
}

bridge <- function(like = stan_like()) {
  structure(list(
    param_unc_num = function() 8L, param_unc_names = function() like$unconstrained,
    param_names = function(include_tp = FALSE) c(like$parameters, if (include_tp) like$quantities),
    param_constrain = function(u, include_tp) like$constrain(u),
    log_density_gradient = function(u) list(val = like$log_density(u), gradient = like$slope(u))
  ), class = c("StanModel", "R6"))
}

test_that("coordinates of a model are its parameters where one makes one", {
  model <- as_model(bridge())
  expect_identical(model$names, c(
    "mu", "sigma", "r", "w", "o", "unconstrained p[1]", "unconstrained p[2]", "unconstrained z"
  ))
  expect_identical(model$lower, c(-Inf, 0, -1, rep(-Inf, 5)))
  expect_identical(model$upper, c(Inf, Inf, 2, 3, rep(Inf, 4)))
  like <- stan_like()
  set.seed(1)
  u <- matrix(rnorm(24), 3)
  x <- t(apply(u, 1, function(u) c(like$constrain(u)[1:5], u[6:8])))
  quantities <- model$constrain(x)
  expect_identical(colnames(quantities), c("mu", "sigma", "r", "w", "o", "p[1]", "p[2]", "p[3]", "z", "variance"))
  expect_equal(unname(quantities), t(apply(u, 1, like$constrain)), tolerance = 1e-12)
  # the Jacobian of the coordinates that are parameters is not in the density of these
  jacobian <- u[, 2] + log(3) + dlogis(u[, 3], log = TRUE) + u[, 4] + log(3)
  expect_equal(model$log_density(x, FALSE)$value, apply(u, 1, like$log_density) - jacobian, tolerance = 1e-12)
  slope <- sapply(1:8, function(j) {
    h <- 1e-6
    up <- model$log_density(replace(x, cbind(1:3, j), x[, j] + h), FALSE)$value
    (up - model$log_density(replace(x, cbind(1:3, j), x[, j] - h), FALSE)$value) / (2 * h)
  })
  expect_equal(model$log_density(x, TRUE)$gradient, slope, tolerance = 1e-6)
})

test_that("ends that are far from 0, close together or of other parameters are what they are", {
  curve <- function(f) find_curves(f, 1, 1)[[1]]
  expect_identical(curve(function(u) 1e6 + exp(u))[1:2], list(curve = "above", lower = 1e6))
  narrow <- curve(function(u) 1e-12 * plogis(u))
  expect_identical(narrow$curve, "between")
  expect_equal(c(narrow$lower, narrow$upper), c(0, 1e-12), tolerance = 1e-8)
  expect_identical(narrow$lower, 0)
  expect_identical(curve(function(u) 0.1 - exp(u))[1:2], list(curve = "below", upper = 0.1))
  expect_equal(curve(function(u) 5 - 2 * u)[c("curve", "a", "b")], list(curve = "line", a = 5, b = -2))
  expect_identical(curve(function(u) u^3)$curve, "free")
  expect_identical(curve(function(u) 7)$curve, "free")
  expect_identical(curve(function(u) NaN)$curve, "free")
  either <- find_curves(function(u) c(u[1] + u[2], exp(u[2])), 2, 2)
  expect_identical(vapply(either, `[[`, "", "curve"), c("free", "above"))
})

test_that("a model is fitted, checked, drawn from and trained further", {
  set.seed(1)
  model <- bridge()
  fit <- fit_flow(model, steps = 100, evaluate = 1000)
  expect_s3_class(fit, "bijectr_target_fit")
  expect_identical(fit$options$gradient, "model")
  expect_output(print(fit), "target:  evaluated at [0-9,]+ points")
  draws <- sample(fit, 2000)
  expect_true(all(draws[, "sigma"] > 0 & draws[, "w"] < 3 & abs(draws[, "r"] - 0.5) < 1.5))
  # sigma is normal above 0, whatever the rest is
  truth <- 1 + dnorm(-1) / pnorm(1)
  expect_lt(abs(mean(draws[, "sigma"]) - truth), 0.1)
  expect_s3_class(check_flow(fit, draws = 1000), "bijectr_target_check")
  more <- resume(fit, steps = +10)
  expect_identical(more$steps, fit$steps + 10)
  expect_gt(more$evaluations, fit$evaluations)
  expect_s3_class(importance_sample(fit, n = 100), "bijectr_importance")
  skip_if_not_installed("posterior")
  for (method in c("flow", "resample", "imh")) {
    all <- suppressWarnings(posterior::as_draws(fit, n = 500, method = method), classes = "bijectr_warning_weights")
    expect_identical(dim(all), c(500L, 10L))
    expect_equal(as.numeric(all[, "variance"]), as.numeric(all[, "sigma"])^2, tolerance = 1e-12)
    expect_equal(as.numeric(rowSums(all[, c("p[1]", "p[2]", "p[3]")])), rep(1, 500), tolerance = 1e-12)
  }
})

test_that("a model of cmdstanr is the same one", {
  like <- stan_like()
  skeleton <- list(mu = 0, sigma = 0, r = 0, w = 0, o = 0, p = array(0, 3), z = 0)
  command <- structure(list(
    unconstrain_draws = function() array(0, c(2, 1, 8)),
    variable_skeleton = function(transformed_parameters, generated_quantities) {
      c(skeleton, if (transformed_parameters) list(variance = 0))
    },
    constrain_variables = function(u, transformed_parameters, generated_quantities) as.list(like$constrain(u)),
    grad_log_prob = function(u) structure(like$slope(u), log_prob = like$log_density(u))
  ), class = c("CmdStanMCMC", "CmdStanFit", "R6"))
  model <- as_model(command)
  same <- as_model(bridge())
  expect_identical(model$names, c(same$names[1:5], paste("unconstrained", 6:8)))
  x <- matrix(c(0.1, 1, 0.2, 0.3, 1, 0.5, 0.6, 0.7), 1)
  expect_identical(model$log_density(x, TRUE), same$log_density(x, TRUE))
  expect_identical(model$constrain(x), same$constrain(x))
  command$unconstrain_draws <- function() stop("not compiled")
  expect_error(fit_flow(command), "init_model_methods", class = "bijectr_error_argument")
  expect_identical(element_names("a", matrix(0, 2, 2)), c("a[1,1]", "a[2,1]", "a[1,2]", "a[2,2]"))
})

test_that("points that a model rejects have density 0, other errors are told", {
  like <- stan_like()
  rejected <- structure(class = c("std::domain_error", "C++Error", "error", "condition"), list(message = "scale"))
  at <- function(u) {
    if (u == 2) stop(rejected)
    if (u == 3) stop("no pointer")
    list(value = -u, gradient = if (u == 5) 1:2 else 1)
  }
  of <- function(u, gradient = TRUE) density_of_rows(cbind(u), at, gradient, unless_rejected(is_rejection))
  expect_identical(of(c(1, 2, 4, 2)), list(value = c(-1, -Inf, -4, -Inf), gradient = cbind(c(1, NaN, 1, NaN))))
  expect_identical(of(c(2, 1), FALSE), list(value = c(-Inf, -1)))
  expect_error(of(c(1, 3, 1)), "no pointer", class = "bijectr_error_argument")
  expect_error(of(c(2, 5)), "2 numbers for 1 parameter", class = "bijectr_error_argument")
  expect_error(density_of_rows(cbind(3), at, FALSE), "^no pointer$")
  like$log_density <- function(u) if (u[1] > 0) NaN else stan_like()$log_density(u)
  model <- as_model(bridge(like))
  expect_identical(model$log_density(matrix(1, 1, 8), TRUE)$value, -Inf)
})

test_that("objects of TMB are lists of functions", {
  count <- new.env()
  object <- list(
    par = c(beta = 0, beta = 0, log_sd = 0), env = count,
    fn = function(par) {
      count$last.par <- par
      drop(crossprod(par - c(1, 2, 3))) / 2
    },
    gr = function(par) par - c(1, 2, 3)
  )
  count$last.par <- "the user's"
  set.seed(1)
  fit <- fit_flow(object)
  expect_identical(fit$names, c("beta[1]", "beta[2]", "log_sd"))
  expect_identical(fit$steps, 0) # a normal target
  expect_equal(unname(colMeans(sample(fit, 10000))), 1:3, tolerance = 0.02)
  expect_identical(count$last.par, "the user's")
  expect_identical(check_flow(fit)$verdict, "trust")
  bounded <- fit_flow(object, support = list(log_sd = positive()), steps = 50, evaluate = 100)
  expect_true(all(sample(bounded, 100)[, 3] > 0))
  expect_error(fit_flow(object, d = 3), "the model has its own", class = "bijectr_error_argument")
  expect_error(fit_flow(replace(object, "par", list(numeric()))), "no parameters", class = "bijectr_error_argument")
  expect_error(fit_flow(replace(object, "gr", list(1))), "function `gr`|gr", class = "bijectr_error_argument")
  short <- replace(object, "gr", list(function(par) 1))
  expect_error(fit_flow(short), "1 number for 3", class = "bijectr_error_argument")
  long <- replace(object, "fn", list(function(par) par))
  expect_error(fit_flow(long), "3 numbers", class = "bijectr_error_argument")
  wrong <- replace(object, "gr", list(function(par) c(1, 2, 3) - par))
  expect_warning(fit_flow(wrong, steps = 2, start = "standard"), "gradient is not", class = "bijectr_warning_gradient")
  expect_error(fit_flow(bridge(), lower = 0), "has its own", class = "bijectr_error_argument")
})

test_that("a model in Stan, compiled", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")))
  skip_if_not_installed("rstan")
  if (dir.exists("/usr/include/boost")) rstan::rstan_options(boost_lib = "/usr/include") # Debian's BH is empty
  code <- "
    data { int<lower=0> n; vector[n] x; vector[n] y; }
    parameters { vector[2] beta; real<lower=0> sigma; simplex[3] p; }
    transformed parameters { real sigma2 = sigma^2; }
    model { y ~ normal(beta[1] + beta[2] * x, sigma); }
    generated quantities {
      vector[n] log_lik;
      for (i in 1:n) log_lik[i] = normal_lpdf(y[i] | beta[1] + beta[2] * x[i], sigma);
    }"
  compiled <- rstan::stan_model(model_code = code)
  data <- list(n = nrow(cars), x = cars$speed, y = cars$dist)
  empty <- suppressMessages(rstan::sampling(compiled, data = data, chains = 0))
  set.seed(1)
  fit <- fit_flow(empty)
  expect_identical(fit$names, c("beta[1]", "beta[2]", "sigma", "unconstrained p[1]", "unconstrained p[2]"))
  expect_true(check_flow(fit)$verdict != "do not trust")
  draws <- posterior::as_draws(fit, n = 4000, method = "resample")
  expect_identical(ncol(draws), 57L)
  # flat priors: the posterior of beta is Student's t about least squares, that of a flat simplex is known
  squares <- summary(lm(dist ~ speed, cars))$coefficients
  expect_lt(max(abs(colMeans(draws[, 1:2]) - squares[, 1]) / squares[, 2]), 0.1)
  expect_lt(max(abs(colMeans(draws[, c("p[1]", "p[2]", "p[3]")]) - 1 / 3)), 0.02)
  at <- draws[1, ]
  expect_equal(as.numeric(at[, "log_lik[7]"]),
    dnorm(cars$dist[7], at[, "beta[1]"] + at[, "beta[2]"] * cars$speed[7], at[, "sigma"], log = TRUE)[1],
    tolerance = 1e-9
  )
  file <- tempfile()
  saveRDS(empty, file)
  expect_error(callr::r(function(file) bijectr::fit_flow(readRDS(file)), list(file), libpath = .libPaths()), "session")
})

test_that("an object of TMB, compiled, random effects and all", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")))
  skip_if_not_installed("TMB")
  folder <- tempfile()
  dir.create(folder)
  file <- file.path(folder, "groups.cpp")
  writeLines("
    #include <TMB.hpp>
    template<class Type> Type objective_function<Type>::operator() () {
      DATA_VECTOR(y); DATA_IVECTOR(g); PARAMETER(mu); PARAMETER_VECTOR(u);
      Type out = -dnorm(u, Type(0), Type(1), true).sum();
      for (int i = 0; i < y.size(); i++) out -= dnorm(y(i), mu + u(g(i)), Type(0.5), true);
      return out;
    }", file)
  TMB::compile(file, "-O0 -w")
  dyn.load(TMB::dynlib(sub("[.]cpp$", "", file)))
  set.seed(5)
  g <- rep(0:3, each = 5)
  y <- 2 + rnorm(4)[g + 1] + rnorm(20, sd = 0.5)
  object <- function(random) {
    TMB::MakeADFun(list(y = y, g = g), list(mu = 0, u = numeric(4)), random = random, DLL = "groups", silent = TRUE)
  }
  # balanced: the mean of the groups is normal, with variance (1 + 0.25 / 5) / 4
  for (random in list("u", NULL)) {
    fit <- fit_flow(object(random))
    expect_identical(fit$d, if (is.null(random)) 5L else 1L)
    mu <- sample(fit, 20000)[, "mu"]
    expect_lt(abs(mean(mu) - mean(y)), 0.02)
    expect_lt(abs(sd(mu) / sqrt(1.05 / 4) - 1), 0.02)
  }
})

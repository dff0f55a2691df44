# Censored times: what is known of rows, their likelihoods, fits and errors.

skip_if_not_installed("survival")
Surv <- survival::Surv

times_stack <- function(kinds = c("weibull", "lognormal", "loglogistic"), ...) stack_members(kinds, folds = 2, ...)
quiet_times <- function(...) {
  suppressWarnings(fit_flow(..., progress = FALSE), classes = "bijectr_warning_extrapolation")
}

weibull_times <- function(n, censored = 1) {
  d <- data.frame(x = rnorm(n), g = factor(sample(c("a", "b", "c"), n, TRUE)))
  t <- exp(1 + 0.5 * d$x - 0.3 * (d$g == "b")) * rexp(n)^(1 / 1.7)
  c <- rexp(n, 0.12 * censored)
  d$time <- pmin(t, c)
  d$status <- as.numeric(t <= c)
  d
}

test_that("rows of every type of Surv are read", {
  of <- function(...) read_times(Surv(...), "data")
  right <- of(c(3, 5, NA), c(1, 0, 1))
  expect_identical(right$value, c(3, 5, NA))
  expect_identical(right$rows, list(
    lower = c(3, 5, NA), upper = c(3, Inf, NA), from = c(-Inf, -Inf, NA), to = c(Inf, Inf, NA)
  ))
  left <- of(c(3, 5), c(1, 0), type = "left")$rows
  expect_identical(left[c("lower", "upper")], list(lower = c(3, -Inf), upper = c(3, 5)))
  entry <- of(c(1, 2), c(3, 5), c(1, 0))$rows
  expect_identical(entry, list(lower = c(3, 5), upper = c(3, Inf), from = c(1, 2), to = c(Inf, Inf)))
  two <- of(c(1, NA, 2, 4), c(2, 3, NA, 4), type = "interval2")
  expect_identical(two$rows[c("lower", "upper")], list(lower = c(1, -Inf, 2, 4), upper = c(2, 3, Inf, 4)))
  expect_identical(two$value, c(1.5, 3, 2, 4))
  coded <- of(c(1, 1, 1, 1), rep(2, 4), 0:3, type = "interval")$rows
  expect_identical(coded[c("lower", "upper")], list(lower = c(1, 1, -Inf, 1), upper = c(Inf, 1, 1, 2)))
  expect_error(of(1:3, factor(c("a", "b", "c")), type = "mstate"), "multistate", class = "bijectr_error_argument")
})

test_that("the coordinate has the name of the time", {
  expect_identical(times_label(quote(Surv(time, status))), "time")
  expect_identical(times_label(quote(survival::Surv(log(days), event = dead == 1))), "log(days)")
  expect_identical(times_label(quote(Surv(start, stop, event))), "stop")
  expect_identical(times_label(quote(Surv(a, b, type = "interval2"))), "time")
})

test_that("likelihoods of a Weibull fit are its closed forms, whatever is known of a row", {
  set.seed(1)
  d <- weibull_times(200)
  fit <- fit_flow(Surv(time, status) ~ 1, data = d, members = times_stack("weibull"))
  hazard <- predict(fit, type = "cumhazard", times = c(1, 2))
  shape <- log2(hazard[2] / hazard[1])
  scale <- hazard[1]^(-1 / shape)
  below <- function(t, ...) stats::pweibull(t, shape, scale, ...)
  t <- c(0.01, 0.7, 3, 20)
  u <- t * 1.3
  density <- stats::dweibull(t, shape, scale, log = TRUE)
  expect_equal(logdensity(fit, t), density, tolerance = 1e-9)
  expect_equal(logdensity(fit, Surv(t, c(1, 1, 1, 1))), density, tolerance = 1e-9)
  expect_equal(logdensity(fit, Surv(t, rep(0, 4))), below(t, lower.tail = FALSE, log.p = TRUE), tolerance = 1e-9)
  expect_equal(logdensity(fit, Surv(t, rep(0, 4), type = "left")), below(t, log.p = TRUE), tolerance = 1e-9)
  expect_equal(logdensity(fit, Surv(t, u, type = "interval2")), log(below(u) - below(t)), tolerance = 1e-9)
  entry <- below(t, lower.tail = FALSE, log.p = TRUE)
  expect_equal(logdensity(fit, Surv(t, u, rep(1, 4))), stats::dweibull(u, shape, scale, log = TRUE) - entry,
               tolerance = 1e-9)
  expect_equal(logdensity(fit, Surv(t, u, rep(0, 4))), below(u, lower.tail = FALSE, log.p = TRUE) - entry,
               tolerance = 1e-9)
  expect_equal(fit$loglik, sum(logdensity(fit, d)), tolerance = 1e-12)
  ours <- survival::survreg(Surv(time, status) ~ 1, d)
  expect_equal(as.numeric(logLik(fit)), as.numeric(logLik(ours)), tolerance = 1e-9)
})

test_that("likelihoods of a flow and of a stack are integrals of their densities", {
  set.seed(2)
  d <- weibull_times(150)
  new <- data.frame(x = 0.3, g = "b")
  flows <- list(
    quiet_times(Surv(time, status) ~ x + g, data = d, members = 1, steps = 60),
    quiet_times(Surv(time, status) ~ x + g, data = d, steps = 60,
                members = times_stack(c("weibull", "lognormal", "spline", "affine_t"), fits = 1))
  )
  for (fit in flows) {
    of <- function(...) logdensity(fit, Surv(...), condition = new)
    density <- function(t) exp(of(t, rep(1, length(t))))
    by_log <- function(s) density(exp(s)) * exp(s)
    mass <- function(a, b) {
      stats::integrate(by_log, log(a), log(b), rel.tol = 1e-8, subdivisions = 2000)$value
    }
    expect_equal(of(1, 3, type = "interval2"), log(mass(1, 3)), tolerance = 1e-7)
    expect_equal(exp(of(1, 0)), 1 - mass(1e-12, 1), tolerance = 1e-6)
    expect_equal(of(1, 3, 0) + of(1, 0), of(3, 0), tolerance = 1e-9) # past the entry
    parts <- exp(c(of(1, 2, type = "interval2"), of(2, 3, type = "interval2")))
    expect_equal(log(sum(parts)), of(1, 3, type = "interval2"), tolerance = 1e-9)
    expect_equal(exp(of(2, 0)) + exp(of(2, 0, type = "left")), 1, tolerance = 1e-9)
    expect_equal(fit$loglik, sum(logdensity(fit, d)), tolerance = 1e-12)
    at <- predict(fit, new, "survival", times = c(0.5, 2))
    expect_equal(at[1, ], exp(c("0.5" = of(0.5, 0), "2.0" = of(2, 0))), tolerance = 1e-9)
    expect_equal(predict(fit, new, "cumhazard", times = 2)[1], -of(2, 0), tolerance = 1e-9)
    expect_equal(predict(fit, new, "hazard", times = 2)[1], density(2) / exp(of(2, 0)), tolerance = 1e-9)
    p <- c(lower = 0.1, upper = 0.9)
    q <- predict(fit, new, "quantile", p = p)
    expect_identical(colnames(q), names(p))
    expect_equal(1 - as.vector(predict(fit, new, "survival", times = as.vector(q))), unname(p), tolerance = 1e-9)
  }
})

test_that("accelerated failure times are those of survreg, for all types of rows", {
  set.seed(3)
  d <- weibull_times(150)
  n <- nrow(d)
  ends <- d$time * exp(runif(n, 0, 1))
  rows <- list(
    right = Surv(d$time, d$status), left = Surv(d$time, d$status, type = "left"),
    interval = Surv(ifelse(runif(n) < 0.2, NA, d$time), ifelse(runif(n) < 0.2, NA, ends), type = "interval2")
  )
  shapes <- c(weibull = "minimum", lognormal = "normal", loglogistic = "logistic")
  x <- cbind(d$x, d$g == "b")
  for (y in rows) {
    there <- !is.na(y)
    on_log <- function(end) ifelse(end == -Inf, -Inf, log(pmax(end, 0)))
    ends <- lapply(read_times(y[there], "y")$rows, on_log)
    for (name in names(shapes)) {
      ours <- fit_times(ends, x[there, ], NULL, TIMES_SHAPES[[shapes[[name]]]], 0)
      theirs <- survival::survreg(y[there] ~ x[there, ], dist = name)
      expect_equal(c(ours$loc, ours$slope, ours$scale), unname(c(coef(theirs), theirs$scale)), tolerance = 1e-3)
    }
  }
  # a prior draws slopes to 0; weights are rows that are there as often
  weak <- fit_times(ends, x[there, ], NULL, TIMES_SHAPES$normal, 0)
  strong <- fit_times(ends, x[there, ], NULL, TIMES_SHAPES$normal, 100)
  expect_true(all(abs(strong$slope / strong$scale) < abs(weak$slope / weak$scale)))
  w <- rep(1:2, length.out = sum(there))
  twice <- rep(seq_along(w), w)
  expect_equal(
    fit_times(ends, x[there, ], w, TIMES_SHAPES$logistic, 0),
    fit_times(lapply(ends, `[`, twice), x[there, ][twice, ], NULL, TIMES_SHAPES$logistic, 0), tolerance = 1e-4
  )
})

test_that("the gradient of their likelihood is that of differences, entry times among it", {
  set.seed(4)
  n <- 40
  lower <- rnorm(n)
  upper <- lower + sample(c(0, 1, Inf), n, TRUE)
  lower[1:5] <- -Inf
  entry <- ifelse(runif(n) < 0.5, pmin(lower, 0) - 0.5, -Inf)
  ends <- list(lower = lower, upper = upper, from = entry, to = rep(Inf, n))
  ends$to[6:9] <- pmax(upper[6:9], 2) + 1
  x <- cbind(1, rnorm(n))
  rows <- list(which(ends$lower == ends$upper), which(ends$lower < ends$upper), which(ends$from > -Inf | ends$to < Inf))
  theta <- c(0.3, -0.2, 0.5)
  for (shape in TIMES_SHAPES) {
    value <- function(theta) times_likelihood(theta, ends, x, shape, rows[[1]], rows[[2]], rows[[3]])
    h <- 1e-6
    numeric <- vapply(1:3, function(i) {
      (sum(value(replace(theta, i, theta[i] + h))$value) - sum(value(replace(theta, i, theta[i] - h))$value)) / (2 * h)
    }, 0)
    at <- value(theta)
    expect_equal(c(sum(at$by_log_a), drop(crossprod(x, at$by_b))), numeric, tolerance = 1e-6)
  }
})

test_that("numbers that stand for rows are means within their intervals", {
  z <- normal_moments(c(-1, 2, -Inf, 30), c(1, Inf, -2, 31))
  within <- function(f, a, b) {
    stats::integrate(function(x) f(x) * dnorm(x), a, b, rel.tol = 1e-10)$value / (pnorm(b) - pnorm(a))
  }
  expect_equal(z$mean[1:3], c(within(identity, -1, 1), 2.373216, -2.373216), tolerance = 1e-6)
  expect_equal(z$variance[1], within(function(x) x^2, -1, 1), tolerance = 1e-9)
  expect_equal(z$mean[4], 30 + 1 / 30, tolerance = 1e-3)
  set.seed(5)
  t <- rlnorm(2000, 1, 0.5)
  c <- rlnorm(2000, 1.3, 0.5)
  rows <- read_times(Surv(pmin(t, c), t <= c), "data")$rows
  value <- representatives(rows, positive(curve = "log"))
  expect_identical(value[t <= c], t[t <= c])
  expect_true(all(value >= rows$lower))
  expect_equal(mean(log(value)), 1, tolerance = 0.03)
})

test_that("what status 1 and 2 meant is remembered, as are columns of times and plain times", {
  set.seed(6)
  d <- weibull_times(120)
  d$code <- d$status + 1
  fit <- quiet_times(Surv(time, code) ~ x, data = d, members = times_stack("weibull"))
  plain <- quiet_times(Surv(time, status == 1) ~ x, data = d, members = times_stack("weibull"))
  each <- logdensity(fit, d)
  expect_equal(each, logdensity(fit, Surv(d$time, d$status), condition = d["x"]))
  censored <- which(d$status == 0)
  expect_equal(logdensity(fit, d[censored, ]), each[censored])
  expect_identical(fit$censoring[["right"]], length(censored))
  expect_equal(logdensity(fit, d[c("x", "time")]), logdensity(fit, transform(d, code = 2)))
  d$y <- Surv(d$time, d$status)
  of_column <- quiet_times(y ~ x, data = d, members = times_stack("weibull"))
  expect_equal(logdensity(of_column, d), logdensity(plain, d), tolerance = 0.5)
  d$time[2] <- NA
  expect_identical(which(is.na(logdensity(fit, d))), 2L)
  expect_named(sample(fit, 2, condition = d[1:2, ]), "time")
  formula <- Surv(time, code) ~ x
  environment(formula) <- new.env(parent = baseenv()) # where nobody knows Surv()
  expect_s3_class(quiet_times(formula, data = d[-2, ], members = times_stack("weibull")), "bijectr_stack")
})

test_that("missing values, subset, weights and entry times work as elsewhere", {
  set.seed(7)
  d <- weibull_times(120)
  d$w <- rep(c(1, 2, 0), 40)
  d$status[3] <- NA
  fit <- function(...) quiet_times(Surv(time, status) ~ x, data = d, members = times_stack("weibull"), ...)
  expect_error(fit(), "row 3, column time is NA", class = "bijectr_error_argument")
  expect_error(fit(na = "model"), "not for censored times", class = "bijectr_error_argument")
  some <- fit(na.action = na.omit, subset = time > 0.1, weights = w)
  expect_identical(unname(unclass(some$na.action))[1], 3L)
  used <- d[!is.na(d$status) & d$time > 0.1, ]
  each <- suppressWarnings(logdensity(some, used)) # of rows without weight, which may lie beyond the others
  expect_equal(some$loglik, sum(used$w * each), tolerance = 1e-9)
  expect_identical(some$nobs, sum(used$w > 0))
  framed <- fit_flow(Surv(time, status) ~ x, data = d, na.action = na.omit, members = times_stack("weibull"))
  expect_identical(dim(model.frame(framed, d)), c(119L, 2L))
  late <- subset(transform(d, entry = runif(120, 0, 1)), entry < time & !is.na(status))
  for (members in list(1, times_stack(c("lognormal", "spline"), fits = 1))) {
    of <- quiet_times(Surv(entry, time, status) ~ x, data = late, members = members, steps = 40)
    expect_identical(of$censoring[["truncated"]], nrow(late))
    expect_identical(of$names, "time")
    expect_equal(sum(logdensity(of, late)), of$loglik, tolerance = 1e-12)
  }
})

test_that("fits of times print, go on, start others, are saved and checked; vectors are fitted too", {
  set.seed(8)
  d <- weibull_times(120)
  one <- quiet_times(Surv(time, status) ~ x, data = d, members = 1, steps = 40, keep_state = TRUE)
  expect_output(print(one), "support: time \\(0, Inf\\) by log\n  rows:    [0-9]+ events, [0-9]+ right-censored")
  expect_output(print(summary(one)), "Mean log likelihood")
  expect_gte(resume(one, d, steps = 200)$held_out_loglik, one$held_out_loglik - 1e-9)
  again <- quiet_times(Surv(time, status) ~ x, data = d, layers = one, steps = 5)
  expect_identical(again$censoring, one$censoring)
  stack <- quiet_times(Surv(time, status) ~ x, data = d, members = times_stack(c("weibull", "spline"), fits = 2),
                       steps = 40)
  expect_output(print(stack), "mean log likelihood of 120 rows")
  expect_s3_class(resume(stack, d, steps = 5), "bijectr_stack")
  other <- transform(d, status = 1 - status)
  expect_warning(resume(one, other, steps = 5), class = "bijectr_warning_data")
  file <- tempfile(fileext = ".rds")
  saveRDS(stack, file)
  expect_identical(logdensity(readRDS(file), d), logdensity(stack, d))
  y <- Surv(d$time, d$status)
  of_vector <- quiet_times(y, condition = d["x"], members = times_stack("weibull"))
  expect_true(is.numeric(sample(of_vector, 3, condition = d[1:3, "x", drop = FALSE])))
  expect_equal(of_vector$loglik, sum(logdensity(of_vector, y, condition = d["x"])), tolerance = 1e-12)
  wider <- quiet_times(Surv(log(time), status) ~ x, data = d, support = "real", members = times_stack("lognormal"))
  expect_identical(wider$names, "log(time)")
  expect_equal(sum(logdensity(wider, d)), wider$loglik, tolerance = 1e-12)
  expect_warning(
    asked <- fit_flow(Surv(time, status) ~ 1, data = d, members = stack_members(c("weibull", "full"), folds = 2)),
    "full: it is not for censored times", class = "bijectr_warning_members"
  )
  expect_identical(names(asked$left_out), "full")
})

test_that("every base with a density takes censored times", {
  set.seed(12)
  n <- 400
  x <- runif(n)
  time <- exp(ifelse(runif(n) < 0.5, -1, 1) + x + 0.3 * rnorm(n)) # two modes in log(time)
  censored <- exp(rnorm(n, 1.5))
  d <- data.frame(time = pmin(time, censored), status = time <= censored, x)
  by_log <- list(layer_elementwise(scalar_affine()))
  bases <- list(
    base_normal(TRUE), base_mixture(2, net = net_mlp(4)), base_mixture(2), base_student_t(5, trainable = TRUE),
    base_gaussian_mixture(2), base_mvstudent_t(5), base_mvnormal()
  )
  held <- vapply(bases, function(base) {
    fit_flow(Surv(time, status) ~ x, d, layers = by_log, base = base, steps = 400, progress = FALSE)$held_out_loglik
  }, 0)
  expect_true(all(is.finite(held)))
  expect_gt(held[2], max(held[c(1, 4, 7)])) # two normals, moved by x, are the truth
})

test_that("what cannot be is one clear error", {
  d <- data.frame(time = c(1, 2, 3, 0), status = c(1, 0, 1, 1), x = 1:4)
  refused <- function(formula, regexp, data = d, ...) {
    expect_error(fit_flow(formula, data = data, members = 1, steps = 2, ...), regexp, class = "bijectr_error_argument")
  }
  refused(Surv(time, status) ~ 1, "row 4 has an event at 0")
  refused(Surv(time - 2, status) ~ 1, "times outside its support", d[1:3, ])
  refused(cbind(Surv(time, status), x) ~ 1, "fitted alone", d[1:3, ])
  refused(Surv(time, 0 * status) ~ 1, "not right-censored", d[1:3, ])
  refused(Surv(time, factor(status + time)) ~ 1, "multistate")
  refused(Surv(time, status) ~ 1, "are not for censored times", d[1:3, ], support = counts())
  # censored at 0 says nothing, and harms nothing
  d$status[4] <- 0
  fit <- suppressWarnings(fit_flow(Surv(time, status) ~ 1, data = d, members = 1, steps = 2))
  expect_identical(logdensity(fit, d)[4], 0)
  expect_error(predict(fit, type = "survival"), "`times` is missing", class = "bijectr_error_argument")
  expect_error(predict(fit, 0.5, "density", p = 0.5), "`p` is for", class = "bijectr_error_argument")
  expect_error(predict(fit, 0.5, "density", times = 0.5), "`times` is for", class = "bijectr_error_argument")
})

test_that("survival functions and quantiles of other flows of one coordinate have the shape of rows and columns", {
  set.seed(9)
  fit <- fit_flow(dist ~ speed, data = cars, steps = 60, progress = FALSE)
  new <- data.frame(speed = c(10, NA, 20))
  s <- predict(fit, new, "survival", times = c(20, 40))
  expect_identical(dim(s), c(3L, 2L))
  expect_identical(colnames(s), c("20", "40"))
  expect_identical(is.na(s[, 1]), c(FALSE, TRUE, FALSE))
  expect_equal(s[3, 2], c("40" = pflow(40, fit, condition = new[3, , drop = FALSE], lower.tail = FALSE)))
  q <- predict(fit, new[-2, , drop = FALSE], "quantile", p = c(0.1, 0.5))
  expect_equal(q, quantile(fit, c(0.1, 0.5), condition = new[-2, , drop = FALSE]))
  plain <- fit_flow(faithful$waiting, steps = 40, progress = FALSE)
  expect_identical(dim(predict(plain, type = "survival", times = 60)), c(1L, 1L))
  y <- rpois(100, 3)
  whole <- fit_flow(y, support = counts(), steps = 40, progress = FALSE)
  expect_equal(predict(whole, type = "survival", times = c(2, 2.5))[1, ],
               c("2.0" = 1, "2.5" = 1) * pflow(2, whole, lower.tail = FALSE))
  expect_equal(predict(whole, type = "hazard", times = 3)[1], dflow(3, whole) / pflow(2, whole, lower.tail = FALSE))
})

test_that("survival functions are drawn beside the estimate of Kaplan and Meier", {
  set.seed(10)
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  d <- weibull_times(100)
  fit <- quiet_times(Surv(time, status) ~ x, data = d, members = times_stack("weibull"))
  new <- data.frame(x = c(-1, 0.5))
  shown <- plot(fit, "survival", newdata = new, data = d, grid = 11)
  expect_equal(shown$survival, unname(predict(fit, new, "survival", times = shown$x)), tolerance = 1e-12)
  theirs <- survival::survfit(Surv(time, status) ~ 1, d)
  expect_equal(shown$data$survival[-1], theirs$surv)
  mean <- plot(fit, "survival", data = d)
  each <- predict(fit, d, "survival", times = mean$x)
  expect_equal(mean$survival[1, ], unname(colMeans(each)), tolerance = 1e-12)
  early <- 1:50
  at <- stats::approx(mean$x, mean$survival, theirs$time[early])$y
  expect_lt(max(abs(at - theirs$surv[early])), 0.1)
  expect_error(plot(fit, "survival"), "condition` is missing", class = "bijectr_error_argument")
  expect_error(plot(fit, newdata = new), "`newdata` is for", class = "bijectr_error_argument")
  plain <- fit_flow(faithful$waiting, steps = 40, progress = FALSE)
  expect_equal(plot(plain, "survival", data = faithful$waiting)$data$survival[2], 1 - 1 / 272)
})

test_that("a check draws censored times where they can be, and knows the rows of a fit", {
  set.seed(11)
  d <- weibull_times(600)
  fit <- quiet_times(Surv(time, status) ~ x + g, data = d, members = times_stack("weibull"))
  expect_match(paste(check_flow(fit, d)$notes, collapse = " "), "trained on")
  new <- suppressWarnings(check_flow(fit, weibull_times(600)))
  expect_identical(new$verdict, "trust")
  expect_match(paste(new$notes, collapse = " "), "Censored times are looked at")
})

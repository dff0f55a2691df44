# Stacks: what fit_flow() makes of a table alone, and every verb on it.

few <- function(data, kinds = c("normal", "student_t", "full", "spline"), ..., folds = 2) {
  fit_flow(data, ..., members = stack_members(kinds, folds = folds), steps = 20)
}
set.seed(1)
stack <- few(faithful)
one <- few(faithful$waiting)
given <- few(waiting ~ eruptions, kinds = c("normal", "student_t", "spline"), data = faithful)

# The density of a stack by its definition.
by_hand <- function(stack, points, condition = NULL) {
  densities <- lapply(stack$members, function(member) {
    rowMeans(vapply(member$flows, function(f) exp(native_log_density(f, points, condition)), numeric(nrow(points))))
  })
  log(Reduce(`+`, Map(`*`, densities, vapply(stack$members, `[[`, 0, "weight"))))
}

test_that("a table alone is fitted by a stack, anything said of one flow by one", {
  set.seed(2)
  expect_s3_class(fit_flow(trees[1:2], members = c("normal", "shrunk")), "bijectr_stack")
  x <- faithful[1:40, ]
  is_one <- function(...) !inherits(fit_flow(x, ...), "bijectr_stack")
  expect_true(is_one(steps = 3))
  expect_true(is_one(layers = layer_elementwise(scalar_affine()), steps = 3))
  expect_true(is_one(members = 1, steps = 3))
  expect_true(is_one(control = fit_control(steps = 3)))
  expect_error(fit_flow(x, layer_flip(), members = 3), "beside `layers`", class = "bijectr_error_argument")
  expect_error(fit_flow(x, members = "nothing"), "There is no kind of member", class = "bijectr_error_argument")
  expect_error(fit_flow(x, members = 1.5), "`members` must be one whole number", class = "bijectr_error_argument")
  expect_error(fit_flow(x, members = 2, validation = 0.1), "`validation` is for a single flow",
    class = "bijectr_error_argument"
  )
})

test_that("a stack is a fit, and a weighted mean of its members", {
  expect_s3_class(stack, c("bijectr_stack", "bijectr_fit", "bijectr_flow"), exact = TRUE)
  points <- as.matrix(faithful)[c(1, 50, 100), ]
  expect_equal(logdensity(stack, points), by_hand(stack, unname(points)), tolerance = 1e-12)
  expect_equal(dflow(faithful[1:3, ], stack), exp(logdensity(stack, faithful[1:3, ])))
  weights <- vapply(stack$members, `[[`, 0, "weight")
  expect_equal(sum(weights), 1)
  expect_true(all(weights > 0))
  expect_identical(stack$nobs, 272L)
  expect_equal(as.numeric(logLik(stack)), sum(logdensity(stack, faithful)))
  expect_length(coef(stack), attr(logLik(stack), "df"))
  expect_output(print(stack), "272 rows, held out in 2 parts")
  expect_output(print(summary(stack)), "normal mixture")
  expect_identical(names(summary(stack)$members), c("member", "weight", "flows", "held out", "gain"))
})

test_that("what is printed counts rows and flows once", {
  shown <- function(x) paste(capture.output(print(x)), collapse = "\n")
  expect_match(shown(summary(stack)), "Rows: +272, held out in 2 parts\n")
  set.seed(2)
  single <- fit_flow(faithful, members = stack_members("student_t", folds = 3, fits = 1))
  expect_match(shown(single), "<stack of 1 flow> ", fixed = TRUE)
  expect_match(shown(single), "mean log density of 91 held-out rows: ", fixed = TRUE)
  about <- shown(summary(single))
  expect_match(about, "Rows: +272, 91 of them held out\n")
  # without a member of that kind there is nothing to say of the normal
  expect_no_match(about, "NA|normal")
})

test_that("draws are those of the members by their weights, in the form of the data", {
  set.seed(3)
  draws <- sample(stack, 4000)
  expect_s3_class(draws, "data.frame")
  expect_named(draws, names(faithful))
  expect_identical(nrow(sample(stack, 0)), 0L)
  # the distribution function of the log density at draws is that at draws of the mixture by hand
  parts <- weighted_flows(stack)
  hand <- do.call(rbind, lapply(parts, function(part) {
    points_drawn(part$flow, round(4000 * part$weight), NULL)
  }))
  ks <- suppressWarnings(stats::ks.test(logdensity(stack, draws), logdensity(stack, unname(hand))))
  expect_gt(ks$p.value, 1e-3)
  set.seed(4)
  first <- sample(stack, 10)
  set.seed(4)
  expect_identical(sample(stack, 10), first)
  set.seed(5)
  expect_length(simulate(stack, 2, n = 5), 2)
})

test_that("distribution and quantile functions of a stack are inverse to each other, far into the tails", {
  p <- c(1e-12, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9)
  q <- qflow(p, one)
  expect_equal(pflow(q, one), p, tolerance = 1e-9)
  expect_equal(pflow(q, one, lower.tail = FALSE), 1 - p, tolerance = 1e-6)
  expect_equal(qflow(-40, one, log.p = TRUE), qflow(exp(-40), one))
  expect_identical(pflow(c(-Inf, Inf), one), c(0, 1))
  expect_identical(qflow(c(0, 1), one), c(-Inf, Inf))
  h <- 1e-4
  slope <- (pflow(70 + h, one) - pflow(70 - h, one)) / (2 * h)
  expect_equal(slope, dflow(70, one), tolerance = 1e-6)
  q <- qflow(c(0.1, 0.9), given, condition = data.frame(eruptions = c(2, 4)))
  expect_equal(pflow(q, given, condition = data.frame(eruptions = c(2, 4))), c(0.1, 0.9), tolerance = 1e-9)
})

test_that("quantiles are right where members are hundreds of decades apart", {
  set.seed(1)
  stack <- fit_flow(rexp(60), members = c("normal", "student_t"), support = positive(), progress = FALSE)
  p <- c(1e-30, 1e-13, 1e-12, 1e-6, 0.3)
  for (lower in c(TRUE, FALSE)) {
    q <- qflow(p, stack, lower.tail = lower)
    back <- pflow(q, stack, lower.tail = lower)
    seen <- q > 2.3e-308 & q < 1.7e308 # what lies beyond is at the end of all numbers
    expect_true(all(seen[-1]))
    expect_equal(log(back[seen]), log(p[seen]), tolerance = 1e-9)
    expect_true(all(back[!seen] > p[!seen]))
  }
  expect_equal(qflow(1e-30, stack), .Machine$double.xmin)
})

test_that("stacks given conditions know them by name, and have means", {
  new <- data.frame(eruptions = c(2, 4))
  set.seed(6)
  draws <- sample(given, 4000, condition = new[rep(1:2, each = 2000), , drop = FALSE])
  means <- predict(given, new, "response")
  spread <- tapply(draws$waiting, rep(1:2, each = 2000), function(x) c(mean(x), sd(x) / sqrt(2000)))
  for (i in 1:2) expect_lt(abs(spread[[i]][1] - means[i]), 4 * spread[[i]][2])
  expect_equal(
    predict(given, faithful[1:3, ]), by_hand(given, as.matrix(faithful[1:3, "waiting"]), take_condition(
      given, faithful[1:3, ], 3
    )), tolerance = 1e-12
  )
  expect_error(logdensity(given, 50), "is missing", class = "bijectr_error_argument")
  expect_true(is.na(predict(given, data.frame(waiting = NA, eruptions = 2))))
})

test_that("what needs one flow says so", {
  for (wrong in expression(
    forward(stack, cbind(0, 0)), inverse(stack, faithful), params(stack), plot(stack, "layers"), plot(stack, "loss"),
    predict(stack, faithful, "latent"), fit_flow(faithful, stack, steps = 2)
  )) {
    expect_error(eval(wrong), "members = 1", class = "bijectr_error_argument")
  }
  expect_error(forward(stack, cbind(0, 0)), "in common; `forward()` needs one", fixed = TRUE)
  expect_error(params(stack), "in common; `params()` needs one", fixed = TRUE)
  expect_error(animate_layers(stack, tempfile()), "in common; `animate_layers()` needs one", fixed = TRUE)
  expect_error(plot(stack, "loss"), "in common; `type = \"loss\"` needs one", fixed = TRUE)
  expect_error(predict(stack, faithful, "latent"), "in common; `type = \"latent\"` needs one", fixed = TRUE)
})

test_that("a stack from a file is the same, and a damaged one is refused", {
  file <- tempfile(fileext = ".rds")
  saveRDS(stack, file)
  again <- readRDS(file)
  expect_identical(again, stack)
  expect_identical(logdensity(again, faithful), logdensity(stack, faithful))
  damage <- function(change) {
    broken <- stack
    broken <- change(broken)
    expect_error(logdensity(broken, faithful), "damaged|cannot be used", class = "bijectr_error")
  }
  damage(function(x) replace(x, "members", list(NULL)))
  damage(function(x) replace(x, "d", 3))
  damage(function(x) {
    x$members[[1]]$weight <- -1
    x
  })
  damage(function(x) {
    x$members[[2]]$flows[[1]]$params <- 1
    x
  })
  damage(function(x) {
    x$members[[1]]$flows <- list(stack)
    x
  })
})

test_that("the bits are the same for any number of processes and threads", {
  make <- function(threads, fork) {
    old <- options(bijectr.threads = threads, bijectr.fork = fork)
    on.exit(options(old))
    set.seed(7)
    few(faithful)
  }
  first <- make(1L, FALSE)
  same <- setdiff(names(first), "seconds")
  for (other in list(make(2L, FALSE), make(2L, TRUE), make(1L, TRUE))) {
    expect_identical(unclass(other)[same], unclass(first)[same])
  }
})

test_that("jobs beside others have one thread, and leave the option as it was", {
  old <- options(bijectr.threads = 2L)
  on.exit(options(old))
  expect_identical(on_one_thread(function(job) c(job, thread_count()))(5L), c(5L, 1L))
  expect_identical(thread_count(), 2L)
  expect_identical(future_workers(), 1)
})

test_that("weights of cases count, and rows of weight 0 do not", {
  set.seed(8)
  x <- data.frame(x = c(rnorm(100), 50 + rnorm(20)))
  w <- rep(c(1, 0), c(100, 20))
  set.seed(9)
  fit <- few(x, kinds = c("normal", "student_t", "full"), weights = w)
  expect_lt(abs(qflow(0.5, fit)), 0.5)
  expect_lt(max(abs(sample(fit, 500)$x)), 30)
  set.seed(9)
  scaled <- few(x, kinds = c("normal", "student_t", "full"), weights = 1e6 * w)
  expect_equal(logdensity(scaled, x), logdensity(fit, x), tolerance = 1e-6)
})

test_that("kernels in several pieces have the weights of their rows", {
  set.seed(1)
  w <- rep(c(1, 9), 200)
  fit <- fit_flow(rnorm(400) + ifelse(w == 9, 50, 0), weights = w, members = "kernel")
  expect_equal(pflow(25, fit), 0.1)
  draws <- as.numeric(unlist(sample(fit, 4000)))
  expect_lt(abs(mean(draws < 25) - 0.1), 0.02)
})

test_that("rows of next to no weight are no evidence", {
  set.seed(1)
  x <- matrix(rnorm(1200), 600)
  w <- c(rep(1, 30), rep(1e-4, 570))
  densities <- cbind(normal = rnorm(600), full = rnorm(600))
  expect_equal(
    stack_weights(densities, rep_len(1:5, 600), w), stack_weights(densities[1:30, ], rep_len(1:5, 30)),
    tolerance = 0.02
  )
})

test_that("columns that nearly depend on each other have the density that a normal distribution says", {
  set.seed(1)
  for (e in c(1e-3, 1e-6)) {
    a <- rnorm(300)
    x <- cbind(a = a, b = a + e * rnorm(300))
    exact <- mean(dnorm(x[, 1], mean(x[, 1]), sd(x[, 1]), log = TRUE)) +
      mean(dnorm(x[, 2] - x[, 1], mean(x[, 2] - x[, 1]), sd(x[, 2] - x[, 1]), log = TRUE))
    for (kind in c("normal", "student_t", "shared", "full")) {
      expect_lt(abs(mean(logdensity(fit_flow(x, members = kind), x)) - exact), 0.1, label = paste(kind, e))
    }
  }
})

test_that("linear regression of logs has the mean of a lognormal distribution", {
  set.seed(1)
  d <- data.frame(x = rnorm(40))
  d$y <- exp(1 + 0.5 * d$x + 0.5 * rnorm(40))
  fit <- fit_flow(log(y) ~ x, data = d, members = c("normal", "student_t"))
  line <- lm(log(y) ~ x, data = d)
  at <- data.frame(x = c(-1, 0, 1))
  expect_equal(
    unname(as.numeric(unlist(predict(fit, type = "response", condition = at)))),
    unname(exp(predict(line, at) + summary(line)$sigma^2 / 2)),
    tolerance = 0.03
  )
})

test_that("flows that a budget stopped early are told by the status, and the session's generator makes the bits", {
  x <- matrix(rnorm(200), 100)
  expect_identical(fit_flow(x, members = "affine_t", seconds = 0.002)$status, "time_limit")
  before <- RNGkind("Wichmann-Hill")
  on.exit(RNGkind(before[1]))
  one <- function(fork) {
    old <- options(bijectr.fork = fork, bijectr.threads = 2L)
    on.exit(options(old))
    set.seed(3)
    fit <- fit_flow(x, members = stack_members(c("normal", "affine_t"), fits = 2))
    list(logdensity(fit, x[1:5, ]), .Random.seed)
  }
  expect_identical(one(TRUE), one(FALSE))
})

test_that("a row of weight 0 cannot matter, whatever stands in it", {
  x <- faithful[1:60, ]
  w <- c(0, 0, rep(c(1, 2), 29))
  make <- function(x, kinds = c("normal", "shrunk", "student_t", "shared", "kernel", "spline")) {
    set.seed(13)
    few(x, kinds, weights = w)
  }
  first <- make(x)
  x[1:2, ] <- c(1e3, -1e5, 77, 1e7)
  again <- make(x)
  expect_identical(again$members, first$members)
  expect_identical(again$held_out, first$held_out)
  expect_equal(again$reference, first$reference)
  expect_identical(held_out_value(c(-Inf, NaN, -2, -4), c(0, 0, 1, 3)), -3.5)
  expect_identical(held_out_value(c(-2, -4)), -3)
})

test_that("few rows give something near a normal", {
  for (n in c(2, 3, 5, 10)) {
    set.seed(n)
    fit <- suppressWarnings(fit_flow(data.frame(a = rnorm(n), b = rnorm(n))))
    expect_true(all(is.finite(logdensity(fit, cbind(c(0, 3), c(0, -3))))))
    expect_true(all(is.finite(as.matrix(sample(fit, 100)))))
  }
})

test_that("a normal of too few rows is no reference", {
  x <- as.data.frame(with_seed(1, matrix(rnorm(24), 6)))
  set.seed(1)
  fit <- suppressWarnings(fit_flow(x))
  expect_true(is.na(fit$reference$normal))
  expect_false("normal" %in% vapply(fit$members, `[[`, "", "kind"))
  expect_gt(fit$reference$flow, -15)
  shown <- c(capture.output(print(fit)), capture.output(print(summary(fit))))
  numbers <- as.numeric(unlist(regmatches(shown, gregexpr("-?[0-9]+[.][0-9]+", shown))))
  expect_lt(max(abs(numbers)), 1e4)
  named <- suppressWarnings(fit_flow(x, members = "normal"))
  expect_true(is.na(named$reference$normal))
  one <- suppressWarnings(fit_flow(x, members = 1, steps = 20))
  expect_true(is.na(one$reference$normal))
  # 9 rows, of which folds leave 7
  x <- as.data.frame(with_seed(1, matrix(rnorm(36), 9)))
  fit <- suppressWarnings(fit_flow(x, members = stack_members(c("normal", "shrunk"))))
  expect_true(is.finite(fit$reference$normal))
})

test_that("a kind that fails is told of, and loud where it was asked for", {
  x <- data.frame(a = with_seed(2, rnorm(7)), b = with_seed(3, rnorm(7)))
  kinds <- stack_members(c("shrunk", "student_t", "kernel"))
  quiet <- function(expr) suppressWarnings(expr, classes = "bijectr_warning_few_rows")
  set.seed(1)
  expect_warning(
    fit <- quiet(fit_flow(x, members = kinds)), "kernel: too few rows", class = "bijectr_warning_members"
  )
  expect_identical(fit$left_out, c(kernel = "too few rows"))
  expect_output(print(summary(fit)), "Left out: kernel (too few rows)", fixed = TRUE)
  set.seed(1)
  expect_no_warning(fit <- quiet(fit_flow(x)))
  expect_true("kernel" %in% names(fit$left_out))
  expect_length(stack$left_out, 0)
  expect_error(quiet(fit_flow(x, members = "kernel")), "\"kernel\": too few rows", class = "bijectr_error_argument")
  expect_error(quiet(fit_flow(a ~ b, data = x, members = c("full", "kernel"))), "cannot be given conditions",
    class = "bijectr_error_argument"
  )
  # what a fit runs into
  problem <- list(n = 3, data = matrix(1:3), control = list())
  failed <- fit_job(list(kind = "full", seed = 1), problem, list(of = 1:3, count = 3))
  expect_match(failed$error, "^[^\n]+[^.\n]$")
  jobs <- list(list(kind = "full"), list(kind = "normal"))
  found <- collect_jobs(jobs, list(list(error = "no {luck}"), NULL), member_kinds()[c("normal", "full")])
  expect_identical(found$errors, c(normal = "the training was interrupted", full = "no {luck}"))
  expect_error(check_members(found$members, found$errors["full"], "finished"), "\"full\": no {luck}.", fixed = TRUE,
    class = "bijectr_error_argument"
  )
  expect_error(check_members(found$members, found$errors, "interrupted"), "before any member was done")
  expect_warning(tell_stack(list(status = "finished", left_out = found$errors), "full"), "full: no {luck}.",
    fixed = TRUE, class = "bijectr_warning_members"
  )
})

test_that("supports hold for all members, and columns that are left out come back", {
  set.seed(10)
  x <- data.frame(price = rlnorm(200, 0, 1), share = runif(200))
  fit <- few(x, kinds = c("normal", "student_t", "full", "kernel", "spline"))
  draws <- sample(fit, 2000)
  expect_true(all(draws$price > 0))
  expect_identical(logdensity(fit, data.frame(price = -1, share = 0.5)), -Inf)
  expect_output(print(fit), "support: price")
  x$twice <- 2 * x$share
  fit <- few(x, kinds = c("normal", "full"), collinear = "drop")
  draws <- sample(fit, 50)
  expect_equal(draws$twice, 2 * draws$share)
})

test_that("a stack takes its own figures for what they are", {
  # the held-out figure is by weights and sizes from other folds
  set.seed(11)
  x <- data.frame(x = rnorm(60))
  fit <- few(x, kinds = c("normal", "student_t", "kernel"), folds = 5)
  fresh <- mean(logdensity(fit, data.frame(x = rnorm(1e4))))
  expect_lt(abs(fit$reference$flow - fresh), 0.35)
  expect_equal(fit$held_out_loglik, 60 * fit$reference$flow, tolerance = 1e-9)
  expect_lt(fit$reference$flow, mean(logdensity(fit, x)))
})

test_that("the flows of a stack are trained further, with the same folds", {
  set.seed(12)
  more <- resume(stack, steps = 60, data = faithful)
  expect_s3_class(more, "bijectr_stack")
  spline <- function(fit) Filter(function(member) member$kind == "spline", fit$members)[[1]]
  expect_gt(spline(more)$held_out, spline(stack)$held_out)
  expect_identical(more$folds, stack$folds)
  normal <- function(fit) Filter(function(member) member$kind == "normal", fit$members)[[1]]
  expect_identical(normal(more)$flows, normal(stack)$flows)
  expect_equal(as.numeric(logLik(more)), sum(logdensity(more, faithful)))
  expect_identical(resume(stack), stack)
  expect_error(resume(stack, steps = 2, data = faithful * 2), "not what the stack", class = "bijectr_error_argument")
  again <- resume(given, faithful, steps = 5)
  expect_identical(again$steps, 5)
  expect_error(resume(stack, epochs = 2), "single flow", class = "bijectr_error_argument")
})

test_that("a stack or a flow goes on inside of a function that has its data", {
  go_on <- function(formula, ...) {
    local_rows <- faithful[1:80, ]
    local_weights <- rep(1:2, 40)
    least <- 2
    environment(formula) <- environment()
    set.seed(14)
    fit <- fit_flow(formula, data = local_rows, weights = local_weights, subset = eruptions > least, steps = 20, ...)
    suppressMessages(resume(fit, steps = 5))
  }
  kinds <- stack_members(c("normal", "affine_t"), folds = 2, fits = 2)
  for (formula in c(waiting ~ eruptions, log(waiting) ~ poly(eruptions, 2))) {
    expect_identical(go_on(formula)$steps, 25)
    expect_identical(go_on(formula, members = kinds)$steps, 5)
  }
  # variables and conditions that are no columns of a table
  alone <- function(...) {
    y <- faithful$waiting[1:80]
    x <- faithful$eruptions[1:80]
    list(
      suppressMessages(resume(fit_flow(y ~ x, steps = 20, ...), steps = 5)),
      suppressMessages(resume(fit_flow(y, condition = x, steps = 20, ...), steps = 5))
    )
  }
  for (fit in alone()) expect_identical(fit$steps, 25)
  for (fit in alone(members = kinds)) expect_identical(fit$steps, 5)
  elsewhere <- function(fit) resume(fit, steps = 5)
  stays <- go_on(waiting ~ eruptions, members = kinds)
  expect_error(elsewhere(stays), "must be given", class = "bijectr_error_argument")
})

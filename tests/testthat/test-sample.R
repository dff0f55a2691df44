test_that("sample() of anything but a flow is base::sample()", {
  same <- function(code) {
    ours <- substitute(code)
    theirs <- ours
    theirs[[1]] <- quote(base::sample)
    set.seed(1)
    a <- eval(ours, parent.frame())
    set.seed(1)
    expect_identical(a, eval(theirs, parent.frame()))
  }
  same(sample(5))
  same(sample(1:10))
  same(sample(10, 4))
  same(sample(1:10, 3, TRUE))
  same(sample(letters))
  same(sample(letters, 3))
  same(sample(c(a = 1, b = 2), size = 5, replace = TRUE))
  same(sample(1:3, 10, prob = c(0.5, 0.3, 0.2), replace = TRUE))
  same(sample(x = 4, size = 2))
  same(sample(list(1, "a", NULL)))
  same(sample(factor(letters)))
  same(sample(5.7))
  same(sample(1e10, 2))
  same(sample(character()))
  n <- 6
  same(sample(n, n / 2))
  expect_error(sample(1:3, 5), "larger than the population")
})

test_that("attaching the package says no more than that sample is masked", {
  skip_if_not(nzchar(system.file(package = "bijectr")))
  code <- "suppressWarnings(library(bijectr))"
  text <- suppressWarnings(system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", "-e", shQuote(code)),
    stdout = TRUE, stderr = TRUE, env = paste0("R_LIBS=", shQuote(paste(.libPaths(), collapse = .Platform$path.sep)))
  ))
  text <- trimws(text[nzchar(trimws(text))])
  expect_length(text, 3)
  expect_identical(text[3], "sample")
})

test_that("set.seed() governs draws", {
  f <- flow(coupling_flow(flow_layers = 2), d = 3)
  set.seed(1)
  a <- sample(f, 100)
  set.seed(1)
  expect_identical(sample(f, 100), a)
  expect_false(identical(sample(f, 100), a))
})

test_that("draws do not depend on the number of threads", {
  f <- flow(coupling_flow(flow_layers = 2), d = 3)
  draws <- lapply(1:2, function(threads) {
    old <- options(bijectr.threads = threads)
    on.exit(options(old))
    set.seed(1)
    sample(f, 5000)
  })
  expect_identical(draws[[1]], draws[[2]])
})

test_that("draws have the moments of the distribution", {
  f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = 2)
  params(f) <- c(1, -2, log(2), log(0.5))
  p <- params(f)$layers[[1]]
  set.seed(1)
  draws <- sample(f, 20000)
  expect_equal(colMeans(draws), p$loc, tolerance = 0.05)
  expect_equal(apply(draws, 2, sd), exp(p$scale), tolerance = 0.05)
})

test_that("draws are named as the data", {
  fit <- fit_flow(faithful, steps = 2)
  expect_identical(dimnames(sample(fit_flow(as.matrix(faithful), steps = 2), 3)), list(NULL, c("eruptions", "waiting")))
  expect_named(sample(fit, 3), c("eruptions", "waiting"))
  expect_identical(dim(sample(fit)), c(1L, 2L))
  expect_identical(dim(sample(fit, 0)), c(0L, 2L))
  expect_true(all(is.finite(as.matrix(sample(fit, 1000)))))
})

test_that("conditions: one row for all draws, or one row a draw", {
  set.seed(1)
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
  fit <- fit_flow(faithful["eruptions"], layers, condition = faithful["waiting"], steps = 200)
  expect_identical(dim(sample(fit, 5, condition = 60)), c(5L, 1L))
  draws <- sample(fit, 400, condition = data.frame(waiting = rep(c(50, 85), each = 200)))
  expect_gt(mean(draws$eruptions[201:400]), mean(draws$eruptions[1:200]) + 1)
  expect_error(sample(fit, 5), "`condition` is missing")
  expect_identical(sample(fit, 5, condition = c(50, 60))$.row, rep(1:2, each = 5))
  expect_error(simulate(fit, 1, n = 5, condition = c(50, 60)), "`condition` must have 1 row or")
})

test_that("bad sizes", {
  f <- flow(layer_flip(), d = 2)
  expect_error(sample(f, -1), "`size` must be at least 0, not -1")
  expect_error(sample(f, 1.5), "`size` must be one whole number, not 1.5")
  expect_error(sample(f, "a"), "`size` must be one whole number, not \"a\"")
  expect_error(sample(f, 1:2), "`size` must be one whole number, not 2 numbers")
  expect_error(sample(f, 1e10), "`size` is too large")
})

test_that("simulate() keeps to its contract", {
  set.seed(1)
  fit <- fit_flow(faithful, steps = 2)
  sets <- simulate(fit, 2, seed = 5)
  expect_named(sets, c("sim_1", "sim_2"))
  expect_identical(dim(sets[[1]]), c(272L, 2L))
  expect_named(sets[[1]], names(faithful))
  expect_identical(simulate(fit, 2, seed = 5), sets)
  before <- .Random.seed
  simulate(fit, seed = 5)
  expect_identical(.Random.seed, before)
  expect_identical(dim(simulate(fit, n = 7)[[1]]), c(7L, 2L))
  expect_error(simulate(flow(layer_flip(), d = 2)), "`n` must be given")
})

test_that("draws that are not numbers are told, once", {
  f <- huge_flow()
  told <- function(code) {
    warnings <- testthat::capture_warnings(value <- code)
    expect_length(warnings, 1)
    expect_match(warnings, "The draw of row 1 is not a number")
    value
  }
  expect_true(anyNA(told(sample(f, 1))))
  expect_true(anyNA(told(rflow(2, f))))
  sets <- told(simulate(f, 3, n = 4))
  expect_identical(lapply(sets, dim), list(sim_1 = c(4L, 3L), sim_2 = c(4L, 3L), sim_3 = c(4L, 3L)))
  expect_warning(sample(f, 1), class = "bijectr_warning_nan")
})

test_that("a seed is one whole number that set.seed() takes", {
  f <- flow(layer_flip(), d = 2)
  bad <- list(NA, NA_real_, 1e10, -1e10, Inf, NaN, "a", "7", integer(0), list(1), 1.7, TRUE, c(1, 2), factor(1))
  set.seed(1)
  before <- .Random.seed
  for (seed in bad) {
    expect_error(simulate(f, seed = seed, n = 2), "`seed`", class = "bijectr_error_argument", info = deparse1(seed))
  }
  expect_identical(.Random.seed, before)
  for (seed in list(-1, 0L, 7, .Machine$integer.max, -.Machine$integer.max)) {
    expect_identical(attr(simulate(f, seed = seed, n = 2), "seed"), structure(seed, kind = as.list(RNGkind())))
  }
})

test_that("arguments that are missing are named", {
  f <- flow(layer_flip(), d = 2)
  one <- flow(list(), 1)
  missing <- function(name, code) {
    expect_error(code, paste0("`", name, "` is missing"), class = "bijectr_error_argument")
  }
  missing("x", sample())
  missing("data", fit_flow())
  missing("data", fit_flow(d = 2, steps = 3))
  missing("layers", flow())
  missing("d", flow(layer_flip()))
  missing("object", forward())
  missing("object", inverse())
  missing("object", logdensity())
  missing("x", forward(f))
  missing("newdata", logdensity(f))
  missing("x", dflow())
  missing("object", dflow(1))
  missing("q", pflow(object = one))
  missing("p", qflow(object = one))
  missing("n", rflow(object = one))
  missing("object", importance_sample())
  missing("object", sample_imh())
  missing("file", animate_layers(f))
})

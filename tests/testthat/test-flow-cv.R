normal <- list(layers = layer_elementwise(scalar_affine()))

# The normal distribution of the training rows.
by_hand <- function(data) {
  x <- data[[1]]
  function(new) dnorm(new[[1]], mean(x), sqrt(mean((x - mean(x))^2)), log = TRUE)
}

test_that("every row is held out once, and figures are those of its fold's fit", {
  set.seed(1)
  table <- data.frame(y = c(rnorm(40, -2), rnorm(50, 2)))
  folds <- rep(1:3, 30)
  found <- flow_cv(table, list(normal = normal, hand = by_hand), folds = folds, steps = 30)
  expect_s3_class(found, "bijectr_comparison")
  expect_identical(found$folds, folds)
  for (k in 1:3) {
    expect_equal(found$logdensity[folds == k, "hand"], by_hand(table[folds != k, , drop = FALSE])(table[folds == k, ,
      drop = FALSE
    ]))
  }
  expect_false(anyNA(found$logdensity))
  expect_equal(diff(found$table$mean), diff(found$table$difference))
  expect_identical(nrow(found$fits), 6L)
  expect_output(print(found), "90 rows held out in 3 folds")
})

test_that("a seed makes the same comparison, and folds are as equal as can be", {
  x <- digest_data()
  cv <- function() {
    set.seed(2)
    flow_cv(x, list(a = normal, b = list(layers = coupling_flow(flow_layers = 1, nn_width = 4))), folds = 4, steps = 20)
  }
  one <- cv()
  after <- runif(1)
  two <- cv()
  expect_identical(after, runif(1))
  expect_identical(one$logdensity, two$logdensity)
  expect_identical(as.vector(table(one$folds)), rep(50L, 4))
  # candidates do not touch each other's seeds
  set.seed(2)
  alone <- flow_cv(x, list(a = normal, b = function(data) stop("none")), folds = 4, steps = 20)
  expect_identical(alone$logdensity[, "a"], one$logdensity[, "a"])
})

test_that("an error of a candidate is its reason, and no more", {
  set.seed(3)
  x <- rnorm(40)
  candidates <- list(bad = list(layres = 3), none = function(data) "no flow", good = normal)
  found <- flow_cv(x, candidates, folds = 2, steps = 20)
  expect_identical(found$table$name[1], "good")
  expect_true(all(is.na(found$table$mean[2:3])))
  expect_match(found$table$reason[found$table$name == "bad"], "fold 1 ended in an error, as did 1 more.*layres")
  expect_match(found$table$reason[found$table$name == "none"], "not a flow")
  expect_output(print(found), "bad: the fit without fold 1")
  all_bad <- flow_cv(x, list(bad = list(layres = 3)), folds = 2)
  expect_true(is.na(all_bad$table$mean))
  expect_output(print(all_bad), "no rows")
})

test_that("formulas, conditions and weights are handed on", {
  set.seed(4)
  table <- data.frame(x = rnorm(120))
  table$y <- 2 * table$x + rnorm(120)
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
  found <- flow_cv(table, list(alone = list(y ~ 1, layers = normal$layers), given = list(y ~ x, layers = layers)),
    folds = 2, steps = 150, weights = rep(1:2, 60)
  )
  expect_identical(found$table$name, c("given", "alone"))
  expect_equal(found$table$mean[2], weighted.mean(found$logdensity[, "alone"], rep(1:2, 60)))
  seen <- list()
  found <- flow_cv(table["y"], list(
    fit = normal,
    own = function(data, condition, weights) {
      seen <<- list(nrow(data), nrow(condition), length(weights))
      function(new, given) dnorm(new$y, 2 * given$x, log = TRUE)
    }
  ), condition = table["x"], weights = rep(1, 120), folds = 2, steps = 20)
  expect_identical(seen, list(60L, 60L, 60L))
  expect_equal(found$logdensity[, "own"], dnorm(table$y, 2 * table$x, log = TRUE))
  expect_error(flow_cv(table, list(a = y ~ x, b = x ~ y), folds = 2, steps = 5), "other coordinates",
    class = "bijectr_error_argument"
  )
})

test_that("a budget holds for the whole call, is announced, and what it cost is said", {
  set.seed(5)
  x <- matrix(rnorm(400), 200)
  slow <- function(data) {
    Sys.sleep(0.6)
    function(new) rep(0, nrow(new))
  }
  expect_message(
    found <- flow_cv(x, list(slow = slow, normal = normal), folds = 4, seconds = 1, steps = 1e6),
    "2 candidates x 4 folds within 1 s", class = "bijectr_message_budget"
  )
  expect_lt(found$seconds, 4)
  expect_true("left out" %in% found$fits$status)
  expect_true("time_limit" %in% found$fits$status)
  expect_match(found$notes, "fits were left out, as the time was up", all = FALSE)
  expect_match(found$notes, "ended by their share of the time", all = FALSE)
  whole <- !is.na(found$logdensity[, "normal"]) & !is.na(found$logdensity[, "slow"])
  expect_identical(found$table$rows, rep(sum(whole), 2))
})

test_that("fits that the time does not reach are left out by workers, too", {
  skip_if_not_installed("future.apply")
  skip_on_cran()
  old <- future::plan(future::multisession, workers = 2)
  on.exit(future::plan(old))
  slow <- function(data) {
    Sys.sleep(2)
    function(new) rep(0, NROW(new))
  }
  found <- suppressMessages(flow_cv(rnorm(40), list(slow = slow), folds = 20, seconds = 4))
  status <- table(found$fits$status)
  expect_gte(status[["left out"]], 10)
  expect_gte(status[["finished"]], 1)
  expect_match(found$notes, "left out, as the time was up", all = FALSE)
})

test_that("stacks whose flows stop at their share of the time are noted", {
  set.seed(8)
  x <- matrix(rnorm(1600), 800)
  found <- suppressMessages(flow_cv(x, list(stack = list(members = c("normal", "spline"))), folds = 2, seconds = 0.4))
  expect_identical(found$fits$status[1], "time_limit")
  expect_match(found$notes, "stack: . of its fits ended by their share of the time", all = FALSE)
})

test_that("arguments are looked at before anything is fitted", {
  x <- rnorm(20)
  error <- function(...) expect_error(flow_cv(...), class = "bijectr_error_argument")
  error(x)
  error(x, 3)
  error(x, list())
  error(x, list(a = 3))
  error(x, list(a = list(3)))
  error(x, list(a = list(weights = 1:20)))
  error(x, list(a = list()), folds = 1)
  error(x, list(a = list()), folds = 11)
  error(x, list(a = list()), folds = rep(c(1, 3), 10))
  error(x, list(a = list()), seconds = -1)
  error(x, list(a = list()), condition = 1:3)
  error(x, list(a = list()), weights = 1:3)
  error(x[1:3], list(a = list()))
})

test_that("workers make the same comparison", {
  skip_if_not_installed("future.apply")
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")), "BIJECTR_SLOW is not set")
  x <- digest_data()
  cv <- function() {
    set.seed(6)
    flow_cv(x, list(a = normal, b = list(), stack = list(members = c("normal", "spline"))), folds = 2, steps = 20)
  }
  one <- cv()
  old <- future::plan(future::multisession, workers = 2)
  on.exit(future::plan(old))
  two <- cv()
  expect_identical(one$logdensity, two$logdensity)
  expect_identical(one$table, two$table)
  # fits that run beside others take one thread each, and so do not fork
  threads <- flow_cv(x, list(a = function(data) {
    threads <- getOption("bijectr.threads")
    function(new) rep(threads, NROW(new))
  }), folds = 2)
  expect_true(all(threads$logdensity == 1))
})

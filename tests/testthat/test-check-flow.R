normal_flow <- function(d = 1, location = 0, scale = 1) {
  f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = d)
  params(f) <- rep(c(location, log(scale)), d)
  f
}

normal_fit <- function(x) fit_flow(x, layer_elementwise(scalar_affine()), steps = 50, progress = FALSE)

bimodal <- function(n) stats::rnorm(n, ifelse(stats::runif(n) < 0.5, -2, 2), 0.7)

test_that("a flow is trusted where rows are its draws, and a check has the fields of its page", {
  f <- normal_flow(2)
  set.seed(1)
  check <- check_flow(f, matrix(rnorm(600), 300))
  expect_s3_class(check, "bijectr_check")
  expect_identical(check$verdict, "trust")
  expect_length(check$reasons, 0)
  expect_identical(check$rows, list(n = 300L, of = 300L, used = "given", train = Inf))
  expect_equal(check$integral$value, 1, tolerance = 1e-3)
  expect_lt(check$map$round_trip, 1e-10)
  expect_lt(check$map$jacobian, 1e-6)
  expect_identical(dim(check$ranks), c(300L, 5L))
  expect_equal(unname(check$density[["draws"]]), -log(2 * pi) - 1, tolerance = 0.02)
  expect_setequal(names(check), c("verdict", "reasons", "notes", "rows", "draws", "density", "uniformity", "ranks",
    "energy", "tails", "integral", "map", "level", "tolerance", "description", "labels"))
  expect_output(print(check), "verdict: trust.*Seen would mostly have")
  set.seed(1)
  expect_identical(check_flow(f, matrix(rnorm(600), 300)), check)
})

test_that("places are exact for one coordinate, extremes have their probabilities", {
  set.seed(2)
  x <- rnorm(100)
  check <- check_flow(normal_flow(), x)
  expect_equal(unname(check$ranks[, 1]), pnorm(x), tolerance = 1e-12)
  high <- check$tails[check$tails$what == "x1" & check$tails$end == "high", ]
  expect_equal(high$data, max(x))
  expect_equal(high$chance, 1 - pnorm(max(x))^100, tolerance = 1e-8)
  expect_equal(high$median, qnorm(0.5^(1 / 100)), tolerance = 0.05)
  expect_equal(high$to, qnorm(0.995^(1 / 100)), tolerance = 0.3)
})

test_that("what is wrong is found, and the reasons say it", {
  set.seed(3)
  n <- 1000
  x <- rnorm(n)
  reasons <- function(f, x, ...) {
    check <- check_flow(f, x, ..., draws = 5000)
    expect_identical(check$verdict, "do not trust")
    expect_output(print(check), "do not trust")
    paste(check$reasons, collapse = " ")
  }
  expect_match(reasons(normal_flow(), x + 0.4), "lie higher than the draws")
  expect_match(reasons(normal_flow(), 1.25 * x), "spread more widely")
  expect_match(reasons(normal_flow(), x / 1.25), "spread less widely")
  expect_match(reasons(normal_flow(), 60 * x + 500), "same units")
  expect_match(reasons(normal_fit(bimodal(n)), bimodal(n)), "another shape|spread")
  expect_match(reasons(normal_flow(), rt(n, 2)), "heavy tail|more widely|another shape")
  y <- cbind(x, 0.8 * x + 0.6 * rnorm(n))
  expect_match(reasons(normal_flow(2), y), "x1, x2: the dependence")
  # a tail alone: ten of a thousand rows far out
  tail <- c(x[1:990], 6 + runif(10))
  expect_match(reasons(normal_flow(), tail), "more rows lie in the upper tail")
})

test_that("draws that explode, rows without density and numbers that are none are told", {
  set.seed(4)
  wild <- flow(layer_elementwise(scalar_chain(list(scalar_sinh(), scalar_sinh(), scalar_sinh()))), d = 1)
  middle <- function(n) forward(wild, qnorm(runif(n, 0.02, 0.98)))$value
  expect_match(paste(check_flow(wild, middle(500))$reasons, collapse = " "), "explodes in places")
  positive <- fit_flow(rexp(200), support = positive(), steps = 30, progress = FALSE)
  found <- check_flow(positive, c(rexp(100), -1))
  expect_match(found$reasons[1], "1 of 101 rows have density 0")
  broken <- normal_flow()
  params(broken) <- c(0, 1000)
  expect_match(check_flow(broken, rnorm(50))$reasons[1], "not finite numbers")
})

test_that("integrals are those of the density, also of poles and given conditions", {
  skip_if_not(exists("integral_of_line", asNamespace("bijectr")))
  set.seed(5)
  line <- function(density, draws) integral_of_line(function(x) density(x[, 1]), draws)$value
  expect_equal(line(dnorm, rnorm(1000)), 1, tolerance = 1e-6)
  expect_equal(line(function(x) dgamma(x, 0.5), rgamma(1000, 0.5)), 1, tolerance = 1e-2)
  expect_equal(line(function(x) 0.9 * dcauchy(x, 1e6, 1e-3), rcauchy(1000, 1e6, 1e-3)), 0.9, tolerance = 1e-3)
  plane <- function(density, draws) integral_of_plane(function(x) density(x[, 1], x[, 2]), draws)
  ring <- matrix(rnorm(8000), 4000)
  found <- plane(function(x, y) 1.1 * dnorm(x) * dnorm(y), ring)
  expect_equal(found$value, 1.1, tolerance = 1e-4)
  expect_lt(found$error, 1e-3)
  expect_match(integral_reasons(data.frame(row = NA, found)), "integrates to 1.1")
})

test_that("integrals of very small and very large columns are taken in their units, of equal draws they are unknown", {
  z <- matrix(sin(1:400 * 12.9898) * 2, 200) # within the middle of a normal
  for (size in c(1e-160, 1e160)) {
    sized <- normal_flow(2)
    params(sized) <- c(0, 0, log(size), log(size))
    found <- check_flow(sized, size * z, draws = 5000)$integral
    expect_equal(found$value, 1, tolerance = 1e-3)
    expect_lt(found$error, 1e-2)
  }
  # all draws are one number
  point <- normal_flow(1, 1e10, 1e-30)
  found <- check_flow(point, rnorm(50))
  expect_true(is.na(found$integral$error))
  expect_match(found$notes, "not known well enough", all = FALSE)
  line <- cbind(rnorm(100), 1)
  expect_true(is.na(integral_of_plane(function(x) rep(1, nrow(x)), line)$error))
})

test_that("Jacobians are looked at by differences, on the base side", {
  set.seed(6)
  fit <- fit_flow(cbind(rexp(300), rnorm(300)), steps = 60, progress = FALSE)
  x <- cbind(rexp(20), rnorm(20))
  back <- inverse(fit, x)
  there <- forward(fit, back$value)
  error <- jacobian_errors(plain_flow(fit), back$value, NULL, there$logdet, c(1, 1))
  expect_lt(max(error), 1e-4)
  expect_gt(min(jacobian_errors(plain_flow(fit), back$value, NULL, there$logdet + 0.1, c(1, 1))), 0.09)
  expect_match(map_reasons(list(round_trip = 1e-3, jacobian = 0.1)), "forward|log determinant")
  expect_length(map_reasons(list(round_trip = 1e-9, jacobian = 1e-6)), 0)
})

test_that("rows of the fit itself are known: the held-out ones are looked at", {
  set.seed(7)
  table <- data.frame(a = rnorm(200), b = rexp(200))
  fit <- fit_flow(table, steps = 60, progress = FALSE)
  check <- check_flow(fit, table, draws = 4000)
  expect_identical(check$rows$used, "held out")
  expect_identical(check$rows$n, length(fit$rows$validation))
  expect_identical(check$rows$train, length(fit$rows$train))
  expect_identical(check_flow(fit, table[2:200, ])$rows$used, "given")
  alone <- fit_flow(table, steps = 30, validation = 0, progress = FALSE)
  check <- check_flow(alone, table)
  expect_identical(check$rows$used, "training")
  expect_match(paste(check$notes, collapse = " "), "trained on")
})

test_that("conditional fits are looked at given their conditions", {
  set.seed(8)
  n <- 600
  make <- function(n) {
    x <- runif(n)
    data.frame(x = x, y = 3 * x + rnorm(n, sd = 0.2 + x))
  }
  table <- make(n)
  fit <- fit_flow(y ~ x, data = table, steps = 300, progress = FALSE)
  new <- make(400)
  new$x <- pmin(pmax(new$x, 0.01), 0.98)
  check <- check_flow(fit, new, draws = 4000)
  expect_identical(check$verdict, "trust")
  expect_identical(nrow(check$integral), 3L)
  expect_equal(check$integral$value, rep(1, 3), tolerance = 1e-3)
  expect_equal(unname(check$ranks[, 1]), pflow(new$y, fit, condition = new["x"]), tolerance = 1e-12)
  # right on average, wrong at each condition
  shuffled <- fit_flow(table["y"], condition = table[sample.int(n), "x", drop = FALSE], steps = 50, progress = FALSE)
  check <- check_flow(shuffled, new["y"], condition = new["x"])
  expect_match(paste(check$reasons, collapse = " "), "y given x: the error of the location depends")
})

test_that("several coordinates given conditions, with a condition for all rows", {
  set.seed(9)
  x <- rnorm(300)
  table <- data.frame(a = x + rnorm(300), b = rnorm(300), x = x)
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
  fit <- fit_flow(cbind(a, b) ~ x, data = table, layers, steps = 100, progress = FALSE)
  check <- check_flow(fit, table, draws = 4000)
  expect_identical(check$verdict, "trust")
  one <- data.frame(a = 1 + rnorm(50), b = rnorm(50))
  expect_identical(check_flow(fit, one, condition = data.frame(x = 1))$rows$n, 50L)
})

test_that("dates, units of time, formulas, dropped columns and weights come in as they are", {
  set.seed(10)
  days <- as.Date("2020-01-01") + round(rnorm(400, 500, 100))
  table <- data.frame(day = days, wait = as.difftime(rexp(400), units = "mins"))
  fit <- suppressWarnings(fit_flow(table[1:300, ], steps = 60, progress = FALSE))
  check <- check_flow(fit, table[301:400, ])
  expect_identical(check$verdict, "trust")
  later <- table[301:400, ]
  later$day <- later$day + 20000
  expect_match(paste(check_flow(fit, later)$reasons, collapse = " "), "day: the rows lie higher")
  expect_error(check_flow(fit, transform(later, day = as.numeric(day))), "day", class = "bijectr_error_argument")
  x <- matrix(rnorm(600), 300)
  sums <- cbind(x, x[, 1] + x[, 2])
  fit <- fit_flow(sums, collinear = "drop", steps = 50, progress = FALSE)
  expect_identical(check_flow(fit, sums)$rows$used, "held out")
  off <- sums[1:50, ]
  off[3, 3] <- 100
  expect_match(check_flow(fit, off)$reasons[1], "1 of 50 rows have density 0")
  price <- data.frame(price = rlnorm(200))
  fit <- fit_flow(~ log(price), data = price, steps = 50, progress = FALSE)
  expect_identical(check_flow(fit, price)$verdict, "trust")
  # heavy rows on the right: weighted rows are those of a distribution that is shifted
  z <- rnorm(3000)
  expect_identical(check_flow(normal_flow(), z, weights = exp(z))$verdict, "do not trust")
  expect_identical(check_flow(normal_flow(location = 1), z, weights = exp(z))$verdict, "trust")
})

test_that("fits to tables with gaps are looked at without a map", {
  set.seed(11)
  table <- data.frame(day = as.Date("2020-01-01") + rexp(500) * 100, y = rnorm(500))
  table$y[sample.int(500, 100)] <- NA
  fit <- suppressWarnings(fit_flow(table[1:300, ], na = "model", steps = 60, progress = FALSE))
  check <- check_flow(fit, table[301:500, ])
  expect_identical(check$verdict, "trust")
  expect_null(check$map)
  expect_match(paste(check$notes, collapse = " "), "no single map")
  table$y <- table$y + 2
  expect_identical(check_flow(fit, table[301:500, ])$verdict, "do not trust")
})

test_that("missing values are left out, and wrong arguments are told", {
  f <- normal_flow(2)
  set.seed(12)
  x <- matrix(rnorm(100), 50)
  x[3, 1] <- NA
  check <- check_flow(f, x)
  expect_identical(check$rows$n, 49L)
  expect_match(check$notes, "1 rows with missing", all = FALSE)
  expect_error(check_flow(f, x[1:4, ]), "at least 5 rows", class = "bijectr_error_argument")
  expect_error(check_flow(f), "data.*missing", class = "bijectr_error_argument")
  expect_error(check_flow(f, x[, 1]), "column", class = "bijectr_error_argument")
  expect_error(check_flow(f, x, level = 2), "level", class = "bijectr_error_argument")
  expect_error(check_flow(f, x, condition = 1), "condition", class = "bijectr_error_argument")
  expect_error(check_flow(f, x, drawz = 3), "drawz", class = "bijectr_error_argument")
  expect_error(check_flow("f", x), "flow or a fit", class = "bijectr_error_argument")
})

test_that("a check has a picture", {
  set.seed(13)
  check <- check_flow(normal_flow(2), matrix(rnorm(200), 100))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(plot(check), check)
  expect_identical(plot(check, "tails"), check)
  expect_error(plot(check, "tail"), "what", class = "bijectr_error_argument")
})

test_that("good fits are trusted 97 times in 100", {
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")), "BIJECTR_SLOW is not set")
  moons <- function(n) {
    t <- runif(n, 0, pi)
    first <- runif(n) < 0.5
    cbind(ifelse(first, cos(t), 1 - cos(t)), ifelse(first, sin(t), 0.5 - sin(t))) + rnorm(2 * n, sd = 0.1)
  }
  sources <- list(
    normal = function(n) matrix(rnorm(n)), gamma = function(n) matrix(rgamma(n, 2)), moons = moons,
    correlated = function(n) matrix(rnorm(3 * n), n) %*% chol(matrix(0.8, 3, 3) + diag(0.2, 3)),
    mixture = function(n) matrix(rnorm(5 * n), n) + 3 * sample.int(3, n, TRUE)
  )
  trusted <- unlist(lapply(seq_len(10), function(i) {
    vapply(sources, function(draw) {
      set.seed(i)
      n <- c(100, 400, 1000)[1 + i %% 3]
      x <- draw(2 * n)
      fit <- suppressWarnings(fit_flow(x[seq_len(n), , drop = FALSE], progress = FALSE))
      check_flow(fit, x[n + seq_len(n), , drop = FALSE])$verdict == "trust"
    }, NA)
  }))
  expect_gte(mean(trusted), 0.96)
})

test_that("rows of a weighted fit count by their weights", {
  set.seed(11)
  x <- rnorm(60)
  w <- rep(c(1, 3, 0), 20)
  effective <- function(w) sum(w)^2 / sum(w^2)
  one <- fit_flow(x, layer_elementwise(scalar_affine()), weights = w, steps = 10, progress = FALSE)
  expect_equal(check_flow(one, rnorm(40), draws = 1000)$rows$train, effective(w[one$rows$train]))
  stack <- fit_flow(x, members = c("normal", "student_t"), weights = w, progress = FALSE)
  expect_equal(check_flow(stack, rnorm(40), draws = 1000)$rows$train, 80^2 / 200)
  # in any unit of the weights
  other <- fit_flow(x, members = "normal", weights = 1e3 * w, progress = FALSE)
  expect_equal(other$rows$effective, 32)
  gaps <- fit_flow(replace(x, 1:4, NA), na = "model", members = 1, weights = w, steps = 10, progress = FALSE)
  expect_equal(rows_behind(gaps), effective(w[gaps$rows$train]))
  expect_null(fit_flow(x, members = "normal", progress = FALSE)$rows$effective)
})

test_that("clouds speak at low levels too, as far as permutations tell", {
  expect_identical(energy_permutations(0.02), CHECK_PERMUTATIONS)
  expect_equal(energy_permutations(0.005), 3999)
  expect_null(energy_note(0.001))
  expect_match(energy_note(1e-4), "too little")
  set.seed(12)
  x <- matrix(rnorm(1200), 400)
  check <- check_flow(normal_flow(3), x + 1, draws = 2000, level = 0.004)
  expect_lt(check$energy$p, 0.004)
  expect_match(energy_reasons(check$energy, 0.004), "cloud of rows is not that of draws")
  expect_match(check_flow(normal_flow(3), x, draws = 2000, level = 1e-4)$notes, "do not speak", all = FALSE)
  expect_gt(check_flow(normal_flow(3), x, draws = 2000, level = 0.004)$energy$p, 0.1)
})

test_that("what is no fit is told", {
  expect_error(check_flow(3), "`fit` must be a flow or a fit, not a number", class = "bijectr_error_argument")
  expect_error(check_flow(lm(dist ~ speed, cars)), "`fit` must be a flow or a fit")
})

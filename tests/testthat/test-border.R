# What a user can hold, or read from a file, is trusted by nobody: each of these is an error with a class, here in this
# process. tools/fuzz.R does the same at random, in processes of their own.

border_flow <- function(...) {
  with_seed(1, flow(coupling_flow(flow_layers = 2, nn_width = 4), d = 2, ...))
}
origin <- matrix(0, 1, 2)

# change(f) must be refused by what evaluates a flow and by what only shows it.
expect_refused <- function(change, regexp, f = border_flow()) {
  bad <- change(f)
  expect_error(logdensity(bad, origin), regexp, class = "bijectr_error")
  expect_error(print(bad), regexp, class = "bijectr_error")
}

test_that("every verb looks at its flow first", {
  bad <- replace(border_flow(), "d", list(0L))
  verbs <- list(
    logdensity = function() logdensity(bad, origin), sample = function() sample(bad, 3), print = function() print(bad),
    forward = function() forward(bad, origin), inverse = function() inverse(bad, origin), plot = function() plot(bad),
    params = function() params(bad), coef = function() coef(bad), predict = function() predict(bad, origin),
    set = function() `params<-`(bad, 1), simulate = function() simulate(bad, n = 2), dflow = function() dflow(1, bad),
    start = function() fit_flow(origin[c(1, 1), ] + 1:4, bad, steps = 1)
  )
  for (name in names(verbs)) expect_error(verbs[[name]](), "`d` must be", class = "bijectr_error_core", info = name)
})

test_that("sizes of a flow are counts", {
  for (d in list(0L, NA, -1L, 1e9, 1.5, "2", NULL, c(2L, 2L), list(2L), NaN)) {
    expect_refused(function(f) replace(f, "d", list(d)), "`d` must be")
    expect_refused(function(f) replace(f, "d_condition", if (identical(d, 0L)) list(-1L) else list(d)), "`d_condition`")
  }
})

test_that("parameters are finite numbers, as many as the flow has", {
  for (bad in list(NULL, "a", 1:3, list(1), NaN, c(1, Inf))) {
    expect_refused(function(f) replace(f, "params", list(bad)), "`params` must be")
  }
  for (bad in list(numeric(), 1)) {
    f <- replace(border_flow(), "params", list(bad))
    expect_error(logdensity(f, origin), "`params` must be [0-9]+ numbers", class = "bijectr_error_core")
    expect_error(sample(f, 2), "`params` must be [0-9]+ numbers", class = "bijectr_error_core")
    expect_error(params(f), "`params` must be [0-9]+ numbers", class = "bijectr_error_core")
  }
  # attributes do no harm
  f <- border_flow()
  named <- replace(f, "params", list(structure(f$params, names = paste0("%s", seq_along(f$params)), class = "odd")))
  expect_identical(logdensity(named, origin), logdensity(f, origin))
})

test_that("base and layers are specifications", {
  for (part in c("base", "layers")) {
    kinds <- list(list(kind = 1), list(kind = character()), list(kind = c("a", "b")))
    for (bad in c(list(NULL, 1, "chain", list(), list(1)), kinds)) {
      expect_refused(function(f) replace(f, part, list(bad)), "not a specification")
    }
  }
  expect_refused(function(f) replace(f, "layers", list(layer_permute())), "chain")
  unnamed <- border_flow()
  unnamed$layers$layers[[1]] <- unname(unclass(unnamed$layers$layers[[1]]))
  expect_error(logdensity(unnamed, origin), class = "bijectr_error")
})

test_that("a string is never a format, and an unknown kind is named", {
  for (kind in c("%s%n%s%n", "no such", strrep("%d", 1000))) {
    f <- border_flow()
    f$base$kind <- kind
    e <- tryCatch(logdensity(f, origin), error = identity)
    expect_s3_class(e, "bijectr_error_core")
    expect_match(conditionMessage(e), substr(kind, 1, 100), fixed = TRUE)
    expect_identical(e$status, "bad_spec")
  }
})

test_that("nesting has a bound", {
  f <- border_flow()
  deep <- f$layers$layers[[1]]
  for (i in 1:3000) deep <- list(kind = "invert", layer = deep)
  f$layers$layers <- list(deep)
  expect_error(logdensity(f, origin), "nested", class = "bijectr_error_core")
  expect_error(utils::capture.output(print(f)), "nested", class = "bijectr_error_core")
})

test_that("names fit the coordinates", {
  expect_refused(function(f) replace(f, "names", list("a")), "`names`")
  expect_refused(function(f) replace(f, "names", list(1:2)), "`names`")
})

test_that("an object of another format is refused", {
  expect_refused(function(f) replace(f, "format", list(99L)), "newer version of bijectr: update the package")
  expect_refused(function(f) replace(f, "format", list(1L)), "older version")
  for (bad in list(NULL, "1", NA, c(1, 2))) {
    expect_refused(function(f) replace(f, "format", list(bad)), "does not say which format")
  }
})

test_that("an error of the core has its class, its status and the user's call", {
  wrong <- function() flow(layer_standardize(c(0, 0), c(1, 1)), 3)
  e <- tryCatch(wrong(), error = identity)
  expect_s3_class(e, c("bijectr_error_core", "bijectr_error"), exact = FALSE)
  expect_identical(e$status, "bad_spec")
  expect_identical(as.character(conditionCall(e)[[1]]), "flow")
  e <- tryCatch(flow(1, 2), error = identity)
  expect_s3_class(e, "bijectr_error_argument")
  expect_s3_class(e, "bijectr_error")
  expect_identical(as.character(conditionCall(e)[[1]]), "flow")
})

# ---- the .Call entries ----------------------------------------------------------------------------------------------

test_that("points are a matrix or a list of columns, and their shapes are checked", {
  f <- border_flow(d_condition = 1)
  x <- matrix(rnorm(20), 10)
  condition <- matrix(rnorm(10), 10)
  columns <- list(x[, 1], x[, 2])
  expected <- native_map(f, x, condition, TRUE)
  expect_identical(native_map(f, columns, list(condition[, 1]), TRUE), expected)
  cot <- list(log_density = rep(1, 10))
  expect_identical(native_vjp(f, columns, list(condition[, 1]), TRUE, cot), native_vjp(f, x, condition, TRUE, cot))
  for (bad in list(columns[1], list(x[, 1], x[1:3, 2]), list(x[, 1], 1:10), list(), 1:20, "a", NULL, x[1:5])) {
    expect_error(native_map(f, bad, condition, TRUE), class = "bijectr_error_core")
  }
  for (bad in list(NULL, condition[1:3], 1:10, list(), "a")) {
    expect_error(native_map(f, x, bad, TRUE), class = "bijectr_error_core")
  }
  expect_error(native_vjp(f, x, condition, TRUE, list(value = 1)), class = "bijectr_error_core")
  expect_error(native_num_gemm("product", 1, 1, 1, 1, 1), class = "bijectr_error_core")
})

# ---- long calls -----------------------------------------------------------------------------------------------------

time_limit <- function(after) setTimeLimit(elapsed = after, transient = TRUE)

# The seconds that a call takes beyond `after`, when it is ended then; the least of three, as the machine may be busy.
seconds_late <- function(after, class, start, call) {
  late <- replicate(3, {
    begun <- proc.time()[[3]]
    condition <- tryCatch(
      {
        start(after)
        call()
      },
      condition = identity, finally = setTimeLimit()
    )
    expect_s3_class(condition, class)
    proc.time()[[3]] - begun - after
  })
  expect_gt(min(late), -0.05)
  min(late)
}

test_that("numbers are within +-largest up to the last bit, in matrices and in columns, at every place", {
  beyond <- c(1e150 * (1 + .Machine$double.eps), -1e150 * (1 + .Machine$double.eps), Inf, -Inf, NaN, NA)
  for (n in c(1:9, 31:33, 100)) {
    fits <- rep_len(c(1e150, -1e150, 0, 5e-324), n)
    expect_true(native_all_within(matrix(fits), 1e150))
    expect_true(native_all_within(list(fits, seq_len(n)), 1e150))
    for (bad in beyond) {
      for (at in unique(c(1, ceiling(n / 2), n))) {
        expect_false(native_all_within(matrix(replace(fits, at, bad)), 1e150))
        expect_false(native_all_within(list(fits, replace(fits, at, bad)), 1e150))
      }
    }
  }
  expect_false(native_all_within(list(c(1L, NA)), 1e150))
  expect_true(native_all_within(list(), 1e150))
  expect_true(native_all_within(matrix(0, 0, 2), 1e150))
})

test_that("a time limit or an interrupt ends a long map within 0.2 s", {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_instrumented()
  x <- matrix(stats::rnorm(2e6), ncol = 2)
  f <- with_seed(1, flow(continuous_flow(), 2))
  map <- function() logdensity(f, x)
  interrupt <- function(after) system(paste0("(sleep ", after, "; kill -INT ", Sys.getpid(), ") &"))
  for (threads in 1:2) {
    withr::local_options(bijectr.threads = threads)
    expect_lt(seconds_late(0.3, "simpleError", time_limit, map), 0.2)
    expect_lt(seconds_late(0.3, "interrupt", interrupt, map), 0.2)
  }
})

test_that("a time limit ends the initial values of a large net", {
  skip_on_cran()
  skip_if_instrumented()
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_depth = 16, nn_width = 1500)
  expect_lt(seconds_late(0.2, "simpleError", time_limit, function() flow(layers, 2)), 0.2)
})

test_that("the workspace that is kept from call to call is given back where there is no memory left", {
  skip_on_cran()
  skip_if_instrumented()
  skip_if_not_installed("callr")
  skip_if_not(capabilities("profmem") && getRversion() >= "4.2.0")
  found <- callr::r(function() {
    options(bijectr.threads = 1L)
    # memory that R gives to a call, in pieces of this size and more
    pieces <- function(f, x) {
      log <- tempfile()
      utils::Rprofmem(log, threshold = 20000)
      bijectr::logdensity(f, x)
      utils::Rprofmem(NULL)
      sum(grepl("^[0-9]+ :.*native_log_density", readLines(log)))
    }
    f <- bijectr::flow(bijectr::coupling_flow(nn_width = 64), 2)
    wide <- bijectr::flow(bijectr::masked_autoregressive_flow(flow_layers = 1, nn_depth = 4, nn_width = 2000), 2)
    x <- matrix(0.5, 1000, 2)
    first <- pieces(f, x)
    kept <- pieces(f, x)
    mem.maxVSize(ceiling(gc()["Vcells", 4]) + 2) # about what R has by now, the least that it agrees to
    lost <- inherits(try(bijectr::logdensity(wide, x), silent = TRUE), "try-error")
    mem.maxVSize(Inf)
    list(lost = lost, first = first, kept = kept, after = pieces(f, x))
  })
  skip_if_not(found$lost)
  expect_gt(found$first, 0)
  expect_identical(c(found$kept, found$after), c(0L, 0L))
})

# A package that links to this one is installed into a library that is thrown away.
linked <- local({
  loaded <- NULL
  function() {
    skip_on_cran()
    skip_on_os("windows")
    if (is.null(loaded)) {
      library <- tempfile("library")
      dir.create(library)
      source <- file.path(library, "source")
      dir.create(source)
      file.copy(test_path("linked"), source, recursive = TRUE)
      command <- file.path(R.home("bin"), "R")
      out <- withr::with_envvar(
        c(R_LIBS = paste(c(library, .libPaths()), collapse = .Platform$path.sep), R_TESTS = ""),
        system2(command, stdout = TRUE, stderr = TRUE, args = c(
          "CMD", "INSTALL", "--no-test-load", paste0("--library=", library), file.path(source, "linked")
        ))
      )
      if (!is.null(attr(out, "status"))) stop(paste(out, collapse = "\n"))
      package <- "bijectrlinked" # no dependency that R CMD check could look for
      loaded <<- loadNamespace(package, lib.loc = library)
    }
    loaded
  }
})

test_that("densities, gradients and draws from C are those of R", {
  p <- linked()
  set.seed(1)
  f <- fit_flow(faithful, coupling_flow(flow_layers = 2, nn_width = 8), steps = 30)
  h <- p$linked_handle(f)
  expect_identical(p$linked_size(h), c(2L, 0L))
  x <- as.matrix(faithful)
  expect_identical(p$linked_density(h, x), logdensity(f, x))
  gradient <- p$linked_gradient(h, x[1:5, ])
  expect_identical(attr(gradient, "density"), logdensity(f, x[1:5, ]))
  for (j in 1:2) {
    step <- replace(c(0, 0), j, 1e-5 * sd(x[, j]))
    ahead <- logdensity(f, sweep(x[1:5, ], 2, step, "+"))
    behind <- logdensity(f, sweep(x[1:5, ], 2, step))
    expect_equal(gradient[, j], (ahead - behind) / (2 * step[j]), tolerance = 1e-6)
  }
  set.seed(7)
  drawn <- p$linked_draw(h, 100)
  set.seed(7)
  expect_equal(c(drawn), c(as.matrix(sample(f, 100))))
  expect_equal(attr(drawn, "density"), logdensity(f, matrix(c(drawn), ncol = 2)))
  expect_identical(p$linked_density(h, matrix(0, 0, 2)), numeric())
})

test_that("conditions are those of the user, pulled in where they are far out", {
  p <- linked()
  set.seed(2)
  f <- fit_flow(eruptions ~ waiting, faithful, masked_autoregressive_flow(flow_layers = 1, nn_width = 8), steps = 30)
  h <- p$linked_handle(f)
  expect_identical(p$linked_size(h), c(1L, 1L))
  expect_identical(p$linked_density(h, faithful$eruptions, faithful$waiting), logdensity(f, faithful))
  far <- data.frame(eruptions = 3, waiting = c(-1000, 0, 96, 97, 1e6))
  expect_equal(p$linked_density(h, far$eruptions, far$waiting), suppressWarnings(logdensity(f, far)), tolerance = 1e-14)
  set.seed(3)
  drawn <- p$linked_draw(h, 5, c(50, 60, 70, 80, 90))
  set.seed(3)
  rows <- data.frame(waiting = c(50, 60, 70, 80, 90))
  expect_equal(c(drawn), sample(f, 5, rows)[[1]])
  expect_error(p$linked_density(h, 3), "columns of conditions", class = "bijectr_error_core")
})

test_that("a handle outlives its flow and R's collector, and refuses what it cannot be", {
  p <- linked()
  f <- flow(masked_autoregressive_flow(flow_layers = 2, nn_width = 8), d = 3)
  x <- matrix(rnorm(30), 10)
  expected <- logdensity(f, x)
  h <- p$linked_handle(f)
  rm(f)
  for (i in 1:20) {
    gc()
    junk <- lapply(1:1000, function(i) runif(100))
  }
  expect_identical(p$linked_density(h, x), expected)
  expect_equal(p$linked_total(h, x, 2000), 2000 * expected[1])
  expect_error(p$linked_handle(1), "must be a `flow\\(\\)`", class = "bijectr_error_argument")
  stack <- fit_flow(faithful, members = c("normal", "full"))
  expect_error(p$linked_handle(stack), "A handle for C needs one", class = "bijectr_error_argument")
  expect_error(p$linked_density(1, x), "not a handle", class = "bijectr_error_core")
  old <- unserialize(serialize(h, NULL))
  expect_error(p$linked_density(old, x), "earlier session", class = "bijectr_error_core")
})

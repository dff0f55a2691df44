set.seed(1)
fit <- fit_flow(faithful, steps = 20)

test_that("glance, tidy and augment are found through generics", {
  skip_if_not_installed("generics")
  row <- generics::glance(fit)
  expect_identical(dim(row), c(1L, 8L))
  expect_equal(row$logLik, as.double(logLik(fit)))
  expect_equal(row$held_out, summary(fit)$density["flow", "held out"])
  expect_identical(row$status, "finished")
  expect_identical(generics::tidy(fit), data.frame(term = names(coef(fit)), estimate = unname(coef(fit))))
  expect_identical(nrow(generics::tidy(flow(layer_flip(), 2))), 0L)
  expect_identical(generics::augment(fit, faithful), cbind(faithful, .logdensity = logdensity(fit, faithful)))
})

test_that("augment keeps columns and kinds of tables, and takes matrices and conditions", {
  skip_if_not_installed("generics")
  out <- generics::augment(fit, cbind(extra = letters[1:5], faithful[1:5, 2:1]))
  expect_identical(names(out), c("extra", "waiting", "eruptions", ".logdensity"))
  expect_identical(out$.logdensity, logdensity(fit, faithful[1:5, ]))
  expect_identical(generics::augment(fit, as.matrix(faithful[1:5, ]))$.logdensity, out$.logdensity)
  given <- fit_flow(eruptions ~ waiting, data = faithful, steps = 2)
  expect_identical(generics::augment(given, faithful)$.logdensity, logdensity(given, faithful))
  one <- fit_flow(faithful$waiting, steps = 2)
  expect_identical(generics::augment(one, c(50, 60))$.logdensity, logdensity(one, c(50, 60)))
  expect_error(generics::augment(fit), "`data` is missing", class = "bijectr_error_argument")
  # subclasses of data frames stay what they are
  expect_s3_class(generics::augment(fit, structure(faithful, class = c("sub", "data.frame"))), "sub")
})

test_that("glance says where there is nothing to see", {
  skip_if_not_installed("generics")
  unvalidated <- fit_flow(faithful, steps = 2, validation = 0)
  expect_identical(generics::glance(unvalidated)$held_out, NA_real_)
  target <- fit_flow(function(x) -rowSums(x^2) / 2, d = 1, steps = 2, evaluate = 0)
  expect_error(generics::glance(target), "was not made from data", class = "bijectr_error_argument")
})

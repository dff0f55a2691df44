# Columns are matched by name wherever data come in again, and other data are announced.

set.seed(1)
x <- data.frame(a = rnorm(80, 1), b = rexp(80), c = runif(80))
y <- x[c("a", "b")]
fit <- fit_flow(y, condition = x["c"], steps = 5)
joint <- fit_flow(y, steps = 5, keep_state = TRUE, noise = 0, schedule = schedule_constant())
quietly <- function(code) suppressMessages(code)
others <- function(x) `colnames<-`(as.matrix(x), paste0("other", seq_len(ncol(x))))

test_that("names in another order are the same columns at every entry", {
  turned <- y[2:1]
  at <- logdensity(joint, y)
  for (z in list(turned, as.matrix(turned), as.list(turned), cbind(turned, c = 1))) {
    expect_identical(logdensity(joint, z), at)
    expect_identical(dflow(z, joint, log = TRUE), at)
    expect_identical(inverse(joint, z), inverse(joint, y))
    expect_identical(predict(joint, z, "latent"), predict(joint, y, "latent"))
    expect_equal(c(logLik(joint, z)), sum(at))
    expect_identical(augment.bijectr_flow(joint, z)$.logdensity, at)
  }
  both <- fit_flow(y["a"], condition = x[c("b", "c")], steps = 3)
  expect_identical(logdensity(both, y["a"], x[c("c", "b")]), logdensity(both, y["a"], x[c("b", "c")]))
  expect_identical(logdensity(both, y["a"], as.matrix(x[c("c", "b")])), logdensity(both, y["a"], x[c("b", "c")]))
})

test_that("names that match none: a warning, by position; some: an error; none: by position", {
  entries <- list(
    logdensity = function(z) logdensity(joint, z), dflow = function(z) dflow(z, joint),
    inverse = function(z) inverse(joint, z), forward = function(z) forward(joint, z),
    predict = function(z) predict(joint, z), plot = function(z) {
      withr::local_pdf(withr::local_tempfile())
      set.seed(2)
      plot(joint, "samples", data = z, n = 20)
    },
    resume = function(z) coef(quietly(resume(joint, steps = 2, data = z))),
    start = function(z) {
      set.seed(2)
      coef(fit_flow(z, joint, steps = 2))
    }
  )
  for (name in names(entries)) {
    run <- entries[[name]]
    expected <- run(unname(as.matrix(y)))
    expect_no_warning(run(unname(as.matrix(y))))
    expect_warning(value <- run(others(y)), "has other1 and other2 where the flow has a and b",
      class = "bijectr_warning_names"
    )
    expect_identical(value, expected, info = name)
    half <- as.matrix(y)
    colnames(half)[2] <- "z"
    expect_error(run(half), "lacks the column b", class = "bijectr_error_argument", info = name)
    expect_error(run(as.data.frame(others(y))), "lacks the columns a and b", class = "bijectr_error_argument")
  }
  expect_warning(
    value <- logdensity(fit, y, cbind(wrong = x$c)), "`condition` has wrong where the flow has c",
    class = "bijectr_warning_names"
  )
  expect_identical(value, logdensity(fit, y, x$c))
})

test_that("a training goes on with its columns by name", {
  for (z in list(y[2:1], as.matrix(y)[, 2:1])) {
    more <- resume(joint, steps = 3, data = z)
    expect_identical(coef(more), coef(resume(joint, steps = 3, data = y)))
    expect_identical(logLik(more), logLik(resume(joint, steps = 3, data = y)))
    set.seed(2)
    started <- fit_flow(z, joint, steps = 3)
    set.seed(2)
    expect_identical(coef(started), coef(fit_flow(y, joint, steps = 3)))
    expect_identical(started$names, c("a", "b"))
  }
  both <- fit_flow(y["a"], condition = x[c("b", "c")], steps = 3)
  set.seed(2)
  started <- fit_flow(y["a"], both, condition = x[c("c", "b")], steps = 3)
  set.seed(2)
  expect_identical(coef(started), coef(fit_flow(y["a"], both, condition = x[c("b", "c")], steps = 3)))
  expect_identical(
    coef(quietly(resume(both, steps = 2, condition = x[c("c", "b")]))), coef(quietly(resume(both, steps = 2)))
  )
  expect_error(fit_flow(stats::setNames(y, c("a", "d")), joint, steps = 2), "`data` lacks the column b",
    class = "bijectr_error_argument"
  )
  # a flow whose coordinates have no names takes those of the data
  bare <- fit_flow(unname(as.matrix(y)), steps = 2)
  expect_identical(fit_flow(y, bare, steps = 2)$names, c("a", "b"))
  expect_identical(fit_flow(unname(as.matrix(y)), joint, steps = 2)$names, c("a", "b"))
})

test_that("a fit knows its data, in any form, and says when a training goes on with others", {
  expect_identical(joint$digest$rows, 80L)
  expect_no_warning(resume(joint, steps = 2, data = as.matrix(y)))
  expect_no_warning(resume(joint, steps = 2, data = y[2:1]))
  changed <- y
  changed$a[1] <- changed$a[1] * (1 + 1e-15)
  for (other in list(changed, y * 1000, y[80:1, ], stats::setNames(y[2:1], c("a", "b")))) {
    expect_warning(more <- resume(joint, steps = 2, data = other), "is not what the fit was made from",
      class = "bijectr_warning_data"
    )
    expect_no_warning(resume(more, steps = 2, data = other))
  }
  fit <- fit_flow(y, condition = x["c"], steps = 3, keep_state = TRUE)
  expect_no_warning(resume(fit, steps = 2))
  expect_warning(resume(fit, steps = 2, condition = x["c"] * 2), "`condition` is not", class = "bijectr_warning_data")
  formula <- fit_flow(b ~ poly(a, 2), data = y, steps = 3, keep_state = TRUE)
  expect_no_warning(resume(formula, steps = 2))
  expect_warning(resume(formula, steps = 2, data = y * 2), class = "bijectr_warning_data")
  # a fit that kept no digest says nothing
  expect_no_warning(resume(replace(joint, "digest", list(NULL)), steps = 2, data = y * 1000))
})

test_that("the digest tells rows, columns and order apart", {
  z <- as.matrix(y)
  digest <- native_digest(z)
  expect_length(digest, 2)
  expect_true(all(digest == round(digest) & digest >= 0 & digest < 2^32))
  expect_identical(native_digest(as.list(y)), digest)
  expect_identical(native_digest(z + 0), digest)
  expect_identical(native_digest(cbind(0, -0)), native_digest(cbind(0, 0)))
  some <- list(z[80:1, ], z[, 2:1], z[-1, ], z + 1e-9, cbind(z, 0), -z)
  expect_identical(anyDuplicated(c(list(digest), lapply(some, native_digest))), 0L)
  many <- lapply(seq_len(2000), function(i) native_digest(cbind(i * 1e-300)))
  expect_identical(anyDuplicated(many), 0L)
  expect_error(native_digest("a"), class = "bijectr_error_core")
})

test_that("priors that are fits to data frames, and starts of rounds, go by name too", {
  simulator <- function(theta) as.matrix(theta) + 0.5 * matrix(rnorm(length(as.matrix(theta))), ncol = 2)
  prior <- fit_flow(y, layer_elementwise(scalar_affine()), steps = 5)
  quick <- masked_autoregressive_flow(flow_layers = 1, nn_width = 4)
  fit <- fit_rounds(simulator, prior, c(1, 1),
    rounds = 1, simulations = 40, layers = quick, steps = 2, noise = 0
  )
  expect_identical(fit$names, c("a", "b"))
  expect_true(is.matrix(sample(fit, 2, condition = c(1, 1))))
  again <- fit_rounds(simulator, prior, c(1, 1), rounds = 1, simulations = 40, layers = fit, steps = 2, noise = 0)
  expect_identical(again$names, c("a", "b"))
})

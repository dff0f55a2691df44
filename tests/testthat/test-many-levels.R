# Factors with many levels on the right side of a formula.
few <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
table_of <- function(levels, n) {
  id <- factor(rep_len(sprintf("l%04d", seq_len(levels)), n))
  data.frame(y = stats::rnorm(n) + 3 * (as.integer(id) %% 2), id = id, z = stats::rnorm(n), g = gl(3, 1, n))
}

test_that("a factor of many levels is looked up in a table", {
  set.seed(1)
  d <- table_of(1500, 5000)
  fit <- fit_flow(y ~ id, data = d, steps = 2)
  expect_lt(length(fit$params), 1e5)
  expect_identical(fit$d_condition, 1L)
  expect_error(logdensity(fit, data.frame(y = 1, id = "new")), "new", class = "bijectr_error_argument")
  expect_error(sample(fit, 2, condition = 3), "id", class = "bijectr_error_argument")
})

test_that("levels are learned, and found by name in new data", {
  set.seed(2)
  d <- table_of(20, 2000)
  fit <- fit_flow(y ~ z + id + g, data = d, steps = 500)
  expect_identical(fit$condition$names, c("z", "g2", "g3", "id"))
  truth <- dnorm(d$y - 3 * (as.integer(d$id) %% 2), log = TRUE)
  expect_gt(mean(logdensity(fit, d)), mean(truth) - 0.1)
  new <- d[c(5, 4), ]
  expect_identical(logdensity(fit, transform(new, id = as.character(id))), logdensity(fit, d)[c(5, 4)])
  more <- suppressMessages(resume(fit, steps = 1, data = d))
  expect_identical(more$steps, 501)
  expect_equal(logdensity(more, new), logdensity(fit, new), tolerance = 0.05)
})

test_that("layers of one's own have indicators, or a net that looks codes up", {
  set.seed(3)
  d <- table_of(20, 200)
  expect_identical(fit_flow(y ~ id, data = d, layers = few, steps = 2)$d_condition, 19L)
  net <- net_embedding(net_mlp(8), 2, 20)
  own <- fit_flow(y ~ id + z, data = d, layers = layer_autoregressive(scalar_affine(), net), steps = 2)
  expect_identical(own$condition$names, c("z", "id"))
  expect_identical(fit_flow(y ~ id + z, data = d, layers = own, steps = 2)$d_condition, 2L)
  d <- table_of(60, 300)
  expect_error(fit_flow(y ~ id, data = d, layers = few, steps = 2), "60 levels", class = "bijectr_error_argument")
  expect_error(fit_flow(y ~ id:z, data = d, steps = 2), "of its own", class = "bijectr_error_argument")
})

test_that("codes in a matrix without names stay codes", {
  set.seed(4)
  layer <- layer_autoregressive(scalar_affine(), net_embedding(net_mlp(8), 1, 3))
  fit <- fit_flow(matrix(rnorm(200), 100), layer, condition = matrix(rep_len(0:2, 100)), steps = 2)
  expect_identical(fit$condition$levels, 3L)
  expect_s3_class(fit$condition$codecs[[1]], "bijectr_codec_number")
  net <- net_embedding(net_mlp(3), 1, 3) # of a base too
  fit <- fit_flow(matrix(rnorm(200), 100), layer_flip(),
    base = base_normal(net = net), condition = matrix(rep_len(0:2, 100)), steps = 2
  )
  expect_identical(fit$condition$levels, 3L)
})

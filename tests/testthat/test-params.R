test_that("params() are nested lists in natural shapes, coef() the same numbers with names", {
  set.seed(1)
  f <- flow(list(layer_coupling(scalar_affine(), net_mlp(width = 4)), layer_flip(), layer_elementwise(scalar_affine())),
    d = 3, base = base_normal(trainable = TRUE)
  )
  p <- params(f)
  expect_named(p, c("base", "layers"))
  expect_length(p$layers, 3)
  expect_named(p$base, c("mean", "scale"))
  expect_identical(dim(p$layers[[1]]$net$W1), c(4L, 1L))
  expect_length(p$layers[[2]], 0)
  expect_length(p$layers[[3]]$loc, 3)
  expect_identical(unlist(p, use.names = FALSE), unname(coef(f)))
  expect_identical(anyDuplicated(names(coef(f))), 0L)
  expect_true(all(c("base.mean[2]", "layers.1.net.W1[4,1]", "layers.3.loc[3]") %in% names(coef(f))))
})

test_that("what is set is what is read, as a list and as a vector", {
  set.seed(1)
  f <- flow(coupling_flow(flow_layers = 2, nn_width = 5), d = 3, base = base_student_t(trainable = TRUE))
  g <- f
  params(g) <- params(f)
  expect_identical(g, f)
  values <- rnorm(length(coef(f)))
  params(g) <- values
  expect_identical(unname(coef(g)), values)
  params(f) <- params(g)
  expect_identical(f, g)
})

test_that("new parameters change the flow", {
  f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = 2)
  p <- params(f)
  p$layers[[1]]$loc <- c(10, 20)
  p$layers[[1]]$scale <- log(c(2, 3))
  params(f) <- p
  expect_equal(forward(f, rbind(c(1, 1)))$value, rbind(c(12, 23)))
})

test_that("a flow without parameters has an empty coef()", {
  f <- flow(layer_flip(), d = 2)
  expect_length(coef(f), 0)
  params(f) <- numeric()
  expect_equal(forward(f, rbind(1:2))$value, rbind(2:1))
})

test_that("errors name what is wrong", {
  f <- flow(layer_coupling(scalar_affine(), net_mlp(width = 4)), d = 2)
  p <- params(f)
  short <- p
  short$layers[[1]]$net$b1 <- 1:3
  expect_error(params(f) <- short, "layers\\$1\\$net\\$b1 must have 4 numbers")
  turned <- p
  turned$layers[[1]]$net$W1 <- t(turned$layers[[1]]$net$W1)
  expect_error(params(f) <- turned, "layers\\$1\\$net\\$W1 must have shape")
  lacking <- p
  lacking$layers[[1]]$net$b1 <- NULL
  expect_error(params(f) <- lacking, "`value` lacks layers\\$1\\$net\\$b1")
  strange <- p
  strange$layers[[1]]$net$bias <- 1
  expect_error(params(f) <- strange, "`value` has layers\\$1\\$net\\$bias, which", class = "bijectr_error_argument")
  strange <- p
  strange$layers[[2]] <- list(loc = 1)
  expect_error(params(f) <- strange, "`value` has layers\\$2, which")
  expect_error(params(f) <- c(p, list(lr = 1)), "`value` has lr, which")
  misspelt <- p
  names(misspelt$layers[[1]]$net)[names(misspelt$layers[[1]]$net) == "b1"] <- "b11"
  expect_error(params(f) <- misspelt, "net\\$b11, which.*Did you mean .*b1")
  expect_error(params(f) <- c(p, list(bse = 1)), "has bse, which.*Did you mean base")
  expect_error(params(f) <- 1:3, "`value` must be a list like .* or [0-9]+ numbers")
  expect_error(params(f) <- "a", "`value` must be a list like")
  expect_error(params(f) <- replace(coef(f), 2, NA), "`value` must be finite; element 2")
})

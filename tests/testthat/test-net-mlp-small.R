# A net with few inputs and outputs has kernels of its own. Three transformed coordinates are too many for them: there
# the general products run, and with zero weights of the cotangent on the added coordinates they must agree.
test_that("the kernels of small nets agree with the general products", {
  rows <- 150
  for (size in list(c(1, 1), c(2, 1), c(3, 1), c(4, 1), c(1, 2), c(2, 2))) {
    for (width in c(1, 2, 50, 51)) {
      set.seed(sum(size))
      n_in <- size[1]
      n_out <- 2 * size[2]
      net <- net_mlp(width, init = "uniform")
      coupling <- function(d) flow(layer_coupling(scalar_affine(), net, mask = seq_len(d) <= n_in), d)
      small <- coupling(n_in + size[2])
      large <- coupling(n_in + 3)
      w1 <- rnorm(width * n_in)
      b1 <- rnorm(width)
      w2 <- matrix(rnorm(6 * width), 6)
      b2 <- rnorm(6)
      top <- seq_len(n_out)
      small$params <- c(w1, b1, w2[top, ], b2[top])
      large$params <- c(w1, b1, w2, b2)
      x <- matrix(rnorm(rows * (n_in + 3)), rows)
      first <- seq_len(n_in + size[2])
      cotangent <- matrix(rnorm(length(x)), rows)
      cotangent[, -first] <- 0
      for (inverse in c(FALSE, TRUE)) {
        a <- flow_vjp(small, x[, first], inverse, list(value = cotangent[, first]))
        b <- flow_vjp(large, x, inverse, list(value = cotangent))
        hidden <- seq_len(width * (n_in + 1))
        expect_identical(a$value, b$value[, first])
        expect_equal(a$x, b$x[, first], tolerance = 1e-13)
        expect_equal(a$params[hidden], b$params[hidden], tolerance = 1e-13)
        expect_equal(matrix(a$params[-hidden], n_out), matrix(b$params[-hidden], 6)[top, ], tolerance = 1e-13)
      }
    }
  }
})

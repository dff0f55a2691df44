# Whether a layer is what a layer must be: the checks that every layer of the package passes, for layers that are made
# of its parts in new ways, or added to it. With x random points, theta random parameters, and a random direction e of
# all of them, for both directions of the map,
#
#   d/dh sum(a y + b l)(x + h e_x, c + h e_c, theta + h e_theta) = the gradient's product with e
#
# by central differences, l = log|det dy/dx| with the determinant of a matrix of differences. Errors are shares of the
# length of the gradient. Kinks, as those of rectifiers, spoil single differences: of several the median counts.

#' Checks of a layer
#'
#' What a layer promises, by numbers: that its directions undo each other, that its log-determinants are those of its
#' derivatives, that its gradients are right in points, conditions and parameters, that rows do not depend on each
#' other, and that large and small points give numbers.
#'
#' @param layer A layer, or a list of layers, as in [flow()].
#' @param d,d_condition Numbers of coordinates and of conditioning variables.
#' @param n Number of random points, normal draws.
#' @param spread Standard deviation of random parameters around the layer's initial ones.
#' @param far Sizes of points at which the forward map must give numbers.
#' @return A data frame of class `bijectr_layer_check` with one row a check: `check`, `direction` (`"forward"` or
#'   `"inverse"`), `error`, the `tolerance` that it must keep, and whether it is `ok`.
#' @details Tolerances are 1e-9 for round trips, relative to the size of the points, 1e-6 for derivatives, which are
#'   compared with central differences, and 0 for rows alone, which must be what they are among others to the bit.
#'   [set.seed()] governs points, parameters and directions. The inverse is checked at the values of the forward map.
#' @family checking
#' @examples
#' set.seed(1)
#' check_layer(layer_coupling(scalar_rq_spline(knots = 4), net_mlp(8, activation = "tanh")), d = 3)
#' all(check_layer(layer_planar(), d = 2)$ok)
#' @export
check_layer <- function(layer, d, d_condition = 0, n = 32, spread = 0.3, far = c(1e-8, 1e3, 1e6)) {
  check_given("layer", "d")
  n <- check_count(n, "n", min = 2)
  spread <- check_number(spread, "spread", min = 0, below = Inf)
  if (!is.numeric(far) || !all(is.finite(far) & far > 0)) stop_arg("{.arg far} must be positive finite numbers.")
  subject <- flow(layer, d, d_condition = d_condition)
  subject["params"] <- list(subject$params + stats::rnorm(length(subject$params), sd = spread))
  z <- matrix(stats::rnorm(n * subject$d), n)
  given <- if (subject$d_condition > 0) matrix(stats::rnorm(n * subject$d_condition), n)
  there <- native_map(subject, z, given, inverse = FALSE)
  found <- rbind(
    layer_checks(subject, z, given, FALSE, there), layer_checks(subject, there$value, given, TRUE, there, z),
    far_check(subject, far, given)
  )
  structure(found, class = c("bijectr_layer_check", "data.frame"))
}

CHECK_DIRECTIONS <- 9
CHECK_STEP <- 1e-5

check_row <- function(check, inverse, error, tolerance) {
  data.frame(
    check = check, direction = if (inverse) "inverse" else "forward", error = error, tolerance = tolerance,
    ok = is.finite(error) && error <= tolerance
  )
}

# `there`: the forward map of the points `z`, at whose values the inverse is checked.
layer_checks <- function(flow, x, given, inverse, there, z = NULL) {
  value <- native_map(flow, x, given, inverse)
  rows <- list()
  if (inverse) {
    rows$trip <- check_row("round trip", TRUE, max(abs(value$value - z) / (1 + abs(z))), 1e-9)
    rows$sign <- check_row("log-determinants are opposite", TRUE,
      max(abs(value$logdet + there$logdet) / (1 + abs(there$logdet))), 1e-9
    )
  }
  error <- abs(value$logdet - difference_logdet(flow, x, given, inverse)) / (1 + abs(value$logdet))
  rows$logdet <- check_row("log-determinant", inverse, stats::quantile(error, 0.5, names = FALSE), 1e-6)
  rows$gradient <- gradient_checks_of(flow, x, given, inverse)
  one <- native_map(flow, x[2, , drop = FALSE], if (!is.null(given)) given[2, , drop = FALSE], inverse)
  apart <- max(abs(one$value - value$value[2, ]), abs(one$logdet - value$logdet[2]))
  rows$alone <- check_row("a row alone is as among others", inverse, apart, 0)
  do.call(rbind, unname(rows))
}

# log|det| of the matrix of central differences, row by row.
difference_logdet <- function(flow, x, given, inverse) {
  d <- ncol(x)
  step <- CHECK_STEP * (1 + abs(x))
  columns <- lapply(seq_len(d), function(j) {
    move <- matrix(0, nrow(x), d)
    move[, j] <- step[, j]
    ahead <- native_map(flow, x + move, given, inverse)$value
    behind <- native_map(flow, x - move, given, inverse)$value
    (ahead - behind) / (2 * step[, j])
  })
  vapply(seq_len(nrow(x)), function(i) {
    jacobian <- vapply(columns, function(column) column[i, ], numeric(d))
    as.double(determinant(matrix(jacobian, d))$modulus)
  }, 0)
}

# Gradients in points, conditions and parameters, each along directions of its own.
gradient_checks_of <- function(flow, x, given, inverse) {
  cotangents <- list(value = matrix(stats::rnorm(length(x)), nrow(x)), logdet = stats::rnorm(nrow(x)))
  gradient <- native_vjp(flow, x, given, inverse, cotangents)
  loss <- function(part, move) {
    at <- list(x = x, condition = given, params = flow$params)
    at[[part]] <- at[[part]] + move
    flow["params"] <- list(at$params)
    out <- native_map(flow, at$x, at$condition, inverse)
    sum(cotangents$value * out$value) + sum(cotangents$logdet * out$logdet)
  }
  labels <- c(x = "gradient in points", condition = "gradient in conditions", params = "gradient in parameters")
  sizes <- c(x = length(x), condition = length(given), params = length(flow$params))
  do.call(rbind, lapply(names(labels)[sizes > 0], function(part) {
    g <- gradient[[part]]
    error <- vapply(seq_len(CHECK_DIRECTIONS), function(k) {
      e <- stats::rnorm(length(g))
      e <- array(CHECK_STEP * e / sqrt(sum(e^2)) * sqrt(1 + sum(x^2) / length(x)), dim(g) %||% length(g))
      difference <- (loss(part, e) - loss(part, -e)) / 2
      abs(difference - sum(g * e)) / (sqrt(sum(g^2)) * sqrt(sum(e^2)) + 1e-12)
    }, 0)
    check_row(labels[[part]], inverse, stats::median(error), 1e-6)
  }))
}

far_check <- function(flow, far, given) {
  lost <- 0
  for (size in far) {
    z <- size * rbind(rep(1, flow$d), rep(-1, flow$d), rep_len(c(1, -1), flow$d))
    out <- native_map(flow, z, if (!is.null(given)) given[c(1, 1, 2), , drop = FALSE], FALSE)
    bad <- rowSums(is.nan(out$value)) > 0 | is.nan(out$logdet)
    lost <- lost + sum(bad)
  }
  check_row("numbers at points far out", FALSE, lost, 0)
}

#' @export
print.bijectr_layer_check <- function(x, ...) {
  cat("<check of a layer> ", sum(x$ok), " of ", nrow(x), " checks hold\n", sep = "")
  shown <- as.data.frame(unclass(x))
  shown$error <- format(signif(shown$error, 2))
  print(shown, row.names = FALSE, right = FALSE)
  invisible(x)
}

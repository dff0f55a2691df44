# Densities by rows nearby: a member for columns given conditions, where these say much that no smooth function of them
# does, as settings of a machine, or names. With B the coefficients of linear regression, e_i = z_i - B' (1, c_i) the
# residuals and S their covariance, of d columns,
#
#   p(z | c) = (sum_i w_i K(c, c_i) N(z; B' (1, c) + e_i, h^2 S) + s t(z; B' (1, c), S)) / (sum_i w_i K(c, c_i) + s)
#   K(c, c_i) = exp(-r / g),  r^2 = mean_k (c_k - c_ik)^2
#
# so that rows nearby count as rows, and the regression, with errors on a t distribution, as s of them. Sources:
# Rosenblatt
# (1969), Conditional probability density and regression estimators, in Multivariate Analysis II, 25-31; Hyndman,
# Bashtannyk, Grunwald (1996), Estimating and visualizing conditional densities, Journal of Computational and Graphical
# Statistics 5, 315-336, doi:10.1080/10618600.1996.10474715, who put the kernels at residuals as here.
#
# A member is plain data of class bijectr_nearby: `d`, `d_condition`, `line` (where z is: center, scale and layer of the
# columns), `coefficient`, `root` (S = root root'), `df`, `residual`, `given`, `w` (rows of the training), `near` (g),
# `width` (h) and `strength` (s); `params` are the coefficients and the root.

NEARBY_NEAR <- c(0.06, 0.2, 0.5)
NEARBY_WIDTH <- c(0.05, 0.15, 0.4)
NEARBY_STRENGTH <- c(1, 0.2)

nearby_sizes <- function(problem) {
  if (problem$d_condition == 0) return(list())
  sizes <- expand.grid(width = NEARBY_WIDTH, near = NEARBY_NEAR, strength = NEARBY_STRENGTH)
  sizes$group <- paste(sizes$near, sizes$strength)
  lapply(seq_len(nrow(sizes)), function(i) as.list(sizes[i, ]))
}

nearby_member <- function(problem, rows, size) {
  at <- closed_rows(problem, rows, most = NEARBY_ROWS)
  n <- nrow(at$z)
  w <- at$w %||% rep(1, n)
  found <- weighted_regression(with_intercept(at$given), at$z, w)
  spread <- triangle_of_spread(found$residual, w, ncol(at$given) + 1) %||% ridged_triangle(found$residual, w)
  free <- max(n - ncol(at$given) - 1, 1)
  line <- problem$line
  list(structure(
    list(
      kind = "nearby", d = problem$d, d_condition = problem$d_condition, layers = list(layers = list(line$layer)),
      line = line[c("center", "scale", "layer")], coefficient = found$coefficient, root = t(spread) * sqrt(n / free),
      df = max(min(free - problem$d + 1, 8), 1), residual = found$residual, given = at$given, w = w,
      near = size$near, width = size$width, strength = size$strength, params = c(found$coefficient, spread)
    ),
    class = "bijectr_nearby"
  ))
}

NEARBY_ROWS <- 4000

#' @export
check_member.bijectr_nearby <- function(object, d, d_condition) {
  n <- NROW(object[["residual"]])
  table <- function(x, rows, columns) is.numeric(x) && is.matrix(x) && all(dim(x) == c(rows, columns)) && !anyNA(x)
  line <- object[["line"]]
  whole <- n > 0 && identical(as.numeric(c(object[["d"]], object[["d_condition"]])), as.numeric(c(d, d_condition))) &&
    table(object$residual, n, d) && table(object[["given"]], n, d_condition) &&
    table(object[["coefficient"]], d_condition + 1, d) && table(object[["root"]], d, d) &&
    is.numeric(object[["w"]]) && length(object$w) == n && is.list(line) && is.numeric(line[["center"]]) &&
    length(line$center) == d && is.numeric(line[["scale"]]) && length(line$scale) == d &&
    all(vapply(object[c("near", "width", "strength", "df")], function(x) one_number(x) && x > 0, NA))
  if (!isTRUE(whole)) stop_damaged("members")
}

# ---- what a distribution does with points ----------------------------------------------------------------------------

# Points as residuals in units of the root, list(u, slope): on the line, less what the regression says.
nearby_residuals <- function(object, points, condition) {
  on <- on_the_line(points, object$line$layer)
  z <- rows_at(on$data, seq_len(n_rows(on$data)), object$line$center, object$line$scale)
  shift <- z - with_intercept(all_rows(condition)) %*% object$coefficient
  slope <- on$slope - sum(log(object$line$scale)) - sum(log(diag(object$root)))
  list(u = t(forwardsolve(object$root, t(unname(shift)))), slope = slope)
}

# Weights of the training rows for each of n rows, and the share of the regression: `f(i, weight, regression)` for
# numbers of rows that fit into memory, where a row of `weight` and `regression` add up to 1.
NEARBY_CHUNK <- 2e6

for_nearby <- function(object, condition, n, f) {
  for (i in row_chunks(n, NEARBY_CHUNK %/% nrow(object$given))) {
    weight <- nearness(rows_at(condition, i), object$given, object$near) * rep(object$w, each = length(i))
    total <- rowSums(weight) + object$strength
    f(i, weight / total, object$strength / total)
  }
}

#' @export
points_density.bijectr_nearby <- function(object, points, condition) {
  at <- nearby_residuals(object, points, condition)
  d <- object$d
  kernel <- t(forwardsolve(object$root, t(object$residual)))
  own <- log_student_t(rowSums(at$u^2), diag(d), object$df)
  out <- numeric(nrow(at$u))
  for_nearby(object, condition, length(out), function(i, weight, regression) {
    height <- -d / 2 * log(2 * pi) - d * log(object$width)
    near <- rowSums(weight * normal_kernels(at$u[i, , drop = FALSE], kernel, object$width))
    out[i] <<- log_add(log(near) + height, log(regression) + own[i])
  })
  out + at$slope
}

#' @export
points_drawn.bijectr_nearby <- function(object, n, condition) {
  d <- object$d
  kernel <- t(forwardsolve(object$root, t(object$residual)))
  u <- matrix(stats::rnorm(n * d), n)
  for_nearby(object, condition, n, function(i, weight, regression) {
    for (r in seq_along(i)) {
      k <- sample.int(ncol(weight) + 1, 1, prob = c(regression[r], weight[r, ]))
      u[i[r], ] <<- if (k == 1) {
        u[i[r], ] / sqrt(stats::rchisq(1, object$df) / object$df)
      } else {
        kernel[k - 1, ] + object$width * u[i[r], ]
      }
    }
  })
  z <- u %*% t(object$root) + with_intercept(all_rows(condition)) %*% object$coefficient
  nearby_back(object, z)
}

# From the line to the units of the data.
nearby_back <- function(object, z) {
  line <- object$line
  from_the_line(z * rep(line$scale, each = nrow(z)) + rep(line$center, each = nrow(z)), line$layer)$value
}

#' @export
points_cdf.bijectr_nearby <- function(object, points, condition, lower_tail, log_p) {
  x <- column(points, 1)
  end <- !is.finite(x)
  scalar <- object$line$layer$scalar[[1]]
  line <- (end_on_the_line(x, scalar) - object$line$center) / object$line$scale
  root <- object$root[1, 1]
  u <- (line - drop(with_intercept(all_rows(condition)) %*% object$coefficient)) / root
  kernel <- object$residual[, 1] / root
  out <- numeric(length(x))
  for_nearby(object, condition, length(x), function(i, weight, regression) {
    p <- stats::pnorm(outer(u[i], kernel, `-`) / object$width, lower.tail = lower_tail)
    out[i] <<- rowSums(weight * p) + regression * stats::pt(u[i], object$df, lower.tail = lower_tail)
  })
  out[end] <- ((x > 0) == lower_tail)[end]
  if (log_p) log(out) else out
}

#' @export
points_quantile.bijectr_nearby <- function(object, p, condition, lower_tail, log_p) {
  root <- object$root[1, 1]
  middle <- drop(with_intercept(all_rows(condition)) %*% object$coefficient)
  kernel <- range(object$residual[, 1])
  # between the quantiles of what is mixed; behind the support all is monotone
  line <- function(u) nearby_back(object, matrix(u))[, 1]
  mixed_quantile(p, lower_tail, log_p, list(
    ends = function(log_p, lower, i) {
      own <- root * stats::qt(log_p, object$df, lower.tail = lower, log.p = TRUE)
      far <- root * object$width * stats::qnorm(log_p, lower.tail = lower, log.p = TRUE)
      list(low = line(middle[i] + pmin(own, kernel[1] + far)), high = line(middle[i] + pmax(own, kernel[2] + far)))
    },
    log_cdf = function(z, lower, i) points_cdf(object, matrix(z), rows_at(condition, i), lower, TRUE),
    log_density = function(z, i) points_density(object, matrix(z), rows_at(condition, i))
  ))
}

# Of the kernels, from left to right, the means of groups, small ones in both tails (s of response.R), each by Gauss and
# Hermite's rule of three points; of the regression quantiles. Quantiles of the whole would have to be searched for.
#' @export
spread_of_one.bijectr_nearby <- function(object, n, condition, nodes) {
  root <- object$root[1, 1]
  middle <- drop(with_intercept(all_rows(condition)) %*% object$coefficient)
  rule <- quantile_rule(nodes)
  own <- root * stats::qt(rule$p, object$df)
  own[!rule$low] <- -own[!rule$low]
  within <- rep(c(-1, 0, 1) * sqrt(3) * object$width * root, nodes)
  order <- order(object$residual[, 1])
  kernel <- object$residual[order, 1]
  steps <- crowded(seq(0, 1, length.out = nodes + 1))
  of_groups <- rep(diff(steps), each = 3) * c(1, 4, 1) / 6
  u <- matrix(0, 4 * nodes, n)
  weight <- u
  for_nearby(object, condition, n, function(i, near, regression) {
    for (r in seq_along(i)) {
      share <- near[r, order]
      total <- cumsum(share)
      group <- numeric(nodes)
      if (total[length(total)] > 0) { # else no kernel is near
        ends <- stats::approx(c(0, total), c(0, cumsum(share * kernel)), steps * total[length(total)], ties = mean)
        group <- diff(ends$y) / diff(ends$x)
        group[is.nan(group)] <- 0 # of no width
      }
      u[, i[r]] <<- middle[i[r]] + c(rep(group, each = 3) + within, own)
      weight[, i[r]] <<- c((1 - regression[r]) * of_groups, regression[r] * rule$weight)
    }
  })
  list(x = nearby_back(object, matrix(u)), weight = weight, far = c(rep(FALSE, 3 * nodes), rule$far))
}

#' @export
count_of_one.bijectr_nearby <- function(object, nodes) 4L * nodes

#' @export
coef.bijectr_nearby <- function(object, ...) object$params

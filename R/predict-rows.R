# What predict() says of rows of conditions beyond means, see response.R: modes, intervals, draws, covariances. Of one
# coordinate by its quantiles and density, of several by draws.

# Nodes of quantiles between which a mode is looked for, and how often and how finely the gap is.
MODE_NODES <- 199
MODE_ROUNDS <- 4
MODE_STEPS <- 8

# Starts of shortest intervals, and of those between two of them.
SHORTEST_NODES <- 100
SHORTEST_STEPS <- 10

# The points where the density is largest, one a row of conditions, in the units of the coordinate.
flow_mode <- function(flow, newdata, condition) {
  check_one_coordinate(flow)
  if (role_kinds(column_roles_of(flow)) == "atoms") {
    stop_arg("A column of which some values have positive probability and others a density has no mode.")
  }
  at <- take_rows(flow, newdata, condition, TRUE)
  whole <- is_whole(flow)
  value <- by_rows(at, 1, function(i, condition) {
    density <- function(x) {
      given <- if (!is.null(condition)) rows_at(condition, rep(seq_along(i), ncol(x)))
      matrix(rows_density(flow, matrix(as.vector(x)), given), nrow(x))
    }
    p <- (seq_len(MODE_NODES) - 0.5) / MODE_NODES
    x <- quantiles_of_rows(flow, condition, matrix(p, length(i), MODE_NODES, TRUE))
    if (whole) x <- to_whole(x)
    for (round in seq_len(if (whole) 0 else MODE_ROUNDS)) {
      best <- max.col(replace(density(x), is.na(x), -Inf), "first")
      at_row <- function(k) x[cbind(seq_along(i), pmin(pmax(k, 1), ncol(x)))]
      low <- at_row(best - 1)
      x <- low + outer(at_row(best + 1) - low, seq(0, 1, length.out = 2 * MODE_STEPS + 1))
    }
    best <- max.col(density(x), "first")
    x[cbind(seq_along(i), best)]
  })
  decoded(flow, value, 1)
}

# Quantiles, one row a row of conditions and one column a probability.
flow_quantiles <- function(flow, newdata, condition, p) {
  labels <- names(p) %||% percent_labels(check_probabilities(p, "p", FALSE))
  p <- check_probabilities(p, "p", FALSE)
  if (flow$d > 1) return(drawn_quantiles(flow, newdata, condition, p, labels))
  check_one_coordinate(flow)
  at <- take_rows(flow, newdata, condition, TRUE)
  value <- by_rows(at, length(p), function(i, condition) {
    z <- quantiles_of_rows(flow, condition, matrix(p, length(i), length(p), TRUE))
    as.double(decoded(flow, matrix(z), 1))
  })
  colnames(value) <- labels
  value
}

# Medians, in the class of the coordinate; of several a matrix.
flow_median <- function(flow, newdata, condition) {
  if (flow$d > 1) {
    value <- drawn_quantiles(flow, newdata, condition, 0.5)
    return(matrix(value, nrow(value), dimnames = list(NULL, dimnames(value)[[3]])))
  }
  check_one_coordinate(flow)
  at <- take_rows(flow, newdata, condition, TRUE)
  decoded(flow, by_rows(at, 1, function(i, given) quantiles_of_rows(flow, given, matrix(0.5, length(i), 1))), 1)
}

# Ends of intervals that hold the share `level`, one row a row of conditions: between the quantiles that leave as much
# below as above, or the shortest.
flow_ends <- function(flow, newdata, condition, level, shortest) {
  check_one_coordinate(flow)
  at <- take_rows(flow, newdata, condition, TRUE)
  value <- by_rows(at, 2, function(i, condition) {
    n <- length(i)
    low <- rep((1 - level) / 2, n)
    if (shortest) {
      starts <- (1 - level) * seq(0, 1, length.out = SHORTEST_NODES + 1)
      low <- shortest_start(flow, condition, matrix(starts, n, length(starts), TRUE), level)
      step <- starts[2] / SHORTEST_STEPS
      around <- outer(low, step * seq(-SHORTEST_STEPS, SHORTEST_STEPS), "+")
      low <- shortest_start(flow, condition, pmin(pmax(around, 0), 1 - level), level)
    }
    as.double(decoded(flow, matrix(quantiles_of_rows(flow, condition, cbind(low, low + level))), 1))
  })
  colnames(value) <- c("lwr", "upr")
  value
}

# Of rows of probabilities where intervals may begin, those of the shortest ones.
shortest_start <- function(flow, condition, starts, level) {
  low <- quantiles_of_rows(flow, condition, starts)
  high <- quantiles_of_rows(flow, condition, pmin(starts + level, 1))
  width <- high - low
  width[!is.finite(width)] <- Inf
  starts[cbind(seq_len(nrow(starts)), max.col(-width, "first"))]
}

# A prediction and an interval around it, as lm() has them; means in the units of the response, see response.R.
flow_interval <- function(flow, newdata, condition, type, level, shortest) {
  if (is.character(level)) {
    stop_arg(c(
      "{.arg interval} must be a probability, as 0.9, not {describe(level)}.",
      i = "The interval is one of new responses, as {.code interval = \"prediction\"} of other models."
    ))
  }
  level <- check_number(level, "interval", above = 0, below = 1)
  shortest <- check_flag(shortest, "shortest")
  if (!type %in% c("response", "median", "mode")) {
    stop_arg("{.arg interval} is for the types {.val {c('response', 'median', 'mode')}}, not for {.val {type}}.")
  }
  if (flow$d > 1) {
    if (shortest) stop_arg("Shortest intervals are those of one coordinate; this flow has {flow$d}.")
    if (type == "mode") check_one_coordinate(flow)
    ends <- drawn_quantiles(flow, newdata, condition, c((1 - level) / 2, 0.5, (1 + level) / 2))
    if (type == "response") ends[, 2, ] <- flow_response(flow, newdata, condition)
    ends <- ends[, c(2, 1, 3), , drop = FALSE]
    dimnames(ends)[[2]] <- c("fit", "lwr", "upr")
    return(ends)
  }
  fit <- switch(type,
    response = flow_response(flow, newdata, condition),
    median = flow_quantiles(flow, newdata, condition, 0.5)[, 1],
    mode = flow_mode(flow, newdata, condition)
  )
  ends <- flow_ends(flow, newdata, condition, level, shortest)
  if (type == "response") {
    ends[] <- response_units(flow)[[1]]$inverse(ends)
    turned <- which(ends[, 1] > ends[, 2])
    ends[turned, ] <- ends[turned, 2:1]
  }
  cbind(fit = as.double(fit), ends)
}

# ---- by draws --------------------------------------------------------------------------------------------------------

# What `f` makes of `draws` draws of a row of conditions, a matrix with a column a coordinate (with those that were left
# out as functions of others): an array, one row a row of conditions, of further dimensions `shape`.
of_draws <- function(flow, newdata, condition, draws, shape, f) {
  refuse_levels(flow, "are no numbers", "{.fn sample} draws them.")
  at <- take_rows(flow, newdata, condition)
  value <- by_rows(at, prod(shape), function(i, condition) {
    x <- drawn_spread(flow, length(i), condition, draws)$x
    x <- with_dropped(settled_draws(flow, tell_nan(x, "The draw")), flow$dropped)
    each <- function(r) as.double(f(x[(r - 1) * draws + seq_len(draws), , drop = FALSE]))
    matrix(unlist(lapply(seq_along(i), each)), length(i), byrow = TRUE)
  }, size = draws)
  array(value, c(nrow(value), shape))
}

# Missing probabilities have missing quantiles.
drawn_quantiles <- function(flow, newdata, condition, p, labels = percent_labels(p)) {
  whole <- whole_table(flow)
  value <- of_draws(flow, newdata, condition, RESPONSE_DRAWS, c(length(p), whole$d), function(x) {
    value <- matrix(NA_real_, length(p), ncol(x))
    value[!is.na(p), ] <- apply(x, 2, stats::quantile, p[!is.na(p)], names = FALSE)
    value
  })
  dimnames(value) <- list(NULL, labels, coordinate_labels(whole))
  value
}

# Variances of one coordinate, covariances of several, and the standard errors of these.
flow_covariance <- function(flow, newdata, condition) {
  whole <- whole_table(flow)
  d <- whole$d
  if (d == 1) return(flow_variance(flow, newdata, condition))
  value <- of_draws(flow, newdata, condition, RESPONSE_DRAWS, c(d, d, 2), function(x) {
    x <- x - rep(colMeans(x), each = nrow(x))
    cov <- crossprod(x) / (nrow(x) - 1)
    c(cov, sqrt(pmax(crossprod(x^2) / nrow(x) - cov^2, 0) / nrow(x)))
  })
  labels <- coordinate_labels(whole)
  names <- list(NULL, labels, labels)
  part <- function(k) array(value[, , , k], dim(value)[1:3], names)
  structure(part(1), error = part(2))
}

# Of one coordinate without draws: integrals over its quantiles, see response.R.
flow_variance <- function(flow, newdata, condition) {
  refuse_levels(flow, "are no numbers", "{.fn sample} draws them.")
  at <- take_rows(flow, newdata, condition, TRUE)
  value <- by_rows(at, 1, function(i, condition) {
    spread <- points_spread(flow, length(i), condition)
    x <- matrix(if (is_whole(flow)) to_whole(spread$x) else spread$x, nrow(spread$weight))
    centred <- x - rep(colSums(x * spread$weight), each = nrow(x))
    colSums(centred^2 * spread$weight)
  }, size = spread_size(flow))
  label <- coordinate_labels(flow)
  array(value, c(nrow(value), 1, 1), list(NULL, label, label))
}

flow_draws <- function(flow, newdata, condition, draws) {
  draws <- check_count(draws, "draws")
  whole <- whole_table(flow)
  value <- of_draws(flow, newdata, condition, draws, c(draws, whole$d), identity)
  if (whole$d == 1) return(matrix(value, dim(value)[1]))
  dimnames(value) <- list(NULL, NULL, coordinate_labels(whole))
  value
}

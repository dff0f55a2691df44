# The kinds of distributions over a few values, see categories.R, and how they are fitted. With j a value and c the
# conditions,
#
#   frequencies  p_j = (n_j + a_j) / (n + 1/2), a_j = 1 / (2 L): half a row more, spread over all L values
#   linear       p_j = exp(eta_j) / sum_k exp(eta_k), eta_j = b_0j + b_j' c; the mode of
#                sum_i w_i log p_y(i) - ridge / 2 sum_j |b_j|^2, by L-BFGS (multinomial logistic regression)
#   local        p_j = (sum_i K(c, c_i) [y_i = j] + s q_j(c)) / (sum_i K(c, c_i) + s), with q of the linear kind and
#                K = exp(-r / h), r^2 = mean_k (c_k - c_ik)^2: rows nearby count as rows, the linear kind as s of them
#
# Sources: Agresti (2013), Categorical Data Analysis, 3rd edition, sections 8.1 and 16.2 (multinomial logits and their
# smoothing); Aitchison, Aitken (1976), Multivariate binary discrimination by the kernel method, Biometrika 63, 413-420.

# ---- frequencies -----------------------------------------------------------------------------------------------------

HALF_ROW <- 0.5

frequencies_member <- function(problem, rows, size) {
  at <- category_rows(problem, rows)
  count <- colSums(at$y) + HALF_ROW / ncol(at$y)
  list(new_categories("frequencies", problem$values, problem$d_condition, log(count / sum(count))))
}

#' @export
log_shares.bijectr_frequencies <- function(object, condition, n) matrix(object$params, n, length(object$values), TRUE)

#' @export
intact_categories.bijectr_frequencies <- function(object) length(object$params) == length(object$values)

# Training rows as kinds without a line see them, list(x, w, given), `most` of them.
coded_rows <- function(problem, rows, most) {
  look <- look_at_rows(rows$train, problem$weights, most)
  i <- look$rows
  w <- look$weights[i]
  if (!is.null(w)) w <- w / mean(w)
  given <- if (problem$d_condition > 0) indicate_codes(rows_at(problem$condition, i), problem$levels)
  list(x = column_at(problem$data, 1, i), w = w, given = given)
}

# And as those over a few values do, list(y, given): `y` has the weight of a row in the column of its value.
category_rows <- function(problem, rows, most = Inf) {
  at <- coded_rows(problem, rows, most)
  list(y = indicate_values(at$x, problem$values, at$w), given = at$given)
}

# Conditions with columns of codes, of which `levels` has the numbers of levels (0: no codes), as indicators of all
# levels but the first; these are of about unit scale in rows where levels are as frequent as each other.
indicate_codes <- function(given, levels) {
  given <- unname(given)
  if (!any(levels > 0)) return(given)
  do.call(cbind, lapply(seq_len(ncol(given)), function(j) {
    if (levels[j] == 0) return(given[, j])
    outer(given[, j], seq_len(levels[j] - 1), `==`) * sqrt(levels[j])
  }))
}

# ---- linear ----------------------------------------------------------------------------------------------------------

LINEAR_ROWS <- 50000
LINEAR_RIDGES <- c(100, 25, 6, 1.6, 0.4, 0.1) # the stronger the sooner found

linear_sizes <- function() lapply(LINEAR_RIDGES, function(ridge) list(ridge = ridge))

# From one ridge to the next the search goes on where it ended, of the same rows.
linear_member <- function(problem, rows, size) {
  key <- rlang::hash(rows$train)
  at <- problem$memo[[key]] %||% category_rows(problem, rows, LINEAR_ROWS)
  at$coefficient <- fit_logits(at$y, at$given, size$ridge, at$coefficient)
  problem$memo[[key]] <- at
  list(new_categories(
    "linear", problem$values, problem$d_condition, as.vector(at$coefficient), levels = problem$levels
  ))
}

#' @export
log_shares.bijectr_linear <- function(object, condition, n) {
  linear_shares(object, indicate_codes(all_rows(condition), object$levels))
}

linear_shares <- function(object, given) {
  coefficient <- matrix(object$params, ncol = length(object$values))
  normalize_logits(with_intercept(given) %*% coefficient)
}

#' @export
intact_categories.bijectr_linear <- function(object) {
  levels <- object[["levels"]]
  (is.null(levels) || is.numeric(levels) && length(levels) == object$d_condition && !anyNA(levels)) &&
    length(object$params) == length(object$values) * (1 + count_indicators(object))
}

count_indicators <- function(object) {
  object$d_condition + sum(pmax(object$levels - 2, 0)[object$levels > 0])
}

# Coefficients, one column a value, by steps of limited memory BFGS on the ridged likelihood, which the core computes.
# Frequencies have half a row more, as those of the other kinds; so the intercepts, which are not ridged, are finite.
fit_logits <- function(y, given, ridge, start = NULL) {
  x <- with_intercept(given)
  prior <- HALF_ROW / ncol(y)
  free <- rep(c(0, rep(1, ncol(x) - 1)), ncol(y))
  total <- sum(y)
  if (is.null(start)) {
    start <- matrix(0, ncol(x), ncol(y))
    start[1, ] <- log((colSums(y) + prior) / (total + HALF_ROW))
  }
  storage.mode(y) <- storage.mode(x) <- "double"
  last <- NULL
  at <- function(b) {
    if (!identical(b, last$b)) {
      center <- normalize_logits(matrix(matrix(b, ncol(x))[1, ], 1))
      last <<- c(list(b = b, center = center), native_logits_loss(x, y, b))
    }
    last
  }
  loss <- function(b) {
    now <- at(b)
    (ridge / 2 * sum(free * b^2) + now$loss - prior * sum(now$center)) / total
  }
  gradient <- function(b) {
    now <- at(b)
    slope <- now$gradient
    slope[1, ] <- slope[1, ] + HALF_ROW * exp(now$center) - prior
    (ridge * free * b + as.vector(slope)) / total
  }
  found <- stats::optim(as.vector(start), loss, gradient, method = "L-BFGS-B", control = list(maxit = 200, factr = 1e8))
  matrix(found$par, ncol(x))
}

# ---- local -----------------------------------------------------------------------------------------------------------

LOCAL_WIDTHS <- c(0.03, 0.06, 0.1, 0.15, 0.25, 0.4)
LOCAL_STRENGTHS <- c(3, 1, 0.3)
LOCAL_RIDGE <- 3
LOCAL_ROWS <- 4000

local_sizes <- function() {
  sizes <- expand.grid(width = LOCAL_WIDTHS, strength = LOCAL_STRENGTHS)
  sizes$group <- sizes$strength
  lapply(seq_len(nrow(sizes)), function(i) as.list(sizes[i, ]))
}

local_member <- function(problem, rows, size) {
  key <- rlang::hash(rows$train)
  if (is.null(problem$memo[[key]])) {
    at <- category_rows(problem, rows, LOCAL_ROWS)
    problem$memo[[key]] <- c(at, list(params = as.vector(fit_logits(at$y, at$given, LOCAL_RIDGE))))
  }
  at <- problem$memo[[key]]
  list(new_categories("local", problem$values, problem$d_condition,
    params = at$params, given = at$given, y = at$y, width = size$width, strength = size$strength,
    levels = problem$levels
  ))
}

# Numbers in a table of distances at the most: memory does not grow with the rows.
LOCAL_CHUNK <- 4e6

#' @export
log_shares.bijectr_local <- function(object, condition, n) {
  given <- indicate_codes(all_rows(condition), object$levels)
  linear <- linear_shares(object, given)
  out <- linear
  mass <- rowSums(object$y)
  for (i in row_chunks(n, LOCAL_CHUNK %/% nrow(object$given))) {
    near <- nearness(given[i, , drop = FALSE], object$given, object$width)
    out[i, ] <- log(near %*% object$y + object$strength * exp(linear[i, , drop = FALSE])) -
      log(drop(near %*% mass) + object$strength)
  }
  out
}

#' @export
intact_categories.bijectr_local <- function(object) {
  is.matrix(object[["given"]]) && is.numeric(object$given) && ncol(object$given) == count_indicators(object) &&
    is.matrix(object[["y"]]) && is.numeric(object$y) && ncol(object$y) == length(object$values) &&
    nrow(object$y) == nrow(object$given) && one_number(object[["width"]]) && object$width > 0 &&
    one_number(object[["strength"]]) && object$strength > 0 && intact_categories.bijectr_linear(object)
}

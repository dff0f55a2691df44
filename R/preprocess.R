# What is learned from the training rows before the fit: centres and scales of columns, the layer that standardises
# them, and the shape of the noise. Moments are summed over chunks of rows, so that the memory for them does not grow
# with the data.

ROWS_PER_CHUNK <- 16384L

# Spread, relative to the magnitude, up to which a column is constant: rounding makes as much.
FLAT <- 1e-12

# A column has long tails where its standard deviation is more than so many robust scales: a normal has 1, an
# exponential distribution 1.2, a t distribution with 3 degrees of freedom 1.5.
LONG_TAILS <- 2

# Rows further out than so many robust scales, in any column, count less for moments that are to be robust.
FAR_OUT <- 6

# The smallest pivot of columns that are no linear function of each other: what is left of a column after its
# regression on those before it, in units of its scale.
DEPENDENT <- 1e-7

# Rows of unequal weight count as the number of equal ones whose mean is as uncertain.
effective_rows <- function(n, weights = NULL) if (is.null(weights)) n else sum(weights)^2 / sum(weights^2)

# So many are `rows` of those with `weights`.
effective_number <- function(rows, weights) effective_rows(length(rows), weights[rows])

# So many rows are enough to learn from for d columns.
ROWS_ENOUGH <- 16384

rows_enough <- function(d) max(ROWS_ENOUGH, 25 * d * (d + 3))

# At most so many of some rows, list(rows, weights, all): all that have weight where they are no more, or count as no
# more, else rows at equal steps of the sum of weights, which therefore have equal weight: NULL. A step of the golden
# ratio within each keeps them from falling in with a period of the data. Draws no random numbers.
look_at_rows <- function(rows, weights, most) {
  if (!is.null(weights)) rows <- rows[weights[rows] > 0]
  if (effective_number(rows, weights) <= most) return(list(rows = rows, weights = weights, all = TRUE))
  step <- (seq_len(most) - 1 + (seq_len(most) * 0.6180339887498949) %% 1) / most
  at <- if (is.null(weights)) {
    floor(step * length(rows))
  } else {
    total <- cumsum(weights[rows])
    findInterval(step * total[length(total)], total)
  }
  list(rows = rows[at + 1], weights = NULL, all = FALSE)
}

# Calls f(i) with row numbers, chunk after chunk, and adds up what it returns.
sum_over_rows <- function(rows, f) {
  total <- 0
  for (first in seq(1, length(rows), by = ROWS_PER_CHUNK)) {
    total <- total + f(rows[first:min(first + ROWS_PER_CHUNK - 1, length(rows))])
  }
  total
}

# ---- columns ---------------------------------------------------------------------------------------------------------

# Columns that are constant, in some rows (NULL: in all) that have weight.
flat_columns <- function(x, rows = NULL, weights = NULL) {
  ends <- native_ranges(x, rows, weights)
  which(ends[2, ] - ends[1, ] <= FLAT * pmax(abs(ends[1, ]), abs(ends[2, ])))
}

# Quantiles of the distribution that has the middle of each value's weight at the value, linear between.
weighted_quantile <- function(x, p, weights = NULL) {
  n <- length(x)
  if (is.null(weights)) {
    at <- pmin(pmax(n * p + 0.5, 1), n)
    below <- floor(at)
    above <- pmin(below + 1, n)
    x <- sort(x, partial = unique(sort(c(below, above))))
    return(x[below] + (at - below) * (x[above] - x[below]))
  }
  i <- order(x)
  w <- weights[i]
  stats::approx(cumsum(w) - w / 2, x[i], p * sum(w), rule = 2, ties = "ordered")$y
}

# Median and quantile range of one column, as standard deviation of a normal; wider ranges where half of the values and
# more are the same; NA where all but a few are.
robust_scale <- function(x, weights = NULL) {
  if (!is.null(weights)) {
    x <- x[weights > 0]
    weights <- weights[weights > 0]
  }
  inner <- c(0.25, 0.1, 0.05, 0.01)
  q <- weighted_quantile(x, c(0.5, inner, 1 - inner), weights)
  scale <- (q[6:9] - q[2:5]) / (-2 * stats::qnorm(inner))
  # against these quantiles, not the largest value: one that is far out does not make the others flat
  wide <- which(scale > FLAT * pmax(abs(q[6:9]), abs(q[2:5])))
  c(center = q[1], scale = if (length(wide)) scale[wide[1]] else NA_real_)
}

# ---- moments ---------------------------------------------------------------------------------------------------------

# Mean and covariance (unbiased; with weights as stats::cov.wt()) of some rows of points, and their number. `cov` is in
# units of `unit`, powers of two near the magnitudes of the columns: squares neither under- nor overflow, and no digit
# is another.
row_moments <- function(x, rows, weights = NULL) {
  total <- if (is.null(weights)) length(rows) else sum(weights[rows])
  share <- function(i) if (is.null(weights)) rep(1 / total, length(i)) else weights[i] / total
  center <- sum_over_rows(rows, function(i) colSums(share(i) * rows_at(x, i)))
  unit <- column_units(x, rows, center, weights)
  squares <- sum_over_rows(rows, function(i) {
    crossprod(sqrt(share(i)) * rows_at(x, i, center, unit))
  })
  effective <- 1 - if (is.null(weights)) 1 / total else sum((weights[rows] / total)^2)
  list(center = center, cov = squares / effective, unit = unit, n = length(rows), names = column_names(x))
}

column_units <- function(x, rows, center, weights) {
  ends <- native_ranges(x, rows, weights)
  far <- pmax(abs(ends[1, ] - center), abs(ends[2, ] - center))
  ifelse(far > 0, 2^floor(log2(far)), 1)
}

moment_scale <- function(moments) sqrt(diag(moments$cov)) * moments$unit

# Lower triangular root of the covariance; NULL where there are too few rows for one. Where a correlation matrix has
# lost the digits, from the rows themselves.
covariance_root <- function(moments, x, rows, weights = NULL) {
  scale <- sqrt(diag(moments$cov))
  if (moments$n <= length(scale)) return(NULL)
  root <- tryCatch(chol(moments$cov / tcrossprod(scale)), error = function(e) NULL)
  if (is.null(root) || min(diag(root)) <= 1e-4) {
    root <- triangle_of_rows(x, rows, weights, moments$center, scale * moments$unit)
  }
  t(root) * scale * moments$unit
}

# The Cholesky factor of the correlations by orthogonal transformations of the rows, chunk after chunk: it is as
# accurate as the rows, where the matrix of correlations keeps the square of a small pivot only.
triangle_of_rows <- function(x, rows, weights, center, scale) {
  root <- NULL
  for (first in seq(1, length(rows), by = ROWS_PER_CHUNK)) {
    i <- rows[first:min(first + ROWS_PER_CHUNK - 1, length(rows))]
    z <- rows_at(x, i, center, scale)
    if (!is.null(weights)) z <- sqrt(weights[i]) * z
    root <- qr.R(qr(rbind(root, z), tol = 0))
  }
  root <- root * sign(diag(root))
  root / rep(sqrt(colSums(root^2)), each = nrow(root))
}

# ---- linear dependence -----------------------------------------------------------------------------------------------

# Columns that are linear functions of those before them have no joint density.
check_dependence <- function(root, moments) {
  if (is.null(root)) return(invisible())
  scale <- sqrt(rowSums(root^2))
  bad <- which(diag(root) <= DEPENDENT * scale)
  if (!length(bad)) return(invisible())
  label <- moments$names %||% as.character(seq_along(scale))
  relation <- linear_relation(root / scale, bad[1])
  cli::cli_abort(c(
    "Column {.field {label[bad[1]]}} of {.arg data} is a linear function of {.field {label[relation$of]}}:
     together they have no density.",
    i = if (length(bad) > 1) "The same holds for {.field {label[bad[-1]]}}, given the columns before.",
    i = "Leave {cli::qty(length(bad))}{?it/them} out: {.code collinear = \"drop\"} does so with columns that are linear
         functions in their own units, and gives them back in draws."
  ),
  call = user_call(), class = c("bijectr_error_dependent", "bijectr_error_argument", "bijectr_error"),
  column = bad[1], of = relation$of
  )
}

# The columns before column j of which it is made, and their coefficients in units of the scales of columns.
linear_relation <- function(root, j, dependent = j) {
  before <- setdiff(seq_len(j - 1), dependent)
  r <- t(root)
  coefficient <- qr.coef(qr(r[, before, drop = FALSE], tol = DEPENDENT), r[, j])
  coefficient[is.na(coefficient)] <- 0
  used <- abs(coefficient) > 1e-6
  list(of = before[used], coefficient = coefficient[used])
}

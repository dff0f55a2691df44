# Quantiles of the training rows beside those of draws, column by column: what summary() shows, and marks where draws go
# far beyond the rows. A fit does not keep its data, so both are computed when it is made. The field `quantiles` of a
# fit, NULL where there are none (fits to log densities, and those of versions before it), is a list:
#   data, draws   matrices in encoded units, a row for each of QUANTILE_SHARES (check-object.R), a column a coordinate
#   reach         of each coordinate, how far from the median of the rows draws may go without a mark
#   n, drawn      numbers of rows that were looked at, and of draws
#   broken        number of draws that are no finite numbers, of which no quantile knows

# At least so many draws, for as many as 16384 rows; fewer where they take long, in numbers that do not hang on the
# machine: by coordinates, by parameters, and where each draw is a differential equation to be solved.
QUANTILE_DRAWS <- 10000
QUANTILE_VALUES <- 5e5
QUANTILE_WORK <- 1e9
QUANTILE_LEAST <- 1000

# Draws further from the median than so many times the furthest row are marked.
QUANTILE_FAR <- 10

# Of encoded data and conditions. Draws are by a seed of their own, at the conditions of the rows.
fit_quantiles <- function(fit, data, condition, weights, train) {
  # rows of later rounds were not drawn from what the flow is of
  if (inherits(fit$loss, "bijectr_loss_contrastive")) return(NULL)
  most <- max(QUANTILE_LEAST, min(ROWS_ENOUGH, QUANTILE_VALUES %/% fit$d))
  look <- look_at_rows(train, weights, most)
  x <- unname(rows_at(data, look$rows))
  w <- look$weights[look$rows]
  n <- nrow(x)
  size <- quantile_draws(fit, n)
  given <- if (!is.null(condition)) rows_at(condition, look$rows[spread_rows(n, w, size)])
  drawn <- with_seed(1, tryCatch(points_drawn(fit, size, given), error = function(e) NULL))
  if (is.null(drawn)) drawn <- matrix(0, 0, fit$d)
  whole <- rowSums(!is.finite(drawn)) == 0
  used <- drawn[whole, , drop = FALSE]
  list(
    data = column_quantiles(x, w), draws = column_quantiles(used),
    reach = vapply(seq_len(fit$d), function(j) reach_of_draws(x[, j], w, nrow(used)), 0),
    n = n, drawn = nrow(drawn), broken = sum(!whole)
  )
}

quantile_draws <- function(fit, n) {
  flows <- if (is_stack(fit)) lapply(weighted_flows(fit), `[[`, "flow") else list(fit)
  if (any(vapply(flows, function(flow) has_layer(flow$layers, "bijectr_layer_continuous"), NA))) return(QUANTILE_LEAST)
  each <- count_parameters(fit) / length(flows)
  max(QUANTILE_LEAST, min(max(n, QUANTILE_DRAWS), QUANTILE_WORK %/% each, QUANTILE_VALUES %/% fit$d))
}

# Whether a layer is, or has somewhere in it, one of a class.
has_layer <- function(x, class) {
  inherits(x, class) || is.list(x) && any(vapply(unclass(x), has_layer, NA, class = class))
}

column_quantiles <- function(x, weights = NULL) {
  if (nrow(x) == 0) return(matrix(NA_real_, length(QUANTILE_SHARES), ncol(x)))
  matrix(vapply(seq_len(ncol(x)), function(j) weighted_quantile(x[, j], QUANTILE_SHARES, weights), QUANTILE_SHARES),
    ncol = ncol(x)
  )
}

# Where there are more draws than rows, the furthest draws lie further out as the tails of the rows say, or as those of
# a t distribution with two degrees of freedom do where the rows say nothing.
reach_of_draws <- function(x, weights, drawn) {
  away <- sort(abs(x - weighted_quantile(x, 0.5, weights)), decreasing = TRUE)
  if (away[1] <= 0) return(Inf)
  index <- tail_exponent(away)
  QUANTILE_FAR * away[1] * max(1, drawn / length(x))^(if (is.na(index)) 0.5 else index)
}

# ---- in summary() ----------------------------------------------------------------------------------------------------

# The same in the classes of the columns.
summary_quantiles <- function(fit) {
  known <- fit$quantiles
  if (is.null(known)) return(NULL)
  labels <- coordinate_labels(fit)
  table <- function(z) {
    columns <- lapply(seq_len(fit$d), function(j) decoded(fit, z, j))
    structure(columns, names = labels, row.names = paste(100 * QUANTILE_SHARES, "%"), class = "data.frame")
  }
  middle <- known$data[QUANTILE_SHARES == 0.5, ]
  away <- pmax(abs(known$draws[1, ] - middle), abs(known$draws[length(QUANTILE_SHARES), ] - middle))
  far <- !is.na(away) & away > known$reach
  list(
    data = table(known$data), draws = table(known$draws), far = stats::setNames(far, labels), n = known$n,
    drawn = known$drawn, broken = known$broken
  )
}

# Columns beyond so many are not printed, but those with marks come first.
QUANTILE_COLUMNS <- 10

print_quantiles <- function(x) {
  if (is.null(x)) return(invisible())
  say <- function(text) cat(strwrap(text, width = getOption("width")), sep = "\n")
  count <- function(n) format(n, big.mark = ",")
  cat("\n")
  if (x$drawn == 0) return(say("Draws cannot be made of this fit."))
  say(paste0(
    "Quantiles of ", count(x$n), " training rows and of ", count(x$drawn), " draws",
    if (x$drawn > x$n) ", whose ends lie further out", ":"
  ))
  labels <- names(x$far)
  shown <- sort(utils::head(order(!x$far), QUANTILE_COLUMNS))
  lines <- do.call(rbind, lapply(shown, function(j) rbind(format_values(x$data[[j]]), format_values(x$draws[[j]]))))
  sides <- rbind(paste(labels[shown], "rows"), paste(ifelse(x$far[shown], "*", ""), "draws"))
  dimnames(lines) <- list(format(as.vector(sides), justify = "right"), rownames(x$data))
  print(lines, quote = FALSE, right = TRUE)
  if (length(labels) > length(shown)) {
    say(paste0("and ", length(labels) - length(shown), " more columns, in summary(fit)$quantiles."))
  }
  if (any(x$far)) {
    say(paste0(
      "* Draws go more than ", QUANTILE_FAR, " times as far from the median as any row, and further than the tails of ",
      "the rows explain: their means and ranges are not to be trusted. A support =, or layers with bounded scales, ",
      "keep them in; check_flow() says more."
    ))
  }
  if (x$broken > 0) say(paste0(count(x$broken), " of the draws are no finite numbers."))
}

# Values of a column, each with as many digits as it needs; times have their own.
format_values <- function(x) {
  if (!inherits(x, c("Date", "POSIXct"))) x <- tryCatch(signif(x, 4), error = function(e) x)
  vapply(seq_along(x), function(i) trimws(format(x[i])), "")
}

#' Supports of columns
#'
#' Where the values of a column can lie: what `support =` of [fit_flow()] takes. A column with a support goes through a
#' fixed map of its interval onto the line, see [scalar_support()], which is the layer next to the data: densities stay
#' in the units of the data, draws never leave the interval, and outside of it the density is 0.
#'
#' Supports are open: a value at an end has no place on the line, and is an error that says where it stands. What to do
#' then depends on what the value means. If it is rounded or a limit of detection, move the end a little outwards
#' (`positive(-0.5)` for whole numbers from 0 on); if many values are there, they have a probability and no density.
#'
#' @section Supports that are found: with the default layers, columns without a given support are looked at:
#'   * `bounded(0, 1)`: all values are inside, and at least five, and 2.5 per cent of all, lie within 0.05 of the upper
#'     end; `bounded(0, 100)` likewise, within 5 of 100;
#'   * else `positive()`: all values are above 0; their skewness is larger than 0.5 by two standard errors,
#'     2 sqrt(6 / n); and 0 is no further from the median than 5 times the distance from there to the 5 per cent
#'     quantile. So a column that is positive but far from 0, as a temperature in kelvin, stays as it is, and so does
#'     one that is not clearly skewed, as a normal one that happens to have no negative value.
#'
#'   Values at an end rule a support out. `print()` of the fit shows what was found; `support = "real"` switches it off.
#'
#' @param lower,upper The ends. For `bounded()` one of them may be infinite.
#' @param curve How an interval with one end becomes the line: `"log"`, for values over several orders of magnitude, or
#'   `"softplus"`, which leaves the tail away from the end as it is. `NULL`: `"log"` where the logarithms of the
#'   training rows are less skewed than the values, and for log densities.
#' @return An object of class `bijectr_support`. `real()` is the whole line. `counts()` is for whole numbers from 0 on,
#'   which are checked; they are fitted as numbers above -1/2 for the time being, with a warning, so that rounded draws
#'   are counts again.
#' @family training
#' @examples
#' set.seed(1)
#' table <- data.frame(price = rlnorm(100), share = rbeta(100, 2, 3))
#' fit <- fit_flow(table, support = list(price = positive(), share = bounded(0, 1)), steps = 50)
#' fit
#' range(sample(fit, 1000)[, "share"])
#' @name supports
NULL

#' @rdname supports
#' @export
positive <- function(lower = 0, curve = NULL) {
  new_support(check_number(lower, "lower"), Inf, curve)
}

#' @rdname supports
#' @export
bounded <- function(lower, upper, curve = NULL) {
  check_given("lower", "upper")
  end <- function(x, name, far) if (is.numeric(x) && identical(as.double(x), far)) far else check_number(x, name)
  new_support(end(lower, "lower", -Inf), end(upper, "upper", Inf), curve)
}

#' @rdname supports
#' @export
real <- function() whole_line()

#' @rdname supports
#' @export
counts <- function() new_support(-0.5, Inf, whole = TRUE)

new_support <- function(lower, upper, curve = NULL, whole = FALSE) {
  if (!is.null(curve)) check_choice(curve, c("log", "softplus"), "curve")
  if (lower >= upper) stop_arg("{.arg lower} must be below {.arg upper}, but they are {lower} and {upper}.")
  structure(list(lower = lower, upper = upper, curve = curve, whole = whole), class = "bijectr_support")
}

# Within the package: `real` is also the name of a function that R had once: R CMD check takes calls for calls of it.
whole_line <- function() new_support(-Inf, Inf)

is_real <- function(support) support$lower == -Inf && support$upper == Inf

#' @export
format.bijectr_support <- function(x, ...) {
  paste0("(", format_value(x$lower), ", ", format_value(x$upper), ")", if (!is.null(x$curve)) paste(" by", x$curve))
}

#' @export
print.bijectr_support <- function(x, ...) {
  cat("<support> ", format(x), if (x$whole) ", whole numbers", "\n", sep = "")
  invisible(x)
}

# ---- what the user asked for -----------------------------------------------------------------------------------------

# One support a column, NULL where none was given, of d columns with `names` (NULL without).
given_supports <- function(support, lower, upper, d, names) {
  out <- rep(list(NULL), d)
  if (!is.null(lower) || !is.null(upper)) {
    lower <- column_ends(lower, -Inf, d, names, "lower")
    upper <- column_ends(upper, Inf, d, names, "upper")
    for (j in which(is.finite(lower) | is.finite(upper))) out[[j]] <- bounded(lower[j], upper[j])
  }
  if (is.null(support) || identical(support, "auto")) return(out)
  if (identical(support, "real")) support <- rep(list(whole_line()), d)
  if (inherits(support, "bijectr_support")) support <- rep(list(support), d)
  wrong <- function(x) {
    stop_arg(c(
      "{.arg support} must be a list with entries as {.code price = positive()}, \"real\" or \"auto\",
       not {describe(x)}.",
      i = "Supports are {.fn positive}, {.fn bounded}, {.fn real} and {.fn counts}."
    ))
  }
  if (!is.list(support)) wrong(support)
  for (entry in support) if (!inherits(entry, "bijectr_support")) wrong(entry)
  at <- column_places(support, d, names, "support")
  twice <- at[!vapply(out[at], is.null, NA)]
  if (length(twice) && !identical(unique(support), list(whole_line()))) {
    label <- (names %||% seq_len(d))[twice[1]]
    stop_arg("{.arg support} and {.arg lower} or {.arg upper} both speak of column {.field {label}}.")
  }
  free <- vapply(out[at], is.null, NA)
  out[at[free]] <- support[free]
  out
}

column_ends <- function(x, default, d, names, name) {
  if (is.null(x)) return(rep(default, d))
  if (!is.numeric(x) || anyNA(x)) stop_arg("{.arg {name}} must be numbers, one a column, not {describe(x)}.")
  wrong <- which(x == -default)
  if (length(wrong)) stop_arg("{.arg {name}} must not be {x[wrong[1]]}: the support would be empty.")
  out <- rep(default, d)
  out[column_places(x, d, names, name)] <- as.double(x)
  out
}

# Which columns the entries of a list or vector are for: by name, or all in order.
column_places <- function(x, d, names, name) {
  if (is.null(names(x))) {
    if (length(x) == d) return(seq_len(d))
    stop_arg("{.arg {name}} must have names, or one entry a column ({d}), not {length(x)} without names.")
  }
  at <- match(names(x), names)
  unknown <- names(x)[is.na(at)]
  if (length(unknown)) {
    stop_arg("{.arg {name}} has {.field {unknown}}, which {?is no column/are no columns} of the data.")
  }
  if (anyDuplicated(at)) stop_arg("{.arg {name}} has {.field {names(x)[duplicated(at)][1]}} twice.")
  at
}

# ---- what is found ---------------------------------------------------------------------------------------------------

# Supports of encoded data, as the columns of scalar_support(): given ones, else, with `auto`, those found by the rules
# of ?supports.
find_supports <- function(x, given, auto, train, weights = NULL) {
  counted <- if (is.null(weights)) seq_len(n_rows(x)) else which(weights > 0)
  learned <- if (is.null(weights)) train else train[weights[train] > 0]
  lapply(seq_len(n_columns(x)), function(j) {
    value <- column(x, j)
    support <- given[[j]]
    if (is.null(support)) return(if (auto) found_support(value[counted], value[learned]) else whole_line())
    check_inside(support, value, counted, column_label(x, j))
    with_curve(support, value[learned])
  })
}

found_support <- function(value, train) {
  for (top in c(1, 100)) {
    near <- sum(value >= 0.95 * top)
    if (min(value) > 0 && max(value) < top && near >= max(5, 0.025 * length(value))) return(bounded(0, top))
  }
  if (min(value) > 0 && skewness(train) > 0.5 + 2 * sqrt(6 / length(train))) {
    q <- weighted_quantile(train, c(0.5, 0.05))
    if (q[1] <= 5 * (q[1] - q[2])) return(with_curve(positive(), train))
  }
  whole_line()
}

# 0 where all values are the same.
skewness <- function(x) {
  x <- x / max(abs(x), .Machine$double.xmin)
  x <- x - mean(x)
  variance <- mean(x^2)
  if (variance > 0) mean(x^3) / variance^1.5 else 0
}

# Decides how an interval with one end becomes the line. The scale of a softplus is the median distance from the end.
with_curve <- function(support, train) {
  if (sum(is.finite(c(support$lower, support$upper))) != 1) {
    support["curve"] <- list(NULL)
    return(support)
  }
  distance <- if (is.finite(support$lower)) train - support$lower else support$upper - train
  if (is.null(support$curve)) {
    support$curve <- if (abs(skewness(log(distance))) < abs(skewness(distance))) "log" else "softplus"
  }
  if (support$curve == "softplus") support$scale <- weighted_quantile(distance, 0.5)
  support
}

check_inside <- function(support, value, counted, label) {
  check_outside(support, value, counted, label)
  if (support$whole) {
    cli::cli_warn(c(
      "Column {.field {label}} is counts: they are fitted as numbers above -1/2, with densities, not probabilities.",
      i = "Draws are counts when they are rounded."
    ), class = "bijectr_warning_counts")
  }
}

check_outside <- function(support, value, counted, label) {
  value <- value[counted]
  bad <- which(value <= support$lower | value >= support$upper)
  if (length(bad)) {
    at_end <- value[bad[1]] %in% c(support$lower, support$upper)
    stop_arg(c(
      "Column {.field {label}} of {.arg data} has values outside its support {format(support)}: row {counted[bad[1]]} is
       {format(value[bad[1]], digits = 15)}.",
      i = if (length(bad) > 1) "So have {length(bad)} rows in all.",
      i = if (at_end) "Supports are open: the ends do not belong to them. See {.code ?supports} for what to do."
    ))
  }
  odd <- if (support$whole) which(value != round(value))
  if (length(odd)) {
    stop_arg("Column {.field {label}} of {.arg data} must be whole numbers: row {counted[odd[1]]} is {value[odd[1]]}.")
  }
}

# ---- the layer -------------------------------------------------------------------------------------------------------

# NULL where all columns are real.
support_layer <- function(supports) {
  if (all(vapply(supports, is_real, NA))) return(NULL)
  layer_elementwise(lapply(supports, function(support) {
    scalar_support(support$lower, support$upper, support$curve %||% "log", support$scale %||% 1)
  }))
}

# One map of each column, as supports and tails are.
is_column_layer <- function(layer, kinds = c("support", "tail")) {
  layer$kind == "elementwise" && !inherits(layer$scalar, "bijectr_spec") && is.list(layer$scalar) &&
    all(vapply(layer$scalar, function(scalar) isTRUE(scalar$kind %in% kinds), NA))
}

# The supports of a flow that ends in such a layer, for print(); NULL where it does not.
flow_supports <- function(flow) {
  last <- last_support_layer(flow$layers$layers)
  if (is.null(last)) return(NULL)
  lapply(last$scalar, function(scalar) {
    new_support(scalar$lower %||% -Inf, scalar$upper %||% Inf, scalar$curve)
  })
}

# Encoded data with which a flow is trained on must lie inside the supports that it has.
check_inside_flow <- function(flow, data, weights) {
  counted <- if (is.null(weights)) seq_len(n_rows(data)) else which(weights > 0)
  supports <- flow_supports(flow)
  for (j in seq_along(supports)) check_inside(supports[[j]], column(data, j), counted, column_label(data, j))
}

last_support_layer <- function(layers) {
  last <- if (length(layers)) layers[[length(layers)]]
  if (!is.null(last) && is_column_layer(last, "support")) last
}

# Columns taken to the line by a support layer, list(data, slope): `slope` is a function of row numbers, the mean sum of
# log-derivatives there. Without such a layer, NULL, all stays as it is.
on_the_line <- function(data, layer) {
  slope <- 0
  for (j in seq_along(layer$scalar)) {
    if (is.null(layer$scalar[[j]]$lower) && is.null(layer$scalar[[j]]$upper)) next
    map <- with_seed(1, new_flow(layer_elementwise(layer$scalar[j]), 1L, base_normal(), 0L))
    moved <- native_map(map, matrix(column(data, j)), NULL, inverse = TRUE)
    slope <- slope + moved$logdet
    if (is.list(data)) data[[j]] <- moved$value[, 1] else data[, j] <- moved$value[, 1]
  }
  list(data = data, slope = slope)
}

# Where a flow with a support layer is trained: list(flow, data, shift), the flow without that layer. The map is made
# once, not at every step, and noise leads nowhere out of the support. `shift` is what the change of units adds to the
# mean negative log density of training and of held-out rows. Without such a layer `flow` and `shift` are NULL.
# `mapped`: where data_end() has made the map already.
training_space <- function(flow, data, rows, weights, loss, mapped = on_the_line(data, outer)) {
  layers <- flow$layers$layers
  outer <- last_support_layer(layers)
  if (is.null(outer)) return(list(flow = NULL, data = data, shift = NULL))
  inner <- as_flow(flow)
  inner$layers$layers <- layers[-length(layers)]
  shift <- if (identical(loss$kind, "maximum_likelihood")) {
    -vapply(rows[c("train", "validation")], function(i) mean_of_rows(mapped$slope, i, weights), 0)
  }
  list(flow = inner, data = mapped$data, shift = shift)
}

mean_of_rows <- function(x, i, weights) {
  if (!is.null(weights)) i <- i[weights[i] > 0]
  if (!length(i)) return(0)
  if (is.null(weights)) mean(x[i]) else stats::weighted.mean(x[i], weights[i])
}

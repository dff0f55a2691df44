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
#'   What is beyond a support that was found has density 0 in a single flow. In a stack it is only very unlikely, see
#'   [stack_members()]: rows that are yet to come may prove it wrong.
#'
#'   With case weights, shares, quantiles and skewness are weighted, rows of weight 0 count for nothing, and the number
#'   of rows is the effective one, \eqn{(\sum w)^2 / \sum w^2}. Dates and times are left as they are: their 0 is none.
#'
#' @param lower,upper The ends, for `counts()` the smallest and the largest number. For `bounded()` one of them may be
#'   infinite. Columns of dates, times, differences of
#'   times and numbers with units have ends of their class, `bounded(as.Date("2020-01-01"), as.Date("2024-01-01"))`;
#'   0 alone is the same in all units.
#' @param curve How an interval with one end, and no other, becomes the line: `"log"`, for values over several orders of
#'   magnitude; `"softplus"`, which leaves the tail away from the end as it is; or `"power"`, which is between them. For
#'   `"power"` and `NULL` the power is learned from the training rows: that behind which values beyond the median are
#'   most like the half of a normal distribution (the likelihood of Box and Cox, 1964). So draws far out are as far as
#'   the tail of the data says. `NULL` takes `"softplus"` for a power above 0.75, `"log"` for one below 0.1 and where
#'   the likelihood ratio does not speak against it at the 5 per cent level and the skewness of the logarithms is less
#'   than 0.4 times that of the values. What is learned holds as far as there are values of any weight: beyond twice
#'   the largest distance from the end the map goes on in a straight line, so that draws do not run off by powers of
#'   ten; a curve that is named has no such reach ([scalar_support()]). For log densities `NULL` is `"log"`, and it is
#'   always `"softplus"` for a coordinate that a formula computes, as `log1p(y)` in `log1p(y) ~ x`: behind two
#'   logarithms the means of `y` itself would be those of a few draws far out.
#' @references Box, Cox (1964), *An analysis of transformations*, Journal of the Royal Statistical Society B 26(2),
#'   211-252, \doi{10.1111/j.2517-6161.1964.tb00553.x}.
#' @section Whole numbers: `counts()` is for whole numbers, by default from 0 on; `counts(-Inf)` for all, `counts(1,
#' 10)`
#'   for ratings from 1 to 10. Of one coordinate, given conditions or not, they are fitted by their probabilities: k is
#'   the interval from k - 1/2 to k + 1/2 of the flow, whose probability is exact. [logdensity()] and [dflow()] then
#'   give (logarithms of) probabilities, which sum to 1, and 0 for other numbers; draws, quantiles and medians are
#'   whole, [pflow()] has steps, means are those of the whole numbers. With the default layers a single column of
#'   whole numbers is found to be such where ties are many (two rows agree with a probability above 8 per cent, as
#'   rounded to more than 0.28 standard deviations), or 0 is among the values and 95 per cent of them are no more
#'   than 100, and some values are 1 apart, with a warning of class `bijectr_warning_counts`; from 0 on where none
#'   is below 0 and the median as near to 0 as `positive()` demands.
#'   Beside other columns, of 30 rows or more, they have a block of their own, see the tables of mixed columns in
#'   [fit_flow()], where whole numbers of few values in larger steps, as scores in tens, are found as well; but with
#'   `na = "model"`, where they are fitted as numbers, with densities.
#' @return An object of class `bijectr_support`. `real()` is the whole line.
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
positive <- function(lower = 0, curve = NULL) new_support(support_end(lower, "lower"), Inf, curve)

#' @rdname supports
#' @export
bounded <- function(lower, upper, curve = NULL) {
  check_given("lower", "upper")
  new_support(support_end(lower, "lower", -Inf), support_end(upper, "upper", Inf), curve)
}

#' @rdname supports
#' @export
real <- function() whole_line()

# What is there: `lower` and `upper`, as support_end() gives them, of which encode_support() makes numbers; `curve`;
# `whole`, whether values are whole numbers; from the column `codec`, its codec, and from its values what
# scalar_support() has of them.
new_support <- function(lower, upper, curve = NULL, whole = FALSE) {
  n_ends <- sum(!is_far(lower), !is_far(upper))
  if (!is.null(curve)) {
    check_choice(curve, c("log", "softplus", "power"), "curve")
    if (n_ends != 1) {
      ends <- if (n_ends == 2) "two ends, which have" else "no end, which has"
      stop_arg("{.arg curve} is for intervals with one end; this one has {ends} one map: see {.help scalar_support}.")
    }
  }
  if (!are_ascending(lower, upper)) {
    shown <- c(format_end(lower), format_end(upper))
    stop_arg("{.arg lower} must be below {.arg upper}, but they are {shown[1]} and {shown[2]}.")
  }
  structure(list(lower = lower, upper = upper, curve = curve, whole = whole), class = "bijectr_support")
}

# Within the package: `real` is also the name of a function that R had once: R CMD check takes calls for calls of it.
whole_line <- function() new_support(-Inf, Inf)

is_real <- function(support) identical(support$lower, -Inf) && identical(support$upper, Inf)

#' @export
format.bijectr_support <- function(x, ...) {
  paste0(
    "(", format_end(x$lower, x$codec), ", ", format_end(x$upper, x$codec), ")",
    if (!is.null(x$curve)) paste(" by", x$curve)
  )
}

#' @export
print.bijectr_support <- function(x, ...) {
  cat("<support> ", format(x), if (x$whole) ", whole numbers", "\n", sep = "")
  invisible(x)
}

# ---- what is found ---------------------------------------------------------------------------------------------------

# Supports of encoded data, as the columns of scalar_support(): given ones, else, with `auto`, those found by the rules
# of ?supports. `computed`: names of coordinates that a formula computes from columns.
find_supports <- function(x, given, auto, train, weights = NULL, computed = NULL) {
  counted <- if (!is.null(weights)) which(weights > 0)
  ends <- native_ranges(x, counted)
  all <- look_at_rows(seq_len(n_rows(x)), weights, ROWS_ENOUGH)
  learned <- look_at_rows(train, weights, ROWS_ENOUGH)
  w <- list(all = all$weights[all$rows], train = learned$weights[learned$rows])
  computed <- column_labels(x) %in% computed
  lapply(seq_len(n_columns(x)), function(j) {
    support <- given[[j]]
    learned_from <- function() column_at(x, j, learned$rows)
    curve <- if (computed[j]) "softplus" # it was bent as far as its author wanted
    if (is.null(support)) {
      if (!auto || ends[1, j] <= 0) return(whole_line())
      return(found_support(column_at(x, j, all$rows), ends[, j], learned_from(), w, curve))
    }
    check_inside(support, column(x, j), counted, column_label(x, j))
    with_curve(support, learned_from(), ends[, j], w$train, curve)
  })
}

# Of values above 0, whose smallest and largest are `ends`. `weights`: those of all values and of the training values;
# NULL without.
found_support <- function(value, ends, train, weights = NULL, curve = NULL) {
  n <- effective_rows(length(value), weights$all)
  for (top in c(1, 100)) {
    near <- value >= 0.95 * top
    near <- if (is.null(weights$all)) sum(near) else n * sum(weights$all[near]) / sum(weights$all)
    if (ends[2] < top && near >= max(5, 0.025 * n)) return(bounded(0, top))
  }
  w <- weights$train
  if (skewness(train, w) > 0.5 + 2 * sqrt(6 / effective_rows(length(train), w))) {
    q <- weighted_quantile(train, c(0.5, 0.05), w)
    if (q[1] <= 5 * (q[1] - q[2])) return(with_curve(positive(), train, ends, w, curve))
  }
  whole_line()
}

# `counted`: the rows that count; NULL: all.
check_inside <- function(support, value, counted, label) {
  check_outside(support, value, counted, label)
  if (support$whole && !isTRUE(support$exact)) {
    cli::cli_warn(c(
      "Column {.field {label}} is whole numbers: beside other columns they are fitted with densities, not
       probabilities.",
      i = "Draws are counts when they are rounded."
    ), class = "bijectr_warning_counts")
  }
}

check_outside <- function(support, value, counted, label) {
  ends <- native_ranges(list(value), counted)
  if (ends[1] > support$lower && ends[2] < support$upper && !support$whole) return(invisible())
  if (is.null(counted)) counted <- seq_along(value)
  value <- value[counted]
  bad <- which(value <= support$lower | value >= support$upper)
  if (length(bad)) {
    at_end <- value[bad[1]] %in% c(support$lower, support$upper)
    stop_arg(c(
      "Column {.field {label}} of {.arg data} has values outside its support {format(support)}: row {counted[bad[1]]} is
       {format_end(value[bad[1]], support$codec, 15)}.",
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
    scalar <- scalar_support(
      support$lower, support$upper, support$curve %||% "log", support$scale %||% 1, support$power %||% 1,
      support$reach %||% Inf
    )
    if (support$whole) scalar$.whole <- TRUE
    scalar
  }))
}

# One map of each column, as supports and tails are.
is_column_layer <- function(layer, kinds = c("support", "tail")) {
  layer$kind == "elementwise" && !inherits(layer$scalar, "bijectr_spec") && is.list(layer$scalar) &&
    all(vapply(layer$scalar, function(scalar) isTRUE(scalar$kind %in% kinds), NA))
}

# The supports of the coordinates of a flow; NULL where it does not end in such a layer.
flow_supports <- function(flow) UseMethod("flow_supports")

#' @export
flow_supports.default <- function(flow) {
  scalars <- last_support_layer(flow$layers$layers)$scalar
  if (is.null(scalars)) return(NULL)
  lapply(seq_along(scalars), function(j) {
    scalar <- scalars[[j]]
    support <- new_support(scalar$lower %||% -Inf, scalar$upper %||% Inf, scalar$curve, isTRUE(scalar$.whole))
    support$scale <- scalar$scale
    support$power <- scalar$power
    support$reach <- scalar$reach
    support$codec <- flow$codecs[[j]]
    support
  })
}

# list(lower, upper), numbers of all coordinates; NULL: none has ends.
support_limits <- function(flow) {
  supports <- flow_supports(flow)
  if (!is.null(supports)) list(lower = vapply(supports, `[[`, 0, "lower"), upper = vapply(supports, `[[`, 0, "upper"))
}

# Of columns in blocks, `line` those whose columns have densities.
supports_of_blocks <- function(fit, line) {
  out <- rep(list(whole_line()), fit$d)
  for (block in line) {
    found <- flow_supports(block$fit)
    for (k in seq_along(found)) {
      out[[block$columns[k]]] <- found[[k]]
      out[[block$columns[k]]]$codec <- fit$codecs[[block$columns[k]]]
    }
  }
  out
}

# Encoded data with which a flow is trained on must lie inside the supports that it has.
check_inside_flow <- function(flow, data, weights) {
  counted <- if (!is.null(weights)) which(weights > 0)
  supports <- flow_supports(flow)
  for (j in seq_along(supports)) check_outside(supports[[j]], column(data, j), counted, column_label(data, j))
}

# The support layer of a flow whose training starts with other data, list(layers): where its curves were learned, they
# reach as far as these go. Nothing changes up to where they reached.
further_reach <- function(layers, data, weights) {
  at <- length(layers)
  if (is.null(last_support_layer(layers))) return(layers)
  ends <- native_ranges(data, if (!is.null(weights)) which(weights > 0))
  layers[[at]]$scalar <- Map(function(scalar, j) {
    if (is.null(scalar$reach)) return(scalar)
    furthest <- if (is.null(scalar$lower)) scalar$upper - ends[1, j] else ends[2, j] - scalar$lower
    scalar$reach <- max(scalar$reach, reach_of(furthest))
    scalar
  }, layers[[at]]$scalar, seq_along(layers[[at]]$scalar))
  layers
}

last_support_layer <- function(layers) {
  last <- if (length(layers)) layers[[length(layers)]]
  if (!is.null(last) && is_column_layer(last, "support")) last
}

# The data end of a flow: what stands between the data and the trained layers. From the data on: supports, tails, and
# centre, scale and whitening; the last alone where columns need no more.

# A column gets a tail layer where so many values lie further from the median than TAIL_FAR robust scales, and a Hill
# estimate of one side, of its outer tenth or of its ten furthest values, is above TAIL_INDEX. Outer tenths of a t
# distribution with 2 degrees of freedom have about 0.5, with 3 about 0.4, normal ones 0.2, and those of an exponential
# distribution a third, but few values so far out. The furthest values tell of a few that are far from all others.
TAIL_VALUES <- 3
TAIL_FAR <- 7
TAIL_INDEX <- 0.3

# Share of the values of a side that its Hill estimate is made of, but ten values at least.
TAIL_SHARE <- 0.1

# Columns with smaller pivots depend on each other nearly. Tails, column by column, would bend what they share.
TAIL_PIVOT <- 0.01

# Of encoded data, as list(layers, found, mapped): the layers, from base to data, centre and root of the columns behind
# their supports, and what on_the_line() makes of these. `earlier`: a flow that brings a data end of its own. `auto`:
# whether supports and tails are looked for.
data_end <- function(data, rows, weights, rules, auto, earlier = NULL) {
  if (is.null(earlier)) {
    look <- auto || identical(rules$support, "auto")
    supports <- find_supports(data, rules$given, look, rows, weights, rules$computed)
    outer <- support_layer(supports)
  } else {
    supports <- flow_supports(earlier)
    refuse_support(rules, supports)
    check_inside_flow(earlier, data, weights)
    outer <- last_support_layer(earlier$layers$layers)
  }
  mapped <- on_the_line(data, outer)
  line <- mapped$data
  labels <- column_labels(data)
  root_of <- function(x) {
    beyond_drop(center_and_root(x, rows, weights, rules$standardize), data, weights, rules$collinear)
  }
  # linear functions of each other are told as the columns are: behind their supports nothing shows
  if (!is.null(outer) && is.null(earlier)) root_of(data)
  found <- behind_supports(root_of(line), supports, labels)
  collect_garbage(data)
  if (!is.null(earlier)) return(list(layers = list(), found = found, mapped = mapped))
  robust <- rules$standardize %in% c("auto", "robust")
  tails <- if (auto && robust && !isTRUE(rules$heavy_base)) tail_layer(line, rows, weights, found)
  whitening <- if (is.null(tails)) {
    standardizing_layer(found, rules$standardize)
  } else {
    collect_garbage(data)
    look <- found$look
    bent <- name_columns(bring_in(tails, rows_at(line, look$rows)), column_names(line))
    standardizing_layer(
      center_and_root(bent, seq_along(look$rows), look$weights[look$rows], "robust"), "robust"
    )
  }
  list(layers = Filter(Negate(is.null), list(whitening, tails, outer)), found = found, mapped = mapped)
}

# Columns that are linear functions of each other only where the fit sees them: the supports have part in it.
behind_supports <- function(found, supports, labels) {
  tryCatch(found, bijectr_error_dependent = function(e) {
    bent <- Filter(function(j) !is_real(supports[[j]]), if (length(supports)) c(e$of, e$column))
    if (!length(bent)) stop(e)
    shown <- paste(labels[bent], vapply(supports[bent], format, ""))
    stop_arg(c(
      "{cli::qty(length(bent))}Behind the support{?s} {shown}, column {.field {labels[e$column]}} of {.arg data} is a
       linear function of {.field {labels[e$of]}}: together they have no density.",
      i = "Leave {.field {labels[e$column]}} out; or {.code support = \"real\"}, also for {.field {labels[bent]}} alone,
           fits columns as they are, whether a support was given or found."
    ))
  })
}

# What a flow has already can be asked for only where it has none: "real".
refuse_support <- function(rules, supports) {
  given <- !vapply(rules[c("support", "lower", "upper")], is.null, NA)
  if (any(given) && !(is.null(supports) && identical(rules$support, "real"))) {
    stop_arg("{.arg support} was given, but {.arg layers} is a flow with a layer for the data, which has its own.")
  }
}

# Whether a flow has a data end of its own.
is_standardized <- function(flow) {
  layers <- flow$layers$layers
  last <- if (length(layers)) layers[[length(layers)]]
  !is.null(last) && (inherits(last, "bijectr_layer_standardize") || is_column_layer(last))
}

# ---- tails -----------------------------------------------------------------------------------------------------------

# The layer that tails are trained in, NULL where no column has long ones.
tail_layer <- function(x, rows, weights, found) {
  if (!is.null(found$root) && min(diag(found$root) / sqrt(rowSums(found$root^2))) < TAIL_PIVOT) return(NULL)
  look <- found$look
  robust <- if (found$kind == "robust") found else robust_columns(x, look$rows, look$weights)
  ends <- (native_ranges(x, rows, weights) - rep(robust$center, each = 2)) / rep(robust$scale, each = 2)
  scalars <- lapply(seq_len(n_columns(x)), function(j) {
    if (max(abs(ends[, j])) <= TAIL_FAR) return(scalar_support())
    tail_in <- function(rows, weights) {
      column_tail(column_at(x, j, rows), weights[rows], robust$center[[j]], robust$scale[[j]])
    }
    # what is too rare for some rows is looked for in all
    tail_in(look$rows, look$weights) %||% (if (!look$all) tail_in(rows, weights)) %||% scalar_support()
  })
  if (any(vapply(scalars, function(scalar) scalar$kind == "tail", NA))) layer_elementwise(scalars)
}

# The weights of the tails start at the Hill estimates, the scale where the quartiles are those of the column.
column_tail <- function(x, weights, center, scale) {
  if (!is.null(weights)) {
    x <- x[weights > 0]
    weights <- weights[weights > 0]
  }
  x <- (x - center) / scale
  if (sum(abs(x) > TAIL_FAR) < TAIL_VALUES) return(NULL)
  sides <- list(x < 0, x > 0)
  index <- vapply(sides, function(side) hill_index(abs(x[side]), weights[side]), 0)
  furthest <- vapply(sides, function(side) hill_index(abs(x[side]), weights[side], share = 0), 0)
  if (all(c(index, furthest) <= TAIL_INDEX)) return(NULL)
  index <- pmin(pmax(index, 0.05), 5)
  quartile <- stats::qnorm(0.75)
  scalar_tail(center, scale * quartile * mean(index / (2^index - 1)), index)
}

# Of positive numbers: the mean of the logarithms of the largest, this share of all, relative to the next one.
hill_index <- function(x, weights = NULL, share = TAIL_SHARE) {
  if (length(x) < 20) return(0)
  i <- order(x, decreasing = TRUE)
  w <- if (is.null(weights)) rep(1, length(x)) else weights[i]
  k <- max(10, sum(cumsum(w) <= share * sum(w)))
  sum(w[1:k] * log(x[i[1:k]] / x[i[k + 1]])) / sum(w[1:k])
}

# Rows taken through a layer from its data side, before there is a flow.
bring_in <- function(layer, x) {
  native_map(with_seed(1, new_flow(layer, ncol(x), base_normal(), 0L)), unname(x), NULL, inverse = TRUE)$value
}

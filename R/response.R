# Means of the response, predict(type = "response"). With g the left side of a formula as a function of its column and Z
# the flow's coordinate, which is g(y), the mean is E g^-1(Z), not g^-1(E Z). One coordinate has z = Q(p) for p uniform,
#
#   E g^-1(Z) = int_0^1 g^-1(Q(p)) dp = int_0^1 g^-1(Q(s(u))) s'(u) du,   s(u) = u^3 (10 - 15 u + 6 u^2),
#
# by midpoints in u: s crowds them into both tails, down to p = 1e-9, where exponentials have their mean. Several
# coordinates have no quantiles: theirs are means of draws.

# Points that are mapped in one call at the most: memory does not grow with the rows.
RESPONSE_CHUNK <- 2e5

# Largest share of a mean that may come from beyond the 0.1 per cent quantiles before this is said.
RESPONSE_FAR <- 0.5

# Largest share of a row that may lie where the left side has no values before this is said.
RESPONSE_OUTSIDE <- 1e-3

flow_response <- function(flow, newdata, condition) {
  check_has_mean(flow)
  at <- take_rows(flow, newdata, condition, flow$d == 1)
  whole <- whole_table(flow) # columns that were left out have means, too
  units <- response_units(whole)
  flow <- with_means(flow, all(vapply(units, `[[`, NA, "linear")))
  mean <- outside <- far <- error <- matrix(0, at$n, whole$d)
  for (rows in row_chunks(at$n, RESPONSE_CHUNK %/% spread_size(flow))) {
    spread <- points_spread(flow, length(rows), rows_at(at$condition, rows))
    x <- tell_nan(spread$x, "The draw")
    if (is_whole(flow)) x <- to_whole(x)
    x <- with_dropped(x, flow$dropped)
    for (j in seq_len(whole$d)) {
      part <- mean_within(x[, j], units[[j]]$inverse, spread$weight, spread$far)
      mean[rows, j] <- part$mean
      outside[rows, j] <- part$outside
      far[rows, j] <- part$far
      error[rows, j] <- part$sd / sqrt(nrow(spread$weight)) # of draws
    }
  }
  warn_response(whole, units, outside)
  warn_far(put_back(far, at), flow$d_condition > 0)
  # rows of an unconditional flow are all alike
  each_row <- function(value) {
    value <- put_back(value, at)
    if (is.null(at$repeats)) value else value[rep(1, at$repeats), , drop = FALSE]
  }
  mean <- each_row(mean)
  labels <- vapply(units, `[[`, "", "label")
  if (whole$d > 1) {
    named <- function(x) name_columns(x, if (!is.null(whole$names)) labels)
    return(if (flow$d > 1) structure(named(mean), error = named(each_row(error))) else named(mean))
  }
  mean <- if (units[[1]]$linear && !is_whole(flow)) decoded(flow, mean, 1) else mean[, 1]
  if (is_part(flow)) structure(mean, error = each_row(error)[, 1]) else mean
}

check_has_mean <- function(flow) {
  refuse_levels(flow, "have no mean", if (flow$d == 1) {
    "{.code type = \"probability\"} and {.code type = \"class\"} predict levels."
  })
}

# Where numbers are needed; `what` is what levels are or have not, `cure` a line of a message or NULL.
refuse_levels <- function(flow, what, cure) {
  levels <- vapply(flow$codecs, is_levels, NA)
  if (!any(levels)) return(invisible())
  stop_arg(c(paste0("{.field {coordinate_labels(flow)[levels]}} {?has/have} levels, which ", what, "."), i = cure))
}

# Without the parts of stacks whose draws have no mean where logarithms or powers of supports are on the way.
with_means <- function(flow, linear) {
  if (is_stack(flow) && !(linear && keeps_tails(flow))) return(with_moments(flow))
  if (is_table(flow)) {
    for (k in seq_along(flow$blocks)) {
      of_points <- flow$blocks[[k]]$kind %in% c("rest", "line")
      if (of_points) flow$blocks[[k]]$fit <- with_means(flow$blocks[[k]]$fit, linear)
    }
  }
  flow
}

# Whether all that is far out on the line is about as far in the units of the data: no logarithm or power of a support
# is on the way.
keeps_tails <- function(flow) {
  all(vapply(flow_supports(flow), function(support) (support$curve %||% "softplus") == "softplus", NA))
}

# Rows of conditions, list(condition, n) as take_in() has it, from either argument.
take_rows <- function(flow, newdata, condition, distinct = FALSE) {
  if (flow$d_condition == 0) {
    take_condition(flow, condition, 1) # says that there are none
    rows <- if (is_part(flow)) count_given(flow) else 1
    if (rows > 1) return(list(condition = rows_given(flow, rows), n = rows)) # of a conditional distribution
    at <- list(condition = NULL, n = 1)
    if (!is.null(newdata)) at$repeats <- NROW(newdata)
    return(at)
  }
  if (!is.null(newdata) && !is.null(condition)) {
    stop_arg("For the mean of the response {.arg newdata} has the conditions: give it or {.arg condition}, not both.")
  }
  variables <- flow$condition$model$variables
  missing <- setdiff(variables, names(newdata))
  if (is.data.frame(newdata) && length(missing)) {
    stop_arg(c(
      "{.arg newdata} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
      i = meant(missing, names(newdata), NEAR_COLUMN)
    ))
  }
  in_newdata <- length(variables) && has_columns(newdata, variables)
  given <- take_condition(
    flow, if (!in_newdata) condition %||% newdata, NULL, if (in_newdata) newdata, gaps = TRUE
  )
  at <- leave_gaps_out(given, NULL, n_rows(given))
  at$condition <- at$points
  if (distinct) distinct_rows(at) else at
}

# Rows that are alike are computed once: `same` says which of those that are kept each row is.
distinct_rows <- function(at) {
  key <- do.call(paste, lapply(columns_at(at$condition, seq_len(at$n)), sprintf, fmt = "%a")) # to the bit
  first <- which(!duplicated(key))
  if (length(first) == at$n) return(at)
  at$same <- match(key, key[first])
  at$condition <- keep_rows(at$condition, first)
  at$n <- length(first)
  at
}

# Means of g^-1 for rows of nrow(weight) values each, over the values that it has one for; the share of the others, and
# that of the sum of magnitudes which is `far` out.
mean_within <- function(z, inverse, weight, far) {
  y <- suppressWarnings(inverse(z)) # logarithms of negative numbers
  gone <- is.nan(y) & !is.nan(z)
  y[gone] <- 0
  sums <- function(v) colSums(v * weight)
  outside <- if (any(gone)) sums(gone) else 0
  size <- abs(y)
  size[size == Inf] <- .Machine$double.xmax / nrow(weight)
  mean <- sums(y) / (1 - outside)
  list(
    mean = mean, sd = sqrt(pmax(sums(y^2) / (1 - outside) - mean^2, 0)), outside = outside,
    far = sums(size * far) / pmax(sums(size), .Machine$double.xmin)
  )
}

# ---- units -----------------------------------------------------------------------------------------------------------

# For each coordinate list(inverse, label, linear, known): the way from it to the column, the name of what comes out,
# whether that has the class of the coordinate, and whether it is the column or, FALSE, the left side as written.
response_units <- function(flow) {
  labels <- coordinate_labels(flow)
  as_is <- lapply(labels, function(label) list(inverse = identity, label = label, linear = TRUE, known = TRUE))
  parts <- flow$response$parts
  if (isTRUE(flow$response$times)) return(as_is)
  if (is.null(parts)) {
    if (is.null(flow[["formula"]])) return(as_is)
    parts <- formula_sides(stats::as.formula(flow[["formula"]]))$left
    if (all(vapply(parts, is.name, NA))) return(as_is)
  }
  if (length(parts) != flow$d) { # matrices among them
    return(lapply(as_is, function(unit) replace(unit, "known", FALSE)))
  }
  out <- Map(function(part, unit) {
    back <- inverse_of(part)
    if (is.null(back)) return(replace(unit, "known", FALSE))
    list(inverse = back$inverse, label = back$column, linear = back$linear, known = TRUE)
  }, unname(parts), as_is)
  columns <- vapply(out, `[[`, "", "label")
  twice <- columns %in% columns[duplicated(columns)]
  out[twice] <- Map(function(unit, label) replace(unit, "label", label), out[twice], labels[twice])
  out
}

INVERSES <- list(
  log = exp, log1p = expm1, log2 = function(z) 2^z, log10 = function(z) 10^z, exp = log, expm1 = log1p,
  sqrt = function(z) ifelse(z >= 0, z^2, NaN), plogis = stats::qlogis, qlogis = stats::plogis,
  I = identity, identity = identity, "(" = identity, "+" = identity, "-" = function(z) -z
)

LINEAR <- c("I", "identity", "(", "+", "-", "*", "/")

# list(column, inverse, linear) for an expression that is an invertible function of one column, else NULL.
inverse_of <- function(part) {
  if (is.name(part)) return(list(column = as.character(part), inverse = identity, linear = TRUE))
  step <- if (is.call(part) && is.name(part[[1]])) inverse_step(as.character(part[[1]]), as.list(part)[-1])
  if (is.null(step)) return(NULL)
  inner <- inverse_of(step$of)
  if (is.null(inner)) return(NULL)
  inside <- inner$inverse
  outside <- step$inverse
  list(
    column = inner$column, inverse = function(z) inside(outside(z)),
    linear = inner$linear && as.character(part[[1]]) %in% LINEAR
  )
}

# list(of, inverse): the argument of one call that has the column, and the inverse of the call in it.
inverse_step <- function(name, args) {
  if (length(args) == 1 && (is.null(names(args)) || names(args) %in% c("", "x", "q", "p"))) {
    inverse <- INVERSES[[name]]
    return(if (!is.null(inverse)) list(of = args[[1]], inverse = inverse))
  }
  if (length(args) != 2) return(NULL)
  first <- number_in(args[[1]])
  second <- number_in(args[[2]])
  if (is.null(first) == is.null(second)) return(NULL)
  k <- first %||% second
  of <- if (is.null(first)) args[[1]] else args[[2]]
  inverse <- if (name == "+") {
    function(z) z - k
  } else if (name == "-") {
    if (is.null(first)) function(z) z + k else function(z) k - z
  } else if (name == "*" && k != 0) {
    function(z) z / k
  } else if (name == "/" && is.null(first) && k != 0) { # k / y has a mean only where the flow keeps away from 0
    function(z) z * k
  } else if (name == "log" && is.null(first) && k > 0 && k != 1 && all(names(args) %in% c("", "x", "base"))) {
    if (identical(names(args)[1], "base")) return(NULL)
    function(z) k^z
  }
  if (!is.null(inverse)) list(of = of, inverse = inverse)
}

# The number that an expression without columns is.
number_in <- function(expr) {
  if (length(all.vars(expr))) return(NULL)
  value <- tryCatch(eval(expr, baseenv()), error = function(e) NULL)
  if (is.numeric(value) && !is.object(value) && length(value) == 1 && is.finite(value)) as.double(value)
}

warn_response <- function(flow, units, outside) {
  labels <- coordinate_labels(flow)
  known <- vapply(units, `[[`, NA, "known")
  if (!all(known)) {
    cli::cli_warn(c(
      "Means of {.field {labels[!known]}} are in the units of the left side of the formula: it is no invertible function
       of one column that is known here.",
      i = "For other functions of the response take the mean of draws: {.code mean(g(sample(object, 1e4, condition)))}."
    ), class = "bijectr_warning_response")
  }
  worst <- apply(outside, 2, max, 0)
  far <- which(worst > RESPONSE_OUTSIDE)
  if (length(far)) {
    share <- paste(format(100 * worst[far], digits = 2, trim = TRUE), "%")
    cli::cli_warn(c(
      "Up to {share} of a row {?lies/lie} where {.field {labels[far]}} {?has/have} no values: means are of the rest.",
      i = "{.arg support} of {.fn fit_flow} keeps a flow within an interval."
    ), class = "bijectr_warning_outside")
  }
}

# A mean that is made where there are no rows.
warn_far <- function(far, given) {
  bad <- which(apply(far, 1, max) > RESPONSE_FAR)
  if (!length(bad)) return(invisible())
  what <- if (!given) {
    "The mean is"
  } else if (length(bad) == 1) {
    paste("The mean of row", bad, "is")
  } else {
    paste0("Means of ", length(bad), " rows, the first of them row ", bad[1], ", are")
  }
  cli::cli_warn(c(
    "{what} made by values beyond the 99.9 per cent quantile, of which the data say nothing.",
    i = "Take medians, {.code type = \"quantile\"} at 0.5{if (given) '; or fit with conditions of less skewness, as
         log(y) ~ log(x)'}."
  ), class = "bijectr_warning_tail_mean")
}

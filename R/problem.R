# What is to be fitted, as the core has it: the way from the user's data, conditions and weights to a flow that can be
# trained, in pieces, so that one flow and the members of a stack go the same way.

# A problem: list(
#   data, condition   encoded, as points; condition is NULL without any
#   weights, unit     case weights in units of `unit`, see weight_unit()
#   n, d, d_condition numbers of rows, coordinates and conditions
#   rows              list(train, validation), row numbers; see count_effective()
#   rules             those of column_rules(), with `given`, one support a column
#   plan              what blueprint() learns
#   layers, start     what is to be trained: layers, the default ones where none were given, or a flow to start from
#   auto              whether tails and supports are looked for
#   rows_are          "points", "whole" numbers, "levels" or censored "times"
#   observed)         of one coordinate, what is known of rows that are no points, see observed.R; NULL where all are
# `data` comes from as_fit_data(), `observed` beside it where these are times, `condition` from the user, `rules` from
# column_rules(); `split(n, weights)` gives the rows; `form` is what the data came as; `levels` says which conditions
# are codes, see coded_levels(); `model` and `response` are those of a formula; `base` may have a net.
pose_problem <- function(data, layers, condition, weights, rules, split, model, response, form, levels,
                         observed = NULL, base = NULL) {
  n <- n_rows(data)
  weights <- check_weights(weights, n)
  unit <- weight_unit(weights)
  weights <- if (!is.null(weights)) weights / unit
  all <- data
  left <- drop_columns(data, weights, rules$collinear, if (inherits(layers, "bijectr_flow")) check_starting(layers))
  data <- left$data
  d <- n_columns(data)
  rules$given <- supports_of_kept(rules, all, if (n_columns(all) > d) left$dropped)
  condition <- as_fit_condition(condition, n)
  d_condition <- if (is.null(condition)) 0L else n_columns(condition)
  rows <- count_effective(split(n, weights), weights)
  auto <- is.null(layers) && rules$standardize != "none"
  if (is.null(layers)) {
    layers <- default_layers(length(rows$train), d, d_condition, levels)
  }
  start <- if (inherits(layers, "bijectr_flow")) check_start(layers, d, d_condition)
  if (!is.null(start)) {
    data <- pick_columns(data, start$names, "data")
    condition <- pick_columns(condition, start$condition$names, "condition")
  }
  plan <- blueprint(
    data, condition, rows$train, model, start, response, weights, rules$extrapolate, form,
    left$dropped, if (is.null(start)) list(layers, base) else list(start$layers, start$base)
  )
  data <- encode_columns(data, plan$codecs)
  codes <- isTRUE(rules$codes)
  if (!codes) check_flat(data, rows$train, weights)
  advise_condition(condition, rows, weights)
  if (!is.null(condition)) {
    condition <- encode_columns(condition, plan$condition$codecs)
    check_codes(condition, plan$condition)
  }
  rules$given <- rules$given %||%
    given_supports(rules$support, rules$lower, rules$upper, d, column_names(data), plan$codecs)
  rows_are <- if (isTRUE(rules$nominal)) "levels" else if (is.null(observed)) "points" else "times"
  known <- vapply(rules$given, function(one) isTRUE(one$whole), NA)
  exact <- NULL
  if (!is.null(observed)) {
    exact <- which(observed$lower == observed$upper)
    times <- pose_times(observed, data, start, rules, weights)
    data <- times$data
    rules <- times$rules
  } else if (d == 1 && isTRUE(rules$whole) &&
    (is.null(start) && is_number_codec(plan$codecs[[1]]) || is_whole(start))) {
    rules$given <- list(support_of_whole(rules$given[[1]], data, rows, weights, auto))
    known <- if (is.null(start)) isTRUE(rules$given[[1]]$exact) else TRUE
    if (known) {
      plan$codecs <- list(codec_whole(is_integer_codec(plan$codecs[[1]])))
      observed <- observed_whole(data)
      if (rows_are == "points") rows_are <- "whole"
    }
  }
  collect_garbage(data)
  if (codes) {
    advise_rows(d, d_condition, rows, weights)
  } else {
    advise_data(data, condition, rows, weights, which(known), exact)
  }
  collect_garbage(data)
  list(
    data = data, condition = condition, weights = weights, unit = unit, n = n, d = d, d_condition = d_condition,
    rows = rows, rules = rules, plan = plan, layers = layers, start = start, auto = auto,
    observed = observed, rows_are = rows_are
  )
}

# Times of a problem, list(data, rules): with numbers that stand for the rows, and a support. That of times is positive,
# behind a logarithm, where nothing else was said.
pose_times <- function(observed, data, start, rules, weights) {
  if (!is.null(start) && is_whole(start)) {
    stop_arg("{.arg layers} is a fit of whole numbers, and {.arg data} has censored times.")
  }
  if (!isTRUE(rules$whole)) stop_arg("Censored times are fitted by {.fn loss_maximum_likelihood} alone.")
  if (is.null(start)) {
    if (is.null(rules$given[[1]])) rules$given <- list(positive(curve = "log"))
    if (rules$given[[1]]$whole) stop_arg("{.arg support} has {.fn counts}, which are not for censored times.")
    rules["computed"] <- list(NULL)
    support <- rules$given[[1]]
  } else {
    support <- flow_supports(start)[[1]] %||% whole_line()
  }
  check_times(observed, support, weights, column_label(data, 1))
  value <- representatives(observed, support, weights)
  list(data = name_columns(matrix(value), column_names(data)), rules = rules)
}

# The flow of a problem before its training, list(flow, end): with its data end, see data_end(), and initial parameters.
build_flow <- function(problem, base) {
  start <- problem$start
  data <- problem$data
  weights <- problem$weights
  rows <- problem$rows
  d <- problem$d
  rules <- problem$rules
  rules$heavy_base <- inherits(base, c("bijectr_base_cauchy", "bijectr_base_student_t")) # has the tails already
  end <- if (isTRUE(rules$codes) && rules$standardize == "none") {
    list(layers = list(), found = list(scale = 1))
  } else {
    data_end(data, rows$train, weights, rules, problem$auto, if (!is.null(start) && is_standardized(start)) start)
  }
  layers <- problem$layers
  if (!is.null(start)) {
    layers <- start$layers
    layers$layers <- further_reach(layers$layers, data, weights)
    base <- start$base
  }
  flow <- new_flow(
    layer_chain(as_layer(layers, "layers"), end$layers), d, check_family(base, "base", "base"), problem$d_condition
  )
  flow[names(problem$plan)] <- problem$plan
  if (is.null(start)) {
    look <- look_at_rows(rows$train, weights, rows_enough(d))
    i <- look$rows
    flow <- initialize_from_data(flow, rows_at(data, i), rows_at(problem$condition, i), look$weights[i])
  } else {
    flow["params"] <- list(start$params) # what is put next to the data of a start has none
  }
  collect_garbage(data)
  check_support(flow, data, problem$condition, weights)
  list(flow = flow, end = end)
}

# How it is trained, see data_setup(): without noise where that would leave the range of the layers.
flow_setup <- function(problem, built, control, loss) {
  root <- noise_root(built$end$found)
  space <- training_space(built$flow, problem$data, problem$rows, problem$weights, loss, built$end$mapped)
  if (control$noise > 0 &&
    noise_leaves_support(space$flow %||% built$flow, space$data, problem$condition, control$noise * root)) {
    control$noise <- 0
  }
  if (!is.null(problem$observed)) {
    space <- in_intervals(
      space, built$flow, problem$observed, problem$condition, problem$rows, problem$weights
    )
  }
  data_setup(space, problem$condition, problem$weights, problem$rows, control, root, loss)
}

# A flow that training is to start from.
check_starting <- function(flow) check_one_flow(flow, "a training that starts from it")

# One for a problem.
check_start <- function(flow, d, d_condition, data = "data", condition = "condition") {
  check_starting(flow)
  if (flow$d != d) stop_arg("{.arg layers} is a flow of {flow$d} coordinate{?s}, but {.arg {data}} has {d}.")
  if (flow$d_condition != d_condition) {
    stop_arg("{.arg layers} is a flow given {flow$d_condition} variable{?s}, but {.arg {condition}} has {d_condition}.")
  }
  flow
}

# Rows that the untrained flow gives no density cannot be learned from.
check_support <- function(flow, data, condition, weights) {
  bad <- native_rows_without_density(flow, data, condition, weights)
  if (bad[1] > 0) {
    stop_arg(c(
      "Row {bad[2]} of {.arg data} has log density {bad[3]} under the initial flow.",
      i = "{bad[1]} row{?s} {?is/are} outside the range of the layers or of the base."
    ))
  }
}

# Noise would push data near the ends of bounded layers out of their range, where there is nothing to learn from: then
# there is none. A few thousand rows tell.
noise_leaves_support <- function(flow, data, condition, root) {
  n <- n_rows(data)
  i <- unique(round(seq(1, n, length.out = min(n, 5000))))
  moved <- rows_at(data, i) + matrix(stats::rnorm(length(i) * n_columns(data)), length(i)) %*% t(root)
  !all(is.finite(native_log_density(flow, moved, rows_at(condition, i))))
}

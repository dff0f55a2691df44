# What data come to, whatever they came as: a fit to a table with gaps, to one of mixed columns, a stack, or one flow.

# `from`: list(data, observed, condition, weights, form, call, what, by_formula, stream): columns as the user has them,
# of times as open_times() gives them; the words for the data in messages; what formula_parts() says; and the stream of
# which these are some rows, NULL elsewhere. `members` are wanted_members(), `modest` says that the user asked for no
# stack. `settings` are those of fit_control() that were given.
fit_data <- function(from, layers, members, modest, base, rules, na, loss, control, settings, progress, d) {
  gappy <- check_choice(na, c("fail", "model"), "na") == "model"
  if (gappy) refuse_times(from$observed)
  gappy <- gappy && anyNA(from$data, recursive = TRUE)
  gaps <- if (gappy) open_gaps(from$data, from$weights)
  mixed <- if (!gappy) open_levels(from$data)
  data <- if (!is.null(mixed)) {
    mixed$z
  } else {
    as_fit_data(if (gappy) gaps$data else from$data,
      cure = paste0("{.code na.omit(data)} leaves such rows out", if (is.null(from$observed)) {
        "; {.code na = \"model\"} learns from them"
      }, ".")
    )
  }
  if (!is.null(d) && check_count(d, "d") != n_columns(data)) {
    stop_arg(paste0("{.arg d} is {d}, but ", from$what, " has {n_columns(data)} column{?s}."))
  }
  stream <- from$stream
  control <- make_control(control, default_control(stream$n %||% n_rows(data), n_columns(data)), settings)
  rules$whole <- identical(loss$kind, "maximum_likelihood") && is.null(gaps$missing)
  parts <- from$by_formula
  rules$computed <- computed_coordinates(parts$response, names(parts$data))
  if (!is.null(gaps$missing)) {
    if (!modest) refuse_members()
    fit_block <- block_fitter(base, loss, progress)
    return(fit_gaps(
      data, gaps$missing, layers, from$condition, from$weights, rules, control, fit_block, from$call, from$form, parts
    ))
  }
  if (is.null(mixed) && is.null(from$observed) && !is.null(members)) mixed <- open_numbers(data)
  found <- if (!is.null(mixed)) table_roles(mixed, from$weights, rules, !is.null(members))
  # a flow sees more rows than the members of a stack could
  if (!is.null(stream) && modest && is.null(found) && is.null(from$observed)) members <- NULL
  if (!is.null(stream) && (!is.null(found) || !is.null(members))) inform_sampled(stream, "A stack")
  if (!is.null(found)) {
    if (is.null(members) && !"line" %in% role_kinds(found$roles)) {
      stop_arg(c(
        "{.arg layers}, {.arg base} and settings of the training are for columns of numbers with densities, which
         {.arg data} has not.",
        i = "Leave them out: levels and whole numbers are fitted by stacks, see {.fn stack_members}. A net for levels is
             {.code base_categorical(levels, net)}, of their codes from 0 on."
      ))
    }
    fit_block <- table_fitter(members, layers, base, loss, control)
    return(fit_table(
      mixed, found, from$condition, from$weights, rules, control$seconds, progress, fit_block, from$call, from$form,
      parts, own = is.null(members)
    ))
  }
  origin <- list(
    call = from$call, formula = if (!is.null(parts)) bare_formula(parts$formula), model = parts$model,
    response = parts$response, na_action = parts$na_action, form = from$form, observed = from$observed
  )
  if (is.null(members)) {
    do.call(fit_matrix, c(
      list(data, layers, base, from$condition, from$weights, rules, loss, control, progress), origin,
      list(stream = stream)
    ), quote = TRUE)
  } else {
    do.call(fit_stack, c(
      list(data, from$condition, from$weights, rules, members, control$seconds, progress), origin
    ), quote = TRUE)
  }
}

# How fit_gaps() fits a block.
block_fitter <- function(base, loss, progress) {
  function(data, layers, condition, weights, control, rules, levels) {
    fit_matrix(data, layers, base, condition, weights, rules, loss, control, progress, levels = levels)
  }
}

# How fit_table() fits a block. What is said of one flow is said of the last; `members` NULL: of it alone.
table_fitter <- function(members, layers, base, loss, control) {
  force(list(members, layers, base, loss, control)) # a promise would take its frame along to workers
  of_points <- names(Filter(function(kind) "points" %in% kind$of, member_kinds()))
  function(kind, points, condition, weights, rules, levels, seconds, progress) {
    control["seconds"] <- list(seconds)
    if (is.null(members) && kind == "line") {
      return(fit_matrix(points, layers, base, condition, weights, rules, loss, control, progress, levels = levels))
    }
    members <- members %||% stack_members()
    if (!is.null(members$kinds) && kind != "whole") {
      suited <- (if (kind %in% c("rest", "line")) intersect else setdiff)(members$kinds, of_points)
      if (is.null(condition)) suited <- setdiff(suited, GIVEN_CONDITIONS)
      members["kinds"] <- list(if (length(suited)) suited) # kinds of other rows say nothing of these
    }
    fit_stack(points, condition, weights, rules, members, seconds, progress, levels = levels)
  }
}

# One flow. The arguments are those of pose_problem(), and what a fit keeps of its call.
fit_matrix <- function(data, layers, base, condition, weights, rules, loss, control, progress, call = NULL,
                       formula = NULL, model = NULL, response = NULL, na_action = NULL, form = NULL,
                       levels = coded_levels(model, column_names(condition)), observed = NULL, stream = NULL) {
  loss <- check_data_loss(loss)
  split <- function(n, weights) {
    if (is.null(stream)) split_rows(n, control$validation, weights) else stream_split(stream, control$validation)
  }
  if (is_discrete(if (inherits(layers, "bijectr_flow")) layers$base else base)) {
    rules <- rules_of_codes(rules)
    control$noise <- 0
    layers <- layers %||% list()
  }
  problem <- pose_problem(data, layers, condition, weights, rules, split, model, response, form, levels, observed, base)
  if (!is.null(stream) && (problem$rows_are != "points" || !is.null(problem$observed))) {
    inform_sampled(stream, "A flow of {problem$rows_are}")
    stream <- NULL
  }
  built <- build_flow(problem, base)
  check_loss(loss, built$flow)
  advise_size(built$flow, problem$data, problem$condition, problem$rows, control)
  setup <- flow_setup(problem, built, control, loss)
  origin <- list(
    call = call, formula = formula, loss = loss, standardize = rules$standardize, rows = problem$rows,
    na.action = na_action, digest = data_digest(told_by(problem$data, problem$observed), problem$condition, formula),
    nobs = count_rows(problem$n, problem$weights),
    censoring = if (!is.null(observed)) count_censoring(observed, problem$weights)
  )
  control$noise <- setup$noise
  read <- c(replace(setup, "data", list(problem$data)), list(observed = problem$observed))
  evaluate <- evaluate_data(read, problem$rows, problem$unit)
  if (!is.null(stream)) {
    plan <- plan_stream(stream, built$flow, setup, problem$condition, problem$rows, control)
    setup <- stream_setup(setup, plan, control)
    evaluate <- stream_evaluation(evaluate, stream)
    origin[c("nobs", "source")] <- list(stream$n, stream_fields(plan))
  }
  finish_fit(built$flow, setup, new_state(built$flow, control), control, progress, origin, evaluate)
}

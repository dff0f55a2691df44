# How a stack comes about: members of several kinds, fitted to folds of the rows side by side, and weighed by what they
# say of rows that they have not seen, see stack-weights.R.

fit_stack <- function(data, condition, weights, rules, members, seconds, progress, call = NULL, formula = NULL,
                      model = NULL, response = NULL, na_action = NULL, form = NULL,
                      levels = coded_levels(model, column_names(condition)), observed = NULL) {
  started <- Sys.time()
  check_flag(progress, "progress")
  whole <- function(n, weights) list(train = seq_len(n), validation = integer())
  problem <- pose_problem(data, NULL, condition, weights, rules, whole, model, response, form, levels, observed)
  problem <- stack_problem(problem, levels, members)
  folds <- stack_folds(problem, members$folds, members$fits)
  suited <- stack_kinds(problem, folds, members$kinds)
  kinds <- suited$kinds
  jobs <- stack_jobs(kinds, folds)
  announce_stack(problem, kinds, folds, jobs, seconds)
  problem$random <- RNGkind()
  run <- run_jobs(jobs, function(job) fit_job(job, problem, folds), seconds, progress)
  found <- collect_jobs(jobs, run$results, kinds)
  late <- any(vapply(run$results, function(result) isTRUE(result$late), NA))
  if (late && run$status == "finished") run$status <- "time_limit"
  left_out <- c(suited$left_out, found$errors)
  check_members(found$members, left_out, run$status)
  w <- problem$weights[folds$told]
  densities <- chosen_densities(found$members, w)
  weight <- stack_weights(densities, folds$part, w)
  if (is.null(members$kinds)) {
    left_out <- c(left_out, unlikely_kinds(found$members, densities, weight, problem, folds))
    found$members[names(left_out)] <- NULL
    weight <- stack_weights(densities[, names(found$members), drop = FALSE], folds$part, w)
  }
  fit <- new_stack(problem, found$members, weight, densities, list(
    call = call, formula = formula, loss = loss_maximum_likelihood(), control = default_control(problem$n, problem$d),
    standardize = rules$standardize, rows = problem$rows, na.action = na_action,
    digest = data_digest(told_by(problem$data, problem$observed), problem$condition, formula),
    nobs = count_rows(problem$n, problem$weights),
    status = run$status, steps = 0, epochs = 0, seconds = as.double(Sys.time() - started, units = "secs"),
    folds = folds$of, left_out = left_out,
    censoring = if (!is.null(observed)) count_censoring(observed, problem$weights)
  ))
  fit <- add_evaluation(fit, guarded(evaluate_stack(fit, problem, found, folds)))
  tell_stack(fit, members$kinds)
  fit
}

# What members share: supports found in all rows, and where closed forms work, with these supports (`line`) or with
# those alone that were told (`told_line`).
stack_problem <- function(problem, levels, members) {
  rules <- problem$rules
  find <- problem$auto || identical(rules$support, "auto")
  rows <- problem$rows$train
  supports <- find_supports(problem$data, rules$given, find, rows, problem$weights, rules$computed)
  told <- Map(function(support, given) if (is.null(given)) whole_line() else support, supports,
    rules$given %||% list(NULL)
  )
  rules$given <- supports
  rules[c("support", "lower", "upper")] <- list(NULL)
  problem$rules <- rules
  problem["levels"] <- list(levels)
  problem["control"] <- list(members$control)
  problem$cells <- cell_sizes(problem)
  problem["values"] <- list(if (problem$rows_are %in% c("whole", "levels")) few_values(problem))
  line <- line_behind(problem, supports)
  # linear functions of each other are told here, once
  behind_supports(
    beyond_drop(center_and_root(line$data, rows, problem$weights, rules$standardize), problem$data, problem$weights,
                rules$collinear),
    supports, column_labels(problem$data)
  )
  problem$line <- line
  problem$found_supports <- !identical(supports, told)
  problem$told_line <- if (problem$found_supports) line_behind(problem, told) else line
  problem
}

# What is to be done: a kind that is fitted at once, and soon, is one job, and comes first, so that an interrupt leaves
# a stack; then the flows.
stack_jobs <- function(kinds, folds) {
  trained <- names(kinds)[vapply(kinds, `[[`, NA, "trained")]
  jobs <- c(
    lapply(setdiff(names(kinds), trained), function(name) list(kind = name, fold = 0L)),
    unlist(lapply(trained, function(name) {
      lapply(rep_len(seq_len(folds$count), folds$fits), function(fold) list(kind = name, fold = fold))
    }), recursive = FALSE)
  )
  lapply(jobs, function(job) c(job, seed = draw_seed()))
}

# ---- jobs ------------------------------------------------------------------------------------------------------------

# A job's flows and what they say of rows held out: list(flows, held_out), `held_out` a matrix with one row a row that
# is held out from some job, NA where it was not from this one. What cannot be fitted is `error`.
fit_job <- function(job, problem, folds) {
  problem$control$seconds <- job$seconds
  problem$memo <- new.env(parent = emptyenv()) # of what sizes of one kind have in common, by rows
  kind <- member_kinds()[[job$kind]]
  late <- FALSE
  result <- with_seed_of(job$seed, problem$random, tryCatch(
    withCallingHandlers(
      if (kind$trained) fit_fold(kind, job$fold, problem, folds) else fit_closed(kind, problem, folds),
      bijectr_message_rollback = function(m) invokeRestart("muffleMessage"),
      bijectr_warning_counts = function(w) invokeRestart("muffleWarning"), # the stack has said so
      bijectr_late = function(condition) late <<- TRUE
    ),
    error = function(e) list(error = brief_reason(e))
  ))
  c(result, late = late)
}

fit_fold <- function(kind, fold, problem, folds) {
  rows <- fold_rows(folds, fold, TRUE)
  problem$decay <- kind$decay
  flows <- kind$fit(problem, rows, NULL)
  list(flows = flows, held_out = matrix(fold_density(flows, fold, problem, folds)))
}

# Log densities of the rows of a fold, NA for those of others.
fold_density <- function(flows, fold, problem, folds) {
  out <- rep(NA_real_, length(folds$told))
  held_out <- folds$part == fold
  at <- folds$told[held_out]
  out[held_out] <- flows_density(
    flows, rows_at(problem$data, at), rows_at(problem$condition, at), observed_at(problem$observed, at)
  )
  out
}

# Sizes are tried until two in a row, of one group, were worse than the best, or the time is over.
fit_closed <- function(kind, problem, folds) {
  started <- proc.time()[["elapsed"]]
  weights <- problem$weights[folds$told]
  held_out <- matrix(NA_real_, length(folds$told), 0)
  sizes <- list()
  best <- -Inf
  stale <- 0
  group <- NULL
  for (size in kind_sizes(kind, problem)) {
    if (!identical(size$group, group)) stale <- 0
    group <- size$group
    if (stale >= 2) next
    late <- proc.time()[["elapsed"]] - started > (problem$control$seconds %||% Inf)
    if (late && length(sizes)) break
    of_size <- rep(NA_real_, length(folds$told))
    for (fold in seq_len(folds$count)) {
      flows <- kind$fit(problem, fold_rows(folds, fold, FALSE), size)
      if (is.null(flows)) break
      held_out_now <- folds$part == fold
      of_size[held_out_now] <- fold_density(flows, fold, problem, folds)[held_out_now]
    }
    if (is.null(flows)) next
    value <- held_out_value(of_size, weights)
    stale <- if (value > best) 0 else stale + 1
    best <- max(best, value)
    held_out <- cbind(held_out, of_size)
    sizes <- c(sizes, list(size))
  }
  if (!length(sizes)) stop("too few rows")
  size <- sizes[[best_size(held_out, weights)]]
  list(flows = kind$fit(problem, fold_rows(folds, -1L, FALSE), size), held_out = unname(held_out), size = size)
}

# Log likelihoods of the mean of flows of a kind; of rows that would not have been seen everywhere, of the mean of what
# each flow says of them there.
flows_density <- function(flows, points, condition, observed) {
  mixed_density(flows, shares_of(flows), points, condition, function(flow, points, condition) {
    rows_density(flow, points, condition, observed)
  })
}

shares_of <- function(flows) attr(flows, "shares") %||% rep(1 / length(flows), length(flows))

NOT_REACHED <- "the training was interrupted"

# In one line, for print().
brief_reason <- function(error) {
  text <- strsplit(cli::ansi_strip(conditionMessage(error)), "\n", fixed = TRUE)[[1]][1]
  sub("[.]$", "", text)
}

# The results of jobs by kinds: for each list(flows, held_out, size), held_out with a column a size; several flows
# that had one fold held out are averaged. Kinds that failed are left out.
collect_jobs <- function(jobs, results, kinds) {
  names <- vapply(jobs, `[[`, "", "kind")
  out <- list()
  errors <- character()
  for (name in names(kinds)) {
    of_kind <- results[names == name]
    bad <- vapply(of_kind, function(result) is.null(result) || !is.null(result$error), NA)
    if (any(bad)) {
      errors[name] <- of_kind[[which(bad)[1]]]$error %||% NOT_REACHED
      next
    }
    held_out <- if (kinds[[name]]$trained) {
      matrix(averaged_rows(lapply(of_kind, `[[`, "held_out")))
    } else {
      of_kind[[1]]$held_out
    }
    flows <- unlist(lapply(of_kind, `[[`, "flows"), recursive = FALSE)
    out[[name]] <- list(
      kind = name, label = kinds[[name]]$label, flows = flows,
      shares = if (length(of_kind) == 1) shares_of(of_kind[[1]]$flows) else shares_of(flows),
      held_out = held_out, size = of_kind[[1]]$size,
      seeds = if (kinds[[name]]$trained) vapply(jobs[names == name], `[[`, 0, "seed"),
      folds = if (kinds[[name]]$trained) vapply(jobs[names == name], `[[`, 0L, "fold")
    )
  }
  list(members = out, errors = errors)
}

# ---- the fit ---------------------------------------------------------------------------------------------------------

evaluate_stack <- function(fit, problem, found, folds) {
  density <- rows_density(fit, problem$data, problem$condition, problem$observed)
  out <- log_likelihoods(density, problem$weights, problem$rows, problem$unit)
  w <- problem$weights[folds$told]
  honest <- honest_densities(found$members, folds$part, w)
  normal <- if (judges_normal(problem, folds) && "normal" %in% colnames(fit$held_out)) fit$held_out[, "normal"]
  compared <- compare_densities(honest, normal %||% rep(NA_real_, length(honest)), w)
  of_train <- fit_reference(
    list(data = problem$data, condition = problem$condition, weight = problem$weights, observed = problem$observed),
    problem$rows, density
  )
  out$held_out_loglik <- sum(if (is.null(w)) honest else w * honest) * problem$unit
  out$reference <- list(
    normal = compared$normal, flow = compared$flow, normal_train = of_train$normal_train,
    flow_train = of_train$flow_train, error = compared$error, error_train = of_train$error_train
  )
  out["quantiles"] <- list(if (is.null(fit$censoring)) {
    fit_quantiles(fit, problem$data, problem$condition, problem$weights, problem$rows$train)
  })
  out
}

# Kinds that a stack is better without, named by them, with the reason.
unlikely_kinds <- function(members, densities, weight, problem, folds) {
  w <- problem$weights[folds$told]
  hopeless <- hopeless_kinds(densities, weight, w, MEMBERS_ON_T)
  members[hopeless] <- NULL
  wild <- guarded(wild_kinds(members, densities[, names(members), drop = FALSE], problem, folds))
  if (inherits(wild, "condition")) wild <- character() # it is worth no member
  c(
    stats::setNames(rep("far below the others on rows held out", length(hopeless)), hopeless),
    stats::setNames(rep("draws that are far wider than rows held out", length(wild)), wild)
  )
}

# There must be members.
check_members <- function(members, left_out, status) {
  if (length(members)) return(invisible())
  if (status == "interrupted") stop_arg("The training was interrupted before any member was done: there is no stack.")
  stop_arg(c(
    "No kind of member can be fitted to these data.",
    x = "{.val {names(left_out)[1]}}: {left_out[[1]]}.",
    i = if (length(left_out) > 1) "The others, {.val {names(left_out)[-1]}}, fail as well."
  ))
}

# `asked`: kinds that the user has named.
tell_stack <- function(fit, asked) {
  if (fit$status == "interrupted") {
    cli::cli_warn(c(
      "Training was interrupted: the stack has the members that were done,
       {.val {vapply(fit$members, `[[`, \"\", \"kind\")}}.",
      i = "{.fn update} makes it anew."
    ), class = "bijectr_warning_interrupted")
    return(invisible())
  }
  lost <- fit$left_out[intersect(asked, names(fit$left_out))]
  if (length(lost)) {
    cli::cli_warn(c(
      "{cli::qty(length(lost))}{?A kind/Some kinds} of {.arg members} cannot be fitted to these data and {?is/are} left
       out:",
      stats::setNames(paste0(names(lost), ": ", gsub("([{}])", "\\1\\1", lost), "."), rep("x", length(lost))),
      i = "{.arg members} without {cli::qty(length(lost))}{?it/them} makes the same stack; {.code ?stack_members} says
           what each kind needs."
    ), class = "bijectr_warning_members")
  }
}

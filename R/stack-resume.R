# Stacks whose flows are trained further. Members that an interrupt has kept a stack from are not made here: it has
# neither the settings of its members nor what was done of a kind that was not whole.

#' @rdname resume
#' @order 3
#' @export
resume.bijectr_stack <- function(object, data = NULL, condition = NULL, weights = NULL, steps = NULL, epochs = NULL,
                                 seconds = NULL, checkpoint = NULL, callback = NULL, progress = interactive(), ...) {
  check_unused(...)
  check_fit(object)
  envir <- parent.frame()
  check_flag(progress, "progress")
  for (name in c("epochs", "checkpoint", "callback")) {
    if (!is.null(get(name))) stop_arg("{.arg {name}} is for a single flow; the flows of a stack go on by {.arg steps}.")
  }
  steps <- check_count(steps, "steps", null = TRUE)
  check_number(seconds, "seconds", above = 0, null = TRUE)
  if (is.null(steps)) {
    if (object$status == "finished") return(object)
    if (object$status == "time_limit") {
      stop_arg("Flows of this stack stopped at their share of {.arg seconds}: {.arg steps} trains all of them further.")
    }
    stop_arg(c(
      "This stack lacks members that an interrupt has kept it from.",
      i = "{.fn update} makes it anew; {.arg steps} trains those that it has further."
    ))
  }
  started <- Sys.time()
  problem <- data_again(object, data, condition, weights, envir)
  withCallingHandlers(
    check_same_data(object, told_by(problem$data, problem$observed), problem$condition),
    bijectr_warning_data = function(w) {
      stop_other_data(if (is.null(object$formula)) "{.arg data} or {.arg condition}" else "{.arg data}")
    }
  )
  effective <- count_effective(object$rows, problem$weights)$effective
  if (!isTRUE(all.equal(effective, object$rows$effective))) stop_other_data("{.arg weights}")
  problem[c("d", "d_condition")] <- object[c("d", "d_condition")]
  problem$rules <- column_rules(object$standardize %||% "auto", collinear = "error")
  problem$auto <- FALSE
  problem$control <- list(steps = steps)
  folds <- folds_again(object, problem)
  trained <- which(vapply(object$members, function(member) length(member$seeds) > 0, NA))
  jobs <- unlist(lapply(trained, function(m) {
    lapply(seq_along(object$members[[m]]$flows), function(i) {
      c(list(member = m, flow = i, seed = draw_seed()))
    })
  }), recursive = FALSE)
  random <- RNGkind()
  run <- run_jobs(jobs, function(job) {
    member <- object$members[[job$member]]
    with_seed_of(job$seed, random, train_further(
      member$flows[[job$flow]], member$kind, member$folds[job$flow], member$seeds[job$flow], problem, folds, job$seconds
    ))
  }, seconds, progress)
  if (run$status == "interrupted") {
    stop_arg("The training was interrupted: the stack is as it was.")
  }
  for (m in trained) {
    of_member <- run$results[vapply(jobs, `[[`, 0L, "member") == m]
    object$members[[m]]$flows <- lapply(of_member, `[[`, "flow")
    object$held_out[, object$members[[m]]$kind] <- averaged_rows(lapply(of_member, `[[`, "held_out"))
  }
  object$steps <- object$steps + steps
  object$seconds <- object$seconds + as.double(Sys.time() - started, units = "secs")
  weigh_again(object, problem, folds)
}

stop_other_data <- function(what) {
  stop_arg(c(
    paste(what, "is not what the stack was made from: the weights of its members, and what is held out, are of those
                 rows."),
    i = "{.fn update} makes a stack of other data."
  ))
}

# A flow of a member, on the rows that it had: list(flow, held_out).
train_further <- function(flow, kind, fold, seed, problem, folds, seconds) {
  rows <- with_seed(seed, fold_rows(folds, fold, TRUE))
  problem$start <- flow
  problem$layers <- flow$layers
  problem$plan <- flow[c("names", "codecs", "condition", "response", "form", "dropped")]
  problem$control$seconds <- seconds
  problem$decay <- member_kinds()[[kind]]$decay
  flow <- train_on(problem, rows, flow$base)
  list(flow = flow, held_out = fold_density(list(flow), fold, problem, folds))
}

# Weights and figures of a stack from its densities of rows held out.
weigh_again <- function(stack, problem, folds) {
  kinds <- vapply(stack$members, `[[`, "", "kind")
  members <- lapply(stats::setNames(nm = kinds), function(kind) {
    list(held_out = stack$held_out[, kind, drop = FALSE])
  })
  w <- problem$weights[folds$told]
  weight <- stack_weights(stack$held_out[, kinds, drop = FALSE], folds$part, w)
  for (m in seq_along(kinds)) {
    stack$members[[m]]$weight <- weight[[m]]
    stack$members[[m]]$held_out <- stats::weighted.mean(stack$held_out[, kinds[m]], w %||% rep(1, length(folds$told)))
  }
  problem$rows <- stack$rows
  add_evaluation(stack, guarded(evaluate_stack(stack, problem, list(members = members), folds)))
}

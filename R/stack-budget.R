# What a stack of many rows will take, told before it is begun.

# Stacks that are expected to take less are not announced.
ANNOUNCED_SECONDS <- 20

announce_stack <- function(problem, kinds, folds, jobs, seconds, least = ANNOUNCED_SECONDS) {
  if (problem$n < MANY_ROWS || !is.null(current_cluster())) return(invisible())
  expected <- expected_seconds(problem, kinds, folds, jobs)
  if (expected < least) return(invisible())
  rows <- format_count(problem$n)
  cli::cli_inform(c(
    "A stack of {length(jobs)} fits to {rows} rows: up to about {format_seconds(expected)} on this machine.",
    i = if (is.null(seconds)) {
      "{.arg seconds} sets a budget for the whole call."
    } else {
      "The flows stop training in time for the budget of {format_seconds(seconds)}."
    }
  ), class = "bijectr_message_budget")
}

# By a few steps of one flow of each kind: what is done once, and so much for each step. Closed forms, which look at
# some of the rows only, and the densities of all rows in the end are taken to cost half of that again.
PROBE_STEPS <- c(1L, 101L)

expected_seconds <- function(problem, kinds, folds, jobs) {
  each <- vapply(Filter(function(kind) kind$trained, kinds), function(kind) {
    spent <- vapply(PROBE_STEPS, function(steps) {
      problem$control$steps <- steps
      started <- proc.time()[["elapsed"]]
      with_seed(1, kind$fit(problem, fold_rows(folds, 1L, TRUE), NULL))
      proc.time()[["elapsed"]] - started
    }, 0)
    steps <- member_control(problem, fold_rows(folds, 1L, FALSE))$steps
    spent[1] + max(diff(spent), 0) / diff(PROBE_STEPS) * steps
  }, 0)
  count <- table(vapply(jobs, `[[`, "", "kind"))[names(each)]
  1.5 * sum(each * count) / min(side_by_side()$count, length(jobs))
}

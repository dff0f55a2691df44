# A training of several ranks (cluster.R) in step: the core adds up what they find in each step, and between its calls
# they agree on what comes next. All that decides when a call ends, or whether there is another one, is the same for
# all.

# Steps after which parameters are compared.
COMPARED_EVERY <- 1000

# What the loop of run_training() needs of its ranks, NULL for a process alone or where there are no rows: list(cluster,
# sums), an environment of how many sums there were, `n`, and after how many thousands of steps parameters were
# compared, `compared`.
shared_training <- function(setup) {
  cluster <- current_cluster()
  if (is.null(cluster) || is.null(setup$train_row)) return(NULL)
  sums <- new.env()
  sums$n <- 0
  list(cluster = cluster, sums = sums)
}

# The settings with the share of this process, which those of a source replace by one with lanes.
with_share <- function(setup, shared) {
  if (is.null(shared)) return(setup)
  cluster <- shared$cluster
  sums <- shared$sums
  setup$share <- c(rank_share(cluster), list(n = length(setup$train_row)))
  setup$share$sum <- function(x) {
    sums$n <- sums$n + 1
    tryCatch(cluster$parts(x), error = identity)
  }
  setup
}

# All ranks must have begun with the same.
check_ranks <- function(shared, setup, state) {
  if (is.null(shared)) return(invisible())
  rows <- if (is.null(setup$feed)) list(setup$train_row, setup$validation_row, native_digest(setup$data))
  told <- on_all_ranks(shared$cluster, list(state$seed, state$counters, native_digest(list(state$theta)), rows))
  same <- vapply(told, identical, NA, told[[1]])
  if (all(same)) return(invisible())
  stop(rank_error(which(!same)[1] - 1, paste(
    "it has not begun the training with the data and the parameters of rank 0: all ranks must call fit_flow() with the",
    "same data and arguments."
  )))
}

# An error outside the core's sums is told to the others, which wait in their first one; where all of them failed they
# all tell it.
tell_failure <- function(shared, state, calls) {
  if (is.null(shared) || shared$sums$n > calls) return(invisible())
  told <- c(0, 0, 1, 0) # the loss, its weight, one that failed, one that wants an end
  # the others' first sum is of a validation, or of a step
  n <- if (state$counters[["owed"]] > 0) 0 else length(state$theta)
  tryCatch(shared$cluster$parts(c(told, numeric(n))), error = identity)
  invisible()
}

# What all ranks make of a stretch of training: the worst of what happened to one of them, or else what rank 0 has
# decided.
agreed <- function(run, shared) {
  if (is.null(shared)) return(run)
  step <- run$state$counters[["step"]]
  compared <- step %/% COMPARED_EVERY
  due <- !identical(shared$sums$compared, compared) # for all or for none
  shared$sums$compared <- compared
  told <- shared$cluster$gather(list(
    status = run$status, why = if (!is.null(run$condition)) conditionMessage(run$condition),
    digest = if (due) c(step, native_digest(list(run$state$theta)))
  ))
  statuses <- vapply(told, `[[`, "", "status")
  failed <- which(statuses == "failed")
  if (length(failed)) {
    if (run$status != "failed") {
      run$status <- "failed"
      run$condition <- rank_error(failed[1] - 1, told[[failed[1]]]$why)
    }
    return(run)
  }
  run$status <- if ("interrupted" %in% statuses) "interrupted" else statuses[1]
  other <- which(!vapply(told, function(of) identical(of$digest, told[[1]]$digest), NA))
  if (length(other)) {
    run$status <- "failed"
    run$condition <- rank_error(other[1] - 1, "its parameters are not those of rank 0.")
  }
  run
}

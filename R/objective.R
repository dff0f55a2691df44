# Losses that R computes: contrastive ones. The core's trainer asks for them step by step; all that it does for losses
# of data, it does for them.

# list(step, validate) for the core. `step(params, step, seed)` gives list(loss, shown, gradient): the loss that the
# gradient belongs to, and the one that goes into the history; its draws are a function of `seed`. `validate(params)`
# gives a validation loss, NULL: there is none. Whatever ends one of them comes back as a condition: the trainer then
# stops where the last complete step has left it.
new_objective <- function(step, validate = NULL) {
  list(
    step = function(params, at, seed) {
      value <- guarded(step(params, at, seed))
      if (at > 0 && is_unsolved(value)) list(loss = NaN, shown = NaN, gradient = NaN * params) else value
    },
    validate = if (!is.null(validate)) {
      function(params) {
        value <- guarded(validate(params))
        if (is_unsolved(value)) NaN else value
      }
    }
  )
}

# Parameters that a solver cannot follow are bad ones, as in losses of data and of draws.
is_unsolved <- function(value) {
  inherits(value, "bijectr_error_core") && value$status %in% c("no_root", "too_many_steps")
}

# Threads cost more than they bring in a short step: from the second step on they are used where a step is long. The
# result does not depend on it.
step_threads <- function() {
  threads <- 1L
  list(now = function() threads, took = function(seconds) if (seconds > 2e-3) threads <<- thread_count())
}

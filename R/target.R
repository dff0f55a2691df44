# Log densities that flows are fitted to: what the user gives becomes function(x, gradient = TRUE) -> list(value,
# gradient) for an n x d matrix x, without a gradient where none is asked for; and the user's mistakes get one clear
# message.

# The user's `gradient`: one of two words, or a function.
check_gradient <- function(gradient) {
  if (is.function(gradient)) gradient else check_choice(gradient, c("differences", "symbolic"), "gradient")
}

# What a fit keeps of it.
gradient_word <- function(rule) if (is.function(rule)) "function" else rule

# `rule` comes from check_gradient(); `target` returns n values. A model has a gradient of its own, whatever the rule.
# `ends`, list(lower, upper) of supports, or NULL: differences stay between them.
target_with_gradient <- function(target, rule, d, names, parallel = FALSE, ends = NULL) {
  force(target)
  model <- model_of(target)
  if (is.null(model) && identical(rule, "symbolic")) target <- symbolic_target(target, d, names)
  program <- attr(target, "program")
  by_differences <- is.null(model) && identical(rule, "differences")
  told <- character()
  once <- function(w) {
    if (conditionMessage(w) %in% told) invokeRestart("muffleWarning")
    told <<- c(told, conditionMessage(w))
  }
  no_number <- NULL
  of_rows <- function(x, gradient) {
    value <- of_user(target(x), "The target", once)
    out <- list(value = target_values(value, nrow(x)))
    if (anyNA(out$value)) no_number <<- with_no_number(no_number, x, is.nan(out$value) & is.finite(rowSums(x)))
    if (gradient && !by_differences) {
      slope <- if (is.function(rule)) of_user(rule(x), "`gradient`") else attr(value, "gradient")
      out$gradient <- gradient_values(slope, nrow(x), d)
    }
    out
  }
  both <- if (is.null(model)) with_two_rows(of_rows) else model$log_density
  count <- 0
  last <- NULL # an optimizer asks for the gradient where it has asked for the value
  function(x, gradient = TRUE) {
    x <- name_columns(x, names)
    if (by_differences && gradient) {
      return(difference_gradient(function(x) {
        count <<- count + nrow(x)
        evaluate_rows(both, x, FALSE, parallel)$value
      }, x, ends))
    }
    if (identical(x, last$x)) return(last$out)
    single <- nrow(x) == 1 && !is.null(model)
    out <- evaluate_rows(both, x, gradient || single, parallel)
    count <<- count + if (nrow(x) == 1 && is.null(model)) 2 else nrow(x)
    if (single) last <<- list(x = x, out = out)
    out
  }
}

# Few functions allow for x[, 1:3] of one row being no matrix: they never see one row.
with_two_rows <- function(of_rows) {
  function(x, gradient) {
    if (nrow(x) != 1) return(of_rows(x, gradient))
    lapply(of_rows(x[c(1L, 1L), , drop = FALSE], gradient), function(part) {
      if (is.matrix(part)) part[1, , drop = FALSE] else part[1]
    })
  }
}

# Points at which a function that target_with_gradient() has made was evaluated.
evaluations_of <- function(target) environment(target)$count

# The program that such a function is to the core, which evaluates it without R and says how often; NULL: it is none.
program_of <- function(target) environment(target)$program

add_evaluations <- function(target, n) {
  place <- environment(target)
  place$count <- place$count + n
}

# Where a function is no number: the largest coordinates of such points, and the smallest of others beside them.
with_no_number <- function(before, x, bad) {
  if (!any(bad) || all(bad)) return(before)
  list(
    most = pmax(before$most %||% -Inf, apply(x[bad, , drop = FALSE], 2, max)),
    least = pmin(before$least %||% Inf, apply(x[!bad, , drop = FALSE], 2, min))
  )
}

# A scale that was left without its support shows where its logarithm is no number. Behind a support differences may
# step over its end.
warn_below_zero <- function(fit, target) {
  seen <- environment(target)$no_number
  if (is.null(seen) || !is.null(flow_supports(fit))) return(invisible())
  below <- seen$most <= 0 & seen$least >= 0
  if (!isTRUE(any(below))) return(invisible())
  ends <- ifelse(below, "positive()", "real()")
  if (!is.null(fit$names)) {
    named <- vapply(fit$names, function(name) deparse1(as.name(name), backtick = TRUE), "")
    ends <- paste(named, "=", ends)[below]
  }
  cli::cli_warn(c(
    "The target is no number where {.val {coordinate_labels(fit)[below][1]}} is below 0: points there count as
     impossible.",
    i = "{.code support = list({paste(ends, collapse = \", \")})} says so, and the fit has no draws there."
  ), class = "bijectr_warning_support")
}

# ---- points side by side ---------------------------------------------------------------------------------------------

check_parallel <- function(parallel, target) {
  if (!check_flag(parallel, "parallel")) return(FALSE)
  rlang::check_installed("future.apply", "to evaluate the target in parallel")
  compiled <- !is.null(model_of(target))
  kind <- if (compiled) "multicore" else "multisession"
  advice <- "{.code future::plan(future::{kind}, workers = 4)} makes one."
  if (!has_future_plan()) stop_arg(c("{.arg parallel} needs workers, and there is no plan for them.", i = advice))
  if (compiled && !inherits(future::plan(), "multicore")) {
    stop_arg(c("A compiled model can only be evaluated in forks of this session, which the plan has not.", i = advice))
  }
  TRUE
}

# Parts are the same for any number of workers: some targets have other last bits for a point among others.
PARALLEL_PARTS <- 16

evaluate_rows <- function(both, x, gradient, parallel) {
  if (!parallel || nrow(x) < 2) return(both(x, gradient))
  parts <- row_chunks(nrow(x), ceiling(nrow(x) / PARALLEL_PARTS))
  done <- in_futures(lapply(parts, function(i) x[i, , drop = FALSE]), function(part) both(part, gradient))
  list(
    value = unlist(lapply(done, `[[`, "value")),
    gradient = if (gradient) do.call(rbind, lapply(done, `[[`, "gradient"))
  )
}

# ---- differences -----------------------------------------------------------------------------------------------------

# Central differences: x and its 2 d neighbours are one matrix, so the target is called once. The step is that of the
# smallest error in double precision, and the distance that is divided by is the one between the rounded points. To the
# end of a support it is in proportion.
difference_gradient <- function(target, x, ends = NULL) {
  n <- nrow(x)
  d <- ncol(x)
  room <- if (is.null(ends)) Inf else pmin(x - rep(ends$lower, each = n), rep(ends$upper, each = n) - x)
  step <- 6e-6 * pmax(0, pmin(pmax(1, abs(x)), room))
  points <- x[rep(seq_len(n), 2 * d + 1), , drop = FALSE]
  moved <- cbind(rep(seq_len(n), d), rep(seq_len(d), each = n))
  above <- cbind(n + seq_len(n * d), moved[, 2])
  below <- cbind(n + n * d + seq_len(n * d), moved[, 2])
  points[above] <- x + step
  points[below] <- x - step
  value <- target_values(target(points), nrow(points))
  slope <- matrix((value[above[, 1]] - value[below[, 1]]) / (points[above] - points[below]), n, d)
  slope[which(points[above] == points[below])] <- 0 # next to an end, to the precision of numbers
  value <- value[seq_len(n)]
  beyond <- which(!is.finite(slope) & is.finite(value), arr.ind = TRUE)
  if (nrow(beyond)) slope[beyond] <- near_end_slopes(target, x, value, beyond)
  list(value = value, gradient = slope)
}

# Of coordinates that are nearer to an end that nobody told of than a step, as scales near 0: by steps in proportion to
# them, and where one of these leads out, by the other one alone. `at` has the rows and columns of `x`.
near_end_slopes <- function(target, x, value, at) {
  k <- nrow(at)
  middle <- x[at[, 1], , drop = FALSE]
  moved <- function(by) {
    middle[cbind(seq_len(k), at[, 2])] <- x[at] * (1 + by)
    middle
  }
  points <- rbind(moved(6e-6), moved(-6e-6))
  around <- target_values(target(points), 2 * k)
  there <- points[cbind(seq_len(2 * k), at[, 2])]
  # what leads out is put back in the middle
  out <- which(!is.finite(around))
  around[out] <- value[at[, 1]][(out - 1) %% k + 1]
  there[out] <- x[at][(out - 1) %% k + 1]
  up <- seq_len(k)
  (around[up] - around[-up]) / (there[up] - there[-up])
}

# The log density of points on the base side of a flow that its map makes points of the target.
target_through <- function(flow, target) {
  function(z, gradient = TRUE) {
    there <- native_map(flow, z, NULL, inverse = FALSE)
    out <- target(there$value, gradient)
    if (gradient) {
      cotangents <- list(value = out$gradient, logdet = rep(1, nrow(z)))
      out$gradient <- native_vjp(flow, z, NULL, FALSE, cotangents)$x
    }
    out$value <- out$value + there$logdet
    out
  }
}

target_values <- function(value, n, what = "The target") {
  if (is.numeric(value) && length(value) == n) return(as.double(value))
  returned <- if (is.numeric(value)) cli::pluralize("{length(value)} number{?s}") else describe(value)
  stop_arg(c(
    "{what} must return {n} number{?s} for a matrix of {n} row{?s}, not {returned}.",
    i = "It gets a matrix with one column a coordinate, and returns one log density a row."
  ))
}

gradient_values <- function(value, n, d) {
  if (is.numeric(value) && length(value) == n * d) return(matrix(as.double(value), n, d))
  stop_arg("{.arg gradient} must return a {n} x {d} matrix, not {describe(value)}.")
}

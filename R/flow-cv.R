#' Compare candidates by cross-validation
#'
#' Each candidate is fitted as many times as there are folds, each time without the rows of one fold, on which its log
#' density is then taken. All candidates have the same folds, so that every row gives a difference between two of them
#' that none of the fits has trained on.
#'
#' @param data A data frame, a matrix or a vector, as [fit_flow()] takes it.
#' @param candidates What to compare, a named list. Each is one of
#'   * a list of arguments of [fit_flow()] beside the data: `list()` is the default fit, a stack, `list(members = 1)`,
#'     `list(layers = coupling_flow())`, or with a formula `list(y ~ x, steps = 500)`;
#'   * a formula alone;
#'   * a function of the training rows, in the form of `data`, that returns a flow or a fit, or a function of new rows
#'     that returns their log densities, by which other software can be compared. Where it has arguments `condition`,
#'     `weights` or `seconds` it is given these of the training rows.
#' @param folds Number of folds, at random and of sizes as equal as can be, equal rows together; or the fold of each
#'   row, whole numbers from 1.
#' @param seconds Time budget of the whole call, which is shared out anew before each fit: a fit by [fit_flow()] gets
#'   its share as `seconds` and stops there, which is noted; one that the time does not reach is left out, and so are
#'   the rows of its fold for all. The plan is a message of class `bijectr_message_budget`. `NULL`: no bound. Where a
#'   budget ends a training the result depends on the speed of the machine.
#' @param condition,weights Conditions and case weights, one row or number a row of `data`, as in [fit_flow()]; rows of
#'   weight 0 are trained on with that weight and not counted. By formula, conditions are columns of `data`.
#' @param ... Arguments of [fit_flow()] for all candidates that are lists or formulas, which their own replace:
#'   `steps = 500`, which makes single flows of them.
#' @param progress Show a progress bar.
#' @section Parallel: with the packages future and future.apply and a plan, `future::plan(multisession, workers = 2)`,
#'   fits are made in parallel. Seeds are drawn before, one a fit, so that the results are the same to the last bit, and
#'   [set.seed()] governs them.
#' @return An object of class `bijectr_comparison`, see [compare_flows()]. A candidate whose fit ends in an error has
#'   `NA` for figures and the error as its `reason`; the others are compared all the same. Warnings of fits are counted
#'   in `notes`. An interrupt ends the call with what is there.
#' @seealso [compare_flows()], [check_flow()], [fit_flow()]
#' @references Arlot and Celisse (2010), *A survey of cross-validation procedures for model selection*,
#'   \doi{10.1214/09-SS054}.
#' @family checking
#' @examples
#' set.seed(1)
#' flow_cv(faithful, list(
#'   spline = list(),
#'   affine = list(layers = coupling_flow()),
#'   normal = list(layers = layer_elementwise(scalar_affine()))
#' ), folds = 3, steps = 100)
#'
#' # given a variable; a candidate of one's own
#' flow_cv(faithful, list(
#'   flow = list(eruptions ~ waiting, steps = 100),
#'   lm = function(data) {
#'     model <- lm(eruptions ~ waiting, data)
#'     function(new) dnorm(new$eruptions, predict(model, new), summary(model)$sigma, log = TRUE)
#'   }
#' ), folds = 3)
#' @export
flow_cv <- function(data, candidates, folds = 5, seconds = NULL, condition = NULL, weights = NULL, ...,
                    progress = interactive()) {
  check_given("data", "candidates")
  start <- Sys.time() # the clock that workers, which are other processes, have as well
  seconds <- check_number(seconds, "seconds", above = 0, below = Inf, null = TRUE)
  check_flag(progress, "progress")
  data <- cv_table(data, "data")
  n <- NROW(data)
  if (!is.null(condition)) condition <- cv_table(condition, "condition", n)
  weights <- check_weights(weights, n)
  candidates <- check_candidates(candidates, list(...))
  folds <- check_folds(folds, n, data, condition)
  seeds <- sample.int(.Machine$integer.max, max(folds) * length(candidates))
  tasks <- expand.grid(candidate = seq_along(candidates), fold = seq_len(max(folds)))
  workers <- min(future_workers(), nrow(tasks))
  announce_budget(seconds, candidates, max(folds), workers)
  kinds <- RNGkind()
  run <- function(i, share) {
    training <- folds != tasks$fold[i]
    with_seed_of(seeds[i], kinds, cv_fit(candidates[[tasks$candidate[i]]], data, condition, weights, training, share))
  }
  end <- if (!is.null(seconds)) start + seconds
  results <- if (workers > 1) {
    in_parallel(nrow(tasks), run, if (!is.null(seconds)) seconds * workers / nrow(tasks), end)
  } else {
    one_by_one(nrow(tasks), run, end, progress)
  }
  cv_comparison(results, tasks, candidates, folds, weights)
}

# ---- what comes in ---------------------------------------------------------------------------------------------------

# A table whose rows can be taken: a data frame, a matrix, or a vector.
cv_table <- function(x, name, n = NULL) {
  x <- open_data(x, name)
  rows <- NROW(x)
  if (rows < 4) stop_arg("{.arg {name}} must have at least 4 rows for cross-validation, not {rows}.")
  if (!is.null(n) && rows != n) stop_arg("{.arg {name}} must have as many rows as {.arg data} ({n}), not {rows}.")
  x
}

table_rows <- function(x, i) {
  if (is.null(x)) return(NULL)
  if (length(dim(x)) != 2) return(x[i])
  if (inherits(x, "data.table")) x <- as.data.frame(x)
  x[i, , drop = FALSE]
}

check_candidates <- function(candidates, common) {
  if (!is.list(candidates) || !length(candidates) || is.object(candidates)) {
    stop_arg("{.arg candidates} must be a named list, not {describe(candidates)}.")
  }
  if (length(common) && (is.null(names(common)) || !all(nzchar(names(common))))) {
    stop_arg("Arguments of {.fn fit_flow} for all candidates must have names.")
  }
  names(candidates) <- candidate_names(candidates, paste("candidate", seq_along(candidates)))
  lapply(stats::setNames(nm = names(candidates)), function(name) {
    one <- candidates[[name]]
    if (is.function(one)) return(one)
    if (inherits(one, "formula")) one <- list(one)
    if (!is.list(one) || is.object(one)) {
      stop_arg("Candidate {.field {name}} must be a list of arguments, a formula or a function, not {describe(one)}.")
    }
    formula <- which(vapply(one, inherits, NA, "formula") & !nzchar(names(one) %||% rep("", length(one))))
    if (length(formula) == 1) {
      names(one) <- names(one) %||% rep("", length(one))
      names(one)[formula] <- "formula"
    }
    own <- names(one) %||% rep("", length(one))
    if (any(own == "")) stop_arg("The arguments of candidate {.field {name}} must have names.")
    taken <- intersect(own, c("data", "condition", "weights"))
    if (length(taken)) stop_arg("{.arg {taken}} of candidate {.field {name}} {?is an argument/are arguments} of
                                 {.fn flow_cv}, for all candidates.")
    c(one, common[setdiff(names(common), own)])
  })
}

check_folds <- function(folds, n, data, condition) {
  if (length(folds) == 1) {
    folds <- check_count(folds, "folds", min = 2, max = n %/% 2)
    return(deal_rows(n, folds, equal_table_rows(data, condition)))
  }
  if (!is.numeric(folds) || length(folds) != n || anyNA(folds) || any(folds != round(folds)) ||
    !setequal(folds, seq_len(max(folds))) || max(folds) < 2) {
    stop_arg("{.arg folds} must be a number, or a whole number from 1 for each of the {n} rows, without gaps.")
  }
  as.integer(folds)
}

# As equal_rows(); NULL as well where there are columns whose values are not compared.
equal_table_rows <- function(data, condition) {
  columns <- unlist(lapply(Filter(Negate(is.null), list(data, condition)), function(x) {
    if (is.data.frame(x)) as.list(x) else if (is.matrix(x)) columns_at(x, seq_len(nrow(x))) else list(x)
  }), recursive = FALSE)
  plain <- vapply(columns, function(column) is.atomic(column) && is.null(dim(column)), NA)
  if (all(plain)) equal_rows(lapply(columns, function(column) match(column, unique(column))))
}

announce_budget <- function(seconds, candidates, folds, workers) {
  if (is.null(seconds)) return(invisible())
  fits <- length(candidates) * folds
  share <- format_seconds(seconds * workers / fits)
  cli::cli_inform(
    "{length(candidates)} candidate{?s} x {folds} folds within {format_seconds(seconds)}: at first {share} a fit.",
    class = "bijectr_message_budget"
  )
}

# ---- one fit ---------------------------------------------------------------------------------------------------------

# list(density, status, reason, warnings, seconds, names) of rows that are not `training`.
cv_fit <- function(candidate, data, condition, weights, training, seconds = NULL) {
  start <- proc.time()[[3]]
  told <- NULL
  found <- withCallingHandlers(
    tryCatch(
      cv_densities(candidate, data, condition, weights, which(training), which(!training), seconds),
      error = function(e) list(reason = cli::ansi_strip(conditionMessage(e)))
    ),
    warning = function(w) {
      told <<- c(told, class(w)[1])
      invokeRestart("muffleWarning")
    },
    message = function(m) invokeRestart("muffleMessage")
  )
  c(found, list(warnings = told, seconds = proc.time()[[3]] - start))
}

cv_densities <- function(candidate, data, condition, weights, train, test, seconds) {
  new <- table_rows(data, test)
  given <- table_rows(condition, test)
  arguments <- list(condition = table_rows(condition, train), weights = if (!is.null(weights)) weights[train])
  if (is.function(candidate)) {
    arguments$seconds <- seconds
    known <- names(formals(args(candidate)))
    fit <- do.call(candidate, c(list(table_rows(data, train)), arguments[names(arguments) %in% known]))
  } else {
    own <- candidate$seconds
    candidate$seconds <- if (is.null(own) || is.null(seconds)) own %||% seconds else min(own, seconds)
    candidate$progress <- candidate$progress %||% FALSE
    by_formula <- "formula" %in% names(candidate)
    first <- if (by_formula) list(candidate$formula, data = table_rows(data, train)) else list(table_rows(data, train))
    candidate$formula <- NULL
    fit <- do.call(fit_flow, c(first, Filter(Negate(is.null), arguments), candidate), quote = TRUE)
  }
  if (is.function(fit)) {
    density <- if (length(formals(args(fit))) > 1 && !is.null(given)) fit(new, given) else fit(new)
    if (!is.numeric(density) || length(density) != length(test)) {
      stop_arg("The function of log densities gave {describe(density)} for {length(test)} rows.")
    }
    return(list(density = as.double(density), status = "finished"))
  }
  if (!inherits(fit, c("bijectr_flow", "bijectr_gaps_fit"))) {
    stop_arg("The candidate gave {.obj_type_friendly {fit}}, not a flow or a function of log densities.")
  }
  density <- logdensity(fit, new, condition = if (fit$d_condition > 0) given)
  list(density = density, status = fit$status %||% "finished", names = fit$names)
}

# ---- all fits --------------------------------------------------------------------------------------------------------

# Not by run_jobs() of jobs.R, though by futures as there. Without a plan that forks, and candidates may be other
# software, which a fork can break, or functions that keep something for the user, which a fork would lose; fits by
# default are stacks, which fork themselves. It shares the time out batch by batch, here each fit's unused time goes to
# those behind it; and an interrupt that a fit has dealt with ends all.

OUT_OF_TIME <- list(status = "left out", reason = "the time was up")

# Time that is left is shared among the fits that are left. An interrupted fit is the last.
one_by_one <- function(n, run, end, progress) {
  bar <- if (progress) cli::cli_progress_bar("Fitting", total = n)
  tick <- progress_ticks(n)
  results <- rep(list(OUT_OF_TIME), n)
  for (i in seq_len(n)) {
    left <- if (!is.null(end)) of_lead(seconds_until(end))
    if (!is.null(left) && left <= 0) break
    results[[i]] <- run(i, if (!is.null(left)) left / (n - i + 1))
    if (progress) cli::cli_progress_update(id = bar)
    tick()
    if (identical(results[[i]]$status, "interrupted")) {
      results[seq_len(n) >= i] <- list(list(status = "left out", reason = "it was interrupted"))
      cli::cli_warn("Cross-validation was interrupted: this is the comparison so far.",
        class = "bijectr_warning_interrupted"
      )
      break
    }
  }
  results
}

seconds_until <- function(end) as.double(end - Sys.time(), units = "secs")

in_parallel <- function(n, run, share, end) {
  task <- function(i) if (!is.null(end) && seconds_until(end) <= 0) OUT_OF_TIME else run(i, share)
  in_futures(seq_len(n), task, one_each = TRUE, tick = progress_ticks(n))
}

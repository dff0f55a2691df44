# Calibration of posteriors, shared by sbc.R and coverage.R. Parameters are drawn from the prior and data simulated from
# each. Given the data, the parameters are one more draw of the posterior, so that their rank among `draws` draws of it,
# by whatever function of parameters and data, is uniform on 0, ..., draws: by a parameter itself it is the rank of
# simulation-based calibration, by the density the level of the smallest region of highest density that holds them, by
# the distance from a random point that of TARP.

# ---- pairs of parameters and data ------------------------------------------------------------------------------------

# What the user gives, or what is simulated: list(theta, data). Simulations that are not finite become rows of missing
# values, which are left out, and told, with the others.
calibration_pairs <- function(theta, data, simulator, prior, simulations) {
  if (is.null(simulator) && is.null(prior)) {
    if (is.null(theta)) stop_missing("theta")
    return(list(theta = theta, data = data))
  }
  if (!is.null(theta) || !is.null(data)) {
    stop_arg("Give either {.arg theta} and {.arg data}, or {.arg simulator} and {.arg prior}, not both.")
  }
  for (name in c("simulator", "prior")) if (is.null(get(name))) stop_missing(name)
  if (!is.function(simulator)) stop_arg("{.arg simulator} must be a function, not {.obj_type_friendly {simulator}}.")
  prior <- check_prior(prior, density = FALSE)
  simulations <- check_count(simulations, "simulations", min = 10)
  theta <- prior$sample(simulations)
  data <- of_user(simulator(theta), "The simulator")
  check_simulated_rows(data, simulations)
  list(theta = theta, data = blank_failed(data))
}

check_simulated_rows <- function(data, n) {
  if (NROW(data) == n) return(invisible())
  stop_arg("The simulator must return one row for each of {n} rows of parameters, not {NROW(data)}.")
}

blank_failed <- function(data) {
  failed <- failed_rows(data)
  if (!any(failed)) return(data)
  if (length(dim(data)) == 2) data[failed, ] <- NA else data[failed] <- NA
  data
}

# ---- what is looked at -----------------------------------------------------------------------------------------------

# As check_subject() has it, and `data`, those of the user, one row each. `flow` may be a function that draws.
calibration_subject <- function(fit, pairs) {
  if (is.function(fit)) return(subject_of_function(fit, pairs))
  if (!inherits(fit, "bijectr_flow") && !is_gaps_fit(fit)) {
    stop_arg("{.arg fit} must be a fit, or a function that draws, not {.obj_type_friendly {fit}}.")
  }
  if (!isTRUE(fit$d_condition > 0)) {
    stop_arg(c("{.arg fit} is not conditional on data.",
      i = if (is.null(fit$likelihood)) {
        "{.code fit_flow(theta, condition = data)} is a posterior of parameters given data."
      } else {
        "It is the posterior of one observation: a function that draws from {.fn rounds_posterior} of others can be
         checked."
      }
    ))
  }
  if (is.null(pairs$data) && is.null(fit$condition$model)) stop_missing("data")
  subject <- without_extrapolation(
    check_subject(fit, pairs$theta, pairs$data, names = c("theta", "data"), most = Inf)
  )
  subject$data <- repeat_given(pairs$data %||% pairs$theta, subject$rows)
  subject$notes <- c(subject$row_notes, if (rounds_of(fit) > 1) {
    paste(
      "This fit is not for data from all of the prior: its rounds after the first were simulated near its observation.",
      "Whatever the verdict, it says little of the posterior there; a fit of one round, fit_rounds(rounds = 1), is one",
      "for all data."
    )
  })
  subject$description <- format_coordinates(fit)
  subject
}

rounds_of <- function(fit) if (inherits(fit, "bijectr_rounds_fit")) length(fit$rounds) else 0

subject_of_function <- function(fit, pairs) {
  theta <- as_numeric_matrix(pairs$theta, "theta")
  if (is.null(pairs$data)) stop_missing("data")
  if (NROW(pairs$data) != nrow(theta)) {
    stop_arg("{.arg data} must have as many rows as {.arg theta} ({nrow(theta)}), not {NROW(pairs$data)}.")
  }
  kept <- which(!failed_rows(pairs$data))
  check_finite(theta, "theta")
  if (length(kept) < 5) stop_arg("{.arg theta} must have at least 5 rows to look at, not {length(kept)}.")
  labels <- colnames(theta) %||% paste0("x", seq_len(ncol(theta)))
  list(
    flow = fit, x = name_columns(unname(theta)[kept, , drop = FALSE], labels), data = repeat_given(pairs$data, kept),
    of = nrow(theta), rows = kept, used = "given", labels = labels, description = "a function",
    notes = if (length(kept) < nrow(theta)) {
      paste(nrow(theta) - length(kept), "rows with missing values are left out.")
    }
  )
}

# Draws for some simulations, one after another, list(x, log_density), the latter where it is wanted.
draws_given <- function(subject, i, draws, density) {
  if (is.function(subject$flow)) return(list(x = draws_of_function(subject, i, draws)))
  given <- subject$given[i, , drop = FALSE]
  if (density) return(draw_reference(subject$flow, given, draws))
  list(x = draw_rows(subject$flow, length(i) * draws, given[rep(seq_along(i), each = draws), , drop = FALSE]))
}

draws_of_function <- function(subject, i, draws) {
  parts <- lapply(i, function(k) {
    drawn <- without_extrapolation(subject$flow(repeat_given(subject$data, k), draws))
    drawn <- as_numeric_matrix(drawn, "fit(data, draws)")
    if (identical(dim(drawn), c(draws, length(subject$labels)))) return(drawn)
    stop_arg("{.code fit(data, draws)} must return a matrix of {draws} row{?s} and {length(subject$labels)}
              column{?s}, not {nrow(drawn)} and {ncol(drawn)}.")
  })
  name_columns(unname(do.call(rbind, parts)), subject$labels)
}

# ---- ranks -----------------------------------------------------------------------------------------------------------

# `quantities`: functions of a matrix of parameters, the numbers of their simulations, and their log densities (NULL
# where these are not wanted), which give one number a row. list(ranks, a matrix with one column each, broken), the
# number of draws that are not finite.
calibration_ranks <- function(subject, quantities, draws, density) {
  n <- nrow(subject$x)
  own_density <- if (density) {
    replace(finite_density(subject$flow, subject$x, subject$given), subject$off, -Inf)
  }
  own <- lapply(names(quantities), function(name) {
    quantity_values(quantities[[name]](subject$x, seq_len(n), own_density), n, name)
  })
  ranks <- matrix(NA_real_, n, length(quantities), dimnames = list(NULL, names(quantities)))
  broken <- 0
  for (i in row_chunks(n, BY_ROWS_CHUNK %/% draws)) {
    drawn <- draws_given(subject, i, draws, density)
    broken <- broken + sum(not_finite(drawn$x))
    of <- rep(i, each = draws)
    for (k in seq_along(quantities)) {
      value <- quantity_values(quantities[[k]](drawn$x, of, drawn$log_density), length(of), names(quantities)[k])
      ranks[i, k] <- floor((draws + 1) * places_among(own[[k]][i], value, draws))
    }
  }
  list(ranks = ranks, broken = broken)
}

quantity_values <- function(value, n, name) {
  if ((is.numeric(value) || is.logical(value)) && length(value) == n) return(as.double(value))
  stop_arg(c(
    "The function {.val {name}} of {.arg functions} must return one number a row ({n}), not {describe(value)}.",
    i = "It gets a matrix of parameters, and the data with one row each."
  ))
}

# ---- are they uniform? -----------------------------------------------------------------------------------------------

# A data frame with a row a column of ranks: `what`, means of the first two Legendre polynomials, which say in what
# direction ranks are not uniform, `p` and Holm's `p_adjusted`.
calibration_tests <- function(ranks, draws) {
  u <- (ranks + 0.5) / (draws + 1)
  mean_of <- function(k) apply(u, 2, function(x) moment_of(legendre(x, k))$effect)
  p <- apply(ranks, 2, ranks_p_value, draws)
  data.frame(
    what = colnames(ranks), location = unname(mean_of(1)), spread = unname(mean_of(2)), p = unname(p),
    p_adjusted = stats::p.adjust(unname(p), "holm")
  )
}

# In which way the ranks of one row of such a table are not uniform: that of the larger mean, or neither.
calibration_aspect <- function(one, n) {
  z <- sqrt(n) * abs(c(one$location, one$spread))
  if (max(z) < 2) return("shape")
  sign <- if (c(one$location, one$spread)[which.max(z)] > 0) "more" else "less"
  paste(c("location", "spread")[which.max(z)], sign)
}

# `text`: what each aspect means, by name. Fields that all checks of calibration have.
new_calibration <- function(class, subject, found, draws, level, text, ...) {
  tests <- calibration_tests(found$ranks, draws)
  n <- nrow(found$ranks)
  bad <- which(tests$p_adjusted < level)
  reasons <- c(
    if (found$broken > 0) {
      paste(found$broken, "draws are not finite numbers: parameters are too large. Fit again with a lower",
        "learning_rate or with clip."
      )
    },
    vapply(bad, function(k) text(tests$what[k], calibration_aspect(tests[k, ], n)), "")
  )
  structure(
    list(
      verdict = if (length(reasons)) "not calibrated" else "calibrated", reasons = reasons, notes = subject$notes,
      p = min(tests$p_adjusted), tests = tests, ..., ranks = found$ranks, draws = draws,
      rows = list(n = n, of = subject$of, used = subject$used), level = level, description = subject$description
    ),
    class = c(class, "bijectr_calibration")
  )
}

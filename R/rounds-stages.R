# The stages of a round that all methods have: parameters are drawn, and their data simulated. See rounds.R.

draw_parameters <- function(run) {
  problem <- run$problem
  first <- length(run$rounds) == 1
  n <- problem$n[length(run$rounds)]
  theta <- if (first) problem$prior$sample(n) else run$propose(run, n)
  theta <- as_numeric_matrix(theta, "prior$sample")
  if (first) {
    check_first_draws(theta, problem, run$training)
    run$problem$support <- prior_support(problem$prior, theta)
  }
  set_round(run, theta = theta, log_prior = prior_values(problem$prior, theta))
}

# Columns of data: an observation is a vector, several are rows of a matrix.
n_data <- function(problem) ncol(problem$observed) %||% length(problem$observed)

# What the first draws tell, before anything is simulated from them.
check_first_draws <- function(theta, problem, training) {
  layers <- training$layers
  n <- problem$n[1]
  if (nrow(theta) != n) stop_arg("{.code prior$sample(n)} must return {.code n} rows, {n} here, not {nrow(theta)}.")
  d <- list(`prior$sample` = ncol(theta), observed = n_data(problem))
  if (training$method == "likelihood") d <- rev(d) # the flow is one of data
  if (inherits(layers, "bijectr_flow")) {
    check_start(layers, d[[1]], d[[2]], names(d)[1], names(d)[2])
  } else if (!is.null(layers)) {
    with_seed(1, new_flow(as_layer(layers, "layers"), d[[1]], training$base, d[[2]]))
  }
}

# ---- the simulator ---------------------------------------------------------------------------------------------------

# Pieces of parameters for workers, whatever their number: the results are those of the pieces.
SIMULATOR_PIECES <- 64L

simulate_data <- function(run) {
  theta <- this_round(run)$theta
  simulator <- run$problem$simulator
  if (!has_future_plan()) return(set_round(run, data = of_user(simulator(theta), "The simulator")))
  n <- nrow(theta)
  piece <- sort(rep_len(seq_len(min(n, SIMULATOR_PIECES)), n))
  pieces <- lapply(split(seq_len(n), piece), function(i) theta[i, , drop = FALSE])
  tick <- progress_ticks(length(pieces))
  done <- of_user(in_futures(unname(pieces), simulator, seed = TRUE, tick = tick), "The simulator")
  set_round(run, data = bound_pieces(done, lengths(split(piece, piece))))
}

# What a simulator gave for pieces, as it would have given it for all.
bound_pieces <- function(done, n) {
  done <- lapply(seq_along(done), function(k) {
    data <- as_numeric_matrix(done[[k]], "simulator(theta)")
    if (nrow(data) != n[k]) {
      stop_arg("The simulator must return a row of data for each of parameters: it returned {nrow(data)} for {n[k]}.")
    }
    data
  })
  columns <- unique(vapply(done, ncol, 0L))
  if (length(columns) > 1) {
    stop_arg("The simulator returned {columns[1]} columns for some parameters, {columns[2]} for others.")
  }
  do.call(rbind, done)
}

# The share of simulations that has to be left, and their number.
SIMULATED_SHARE <- 0.1
SIMULATED_LEAST <- 5

check_data <- function(run) {
  round <- this_round(run)
  data <- check_simulated(round$data, nrow(round$theta), n_data(run$problem), run$problem$columns)
  n <- nrow(data)
  failed <- sum(failed_rows(data))
  run <- set_round(run, data = data, failed = failed)
  if (failed == 0) return(run)
  k <- length(run$rounds)
  if (n - failed < max(SIMULATED_LEAST, SIMULATED_SHARE * n)) {
    stop_arg("{failed} of {n} simulations of round {k} failed: too few are left. At least {SIMULATED_LEAST}, and a tenth
              of them, must be finite numbers.")
  }
  cli::cli_warn(c(
    "{failed} of {n} simulations of round {k} failed and {cli::qty(failed)}{?is/are} left out.",
    i = "Their rows of data have values that are missing, not finite or larger than 1e+150."
  ), class = "bijectr_warning_failed_simulations")
  run
}

# `columns`: names of the observation, NULL where it has none.
check_simulated <- function(data, n, d, columns) {
  data <- as_numeric_matrix(data, "simulator(theta)")
  if (nrow(data) != n || ncol(data) != d) {
    stop_arg(c(
      "The simulator must return a matrix of {n} row{?s} and {d} column{?s}, as {.arg observed} has.",
      i = "It returned {nrow(data)} row{?s} and {ncol(data)} column{?s}."
    ))
  }
  pick_columns(data, columns, "simulator(theta)")
}

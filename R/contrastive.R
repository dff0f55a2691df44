# The contrastive loss of fits in rounds, see fit-rounds.R: the objective of the core's trainer that R computes.

CONTRASTIVE_BATCH <- 100L

# The rows of a batch, of which there must be more than atoms.
check_atoms <- function(atoms, n_train, control, default_batch) {
  batch_size <- min(n_train, if (default_batch) CONTRASTIVE_BATCH else control$batch_size)
  if (batch_size <= atoms) stop_arg("{.arg atoms} ({atoms}) must be less than the rows of a batch ({batch_size}).")
  batch_size
}

fit_contrastive <- function(fit, theta, data, log_prior, loss, control, progress, default_batch) {
  flow <- as_flow(fit)
  flow$condition$codecs <- widened_codecs(flow$condition$codecs, data)
  condition <- encode_columns(data, flow$condition$codecs)
  rows <- split_rows(nrow(theta), control$validation, NULL)
  control$batch_size <- check_atoms(loss$atoms, length(rows$train), control, default_batch)
  batch_size <- control$batch_size
  pairs <- list(theta = theta, condition = condition, log_prior = log_prior)
  trained <- trained_as(flow, control)
  validate <- NULL
  if (length(rows$validation) > loss$atoms) {
    atoms <- with_seed(1, draw_atoms(length(rows$validation), loss$atoms))
    validate <- function(params) {
      trained["params"] <- list(params)
      contrastive_loss(trained, pairs, rows$validation, atoms, gradient = FALSE)$loss
    }
  }
  # epochs as steps: batches are drawn independently of each other
  objective <- contrastive_objective(trained, pairs, rows$train, batch_size, loss$atoms, validate)
  setup <- objective_setup(objective, control, data_steps(control, rows),
    validate_every = control$validate_every %||% max(1, length(rows$train) %/% batch_size),
    data = theta, condition = condition
  )
  finish_fit(
    flow, setup, new_state(flow, control), control, progress,
    list(loss = loss, rows = rows, nobs = nrow(theta)), evaluate_data(setup, rows)
  )
}

contrastive_objective <- function(flow, pairs, train, batch_size, atoms, validate) {
  threads <- step_threads()
  step <- function(params, step, seed) {
    started <- proc.time()[[3]]
    flow["params"] <- list(params)
    drawn <- with_seed(seed, list(
      rows = train[sample.int(length(train), batch_size)], atoms = draw_atoms(batch_size, atoms)
    ))
    out <- contrastive_loss(flow, pairs, drawn$rows, drawn$atoms, threads = threads$now())
    threads$took(proc.time()[[3]] - started)
    list(loss = out$loss, shown = out$loss, gradient = out$gradient)
  }
  new_objective(step, validate)
}

# n x k numbers from 1 to n: row i holds k different ones, none of them i.
draw_atoms <- function(n, k) {
  drawn <- t(vapply(seq_len(n), function(i) sample.int(n - 1L, k), integer(k)))
  dim(drawn) <- c(n, k)
  drawn + (drawn >= row(drawn))
}

# The mean loss of the pairs `rows`, where pair i is told apart from atoms[i, ] among them.
contrastive_loss <- function(flow, pairs, rows, atoms, gradient = TRUE, threads = thread_count()) {
  n <- length(rows)
  given <- rep(rows, ncol(atoms) + 1)
  candidate <- c(rows, rows[atoms])
  theta <- pairs$theta[candidate, , drop = FALSE]
  condition <- pairs$condition[given, , drop = FALSE]
  log_q <- native_map(flow, theta, condition, TRUE, threads)$log_density
  logit <- matrix(log_q - pairs$log_prior[candidate], n)
  top <- do.call(pmax, as.data.frame(logit))
  share <- exp(logit - top)
  total <- rowSums(share)
  loss <- mean(top + log(total) - logit[, 1])
  if (!gradient) return(list(loss = loss))
  share <- share / total
  share[, 1] <- share[, 1] - 1
  back <- native_vjp(flow, theta, condition, TRUE, list(log_density = as.vector(share) / n), threads)
  list(loss = loss, gradient = back$params)
}

# The only file with .Call(). Arguments have been checked; these functions add what every call needs.

# What the border and the core refuse, as a condition with the user's call. `status` is the name of the core's status.
# Called from C.
stop_core <- function(message, status) {
  message <- iconv(message, "UTF-8", "UTF-8", sub = "?")
  status <- tolower(sub("^BJ_", "", status))
  if (status == "bad_input") message <- paste0("This object cannot be used: ", message, ".")
  rlang::abort(message, class = c("bijectr_error_core", "bijectr_error"), call = user_call(), status = status)
}

native_check_flow <- function(flow) .Call(ffi_flow_check, flow)

native_describe <- function(flow) .Call(ffi_flow_describe, flow)

native_init <- function(flow, seed) .Call(ffi_flow_init, flow, seed, native_check_interrupt)

# Whether all numbers of a matrix, or of a list of columns, are there and within +-largest.
native_all_within <- function(x, largest) .Call(ffi_all_within, x, largest)

# Two whole numbers that tell one matrix, or list of columns, from another.
native_digest <- function(x) .Call(ffi_digest, x)

# The smallest and largest number of each column, as the two rows of a matrix: of some rows, without those of weight 0.
native_ranges <- function(x, rows = NULL, weights = NULL) .Call(ffi_ranges, x, rows, weights)

# Some rows as a matrix; with `center` and `scale` of columns, (x - center) / scale.
native_rows_at <- function(x, rows, center = NULL, scale = NULL) .Call(ffi_rows_at, x, rows, center, scale)

# The numbers of the rows whose value in a column is from `least` to `most`.
native_rows_within <- function(x, least, most) .Call(ffi_rows_within, x, least, most)

# The numbers from 1 to n that are not among `rows`.
native_other_rows <- function(n, rows) .Call(ffi_other_rows, n, rows)

# Numbers in [0, 1), one for each of n rows from number `first` on (from 0): what a source does at random with rows.
native_row_hash <- function(first, n, seed) .Call(ffi_row_hash, first, n, seed)

# Points and conditions, here and below: a double matrix, or a list of double vectors, one a column.
native_map <- function(flow, x, condition, inverse, threads = thread_count()) {
  .Call(ffi_flow_map, flow, inverse, x, condition, TRUE, threads, native_check_interrupt)
}

# Log densities alone: no memory for the mapped points.
native_log_density <- function(flow, x, condition) {
  .Call(ffi_flow_map, flow, TRUE, x, condition, FALSE, thread_count(), native_check_interrupt)$log_density
}

# c(number of rows of positive weight without a finite log density, the first of them, its log density)
native_rows_without_density <- function(flow, x, condition, weights) {
  .Call(ffi_rows_without_density, flow, x, condition, weights, thread_count(), native_check_interrupt)
}

# With a seed as in a step of training: layers draw their random numbers from it and add their penalties.
native_vjp <- function(flow, x, condition, inverse, cotangents, threads = thread_count(), seed = NULL) {
  .Call(ffi_flow_vjp, flow, inverse, x, condition, cotangents, threads, seed, native_check_interrupt)
}

# Draws from the base; of one with a net, given the `n` rows of conditions.
native_draw <- function(flow, n, condition, seed, threads = thread_count()) {
  .Call(ffi_flow_draw, flow, n, condition, seed, threads, native_check_interrupt)
}

# A step of a loss of draws, see draw_setup(): list(loss, shown, gradient). Without base draws `z` they are those of
# `seed`; with one it is a step of training, where layers draw from it, too.
native_draw_step <- function(flow, draws, z = NULL, beta = 1, seed = NULL, threads = thread_count()) {
  step <- .Call(ffi_draw_step, flow, draws, z, beta, seed, threads, native_check_interrupt)
  if (!is.null(step$condition)) stop(step$condition)
  step[c("loss", "shown", "gradient")]
}

# list(value, gradient) of a program (program.R) at the rows of a matrix.
native_program <- function(program, x) .Call(ffi_program, program, x)

native_draw_vjp <- function(flow, z, condition, grad_z) .Call(ffi_flow_draw_vjp, flow, z, condition, grad_z)

# The raw parameters that the base's net gives rows of conditions, a row each; NULL for a base without a net.
native_given <- function(flow, condition) .Call(ffi_flow_given, flow, condition)

native_optimizer_moments <- function(optimizer) .Call(ffi_optimizer_moments, optimizer)
native_train_names <- function() .Call(ffi_train_names)

# The core asks for conditions that are pending; one that ends the call comes back with the state.
native_train <- function(flow, setup, state) {
  pending <- NULL
  poll <- function() {
    pending <<- pending_condition()
    !is.null(pending)
  }
  step <- .Call(ffi_train, flow, setup, state, thread_count(), poll)
  step["condition"] <- list(step$condition %||% pending)
  step
}

# A mixture of k normals by EM: z is a matrix of n rows, w their weights, `groups` integers from 1 to k, which it starts
# at. Gives list(weight, mean (k x d), roots (d x d x k, lower triangles), loglik, steps).
native_mixture_em <- function(z, w, groups, k, shape, prior, center, steps, tolerance) {
  .Call(ffi_normal_mixture, z, w, groups, k, shape, prior, center, steps, tolerance, native_check_interrupt)
}

# exp(-rate r), or exp(-rate r^2), of the distances r of rows of matrix x, a row each, from those of y, a column each.
native_logits_loss <- function(x, y, coefficient) .Call(ffi_logits_loss, x, y, coefficient)

native_near_kernels <- function(x, y, rate, squared) .Call(ffi_near_kernels, x, y, rate, squared)

# Raises an interrupt that is pending and not suspended, or the error of a time limit. Long calls do this every 0.1 s.
native_check_interrupt <- function() .Call(ffi_check_interrupt)

# An interrupt that arrived while they were suspended, or a time limit that is over; else NULL.
pending_condition <- function() {
  found <- guarded(native_check_interrupt())
  if (inherits(found, "condition")) found
}

native_isa <- function() .Call(ffi_isa)

# All kinds of the core: a matrix with the columns family and name.
native_kinds <- function() {
  matrix(.Call(ffi_kinds), ncol = 2, byrow = TRUE, dimnames = list(NULL, c("family", "name")))
}

native_num_apply <- function(name, x) .Call(ffi_num_apply, name, x)
native_num_gemm <- function(mode, a, x, m, k, n_block) .Call(ffi_num_gemm, mode, a, x, m, k, n_block)
native_num_philox <- function(counter, key) .Call(ffi_num_philox, counter, key)
native_probe <- function(name, n) .Call(ffi_probe, name, n)

# Option bijectr.threads; by default as many as the machine has, 2 at most.
thread_count <- function() {
  threads <- getOption("bijectr.threads")
  if (is.null(threads)) return(default_threads())
  check_count(threads, "options(bijectr.threads)", max = 1024)
}

default_threads <- local({
  known <- NULL
  function() {
    if (is.null(known)) {
      limited <- nzchar(Sys.getenv("_R_CHECK_LIMIT_CORES_"))
      cores <- suppressWarnings(as.integer(Sys.getenv("OMP_THREAD_LIMIT", parallel::detectCores())))
      known <<- min(2L, max(1L, cores %/% (current_cluster()$here %||% 1L)), na.rm = TRUE)
      if (limited) known <<- min(known, 2L)
    }
    known
  }
})

# A seed for the core's generator, drawn from R's: set.seed() governs everything.
draw_seed <- function() sum(floor(stats::runif(2) * 2^26) * c(2^26, 1))

# The checks of the batteries that every flow can be asked for: maps, gradients, rows, machines. A check is a function
# of a subject (helper-battery.R), named in the list below.

# The derivative at 0 of `f`, a function of a step, from four differences: steep inverses bend within 1e-3.
derivative <- function(f, h = 1e-5) (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)

# ---- once ----------------------------------------------------------------------------------------------------------

check_params <- function(s) {
  f <- s$f
  n <- length(coef(f))
  agree_exactly(s, length(unlist(params(f))), n, "the length of params()")
  if (!is.null(s$layer)) {
    agree_exactly(s, length(flow(s$layer, f$d, d_condition = f$d_condition)$params), n, "the number of parameters")
  }
  agree_exactly(s, anyDuplicated(names(coef(f))), 0L, "the duplicate among the names of coef()")
  g <- f
  params(g) <- params(f)
  agree_exactly(s, unclass(g), unclass(f), "the flow after params(f) <- params(f),")
  params(g) <- 2 * unname(coef(f))
  agree_exactly(s, as.double(unlist(params(g))), 2 * as.double(unlist(params(f))), "params() after doubling coef()")
}

# There and back, beginning on either side.
check_round_trip <- function(s) {
  tolerance <- s$round_trip %||% 1e-9
  there <- forward(s$f, s$x, s$condition)
  back <- inverse(s$f, there$value, s$condition)
  agree(s, back$value, s$x, tolerance, "inverse(forward(x))")
  agree(s, back$logdet, -there$logdet, tolerance, "the logdet of inverse(forward(x))")
  if (!all(inside(s$x, s$range))) return(invisible())
  back <- inverse(s$f, s$x, s$condition)
  there <- forward(s$f, back$value, s$condition)
  agree(s, there$value, s$x, tolerance, "forward(inverse(x))")
  agree(s, there$logdet, -back$logdet, tolerance, "the logdet of forward(inverse(x))")
}

check_saved <- function(s) {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(s$f, file)
  again <- readRDS(file)
  agree_exactly(s, unclass(again), unclass(s$f), "the flow that was read back,")
  agree_exactly(s, forward(again, s$x, s$condition), forward(s$f, s$x, s$condition), "forward() of it,")
}

# ---- each direction ------------------------------------------------------------------------------------------------

check_logdet <- function(s) {
  d <- s$f$d
  columns <- lapply(seq_len(d), function(j) {
    derivative(function(step) map_rows(s, x = s$at + step * (col(s$at) == j))$value)
  })
  numeric <- vapply(seq_len(nrow(s$at)), function(i) {
    jacobian <- vapply(columns, function(column) column[i, ], numeric(d))
    c(determinant(matrix(jacobian, d))$modulus)
  }, numeric(1))
  agree(s, map_rows(s)$logdet, numeric, 1e-6, "logdet")
}

# A random combination of value, logdet and log_density, row by row.
combined <- function(s, f = s$f, x = s$at, condition = s$condition) {
  out <- native_map(f, x, condition, s$inverse)
  rowSums(matrix(s$cot$value, nrow(x)) * out$value) + s$cot$logdet * out$logdet + s$cot$log_density * out$log_density
}
exact_gradient <- function(s) flow_vjp(s$f, s$at, s$inverse, s$cot, s$condition)

check_same_values <- function(s) {
  out <- native_map(s$f, s$at, s$condition, s$inverse)
  agree_exactly(s, exact_gradient(s)[names(out)], out, "with its gradient, the map's")
}

check_gradient_x <- function(s) {
  numeric <- vapply(seq_len(s$f$d), function(j) {
    derivative(function(step) combined(s, x = s$at + step * (col(s$at) == j)))
  }, numeric(nrow(s$at)))
  agree(s, exact_gradient(s)$x, matrix(numeric, nrow(s$at)), 1e-6, "gradient")
}

check_gradient_condition <- function(s) {
  condition <- s$condition
  if (is.null(condition)) return(invisible())
  numeric <- vapply(seq_len(ncol(condition)), function(j) {
    derivative(function(step) combined(s, condition = condition + step * (col(condition) == j)))
  }, numeric(nrow(condition)))
  agree(s, exact_gradient(s)$condition, matrix(numeric, nrow(condition)), 1e-6, "gradient")
}

check_gradient_params <- function(s) {
  f <- s$f
  numeric <- vapply(seq_along(f$params), function(i) {
    sum(derivative(function(step) {
      f["params"] <- list(replace(f$params, i, f$params[i] + step))
      combined(s, f)
    }))
  }, numeric(1))
  agree(s, exact_gradient(s)$params, numeric, 1e-6, "params", labels = param_labels(s))
}

# The kind's own inverse and its gradients against those that the core derives from forward and its vjp alone.
check_generic <- function(s) {
  if ((s$round_trip %||% 1e-9) > 1e-9) return(invisible()) # not an exact inverse
  f <- s$f
  f$layers <- new_spec("layer", "chain", layers = list(new_spec("layer", "generic", layer = f$layers)))
  agree_with(s, f)
}
agree_with <- function(s, f) {
  ours <- exact_gradient(s)
  theirs <- flow_vjp(f, s$at, s$inverse, s$cot, s$condition)
  for (what in setdiff(names(ours), "params")) agree(s, ours[[what]], theirs[[what]], 1e-8, what)
  agree(s, ours$params, theirs$params, 1e-8, "params", param_labels(s))
}

# Each size alone in each coordinate, and in all. The public functions take no inputs beyond 1e150, but inside a flow a
# layer may meet them.
check_extremes <- function(s) {
  d <- s$f$d
  sizes <- Filter(function(x) inside(x, if (s$inverse) s$range else s$domain), c(0, s$extreme, -s$extreme))
  x <- do.call(rbind, c(
    list(matrix(sizes, length(sizes), d)),
    lapply(seq_len(d), function(j) replace(matrix(0.5, length(sizes), d), cbind(seq_along(sizes), j), sizes))
  ))
  condition <- s$condition[rep(1, nrow(x)), , drop = FALSE]
  out <- native_vjp(s$f, x, condition, s$inverse, list(value = rep(1, length(x)), logdet = rep(1, nrow(x))))
  for (what in c("value", "logdet", "x", if (!is.null(condition)) "condition")) all_finite(s, out[[what]], what, x)
  all_finite(s, out$params, "params")
}

# What a row gives does not depend on the rows beside it, to the last bit.
check_batches <- function(s) {
  many <- rep_len(seq_len(nrow(s$at)), 300)
  x <- s$at[many, , drop = FALSE] + rep(seq(0, 1e-3, length.out = 300), s$f$d)
  condition <- s$condition[many, , drop = FALSE]
  run <- function(rows) {
    cot <- list(value = rep(1, length(rows) * s$f$d), logdet = rep(1, length(rows)))
    out <- native_vjp(s$f, x[rows, , drop = FALSE], condition[rows, , drop = FALSE], s$inverse, cot)
    cbind(out$value, out$logdet, out$log_density, out$x, out$condition)
  }
  all <- run(1:300)
  for (n in c(1, 31, 32, 33, 127, 129)) {
    agree_exactly(s, run(seq_len(n)), all[seq_len(n), , drop = FALSE], paste("what", n, "rows give"))
  }
  alone <- do.call(rbind, lapply(c(1:40, 299, 300), run))
  agree_exactly(s, alone, all[c(1:40, 299, 300), , drop = FALSE], "what rows alone give")
}

run_machine <- function(s, threads, isa) {
  old <- options(bijectr.threads = threads, bijectr.isa = isa)
  on.exit(options(old))
  many <- rep_len(seq_len(nrow(s$at)), 2000)
  x <- s$at[many, , drop = FALSE]
  condition <- s$condition[many, , drop = FALSE]
  native_vjp(s$f, x, condition, s$inverse, list(value = x, logdet = x[, 1], log_density = -x[, 1]))
}

check_threads <- function(s) {
  set <- native_isa()[1]
  agree_exactly(s, run_machine(s, 2, set), run_machine(s, 1, set), "with two threads, the")
}

# Instruction sets change only the last digits. The gradient of parameters is a sum over all rows: terms cancel in it.
check_machines <- function(s) {
  sets <- native_isa()
  first <- run_machine(s, 1, sets[1])
  for (isa in sets[-1]) {
    other <- run_machine(s, 1, isa)
    for (field in names(first)) {
      agree(s, other[[field]], first[[field]], if (field == "params") 1e-11 else 1e-12, paste(isa, field))
    }
  }
}

inside <- function(x, interval) if (is.null(interval)) rep(TRUE, length(x)) else x > interval[1] & x < interval[2]

gradient_checks <- list(
  "value with the gradient" = check_same_values,
  "gradient of x" = check_gradient_x,
  "gradient of the condition" = check_gradient_condition,
  "gradient of parameters" = check_gradient_params
)
machine_checks <- list("threads" = check_threads, "instruction sets" = check_machines)
map_checks <- c(
  list(
    "parameters" = check_params,
    "inverse" = check_round_trip,
    "saved" = check_saved,
    "log-determinant" = check_logdet,
    "inverse as the generic one" = check_generic
  ),
  gradient_checks,
  list("one row as in a batch" = check_batches, "extreme inputs" = check_extremes),
  machine_checks
)
# Those that see both directions at once, or none, and those of one direction.
one_way_checks <- c("parameters", "inverse", "saved")
inverse_checks <- c("inverse as the generic one", "inverse as the generic scalar's")

# Under sanitizers and valgrind code is compiled, or run, in another way and slowly.
skip_if_instrumented <- function() skip_if(nzchar(Sys.getenv("BIJECTR_INSTRUMENTED")), "sanitizers or valgrind")

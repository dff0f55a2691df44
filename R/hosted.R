# Functions of the user that the core calls for the layers of layer_r() and the nets of net_r(), see src/core/layer-r.c
# and src/core/net-r.c. `given` are its arguments by name, as many of the first of which are handed over as the function
# takes; `shapes`, of each result, rows and columns, or a number and -1 for a vector. What it gives is looked at here:
# the core takes the numbers as they come.
hosted <- function(fn, owner, what, given, shapes) {
  absent <- vapply(given, function(x) is.matrix(x) && ncol(x) == 0, NA)
  given[absent] <- list(NULL)
  if (what == "differences") return(difference_vjp(fn, owner, given, shapes))
  value <- call_with(fn, given, what)
  where <- sprintf("{.code %s} of {.fn %s}", what, owner)
  if (length(shapes) == 1 && !is.list(value)) value <- list(value)
  if (is.null(names(value)) && is.list(value) && length(value) <= length(shapes)) {
    names(value) <- names(shapes)[seq_along(value)]
  }
  wanted <- vapply(shapes, function(shape) shape[1] * abs(shape[2]), 0) > 0
  if (!is.list(value) || !all(names(shapes)[wanted] %in% names(value))) {
    stop_arg(paste(where, "must give a list of {.field {names(shapes)[wanted]}}, not {describe(value)}."))
  }
  Map(function(shape, name) hosted_numbers(value[[name]], shape, name, where), shapes, names(shapes))
}

hosted_or_condition <- function(...) guarded(hosted(...))

# With the arguments that a function takes, by position. In its errors the call is short: name(x, params).
call_with <- function(fn, given, name) {
  takes <- names(formals(fn))
  if (!"..." %in% takes) given <- given[seq_len(min(length(takes), length(given)))]
  call <- as.call(lapply(c(name, names(given)), as.name))
  eval(call, c(given, stats::setNames(list(fn), name)), baseenv())
}

hosted_numbers <- function(x, shape, name, where) {
  n <- shape[1] * abs(shape[2])
  if (n == 0) return(numeric())
  if (shape[2] < 0 && length(x) == 1) x <- rep(x, n)
  fits <- if (is.matrix(x) && shape[2] >= 0) identical(dim(x), as.integer(shape)) else abs(shape[2]) == 1
  if (!is.numeric(x) || length(x) != n || !fits) {
    wanted <- if (shape[2] < 0) "{n} number{?s}" else "a matrix of {shape[1]} rows and {shape[2]} column{?s}"
    stop_arg(paste0("{.field {name}} that ", where, " gives must be ", wanted, ", not {describe(x)}."))
  }
  as.double(x)
}

HOSTED_STEP <- 1e-5

# The gradient of sum(g_value value) + sum(g_logdet logdet) by central differences of the forward map.
difference_vjp <- function(forward, owner, given, shapes) {
  out <- list(value = dim(given$g_value))
  if (!is.null(given$g_logdet)) out$logdet <- c(length(given$g_logdet), -1)
  loss <- function(at) { # a row each
    value <- hosted(forward, owner, "forward", at, out)
    rows <- rowSums(given$g_value * value$value)
    if (!is.null(given$g_logdet)) rows + given$g_logdet * value$logdet else rows
  }
  at <- given[intersect(c("x", "params", "condition"), names(given))]
  moved <- function(part, i, step) {
    if (part == "params") at$params[i] <- at$params[i] + step else at[[part]][, i] <- at[[part]][, i] + step
    loss(at)
  }
  lapply(stats::setNames(nm = names(shapes)), function(part) {
    if (part == "params") {
      return(vapply(seq_along(at$params), function(i) {
        step <- HOSTED_STEP * (1 + abs(at$params[i]))
        sum(moved(part, i, step) - moved(part, i, -step)) / (2 * step)
      }, 0))
    }
    as.double(vapply(seq_len(NCOL(at[[part]]) * !is.null(at[[part]])), function(i) {
      step <- HOSTED_STEP * (1 + abs(at[[part]][, i]))
      (moved(part, i, step) - moved(part, i, -step)) / (2 * step)
    }, numeric(nrow(given$g_value))))
  })
}

# A primitive has no formals, which call_with() looks at.
check_hosted <- function(fn, name, null = FALSE) {
  if (null && is.null(fn)) return(NULL)
  if (!is.function(fn)) stop_arg("{.arg {name}} must be a function{if (null) ' or NULL'}, not {describe(fn)}.")
  if (is.primitive(fn)) stop_arg("{.arg {name}} must be a function that is written in R, not a primitive.")
  fn
}

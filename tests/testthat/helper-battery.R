# The conformance batteries: what every bijection must do, whatever its formula. A battery is a list of named checks,
# and expect_checks() runs them on a subject: a flow with the points at which it is looked at, and the lines of R that
# make them. A check that fails tells its name, d, the direction, the worst number of all that are wrong and what it
# should be, and the lines that bring the subject back.

# ---- subjects ------------------------------------------------------------------------------------------------------

# `lines` are expressions that leave f, x and, given conditions, condition; `...` further facts for the checks.
battery_subject <- function(lines, ..., seed = 1) {
  made <- new.env()
  for (line in lines) eval(line, made)
  s <- list(f = made$f, x = made$x, condition = made$condition, lines = lines, seed = seed)
  utils::modifyList(s, list(...), keep.null = TRUE)
}

# A layer at random parameters around the initial ones; x by default normal draws.
layer_subject <- function(layer, d, d_condition = 0, x = NULL, spread = 0.5, seed = 1, ...) {
  lines <- c(
    bquote(set.seed(.(seed))),
    if (d_condition > 0) {
      bquote(f <- flow(.(spec_call(layer)), d = .(d), d_condition = .(d_condition)))
    } else {
      bquote(f <- flow(.(spec_call(layer)), d = .(d)))
    },
    bquote(params(f) <- unname(coef(f)) + .(spread) * rnorm(length(coef(f)))),
    if (is.null(x)) bquote(x <- matrix(rnorm(.(6 * d)), 6)) else bquote(x <- matrix(.(c(x)), ncol = .(d))),
    if (d_condition > 0) bquote(condition <- matrix(rnorm(.(NROW(x %||% 1:6) * d_condition)), ncol = .(d_condition)))
  )
  battery_subject(lines, layer = layer, seed = seed, ...)
}

# A flow that is there already.
flow_subject <- function(f, x, condition = NULL, ...) {
  lines <- list(
    bquote(f <- flow(.(spec_call(f$layers)), .(f$d), .(spec_call(f$base)), .(f$d_condition))),
    bquote(params(f) <- .(unname(f$params))),
    bquote(x <- matrix(.(c(x)), ncol = .(f$d))),
    if (!is.null(condition)) bquote(condition <- matrix(.(c(condition)), ncol = .(f$d_condition)))
  )
  s <- battery_subject(Filter(Negate(is.null), lines), ...)
  s$f <- f # its own, with all that the lines do not say
  s
}

# The call that makes a spec; where its fields are not just the arguments of its constructor, the object itself.
spec_call <- function(spec) {
  value <- function(v) if (inherits(v, "bijectr_spec")) spec_call(v) else if (is.list(v)) lapply(v, value) else v
  name <- sub("^bijectr_", "", class(spec)[1])
  constructor <- get0(name, asNamespace("bijectr"), mode = "function")
  given <- names(formals(constructor))
  fields <- Filter(Negate(is.null), unclass(spec)[setdiff(names(spec), "kind")])
  dots <- if ("..." %in% given) fields[vapply(fields, function(v) is.list(v) && !is.object(v), logical(1))]
  fields <- lapply(fields[names(fields) %in% given], value)
  call <- as.call(c(as.name(name), unlist(unname(lapply(dots, value)), recursive = FALSE), fields))
  same <- function(call) identical(tryCatch(eval(call), error = function(e) NULL), spec)
  if (!same(call)) return(str2lang(paste(deparse(spec, width.cutoff = 500), collapse = "\n")))
  for (argument in names(fields)) {
    shorter <- call
    shorter[[argument]] <- NULL
    if (same(shorter)) call <- shorter
  }
  call
}

# The subject seen in one direction: `at` are points of the side that the map starts from, `cot` random cotangents.
toward <- function(s, inverse) {
  at <- if (inverse) quote(at <- forward(f, x, condition)$value) else quote(at <- x)
  cot <- c(bquote(set.seed(.(1000 + s$seed))), quote(
    cot <- list(value = rnorm(length(at)), logdet = rnorm(nrow(at)), log_density = rnorm(nrow(at)))
  ))
  made <- list2env(s[c("f", "x", "condition")])
  for (line in c(at, cot)) eval(line, made)
  s[c("at", "cot", "inverse")] <- list(made$at, made$cot, inverse)
  s$lines <- c(s$lines, if (is.null(s$condition)) quote(condition <- NULL), at, cot)
  s
}

map_rows <- function(s, f = s$f, x = s$at, condition = s$condition) {
  if (s$inverse) bijectr::inverse(f, x, condition) else forward(f, x, condition)
}

# ---- the runner ----------------------------------------------------------------------------------------------------

# Checks that look at both directions run in each; `only` are names of checks.
expect_checks <- function(s, checks, inverse = NULL, only = names(checks)) {
  for (name in only) {
    ways <- if (name %in% one_way_checks) list(NULL) else if (name %in% inverse_checks) TRUE else c(FALSE, TRUE)
    for (way in inverse %||% ways) {
      seen <- if (is.null(way)) s else toward(s, way)
      seen$check <- name
      withRestarts(
        withCallingHandlers(checks[[name]](seen), error = function(e) {
          if (!inherits(e, "expectation")) invokeRestart("failed_check", conditionMessage(e))
        }),
        failed_check = function(text) report(seen, paste("error:", text))
      )
    }
  }
  invisible(s$f)
}

report <- function(s, said) {
  f <- s$f
  shown <- function(line) paste0("    ", paste(deparse(line, width.cutoff = 500L), collapse = "\n    "))
  testthat::expect(FALSE, paste0(
    s$check, ", d = ", f$d, if (f$d_condition > 0) paste(",", f$d_condition, "conditions"),
    if (!is.null(s$inverse)) paste(",", if (s$inverse) "inverse" else "forward"), ", seed ", s$seed, ": ", said, "\n",
    paste(vapply(s$lines, shown, ""), collapse = "\n")
  ))
}

# Largest |a - b| / max(1, |b|).
relative_gap <- function(a, b) {
  if (length(a) != length(b)) return(Inf)
  max(0, abs(a - b) / pmax(1, abs(b)))
}

# One expectation: `got` is near `expected`, each number by its own size. `labels` name the entries.
agree <- function(s, got, expected, tolerance, what, labels = entry_labels(got, what)) {
  if (length(got) != length(expected)) {
    return(report(s, sprintf("%s has %d numbers, not %d", what, length(got), length(expected))))
  }
  off <- abs(got - expected) / pmax(1, abs(expected))
  off[is.na(off)] <- Inf
  wrong <- !(off < tolerance)
  if (!any(wrong)) return(testthat::succeed())
  worst <- which.max(off)
  report(s, sprintf("%s is %.15g, should be %.15g (off by %.3g, tolerance %.3g); %d of %d numbers are off",
    labels[worst], got[worst], expected[worst], off[worst], tolerance, sum(wrong), length(off)
  ))
}

# One expectation: to the last bit.
agree_exactly <- function(s, got, expected, what) {
  if (identical(got, expected)) return(testthat::succeed())
  if (is.list(got) && identical(names(got), names(expected))) {
    bad <- names(got)[!mapply(identical, got, expected)]
    for (name in bad) agree_exactly(s, got[[name]], expected[[name]], paste(what, name))
    if (length(bad)) return(invisible())
  }
  if (!is.numeric(got) || !is.numeric(expected) || length(got) != length(expected)) {
    return(report(s, paste(what, "is not the same object:", toString(all.equal(got, expected)))))
  }
  differ <- which(!(got == expected) | is.na(got) != is.na(expected))
  if (length(differ) == 0) return(report(s, paste(what, "has other attributes, or another type")))
  worst <- differ[which.max(replace(abs(got - expected)[differ], is.na((got - expected)[differ]), Inf))]
  report(s, sprintf("%s is %.17g, should be %.17g to the last bit; %d of %d numbers differ",
    entry_labels(got, what)[worst], got[worst], expected[worst], length(differ), length(got)
  ))
}

# One expectation: all finite (or no NaN). `rows` are the points that the rows of `got` belong to.
all_finite <- function(s, got, what, rows = NULL, good = is.finite) {
  if (all(good(got))) return(testthat::succeed())
  bad <- which(!good(got))
  at <- if (!is.null(rows)) paste0(" at (", toString(format(rows[(bad[1] - 1) %% nrow(rows) + 1, ], digits = 17)), ")")
  report(s, sprintf("%s is %g%s; %d of %d numbers", entry_labels(got, what)[bad[1]], got[bad[1]], at %||% "",
    length(bad), length(got)
  ))
}

entry_labels <- function(v, what) {
  if (!is.matrix(v)) return(sprintf("%s[row %d]", what, seq_along(v)))
  sprintf("%s[row %d, coordinate %d]", what, row(v), col(v))
}
param_labels <- function(s) sprintf("%s[%s]", "params", names(coef(s$f)))

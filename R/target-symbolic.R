# Targets whose gradient is symbolic: the core evaluates what is a program to it (program.R), and stats::deriv()
# differentiates what else it can.

# Both want expressions of names, so x[, 1] or x[, "slope"] is replaced by a name first.
symbolic_target <- function(target, d, names) {
  if (is.primitive(target) || length(formals(target)) < 1) stop_symbolic("it must be a function of one argument")
  columns <- paste0(".bijectr column ", seq_len(d)) # which no user has
  outside <- with_defaults(target)
  formula <- formula_of(target, columns, names)
  program <- compile_program(formula$value, columns, outside, formula$lines)
  if (!is.null(program)) {
    evaluate <- function(x) {
      out <- native_program(program, x)
      structure(out$value, gradient = out$gradient)
    }
    return(structure(evaluate, program = program))
  }
  place <- new.env(parent = outside)
  expression <- derivable(put_lines_in(formula), columns, place)
  both <- tryCatch(stats::deriv(expression, columns), error = function(e) stop_symbolic(conditionMessage(e)))
  function(x) {
    value <- eval(both, stats::setNames(lapply(seq_len(d), function(j) x[, j]), columns), place)
    gradient <- attr(value, "gradient")
    structure(rep_len(as.double(value), nrow(x)), gradient = gradient[rep_len(seq_len(nrow(gradient)), nrow(x)), ])
  }
}

# Where names in the body of a function are looked up: its further arguments have their defaults.
with_defaults <- function(target) {
  place <- new.env(parent = environment(target))
  x <- names(formals(target))[1]
  for (name in names(formals(target))[-1]) {
    value <- formals(target)[[name]]
    if (is_empty_argument(value)) next
    if (x %in% all.vars(value)) stop_symbolic(paste0("the default of its argument `", name, "` uses `", x, "`"))
    eval(call("delayedAssign", name, value, place, place))
  }
  place
}

stop_symbolic <- function(why) {
  stop_arg(c(
    "The target has no symbolic gradient: {why}.",
    i = "Write it in elementary functions of {.code x[, 1]}, {.code x[, 2]}, ..., give {.arg gradient} as a function, or
         leave it at {.val differences}."
  ))
}

# ---- the body of a target --------------------------------------------------------------------------------------------

# list(lines, value): what the body of a target puts under names that its value needs, in order, lists of name and
# value; and the value. Columns of the argument are names.
formula_of <- function(target, columns, names) {
  x <- names(formals(target))[1]
  formula <- formula_lines(body(target))
  formula$lines <- lapply(formula$lines, function(line) {
    list(name = line$name, value = with_columns(line$value, x, columns, names))
  })
  formula$value <- with_columns(formula$value, x, columns, names)
  formula <- without_idle_lines(formula)
  for (e in c(lapply(formula$lines, `[[`, "value"), formula$value)) {
    if (x %in% all.names(e)) {
      stop_symbolic(paste0("it may use `", x, "` only as `", x, "[, j]` with a number or a name as `j`"))
    }
  }
  formula
}

formula_lines <- function(body) {
  body <- if (is.call(body) && identical(body[[1]], quote(`{`))) as.list(body)[-1] else list(body)
  lines <- list()
  value <- NULL
  for (k in seq_along(body)) {
    line <- body[[k]]
    assigns <- is.call(line) && as.character(line[[1]])[1] %in% c("<-", "=") && is.name(line[[2]])
    if (assigns && !any(c("function", "return") %in% all.names(line[[3]]))) {
      lines[[length(lines) + 1]] <- list(name = as.character(line[[2]]), value = line[[3]])
      value <- line[[2]]
    } else if (k < length(body) || assigns) {
      stop_symbolic(paste0("`", deparse1(line, width.cutoff = 40L), "` is no formula under a name"))
    } else {
      value <- if (is.call(line) && identical(line[[1]], quote(return)) && length(line) == 2) line[[2]] else line
    }
  }
  list(lines = lines, value = value)
}

# p$mu becomes p[["mu"]], where mu is no name that could mean something else.
with_columns <- function(e, x, columns, names) {
  replace_parts(e, function(e) {
    if (is.name(e) && length(columns) == 1 && identical(as.character(e), x)) return(as.name(columns))
    if (!is.call(e) || !is.name(e[[1]])) return(NULL)
    head <- as.character(e[[1]])
    if (head == "$" && is.name(e[[3]])) {
      return(call("[[", with_columns(e[[2]], x, columns, names), as.character(e[[3]]), exact = FALSE))
    }
    if (head == "[" && length(e) == 5 && identical(names(e)[5], "drop")) e <- e[-5]
    if (head != "[" || length(e) != 4 || !identical(e[[2]], as.name(x)) || !is_empty_argument(e[[3]])) return(NULL)
    column <- if (is.character(e[[4]])) match(e[[4]], names) else e[[4]]
    if (!is.numeric(column)) return(NULL)
    if (!column %in% seq_along(columns)) stop_symbolic(paste0("it has no coordinate `", deparse1(e), "`"))
    as.name(columns[column])
  })
}

without_idle_lines <- function(formula) {
  wanted <- all.vars(formula$value)
  kept <- logical(length(formula$lines))
  for (k in rev(seq_along(formula$lines))) {
    line <- formula$lines[[k]]
    kept[k] <- line$name %in% wanted
    if (kept[k]) wanted <- union(setdiff(wanted, line$name), all.vars(line$value))
  }
  formula$lines <- formula$lines[kept]
  formula
}

# The value as one expression: what stands under a name in the place of the name.
put_lines_in <- function(formula) {
  known <- list()
  put_in <- function(e) {
    e <- replace_parts(e, function(e) if (is.name(e)) known[[as.character(e)]])
    if (length(all.names(e)) > PROGRAM_MOST) {
      stop_symbolic("its lines, put into each other, are too long for stats::deriv()")
    }
    e
  }
  for (line in formula$lines) known[[line$name]] <- put_in(line$value)
  put_in(formula$value)
}

# ---- for stats::deriv() ----------------------------------------------------------------------------------------------

DERIVABLE <- c(
  "(", "+", "-", "*", "/", "^", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "sqrt", "pnorm", "dnorm", "asin",
  "acos", "atan", "gamma", "lgamma", "digamma", "trigamma", "psigamma", "log1p", "expm1", "log2", "log10", "cospi",
  "sinpi", "tanpi", "factorial", "lfactorial"
)

# An expression that stats::deriv() does not misread: it knows functions by their names alone, whoever's they are, and
# of dnorm() and pnorm() the first argument alone. Parts without columns become names of their values in `place`.
derivable <- function(e, columns, place) {
  free <- function(e) !any(all.vars(e) %in% columns)
  own <- function(e) {
    if (is.null(called_as_own(e, place, DERIVABLE))) {
      stop_symbolic(paste0("`", deparse1(e[[1]]), "()` is no function of R that stats::deriv() knows"))
    }
    TRUE
  }
  count <- 0
  number <- function(e) {
    if (is.numeric(e)) return(e)
    value <- tryCatch(eval(e, place), error = function(e) stop_symbolic(conditionMessage(e)))
    if (!(is.numeric(value) || is.logical(value)) || length(value) != 1) {
      stop_symbolic(paste0("`", deparse1(e, width.cutoff = 40L), "` is not one number"))
    }
    count <<- count + 1
    name <- paste0(".bijectr number ", count)
    assign(name, value, place)
    as.name(name)
  }
  put <- function(e) {
    along_chain(e, function(e) !free(e) && own(e), function(e) {
      if (free(e)) return(number(e))
      if (is.name(e)) return(e)
      own(e)
      name <- as.character(e[[1]])
      if (name %in% c("dnorm", "pnorm") && length(e) > 2) return(put(without_moments(e, name, place)))
      if (length(e) > 2 && !is.null(names(e))) {
        stop_symbolic(paste0("`", name, "()` has arguments by name"))
      }
      as.call(c(e[[1]], lapply(unname(as.list(e)[-1]), put)))
    }, function(call, first) {
      call[[2]] <- first
      call[[3]] <- put(call[[3]])
      call
    })
  }
  put(e)
}

# dnorm() and pnorm() of one argument for those of more.
without_moments <- function(e, name, place) {
  e <- tryCatch(match.call(get(name, asNamespace("stats")), e), error = function(e) stop_symbolic(conditionMessage(e)))
  flag <- function(name, default) {
    value <- tryCatch(eval(e[[name]] %||% default, place), error = function(e) NULL)
    if (!rlang::is_bool(value)) stop_symbolic(paste0("`", name, "` is neither `TRUE` nor `FALSE`"))
    value
  }
  sd <- e$sd %||% 1
  z <- call("/", call("(", call("-", e[[if (name == "dnorm") "x" else "q"]], e$mean %||% 0)), call("(", sd))
  if (name == "pnorm") {
    plain <- !flag("log.p", FALSE) && flag("lower.tail", TRUE)
    if (!plain) stop_symbolic("it has `pnorm()` with `log.p` or of the upper tail")
    return(call("pnorm", z))
  }
  if (!flag("log", FALSE)) return(call("/", call("dnorm", z), call("(", sd)))
  call("-", call("-", call("/", call("^", call("(", z), 2), -2), call("log", sd)), log(2 * pi) / 2)
}

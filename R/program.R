# Expressions of columns as programs of the core, src/core/program.c: list(kind = "program", nodes), a node a
# list(kind, of, number), where `of` are numbers of nodes before it. Of an expression that is none, NULL.

# R's functions of one number that programs have under the same name, and those of two, by R's names.
PROGRAM_ONE <- c(
  "exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "plogis", "pnorm",
  "dnorm"
)
PROGRAM_TWO <- c(
  `+` = "add", `-` = "subtract", `*` = "multiply", `/` = "divide", `^` = "pow", pmax = "larger", pmin = "smaller"
)

PROGRAM_MOST <- 10000 # nodes

# `columns`: the names of the columns in the expression, and in `lines`, which come before it (see formula_of()); other
# names are numbers in `outside`, or stand in a part without columns that is one. What R computes with numbers is not
# computed again.
compile_program <- function(expression, columns, outside, lines = list()) {
  nodes <- list()
  known <- new.env(hash = TRUE)
  place <- new.env(parent = outside) # lines that are numbers, by name
  bound <- stats::setNames(list(), character()) # nodes of the others
  node <- function(kind, of = NULL, number = NULL) {
    key <- paste(c(kind, of, if (!is.null(number)) sprintf("%a", number)), collapse = " ")
    if (is.null(known[[key]])) {
      nodes[[length(nodes) + 1]] <<- list(kind = kind, of = of, number = number)
      known[[key]] <- length(nodes)
    }
    known[[key]]
  }
  free <- function(e) !any(all.vars(e) %in% c(columns, names(bound)))
  value_of <- function(e) tryCatch(eval(e, place), error = function(e) NULL)
  number <- function(e) {
    value <- value_of(e)
    plain <- (is.numeric(value) || is.logical(value)) && !is.object(value)
    if (plain && length(value) == 1 && is.finite(value)) as.double(value)
  }
  # dnorm() with more than one argument
  put_normal <- function(e) {
    e <- tryCatch(match.call(stats::dnorm, e), error = function(e) NULL)
    of <- list(if (!is.null(e)) put(call("-", e$x, e$mean %||% 0)), put(e$sd %||% 1))
    as_log <- number(e$log %||% FALSE)
    if (any(vapply(of, is.null, NA)) || is.null(as_log)) return(NULL)
    node(if (as_log == 0) "normal" else "normal_log", unlist(of))
  }
  put_one <- function(e) {
    if (is.name(e) && as.character(e) %in% names(bound)) return(bound[[as.character(e)]])
    if (is.name(e) && as.character(e) %in% columns) return(node("column", number = match(as.character(e), columns)))
    if (free(e)) {
      value <- number(e)
      return(if (!is.null(value)) node("number", number = value))
    }
    name <- called_as_own(e, place, PROGRAM_NAMES)
    if (is.null(name)) return(NULL)
    if (name == "dnorm" && length(e) > 2) return(put_normal(e))
    if (!is.null(names(e))) return(NULL)
    parts <- as.list(e)[-1]
    if (name == "(" || (name == "+" && length(parts) == 1)) return(put(parts[[1]]))
    exponent <- if (name == "^" && free(parts[[2]])) number(parts[[2]])
    of <- lapply(if (is.null(exponent)) parts else parts[1], put)
    if (any(vapply(of, is.null, NA))) return(NULL)
    if (!is.null(exponent)) return(if (exponent == 0) node("number", number = 1) else node("power", of[[1]], exponent))
    kind <- if (length(of) == 2) PROGRAM_TWO[name] else if (name == "-") "negate" else intersect(name, PROGRAM_ONE)
    if (length(kind) == 1 && !is.na(kind) && length(of) <= 2) node(unname(kind), unlist(of))
  }
  put <- function(e) {
    goes <- function(e) !free(e) && !is.null(called_as_own(e, place, PROGRAM_NAMES))
    along_chain(e, goes, put_one, function(call, first) {
      second <- put(call[[3]])
      if (!is.null(first) && !is.null(second)) node(PROGRAM_TWO[[as.character(call[[1]])]], c(first, second))
    })
  }
  for (line in lines) {
    if (free(line$value)) {
      assign(line$name, value_of(line$value), place)
      bound[[line$name]] <- NULL
    } else {
      bound[[line$name]] <- put(line$value)
      if (is.null(bound[[line$name]])) return(NULL)
    }
  }
  if (!is.null(put(expression)) && length(nodes) <= PROGRAM_MOST) list(kind = "program", nodes = nodes)
}

PROGRAM_NAMES <- c("(", PROGRAM_ONE, names(PROGRAM_TWO))

# The name by which one of some functions of base and stats is called: R's own, not one of the user.
called_as_own <- function(e, outside, some) {
  if (!is.call(e) || !is.name(e[[1]])) return(NULL)
  name <- as.character(e[[1]])
  if (!name %in% some) return(NULL)
  own <- get0(name, asNamespace("stats"), mode = "function") # or, from there, of base
  if (identical(get0(name, outside, mode = "function"), own)) name
}

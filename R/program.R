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

# `columns`: the names of the columns in the expression; other names are numbers in `outside`, or stand in a part
# without columns that is one. What R computes with numbers is not computed again.
compile_program <- function(expression, columns, outside) {
  nodes <- list()
  known <- new.env(hash = TRUE)
  node <- function(kind, of = NULL, number = NULL) {
    key <- paste(c(kind, of, if (!is.null(number)) sprintf("%a", number)), collapse = " ")
    if (is.null(known[[key]])) {
      nodes[[length(nodes) + 1]] <<- list(kind = kind, of = of, number = number)
      known[[key]] <- length(nodes)
    }
    known[[key]]
  }
  number <- function(e) {
    value <- tryCatch(eval(e, outside), error = function(e) NULL)
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
  put <- function(e) {
    if (is.name(e) && as.character(e) %in% columns) return(node("column", number = match(as.character(e), columns)))
    if (!any(all.vars(e) %in% columns)) {
      value <- number(e)
      return(if (!is.null(value)) node("number", number = value))
    }
    name <- called_as_known(e, outside)
    if (is.null(name)) return(NULL)
    if (name == "dnorm" && length(e) > 2) return(put_normal(e))
    if (!is.null(names(e))) return(NULL)
    parts <- as.list(e)[-1]
    if (name == "(" || (name == "+" && length(parts) == 1)) return(put(parts[[1]]))
    exponent <- if (name == "^" && !any(all.vars(parts[[2]]) %in% columns)) number(parts[[2]])
    of <- lapply(if (is.null(exponent)) parts else parts[1], put)
    if (any(vapply(of, is.null, NA))) return(NULL)
    if (!is.null(exponent)) return(if (exponent == 0) node("number", number = 1) else node("power", of[[1]], exponent))
    kind <- if (length(of) == 2) PROGRAM_TWO[name] else if (name == "-") "negate" else intersect(name, PROGRAM_ONE)
    if (length(kind) == 1 && !is.na(kind) && length(of) <= 2) node(unname(kind), unlist(of))
  }
  if (!is.null(put(expression)) && length(nodes) <= PROGRAM_MOST) list(kind = "program", nodes = nodes)
}

# The name by which a function that programs may know is called: that of R's own, not of one of the user.
called_as_known <- function(e, outside) {
  if (!is.call(e) || !is.name(e[[1]])) return(NULL)
  name <- as.character(e[[1]])
  if (!name %in% c("(", PROGRAM_ONE, names(PROGRAM_TWO))) return(NULL)
  own <- get0(name, asNamespace("stats"), mode = "function") # or, from there, of base
  if (identical(get0(name, outside, mode = "function"), own)) name
}

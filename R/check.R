# Checks of arguments. Every message names the argument as the user wrote it; `call` is the user's call, so that cli
# shows the function they used and not this file.

stop_arg <- function(..., call = user_call(), .envir = parent.frame()) {
  cli::cli_abort(c(...), call = call, .envir = .envir, class = c("bijectr_error_argument", "bijectr_error"))
}

# The frame of the exported function that the user called: the outermost frame of this package below the user's own.
user_call <- function() {
  frames <- sys.frames()
  ours <- vapply(frames, function(f) identical(topenv(f), topenv()), logical(1))
  if (any(ours)) frames[[which(ours)[1]]] else parent.frame()
}

# What a function of the user's gives; an error in it says whose it was. `warned(w)` sees its warnings.
of_user <- function(expr, what, warned = function(w) NULL) {
  withCallingHandlers(expr, error = function(e) {
    if (inherits(e, "bijectr_error")) return()
    cli::cli_abort("{what} ended in an error.", parent = e, class = "bijectr_error", call = user_call())
  }, warning = warned)
}

# Lists in lists without end, as no constructor makes them, end what goes through them by an error of R's own stack.
not_too_deep <- function(expr) {
  tryCatch(expr, stackOverflowError = function(e) {
    stop_arg("This object cannot be used: its lists are nested too deep.")
  })
}

# What a wrong argument is: its value if it is one value, else its length or type.
describe <- function(x) {
  if (is.null(x) || is.object(x) || !is.atomic(x) || !is.null(dim(x))) {
    return(cli::format_inline("{.obj_type_friendly {x}}"))
  }
  if (length(x) == 1) return(if (is.character(x)) encodeString(x, quote = "\"") else format(x))
  paste(length(x), if (is.numeric(x)) "numbers" else paste(typeof(x), "values"))
}

check_number <- function(x, name, min = -Inf, max = Inf, above = -Inf, below = Inf, null = FALSE) {
  if (null && is.null(x)) return(NULL)
  if (!is.numeric(x) || length(x) != 1 || is.na(x)) stop_arg("{.arg {name}} must be one number, not {describe(x)}.")
  x <- as.double(x)
  if (x < min || x > max || x <= above || x >= below) {
    bounds <- c(
      if (min > -Inf) paste("at least", format(min)), if (above > -Inf) paste("above", format(above)),
      if (max < Inf) paste("at most", format(max)), if (below < Inf) paste("below", format(below))
    )
    stop_arg("{.arg {name}} must be {bounds}, not {x}.")
  }
  x
}

check_count <- function(x, name, min = 1, max = .Machine$integer.max, null = FALSE) {
  if (null && is.null(x)) return(NULL)
  if (!is.numeric(x) || length(x) != 1 || is.na(x) || x != round(x)) {
    stop_arg("{.arg {name}} must be one whole number, not {describe(x)}.")
  }
  if (x >= min && x <= max) return(as.integer(x))
  # R's largest integer is no bound that a user has in mind
  if (abs(x) > .Machine$integer.max) stop_arg("{.arg {name}} is too large: {x}.")
  check_number(x, name, min = min, max = if (max == .Machine$integer.max) Inf else max)
}

check_flag <- function(x, name) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    stop_arg("{.arg {name}} must be TRUE or FALSE, not {describe(x)}.")
  }
  x
}

check_choice <- function(x, choices, name) {
  if (!is.character(x) || length(x) < 1 || !(x[1] %in% choices)) {
    stop_arg(c(
      "{.arg {name}} must be one of {.or {.val {choices}}}, not {describe(x)}.",
      i = if (is.character(x)) meant(x[1], choices)
    ))
  }
  x[1]
}

# `text`, which shows them as `near`, where some known words are a slip of the keyboard or another case away from `x`,
# or begin with it; else NULL.
meant <- function(x, known, text = "Did you mean {.val {near}}?") {
  x <- x[!is.na(x) & nzchar(x)]
  if (!length(x) || !length(known)) return(NULL)
  away <- utils::adist(x, known, ignore.case = TRUE)
  sorted <- function(words) vapply(strsplit(tolower(words), ""), function(s) paste(sort(s), collapse = ""), "")
  swapped <- sorted(known) %in% sorted(x) # two letters in each other's place are two edits
  near <- known[apply(away, 2, min) <= ifelse(swapped, 2, max(1, min(nchar(x)) %/% 3))]
  if (!length(near)) near <- known[known %in% OTHER_WORDS[x]]
  if (!length(near)) near <- known[nchar(x[1]) > 3 & startsWith(tolower(known), tolower(x[1]))]
  if (!length(near) || length(near) > 3) return(NULL)
  gsub("([{}])", "\\1\\1", cli::format_inline(text))
}

# What other packages call what has another name here.
OTHER_WORDS <- c(
  level = "interval", conf.level = "interval", probs = "p", conditions = "condition", newx = "newdata",
  mean = "response", link = "response", prob = "probability", probabilities = "probability", cdf = "distribution",
  pdf = "density", loglik = "logdensity", variance = "covariance", quantiles = "quantile", simulate = "draws",
  risk = "cumhazard"
)

# How nets start: a choice, or the standard deviation of normal draws.
check_net_init <- function(init) {
  if (is.numeric(init)) return(check_number(init, "init", min = 0, max = 1e6))
  check_choice(init, c("identity", "uniform"), "init")
}

# Of a column that is lacking.
NEAR_COLUMN <- "It has {.field {near}}: is that the one?"

# A file to be written, in a folder that is there.
check_file <- function(x, name) {
  if (!is.character(x) || length(x) != 1 || is.na(x) || !nzchar(x)) {
    stop_arg("{.arg {name}} must be the name of a file, not {describe(x)}.")
  }
  if (dir.exists(x)) stop_arg("{.arg {name}} must be the name of a file; {.file {x}} is a folder.")
  if (!dir.exists(dirname(x))) stop_arg("There is no folder {.file {dirname(x)}} for {.arg {name}}.")
  x
}

# Arguments of the caller without a default: the first that is missing is told.
check_given <- function(...) {
  frame <- parent.frame()
  for (name in c(...)) {
    if (eval(call("missing", as.name(name)), frame)) stop_missing(name)
  }
}

# Generics and what short calls go through ask missing() themselves: check_given() takes longer.
stop_missing <- function(name) stop_arg("{.arg {name}} is missing.")

# For methods that take no further arguments: a misspelt one must not be swallowed by their dots. The caller's own are
# those that may have been meant.
check_unused <- function(...) {
  n <- ...length()
  if (n == 0) return(invisible())
  names <- names(substitute(list(...)))[-1]
  named <- names[nzchar(names)]
  if (length(named)) {
    known <- setdiff(names(formals(sys.function(sys.parent()))), "...")
    stop_arg(c("Unknown argument{?s} {.arg {named}}.", i = meant(named, known, "Did you mean {.arg {near}}?")))
  }
  stop_arg("{n} argument{?s} too many.")
}

# An object of one of the package's families: "scalar", "layer", "net", "base".
check_family <- function(x, family, name) {
  if (missing(x)) stop_missing(name)
  if (!inherits(x, paste0("bijectr_", family))) {
    stop_arg(c(
      "{.arg {name}} must be a {family}, not {.obj_type_friendly {x}}.",
      i = "The functions whose names start with {.code {family}_} make one."
    ))
  }
  x
}

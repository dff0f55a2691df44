# Censored times, objects of survival::Surv(): what is known of each row. The survival package makes them and is needed
# for that alone; what they hold is read here.

# What is known of rows of one coordinate, a record: four vectors in the units of the data,
#   lower, upper   the row lies in (lower, upper], or at lower = upper
#   from, to       it would not have been seen outside of (from, to]
# each of which may be infinite. Whole numbers have such a record, too: see observed.R.

is_times <- function(x) inherits(x, "Surv")

# list(value, rows): for each row a number that stands for it, NA where it is missing, and the record.
read_times <- function(x, name) {
  type <- attr(x, "type")
  if (!isTRUE(type %in% c("right", "left", "interval", "counting"))) {
    stop_arg(c(
      "{.arg {name}} has times to events of several kinds (a multistate {.cls Surv}), whose distribution is not one of a
       time alone.",
      i = "Fit one kind of event, with the others as censoring: {.code Surv(time, event == \"death\")}."
    ))
  }
  z <- unclass(x)
  n <- nrow(z)
  status <- z[, "status"]
  time <- as.double(z[, switch(type, counting = "stop", interval = "time1", "time")])
  # 0 right-censored, 1 an event, 2 left-censored, 3 in an interval: the codes of Surv()
  if (type == "left") status <- ifelse(status == 0, 2, status)
  end <- if (type == "interval") as.double(z[, "time2"]) else time
  gone <- rowSums(is.na(z)) > 0
  rows <- list(
    lower = ifelse(status == 2, -Inf, time), upper = ifelse(status == 0, Inf, ifelse(status == 3, end, time)),
    from = if (type == "counting") as.double(z[, "start"]) else rep(-Inf, n), to = rep(Inf, n)
  )
  value <- ifelse(status == 3, time / 2 + end / 2, time)
  value[gone] <- NA
  list(value = unname(value), rows = lapply(rows, function(end) unname(replace(end, gone, NA))))
}

# The times in points to evaluate: the points themselves, or the column of a data frame that has the name of the
# coordinate; NULL where there are none.
find_times <- function(x, names) {
  if (is_times(x)) return(x)
  if (!is.data.frame(x)) return(NULL)
  column <- if (is.null(names)) if (length(x) == 1) 1L else 0L else match(names, names(x), nomatch = 0L)
  if (column > 0 && is_times(x[[column]])) x[[column]]
}

# Data to fit, list(data, observed): without such times as they are.
open_times <- function(data) {
  x <- find_times(data, NULL)
  if (is.null(x)) return(list(data = data))
  read <- read_times(x, "data")
  if (is.data.frame(data)) data[[1]] <- read$value else data <- read$value
  list(data = data, observed = read$rows)
}

refuse_times <- function(observed) {
  if (!is.null(observed)) stop_arg("{.code na = \"model\"} is for numbers, not for censored times.")
}

# ---- on the left side of a formula -----------------------------------------------------------------------------------

is_times_call <- function(part) {
  is.call(part) && (identical(part[[1]], quote(Surv)) || identical(part[[1]], quote(survival::Surv)))
}

# The arguments of a call of Surv(), and which of them says what became of a row; NULL where none does.
times_call <- function(part) {
  call <- match.call(function(time, time2, event, type, origin) NULL, part)
  type <- if (is.character(call$type)) call$type else ""
  interval <- startsWith(type, "interval")
  event <- if (!is.null(call$event)) {
    "event"
  } else if (!is.null(call$time2) && !interval && type != "counting") {
    "time2"
  }
  list(call = call, event = event, interval = interval)
}

# What the coordinate is called: the expression of the time, that of the end where there is an entry before it, "time"
# where there are two ends.
times_label <- function(part) {
  known <- times_call(part)
  if (known$interval) return("time")
  deparse1(if (is.null(known$call$time2) || identical(known$event, "time2")) known$call$time else known$call$time2)
}

# Surv() takes numbers for 1 and 2 where the largest is 2, and for 0 and 1 elsewhere: of some of the rows, or of new
# ones, it would think otherwise. So what it has taken them for here is written down.
with_known_status <- function(part, data, envir) {
  if (!is_times_call(part)) return(part)
  known <- times_call(part)
  if (is.null(known$event) || known$interval) return(part)
  status <- tryCatch(eval(known$call[[known$event]], data, envir), error = function(e) NULL)
  if (!is.numeric(status) || all(is.na(status)) || max(status, na.rm = TRUE) != 2) return(part)
  known$call[[known$event]] <- call("-", call("(", known$call[[known$event]]), 1)
  known$call
}

# Where an expression is evaluated: Surv() is found there, whether the survival package is attached or not.
times_env <- function(part, envir) {
  if (!("Surv" %in% all.names(part)) || exists("Surv", envir, mode = "function")) return(envir)
  if (!requireNamespace("survival", quietly = TRUE)) {
    stop_arg("{.fn Surv} in {.arg formula} is of the package {.pkg survival}, which must be installed.")
  }
  list2env(list(Surv = survival::Surv), parent = envir)
}

# What values of the parts of a left side say of a time, as read_times() gives it; NULL where they are no times.
left_times <- function(values) {
  times <- vapply(values, is_times, NA)
  if (!any(times)) return(NULL)
  if (length(values) > 1) {
    stop_arg("The left side of {.arg formula} has censored times beside other coordinates: they are fitted alone.")
  }
  read_times(values[[1]], "formula")
}

# ---- what is there ---------------------------------------------------------------------------------------------------

# How many rows of positive weight are what, a named vector.
count_censoring <- function(observed, weights = NULL) {
  counted <- if (is.null(weights)) TRUE else weights > 0
  lower <- observed$lower[counted]
  upper <- observed$upper[counted]
  c(
    events = sum(lower == upper), right = sum(lower > -Inf & upper == Inf), left = sum(lower == -Inf),
    interval = sum(lower > -Inf & upper < Inf & lower < upper),
    truncated = sum(observed$from[counted] > -Inf | observed$to[counted] < Inf)
  )
}

CENSORING <- c(
  right = "right-censored", left = "left-censored", interval = "within intervals", truncated = "with entry times"
)

# "165 events, 63 right-censored".
format_censoring <- function(censoring) {
  events <- paste(format_count(censoring[["events"]]), if (censoring[["events"]] == 1) "event" else "events")
  others <- names(CENSORING)[censoring[names(CENSORING)] > 0]
  counts <- vapply(censoring[others], format_count, "")
  paste(c(events, if (length(others)) paste(counts, CENSORING[others])), collapse = ", ")
}

# Rows must be possible within the support, and some must have ends: else there is nothing to learn from.
check_times <- function(observed, support, weights, label) {
  counted <- if (is.null(weights)) seq_along(observed$lower) else which(weights > 0)
  rows <- lapply(observed, `[`, counted)
  exact <- rows$lower == rows$upper
  low <- support$lower
  high <- support$upper
  wrong <- ifelse(exact, rows$lower <= low | rows$lower >= high,
    rows$upper <= low | rows$lower >= high | is.finite(rows$lower) & rows$lower < low
  )
  bad <- which(wrong)
  if (length(bad)) {
    at <- bad[1]
    value <- if (is.finite(rows$lower[at])) rows$lower[at] else rows$upper[at]
    stop_arg(c(
      "Column {.field {label}} of {.arg data} has times outside its support {format(support)}: row {counted[at]} has
       {if (exact[at]) 'an event' else 'a time'} at {value}.",
      i = if (length(bad) > 1) "So have {length(bad)} rows in all.",
      i = if (exact[at] && value == low) {
        "An event at {value} is earlier than any time can be: an event within the first unit is one of an interval,
         {.code type = \"interval2\"} of {.fn Surv}; or {.arg subset} leaves such rows out."
      } else {
        "{.arg support} says where times can lie: {.code support = \"real\"} is the whole line."
      }
    ))
  }
  if (sum(rows$upper < high) < 2 || sum(rows$lower > low) < 2) {
    side <- if (sum(rows$upper < high) < 2) "right" else "left"
    stop_arg("Fewer than two rows of {.arg data} are not {side}-censored: nothing tells where {.field {label}} ends.")
  }
}

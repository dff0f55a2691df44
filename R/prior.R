# Priors of fits in rounds: list(sample, log_density, support, lower, upper), the last three as the user gave them;
# where their density is, found or given; and draws of flows that are kept to that.

check_prior <- function(prior, density = TRUE) {
  if (inherits(prior, "bijectr_flow")) {
    return(list(sample = function(n) sample(prior, n), log_density = function(theta) logdensity(prior, theta)))
  }
  if (is.list(prior) && is.function(prior$sample) && (is.function(prior$log_density) || !density)) {
    odd <- setdiff(names(prior), c("sample", "log_density", "support", "lower", "upper"))
    # other functions of a list that serves elsewhere too do no harm, a slip of the keyboard would
    near <- meant(odd, c("support", "lower", "upper"))
    if (!is.null(near)) stop_arg(c("{.arg prior} has an unknown entry {.field {odd[1]}}.", i = near))
    return(prior[intersect(c("sample", "log_density", "support", "lower", "upper"), names(prior))])
  }
  what <- if (density) "the functions {.field sample} and {.field log_density}" else "a function {.field sample}"
  stop_arg(paste0("{.arg prior} must be a flow, or a list of ", what, "."))
}

prior_values <- function(prior, theta) {
  value <- target_values(prior$log_density(theta), nrow(theta), "`prior$log_density`")
  bad <- which(!is.finite(value))
  if (length(bad)) {
    stop_arg("{.arg prior$log_density} is {value[bad[1]]} at parameters that {.arg prior$sample} drew:
              ({format(theta[bad[1], ], digits = 4)}).")
  }
  value
}

# Whether points are within the prior.
has_density <- function(prior, theta) {
  is.finite(target_values(prior$log_density(theta), nrow(theta), "`prior$log_density`"))
}

# ---- its support -----------------------------------------------------------------------------------------------------

# Where the prior has its density, list(supports, whole): one support a coordinate, and whether nothing but these bounds
# it, as far as draws tell. `theta` are draws of it.
prior_support <- function(prior, theta) {
  supports <- given_supports(prior$support, prior$lower, prior$upper, ncol(theta), colnames(theta))
  regular <- TRUE
  if (all(vapply(supports, is.null, NA))) {
    ends <- found_ends(prior, theta)
    regular <- !any(is.nan(ends$lower), is.nan(ends$upper))
    supports <- Map(function(lower, upper) {
      new_support(if (is.na(lower)) -Inf else lower, if (is.na(upper)) Inf else upper)
    }, ends$lower, ends$upper)
  }
  supports <- lapply(supports, function(support) support %||% whole_line())
  for (j in seq_along(supports)) check_prior_draws(supports[[j]], theta[, j], column_label(theta, j))
  list(supports = supports, whole = regular && fills_its_ends(prior, theta))
}

check_prior_draws <- function(support, value, label) {
  if (support$whole) {
    stop_arg("The support of {.arg prior} has {.fn counts} for {.field {label}}: parameters are fitted with densities.")
  }
  outside <- which(value <= support$lower | value >= support$upper)
  if (length(outside)) {
    stop_arg("{.arg prior$sample} drew {value[outside[1]]} for {.field {label}}, which is outside its support
              {format(support)}.")
  }
}

# Coordinates of different draws put together leave the support of any prior that is more than an interval for each.
fills_its_ends <- function(prior, theta) {
  n <- nrow(theta)
  d <- ncol(theta)
  if (d == 1) return(TRUE)
  mixed <- vapply(seq_len(d), function(j) theta[(seq_len(n) - 1 + (j - 1) * (n %/% d)) %% n + 1, j], numeric(n))
  isTRUE(tryCatch(
    all(suppressWarnings(has_density(prior, name_columns(mixed, colnames(theta))))), error = function(e) FALSE
  ))
}

# An end of a coordinate is where the log density becomes -Inf on the way outwards from a draw, the other coordinates
# kept. It is one of the support if it is the same from all of PRIOR_DRAWS draws, to PRIOR_AGREE of their spread.
# Further out than PRIOR_FAR times the spread a density that is 0 is one too small for doubles. A log density that is
# an error outside tells nothing.
PRIOR_DRAWS <- 6L
PRIOR_AGREE <- 1e-7
PRIOR_FAR <- 2^20

# list(lower, upper), one number a coordinate: NA where there is no end, NaN where it depends on the other coordinates.
found_ends <- function(prior, theta) {
  from <- theta[unique(round(seq(1, nrow(theta), length.out = PRIOR_DRAWS))), , drop = FALSE]
  spread <- apply(theta, 2, stats::sd)
  lapply(c(lower = -1, upper = 1), function(side) {
    tryCatch(suppressWarnings(ends_of_side(prior, from, side * spread)), error = function(e) rep(NA_real_, ncol(theta)))
  })
}

# The same of one side. All draws and coordinates are looked at in one call.
ends_of_side <- function(prior, from, outwards) {
  d <- ncol(from)
  of <- rep(seq_len(nrow(from)), d)
  along <- rep(seq_len(d), each = nrow(from))
  start <- from[cbind(of, along)]
  step <- outwards[along]
  inside_at <- function(value, i = seq_along(value)) {
    points <- from[of[i], , drop = FALSE]
    points[cbind(seq_along(i), along[i])] <- value
    has_density(prior, points)
  }
  inside <- start
  outside <- rep(NA_real_, length(start))
  reach <- 1
  while (reach <= PRIOR_FAR && anyNA(outside)) {
    open <- which(is.na(outside))
    there <- start[open] + reach * step[open]
    within <- inside_at(there, open)
    inside[open[within]] <- there[within]
    outside[open[!within]] <- there[!within]
    reach <- 2 * reach
  }
  bounded <- which(!is.na(outside))
  for (k in seq_len(100)) {
    middle <- inside[bounded] + (outside[bounded] - inside[bounded]) / 2
    if (all(middle == inside[bounded] | middle == outside[bounded])) break
    within <- inside_at(middle, bounded)
    inside[bounded[within]] <- middle[within]
    outside[bounded[!within]] <- middle[!within]
  }
  vapply(seq_len(d), function(j) {
    i <- which(along == j)
    if (all(is.na(outside[i])) || !is.finite(outwards[j]) || outwards[j] == 0) return(NA_real_)
    if (anyNA(outside[i]) || diff(range(outside[i])) > PRIOR_AGREE * abs(outwards[j])) return(NaN)
    meant_number(stats::median(inside[i]), 1e-12 * abs(outwards[j]))
  }, 0)
}

# Bisection ends beside the number that was meant: 0, where it is as `small`, or that of the fewest digits within some
# units of the last place.
meant_number <- function(x, small) {
  if (abs(x) <= small) return(0)
  short <- signif(x, 1:15)
  c(short[abs(short - x) <= 2 * .Machine$double.eps * abs(x)], x)[1]
}

# ---- draws within it -------------------------------------------------------------------------------------------------

# What a fit keeps of the support of its prior: `lower` and `upper`, one number a coordinate, and `log_density`, the
# prior's, where the ends are not all. NULL where its draws cannot be elsewhere: `flow` ends inside.
kept_support <- function(found, prior, flow) {
  own <- flow_supports(flow) %||% rep(list(whole_line()), flow$d)
  lower <- vapply(found$supports, `[[`, 0, "lower")
  upper <- vapply(found$supports, `[[`, 0, "upper")
  within <- all(vapply(own, `[[`, 0, "lower") >= lower & vapply(own, `[[`, 0, "upper") <= upper)
  if (within && found$whole) return(NULL)
  list(lower = lower, upper = upper, log_density = if (!found$whole) prior$log_density)
}

is_within <- function(support, points, names) {
  if (is.null(support)) return(rep(TRUE, nrow(points)))
  each <- function(end) rep(end, each = nrow(points))
  inside <- rowSums(!(points > each(support$lower) & points < each(support$upper))) == 0 # where it is NaN, too
  if (!is.null(support$log_density) && any(inside)) {
    at <- name_columns(points[inside, , drop = FALSE], names)
    inside[inside] <- has_density(support, at)
  }
  inside
}

# `n` draws of q(theta | condition), a matrix of one row or `n`, of encoded conditions (NULL: none), all
# `within(points)`. What falls outside is drawn anew, at its own condition.
DRAWS_TRIED <- 10000 # in vain

draws_inside <- function(flow, n, condition, within) {
  draws <- matrix(0, n, flow$d)
  open <- seq_len(n)
  attempt <- 0
  while (length(open)) {
    attempt <- attempt + 1
    draws[open, ] <- points_drawn(flow, length(open), rows_at(condition, open))
    left <- open[!within(draws[open, , drop = FALSE])]
    if (length(left) == length(open) && attempt * length(left) >= DRAWS_TRIED) {
      stop_arg("Hardly a draw of the posterior lies in the support of the prior: the last {attempt * length(left)} were
                outside.")
    }
    if (length(left) < length(open)) attempt <- 0
    open <- left
  }
  draws
}

# A fit with what keeps its draws within the prior, and the share of draws of its flow that it keeps out, by the prior's
# own word. `condition`: the observation, encoded; NULL without. A log density that is an error outside leaves the ends.
LEAKAGE_DRAWS <- 10000L

keep_within_prior <- function(fit, problem, condition) {
  found <- problem$support
  flow <- as_flow(fit)
  given <- if (!is.null(condition)) repeat_row(condition, LEAKAGE_DRAWS)
  draws <- with_seed(1, points_drawn(flow, LEAKAGE_DRAWS, given)) # looking on moves no generator
  inside <- tryCatch(has_density(problem$prior, name_columns(draws, flow$names)), error = function(e) NULL)
  kept <- kept_support(found, problem$prior, flow)
  if (!is.null(inside) && any(is_within(kept, draws, flow$names) & !inside)) {
    kept <- kept_support(replace(found, "whole", FALSE), problem$prior, flow)
  }
  fit["prior_support"] <- list(kept)
  fit$leakage <- if (is.null(inside)) NA_real_ else mean(!inside)
  fit
}

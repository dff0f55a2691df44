# A stack: a distribution whose density is the weighted mean of its members', each one or several flows over the
# same columns. It is plain data: the blueprint of a flow (blueprint.R), `d` and `d_condition`, the
# fields of a fit, `folds`, and
#   members   lists of kind, label, size, weight, held_out (mean log density of rows held out) and flows, with their
#             shares, and the seed and the fold of each flow that was trained
#   held_out  the log density of each row that was held out, a column a kind, of kinds that were left out for it, too
#   left_out  why there is no member of a kind, named by kinds
# The flows have no blueprint of their own: the stack's lets points in and out.

STACK_FIELDS <- c("format", "d", "d_condition", "names", "codecs", "condition", "response", "form", "dropped")

MEMBERS_ON_T <- c("shrunk", "student_t", "shrunk_t", "spline_t", "affine_t", "cells", "nearby", "beyond")

# Members below this weight are left out, but those on t distributions, which know of the far out.
STACK_LEAST_WEIGHT <- 1e-3

# `found`: members as collect_jobs() gives them, named by kinds. `densities`: the log densities of the rows that were
# held out, a column a kind.
new_stack <- function(problem, found, weight, densities, fields) {
  plan <- problem$plan
  w <- problem$weights[fields$folds > 0]
  average <- function(x) if (is.null(w)) mean(x) else stats::weighted.mean(x, w)
  members <- unname(Map(function(member, weight) {
    list(
      kind = member$kind, label = member$label, size = member$size, weight = weight,
      held_out = average(densities[, member$kind]), flows = member$flows, shares = member$shares, seeds = member$seeds,
      folds = member$folds
    )
  }, found, weight))
  kept <- vapply(members, function(member) {
    member$weight >= STACK_LEAST_WEIGHT || member$kind %in% MEMBERS_ON_T
  }, NA)
  members <- members[kept]
  total <- sum(vapply(members, `[[`, 0, "weight"))
  for (i in seq_along(members)) members[[i]]$weight <- members[[i]]$weight / total
  out <- list(format = FORMAT_VERSION, d = problem$d, d_condition = problem$d_condition)
  out[names(plan)] <- plan
  out <- c(out, fit_fields(c(fields, list(history = NO_HISTORY))), list(members = members, held_out = densities))
  structure(out, class = c("bijectr_stack", "bijectr_fit", "bijectr_flow"))
}

NO_HISTORY <- data.frame(step = numeric(), train = numeric(), validation = numeric(), rate = numeric())

# All flows of a stack with their shares, list(flow, weight).
weighted_flows <- function(stack) {
  unlist(lapply(stack$members, function(member) {
    Map(function(flow, share) list(flow = flow, weight = member$weight * share), unname(member$flows), member$shares)
  }), recursive = FALSE)
}

flow_shares <- function(parts) vapply(parts, `[[`, 0, "weight")

# ---- what a distribution does with points ----------------------------------------------------------------------------

#' @export
points_density.bijectr_stack <- function(object, points, condition) {
  parts <- weighted_flows(object)
  mixed_density(lapply(parts, `[[`, "flow"), flow_shares(parts), points, condition)
}

# Log density of a weighted mean of flows, by that of each.
mixed_density <- function(flows, shares, points, condition, log_density = points_density) {
  total <- rep(-Inf, n_rows(points))
  for (i in seq_along(flows)) {
    value <- log_density(flows[[i]], points, condition)
    value[is.nan(value)] <- -Inf # what one flow cannot tell the others do
    total <- log_add(total, value + log(shares[i]))
  }
  total
}

#' @export
whole_density.bijectr_stack <- function(object, points, condition) {
  parts <- weighted_flows(object)
  mixed_density(lapply(parts, `[[`, "flow"), flow_shares(parts), points, condition, whole_density)
}

# A mean of probabilities of intervals, as of densities; but not of those given that a row was seen at all.
#' @export
interval_density.bijectr_stack <- function(object, observed, condition) {
  if (any(observed$from > -Inf | observed$to < Inf)) return(interval_density.default(object, observed, condition))
  parts <- weighted_flows(object)
  points <- matrix(observed$lower)
  mixed_density(lapply(parts, `[[`, "flow"), flow_shares(parts), points, condition, function(flow, points, condition) {
    interval_density(flow, observed, condition)
  })
}

#' @export
points_drawn.bijectr_stack <- function(object, n, condition) {
  parts <- weighted_flows(object)
  which <- sample.int(length(parts), n, replace = TRUE, prob = flow_shares(parts))
  out <- matrix(0, n, object$d)
  for (i in sort(unique(which))) {
    rows <- base::which(which == i)
    out[rows, ] <- points_drawn(parts[[i]]$flow, length(rows), rows_at(condition, rows))
  }
  out
}

#' @export
points_proposed.bijectr_stack <- function(object, n, condition) points_proposed.default(object, n, condition)

#' @export
points_cdf.bijectr_stack <- function(object, points, condition, lower_tail, log_p) {
  value <- stack_log_cdf(weighted_flows(object), points, condition, lower_tail)
  large <- which(value > -log(2)) # by the other tail, which has the digits
  if (length(large)) {
    other <- stack_log_cdf(
      weighted_flows(object), rows_at(points, large), rows_at(condition, large), !lower_tail
    )
    value[large] <- log1p(-exp(other))
  }
  if (log_p) value else exp(value)
}

stack_log_cdf <- function(parts, points, condition, lower_tail) {
  total <- rep(-Inf, n_rows(points))
  for (part in parts) {
    total <- log_add(total, points_cdf(part$flow, points, condition, lower_tail, TRUE) + log(part$weight))
  }
  total
}

#' @export
points_quantile.bijectr_stack <- function(object, p, condition, lower_tail, log_p) {
  parts <- weighted_flows(object)
  mixed_quantile(p, lower_tail, log_p, list(
    ends = function(log_p, lower, i) {
      each <- lapply(parts, function(part) points_quantile(part$flow, log_p, rows_at(condition, i), lower, TRUE))
      list(low = do.call(pmin, each), high = do.call(pmax, each))
    },
    log_cdf = function(z, lower, i) stack_log_cdf(parts, matrix(z), rows_at(condition, i), lower),
    log_density = function(z, i) points_density(object, matrix(z), rows_at(condition, i))
  ))
}

# Without the members on t distributions, whose exponentials and the like have no mean; if there are others. Linear
# regression, which is on one where its spread is unknown, is taken as normal.
with_moments <- function(stack) {
  for (i in seq_along(stack$members)) {
    if (stack$members[[i]]$kind == "normal") stack$members[[i]]$flows <- lapply(stack$members[[i]]$flows, on_normal)
  }
  light <- !vapply(stack$members, function(member) member$kind %in% MEMBERS_ON_T, NA)
  if (!any(light)) return(stack)
  stack$members <- stack$members[light]
  total <- sum(member_weights(stack))
  for (i in seq_along(stack$members)) stack$members[[i]]$weight <- stack$members[[i]]$weight / total
  stack
}

# A flow on a multivariate t distribution on the normal one of the same location and scale.
on_normal <- function(flow) {
  if (flow$base$kind != "mvstudent_t") return(flow)
  out <- with_seed(1, new_flow(flow$layers, flow$d, base_mvnormal(), flow$d_condition))
  out["params"] <- list(flow$params[-(flow$d + flow$d^2 + 1)]) # the degrees of freedom
  out
}

#' @export
spread_size.bijectr_stack <- function(object) {
  if (object$d > 1) return(RESPONSE_DRAWS)
  sum(vapply(weighted_flows(object), function(part) as.double(count_of_one(part$flow, STACK_NODES)), 0))
}

STACK_NODES <- 99L

#' @export
points_spread.bijectr_stack <- function(object, n, condition) {
  if (object$d > 1) return(drawn_spread(object, n, condition))
  parts <- weighted_flows(object)
  each <- lapply(parts, function(part) spread_of_one(part$flow, n, condition, STACK_NODES))
  list(
    x = matrix(do.call(rbind, lapply(each, function(one) matrix(one$x, nrow(one$weight))))),
    weight = do.call(rbind, Map(function(part, one) part$weight * one$weight, parts, each)),
    far = unlist(lapply(each, `[[`, "far"))
  )
}

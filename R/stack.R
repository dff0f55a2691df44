# A stack: a distribution whose density is the weighted mean of its members', each one or several flows, which count
# alike, over the same columns. It is plain data: the blueprint of a flow (blueprint.R), `d` and `d_condition`, the
# fields of a fit, `folds`, and
#   members   lists of kind, label, size, weight, held_out (mean log density of rows held out) and flows
# The flows have no blueprint of their own: the stack's lets points in and out.

STACK_FIELDS <- c("format", "d", "d_condition", "names", "codecs", "condition", "response", "form", "dropped")

new_stack <- function(problem, found, weight, fields) {
  plan <- problem$plan
  told <- fields$folds > 0
  densities <- chosen_densities(found$members, told, problem$weights)[told, , drop = FALSE]
  w <- problem$weights[told]
  average <- function(x) if (is.null(w)) mean(x) else stats::weighted.mean(x, w)
  members <- unname(Map(function(member, weight, j) {
    list(
      kind = member$kind, label = member$label, size = member$size, weight = weight,
      held_out = average(densities[, j]), flows = member$flows
    )
  }, found$members, weight, seq_along(weight)))
  kept <- vapply(members, function(member) {
    member$weight >= STACK_LEAST_WEIGHT || member$kind %in% c("student_t", "shrunk_t", "shrunk")
  }, NA)
  members <- members[kept]
  total <- sum(vapply(members, `[[`, 0, "weight"))
  for (i in seq_along(members)) members[[i]]$weight <- members[[i]]$weight / total
  out <- list(format = FORMAT_VERSION, d = problem$d, d_condition = problem$d_condition)
  out[names(plan)] <- plan
  fits <- lapply(FIT_FIELDS, function(is) NULL)
  fits[names(fields)] <- fields
  fits["history"] <- list(NO_HISTORY)
  structure(c(out, fits, list(members = members)), class = c("bijectr_stack", "bijectr_fit", "bijectr_flow"))
}

NO_HISTORY <- data.frame(step = numeric(), train = numeric(), validation = numeric(), rate = numeric())

# It may come from a file.
check_stack <- function(object) {
  if (!identical(.subset2(object, "format"), FORMAT_VERSION)) check_format(object[["format"]])
  d <- object[["d"]]
  d_condition <- object[["d_condition"]]
  if (!some_count(d) || d < 1) stop_damaged("d")
  if (!some_count(d_condition)) stop_damaged("d_condition")
  members <- object[["members"]]
  if (!is.list(members) || !length(members)) stop_damaged("members")
  for (member in members) {
    whole <- is.list(member) && some_count(member[["weight"]]) && is.list(member[["flows"]]) &&
      length(member[["flows"]]) > 0
    if (!isTRUE(whole)) stop_damaged("members")
    for (flow in member$flows) {
      if (!inherits(flow, "bijectr_flow") || inherits(flow, "bijectr_stack")) stop_damaged("members")
      native_check_flow(flow)
      if (!identical(as.numeric(flow$d), as.numeric(d)) ||
        !identical(as.numeric(flow$d_condition), as.numeric(d_condition))) {
        stop_damaged("members")
      }
    }
  }
  if (abs(sum(member_weights(object)) - 1) > 1e-6) stop_damaged("members")
  check_blueprint(object)
}

is_stack <- function(object) inherits(object, "bijectr_stack")

# For verbs that need one map of one base.
check_one_flow <- function(object, verb) {
  if (is_stack(object)) {
    stop_arg(c(
      "A stack is several flows, which have no common map: {verb} needs one flow.",
      i = "{.code fit_flow(data, members = 1)} fits a single one; {.fn logdensity}, {.fn sample}, {.fn predict},
           {.fn pflow}, {.fn summary} and {.fn plot} work on stacks."
    ))
  }
  check_object(object)
}

member_weights <- function(stack) vapply(stack$members, `[[`, 0, "weight")

# All flows of a stack with their shares, list(flow, weight).
weighted_flows <- function(stack) {
  unlist(lapply(stack$members, function(member) {
    lapply(member$flows, function(flow) list(flow = flow, weight = member$weight / length(member$flows)))
  }), recursive = FALSE)
}

flow_shares <- function(parts) vapply(parts, `[[`, 0, "weight")

# ---- what a distribution does with points ----------------------------------------------------------------------------

#' @export
points_density.bijectr_stack <- function(object, points, condition) {
  total <- rep(-Inf, n_rows(points))
  for (part in weighted_flows(object)) {
    total <- log_add(total, native_log_density(part$flow, points, condition) + log(part$weight))
  }
  total
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

#' @export
spread_size.bijectr_stack <- function(object) {
  if (object$d > 1) return(RESPONSE_DRAWS)
  STACK_NODES * length(weighted_flows(object))
}

STACK_NODES <- 99L

#' @export
points_spread.bijectr_stack <- function(object, n, condition) {
  if (object$d > 1) return(drawn_spread(object, n, condition))
  parts <- weighted_flows(object)
  rules <- lapply(parts, function(part) quantile_rule(part$flow, STACK_NODES))
  given <- if (!is.null(condition)) rows_at(condition, rep(seq_len(n), each = STACK_NODES))
  x <- Map(function(part, rule) {
    matrix(native_map(part$flow, matrix(rep(rule$z, n)), given, inverse = FALSE)$value, STACK_NODES)
  }, parts, rules)
  list(
    x = matrix(do.call(rbind, x)), weight = unlist(Map(function(part, rule) part$weight * rule$weight, parts, rules))
  )
}

# ---- methods ---------------------------------------------------------------------------------------------------------

#' @export
print.bijectr_stack <- function(x, ...) {
  check_fit(x)
  n <- length(weighted_flows(x))
  cat("<stack of ", n, " flows> ", format_coordinates(x), "\n", sep = "")
  weights <- member_weights(x)
  shown <- order(-weights)
  shares <- paste0(vapply(x$members[shown], `[[`, "", "label"), " ", format_share(weights[shown]))
  cat(strwrap(paste(shares, collapse = ", "), initial = "  members: ", prefix = strrep(" ", 11)), sep = "\n")
  print_supports(x)
  print_dropped(x)
  cat("  fitted:  ", format_seconds(x$seconds), ", status \"", x$status, "\"\n", sep = "")
  reference <- x$reference
  if (!is.null(reference) && !is.na(reference$flow)) {
    folds <- max(x$folds)
    how <- if (folds == 1) "of held-out rows" else paste0("by ", folds, "-fold cross-validation")
    cat("  mean log density ", how, ": ", format_nats(reference$flow),
      if (!is.na(reference$normal)) paste0(" (normal: ", format_nats(reference$normal), ")"), "\n",
      sep = ""
    )
  }
  invisible(x)
}

format_share <- function(weight) ifelse(weight < 0.005, "< 1 %", paste0(round(100 * weight), " %"))

#' @export
summary.bijectr_stack <- function(object, ...) {
  check_unused(...)
  check_fit(object)
  reference <- object$reference
  members <- do.call(rbind, lapply(object$members, function(member) {
    data.frame(
      member = member$label, weight = member$weight, flows = length(member$flows), "held out" = member$held_out,
      gain = member$held_out - (reference$normal %||% NA_real_), check.names = FALSE
    )
  }))
  structure(
    list(
      call = object$call, description = c(coordinates = format_coordinates(object), support = format_supports(object)),
      members = members[order(-members$weight), ], nobs = object$nobs, folds = max(object$folds), status = object$status,
      seconds = object$seconds, reference = reference, loglik = object$loglik, held_out_loglik = object$held_out_loglik
    ),
    class = "summary.bijectr_stack"
  )
}

#' @export
print.summary.bijectr_stack <- function(x, digits = 3, ...) {
  digits <- check_count(digits, "digits", min = 0, max = 15)
  cat("Stack of flows: ", x$description[["coordinates"]], "\n\n", sep = "")
  if (!is.null(x$call)) cat("Call:  ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  if ("support" %in% names(x$description)) cat("Support: ", x$description[["support"]], "\n", sep = "")
  cat("Rows:  ", format(x$nobs, big.mark = ","), ", ", if (x$folds == 1) "one split" else paste(x$folds, "folds"),
    "\nTime:  ", format_seconds(x$seconds), ", status \"", x$status, "\"\n\n",
    sep = ""
  )
  cat("Members, with their mean log density of held-out rows in nats, and the gain over the normal:\n")
  shown <- x$members
  for (name in c("weight", "held out", "gain")) shown[[name]] <- formatC(shown[[name]], digits = digits, format = "f")
  print(shown, row.names = FALSE, right = TRUE)
  reference <- x$reference
  if (!is.null(reference)) {
    cat("\nThe stack, weights and rows held out together: ", formatC(reference$flow, digits = digits, format = "f"),
      " (normal ", formatC(reference$normal, digits = digits, format = "f"), ", standard error of the difference ",
      formatC(reference$error, digits = digits, format = "f"), ")\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @export
coef.bijectr_stack <- function(object, ...) {
  check_fit(object)
  labels <- make.unique(vapply(object$members, `[[`, "", "kind"))
  unlist(Map(function(member, label) stats::setNames(lapply(member$flows, coef), rep(label, length(member$flows))),
             object$members, labels))
}

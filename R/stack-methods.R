# Methods of stacks that are not those of all fits.

#' @export
print.bijectr_stack <- function(x, ...) {
  check_fit(x)
  n <- length(weighted_flows(x))
  cat("<stack of ", n, if (n == 1) " flow> " else " flows> ", format_coordinates(x), "\n", sep = "")
  weights <- member_weights(x)
  shown <- order(-weights)
  shares <- paste0(vapply(x$members[shown], `[[`, "", "label"), " ", format_share(weights[shown]))
  cat(strwrap(paste(shares, collapse = ", "), initial = "  members: ", prefix = strrep(" ", 11)), sep = "\n")
  print_supports(x)
  print_dropped(x)
  print_censoring(x)
  cat("  fitted:  ", format_seconds(x$seconds), ", status \"", x$status, "\"\n", sep = "")
  reference <- x$reference
  if (!is.null(reference) && !is.na(reference$flow)) {
    n <- format(sum(x$folds > 0), big.mark = ",")
    held_out <- if (max(x$folds) == 1) paste(n, "held-out rows") else paste0(n, " rows, ", format_held_out(x$folds))
    cat("  mean ", likelihood_words(x), " of ", held_out, ": ", format_nats(reference$flow),
      if (!is.na(reference$normal)) {
        paste0(
          " (normal: ", format_nats(reference$normal), ")\n  gain over the normal: ",
          format_nats(reference$flow - reference$normal), ", standard error ", format_nats(reference$error)
        )
      }, "\n",
      sep = ""
    )
  }
  invisible(x)
}

# How rows were held out: all at once or part after part.
format_held_out <- function(folds) if (max(folds) == 1) "held out" else paste("held out in", max(folds), "parts")

# "Left out: kernel, normal (too few rows); ...".
format_left_out <- function(left_out) {
  labels <- vapply(member_kinds(), `[[`, "", "label")[names(left_out)]
  reasons <- unique(left_out)
  of_reason <- vapply(reasons, function(why) paste(labels[left_out == why], collapse = ", "), "")
  paste0("Left out: ", paste0(of_reason, " (", reasons, ")", collapse = "; "))
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
  some <- sum(object$folds > 0)
  structure(
    list(
      call = object$call, description = c(coordinates = format_coordinates(object), support = format_supports(object)),
      members = members[order(-members$weight), ], nobs = object$nobs,
      held_out = paste0(
        if (some < object$nobs) paste(format(some, big.mark = ","), "of them "), format_held_out(object$folds)
      ),
      na.action = object$na.action, left_out = object$left_out, censoring = object$censoring,
      status = object$status, seconds = object$seconds, reference = reference, loglik = object$loglik,
      held_out_loglik = object$held_out_loglik, quantiles = summary_quantiles(object)
    ),
    class = "summary.bijectr_stack"
  )
}

#' @export
print.summary.bijectr_stack <- function(x, digits = 3, ...) {
  digits <- check_count(digits, "digits", min = 0, max = 15)
  wrap <- function(label, text) {
    cat(strwrap(text, initial = formatC(label, width = -9), prefix = strrep(" ", 9)), sep = "\n")
  }
  cat("Stack of flows: ", x$description[["coordinates"]], "\n\n", sep = "")
  if (!is.null(x$call)) wrap("Call:", paste(deparse(x$call), collapse = " "))
  if ("support" %in% names(x$description)) wrap("Support:", x$description[["support"]])
  left_out <- if (length(x$na.action)) paste0(", ", stats::naprint(x$na.action))
  wrap("Rows:", paste0(format(x$nobs, big.mark = ","), ", ", x$held_out, left_out))
  if (!is.null(x$censoring)) wrap("", format_censoring(x$censoring))
  wrap("Time:", paste0(format_seconds(x$seconds), ", status \"", x$status, "\""))
  shown <- x$members
  gains <- !all(is.na(shown$gain))
  if (!gains) shown$gain <- NULL
  cat("\nMembers, with their mean ", likelihood_words(x), " of held-out rows in nats",
    if (gains) ", and the gain over the normal", ":\n",
    sep = ""
  )
  nats <- function(value) formatC(value, digits = digits, format = "f")
  for (name in setdiff(names(shown), c("member", "flows"))) shown[[name]] <- nats(shown[[name]])
  print(shown, row.names = FALSE, right = TRUE)
  if (length(x$left_out)) cat(strwrap(format_left_out(x$left_out), prefix = "  ", initial = ""), sep = "\n")
  reference <- x$reference
  if (!is.null(reference) && !is.na(reference$flow)) {
    normal <- if (!is.na(reference$normal)) {
      paste0(" (normal ", nats(reference$normal), ", standard error of the difference ", nats(reference$error), ")")
    }
    text <- paste0("The stack, weights and rows held out together: ", nats(reference$flow), normal)
    cat("", strwrap(text), sep = "\n")
  }
  print_quantiles(x$quantiles)
  invisible(x)
}

#' @export
coef.bijectr_stack <- function(object, ...) {
  check_fit(object)
  labels <- make.unique(vapply(object$members, `[[`, "", "kind"))
  unlist(Map(function(member, label) stats::setNames(lapply(member$flows, coef), rep(label, length(member$flows))),
             object$members, labels))
}

# All flows of a stack have the supports of the first; members over a few values have none.
#' @export
flow_supports.bijectr_stack <- function(flow) {
  flows <- unlist(lapply(flow$members, `[[`, "flows"), recursive = FALSE)
  with_layers <- Find(function(one) !is.null(one$layers), flows)
  if (is.null(with_layers)) return(NULL)
  with_layers["codecs"] <- list(flow$codecs)
  flow_supports.default(with_layers)
}

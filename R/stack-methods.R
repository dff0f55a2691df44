# Methods of stacks that are not those of all fits.

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
    cat("  mean log density of ", format_held_out(x$folds), ": ", format_nats(reference$flow),
      if (!is.na(reference$normal)) paste0(" (normal: ", format_nats(reference$normal), ")"), "\n",
      sep = ""
    )
  }
  invisible(x)
}

# Rows that were held out, all at once or part after part.
format_held_out <- function(folds) {
  n <- format(sum(folds > 0), big.mark = ",")
  if (max(folds) == 1) paste(n, "held-out rows") else paste0(n, " rows, held out in ", max(folds), " parts")
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
      members = members[order(-members$weight), ], nobs = object$nobs, held_out = format_held_out(object$folds),
      status = object$status, seconds = object$seconds, reference = reference, loglik = object$loglik,
      held_out_loglik = object$held_out_loglik, quantiles = summary_quantiles(object)
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
  cat("Rows:  ", format(x$nobs, big.mark = ","), ", ", x$held_out, "\n", sep = "")
  cat("Time:  ", format_seconds(x$seconds), ", status \"", x$status, "\"\n\n", sep = "")
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

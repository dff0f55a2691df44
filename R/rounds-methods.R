# What is different in fits in rounds: draws are kept within the prior, and print() says what was simulated.

#' @export
print.bijectr_rounds_fit <- function(x, ...) {
  NextMethod()
  if (!is.null(x$likelihood)) {
    of <- paste0(format_coordinates(x$likelihood), ", ", format_parameters(x$likelihood))
    cat("  likelihood: flow of ", of, "\n", sep = "")
  }
  number <- function(n) format(n, big.mark = ",")
  n <- vapply(x$rounds, function(round) nrow(round$theta), 0)
  failed <- sum(vapply(x$rounds, function(round) round$failed %||% 0L, 0L))
  cat("  rounds:  ", length(n), " of ", paste(number(n), collapse = ", "), ": ", number(sum(n)), " simulations",
    if (failed) paste0(", ", number(failed), " of them failed"), "\n",
    sep = ""
  )
  if (!is.null(x$leakage) && !is.na(x$leakage)) {
    cat("  leakage: ", format(signif(100 * x$leakage, 2)), " % of draws of the flow are outside of the prior",
      if (x$leakage > 0) ", and drawn anew", "\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @export
resume.bijectr_rounds_fit <- function(object, ...) {
  stop_arg(c(
    "A fit in rounds cannot be trained further by {.fn resume}.",
    i = "{.fn fit_rounds} with {.code {layers_to_go_on(object)}} starts where it ended."
  ))
}

#' @export
points_drawn.bijectr_rounds_fit <- function(object, n, condition) {
  kept <- object$prior_support
  if (is.null(kept)) return(NextMethod())
  draws_inside(as_flow(object), n, condition, function(points) is_within(kept, points, object$names))
}

# Of a fit by the likelihood: its posterior. Draws of the flow that are outside of the prior have no weight there, so
# that weights are those of the flow as it is.
#' @export
own_target.bijectr_rounds_fit <- function(object, envir) {
  if (is.null(object$likelihood)) return(NULL)
  log_posterior(as_flow(object$likelihood), object$prior, object$observed)
}

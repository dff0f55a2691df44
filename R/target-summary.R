# What summary() tells of a fit to a log density: its evaluation, and its coordinates by draws of the flow.

SUMMARY_DRAWS <- 10000
# Coordinates beyond so many are not printed.
SUMMARY_COORDINATES <- 20

#' @export
summary.bijectr_target_fit <- function(object, ...) {
  out <- NextMethod()
  out$evaluation <- object$evaluation
  out["draws"] <- list(summary_draws(object))
  class(out) <- c("summary.bijectr_target_fit", class(out))
  out
}

# By a seed of its own: the same table each time, and no random number of the session's is used. NULL where draws need
# conditions or cannot be made.
summary_draws <- function(fit) {
  if (fit$d_condition > 0) return(NULL)
  draws <- tryCatch(with_seed(1, as.matrix(sample(fit, SUMMARY_DRAWS))), error = function(e) NULL)
  if (is.null(draws)) return(NULL)
  quantiles <- apply(draws, 2, stats::quantile, c(0.05, 0.5, 0.95), names = FALSE)
  data.frame(
    what = coordinate_labels(fit), mean = colMeans(draws), sd = apply(draws, 2, stats::sd), low = quantiles[1, ],
    median = quantiles[2, ], high = quantiles[3, ], row.names = NULL
  )
}

#' @export
print.summary.bijectr_target_fit <- function(x, ...) {
  NextMethod()
  if (!is.null(x$evaluation)) cat("\n")
  print_evaluation(x$evaluation)
  if (is.null(x$draws)) return(invisible(x))
  cat("\nBy ", format(SUMMARY_DRAWS, big.mark = ","), " draws of the flow:\n", sep = "")
  shown <- utils::head(x$draws, SUMMARY_COORDINATES)
  values <- matrix(unlist(lapply(shown[-1], format_values)), nrow(shown))
  dimnames(values) <- list(format(shown$what), c("mean", "sd", "5%", "median", "95%"))
  print(values, quote = FALSE, right = TRUE)
  left <- nrow(x$draws) - nrow(shown)
  if (left > 0) cat("and ", left, " more coordinates, in summary(fit)$draws.\n", sep = "")
  invisible(x)
}

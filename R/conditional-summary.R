# What is said of conditional and marginal distributions beyond print().

#' Summary of a conditional or marginal distribution
#'
#' Means, standard deviations and quantiles of its columns of numbers, and probabilities of its levels, by draws.
#'
#' @param object A [conditional()] distribution of one given row, or a [marginal()] one.
#' @param n Number of draws, 100 or more.
#' @param x A summary.
#' @param digits Significant digits.
#' @param ... Not used.
#' @return A list of class `summary.bijectr_part`: `distribution`, the object; `n`; `numbers`, a data frame with one row
#'   a column of numbers, `mean`, `sd` and the quantiles of 5, 25, 50, 75 and 95 per cent (of dates and times as
#'   stored); `levels`, a list of the probabilities of the levels of each other column. Draws are made by a seed of
#'   their own: the same object has the same summary. Errors are those of `n` draws, chosen by weight where
#'   the distribution is not exact; of one column of levels the probabilities are those of [predict()].
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' summary(conditional(fit, Petal.Length = 4.8))
#' @export
summary.bijectr_part <- function(object, n = 10000, ...) {
  check_unused(...)
  check_object(object)
  if (count_given(object) > 1) {
    stop_arg("A summary is of one row that is given, not {count_given(object)}: {.arg object} is a distribution for
              each.")
  }
  n <- check_count(n, "n", min = 100)
  p <- c(0.05, 0.25, 0.5, 0.75, 0.95)
  z <- tell_nan(with_seed(1, points_drawn(object, n, NULL)), "The draw")
  labels <- coordinate_labels(object)
  of_levels <- vapply(seq_len(object$d), function(j) is_levels(object$codecs[[j]]), NA)
  numbers <- z[, !of_levels, drop = FALSE]
  quantiles <- t(apply(numbers, 2, stats::quantile, p, names = FALSE))
  quantiles <- matrix(quantiles, ncol(numbers), length(p), dimnames = list(NULL, paste0(100 * p, "%")))
  shares <- lapply(which(of_levels), function(j) {
    levels <- object$codecs[[j]]$levels
    if (object$d == 1) return(predict(object, type = "probability")[1, ])
    stats::setNames(tabulate(z[, j] + 1, length(levels)) / n, levels)
  })
  structure(
    list(
      distribution = object, n = n,
      numbers = data.frame(
        mean = colMeans(numbers), sd = apply(numbers, 2, stats::sd), quantiles,
        row.names = labels[!of_levels], check.names = FALSE
      ),
      levels = stats::setNames(shares, labels[of_levels])
    ),
    class = "summary.bijectr_part"
  )
}

#' @rdname summary.bijectr_part
#' @export
print.summary.bijectr_part <- function(x, digits = 3, ...) {
  digits <- check_count(digits, "digits", min = 1, max = 15)
  print(x$distribution)
  if (nrow(x$numbers)) {
    cat("\nNumbers, by ", format(x$n, big.mark = ","), " draws:\n", sep = "")
    print(x$numbers, digits = digits)
  }
  for (name in names(x$levels)) {
    cat("\nProbabilities of ", name, ":\n", sep = "")
    print(x$levels[[name]], digits = digits)
  }
  invisible(x)
}

#' @export
nobs.bijectr_part <- function(object, ...) stats::nobs(object$of)

#' @export
logLik.bijectr_part <- function(object, ...) {
  stop_arg(c(
    "A conditional or marginal distribution was not fitted to rows of its own: it has no log likelihood.",
    i = "That of rows is {.code sum(logdensity(object, rows))}."
  ))
}

#' @export
update.bijectr_part <- function(object, ...) {
  stop_arg(c(
    "A conditional or marginal distribution is made of a fit: it cannot be fitted anew by itself.",
    i = "{.code update(object$of, ...)} fits that anew; {.fn conditional} and {.fn marginal} make parts of it."
  ))
}

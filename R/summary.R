#' Summary of a fit
#'
#' How the fit came about and how good it is: its mean log density on the training rows (on 16384 of them or more,
#' spread over all, where there are many) and on the rows that were held
#' out for validation, beside that of a multivariate normal fitted to the same training rows (given the conditioning
#' variables by linear regression, if there are any). The difference is what the flow has learned beyond means and
#' covariances. A stack has figures of its own, see below.
#'
#' The held-out figure of a single flow is somewhat too good: the parameters are those of the best validation
#' (`keep_best` of [fit_control()]), chosen on the same held-out rows out of all validations, a hundred by default. The
#' normal beside it is not chosen so. For a figure without this, keep rows that the fit never sees, and take
#' `mean(logdensity(fit, rows))` of them; for differences between fits the same held-out rows, `validation =`, do, as
#' long as few are compared. Which rows are held out depends on [set.seed()].
#'
#' @section Stacks: Of each member its weight in the density, the number of its flows, the mean log density that it
#'   gives to rows held out, and the gain of that over the normal. The figure of the whole stack below them is one of
#'   cross-validation: each row is held out from the members, from their sizes and from the weights by which its density
#'   is taken. So it is hardly too good; it is rather a little low, as that of members that have seen fewer rows than
#'   those of the stack. What has seen all rows are the supports, with the powers (of Box and Cox) of columns that have
#'   one end, the units of the columns, and where the search for larger mixtures ends. Where so little counts, with few
#'   rows and many columns, [flow_cv()] repeats these too without the rows held out. The figures of mixtures alone are
#'   not so, whose size the same rows choose. The standard error is that of the mean difference to the normal. There is
#'   no figure of the normal without a member of that kind.
#' @section Few rows: The normal of maximum likelihood, of single flows and of stacks, has no figure for held-out rows
#'   where its training rows, less one and one for each condition, do not outnumber the columns by two: the
#'   mean of its log density at other rows is not finite then. (That of a stack given conditions is a t distribution,
#'   which has one.)
#' @section Quantiles of rows and of draws: Beside the quantiles of the training rows (of at most 16384 of them, spread
#'   over all, with their weights) stand those of draws: as many as rows, 10000 at least (fewer, but not below 1000, for
#'   many columns, large flows and [layer_continuous()]); of a conditional fit, at the conditions of the rows. The draws
#'   are made when the fit is, by a seed of their own. What rows and draws are in the middle should be much the same.
#'   The ends, 0 and 100 per cent, lie further out for more draws than rows. A column is marked where a draw
#'   lies more than 10 times as far from the median of the rows as the furthest row; where there are m draws of fewer n
#'   rows, 10 (m / n)^xi times, with Hill's estimate xi of the tail index of the rows, three standard errors up, as in
#'   [check_flow()] (1/2 of fewer than 10 rows). Fits that were saved by a version without these quantiles have none.
#' @param object A fit; or a flow that was not fitted, of which there is less to tell.
#' @param x A summary.
#' @param digits Digits after the decimal point of log densities.
#' @param ... Not used.
#' @return A list of class `summary.bijectr_fit`: `call`, `description` (coordinates, layers and supports in words),
#'   `n_parameter`, `nobs`, `rows` (numbers of training and held-out rows), `na.action`, `censoring` (of censored times,
#'   see [fit_flow()], else `NULL`, as in that of a stack), `status`, `steps`, `epochs`,
#'   `seconds`, `best_step` (of the best validation, `NA` without one), `density` (a matrix of mean log densities in
#'   nats a row, in the units of the data, with rows `flow` and `normal` and columns `training` and `held out`),
#'   `loglik`, and `quantiles`: `NULL`, or a list of
#'   * `data` and `draws`: data frames with a row for each of the quantiles 0, 1, 25, 50, 75, 99 and 100 per cent and a
#'     column for each coordinate, in the classes and units of the data;
#'   * `far`: which columns are marked; `n`: rows looked at; `drawn`: draws; `broken`: draws that are no finite numbers.
#'
#'   Of a stack ([stack_members()]) it is one of class `summary.bijectr_stack`: `call`, `description` (coordinates and
#'   supports in words), `members` (a data frame, the largest weight first, of `member`, its label; `weight`; `flows`,
#'   their number; `held out`, the mean log density of rows held out; `gain`, over the normal), `held_out` (how rows
#'   were held out, and how many if not all were, in words), `nobs`, `na.action`, `left_out`, `status`, `seconds`,
#'   `reference`, `loglik` and `held_out_loglik` as the fit has them, see the section on stacks of [fit_flow()], and
#'   `quantiles` as above.
#'
#'   Of a fit to a log density it is one of class `summary.bijectr_target_fit`, with the `evaluation` of the fit, and
#'   `draws`: a data frame with one row a coordinate, `what`, the `mean`, the `sd` and the quantiles of 5 (`low`), 50
#'   (`median`) and 95 per cent (`high`) of 10,000 draws of the flow, by a seed of its own. Those of weighted draws are
#'   in [importance_sample()] and [as_draws.bijectr_target_fit].
#'
#'   Of a flow that was not fitted it is one of class `summary.bijectr_flow`: `description` and `n_parameter` as above,
#'   and `parts`, a data frame of the base and the layers, from base to data, with the number of parameters of each.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 200)
#' summary(fit)
#' summary(fit_flow(faithful, members = c("normal", "student_t", "full")))
#' summary(flow(coupling_flow(flow_layers = 2), d = 2))
#' @export
summary.bijectr_fit <- function(object, ...) {
  check_fit(object)
  reference <- object$reference
  density <- if (!is.null(reference)) {
    rbind(flow = c(reference$flow_train, reference$flow), normal = c(reference$normal_train, reference$normal))
  }
  if (!is.null(density)) colnames(density) <- c("training", "held out")
  validation <- object$history$validation
  structure(
    list(
      call = object$call,
      description = c(
        coordinates = format_coordinates(object), layers = format_layers(object), support = format_supports(object)
      ),
      n_parameter = length(object$params),
      nobs = object$nobs,
      rows = lengths(object$rows[c("train", "validation")]),
      na.action = object$na.action,
      censoring = object$censoring,
      status = object$status,
      steps = object$steps,
      epochs = object$epochs,
      seconds = object$seconds,
      best_step = if (all(is.na(validation))) NA_real_ else object$history$step[which.min(validation)],
      density = density,
      loglik = object$loglik,
      quantiles = summary_quantiles(object)
    ),
    class = "summary.bijectr_fit"
  )
}

# What each status means, in words.
STATUS_MEANING <- c(
  finished = "all steps were made", max_epochs = "all epochs were made",
  converged = "no gain for `patience` validations",
  time_limit = "the time was up", stopped = "the callback stopped it", interrupted = "interrupted; resume() goes on",
  diverged = "the loss was not finite", failed = "an error ended it; resume() goes on"
)

#' @rdname summary.bijectr_fit
#' @export
print.summary.bijectr_fit <- function(x, digits = 3, ...) {
  digits <- check_count(digits, "digits", min = 0, max = 15)
  cat("Normalizing flow: ", x$description[["coordinates"]], "\n\n", sep = "")
  if (!is.null(x$call)) cat_labelled("Call:", paste(deparse(x$call), collapse = " "))
  cat_labelled("Layers:", x$description[["layers"]])
  if ("support" %in% names(x$description)) cat_labelled("Support:", x$description[["support"]])
  cat_labelled("Parameters:", format(x$n_parameter, big.mark = ","))
  if (length(x$rows)) {
    rows <- format(x$rows, big.mark = ",", trim = TRUE)
    left_out <- if (length(x$na.action)) paste0(", ", stats::naprint(x$na.action))
    cat_labelled("Rows:", paste0(rows[["train"]], " for training, ", rows[["validation"]], " held out", left_out))
  }
  if (!is.null(x$censoring)) cat_labelled("", format_censoring(x$censoring))
  cat_labelled("Training:", format_training(x))
  if (x$status %in% names(STATUS_MEANING)) cat_labelled("", STATUS_MEANING[[x$status]])
  if (!is.na(x$best_step)) cat_labelled("", paste("best validation at step", format(x$best_step, big.mark = ",")))
  if (!is.null(x$density)) {
    cat("\nMean ", likelihood_words(x), ", in nats a row:\n", sep = "")
    shown <- x$density[, !is.na(x$density["flow", ]), drop = FALSE]
    if (is.null(x$censoring)) {
      shown <- rbind(shown, gain = shown["flow", ] - shown["normal", ])
    } else {
      shown <- shown["flow", , drop = FALSE] # there is no normal beside it
    }
    print(formatC(shown, digits = digits, format = "f"), quote = FALSE, right = TRUE)
  }
  print_quantiles(x$quantiles)
  invisible(x)
}

# What is said in words, behind a label.
cat_labelled <- function(label, text) {
  indent <- formatC(label, width = -13)
  cat(strwrap(text, initial = indent, prefix = strrep(" ", 13), width = getOption("width")), sep = "\n")
}

#' @rdname summary.bijectr_fit
#' @export
summary.bijectr_flow <- function(object, ...) {
  check_unused(...)
  check_object(object)
  slots <- param_slots(object)
  layers <- object$layers$layers
  of <- vapply(slots, function(slot) if (slot$path[1] == "base") 0L else as.integer(slot$path[2]), 0L)
  sizes <- lengths(lapply(slots, `[[`, "index"))
  structure(
    list(
      description = c(coordinates = format_coordinates(object), layers = format_layers(object)),
      n_parameter = length(object$params),
      parts = data.frame(
        part = c(paste(object$base$kind, "base"), vapply(layers, brief, "")),
        parameters = vapply(0:length(layers), function(i) sum(sizes[of == i]), 0)
      )
    ),
    class = "summary.bijectr_flow"
  )
}

#' @export
print.summary.bijectr_flow <- function(x, ...) {
  cat("Flow, not fitted: ", x$description[["coordinates"]], "\n\n", sep = "")
  cat_labelled("Layers:", x$description[["layers"]])
  cat_labelled("Parameters:", format(x$n_parameter, big.mark = ","))
  cat("\nFrom base to data:\n")
  shown <- format(x$parts$parameters, big.mark = ",")
  cat(paste0("  ", format(x$parts$part), "  ", shown, "\n"), sep = "")
  invisible(x)
}

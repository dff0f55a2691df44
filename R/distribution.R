#' Density, distribution function, quantiles and draws
#'
#' A flow in the manner of [dnorm()] and its siblings. Distribution and quantile functions exist for one coordinate: a
#' flow is then a monotone map of its base, so both are exact, far into the tails. Those of a stack are weighted means
#' of its members' distribution functions, and their inverse, which is found by bracketing.
#'
#' @param x,q Points in the units of the data: a numeric vector for one coordinate; for more, `dflow()` takes a matrix
#'   or data frame with one column a coordinate. `q` may be infinite.
#' @param p Probabilities, or their logarithms if `log.p`.
#' @param n Number of draws.
#' @param object A flow or a fit.
#' @param condition Values of the conditioning variables: rows that go with points, probabilities or draws one by one;
#'   the shorter of both is repeated, as R's distribution functions do, where its number divides that of the other.
#' @param log,log.p If `TRUE`, densities and probabilities are given as logarithms.
#' @param lower.tail If `TRUE`, probabilities are \eqn{P(X \le q)}, otherwise \eqn{P(X > q)}.
#' @return Numeric vectors: `dflow()` densities (per unit of the data), `pflow()` probabilities, `qflow()` values in the
#'   units and of the class of the data; `NA` where a value of the points, the probabilities or the
#'   conditions is missing. `rflow()`:
#'   draws, a vector for one coordinate, otherwise as [sample()] returns them.
#' @seealso [predict.bijectr_flow()], [logdensity()], [sample()]
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful$waiting, steps = 200)
#' dflow(c(50, 65, 80), fit)
#' pflow(60, fit) # share of waits of less than an hour
#' qflow(c(0.05, 0.5, 0.95), fit)
#' quantile(fit, c(0.05, 0.95))
#' median(fit)
#' rflow(3, fit)
#'
#' # quartiles given each of two waits, a row each
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 200)
#' quantile(fit, c(0.25, 0.5, 0.75), condition = data.frame(waiting = c(50, 80)))
#' # in qflow() rows of probabilities and of conditions go together
#' qflow(c(0.25, 0.75), fit, condition = data.frame(waiting = c(50, 80)))
#' @export
dflow <- function(x, object, condition = NULL, log = FALSE) {
  check_given("x", "object")
  check_object(object)
  check_flag(log, "log")
  both <- go_together(object, x, condition, "x")
  value <- log_density(object, both$x, "x", both$condition)
  if (log) value else exp(value)
}

#' @rdname dflow
#' @export
pflow <- function(q, object, condition = NULL, lower.tail = TRUE, log.p = FALSE) {
  check_given("q", "object")
  check_object(object)
  both <- go_together(object, q, condition, "q")
  flow_cdf(object, both$x, both$condition, "q", check_flag(lower.tail, "lower.tail"), check_flag(log.p, "log.p"))
}

#' @rdname dflow
#' @export
qflow <- function(p, object, condition = NULL, lower.tail = TRUE, log.p = FALSE) {
  check_given("p", "object")
  check_object(object)
  both <- go_together(object, p, condition, "p")
  flow_quantile(object, both$x, both$condition, "p", check_flag(lower.tail, "lower.tail"), check_flag(log.p, "log.p"))
}

#' @rdname dflow
#' @export
rflow <- function(n, object, condition = NULL) {
  check_given("n", "object")
  check_object(object)
  if (object$d == 1 && is.null(object$dropped)) object["form"] <- list(list(kind = "vector"))
  n <- check_count(n, "n", min = 0)
  rows <- condition_rows(object, condition)
  if (rows > 1 && n %% rows == 0) condition <- repeat_given(condition, rep_len(seq_len(rows), n))
  drawn_as_data(object, n, condition)
}

#' @rdname dflow
#' @param probs Probabilities.
#' @param names Whether the quantiles are named by their probabilities, as those of numbers are.
#' @param na.rm,... Not used.
#' @return `quantile()`: as `qflow()` at `probs`, with names; for several rows of conditions a matrix, a row for each of
#'   them and a column for each of `probs`, of plain numbers; `median()`: the quantile at 1/2, one for each row of
#'   conditions; `mean()`: as [predict()][predict.bijectr_flow()] with `type = "response"`. Of more than one coordinate
#'   quantiles and medians are an error: [summary()][summary.bijectr_fit()] shows quantiles of
#'   each column, and those of draws, `quantile(sample(fit, 1e5)[, 1])`, are to be had at any probability. Of a stack
#'   with a support that was found, not given, the quantiles at 0 and 1 are infinite: it may be wrong, see [supports].
#' @importFrom stats quantile median
#' @export
quantile.bijectr_flow <- function(x, probs = seq(0, 1, 0.25), condition = NULL, names = TRUE, ...) {
  check_unused(...)
  check_object(x)
  check_has_quantiles(x)
  check_flag(names, "names")
  p <- check_probabilities(probs, "probs", FALSE)
  labels <- percent_labels(p)
  rows <- condition_rows(x, condition)
  if (rows == 1) {
    value <- flow_quantile(x, probs, condition, "probs")
    if (names) names(value) <- labels
    return(value)
  }
  columns <- lapply(p, function(one) as.vector(flow_quantile(x, rep(one, rows), condition, "condition")))
  value <- unlist(columns)
  value <- matrix(if (is.character(value)) value else as.double(value), rows, length(p))
  if (names) dimnames(value) <- list(NULL, labels)
  value
}

percent_labels <- function(p) {
  ifelse(is.na(p), "", paste0(formatC(100 * p, format = "fg", width = 1, digits = 7), "%"))
}

#' @rdname dflow
#' @export
median.bijectr_flow <- function(x, na.rm = FALSE, condition = NULL, ...) {
  check_unused(...)
  check_object(x)
  check_has_quantiles(x)
  flow_quantile(x, rep(0.5, condition_rows(x, condition)), condition, "condition")
}

#' @rdname dflow
#' @export
mean.bijectr_flow <- function(x, na.rm = FALSE, condition = NULL, ...) {
  check_unused(...)
  check_object(x)
  flow_response(x, NULL, condition)
}

check_has_quantiles <- function(flow) {
  if (flow$d == 1) return(check_order(flow))
  stop_arg(c(
    "Quantiles and medians are those of one coordinate; this flow has {flow$d}.",
    i = "Of one of its columns they can be had from draws: {.code quantile(sample(x, 1e5)[, 1])}; {.fn summary} of a
         fit shows some of each."
  ))
}

# ---- one coordinate --------------------------------------------------------------------------------------------------

flow_cdf <- function(flow, q, condition, name, lower_tail = TRUE, log_p = FALSE) {
  check_one_coordinate(flow)
  ends <- if (is.numeric(q)) which(q == Inf | q == -Inf)
  end_value <- if (length(ends)) q[ends]
  if (length(ends)) {
    finite <- any(is.finite(q))
    q[ends] <- 0
    if (!finite) q <- decoded(flow, matrix(as.double(q)), 1) # infinite in any unit
  }
  at <- take_in(flow, q, name, condition, gaps = TRUE)
  if (at$n == 0) return(put_back(numeric(), at))
  points <- column(at$points, 1)
  if (length(ends)) {
    here <- if (is.null(at$kept)) ends else match(ends, at$kept) # none where the condition is missing
    points[here[!is.na(here)]] <- end_value[!is.na(here)]
  }
  if (is_whole(flow)) points <- floor(points) + 0.5
  value <- points_cdf(flow, matrix(points), at$condition, lower_tail, log_p)
  # not at an end of the line either, see take_response()
  nowhere <- !is.null(flow$response) & at$off & column(at$points, 1) == 0
  if (any(nowhere)) {
    value[nowhere] <- NA
    cli::cli_warn(
      "{sum(nowhere)} row{?s} of {.arg {name}} {?has/have} no place on the left side of the formula: {?its/their}
       probability is {.val {NA}}.",
      class = "bijectr_warning_outside"
    )
  }
  put_back(value, at)
}

flow_quantile <- function(flow, p, condition, name, lower_tail = TRUE, log_p = FALSE) {
  check_one_coordinate(flow)
  p <- check_probabilities(p, name, log_p)
  given <- take_condition(flow, condition, length(p), gaps = TRUE)
  if (is_part(flow)) given <- rows_given(flow, length(p), name)
  at <- leave_gaps_out(matrix(p), given, length(p))
  value <- if (at$n > 0) points_quantile(flow, at$points[, 1], at$condition, lower_tail, log_p) else numeric()
  decoded(flow, matrix(put_back(value, at)), 1)
}

check_one_coordinate <- function(flow) {
  if (flow$d == 1) return(check_order(flow))
  stop_arg(c(
    "Distribution and quantile functions need a flow of one coordinate; this one has {flow$d}.",
    i = "Probabilities of regions can be had from draws: {.code mean(sample(object, 1e5)[, 1] < 3)}."
  ))
}

check_order <- function(flow) {
  codec <- flow$codecs[[1]]
  if (!is_levels(codec) || codec$as == "ordered") return(invisible())
  stop_arg(c(
    "{.field {coordinate_labels(flow)}} has levels without order: it has no distribution function and no quantiles.",
    i = "{.code predict(type = \"probability\")} and {.code type = \"class\"} predict levels."
  ))
}

check_probabilities <- function(p, name, log_p) {
  if (is.data.frame(p) && ncol(p) == 1) p <- p[[1]]
  p <- blanks_to_numbers(p)
  if (!is.numeric(p)) stop_arg("{.arg {name}} must be a vector of probabilities, not {.obj_type_friendly {p}}.")
  p <- as.double(p)
  bad <- which(if (log_p) p > 0 else p < 0 | p > 1) # a missing one is given back as such
  if (length(bad)) {
    range <- if (log_p) "logarithms of probabilities, 0 or less" else "probabilities between 0 and 1"
    stop_arg("{.arg {name}} must hold {range}; element {bad[1]} is {p[bad[1]]}.")
  }
  p
}

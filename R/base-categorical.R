#' Categorical base distribution
#'
#' One coordinate of codes: the points are 0, 1, ..., `levels - 1`, and the density of a flow on it is the probability
#' of a code. Given conditions, and with a net, it is the classifier of multinomial logistic regression, or a neural
#' one.
#'
#' @details
#' \deqn{\log P(x = j | c) = \eta_j(c) - \log \sum_i \exp \eta_i(c)}{log P(x = j | c) = eta_j(c) - log(sum_i
#' exp(eta_i(c)))} with \eqn{\eta(c)}{eta(c)} the outputs of the net. At a point that is no code the log density is
#' `-Inf`. Codes cannot be stretched or shifted: there are no layers before it, `layers = list()`, and [fit_flow()]
#' takes the numbers as they are, neither standardized nor with noise.
#'
#' [pflow()] gives \eqn{P(X \le q)}{P(X <= q)} for any number, [qflow()] the smallest code whose probability of being
#' that or less is as large as asked for. Draws are no differentiable function of the probabilities: it cannot be
#' trained against a log density, only on data.
#'
#' @section Parameters:
#' Without a net, or without conditions, `logit`, one a level, 0 at the start; with one the parameters of the net under
#' `net`.
#'
#' @param levels Number of levels, from 2 to 1000.
#' @param net A net of the conditions, see [net_mlp()]; `NULL`: the same probabilities whatever they are.
#' @return A base distribution: an object of class `bijectr_base`, for the `base` of [flow()] and [fit_flow()]. It is a
#'   plain list and prints as the call that makes it.
#' @references Bishop (2006), *Pattern Recognition and Machine Learning*, section 4.3.4, for multiclass logistic
#'   regression.
#' @family base distributions
#' @examples
#' f <- flow(list(), d = 1, base = base_categorical(3))
#' params(f)$base$logit <- log(c(0.5, 0.3, 0.2))
#' exp(logdensity(f, 0:2))
#' pflow(1, f)
#'
#' # the species of irises given the sizes of their flowers
#' code <- as.integer(iris$Species) - 1
#' set.seed(1)
#' fit <- fit_flow(code, condition = iris[1:4], base = base_categorical(3, net_mlp(16)), steps = 300)
#' exp(logdensity(fit, 0:2, condition = iris[rep(100, 3), 1:4]))
#' @export
base_categorical <- function(levels, net = NULL) {
  check_given("levels")
  new_spec("base", "categorical",
    levels = check_count(levels, "levels", min = 2, max = 1000), net = check_base_net(net)
  )
}

#' @export
is_discrete.bijectr_base_categorical <- function(base) TRUE

#' @export
given_raw.bijectr_base_categorical <- function(base, given) list(logit = given)

# Sums from the end that is asked for, so that small ones have their digits. `logit` is a vector, or a row each.
#' @export
base_distribution.bijectr_base_categorical <- function(base, raw) {
  logit <- if (is.matrix(raw$logit)) raw$logit else matrix(raw$logit, 1)
  weight <- exp(logit - apply(logit, 1, max))
  p <- weight / rowSums(weight)
  n <- ncol(p)
  below <- above <- p # of the codes up to each; of those beyond it
  above[, n] <- 0
  for (j in seq_len(n)[-1]) below[, j] <- below[, j - 1] + p[, j]
  for (j in rev(seq_len(n - 1))) above[, j] <- above[, j + 1] + p[, j + 1]
  below[, n] <- 1
  row_of <- function(size) rep_len(seq_len(nrow(p)), size)
  cdf <- function(z, lower.tail = TRUE, log.p = FALSE) {
    code <- pmin(floor(z), n - 1)
    inside <- which(code >= 0)
    value <- rep(if (lower.tail) 0 else 1, length(z))
    value[is.na(z)] <- NA
    table <- if (lower.tail) below else above
    value[inside] <- table[cbind(row_of(length(z))[inside], code[inside] + 1)]
    if (log.p) log(value) else value
  }
  quantile <- function(p, lower.tail = TRUE, log.p = FALSE) {
    if (log.p) p <- exp(p)
    rows <- row_of(length(p))
    code <- numeric(length(p))
    for (j in seq_len(n - 1)) code <- code + if (lower.tail) below[rows, j] < p else above[rows, j] > p
    code
  }
  list(cdf = cdf, quantile = quantile)
}

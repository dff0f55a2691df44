# Held-out pinball loss (mean over the probabilities 0.05, 0.25, 0.5, 0.75, 0.95) and log score of fit_flow(formula, data)
# with its defaults beside regressions that R users have: quantreg::rq with natural splines of numbers (quantiles only),
# mgcv::gam with family gaulss (smooth mean and scale), and lm. By 10-fold cross-validation.
#
#   Rscript bench/pinball.R [tables] [seeds]     e.g.  Rscript bench/pinball.R mcycle,airquality 1,2,3
#
# Needs MASS, quantreg and mgcv. gamlss, where it is installed, is asked too (family NO, smooth mean and scale).
suppressPackageStartupMessages(library(bijectr))
options(bijectr.threads = 1L)
PROBS <- c(0.05, 0.25, 0.5, 0.75, 0.95)

# `smooth`: numbers that regressions take through a spline; others enter as they are.
tables <- list(
  mcycle = list(data = MASS::mcycle, response = "accel", smooth = "times"),
  airquality = list(
    data = stats::na.omit(datasets::airquality[1:4]), response = "Ozone", smooth = c("Solar.R", "Wind", "Temp")
  ),
  Boston = list(
    data = MASS::Boston[c("medv", "lstat", "rm", "dis", "ptratio", "nox")], response = "medv",
    smooth = c("lstat", "rm", "dis", "ptratio", "nox")
  ),
  cats = list(data = MASS::cats, response = "Hwt", smooth = "Bwt"),
  faithful = list(data = datasets::faithful, response = "eruptions", smooth = "waiting"),
  quakes = list(data = datasets::quakes[c("depth", "lat", "long", "mag")], response = "depth", smooth = c("lat", "long", "mag"))
)

pinball <- function(y, q) mean(vapply(seq_along(PROBS), function(k) {
  e <- y - q[, k]
  mean(pmax(PROBS[k] * e, (PROBS[k] - 1) * e))
}, 0))

formula_of <- function(table, wrap) {
  others <- setdiff(names(table$data), table$response)
  terms <- ifelse(others %in% table$smooth, sprintf(wrap, others), others)
  stats::as.formula(paste(table$response, "~", paste(terms, collapse = " + ")))
}

normal_scores <- function(y, mean, sd) {
  c(pinball(y, outer(sd, stats::qnorm(PROBS)) + mean), mean(stats::dnorm(y, mean, sd, log = TRUE)))
}

# Each gives c(pinball loss, log score) of held-out rows.
methods <- list(
  flow = function(table, train, test) {
    fit <- suppressWarnings(suppressMessages(fit_flow(formula_of(table, "%s"), data = train)))
    q <- suppressWarnings(predict(fit, test, "quantile", p = PROBS))
    c(pinball(test[[table$response]], q), mean(suppressWarnings(logdensity(fit, test))))
  },
  rq = function(table, train, test) {
    fit <- suppressWarnings(quantreg::rq(formula_of(table, "splines::ns(%s, 4)"), PROBS, data = train))
    c(pinball(test[[table$response]], t(apply(suppressWarnings(stats::predict(fit, test)), 1, sort))), NA)
  },
  gaulss = function(table, train, test) {
    values <- min(vapply(train[table$smooth], function(x) length(unique(x)), 1L))
    most <- if (length(table$smooth) == 1 && nrow(train) > 100) 20 else 10
    mean <- formula_of(table, paste0("s(%s, k = ", min(most, values - 1), ")"))
    scale <- mean[-2]
    fit <- mgcv::gam(list(mean, scale), family = mgcv::gaulss(), data = train)
    at <- stats::predict(fit, test, type = "response")
    normal_scores(test[[table$response]], at[, 1], 1 / at[, 2])
  },
  lm = function(table, train, test) {
    fit <- stats::lm(formula_of(table, "%s"), data = train)
    normal_scores(test[[table$response]], stats::predict(fit, test), rep(summary(fit)$sigma, nrow(test)))
  }
)
if (requireNamespace("gamlss", quietly = TRUE)) {
  methods$gamlss <- function(table, train, test) {
    mean <- formula_of(table, "gamlss::pb(%s)")
    fit <- gamlss::gamlss(mean, mean[-2], data = train, trace = FALSE)
    at <- gamlss::predictAll(fit, newdata = test, data = train)
    normal_scores(test[[table$response]], at$mu, at$sigma)
  }
}

a <- commandArgs(TRUE)
chosen <- if (length(a) > 0 && nzchar(a[1])) strsplit(a[1], ",")[[1]] else names(tables)
seeds <- if (length(a) > 1) as.integer(strsplit(a[2], ",")[[1]]) else 1L
cat(sprintf("%-11s %5s", "table", "rows"), sprintf("%8s %7s", names(methods), "log"), "\n")
for (name in chosen) {
  table <- tables[[name]]
  n <- nrow(table$data)
  scores <- array(0, c(length(methods), 2, length(seeds)))
  for (s in seq_along(seeds)) {
    set.seed(seeds[s])
    fold <- base::sample(rep_len(1:10, n))
    for (m in seq_along(methods)) {
      for (k in 1:10) {
        one <- methods[[m]](table, table$data[fold != k, ], table$data[fold == k, ])
        scores[m, , s] <- scores[m, , s] + one * mean(fold == k)
      }
    }
  }
  mean <- apply(scores, 1:2, mean)
  cat(sprintf("%-11s %5d", name, n), sprintf("%8.3f %7.3f", mean[, 1], mean[, 2]), "\n")
}

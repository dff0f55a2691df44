# Held-out pinball loss (mean over the probabilities 0.05, 0.25, 0.5, 0.75, 0.95) and log score of fit_flow(formula, data)
# with its defaults beside regressions that R users have: quantreg::rq with natural splines of numbers (quantiles only),
# mgcv::gam with family gaulss (smooth mean and scale), and lm. By 10-fold cross-validation.
#
#   Rscript bench/pinball.R [tables] [seeds] [methods]     e.g.  Rscript bench/pinball.R mcycle,airquality 1,2,3 flow,rq
#
# A line a seed, then their mean and standard deviation. Needs MASS, quantreg and mgcv. gamlss, where it is installed, is asked too (family NO, smooth mean and scale).
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

quiet <- function(expr) {
  utils::capture.output(value <- suppressWarnings(suppressMessages(expr)))
  value
}

# Seconds that fit_flow(), quantiles and densities of it took, and how many rows were asked.
spent <- c(fit = 0, quantiles = 0, density = 0, fits = 0, rows = 0)
clock <- function(what, expr) {
  seconds <- system.time(expr)[["elapsed"]]
  spent[[what]] <<- spent[[what]] + seconds
  expr
}

# Each gives c(pinball loss, log score) of held-out rows.
methods <- list(
  flow = function(table, train, test) {
    fit <- clock("fit", quiet(fit_flow(formula_of(table, "%s"), data = train)))
    q <- clock("quantiles", quiet(predict(fit, test, "quantile", p = PROBS)))
    density <- clock("density", quiet(logdensity(fit, test)))
    spent[c("fits", "rows")] <<- spent[c("fits", "rows")] + c(1, nrow(test))
    c(pinball(test[[table$response]], q), mean(density))
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
  suppressPackageStartupMessages(library(gamlss)) # it knows its smoothers by their bare names only: gamlss::pb(x) is a line
  methods$gamlss <- function(table, train, test) {
    mean <- formula_of(table, "pb(%s)")
    score <- function(scale) {
      fit <- gamlss::gamlss(mean, scale, data = train, trace = FALSE)
      at <- gamlss::predictAll(fit, newdata = test, data = train)
      normal_scores(test[[table$response]], at$mu, at$sigma)
    }
    # some fits with a smooth scale end in an error: these get a constant one
    quiet(tryCatch(score(mean[-2]), error = function(e) score(~1)))
  }
}

a <- commandArgs(TRUE)
chosen <- if (length(a) > 0 && nzchar(a[1])) strsplit(a[1], ",")[[1]] else names(tables)
seeds <- if (length(a) > 1 && nzchar(a[2])) as.integer(strsplit(a[2], ",")[[1]]) else 1L
if (length(a) > 2) methods <- methods[strsplit(a[3], ",")[[1]]]
line <- function(name, n, what, scores, seconds) {
  cat(sprintf("%-11s %5d %-6s", name, n, what), sprintf("%9.4f %7.4f", scores[, 1], scores[, 2]), sprintf("%6.0f\n", seconds))
}
cat(sprintf("%-11s %5s %-6s", "table", "rows", "seed"), sprintf("%9s %7s", names(methods), "log"), "seconds\n")
for (name in chosen) {
  table <- tables[[name]]
  n <- nrow(table$data)
  scores <- array(0, c(length(methods), 2, length(seeds)))
  for (s in seq_along(seeds)) {
    set.seed(seeds[s])
    fold <- base::sample(rep_len(1:10, n))
    seconds <- system.time(for (m in seq_along(methods)) {
      for (k in 1:10) {
        one <- methods[[m]](table, table$data[fold != k, ], table$data[fold == k, ])
        scores[m, , s] <- scores[m, , s] + one * mean(fold == k)
      }
    })[["elapsed"]]
    line(name, n, seeds[s], matrix(scores[, , s], ncol = 2), seconds)
  }
  if (spent[["fits"]] > 0) {
    cat(sprintf(
      "  fit_flow: %.1f s a fit, %.4f s a row for %d quantiles, %.5f for a density\n", spent[["fit"]] / spent[["fits"]],
      spent[["quantiles"]] / spent[["rows"]], length(PROBS), spent[["density"]] / spent[["rows"]]
    ))
    spent[] <- 0
  }
  if (length(seeds) > 1) {
    line(name, n, "mean", apply(scores, 1:2, mean), NA)
    line(name, n, "sd", apply(scores, 1:2, stats::sd), NA)
  }
}

# What fit_flow(table) is worth beside what R users have: five-fold held-out log density, nats a row, of columns that
# are standardised by the training rows; seconds a fit on the two cores of the machine.
#
#   Rscript bench/defaults.R [tables, comma separated] [seeds of the folds, comma separated] [conditional tables: a
#   folder with tables and splits, as of Hernandez-Lobato and Adams (2015)]
#
# Rivals are tried where their packages are installed: mclust (up to 9 components by BIC), ks (plug-in bandwidth, up to
# 4 columns), arf (adversarial random forests); a normal and a multivariate t by maximum likelihood always are.
suppressMessages(library(bijectr))
arguments <- commandArgs(TRUE)
has <- function(package) requireNamespace(package, quietly = TRUE)

source("bench/lib/tables.R") # from the root of the sources

normal <- function(train, test) {
  cov <- stats::cov(train)
  distance <- stats::mahalanobis(test, colMeans(train), cov)
  -0.5 * (distance + as.numeric(determinant(cov)$modulus) + ncol(test) * log(2 * pi))
}

student_t <- function(train, test) {
  d <- ncol(train)
  density <- function(x, center, scale, df) {
    lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - 0.5 * as.numeric(determinant(scale)$modulus) -
      (df + d) / 2 * log1p(stats::mahalanobis(x, center, scale) / df)
  }
  best <- NULL
  for (df in c(2, 3, 5, 8, 15, 40)) {
    center <- colMeans(train)
    scale <- stats::cov(train)
    for (step in 1:100) {
      w <- (df + d) / (df + stats::mahalanobis(train, center, scale))
      center <- colSums(w * train) / sum(w)
      scale <- crossprod(sqrt(w) * sweep(train, 2, center)) / nrow(train)
    }
    value <- mean(density(train, center, scale, df))
    if (is.null(best) || value > best$value) best <- list(value = value, center = center, scale = scale, df = df)
  }
  density(test, best$center, best$scale, best$df)
}

methods <- list(normal = normal, t = student_t)
if (has("mclust")) {
  methods$mclust <- function(train, test) {
    mclustBIC <- mclust::mclustBIC # which it looks for where it is called
    fit <- mclust::densityMclust(train, G = 1:9, verbose = FALSE, plot = FALSE)
    stats::predict(fit, test, logarithm = TRUE)
  }
}
if (has("ks")) {
  methods$ks <- function(train, test) {
    if (ncol(train) > 4) return(rep(NA, nrow(test)))
    log(pmax(ks::kde(train, H = ks::Hpi(train), eval.points = test)$estimate, 1e-30))
  }
}
if (has("arf")) {
  methods$arf <- function(train, test) {
    forest <- suppressWarnings(arf::adversarial_rf(as.data.frame(train), verbose = FALSE, parallel = FALSE))
    leaves <- arf::forde(forest, as.data.frame(train), parallel = FALSE)
    arf::lik(leaves, as.data.frame(test), arf = forest, parallel = FALSE)
  }
}
methods$stack <- function(train, test) {
  suppressWarnings(logdensity(fit_flow(as.data.frame(train)), as.data.frame(test)))
}

compare <- function(x, seed) {
  set.seed(seed)
  fold <- sample(rep_len(1:5, nrow(x)))
  value <- seconds <- stats::setNames(numeric(length(methods)), names(methods))
  for (k in 1:5) {
    train <- x[fold != k, ]
    center <- colMeans(train)
    spread <- apply(train, 2, stats::sd)
    test <- scale(x[fold == k, , drop = FALSE], center, spread)
    train <- scale(train, center, spread)
    for (name in names(methods)) {
      set.seed(k)
      time <- system.time({
        log_density <- tryCatch(methods[[name]](train, test), error = function(e) rep(NA, nrow(test)))
      })
      seconds[name] <- seconds[name] + time[["elapsed"]] / 5
      value[name] <- value[name] + sum(log_density) / nrow(x)
    }
  }
  list(value = value, seconds = seconds)
}

chosen <- if (length(arguments) && nzchar(arguments[1])) strsplit(arguments[1], ",")[[1]] else names(tables)[1:12]
seeds <- if (length(arguments) > 1) as.integer(strsplit(arguments[2], ",")[[1]]) else 1
shown <- function(x) paste(formatC(x, digits = 3, format = "f", width = 9), collapse = " ")
cat(sprintf("%-12s %5s %3s", "table", "n", "d"), sprintf("%9s", c(names(methods), "rival - us", "seconds")), "\n")
for (name in chosen) {
  x <- tryCatch(tables[[name]](), error = function(e) NULL)
  if (is.null(x)) {
    cat(sprintf("%-12s is in a package that is not installed\n", name))
    next
  }
  runs <- lapply(seeds, function(seed) compare(x, seed))
  value <- Reduce(`+`, lapply(runs, `[[`, "value")) / length(runs)
  seconds <- mean(vapply(runs, function(run) run$seconds[["stack"]], 0))
  rivals <- value[setdiff(names(value), "stack")]
  behind <- max(rivals[is.finite(rivals)]) - value[["stack"]]
  cat(sprintf("%-12s %5d %3d", name, nrow(x), ncol(x)), shown(c(value, behind)), sprintf("%9.1f", seconds), "\n")
}

# ---- conditional densities -------------------------------------------------------------------------------------------

if (length(arguments) > 2) {
  cat(sprintf("\n%-20s %5s %3s %9s %9s %9s %9s\n", "y given x, -log p", "n", "p", "stack", "worst", "one flow", "seconds"))
  folder <- arguments[3]
  for (name in list.dirs(folder, full.names = FALSE, recursive = FALSE)) {
    file <- function(part) file.path(folder, name, part)
    x <- as.matrix(utils::read.table(gzfile(file("data.txt.gz"))))
    columns <- scan(file("index_features.txt"), quiet = TRUE) + 1
    data <- data.frame(y = x[, scan(file("index_target.txt"), quiet = TRUE) + 1], x[, columns, drop = FALSE])
    data <- data[vapply(data, function(v) length(unique(v)) > 1, NA)]
    splits <- lapply(strsplit(readLines(file("test_rows.txt")), " "), function(v) as.integer(v) + 1L)
    found <- vapply(seq_len(min(10, length(splits))), function(k) {
      test <- splits[[k]]
      loss <- function(...) {
        set.seed(k)
        fit <- suppressWarnings(suppressMessages(fit_flow(y ~ ., data = data[-test, ], ...)))
        -mean(suppressWarnings(logdensity(fit, data[test, ])))
      }
      time <- system.time(stack <- loss())[["elapsed"]]
      c(stack, loss(members = 1), time)
    }, numeric(3))
    cat(sprintf(
      "%-20s %5d %3d %9.3f %9.3f %9.3f %9.1f\n", name, nrow(data), ncol(data) - 1, mean(found[1, ]), max(found[1, ]),
      mean(found[2, ]), mean(found[3, ])
    ))
  }
}

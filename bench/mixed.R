# Held-out log densities of tables of mixed columns, in nats a row, by 5-fold cross-validation: fit_flow(data) with its
# defaults beside adversarial random forests (the package arf) and a naive chain (each column of levels by multinomial
# regression on those before it, then normal distributions by cell of these columns).
#
#   Rscript bench/mixed.R [tables] [seeds] [methods]     e.g.  Rscript bench/mixed.R iris,mpg 1,2 flow,arf
#
# Log densities are with respect to counting measure for factors, logical columns and text, and to Lebesgue measure, in
# the units of the table, for numbers; the probability of a whole number stands beside densities of it, which are the
# same per unit. Needs arf, nnet, MASS, mlbench, survival and ggplot2.
suppressPackageStartupMessages(library(bijectr))

tables <- list(
  iris = function() iris,
  diamonds = function() {
    set.seed(1)
    as.data.frame(ggplot2::diamonds)[base::sample(nrow(ggplot2::diamonds), 5000), ]
  },
  Cars93 = function() {
    d <- MASS::Cars93
    stats::na.omit(d[setdiff(names(d), c("Manufacturer", "Model", "Make"))]) # names of single rows
  },
  mpg = function() as.data.frame(ggplot2::mpg),
  infert = function() datasets::infert[setdiff(names(datasets::infert), c("stratum", "pooled.stratum"))],
  warpbreaks = function() datasets::warpbreaks,
  lung = function() stats::na.omit(survival::lung),
  pbc = function() stats::na.omit(survival::pbc[-1]),
  colon = function() stats::na.omit(survival::colon[survival::colon$etype == 2, -c(1, 2, 16)]),
  BreastCancer = function() {
    data("BreastCancer", package = "mlbench", envir = environment())
    stats::na.omit(get("BreastCancer")[-1])
  },
  Servo = function() {
    data("Servo", package = "mlbench", envir = environment())
    get("Servo")
  }
)

# Rivals have densities of whole numbers, which grow without bound at them. Of few values they are factors for the rivals,
# with probabilities as here; others are spread over (k - 1/2, k + 1/2], which makes densities of these.
FEW <- 15
for_rivals <- function(d) {
  whole <- vapply(d, function(x) is.numeric(x) && all(x == round(x)), NA)
  few <- whole & vapply(d, function(x) length(unique(x)) <= FEW, NA)
  d[few] <- lapply(d[few], factor)
  d[whole & !few] <- lapply(d[whole & !few], function(x) x + stats::runif(length(x), -0.5, 0.5))
  d
}

is_discrete <- function(x) is.factor(x) || is.character(x) || is.logical(x)

by_flow <- function(train, test) logdensity(suppressWarnings(suppressMessages(fit_flow(train))), test)

# arf::lik() of arf 0.2.5 is right where discrete columns are all that is asked for and rows differ, or where rows that
# agree in all of them stand next to each other and some do; else it takes the levels of one row for those of another, or
# leaves them out where a leaf has none of them, and what it returns does not integrate to 1 (to 15 and more, on mpg).
by_arf <- function(train, test) {
  forest <- suppressWarnings(arf::adversarial_rf(train, verbose = FALSE, parallel = FALSE))
  params <- suppressWarnings(arf::forde(forest, train, finite_bounds = "no", parallel = FALSE, alpha = 0.1))
  discrete <- vapply(test, is_discrete, NA)
  pattern <- do.call(paste, c(unname(test[discrete]), list(sep = "|")))
  if (all(discrete)) {
    asked <- unique(pattern)
    each <- suppressWarnings(arf::lik(params, test[match(asked, pattern), ], parallel = FALSE))
    return(each[match(pattern, asked)])
  }
  if (!any(discrete)) return(suppressWarnings(arf::lik(params, test, parallel = FALSE)))
  sorted <- order(pattern)
  twice <- suppressWarnings(arf::lik(params, test[rep(sorted, each = 2), ], parallel = FALSE))
  twice[c(TRUE, FALSE)][order(sorted)]
}

by_chain <- function(train, test) {
  discrete <- names(train)[vapply(train, is_discrete, NA)]
  both <- rbind(train, test)
  both[discrete] <- lapply(both[discrete], factor)
  train <- both[seq_len(nrow(train)), ]
  test <- both[-seq_len(nrow(train)), ]
  total <- numeric(nrow(test))
  for (k in seq_along(discrete)) {
    j <- discrete[k]
    given <- discrete[seq_len(k - 1)]
    used <- levels(train[[j]])
    # half a row more, spread over the levels; regressions by weights of such rows
    p <- if (!length(given)) {
      count <- table(train[[j]]) + 0.5 / length(used)
      matrix(count / sum(count), nrow(test), length(used), TRUE)
    } else {
      formula <- stats::reformulate(given, j)
      more <- train[rep(1, length(used)), ]
      more[[j]] <- factor(used, used)
      fit <- nnet::multinom(formula, rbind(train, more), weights = c(rep(1, nrow(train)), rep(0.5 / length(used), length(used))),
        decay = 0.01, trace = FALSE, MaxNWts = 1e5
      )
      q <- stats::predict(fit, test, type = "probs")
      if (length(used) == 2) cbind(1 - q, q) else matrix(q, nrow(test))
    }
    total <- total + log(p[cbind(seq_len(nrow(test)), as.integer(test[[j]]))])
  }
  numbers <- setdiff(names(train), discrete)
  if (!length(numbers)) return(total)
  x <- as.matrix(train[numbers])
  y <- as.matrix(test[numbers])
  density <- function(y, x, pooled) {
    s <- stats::cov(x)
    if (nrow(x) <= ncol(x) + 2 || inherits(try(chol(s), silent = TRUE), "try-error") || min(diag(s)) <= 0) s <- pooled
    r <- chol(s)
    -colSums(backsolve(r, t(y) - colMeans(x), transpose = TRUE)^2) / 2 - sum(log(diag(r))) - ncol(x) / 2 * log(2 * pi)
  }
  cell <- function(d) if (length(discrete)) do.call(paste, c(d[discrete], sep = "|")) else rep("", nrow(d))
  pooled <- stats::cov(x) + diag(1e-9 * apply(x, 2, stats::var), ncol(x))
  for (one in unique(cell(test))) {
    at <- which(cell(test) == one)
    from <- which(cell(train) == one)
    if (length(from) < 2) from <- seq_len(nrow(x))
    total[at] <- total[at] + density(y[at, , drop = FALSE], x[from, , drop = FALSE], pooled)
  }
  total
}

a <- commandArgs(TRUE)
chosen <- if (length(a) > 0 && nzchar(a[1])) strsplit(a[1], ",")[[1]] else names(tables)
seeds <- if (length(a) > 1) as.integer(strsplit(a[2], ",")[[1]]) else 1L
methods <- list(flow = by_flow, arf = by_arf, chain = by_chain)
if (length(a) > 2) methods <- methods[strsplit(a[3], ",")[[1]]]
cat(sprintf("%-13s %5s %3s", "table", "rows", "col"), sprintf("%9s %7s", names(methods), "s a fit"), "\n")
for (name in chosen) {
  d <- droplevels(tables[[name]]())
  row.names(d) <- NULL
  text <- vapply(d, is.character, NA)
  d[text] <- lapply(d[text], factor)
  forms <- list(flow = d, arf = for_rivals(d), chain = for_rivals(d))
  value <- second <- matrix(0, length(seeds), length(methods))
  for (s in seq_along(seeds)) {
    set.seed(seeds[s])
    fold <- base::sample(rep_len(1:5, nrow(d)))
    for (m in seq_along(methods)) {
      out <- numeric(nrow(d))
      second[s, m] <- system.time(for (k in 1:5) {
        out[fold == k] <- methods[[m]](forms[[names(methods)[m]]][fold != k, ], forms[[names(methods)[m]]][fold == k, ])
      })[["elapsed"]] / 5
      value[s, m] <- mean(pmax(out, -1e3)) # what is impossible counts as very unlikely
    }
  }
  cat(sprintf("%-13s %5d %3d", name, nrow(d), ncol(d)), sprintf("%9.3f %7.1f", colMeans(value), colMeans(second)), "\n")
}

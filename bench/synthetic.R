# Whether drawn tables can stand for the tables that a fit was made of, by five-fold cross-validation:
#
#   accuracy  of a forest (ranger) that tells one column from the others, on rows held out: trained on the rows of the
#             fit, and on as many draws of fit_flow(rows)
#   copies    the share of draws, and of rows held out, that equal a row of the fit in all columns; numbers of the table
#             and of draws are rounded alike, to the digits of the table. `z` is the difference in standard errors.
#
#   Rscript bench/synthetic.R [tables] [seeds]
#
# Needs ranger, mlbench, MASS and ggplot2.
suppressPackageStartupMessages(library(bijectr))

of_mlbench <- function(name) {
  data(list = name, package = "mlbench", envir = environment())
  get(name)
}

tables <- list(
  iris = list(function() iris, "Species"),
  BreastCancer = list(function() droplevels(stats::na.omit(of_mlbench("BreastCancer")[-1])), "Class"),
  PimaIndians = list(function() of_mlbench("PimaIndiansDiabetes"), "diabetes"),
  mpg = list(function() {
    d <- as.data.frame(ggplot2::mpg)
    text <- vapply(d, is.character, NA)
    d[text] <- lapply(d[text], factor)
    d
  }, "drv"),
  HouseVotes = list(function() droplevels(stats::na.omit(of_mlbench("HouseVotes84"))), "Class"),
  crabs = list(function() MASS::crabs[-3], "sex"),
  birthwt = list(function() {
    d <- MASS::birthwt[-10]
    for (name in c("low", "race", "smoke", "ht", "ui")) d[[name]] <- factor(d[[name]])
    d
  }, "low"),
  Titanic = list(function() {
    d <- as.data.frame(Titanic)
    d[rep(seq_len(nrow(d)), d$Freq), 1:4]
  }, "Survived"),
  Vehicle = list(function() of_mlbench("Vehicle"), "Class"),
  Vowel = list(function() of_mlbench("Vowel"), "Class")
)

accuracy <- function(column, train, test) {
  forest <- ranger::ranger(stats::reformulate(".", column), train, num.trees = 500, seed = 1, num.threads = 1)
  mean(predict(forest, test, num.threads = 1)$predictions == test[[column]])
}

digits_of <- function(x) {
  if (!is.numeric(x)) return(NULL)
  for (k in 0:8) if (all(abs(x - round(x, k)) < 1e-9 * max(abs(x)))) break
  k
}

# Rows as text, to tell which are the same.
as_text <- function(d, digits) {
  columns <- Map(function(x, k) if (is.null(k)) as.character(x) else format(round(x, k), nsmall = k, trim = TRUE),
                 d, digits)
  do.call(paste, c(unname(columns), sep = "|"))
}

a <- commandArgs(TRUE)
chosen <- if (length(a) > 0 && nzchar(a[1])) strsplit(a[1], ",")[[1]] else names(tables)
seeds <- if (length(a) > 1) as.integer(strsplit(a[2], ",")[[1]]) else 1:3
cat(sprintf("%-13s %5s %9s %9s %9s %9s %9s %6s\n", "table", "rows", "real", "drawn", "points", "fresh", "draws", "z"))
for (name in chosen) {
  d <- tables[[name]][[1]]()
  column <- tables[[name]][[2]]
  digits <- lapply(d, digits_of)
  real <- drawn <- fresh <- copied <- c()
  for (seed in seeds) {
    set.seed(seed)
    fold <- base::sample(rep_len(1:5, nrow(d)))
    for (k in 1:5) {
      train <- d[fold != k, ]
      test <- d[fold == k, ]
      fit <- suppressWarnings(suppressMessages(fit_flow(train)))
      draws <- sample(fit, nrow(train))
      real <- c(real, accuracy(column, train, test))
      drawn <- c(drawn, accuracy(column, draws, test))
      known <- as_text(train, digits)
      fresh <- c(fresh, as_text(test, digits) %in% known)
      copied <- c(copied, as_text(draws, digits) %in% known)
    }
  }
  p <- mean(c(fresh, copied))
  z <- (mean(copied) - mean(fresh)) / sqrt(max(p * (1 - p), 1e-12) * (1 / length(fresh) + 1 / length(copied)))
  cat(sprintf(
    "%-13s %5d %9.3f %9.3f %9.1f %9.4f %9.4f %6.1f\n", name, nrow(d), mean(real), mean(drawn),
    100 * (mean(drawn) - mean(real)), mean(fresh), mean(copied), z
  ))
}

# Posteriors with known answers: fit_flow() of a log density, with nothing told but names and supports, beside reference
# draws of posteriordb (Magnusson and others, https://github.com/stan-dev/posteriordb).
#
#   Rscript bench/posteriors.R DIR [names]
#
# DIR has a folder for each posterior with its data, data.json or data.json.gz, and moments.csv of the reference draws
# (columns mean and sd, a row a parameter in the order below). Printed are, for each of five seeds (SEEDS in the
# environment), the verdict of check_flow(), the largest error of a mean in reference standard deviations and of a
# standard deviation as a share, of draws and of weighted draws, the steps of training, and seconds, those of the check
# too.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)
given <- commandArgs(TRUE)
if (!length(given)) stop("usage: Rscript bench/posteriors.R DIR [names]")
seeds <- seq_len(as.integer(Sys.getenv("SEEDS", "5")))

read_data <- function(name) {
  file <- Sys.glob(file.path(given[1], name, "data.json*"))[1]
  jsonlite::fromJSON(gzfile(file))
}

half_cauchy <- function(x, scale) -log1p((x / scale)^2)

# y ~ N(x b, sigma), coefficients first, sigma last; `prior(b, sigma)` gives log priors of rows.
regression <- function(y, x, prior = function(b, sigma) 0) {
  k <- ncol(x)
  list(
    names = c(paste0("b", seq_len(k)), "sigma"), support = list(sigma = positive()),
    density = function(p) {
      b <- p[, seq_len(k), drop = FALSE]
      sigma <- p[, k + 1]
      squares <- sum(y^2) - 2 * drop(b %*% crossprod(x, y)) + rowSums((b %*% crossprod(x)) * b)
      prior(b, sigma) - length(y) * log(sigma) - squares / (2 * sigma^2)
    },
    parameters = identity
  )
}

models <- list(
  "kidiq-kidscore_momhsiq" = function(d) {
    regression(d$kid_score, cbind(1, d$mom_hs, d$mom_iq), function(b, sigma) half_cauchy(sigma, 2.5))
  },
  "earnings-logearn_interaction" = function(d) regression(log(d$earn), cbind(1, d$height, d$male, d$height * d$male)),
  "mesquite-logmesquite_logvas" = function(d) {
    crown <- d$diam1 * d$diam2
    regression(log(d$weight), cbind(
      1, log(crown * d$canopy_height), log(crown), log(d$diam1 / d$diam2), log(d$total_height), log(d$density), d$group
    ))
  },
  "nes1980-nes" = function(d) {
    ages <- outer(d$age_discrete, 2:4, "==") + 0
    regression(d$partyid7, cbind(1, d$real_ideo, d$race_adj, ages, d$educ1, d$gender, d$income))
  },
  "sblri-blr" = function(d) regression(d$y, as.matrix(d$X), function(b, sigma) -(rowSums(b^2) + sigma^2) / 200),
  "arK-arK" = function(d) {
    n <- length(d$y)
    before <- vapply(seq_len(d$K), function(k) d$y[(d$K + 1 - k):(n - k)], numeric(n - d$K))
    regression(d$y[-seq_len(d$K)], cbind(1, before), function(b, sigma) -rowSums(b^2) / 200 + half_cauchy(sigma, 2.5))
  },
  "garch-garch11" = function(d) {
    list(
      names = c("mu", "a0", "a1", "rest"), # b1 = rest (1 - a1)
      support = list(a0 = positive(), a1 = bounded(0, 1), rest = bounded(0, 1)),
      density = function(p) {
        b1 <- p[, 4] * (1 - p[, 3])
        variance <- rep(d$sigma1^2, nrow(p))
        out <- log(1 - p[, 3])
        for (t in seq_along(d$y)) {
          if (t > 1) variance <- p[, 2] + p[, 3] * (d$y[t - 1] - p[, 1])^2 + b1 * variance
          out <- out - log(variance) / 2 - (d$y[t] - p[, 1])^2 / (2 * variance)
        }
        out
      },
      parameters = function(p) cbind(p[, 1:3], p[, 4] * (1 - p[, 3]))
    )
  },
  "low_dim_gauss_mix-low_dim_gauss_mix" = function(d) {
    list(
      names = c("mu1", "apart", "s1", "s2", "share"),
      support = list(apart = positive(), s1 = positive(), s2 = positive(), share = bounded(0, 1)),
      density = function(p) {
        mu2 <- p[, 1] + p[, 2]
        out <- 4 * log(p[, 5]) + 4 * log1p(-p[, 5]) - (p[, 1]^2 + mu2^2 + p[, 3]^2 + p[, 4]^2) / 8
        for (y in d$y) {
          one <- log(p[, 5]) + dnorm(y, p[, 1], p[, 3], log = TRUE)
          two <- log1p(-p[, 5]) + dnorm(y, mu2, p[, 4], log = TRUE)
          out <- out + pmax(one, two) + log1p(exp(-abs(one - two)))
        }
        out
      },
      parameters = function(p) cbind(p[, 1], p[, 1] + p[, 2], p[, 3:5])
    )
  },
  "eight_schools-eight_schools_noncentered" = function(d) {
    list(
      names = c(paste0("e", 1:8), "mu", "tau"), support = list(tau = positive()),
      density = function(p) {
        e <- p[, 1:8, drop = FALSE]
        theta <- p[, 9] + p[, 10] * e
        misfit <- (t(theta) - d$y) / d$sigma
        -(rowSums(e^2) + colSums(misfit^2)) / 2 - p[, 9]^2 / 50 + half_cauchy(p[, 10], 5)
      },
      parameters = function(p) cbind(p[, 9] + p[, 10] * p[, 1:8], p[, 9:10])
    )
  },
  "gp_pois_regr-gp_regr" = function(d) {
    apart <- as.matrix(dist(d$x))^2
    list(
      names = c("rho", "alpha", "sigma"), support = list(rho = positive(), alpha = positive(), sigma = positive()),
      density = function(p) {
        one <- function(at) {
          covariance <- at[2]^2 * exp(-apart / (2 * at[1]^2)) + diag(at[3], length(d$x))
          root <- tryCatch(chol(covariance), error = function(e) NULL)
          if (is.null(root)) return(-1e10)
          -sum(log(diag(root))) - sum(backsolve(root, d$y, transpose = TRUE)^2) / 2
        }
        apply(p, 1, one) + 24 * log(p[, 1]) - 4 * p[, 1] - p[, 2]^2 / 8 - p[, 3]^2 / 2
      },
      parameters = identity
    )
  }
)

errors <- function(x, w, truth) {
  mean <- colSums(w * x)
  sd <- sqrt(colSums(w * x^2) - mean^2)
  sprintf("%.3f %4.1f %%", max(abs(mean - truth$mean) / truth$sd), 100 * max(abs(sd / truth$sd - 1)))
}

chosen <- if (length(given) > 1) given[-1] else intersect(names(models), list.files(given[1]))
cat("name | seed | verdict | draws: mean, sd | weighted: mean, sd | steps | seconds\n")
for (name in chosen) {
  model <- models[[name]](read_data(name))
  truth <- utils::read.csv(file.path(given[1], name, "moments.csv"))
  density <- model$density
  for (seed in seeds) {
    set.seed(seed)
    started <- proc.time()[[3]]
    fit <- suppressWarnings(fit_flow(density, names = model$names, support = model$support))
    verdict <- suppressWarnings(check_flow(fit))$verdict
    seconds <- proc.time()[[3]] - started
    s <- importance_sample(fit, density, n = 40000)
    x <- model$parameters(as.matrix(s$draws))
    cat(sprintf(
      "%s | %d | %s | %s | %s | %d | %.2f\n", name, seed, verdict, errors(x, 1 / nrow(x), truth),
      errors(x, exp(s$log_weights), truth), as.integer(fit$steps), seconds
    ))
  }
}

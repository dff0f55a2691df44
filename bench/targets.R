# Targets whose moments are known without a sampler: fit_flow() of a log density, with nothing told but supports, and
# what check_flow() says of it.
#
#   Rscript bench/targets.R [seeds] [names]
#
# A row each of verdicts over the seeds (20), the largest errors of means, in standard deviations, and of standard
# deviations where draws are used as the verdict says, as they are or weighted, how many of these verdicts are wrong, by
# more than 0.1 or 10 %, and median seconds of the fit. Funnels are judged by the coordinate that makes them one: of the
# others the fourth moments are such that no number of draws gives their standard deviations.
suppressMessages(library(bijectr))
options(bijectr.threads = 1L)

funnel <- function(d, sd) {
  list(
    d = d, mean = 0, sd = sd,
    density = function(x) {
      rest <- x[, -1, drop = FALSE]
      dnorm(x[, 1], 0, sd, log = TRUE) + rowSums(dnorm(rest, 0, exp(x[, 1] / 2), log = TRUE))
    }
  )
}

# x2 + b (x1^2 - 100) of standard normal distribution, x1 of sd 10 (Haario, Saksman, Tamminen 1999, Comput Stat 14).
banana <- function(b) {
  list(
    d = 2, mean = c(0, 0), sd = c(10, sqrt(1 + 2 * b^2 * 1e4)),
    density = function(x) dnorm(x[, 1], 0, 10, log = TRUE) + dnorm(x[, 2] + b * (x[, 1]^2 - 100), log = TRUE)
  )
}

two_modes <- function(d, share, apart = 8) {
  at <- apart / 2
  list(
    d = d, mean = c(at * (1 - 2 * share), rep(0, d - 1)),
    sd = c(sqrt(1 + 4 * at^2 * share * (1 - share)), rep(1, d - 1)),
    density = function(x) {
      rest <- if (d > 1) rowSums(dnorm(x[, -1, drop = FALSE], log = TRUE)) else 0
      one <- dnorm(x[, 1], -at, log = TRUE) + log(share)
      two <- dnorm(x[, 1], at, log = TRUE) + log1p(-share)
      pmax(one, two) + log1p(exp(-abs(one - two))) + rest
    }
  )
}

# y_j ~ N(theta_j, s), theta_j ~ N(mu, tau), mu flat, tau half-N(0, 5). Given tau all is normal; tau by a grid.
groups <- function(s, tau, centered, j = 50) {
  y <- with_seed(7, 3 + tau * rnorm(j) + s * rnorm(j))
  grid <- seq(0.002, 20, by = 0.002)
  variance <- s^2 + grid^2
  log_p <- -grid^2 / 50 - (j - 1) / 2 * log(variance) - (j - 1) * var(y) / (2 * variance)
  p <- exp(log_p - max(log_p))
  p <- p / sum(p)
  shrunk <- s^2 / variance # theta_j given mu, tau: N(shrunk mu + (1 - shrunk) y_j, s^2 (1 - shrunk))
  theta <- vapply(y, function(yj) {
    m <- shrunk * mean(y) + (1 - shrunk) * yj
    v <- s^2 * (1 - shrunk) + shrunk^2 * variance / j
    mean <- sum(p * m)
    c(mean, sqrt(sum(p * (v + m^2)) - mean^2))
  }, numeric(2))
  tau_mean <- sum(p * grid)
  list(
    d = j + 2, support = list(tau = positive()), names = c(paste0("t", seq_len(j)), "mu", "tau"),
    mean = c(theta[1, ], mean(y), tau_mean),
    sd = c(theta[2, ], sqrt(sum(p * variance) / j), sqrt(sum(p * grid^2) - tau_mean^2)),
    density = function(x) {
      t <- x[, seq_len(j)]
      mu <- x[, j + 1]
      tau <- x[, j + 2]
      theta <- if (centered) t else mu + tau * t
      spread <- if (centered) -rowSums((t - mu)^2) / (2 * tau^2) - j * log(tau) else -rowSums(t^2) / 2
      spread - colSums((t(theta) - y)^2) / (2 * s^2) - tau^2 / 50
    },
    parameters = function(x) {
      t <- x[, seq_len(j)]
      cbind(if (centered) t else x[, j + 1] + x[, j + 2] * t, x[, j + 1], x[, j + 2])
    }
  )
}

# Moments by a million draws of a multivariate t distribution about the mode, weighted.
logistic <- function(n, d = 25) {
  made <- with_seed(8, {
    x <- cbind(1, matrix(rnorm(n * (d - 1)), n))
    list(x = x, y = runif(n) < plogis(drop(x %*% rnorm(d, sd = 0.5))))
  })
  x <- made$x
  y <- made$y
  log1pexp <- function(e) pmax(e, 0) + log1p(exp(-abs(e)))
  density <- function(b) {
    e <- x %*% t(b)
    colSums(e * y) - colSums(log1pexp(e)) - rowSums(b^2) / 8
  }
  mode <- optim(rep(0, d), function(b) -density(rbind(b)), method = "BFGS", control = list(maxit = 500), hessian = TRUE)
  root <- t(chol(solve(mode$hessian)))
  sums <- with_seed(9, lapply(1:100, function(k) {
    z <- matrix(rnorm(d * 1e4), d)
    u <- rchisq(1e4, 10) / 10
    b <- t(mode$par + root %*% z / rep(sqrt(u), each = d))
    log_w <- density(b) + mode$value + (10 + d) / 2 * log1p(colSums(z^2) / u / 10)
    list(sum(exp(log_w)), colSums(exp(log_w) * b), colSums(exp(log_w) * b^2))
  }))
  total <- lapply(1:3, function(k) Reduce(`+`, lapply(sums, `[[`, k)))
  mean <- total[[2]] / total[[1]]
  list(d = d, mean = mean, sd = sqrt(total[[3]] / total[[1]] - mean^2), density = density)
}

with_seed <- function(seed, value) {
  set.seed(seed)
  value
}

targets <- list(
  "funnel, 2" = function() funnel(2, 3), "funnel, 3" = function() funnel(3, 3), "funnel, 10" = function() funnel(10, 3),
  "funnel, 10, sd 1" = function() funnel(10, 1),
  "banana, 0.03" = function() banana(0.03), "banana, 0.1" = function() banana(0.1),
  "two modes, 1" = function() two_modes(1, 0.3), "two modes, 2" = function() two_modes(2, 0.3),
  "two modes, 2, 5 %" = function() two_modes(2, 0.05), "two modes, 10" = function() two_modes(10, 0.3),
  "50 groups, centered, tau 2" = function() groups(1, 2, TRUE),
  "50 groups, centered, tau 0.3" = function() groups(1, 0.3, TRUE),
  "50 groups, apart, tau 2" = function() groups(1, 2, FALSE),
  "50 groups, apart, tau 0.3" = function() groups(1, 0.3, FALSE),
  "logistic, 25, 1000 rows" = function() logistic(1000), "logistic, 25, 200 rows" = function() logistic(200),
  "logistic, 25, 50 rows" = function() logistic(50)
)

errors <- function(x, w, target) {
  mean <- colSums(w * x)
  sd <- sqrt(colSums(w * x^2) - mean^2)
  c(max(abs(mean - target$mean) / target$sd), max(abs(sd / target$sd - 1)))
}

one_run <- function(target, seed) {
  set.seed(seed)
  names <- if (is.null(target$names)) paste0("x", seq_len(target$d)) else target$names
  seconds <- system.time(fit <- suppressWarnings(
    fit_flow(target$density, names = names, support = target$support)
  ))[["elapsed"]]
  verdict <- suppressWarnings(check_flow(fit))$verdict
  s <- suppressWarnings(importance_sample(fit, target$density, n = 40000))
  x <- as.matrix(s$draws)
  if (!is.null(target$parameters)) x <- target$parameters(x)
  judged <- seq_along(target$mean)
  w <- if (verdict == "trust") 1 / nrow(x) else exp(s$log_weights)
  list(verdict = verdict, error = errors(x[, judged, drop = FALSE], w, target), seconds = seconds)
}

given <- commandArgs(TRUE)
seeds <- seq_len(if (length(given)) as.integer(given[1]) else 20)
cat(sprintf("%-30s %5s %8s %6s %6s | %-20s | %s\n", "", "trust", "resample", "do not", "wrong", "largest errors", "s"))
for (name in if (length(given) > 1) given[-1] else names(targets)) {
  target <- targets[[name]]()
  runs <- lapply(seeds, one_run, target = target)
  verdict <- vapply(runs, `[[`, "", "verdict")
  error <- vapply(runs, `[[`, numeric(2), "error")
  used <- verdict != "do not trust"
  worst <- if (any(used)) apply(error[, used, drop = FALSE], 1, max) else c(NA, NA)
  cat(sprintf("%-30s %5d %8d %6d %6d | %.3f sds, %6.1f %%   | %.2f\n", name, sum(verdict == "trust"),
    sum(verdict == "resample"), sum(!used), sum(used & (error[1, ] > 0.1 | error[2, ] > 0.1)), worst[1],
    100 * worst[2], median(vapply(runs, `[[`, 0, "seconds"))
  ))
}

# Models of textbooks in Stan on simulated data: fit_flow(stanfit) and its verdict beside a long run of Stan's own
# sampler. No model of these was looked at while the package was made.
#
#   Rscript bench/models.R CACHE [names]
#
# Compiled models and the long runs, 4 chains of 6000 iterations, are kept in CACHE. Printed are the parameters, the
# smallest effective sample size of the long run, seconds of 4 chains of 2000 iterations, and for each of three seeds
# (SEEDS in the environment) seconds of the fit, the verdict, and the largest errors of means, in standard deviations of
# the long run, and of standard deviations, of draws and of resampled draws: the latter are meant where the verdict says
# so.
source("bench/lib/stan.R") # from the root of the sources
given <- commandArgs(TRUE)
if (!length(given)) stop("usage: Rscript bench/models.R CACHE [names]")
seeds <- seq_len(as.integer(Sys.getenv("SEEDS", "3")))

code <- list(
  trend = "
    data { int<lower=0> n; vector[n] x; vector[n] y; }
    parameters { real alpha; real beta; real<lower=0> sigma; }
    model { alpha ~ normal(0, 100); beta ~ normal(0, 1); y ~ normal(alpha + beta * x, sigma); }",
  surgical = "
    data { int<lower=0> n; int r[n]; int m[n]; }
    parameters { real mu; real<lower=0> s2; vector[n] b; }
    model { mu ~ normal(0, 1000); s2 ~ inv_gamma(0.001, 0.001); b ~ normal(mu, sqrt(s2)); r ~ binomial_logit(m, b); }",
  seeds = "
    data { int<lower=0> n; int r[n]; int m[n]; vector[n] x1; vector[n] x2; }
    parameters { real a0; real a1; real a2; real a12; real<lower=0> sigma; vector[n] z; }
    model {
      a0 ~ normal(0, 10); a1 ~ normal(0, 10); a2 ~ normal(0, 10); a12 ~ normal(0, 10); sigma ~ normal(0, 2);
      z ~ normal(0, 1);
      r ~ binomial_logit(m, a0 + a1 * x1 + a2 * x2 + a12 * x1 .* x2 + sigma * z);
    }",
  rats = "
    data { int<lower=0> n; int<lower=0> k; vector[k] x; matrix[n, k] y; }
    parameters {
      vector[n] alpha; vector[n] beta; real mu_alpha; real mu_beta;
      real<lower=0> sigma_y; real<lower=0> sigma_alpha; real<lower=0> sigma_beta;
    }
    model {
      mu_alpha ~ normal(0, 100); mu_beta ~ normal(0, 10);
      sigma_y ~ cauchy(0, 5); sigma_alpha ~ cauchy(0, 20); sigma_beta ~ cauchy(0, 2);
      alpha ~ normal(mu_alpha, sigma_alpha); beta ~ normal(mu_beta, sigma_beta);
      for (j in 1:k) y[, j] ~ normal(alpha + beta * x[j], sigma_y);
    }",
  counts = "
    data { int<lower=0> n; int y[n]; vector[n] x; }
    parameters { real alpha; real b1; real b2; real b3; }
    model {
      alpha ~ uniform(-20, 20); b1 ~ uniform(-10, 10); b2 ~ uniform(-10, 20); b3 ~ uniform(-10, 10);
      y ~ poisson_log(alpha + b1 * x + b2 * square(x) + b3 * x .* square(x));
    }",
  arma = "
    data { int<lower=1> n; vector[n] y; }
    parameters { real mu; real<lower=-1, upper=1> phi; real<lower=-1, upper=1> theta; real<lower=0> sigma; }
    model {
      vector[n] e;
      mu ~ normal(0, 10); phi ~ normal(0, 2); theta ~ normal(0, 2); sigma ~ cauchy(0, 5);
      e[1] = y[1] - mu - phi * mu;
      for (t in 2:n) e[t] = y[t] - (mu + phi * y[t - 1] + theta * e[t - 1]);
      e ~ normal(0, sigma);
    }",
  separated = "
    data { int<lower=0> n; int<lower=0> k; matrix[n, k] x; int y[n]; }
    parameters { real alpha; vector[k] beta; }
    model { alpha ~ cauchy(0, 10); beta ~ cauchy(0, 2.5); y ~ bernoulli_logit(alpha + x * beta); }",
  counties = "
    data { int<lower=0> n; int<lower=1> j; int county[n]; vector[n] ground; vector[n] y; }
    parameters { vector[j] a; real b; real mu; real<lower=0> tau; real<lower=0> sigma; }
    model {
      mu ~ normal(0, 5); b ~ normal(0, 5); tau ~ normal(0, 1); sigma ~ normal(0, 1);
      a ~ normal(mu, tau);
      y ~ normal(a[county] + b * ground, sigma);
    }",
  schools = "
    data { int<lower=0> n; vector[n] y; vector<lower=0>[n] s; }
    parameters { vector[n] theta; real mu; real<lower=0> tau; }
    model { mu ~ normal(0, 5); tau ~ cauchy(0, 5); theta ~ normal(mu, tau); y ~ normal(theta, s); }",
  switching = "
    data { int<lower=0> n; vector[n] y; }
    parameters { vector[2] mu; vector<lower=0>[2] sigma; real<lower=0, upper=1> share; }
    model {
      sigma ~ normal(0, 2); mu ~ normal(0, 2); share ~ beta(5, 5);
      for (i in 1:n) target += log_mix(share, normal_lpdf(y[i] | mu[1], sigma[1]), normal_lpdf(y[i] | mu[2], sigma[2]));
    }",
  heavy = "
    data { int<lower=0> n; int<lower=0> k; matrix[n, k] x; vector[n] y; }
    parameters { real alpha; vector[k] beta; real<lower=0> sigma; real<lower=1> nu; }
    model {
      nu ~ gamma(2, 0.1); sigma ~ cauchy(0, 2); alpha ~ normal(0, 5); beta ~ normal(0, 2);
      y ~ student_t(nu, alpha + x * beta, sigma);
    }",
  negative_binomial = "
    data { int<lower=0> n; int<lower=0> k; matrix[n, k] x; int y[n]; }
    parameters { real alpha; vector[k] beta; real<lower=0> phi; }
    model { alpha ~ normal(0, 3); beta ~ normal(0, 1); phi ~ cauchy(0, 5);
      y ~ neg_binomial_2_log(alpha + x * beta, phi); }",
  items = "
    data { int<lower=0> n; int<lower=0> k; int y[n, k]; }
    parameters { vector[n] ability; vector[k] difficulty; vector<lower=0>[k] slope; real mu; real<lower=0> tau; }
    model {
      ability ~ normal(0, 1); mu ~ normal(0, 2); tau ~ normal(0, 2);
      difficulty ~ normal(mu, tau); slope ~ lognormal(0, 0.5);
      for (j in 1:k) y[, j] ~ bernoulli_logit(slope[j] * (ability - difficulty[j]));
    }",
  volatility = "
    data { int<lower=0> n; vector[n] y; }
    parameters { real mu; real<lower=-1, upper=1> phi; real<lower=0> sigma; vector[n] z; }
    model {
      vector[n] h;
      phi ~ uniform(-1, 1); sigma ~ cauchy(0, 1); mu ~ cauchy(0, 5); z ~ normal(0, 1);
      h = z * sigma;
      h[1] = h[1] / sqrt(1 - square(phi)) + mu;
      for (t in 2:n) h[t] = h[t] + mu + phi * (h[t - 1] - mu);
      y ~ normal(0, exp(h / 2));
    }",
  wells = "
    data { int<lower=0> n; int<lower=0> k; matrix[n, k] x; int y[n]; }
    parameters { real alpha; vector[k] beta; }
    model { y ~ bernoulli_logit(alpha + x * beta); }",
  growth = "
    data { int<lower=0> n; vector[n] age; vector[n] y; }
    parameters { real alpha; real beta; real<lower=0.5, upper=1> lambda; real<lower=0> tau; }
    model {
      alpha ~ normal(0, 1000); beta ~ normal(0, 1000); tau ~ gamma(0.0001, 0.0001);
      for (i in 1:n) y[i] ~ normal(alpha - beta * pow(lambda, age[i]), 1 / sqrt(tau));
    }"
)

data <- list(
  trend = function() {
    x <- 1952:2013
    list(n = 62, x = x, y = 20 - 0.005 * (x - 1980) + rnorm(62))
  },
  surgical = function() {
    m <- c(47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360)
    list(n = 12, m = m, r = rbinom(12, m, plogis(-2.5 + 0.4 * rnorm(12))))
  },
  seeds = function() {
    m <- sample(4:80, 21)
    x1 <- rep(0:1, length.out = 21)
    x2 <- rep(0:1, each = 11)[1:21]
    list(n = 21, m = m, x1 = x1, x2 = x2, r = rbinom(21, m, plogis(-0.5 + 0.1 * x1 + 1.3 * x2 - 0.8 * x1 * x2 + 0.3 * rnorm(21))))
  },
  rats = function() {
    x <- c(8, 15, 22, 29, 36) - 22
    alpha <- 240 + 14 * rnorm(30)
    beta <- 6.2 + 0.5 * rnorm(30)
    list(n = 30, k = 5, x = x, y = alpha + outer(beta, x) + 6 * matrix(rnorm(150), 30))
  },
  counts = function() {
    x <- seq(-1, 1, length.out = 40)
    list(n = 40, x = x, y = rpois(40, exp(4.3 + 1.2 * x + 0.1 * x^2 - 0.7 * x^3)))
  },
  arma = function() list(n = 200, y = as.numeric(arima.sim(list(ar = 0.6, ma = 0.4), 200)) + 1),
  separated = function() {
    x <- matrix(rnorm(25 * 4), 25)
    list(n = 25, k = 4, x = x, y = as.integer(x[, 1] + 0.3 * rnorm(25) > 0))
  },
  counties = function() {
    county <- rep(1:30, times = sample(1:20, 30, replace = TRUE))
    n <- length(county)
    ground <- rbinom(n, 1, 0.2)
    list(n = n, j = 30, county = county, ground = ground, y = 1.5 + 0.3 * rnorm(30)[county] - 0.7 * ground + 0.75 * rnorm(n))
  },
  schools = function() list(n = 8, y = c(28, 8, -3, 7, -1, 1, 18, 12), s = c(15, 10, 16, 11, 9, 11, 10, 18)),
  switching = function() list(n = 200, y = rnorm(200, ifelse(runif(200) < 0.4, -1.7, 1.8), 1)),
  heavy = function() {
    x <- matrix(rnorm(100 * 5), 100)
    list(n = 100, k = 5, x = x, y = drop(1 + x %*% c(1, -1, 0.5, 0, 2)) + rt(100, 3))
  },
  negative_binomial = function() {
    x <- matrix(rnorm(150 * 6), 150)
    list(n = 150, k = 6, x = x, y = rnbinom(150, mu = exp(1 + x %*% c(0.5, -0.3, 0, 0.2, 0, 0.1)), size = 2))
  },
  items = function() {
    eta <- outer(rnorm(60), rnorm(15), "-")
    list(n = 60, k = 15, y = matrix(rbinom(900, 1, plogis(eta %*% diag(exp(0.3 * rnorm(15))))), 60))
  },
  volatility = function() {
    h <- as.numeric(arima.sim(list(ar = 0.9), 60, sd = 0.3)) - 1
    list(n = 60, y = rnorm(60, 0, exp(h / 2)))
  },
  wells = function() {
    far <- rexp(3000, 2)
    arsenic <- exp(0.3 + 0.6 * rnorm(3000))
    x <- cbind(far, log(arsenic), far * log(arsenic), rbinom(3000, 1, 0.4))
    list(n = 3000, k = 4, x = x, y = rbinom(3000, 1, plogis(0.4 + x %*% c(-0.9, 0.9, 0.1, -0.1))))
  },
  growth = function() {
    age <- c(1, 1.5, 2.5, 4, 5, 5, 7, 8, 8.5, 9, 9.5, 10, 12, 13, 14.5, 15.5, 16.5, 17, 22.5, 29, 31.5)
    list(n = 21, age = age, y = 2.65 - 0.97 * 0.87^age + 0.1 * rnorm(21))
  }
)

# Moments of a long run. Chains of the one that switches labels stay in one of its two modes, which are each other's
# mirror images: half of their draws are turned over.
long_run <- function(name, model, given_data, cache) {
  file <- file.path(cache, paste0("long-", name, ".rds"))
  if (file.exists(file)) return(readRDS(file))
  run <- suppressWarnings(sampling(model,
    data = given_data, chains = 4, iter = 6000, refresh = 0, seed = 1, cores = 1, control = list(adapt_delta = 0.99)
  ))
  x <- as.matrix(run)
  x <- x[, colnames(x) != "lp__", drop = FALSE]
  if (name == "switching") {
    turned <- seq(1, nrow(x), by = 2)
    x[turned, ] <- cbind(x[turned, c(2, 1, 4, 3)], 1 - x[turned, 5])
  }
  out <- list(
    ess = min(summary(run)$summary[, "n_eff"]),
    truth = data.frame(parameter = colnames(x), mean = colMeans(x), sd = apply(x, 2, sd))
  )
  saveRDS(out, file)
  out
}

dir.create(given[1], showWarnings = FALSE)
cat(sprintf("%-18s %4s %6s %7s | %7s %-12s %6s | %-13s | %-13s\n", "", "d", "ESS", "Stan, s", "fit, s", "verdict",
  "steps", "draws", "resampled"
))
for (name in if (length(given) > 1) given[-1] else names(code)) {
  set.seed(1)
  posed <- data[[name]]()
  model <- compiled(name, code, given[1])
  long <- long_run(name, model, posed, given[1])
  chains <- system.time(suppressWarnings(
    sampling(model, data = posed, chains = 4, iter = 2000, refresh = 0, seed = 1, cores = 1)
  ))[["elapsed"]]
  posterior <- suppressMessages(sampling(model, data = posed, chains = 0))
  for (seed in seeds) {
    set.seed(seed)
    seconds <- system.time(fit <- suppressWarnings(fit_flow(posterior)))[["elapsed"]]
    of <- vapply(c("flow", "resample"), function(method) {
      errors(suppressWarnings(posterior::as_draws(fit, n = 20000, method = method)), long$truth)
    }, numeric(2))
    cat(sprintf("%-18s %4d %6.0f %7.2f | %7.2f %-12s %6d | %.3f %5.1f %% | %.3f %5.1f %%\n", name, nrow(long$truth),
      long$ess, chains, seconds, check_flow(fit)$verdict, as.integer(fit$steps), of[1, 1], 100 * of[2, 1], of[1, 2],
      100 * of[2, 2]
    ))
  }
}

# Models in Stan: fit_flow(stanfit), its verdict and its draws beside reference draws of posteriordb (Magnusson and
# others, https://github.com/stan-dev/posteriordb), and beside Stan's own sampler in the same run.
#
#   Rscript bench/stan.R DIR CACHE [names]
#
# DIR has a folder for each posterior with its data, data.json or data.json.gz, and moments.csv of the reference draws
# (columns parameter, mean, sd). Compiled models are kept in CACHE. Printed are seconds of 4 chains of 2000 iterations
# without compilation (left out with CHAINS=0 in the environment), and for each of five seeds (SEEDS in the environment)
# seconds of the fit, those of its check, the verdict, and the largest errors of means, in reference standard deviations,
# and of standard deviations, of draws and of resampled draws: the latter are meant where the verdict says so.
source("bench/lib/stan.R") # from the root of the sources
given <- commandArgs(TRUE)
if (length(given) < 2) stop("usage: Rscript bench/stan.R DIR CACHE [names]")
seeds <- seq_len(as.integer(Sys.getenv("SEEDS", "5")))

code <- list(
  regression = "
    data {
      int<lower=0> n; int<lower=1> k; matrix[n, k] x; vector[n] y;
      real beta_sd; real sigma_cauchy; real sigma_sd;
    }
    parameters { vector[k] beta; real<lower=0> sigma; }
    model {
      y ~ normal(x * beta, sigma);
      if (beta_sd > 0) beta ~ normal(0, beta_sd);
      if (sigma_cauchy > 0) sigma ~ cauchy(0, sigma_cauchy);
      if (sigma_sd > 0) sigma ~ normal(0, sigma_sd);
    }",
  centered = "
    data { int<lower=0> n; int<lower=1> k; matrix[n, k] x; vector[n] y; }
    parameters { vector[k] b; real Intercept; real<lower=0> sigma; }
    model {
      y ~ normal(Intercept + x * b, sigma);
      b ~ normal(0, 1);
      Intercept ~ student_t(3, 8, 10);
      sigma ~ student_t(3, 0, 10);
    }",
  garch = "
    data { int<lower=0> n; vector[n] y; real sigma1; }
    parameters { real mu; real<lower=0> alpha0; real<lower=0, upper=1> alpha1; real<lower=0, upper=1 - alpha1> beta1; }
    model {
      vector[n] s;
      s[1] = sigma1;
      for (t in 2:n) s[t] = sqrt(alpha0 + alpha1 * square(y[t - 1] - mu) + beta1 * square(s[t - 1]));
      y ~ normal(mu, s);
    }",
  schools = "
    data { int<lower=0> n; vector[n] y; vector[n] s; }
    parameters { vector[n] e; real mu; real<lower=0> tau; }
    transformed parameters { vector[n] theta = mu + tau * e; }
    model {
      e ~ normal(0, 1);
      mu ~ normal(0, 5);
      tau ~ cauchy(0, 5);
      y ~ normal(theta, s);
    }",
  mixture = "
    data { int<lower=0> n; vector[n] y; }
    parameters { ordered[2] mu; vector<lower=0>[2] sigma; real<lower=0, upper=1> theta; }
    model {
      mu ~ normal(0, 2);
      sigma ~ normal(0, 2);
      theta ~ beta(5, 5);
      for (i in 1:n) {
        target += log_mix(theta, normal_lpdf(y[i] | mu[1], sigma[1]), normal_lpdf(y[i] | mu[2], sigma[2]));
      }
    }",
  process = "
    data { int<lower=0> n; real x[n]; vector[n] y; }
    parameters { real<lower=0> rho; real<lower=0> alpha; real<lower=0> sigma; }
    model {
      matrix[n, n] k = cov_exp_quad(x, alpha, rho) + diag_matrix(rep_vector(sigma, n));
      rho ~ gamma(25, 4);
      alpha ~ normal(0, 2);
      sigma ~ normal(0, 1);
      y ~ multi_normal_cholesky(rep_vector(0, n), cholesky_decompose(k));
    }",
  poisson_process = "
    data { int<lower=0> n; real x[n]; int<lower=0> k[n]; }
    parameters { real<lower=0> rho; real<lower=0> alpha; vector[n] e; }
    transformed parameters {
      vector[n] f = cholesky_decompose(cov_exp_quad(x, alpha, rho) + diag_matrix(rep_vector(1e-10, n))) * e;
    }
    model {
      rho ~ gamma(25, 4);
      alpha ~ normal(0, 2);
      e ~ normal(0, 1);
      k ~ poisson_log(f);
    }",
  hidden_markov = "
    data { int<lower=0> n; real y[n]; }
    parameters { simplex[2] theta1; simplex[2] theta2; positive_ordered[2] mu; }
    model {
      vector[2] state;
      mu[1] ~ normal(3, 1);
      mu[2] ~ normal(10, 1);
      for (k in 1:2) state[k] = normal_lpdf(y[1] | mu[k], 1);
      for (t in 2:n) {
        vector[2] next;
        for (k in 1:2) {
          next[k] = log_sum_exp(state[1] + log(theta1[k]), state[2] + log(theta2[k])) + normal_lpdf(y[t] | mu[k], 1);
        }
        state = next;
      }
      target += log_sum_exp(state);
    }",
  lotka_volterra = "
    functions {
      real[] change(real t, real[] z, real[] theta, real[] x_r, int[] x_i) {
        return { (theta[1] - theta[2] * z[2]) * z[1], (-theta[3] + theta[4] * z[1]) * z[2] };
      }
    }
    data { int<lower=0> n; real ts[n]; real y_init[2]; real<lower=0> y[n, 2]; }
    parameters { real<lower=0> theta[4]; real<lower=0> z_init[2]; real<lower=0> sigma[2]; }
    model {
      real z[n, 2] =
        integrate_ode_rk45(change, z_init, 0, ts, theta, rep_array(0.0, 0), rep_array(0, 0), 1e-5, 1e-3, 500);
      theta[{1, 3}] ~ normal(1, 0.5);
      theta[{2, 4}] ~ normal(0.05, 0.05);
      sigma ~ lognormal(-1, 1);
      z_init ~ lognormal(log(10), 1);
      for (k in 1:2) {
        y_init[k] ~ lognormal(log(z_init[k]), sigma[k]);
        y[, k] ~ lognormal(log(z[, k]), sigma[k]);
      }
    }"
)

lines <- function(y, x, beta_sd = 0, sigma_cauchy = 0, sigma_sd = 0) {
  list(
    model = "regression",
    data = list(
      n = length(y), k = ncol(x), x = x, y = y, beta_sd = beta_sd, sigma_cauchy = sigma_cauchy, sigma_sd = sigma_sd
    )
  )
}

posteriors <- list(
  "kidiq-kidscore_momhsiq" = function(d) lines(d$kid_score, cbind(1, d$mom_hs, d$mom_iq), sigma_cauchy = 2.5),
  "earnings-logearn_interaction" = function(d) lines(log(d$earn), cbind(1, d$height, d$male, d$height * d$male)),
  "mesquite-logmesquite_logvas" = function(d) {
    area <- log(d$diam1 * d$diam2)
    shape <- log(d$diam1 / d$diam2)
    lines(log(d$weight), cbind(
      1, area + log(d$canopy_height), area, shape, log(d$total_height), log(d$density), d$group
    ))
  },
  "nes1980-nes" = function(d) {
    age <- sapply(2:4, function(k) d$age_discrete == k)
    lines(d$partyid7, cbind(1, d$real_ideo, d$race_adj, age, d$educ1, d$gender, d$income))
  },
  "sblri-blr" = function(d) lines(d$y, d$X, beta_sd = 10, sigma_sd = 10),
  "arK-arK" = function(d) {
    before <- sapply(seq_len(d$K), function(k) d$y[(d$K + 1 - k):(length(d$y) - k)])
    lines(d$y[-seq_len(d$K)], cbind(1, before), beta_sd = 10, sigma_cauchy = 2.5)
  },
  "diamonds-diamonds" = function(d) {
    x <- scale(d$X[, -1], scale = FALSE)
    list(model = "centered", data = list(n = d$N, k = ncol(x), x = x, y = d$Y))
  },
  "garch-garch11" = function(d) list(model = "garch", data = list(n = length(d$y), y = d$y, sigma1 = d$sigma1)),
  "eight_schools-eight_schools_noncentered" = function(d) {
    list(model = "schools", data = list(n = d$J, y = d$y, s = d$sigma))
  },
  "low_dim_gauss_mix-low_dim_gauss_mix" = function(d) list(model = "mixture", data = list(n = d$N, y = d$y)),
  "gp_pois_regr-gp_regr" = function(d) list(model = "process", data = list(n = d$N, x = d$x, y = d$y)),
  "gp_pois_regr-gp_pois_regr" = function(d) list(model = "poisson_process", data = list(n = d$N, x = d$x, k = d$k)),
  "hmm_example-hmm_example" = function(d) list(model = "hidden_markov", data = list(n = d$N, y = d$y)),
  "hudson_lynx_hare-lotka_volterra" = function(d) {
    list(model = "lotka_volterra", data = list(n = d$N, ts = d$ts, y_init = d$y_init, y = d$y))
  }
)

renamed <- list("arK-arK" = c("alpha", paste0("beta[", 1:5, "]"), "sigma"))

dir.create(given[2], showWarnings = FALSE)
names <- if (length(given) > 2) given[-(1:2)] else names(posteriors)
cat(sprintf("%-40s %7s | %7s %6s %-12s %6s | %-13s | %-13s\n", "", "Stan, s", "fit, s", "check", "verdict", "steps",
  "draws", "resampled"
))
for (name in names) {
  read <- jsonlite::fromJSON(gzfile(Sys.glob(file.path(given[1], name, "data.json*"))[1]))
  truth <- read.csv(file.path(given[1], name, "moments.csv"))
  posed <- posteriors[[name]](read)
  model <- compiled(posed$model, code, given[2])
  chains <- NA
  if (Sys.getenv("CHAINS") != "0") {
    chains <- system.time(suppressWarnings(
      sampling(model, data = posed$data, chains = 4, iter = 2000, refresh = 0, seed = 1, cores = 1)
    ))[["elapsed"]]
  }
  posterior <- suppressMessages(sampling(model, data = posed$data, chains = 0))
  for (seed in seeds) {
    set.seed(seed)
    fit_time <- system.time(fit <- suppressWarnings(fit_flow(posterior)))[["elapsed"]]
    check_time <- system.time(check <- check_flow(fit))[["elapsed"]]
    of <- lapply(c("flow", "resample"), function(method) {
      draws <- suppressWarnings(posterior::as_draws(fit, n = 20000, method = method))
      if (!is.null(renamed[[name]])) colnames(draws)[seq_along(renamed[[name]])] <- renamed[[name]]
      errors(draws, truth)
    })
    cat(sprintf("%-40s %7.2f | %7.2f %6.2f %-12s %6d | %.3f %5.1f %% | %.3f %5.1f %%\n", name, chains, fit_time,
      check_time, check$verdict, as.integer(fit$steps), of[[1]][["mean"]], 100 * of[[1]][["sd"]], of[[2]][["mean"]],
      100 * of[[2]][["sd"]]
    ))
  }
}

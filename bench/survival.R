# Censored times. Without arguments both parts; `Rscript bench/survival.R truth` or `held-out [repetitions]` one of them.
#
# truth: Weibull and lognormal regressions of 2000 rows, some 30 per cent of them censored, three seeds. Relative errors
# of the 10, 25, 50, 75 and 90 per cent quantiles at 50 new rows, averaged over these for the worst of the quantiles, and
# the largest; and the mean log likelihood of 5000 new rows; both beside survreg() of the right family.
#
# held-out: five-fold cross-validation of data of the survival package; nats a row, mean over the repetitions.
suppressMessages({
  library(bijectr)
  library(survival)
})
argument <- commandArgs(TRUE)
part <- if (length(argument)) argument[1] else "both"

# Log likelihoods of right-censored rows under a survreg() of "weibull" or "lognormal".
survreg_likelihood <- function(model, new) {
  y <- model.response(model.frame(formula(model), new))
  u <- (log(y[, 1]) - predict(model, new, type = "lp")) / model$scale
  if (model$dist == "weibull") return(ifelse(y[, 2] == 1, u - exp(u) - log(model$scale * y[, 1]), -exp(u)))
  ifelse(y[, 2] == 1, dnorm(u, log = TRUE) - log(model$scale * y[, 1]), pnorm(u, lower.tail = FALSE, log.p = TRUE))
}

simulate_times <- function(n, family, censor) {
  d <- data.frame(x1 = rnorm(n), x2 = runif(n, -1, 1), g = rbinom(n, 1, 0.5))
  location <- 1 + 0.5 * d$x1 - 0.4 * d$x2 + 0.3 * d$g
  error <- if (family == "weibull") log(rexp(n)) else rnorm(n)
  t <- exp(location + 0.7 * error)
  limit <- rexp(n, censor)
  d$time <- pmin(t, limit)
  d$status <- as.numeric(t <= limit)
  d$location <- location
  d
}

if (part %in% c("both", "truth")) {
  p <- c(0.1, 0.25, 0.5, 0.75, 0.9)
  for (family in c("weibull", "lognormal")) {
    for (seed in 1:3) {
      set.seed(seed)
      rate <- if (family == "weibull") 0.115 else 0.085
      d <- simulate_times(2000, family, rate)
      new <- simulate_times(5000, family, rate)
      seconds <- system.time({
        fit <- fit_flow(Surv(time, status) ~ x1 + x2 + g, data = d, progress = FALSE)
      })[[3]]
      model <- survreg(Surv(time, status) ~ x1 + x2 + g, d, dist = family)
      at <- new[1:50, ]
      true <- exp(outer(at$location, 0.7 * if (family == "weibull") log(-log1p(-p)) else qnorm(p), `+`))
      error <- function(q) abs(q / true - 1)
      ours <- error(suppressWarnings(predict(fit, at, "quantile", p = p)))
      theirs <- error(predict(model, at, type = "quantile", p = p))
      cat(sprintf(
        paste("%-9s seed %d: %2.0f %% censored, %3.0f s; quantiles off by %.1f %% on average, %.1f %% at most",
              "(survreg %.1f, %.1f); log likelihood %.4f, survreg %.4f, difference %+.4f\n"),
        family, seed, 100 * mean(d$status == 0), seconds, 100 * max(colMeans(ours)), 100 * max(ours),
        100 * max(colMeans(theirs)), 100 * max(theirs), mean(suppressWarnings(logdensity(fit, new))),
        mean(survreg_likelihood(model, new)),
        mean(suppressWarnings(logdensity(fit, new))) - mean(survreg_likelihood(model, new))
      ))
      print(fit)
    }
  }
}

if (part %in% c("both", "held-out")) {
  repetitions <- if (length(argument) > 1) as.numeric(argument[2]) else 10
  known <- list(
    lung = list(na.omit(lung[c("time", "status", "age", "sex", "ph.ecog", "ph.karno", "wt.loss")]),
                Surv(time, status) ~ age + sex + ph.ecog + ph.karno + wt.loss),
    ovarian = list(ovarian, Surv(futime, fustat) ~ age + resid.ds + rx + ecog.ps),
    veteran = list(veteran, Surv(time, status) ~ trt + celltype + karno + diagtime + age + prior),
    pbc = list(transform(na.omit(pbc[1:312, setdiff(names(pbc), "id")]), status = as.numeric(status == 2)),
               Surv(time, status) ~ .)
  )
  for (name in names(known)) {
    d <- known[[name]][[1]]
    formula <- known[[name]][[2]]
    set.seed(1)
    values <- replicate(repetitions, {
      fold <- sample(rep_len(1:5, nrow(d)))
      total <- c(0, 0, 0)
      for (k in 1:5) {
        train <- d[fold != k, ]
        test <- d[fold == k, ]
        fit <- suppressWarnings(fit_flow(formula, data = train, progress = FALSE))
        model <- function(dist) suppressWarnings(do.call(survreg, list(formula, train, dist = dist)))
        total <- total + c(
          sum(suppressWarnings(logdensity(fit, test))), sum(survreg_likelihood(model("weibull"), test)),
          sum(survreg_likelihood(model("lognormal"), test))
        )
      }
      total / nrow(d)
    })
    shown <- rowMeans(values)
    cat(sprintf("%-8s %4d rows: fit_flow %.4f, survreg Weibull %.4f, lognormal %.4f\n", name, nrow(d), shown[1],
                shown[2], shown[3]))
  }
}

# Counts given conditions, by fit_flow(y ~ ., data) with its defaults: nats a row, less is worse.
#
#   Rscript bench/counts.R [truth|held-out] [repetitions]
#
# truth: 5000 rows of Poisson, negative binomial and zero-inflated Poisson counts with covariates, three seeds; mean log
# probability of 20 000 new rows less that of the true model.
#
# held-out: five-fold cross-validation, mean over the repetitions, beside glm(family = poisson) and MASS::glm.nb() of the
# same formula. Needs MASS and mlbench.
suppressPackageStartupMessages(library(bijectr))
argument <- commandArgs(TRUE)
part <- if (length(argument)) argument[1] else "both"
repetitions <- if (length(argument) > 1) as.integer(argument[2]) else 3

simulate_counts <- function(n, family) {
  d <- data.frame(x1 = rnorm(n), x2 = runif(n, -1, 1), g = factor(base::sample(c("a", "b", "c"), n, TRUE)))
  mean <- exp(0.6 + 0.5 * d$x1 - 0.4 * d$x2 + c(0, 0.3, -0.5)[d$g])
  zero <- plogis(-0.8 + 0.7 * d$x1)
  d$y <- switch(family,
    poisson = rpois(n, mean),
    "negative binomial" = rnbinom(n, mu = mean, size = 1.5),
    "zero-inflated" = ifelse(runif(n) < zero, 0, rpois(n, mean))
  )
  d$true <- switch(family,
    poisson = dpois(d$y, mean, TRUE),
    "negative binomial" = dnbinom(d$y, mu = mean, size = 1.5, log = TRUE),
    "zero-inflated" = log(zero * (d$y == 0) + (1 - zero) * dpois(d$y, mean))
  )
  d
}

if (part %in% c("both", "truth")) {
  for (family in c("poisson", "negative binomial", "zero-inflated")) {
    for (seed in 1:3) {
      set.seed(seed)
      d <- simulate_counts(5000, family)
      new <- simulate_counts(20000, family)
      seconds <- system.time(fit <- suppressWarnings(fit_flow(y ~ x1 + x2 + g, d)))[["elapsed"]]
      cat(sprintf(
        "%-17s seed %d: %.4f below the truth, %.0f s\n", family, seed,
        mean(new$true - logdensity(fit, new)), seconds
      ))
    }
  }
}

if (part %in% c("both", "held-out")) {
  known <- list(
    quine = list(MASS::quine, Days ~ Eth + Sex + Age + Lrn),
    warpbreaks = list(datasets::warpbreaks, breaks ~ wool + tension),
    esoph = list(transform(datasets::esoph, controls = ncontrols), ncases ~ agegp + alcgp + tobgp + controls),
    epil = list(MASS::epil, y ~ trt + base + age + V4)
  )
  for (name in names(known)) {
    d <- known[[name]][[1]]
    formula <- known[[name]][[2]]
    y <- all.vars(formula)[1]
    set.seed(1)
    values <- replicate(repetitions, {
      fold <- base::sample(rep_len(1:5, nrow(d)))
      total <- c(0, 0, 0)
      for (k in 1:5) {
        train <- d[fold != k, ]
        test <- d[fold == k, ]
        fit <- suppressWarnings(fit_flow(formula, train))
        poisson <- glm(formula, stats::poisson, train)
        negative <- tryCatch(suppressWarnings(MASS::glm.nb(formula, train)), error = function(e) NULL)
        total <- total + c(
          sum(logdensity(fit, test)),
          sum(dpois(test[[y]], predict(poisson, test, type = "response"), log = TRUE)),
          if (is.null(negative)) NA else sum(
            dnbinom(test[[y]], mu = predict(negative, test, type = "response"), size = negative$theta, log = TRUE)
          )
        )
      }
      total / nrow(d)
    })
    shown <- rowMeans(values)
    cat(sprintf(
      "%-10s %3d rows: fit_flow %.4f, glm Poisson %.4f, glm.nb %.4f\n", name, nrow(d), shown[1], shown[2], shown[3]
    ))
  }
}

# What a user of lm, mclust, ks, mgcv, gamlss, survival and broom expects to find, one line each: the call as they would
# write it, and what must be true of its value. Prints those that fall short, and how many of all hold.
#
#   Rscript bench/expectations.R
#
# Beside each stands whose habit it is. Needs MASS, survival, generics, ggplot2, tibble, posterior and distributional.
suppressPackageStartupMessages({
  library(bijectr)
  library(ggplot2)
})
options(bijectr.threads = 1L)
set.seed(1)
grDevices::pdf(NULL)

held <- 0
asked <- 0
expect <- function(habit, call, must) {
  call <- substitute(call)
  must <- substitute(must)
  asked <<- asked + 1
  value <- tryCatch(suppressMessages(suppressWarnings(eval(call, globalenv()))), error = identity)
  good <- !inherits(value, "error") && isTRUE(tryCatch(eval(must, list(value = value), globalenv()), error = identity))
  held <<- held + good
  if (!good) {
    cat("FALLS SHORT (", habit, "): ", deparse(call, 500), "\n", sep = "")
    if (inherits(value, "error")) cat("  ", conditionMessage(value), "\n", sep = "")
  }
}

cars2 <- transform(mtcars, cyl = factor(cyl))
joint <- suppressMessages(fit_flow(faithful))
waits <- suppressMessages(fit_flow(eruptions ~ waiting, data = faithful))
miles <- suppressMessages(fit_flow(mpg ~ wt + cyl, data = cars2))
both <- suppressMessages(fit_flow(cbind(mpg, qsec) ~ wt, data = cars2))
species <- suppressMessages(fit_flow(Species ~ ., data = iris))
mixed <- suppressMessages(fit_flow(iris))
days <- suppressMessages(fit_flow(survival::Surv(time, status) ~ age, data = survival::lung))
counts <- suppressMessages(fit_flow(breaks ~ wool + tension, data = warpbreaks))
new <- data.frame(waiting = c(50, 60, 80))

# ---- lm, glm, mgcv ---------------------------------------------------------------------------------------------------
expect("lm", predict(waits, new), length(value) == 3 && all(diff(value) > 0))
expect("lm", predict(waits, new, interval = 0.9), identical(colnames(value), c("fit", "lwr", "upr")))
expect("lm", predict(miles, data.frame(wt = 3, cyl = "4")), length(value) == 1)
expect("lm", predict(miles, data.frame(wt = NA, cyl = "4")), is.na(value))
expect("lm", residuals(waits), length(value) == 272 && abs(mean(value)) < 0.2 && abs(sd(value) - 1) < 0.2)
expect("lm", fitted(waits), cor(value, faithful$eruptions) > 0.85)
expect("lm", formula(miles), identical(deparse(value), "mpg ~ wt + cyl"))
expect("lm", update(waits, . ~ . + 1, members = "normal"), inherits(value, "bijectr_fit"))
expect("lm", update(miles, subset = cyl != "8", members = "normal"), nobs(value) == 18)
expect("lm", nobs(joint), value == 272)
expect("lm", logLik(joint), inherits(value, "logLik") && is.finite(value))
expect("lm", terms(miles), inherits(value, "terms"))
expect("lm", model.frame(miles), nrow(value) == 32)
expect("lm", coef(waits), is.numeric(value) && !is.null(names(value)))
expect("lm", simulate(waits, nsim = 3, seed = 1), TRUE)
expect("lm", fit_flow(log(dist) ~ poly(speed, 2), data = cars, members = "normal"), inherits(value, "bijectr_fit"))
expect("lm", fit_flow(dist ~ speed, data = cars, subset = speed > 10, weights = speed, members = "normal"), nobs(value) > 0)
expect("lm", fit_flow(Ozone ~ Wind, data = airquality, na.action = na.omit, members = "normal"), nobs(value) == 116)
expect("glm", predict(counts, data.frame(wool = "A", tension = "L")), value > 20 && value < 60)
expect("glm", predict(species, iris[c(1, 60, 140), -5]), identical(as.character(value), c("setosa", "versicolor", "virginica")))
expect("glm", predict(species, iris[1:3, -5], type = "probability"), all(abs(rowSums(value) - 1) < 1e-9))
expect("glm", deviance(waits), is.numeric(value) && is.finite(value))
expect("quantreg", predict(waits, new, type = "quantile", p = c(0.1, 0.9)), identical(dim(value), 3:2))
expect("quantreg", quantile(waits, c(0.1, 0.5), condition = new), all(value[, 1] < value[, 2]))
expect("mgcv", plot(waits, "check"), length(value) == 272)
expect("mgcv", plot(miles, "fan", over = "wt", at = list(cyl = "6")), nrow(value) == 101)
expect("mgcv", plot(miles, "fan", over = "cyl"), nrow(value) == 3)
expect("gamlss", dflow(3, waits, condition = new), length(value) == 3 && all(value > 0))
expect("gamlss", pflow(3, waits, condition = new), all(diff(value) < 0))
expect("gamlss", qflow(0.5, waits, condition = new), all(diff(value) > 0))
expect("gamlss", rflow(5, waits, condition = data.frame(waiting = 70)), NROW(value) == 5)
expect("gamlss", predict(both, data.frame(wt = 2:4)), identical(dim(value), 3:2))
expect("gamlss", predict(both, data.frame(wt = 3), type = "covariance"), identical(dim(value), c(1L, 2L, 2L)))

# ---- mclust, ks ------------------------------------------------------------------------------------------------------
expect("mclust", summary(joint), any(grepl("held", capture.output(print(value)))))
expect("mclust", dflow(faithful[1:5, ], joint), length(value) == 5 && all(value > 0))
expect("mclust", sample(joint, 10), is.data.frame(value) && identical(names(value), names(faithful)))
expect("mclust", plot(joint, data = faithful), all(dim(value$density) == 151))
expect("mclust", plot(joint, data = faithful, xlim = c(0, 6), levels = c(0.25, 0.75), col = "black"), TRUE)
expect("mclust", logdensity(joint, faithful), mean(value) > -4.3)
expect("ks", plot(fit_flow(faithful$waiting, members = "full")), sum(value$density) * diff(value$x[1:2]) > 0.95)
expect("ks", { plot(joint); plot(joint, add = TRUE, levels = 0.99) }, is.list(value))
expect("ks", fit_flow(faithful, weights = rep(1:2, 136), members = "normal"), inherits(value, "bijectr_fit"))
expect("ks", fit_flow(rexp(200), support = positive(), members = "shrunk"), min(unlist(sample(value, 1000))) > 0)
expect("arf", sample(mixed, 5), identical(vapply(value, class, ""), vapply(iris, class, "")))
expect("arf", conditional(mixed, Species = "setosa"), mean(sample(value, 200)$Petal.Length) < 2)
expect("arf", marginal(mixed, c("Petal.Length", "Species")), identical(names(sample(value, 2)), c("Petal.Length", "Species")))
expect("mice", impute(mixed, replace(iris, cbind(1:3, 2), NA), m = 2), TRUE)

# ---- survival --------------------------------------------------------------------------------------------------------
expect("survival", predict(days, data.frame(age = c(50, 70)), type = "survival", times = c(100, 500)), all(value[, 1] > value[, 2]))
expect("survival", predict(days, data.frame(age = 60), type = "quantile", p = 0.5), value > 100 && value < 600)
expect("survival", plot(days, "survival", newdata = data.frame(age = c(50, 70)), data = survival::lung), nrow(value$survival) == 2)
expect("survival", residuals(days), length(value) == 228)

# ---- the tidyverse and its like --------------------------------------------------------------------------------------
expect("broom", generics::glance(joint), nrow(value) == 1 && "logLik" %in% names(value))
expect("broom", generics::tidy(joint), "weight" %in% names(value))
expect("broom", generics::augment(waits, faithful), all(c(".fitted", ".resid", ".logdensity") %in% names(value)))
expect("broom", generics::augment(waits, newdata = new, interval = 0.9), all(c(".fitted", ".lower", ".upper") %in% names(value)))
expect("parsnip", predict(waits, new, as_tibble = TRUE), identical(names(value), ".pred") && inherits(value, "tbl_df"))
expect("parsnip", predict(species, iris[1:2, -5], type = "probability", as_tibble = TRUE), ".pred_setosa" %in% names(value))
expect("ggplot2", ggplot2::autoplot(joint, data = faithful) + ggplot2::theme_minimal(), inherits(value, "ggplot"))
expect("ggplot2", ggplot2::autoplot(waits, "fan"), inherits(value, "ggplot"))
expect("posterior", posterior::as_draws(joint, n = 100), posterior::ndraws(value) == 100)
expect("distributional", mean(dist_flow(waits, new)), length(value) == 3)

# ---- R itself --------------------------------------------------------------------------------------------------------
expect("R", { f <- tempfile(); saveRDS(joint, f); readRDS(f) }, identical(logdensity(value, faithful), logdensity(joint, faithful)))
expect("R", { set.seed(3); a <- sample(joint, 5); set.seed(3); list(a, sample(joint, 5)) }, identical(value[[1]], value[[2]]))
expect("R", capture.output(print(joint)), length(value) < 20)
expect("R", capture.output(str(joint)), length(value) < 5)
expect("R", tryCatch(AIC(joint), error = conditionMessage), grepl("parameters", value))
expect("R", fit_flow(faithful, layers = coupling_flow, steps = 5), inherits(value, "bijectr_fit"))
expect("R", tryCatch(fit_flow(faithful, lerning_rate = 0.1), error = conditionMessage), grepl("learning_rate", value))
expect("R", tryCatch(predict(waits, data.frame(wating = 3), "median"), error = conditionMessage), grepl("waiting", value))
expect("R", check_flow(joint, faithful), inherits(value, "bijectr_check"))

cat(held, "of", asked, "hold\n")

# A spline coupling flow on the eruptions of Old Faithful: its held-out log density beside a fitted normal's, and a
# picture of the density.
library(bijectr, warn.conflicts = FALSE)
set.seed(1)

held_out <- sample(nrow(faithful), 54)
train <- faithful[-held_out, ]
test <- faithful[held_out, ]

started <- Sys.time()
fit <- fit_flow(train, layers = coupling_flow(scalar = scalar_rq_spline()))
seconds <- as.numeric(difftime(Sys.time(), started, units = "secs"))
print(summary(fit))

# The multivariate normal of the same training rows, by maximum likelihood.
centre <- colMeans(train)
root <- chol(crossprod(sweep(as.matrix(train), 2, centre)) / nrow(train))
normal <- function(x) {
  z <- backsolve(root, t(sweep(as.matrix(x), 2, centre)), transpose = TRUE)
  -colSums(z^2) / 2 - sum(log(diag(root))) - ncol(x) / 2 * log(2 * pi)
}

cat(sprintf("\nFitted on %d rows in %.1f s. Mean log density of the %d rows held out:\n",
  nrow(train), seconds, nrow(test)
))
score <- c(flow = mean(logdensity(fit, test)), "multivariate normal" = mean(normal(test)))
cat(sprintf("  %-22s %8.3f\n", names(score), score), sep = "")

file <- "demo-density.png"
type <- if (capabilities("cairo")) "cairo" else getOption("bitmapType")
png(file, width = 900, height = 700, res = 120, type = type)
plot(fit, type = "density")
invisible(dev.off())
cat("\nThe density is drawn in ", normalizePath(file), "\n", sep = "")

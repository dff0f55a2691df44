# Draws the figures of README.md into man/figures/, with the package that is installed in .lib.
suppressPackageStartupMessages(library(bijectr))
source("vignettes/toy-data.R")

figure <- function(name, width, code) {
  type <- if (capabilities("cairo")) "cairo" else getOption("bitmapType")
  png(file.path("man/figures", paste0(name, ".png")), width = width, height = 400, res = 96, type = type)
  on.exit(dev.off())
  par(mar = c(3.8, 4.2, 2, 0.8), mgp = c(2.5, 0.6, 0), tcl = -0.3, las = 1, font.main = 1)
  code
}

set.seed(1)
fit <- fit_flow(faithful, layers = coupling_flow(scalar = scalar_rq_spline()))
figure("faithful", 480, plot(fit, data = faithful))

set.seed(1)
moons <- two_moons(10000)
fit <- fit_flow(moons)
figure("moons", 860, {
  par(mfrow = c(1, 2))
  limits <- list(xlim = c(-4, 4), ylim = c(-3.3, 3.3))
  keep <- seq_len(2000)
  plot(moons[keep, ],
    pch = 20, cex = 0.35, col = "#7F7F7F", xlim = limits$xlim, ylim = limits$ylim, main = "2000 of 10000 points"
  )
  plot(fit, xlim = limits$xlim, ylim = limits$ylim, main = "density of fit_flow(moons)")
})

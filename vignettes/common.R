# Sourced by the setup chunk of every vignette: figures, the theme of plots, results of long runs, toy data.
library(bijectr)
# Titles in the index are numbered.
options(bijectr.threads = 2, digits = 4, width = 88, rmarkdown.html_vignette.check_title = FALSE)

knitr::opts_chunk$set(
  collapse = TRUE, comment = "#>", fig.width = 6, fig.height = 4, fig.align = "center", dpi = 96, fig.retina = 1,
  out.width = NULL, dev = "png",
  dev.args = list(type = if (capabilities("cairo")) "cairo" else getOption("bitmapType")),
  theme = TRUE
)

# Plots start from these settings; a chunk may change them.
knitr::knit_hooks$set(theme = function(before, options, envir) {
  if (before) par(mar = c(3.8, 4.4, 1.8, 0.8), mgp = c(2.6, 0.6, 0), tcl = -0.3, las = 1, cex.main = 1, font.main = 1)
})

# Colours that differ in lightness, so that a grey print keeps them apart.
INK <- "grey15"
BLUE <- "#08519C"
RED <- "#E6550D"
PALE <- "grey70"

# The value of `expr`, which takes long: it is read from precomputed/<name>.rds. With the environment variable
# BIJECTR_FULL set, as `make vignettes FULL=1` does, it is computed anew and saved there.
full_run <- function(name, expr) {
  file <- file.path("precomputed", paste0(name, ".rds"))
  if (nzchar(Sys.getenv("BIJECTR_FULL"))) {
    dir.create("precomputed", showWarnings = FALSE)
    saveRDS(expr, file, compress = "xz")
  } else if (!file.exists(file)) {
    stop(file, " is missing: run `make vignettes FULL=1`")
  }
  readRDS(file)
}

source("toy-data.R")

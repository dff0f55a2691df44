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
# BIJECTR_FULL set, as `make vignettes FULL=1` does, it is computed anew and saved there, with the instruction set that
# made it. Where the folder is missing, as it is beside the scripts of the installed package, it is computed.
full_run <- local({
  used <- character()
  function(name, expr) {
    if (missing(name)) return(used)
    file <- file.path("precomputed", paste0(name, ".rds"))
    anew <- nzchar(Sys.getenv("BIJECTR_FULL"))
    if (!anew && !dir.exists("precomputed")) return(expr)
    if (anew) {
      dir.create("precomputed", showWarnings = FALSE)
      attr(expr, "isa") <- getOption("bijectr.isa", "the widest of its machine")
      saveRDS(expr, file, compress = "xz")
    } else if (!file.exists(file)) {
      stop(file, " is missing: run `make vignettes FULL=1`")
    }
    used <<- c(used, name)
    value <- readRDS(file)
    attr(value, "isa") <- NULL
    value
  }
})

# What a page says at its end of the results that it did not compute.
stored_note <- function() {
  if (!length(full_run())) return("")
  paste0(
    "*Stored results.* The values of `full_run(\"", paste(full_run(), collapse = "\"`, `\""), "\")` take minutes: they ",
    "were computed once and are stored in the sources of the package, and so are the times among them. ",
    "`make vignettes FULL=1` computes them anew; on another instruction set (`?bijectr-options`) last digits differ, ",
    "and what long trainings make of these."
  )
}

source("toy-data.R")

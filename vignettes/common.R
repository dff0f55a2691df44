# Sourced by the setup chunk of every vignette: figures, the theme of plots, results of long runs, toy data.
library(bijectr)
# Titles in the index are numbered.
options(bijectr.threads = 2, digits = 4, width = 88, rmarkdown.html_vignette.check_title = FALSE)

knitr::opts_chunk$set(
  collapse = TRUE, comment = "#>", fig.width = 6, fig.height = 4, fig.align = "center", dpi = 64, fig.retina = 1,
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
# made it; FULL may also be a pattern of names. Where the folder is missing, as it is beside the scripts of the
# installed package, it is computed.
full_run <- local({
  used <- list()
  function(name, expr) {
    if (missing(name)) return(used)
    file <- file.path("precomputed", paste0(name, ".rds"))
    full <- Sys.getenv("BIJECTR_FULL")
    anew <- nzchar(full) && (full == "1" || grepl(full, name))
    if (!anew && !dir.exists("precomputed")) return(expr)
    if (anew) {
      dir.create("precomputed", showWarnings = FALSE)
      attr(expr, "isa") <- bijectr:::native_isa()
      saveRDS(expr, file, compress = "xz")
    } else if (!file.exists(file)) {
      stop(file, " is missing: run `make vignettes FULL=1`")
    }
    value <- readRDS(file)
    isa <- attr(value, "isa")
    used[[name]] <<- if (is.null(isa)) "unknown" else isa
    attr(value, "isa") <- NULL
    value
  }
})

# What a page says at its end of the results that it did not compute.
stored_note <- function() {
  used <- full_run()
  if (!length(used)) return("")
  known <- setdiff(unlist(used), "unknown")
  isa <- if (length(known)) paste0(", on the instruction set ", paste0("`\"", known, "\"`", collapse = " and "))
  old <- names(used)[used == "unknown"]
  old <- if (length(old)) paste0(" (on which one was not recorded for `", paste(old, collapse = "`, `"), "`)")
  paste0(
    "*Stored results.* The values of `full_run(\"", paste(names(used), collapse = "\"`, `\""), "\")` take minutes. ",
    "They were computed once", isa, old, ", and are stored in the sources of the package, and so ",
    "are the times among them, which are of two threads of a machine that other work shared. `make vignettes FULL=1` ",
    "computes them anew; on another instruction set (`?bijectr-options`) last digits differ, and what long trainings ",
    "make of these."
  )
}

# The code of helpers that a page uses, for a chunk that shows it: names of colours and of functions of toy-data.R.
helper_code <- function(...) {
  text <- c(readLines("common.R"), readLines("toy-data.R"))
  c("library(bijectr)", unlist(lapply(c(...), function(name) {
    if (name == "full_run") return("full_run <- function(name, expr) expr # this page reads stored values: see its end")
    from <- grep(paste0("^", name, " <- "), text)[1]
    to <- if (grepl("\\{$", text[from])) from - 1 + grep("^\\}", text[from:length(text)])[1] else from
    text[from:to]
  })))
}

source("toy-data.R")

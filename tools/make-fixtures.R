# Writes the small set of reference vectors that is shipped in tests/testthat/fixtures/vectors.
#
#   Rscript tools/make-fixtures.R <folder of the full set>
#
# Of every file the cases named below (regular expressions on the id; of all matches the shortest case is taken), whole,
# with all digits of their numbers.
library(jsonlite)

wanted <- list(
  scalar = c(
    "^rq_spline/", "^affine/", "^affine_min_scale/", "^leaky_tanh/", "^tanh$", "^sigmoid", "^exp", "^softplus",
    "^power", "^leaky_tanh_spline"
  ),
  layers = c(
    "^elementwise/rq_spline", "^triangular_affine/lower/", "^triangular_affine/lower_weight_norm", "^planar/tanh/d2",
    "^planar/leaky_relu/d2", "^planar/.*cond", "^coupling/affine/d2", "^coupling/rq_spline.*_cond",
    "^additive_condition/", "^flip"
  ),
  layers_autoregressive = c(
    "^masked_autoregressive/affine/d2", "^masked_autoregressive/affine/d1_cond", "^block_autoregressive/depth1/d2"
  ),
  flows = c(
    "^coupling_flow/affine/d2", "^masked_autoregressive_flow.*sampling_fast", "^block_neural.*sampling_fast",
    "^planar_flow/leaky_relu"
  ),
  training = c("^coupling_flow/affine/clip_adam", "^masked_autoregressive_flow/affine/adamw"),
  analytic = c("^cubic_rational/2", "^sinh_conjugation/2", "^cubic_conjugation/2", "^sinh_conjugation/extreme/1"),
  radial = c("^radial/", "^radial_conditional/.*/hidden$"),
  simple2d = "^initial",
  continuous = c(
    "^field/planar/d3", "^log_density/planar/d3/tsit5/hutchinson", "^log_density/mlp/d2/tsit5/exact", "^sample/mlp/d3"
  )
)

# JSON of what fromJSON(simplifyVector = FALSE) returns; toJSON() writes 15 digits at most.
as_json <- function(x) {
  if (is.null(x)) return("null")
  if (is.character(x)) return(deparse(x))
  if (is.logical(x)) return(if (x) "true" else "false")
  if (is.numeric(x)) return(shortest(x))
  if (length(x) == 0) return(if (is.null(names(x))) "[]" else "{}")
  inner <- vapply(x, as_json, "")
  if (is.null(names(x))) return(paste0("[", paste(inner, collapse = ","), "]"))
  paste0("{", paste0('"', names(x), '":', inner, collapse = ","), "}")
}

shortest <- function(x) {
  for (digits in 15:17) {
    text <- sprintf("%.*g", digits, x)
    if (fromJSON(text) == x) break
  }
  text
}

folder <- commandArgs(TRUE)
if (length(folder) != 1) stop("usage: Rscript tools/make-fixtures.R <folder>")
target <- "tests/testthat/fixtures/vectors"
dir.create(target, recursive = TRUE, showWarnings = FALSE)
read <- function(file) fromJSON(file, simplifyVector = FALSE)
for (name in names(wanted)) {
  cases <- read(file.path(folder, paste0(name, ".json")))
  ids <- vapply(cases, function(case) case$id, "")
  text <- vapply(cases, as_json, "")
  chosen <- unique(vapply(wanted[[name]], function(pattern) {
    found <- grep(pattern, ids)
    if (length(found) == 0) stop(name, ".json has no case ", pattern)
    found[which.min(nchar(text[found]))]
  }, 1L))
  file <- file.path(target, paste0(name, ".json"))
  writeLines(c("[", paste0(text[chosen], c(rep(",", length(chosen) - 1), "")), "]"), file)
  stopifnot(isTRUE(all.equal(read(file), cases[chosen], tolerance = 0))) # every number reads back exactly
  cat(sprintf("%-24s %3d cases %6.1f kB\n", name, length(chosen), file.size(file) / 1024))
}

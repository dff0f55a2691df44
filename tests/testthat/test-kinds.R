# Every kind of the core has its own test file, so that none goes without the battery.

# The rows of the tables in src/core/kinds.c where the sources are at hand, else the list of this release.
kinds_of_core <- function() {
  up <- normalizePath(".")
  for (i in 1:5) {
    file <- file.path(up, "src", "core", "kinds.c")
    if (file.exists(file)) return(kinds_in(readLines(file)))
    up <- dirname(up)
  }
  shipped_kinds
}

kinds_in <- function(lines) {
  text <- paste(lines, collapse = "\n")
  tables <- regmatches(text, gregexpr("_kinds\\[\\] = \\{[^}]*\\}", text))[[1]]
  names <- unlist(lapply(tables, function(table) regmatches(table, gregexpr("&[a-z0-9_]+", table))[[1]]))
  sub("^&([a-z]+)_", "\\1/", names)
}

shipped_kinds <- c(
  "scalar/affine", "scalar/rq_spline", "scalar/tanh_affine", "scalar/leaky_relu", "scalar/leaky_tanh", "scalar/tanh",
  "scalar/sigmoid", "scalar/softplus", "scalar/exp", "scalar/power",
  "scalar/cubic_conjugation", "scalar/sinh_conjugation", "scalar/cubic_rational", "scalar/sinh", "scalar/tan",
  "scalar/gaussian_cdf", "scalar/beta_stretch", "scalar/tanh_plus_linear", "scalar/chain", "net/mlp", "layer/chain",
  "layer/invert", "layer/permute", "layer/standardize", "layer/elementwise", "layer/coupling", "layer/autoregressive",
  "base/normal", "base/logistic", "base/student_t", "base/uniform",
  "layer/block_autoregressive",
  "net/fourier",
  "net/polynomial",
  "net/separate",
  "layer/radial",
  "layer/radial_conditional",
  "base/laplace",
  "base/cauchy",
  "base/gumbel",
  "base/mvnormal",
  "base/mixture",
  "layer/continuous", "field/planar", "field/mlp", "solver/tsit5", "solver/rk4", "solver/euler"
)

test_that("every kind has a test file", {
  kinds <- kinds_of_core()
  expect_gte(length(kinds), 23)
  file <- paste0("test-", sub("/", "-", kinds), ".R")
  expect_equal(file[!file.exists(test_path(file))], character())
})

test_that("every kind has a constructor that says its name", {
  required <- list(
    scalar = scalar_affine(), exponent = 2, net = net_mlp(), layer = layer_flip(), loc = 0, scale = 1
  )
  for (kind in kinds_of_core()) {
    name <- sub("/", "_", kind)
    expect_true(name %in% getNamespaceExports("bijectr"), info = name)
    constructor <- get(name, asNamespace("bijectr"))
    missing <- Filter(function(argument) is.symbol(argument) && !nzchar(as.character(argument)), formals(constructor))
    dots <- list(scalar_chain = list(scalar_affine()), net_separate = list(net_mlp()))
    arguments <- if (name %in% names(dots)) dots[[name]] else required[setdiff(names(missing), "...")]
    spec <- do.call(constructor, arguments)
    expect_s3_class(spec, paste0("bijectr_", name))
    expect_identical(spec$kind, sub(".*/", "", kind))
    expect_output(print(spec), paste0("^", name))
  }
})

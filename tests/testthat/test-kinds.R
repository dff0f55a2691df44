# Every kind of the core has its own test file, so that none goes without the battery.

test_that("the core lists its kinds", {
  kinds <- native_kinds()
  expect_setequal(
    intersect(kinds[, "family"], c("scalar", "net", "field", "solver", "layer", "base")),
    c("scalar", "net", "field", "solver", "layer", "base")
  )
  expect_gte(nrow(kinds), 54)
  expect_false(anyDuplicated(paste(kinds[, "family"], kinds[, "name"])) > 0)
})

test_that("every kind has a test file", {
  kinds <- native_kinds()
  file <- sprintf("test-%s-%s.R", kinds[, "family"], kinds[, "name"])
  expect_equal(file[!file.exists(test_path(file))], character())
})

test_that("every kind has a constructor that says its name", {
  required <- list(
    scalar = scalar_affine(), exponent = 2, net = net_mlp(), layer = layer_flip(), loc = 0, scale = 1,
    columns = 1, levels = 3, forward = function(x) list(x, 0), size = 1
  )
  kinds <- native_kinds()
  unseen <- "loss_interval_likelihood" # rows have ends that fits alone give it
  for (i in seq_len(nrow(kinds))) {
    name <- paste0(sub("draw_", "", kinds[i, "family"]), "_", kinds[i, "name"]) # users know one family of losses
    expect_identical(name %in% getNamespaceExports("bijectr"), !name %in% unseen, info = name)
    constructor <- get(name, asNamespace("bijectr"))
    missing <- Filter(function(argument) is.symbol(argument) && !nzchar(as.character(argument)), formals(constructor))
    dots <- list(scalar_chain = list(scalar_affine()), net_separate = list(net_mlp()))
    arguments <- if (name %in% names(dots)) dots[[name]] else required[setdiff(names(missing), "...")]
    spec <- do.call(constructor, arguments)
    expect_s3_class(spec, paste0("bijectr_", name))
    expect_identical(spec$kind, kinds[[i, "name"]])
    expect_output(print(spec), paste0("^", name))
  }
})

test_that("every base distribution has a distribution function and quantiles", {
  kinds <- native_kinds()
  for (kind in setdiff(kinds[kinds[, "family"] == "base", "name"], "categorical")) { # codes: see its own test
    method <- getS3method("base_distribution", paste0("bijectr_base_", kind), TRUE, asNamespace("bijectr"))
    expect_false(is.null(method), info = kind)
    f <- flow(layer_elementwise(scalar_affine()), 1, base = get(paste0("base_", kind), asNamespace("bijectr"))())
    expect_equal(pflow(qflow(c(0.1, 0.5, 0.8), f), f), c(0.1, 0.5, 0.8), info = kind)
  }
})

# animate_layers(): one SVG that holds the positions of all draws after all layers.
set.seed(1)
fit <- fit_flow(faithful, masked_autoregressive_flow(scalar_rq_spline(knots = 4), flow_layers = 2, nn_width = 8),
  steps = 20
)

animated <- function(...) {
  file <- withr::local_tempfile(fileext = ".svg")
  expect_identical(expect_invisible(animate_layers(..., file = file)), file)
  paste(readLines(file), collapse = "\n")
}
pick <- function(text, pattern) {
  found <- regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
  sub(pattern, "\\1", found, perl = TRUE)
}

# Positions of all points at each stage, in pixels, in the order of colours.
positions <- function(svg) {
  values <- strsplit(pick(svg, "keySplines=\"[^\"]*\" values=\"([^\"]*)\""), ";")
  lapply(seq_along(values[[1]]), function(s) {
    dots <- unlist(lapply(values, function(v) strsplit(sub("^M", "", v[s]), "h0M?")[[1]]))
    do.call(rbind, lapply(strsplit(dots, " "), as.numeric))
  })
}

test_that("the points of the picture are those of plot()", {
  set.seed(2)
  svg <- animated(fit, n = 50)
  withr::local_pdf(withr::local_tempfile())
  set.seed(2)
  stages <- plot(fit, "layers", n = 50)
  seen <- positions(svg)
  expect_length(seen, length(stages) + 1) # the last one stays
  expect_identical(seen[[length(seen)]], seen[[length(seen) - 1]])
  for (s in seq_along(stages)) {
    expect_equal(dim(seen[[s]]), c(50, 2))
    for (j in 1:2) {
      # the same up to an affine map and the order of points
      pixels <- sort(seen[[s]][, j])
      x <- sort(stages[[s]][, j], decreasing = j == 2)
      expect_gt(abs(cor(pixels, x)), 0.9999)
      expect_lt(max(abs(resid(lm(pixels ~ x)))), 0.06)
    }
    expect_true(all(seen[[s]] > 0 & seen[[s]][, 1] < 500 & seen[[s]][, 2] < 420))
  }
  for (title in names(stages)) expect_match(svg, paste0(">", title, "</text>"), fixed = TRUE)
})

test_that("points keep their rank and place in the order of the file", {
  set.seed(3)
  seen <- positions(animated(fit, n = 60))
  # five points a colour, from left to right in the base
  classes <- split(seen[[1]][, 1], rep(1:12, each = 5))
  expect_true(all(vapply(1:11, function(k) max(classes[[k]]) <= min(classes[[k + 1]]), NA)))
})

test_that("fixed axes are the same for all layers, free ones are not", {
  ticks <- function(svg) {
    frames <- strsplit(svg, "<g visibility")[[1]][-1]
    lapply(frames, pick, "text-anchor=\"end\">([^<]*)<")
  }
  expect_length(unique(ticks(animated(fit, axes = "fixed"))), 1)
  expect_gt(length(unique(ticks(animated(fit, axes = "free")))), 1)
})

test_that("it is well-formed, whatever the names", {
  set.seed(4)
  odd <- fit_flow(cbind("a<b & c" = rnorm(50), "\"d\"" = rnorm(50)), layer_elementwise(scalar_affine()), steps = 5)
  svg <- animated(odd)
  expect_match(svg, "a&lt;b &amp; c", fixed = TRUE)
  tags <- pick(svg, "(<[^>]*>)")
  open <- sum(grepl("^<[^/].*[^/]>$", tags))
  expect_identical(open, sum(startsWith(tags, "</")))
  expect_no_match(gsub("&(amp|lt);", "", svg), "&")
})

test_that("one coordinate, conditions, many layers", {
  set.seed(5)
  given <- fit_flow(waiting ~ eruptions, faithful, layer_repeat(layer_autoregressive(), 20), steps = 2)
  svg <- animated(given, condition = data.frame(eruptions = 3), n = 30, width = 300, height = 200)
  seen <- positions(svg)
  expect_length(seen, 1 + 20 + 1 + 1)
  expect_identical(seen[[1]][, 1], seen[[22]][, 1]) # the base stays on the axis
  expect_true(all(do.call(rbind, seen)[, 2] < 200))
  expect_identical(positions(animated(fit, coordinates = "waiting", n = 30))[[1]][, 1] |> length(), 30L)
  expect_error(animate_layers(fit), "file")
  expect_error(animate_layers(fit, 1), "name of a file", class = "bijectr_error_argument")
  expect_error(animate_layers(fit, "x.svg", axes = "none"), "axes", class = "bijectr_error_argument")
  expect_error(animate_layers(given, tempfile()), "condition", class = "bijectr_error_argument")
})

test_that("files that cannot be written are told before the work", {
  refused <- function(file, pattern) {
    set.seed(1)
    before <- .Random.seed
    expect_error(animate_layers(fit, file), pattern, class = "bijectr_error_argument")
    expect_identical(.Random.seed, before)
  }
  refused(file.path(tempdir(), "nowhere", "a.svg"), "There is no folder .*nowhere")
  refused(NA_character_, "`file` must be the name of a file, not NA")
  refused("", "`file` must be the name of a file")
  refused(tempdir(), "is a folder")
  expect_error(animate_layers(fit, tempfile(), seconds = Inf), "seconds", class = "bijectr_error_argument")
  expect_error(animate_layers(fit, tempfile(), width = Inf), "width", class = "bijectr_error_argument")
})

test_that("numbers have points and no exponents, whatever the options", {
  shown <- function(...) {
    withr::local_options(...)
    set.seed(6)
    animated(fit, n = 12, seconds = 1.3)
  }
  plain <- shown()
  expect_match(plain, "dur=\"[0-9]+[.][0-9]+s\"")
  expect_identical(shown(OutDec = ","), plain)
  expect_match(shown(scipen = -50), "dur=\"[0-9]+[.][0-9]+s\"")
})

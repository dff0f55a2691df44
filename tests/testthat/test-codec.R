# Codecs: a column of the user's to numbers and back.

test_that("plain numbers are as they are", {
  codec <- codec_of(c(1.5, 2))
  expect_s3_class(codec, "bijectr_codec_number")
  for (x in list(c(1.5, -2, 0), c(3L, -1L, 0L), I(c(1, 2)))) {
    z <- encode(codec, x)
    expect_type(z, "double")
    expect_null(attributes(z))
    expect_equal(decode(codec, z), as.double(x))
  }
})

test_that("standardised numbers come back", {
  codec <- codec_standard(3, 0.25)
  x <- c(-1e6, 0.1, 3, 7L)
  expect_identical(encode(codec, x), (x - 3) / 0.25)
  expect_equal(decode(codec, encode(codec, x)), x, tolerance = 1e-15)
  expect_equal(encode(codec, decode(codec, -2:2)), as.double(-2:2), tolerance = 1e-15)
  expect_identical(encode(codec, 2:4), encode(codec, c(2, 3, 4)))
})

test_that("columns that no codec takes have none", {
  big <- structure(c(1, 2), class = "integer64")
  for (x in list("a", TRUE, factor(1), Sys.Date(), list(1), matrix(1:2), big, 1i)) {
    expect_null(codec_of(x))
    expect_false(accepts(CODEC_NUMBER, x))
    expect_false(accepts(codec_standard(0, 1), x))
  }
  expect_true(accepts(codec_standard(0, 1), 1:2))
})

test_that("codecs are plain data", {
  for (codec in list(CODEC_NUMBER, codec_standard(1, 2))) {
    file <- tempfile()
    saveRDS(codec, file)
    expect_identical(readRDS(file), codec)
    expect_true(all(vapply(codec, is.atomic, NA)))
    expect_type(codec$type, "character")
  }
})

test_that("columns that are all numbers need no codecs, and doubles are not copied", {
  x <- list(a = c(1, 2), b = 3:4)
  expect_null(column_codecs(x, "data"))
  z <- encode_columns(x)
  expect_identical(z, list(a = c(1, 2), b = c(3, 4)))
  skip_if_not(capabilities("profmem"))
  big <- list(a = numeric(1e5), b = numeric(1e5))
  expect_length(copies(encode_columns(big), 1e5), 0)
  big$a <- integer(1e5)
  expect_length(copies(encode_columns(big), 1e5), 1)
})

test_that("a matrix stays a matrix", {
  x <- cbind(a = c(1, 2), b = c(3, 5))
  codecs <- list(codec_standard(1, 2), CODEC_NUMBER)
  expect_identical(encode_columns(x, codecs), cbind(a = c(0, 0.5), b = c(3, 5)))
  expect_identical(encode_columns(as.list(as.data.frame(x)), codecs), list(a = c(0, 0.5), b = c(3, 5)))
})

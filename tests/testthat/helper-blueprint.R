# Sizes of the vectors of at least n doubles that an expression allocates. Needs capabilities("profmem").
copies <- function(expr, n) {
  file <- tempfile()
  on.exit(unlink(file))
  utils::Rprofmem(file, threshold = 8 * n - 1)
  force(expr)
  utils::Rprofmem(NULL)
  sizes <- sub(" :.*", "", readLines(file))
  as.numeric(grep("^[0-9]+$", sizes, value = TRUE))
}

# A toy kind of codec: degrees Fahrenheit, of a class of their own, learned as degrees Celsius. It is all that a new
# kind needs.
fahrenheit <- function(x) structure(x, class = "fahrenheit")

local_fahrenheit <- function(envir = parent.frame()) {
  methods <- list(
    codec_of = list("fahrenheit", function(x) new_codec("fahrenheit", "in degrees Fahrenheit")),
    accepts = list("bijectr_codec_fahrenheit", function(codec, x) inherits(x, "fahrenheit")),
    encode = list("bijectr_codec_fahrenheit", function(codec, x) (as.double(unclass(x)) - 32) / 1.8),
    decode = list("bijectr_codec_fahrenheit", function(codec, z) fahrenheit(32 + 1.8 * z)),
    intact = list("bijectr_codec_fahrenheit", function(codec) TRUE)
  )
  table <- asNamespace("bijectr")[[".__S3MethodsTable__."]]
  for (generic in names(methods)) {
    registerS3method(generic, methods[[generic]][[1]], methods[[generic]][[2]], envir = asNamespace("bijectr"))
  }
  added <- paste(names(methods), vapply(methods, `[[`, "", 1), sep = ".")
  withr::defer(rm(list = added, envir = table), envir = envir)
}

# Every class of a warning, error or message that the package signals has its place on the page bijectr-conditions, and
# the page has no others. Classes are read from the functions of the namespace.

# Strings of code that are classes, and the first arguments of warn_advice().
classes_in <- function(code) {
  if (is.function(code)) return(c(classes_in(formals(code)), classes_in(body(code))))
  if (is.character(code)) return(grep("^bijectr_(warning|error|message)_[a-z_]*[a-z]$", code, value = TRUE))
  if (!is.recursive(code)) return(character())
  parts <- as.list(code)
  advice <- if (is.call(code) && identical(code[[1]], quote(warn_advice))) paste0("bijectr_warning_", code[[2]])
  given <- !vapply(parts, identical, NA, rlang::missing_arg()) # arguments without a default, empty subscripts
  c(advice, unlist(lapply(parts[given], classes_in)))
}

signalled <- function() {
  space <- asNamespace("bijectr")
  functions <- Filter(is.function, mget(ls(space, all.names = TRUE), space))
  classes <- unlist(lapply(functions, classes_in), use.names = FALSE)
  sort(unique(setdiff(classes, "bijectr_warning_class"))) # that of warn_advice() itself
}

page_of_conditions <- function() {
  file <- test_path("../../man/bijectr-conditions.Rd")
  if (file.exists(file)) tools::parse_Rd(file) else tools::Rd_db("bijectr")[["bijectr-conditions.Rd"]]
}

test_that("classes are found in code as it is written here", {
  expect_setequal(
    classes_in(function(x, y = stop(class = "bijectr_error_b")) {
      if (x) warn_advice("a", "text")
      x[, 1]
      lapply(x, function(z) cli::cli_warn("text", class = c("bijectr_warning_c", "other")))
    }),
    c("bijectr_warning_a", "bijectr_error_b", "bijectr_warning_c")
  )
  expect_gt(length(signalled()), 20)
})

test_that("the page of conditions has every class that is signalled, with a text and as an alias", {
  page <- page_of_conditions()
  skip_if(is.null(page), "no help pages are installed")
  tags <- vapply(page, attr, "", "Rd_tag")
  aliases <- vapply(page[tags == "\\alias"], function(x) as.character(x[[1]]), "")
  expect_setequal(grep("^bijectr_[a-z]+_", aliases, value = TRUE), signalled())
  text <- paste(unlist(page[tags == "\\section"]), collapse = " ")
  explained <- vapply(signalled(), function(class) grepl(paste0(class, " : "), text, fixed = TRUE), NA)
  expect_identical(names(which(!explained)), character())
})

# Every class of a warning, error or message is on the page of conditions: a user who meets one, and wants it switched
# off or explained, finds it there. The test of the page looks at the namespace; this one names file and line.
function() {
  page <- "R/conditions.R"
  known <- grep("^#' \\* `", readLines(page, warn = FALSE), value = TRUE)
  unlist(lapply(setdiff(project_files("^R/.*\\.R$"), page), function(file) {
    code <- r_code(file)
    pattern <- "(?<=\")bijectr_(warning|error|message)_[a-z_]*[a-z](?=\")|(?<=warn_advice\\(\")[a-z_]+(?=\")"
    found <- gregexpr(pattern, code, perl = TRUE)
    classes <- regmatches(code, found)
    line <- rep(seq_along(classes), lengths(classes))
    class <- unlist(classes)
    class[!startsWith(class, "bijectr_")] <- paste0("bijectr_warning_", class[!startsWith(class, "bijectr_")])
    lacks <- !vapply(class, function(x) any(grepl(paste0("`", x, "`"), known, fixed = TRUE)), NA)
    if (any(lacks)) sprintf("%s:%d: %s is not explained in %s", file, line[lacks], class[lacks], page)
  }))
}

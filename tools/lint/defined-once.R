# A name at the top of two files in R/ has the value of the file that is read last, in both.
function() {
  found <- do.call(rbind, lapply(project_files("^R/[^/]*\\.R$"), function(file) {
    lines <- readLines(file, warn = FALSE)
    at <- grep("^[A-Za-z.`][^ ]* <- ", lines)
    if (length(at)) data.frame(file = file, line = at, name = sub(" <- .*", "", lines[at]))
  }))
  twice <- found[duplicated(found$name), ]
  first <- found[match(twice$name, found$name), ]
  if (nrow(twice)) sprintf("%s:%d: %s is defined in %s too", twice$file, twice$line, twice$name, first$file)
}

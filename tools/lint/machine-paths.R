# No absolute path of somebody's machine in the sources: it works nowhere else and tells who wrote it.
function() {
  files <- setdiff(project_files("."), project_files("\\.(rds|rda|png|jpg|svg|pdf|gz|json)$"))
  read <- function(f) readLines(f, warn = FALSE, encoding = "UTF-8")
  complain(files, "(^|[^\\w.~$}*-])/(home|root|work|Users)/\\w", "a path of one machine", reader = read)
}

# R/native.R is the only file with .Call: one place where R values are brought into the types that C trusts.
function() {
  files <- setdiff(project_files("^R/.*\\.R$"), "R/native.R")
  complain(files, "\\.(Call|External2?|C|Fortran)\\s*\\(", "a native call outside R/native.R", reader = r_code)
}

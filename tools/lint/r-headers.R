# Only the border (src/ffi-*, src/init.c) knows R. The core must compile, be fuzzed and be read without it, and an R
# call that can jump out must not stand in the middle of the numbers.
function() {
  files <- setdiff(project_files("^src/.*\\.[ch]$"), project_files("^src/(ffi[^/]*|init)\\.[ch]$"))
  complain(files, "#\\s*include\\s*[<\"](R|Rinternals|Rmath|Rdefines|R_ext/[^>\"]*|Rversion|Rconfig)(\\.h)?[>\"]",
    "an R header outside src/ffi-*.c and src/init.c"
  )
}

# The C compiles without warnings: what -Wextra finds is cheaper to read here than in somebody else's build log. Unused
# static functions are allowed, since each copy of the core includes all of its files, and so are R's own casts to
# DL_FUNC.
function() {
  if (!nzchar(Sys.which("gcc"))) return(NULL)
  flags <- c(
    "-std=gnu99", "-fsyntax-only", "-fopenmp", "-Wall", "-Wextra", "-Wstrict-prototypes",
    "-Wno-unused-function", "-Wno-cast-function-type",
    system2(file.path(R.home("bin"), "R"), c("CMD", "config", "--cppflags"), stdout = TRUE)
  )
  said <- suppressWarnings(system2("gcc", c(flags, project_files("^src/[^/]*\\.c$")), stdout = TRUE, stderr = TRUE))
  unique(grep("(warning|error): ", said, value = TRUE))
}

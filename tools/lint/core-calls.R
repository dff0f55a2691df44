# The core is numbers only: memory, random numbers, messages and threads are handed in. So an R error leaks nothing,
# set.seed() governs every draw, and R CMD check finds no printing or exiting.
function() {
  files <- project_files("^src/core/.*\\.[ch]$")
  banned <- c(
    "malloc", "calloc", "realloc", "free", "alloca", "aligned_alloc", "posix_memalign", "printf", "fprintf", "vprintf",
    "vfprintf", "sprintf", "vsprintf", "puts", "putchar", "rand", "srand", "random", "drand48", "exit", "abort",
    "fopen", "time", "getenv", "setjmp", "longjmp", "Rprintf", "Rf_error"
  )
  c(
    complain(files, paste0("(?<![A-Za-z0-9_.>])(", paste(banned, collapse = "|"), ")\\s*\\("),
      "a call that the core may not make"
    ),
    complain(files, "#\\s*include\\s*<(stdlib|time|omp|pthread|setjmp|signal)\\.h>",
      "a header that the core may not use"
    ),
    complain(files, "#\\s*pragma\\s+omp", "threads are handed in as bj_workers")
  )
}

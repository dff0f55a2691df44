# The shared object exports R_init_bijectr and nothing else: other packages' symbols cannot clash with the core's, and
# nobody can lean on one that may change. Looks at the library that `make` has installed.
function() {
  so <- ".lib/bijectr/libs/bijectr.so"
  if (Sys.info()[["sysname"]] != "Linux" || !nzchar(Sys.which("nm"))) return(NULL)
  if (!file.exists(so)) return("warning: exported symbols not looked at, the package is not installed in .lib")
  symbols <- sub(".* ", "", system2("nm", c("-D", "--defined-only", so), stdout = TRUE))
  extra <- setdiff(symbols, c("R_init_bijectr", "_init", "_fini", "_edata", "_end", "__bss_start"))
  if (length(extra)) sprintf("%s:1: exports %s", so, extra)
}

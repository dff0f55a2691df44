# The test suite with R's collector forced at every STEP-th allocation inside native calls, which finds values that C
# forgot to protect. Only the functions of R/native.R are tortured: the rest of a test runs at full speed.
#
#   BIJECTR_GC_STEP=1 Rscript --vanilla tools/gctorture.R [filter]
#
# Several steps see different moments: 1 is the most thorough, and slow.
Sys.unsetenv("BIJECTR_SLOW")
step <- as.integer(Sys.getenv("BIJECTR_GC_STEP", "3"))
is_function <- function(e) is.call(e) && identical(e[[1]], as.name("function"))
native <- Filter(
  function(e) is.call(e) && identical(e[[1]], as.name("<-")) && is_function(e[[3]]),
  as.list(parse("R/native.R"))
)
ns <- asNamespace("bijectr")
tortured <- 0
for (name in vapply(native, function(e) as.character(e[[2]]), "")) {
  f <- get(name, ns)
  # Wrapped in place, around the call itself: arguments are forced first, so that only C allocates under torture.
  has_call <- ".Call" %in% all.names(body(f))
  if (!has_call) next
  wrap <- function(e) {
    if (is.call(e) && identical(e[[1]], as.name(".Call"))) {
      return(bquote(local({
        arguments <- list(..(as.list(e)[-(1:2)]))
        base::gctorture2(.(step))
        base::on.exit(base::gctorture2(0L))
        base::do.call(base::.Call, c(list(.(e[[2]])), arguments), quote = TRUE)
      }), splice = TRUE))
    }
    if (is.call(e) && !identical(e[[1]], as.name("function"))) e[] <- lapply(e, wrap)
    e
  }
  body(f) <- wrap(body(f))
  utils::assignInNamespace(name, f, ns)
  tortured <- tortured + 1
}
stopifnot(tortured > 0)
cat(tortured, "native functions under gctorture, step", step, "\n")
source("tools/test.R")

# Calls go down only: src/README.md draws the storeys. In C: what a file may include. In R: no circle of files that call
# each other. And the tags of random streams stand in one file.
function() {
  # Storey by storey from below: files, and what they may include. The first row that matches a file is its own.
  up_to <- function(...) paste0("^(", paste(c(...), collapse = "|"), ")")
  num <- c("core\\.h$", "num-")
  protocol <- c(num, "protocol\\.h$")
  training <- c(protocol, "optimizer\\.h$", "loss\\.h$", "flow\\.h$")
  rows <- list(
    list("^(core\\.h|num-)", up_to(num)),
    list("^(protocol\\.h|spec\\.c)", up_to(protocol)),
    list("^scalar-", up_to(protocol, "scalar-")),
    list("^net-", up_to(protocol, "net-")),
    list("^single", up_to(protocol, "net-", "field\\.h$", "single\\.h$", "num-|spec|field-mlp")),
    list("^field(-|\\.)", up_to(protocol, "field", "net-mlp-activation", "net-start")),
    list("^solve(r-|-|\\.)", up_to(protocol, "solve", "field\\.h$")),
    list("^layer-", up_to(protocol, "scalar-", "net-", "field\\.h$", "solve\\.h$", "layer-")),
    list("^base-", up_to(protocol, "net-", "base-")),
    list("^(optimizer\\.h|opt-|schedule)", up_to(protocol, "optimizer\\.h$", "opt-")),
    list("^(flow|rows|ranges)", up_to(protocol, "flow\\.h$")),
    list("^draw_loss(-|\\.)", up_to(protocol, "draw_loss\\.h$")),
    list("^program\\.", up_to(protocol, "program\\.h$")),
    list("^draws\\.", up_to(protocol, "flow\\.h$", "draw_loss\\.h$", "program\\.h$", "draws\\.h$")),
    list("^loss(-|\\.)", up_to(protocol, "flow\\.h$", "loss\\.h$", "layer-chain\\.h$")),
    list("^train", up_to(training, "draws\\.h$", "trainer\\.h$")),
    list("^(em|logits|near)\\.c", up_to(num)),
    list("^kinds\\.c", up_to(training, "draw_loss\\.h$", "field\\.h$", "solve\\.h$", "single\\.h$")),
    list("^core\\.c", ".")
  )
  included <- function(file) {
    code <- c_code(file)
    at <- grep("^\\s*#\\s*include\\s*\"", code)
    data.frame(line = at, name = sub("^[^\"]*\"([^\"]*)\".*", "\\1", code[at]))
  }
  wrong <- function(file, at, text) if (nrow(at)) sprintf("%s:%d: includes %s, %s", file, at$line, at$name, text)

  core <- project_files("^src/core/[^/]*\\.[ch]$")
  bad <- unlist(lapply(core, function(file) {
    row <- Find(function(r) grepl(r[[1]], basename(file)), rows)
    if (is.null(row)) return(paste0(file, ":1: stands in no storey of tools/lint/storeys.R"))
    at <- included(file)
    above <- at[!grepl(row[[2]], at$name), ]
    # a .c file is included by core.c alone: two kinds share what stands in a header
    body <- at[grepl("\\.c$", at$name) & !basename(file) %in% c("core.c", "single.c"), ]
    c(wrong(file, above, "which stands above it or beside it"), wrong(file, body, "which only core.c and single.c do"))
  }))
  bad <- c(bad, unlist(lapply(project_files("^src/(ffi-.*|init|ffi)\\.[ch]$"), function(file) {
    at <- included(file)
    wrong(file, at[!at$name %in% c("ffi.h", "core/core.h", if (grepl("callable", file)) "../inst/include/bijectr.h"), ],
      "but the border knows ffi.h and core/core.h only"
    )
  })))

  tags <- grep("num-(streams\\.h|random\\.[ch]|simd\\.h|math\\.h|special\\.h)$", core, value = TRUE, invert = TRUE)
  bad <- c(bad, complain(tags, "UINT64_C\\(0x", "a constant of random streams, which belong into num-streams.h"))
  headers <- grep("\\.h$", core, value = TRUE)
  bad <- c(bad, complain(
    headers, "^static (?!inline)[^=;]*\\)\\s*\\{", "a header holds types, prototypes and INLINE functions only"
  ))

  # R: who calls whom, file by file.
  files <- project_files("^R/[^/]*\\.R$")
  named <- function(x) is.call(x) && identical(x[[1]], as.name("<-")) && is.name(x[[2]])
  code <- lapply(files, function(file) Filter(named, as.list(parse(file, keep.source = FALSE))))
  defines <- lapply(code, function(x) vapply(x, function(d) as.character(d[[2]]), ""))
  home <- stats::setNames(rep(seq_along(files), lengths(defines)), unlist(defines))
  calls <- lapply(seq_along(files), function(i) {
    used <- unlist(lapply(code[[i]], function(d) codetools::findGlobals(eval(call("function", NULL, d[[3]])))))
    setdiff(unique(home[intersect(used, names(home))]), i)
  })
  # Takes away, again and again, files that call nothing that is left or that nothing left calls: circles stay.
  left <- seq_along(files)
  repeat {
    held <- Filter(function(i) any(calls[[i]] %in% left) && i %in% unlist(calls[left]), left)
    if (length(held) == length(left)) break
    left <- held
  }
  if (length(left)) {
    bad <- c(bad, sprintf("%s:1: stands in a circle of calls (to %s)", files[left], vapply(left, function(i) {
      paste(basename(files[intersect(calls[[i]], left)]), collapse = ", ")
    }, "")))
  }
  bad
}

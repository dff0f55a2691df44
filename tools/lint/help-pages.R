# Help pages are read in a terminal: each says what its functions return, has an example, and its formulas read in plain
# text there, with `\eqn{latex}{text}` where TeX alone would show.
function() {
  unlist(lapply(project_files("^man/.*\\.Rd$"), function(file) {
    page <- tools::parse_Rd(file)
    tags <- vapply(page, attr, "", "Rd_tag")
    lacks <- setdiff(c("\\value", "\\examples"), tags)
    if (grepl("-package\\.Rd$", file)) lacks <- setdiff(lacks, "\\value")
    text <- utils::capture.output(tools::Rd2txt(page, fragment = FALSE))
    said <- text[seq_len(min(grep("^_\bE_\bx_\ba_\bm_\bp_\bl_\be_\bs", text), length(text)))]
    tex <- regmatches(said, regexpr("\\\\[a-z]+", said))
    c(
      if (length(lacks)) sprintf("%s:1: has no %s", file, lacks),
      if (length(tex)) sprintf("%s:1: shows %s in plain text", file, unique(tex))
    )
  }))
}

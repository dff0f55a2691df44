# Follows, without network, every link of help pages, vignettes, _pkgdown.yml and the pages beside them: files and
# anchors, topics of this package and of others, vignettes, functions, make targets and options of them, forms of DOIs,
# arXiv numbers and addresses; and whether _pkgdown.yml lists every topic and every vignette, once.
#
#   Rscript --vanilla tools/links.R
#
# Topics of packages that are not installed are not looked at.
lines_of <- function(file) readLines(file, warn = FALSE, encoding = "UTF-8")
pages <- c("README.md", "NEWS.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "src/README.md")
articles <- list.files("vignettes", "\\.Rmd$", full.names = TRUE)
help <- list.files("man", "\\.Rd$", full.names = TRUE)
complaints <- character()
complain <- function(file, line, ...) complaints <<- c(complaints, paste0(file, ":", line, ": ", ...))

# Matches of a perl expression with their lines; `group` 1 is what stands in its first brackets.
found <- function(text, pattern, group = 1) {
  at <- gregexpr(pattern, text, perl = TRUE)
  line <- rep(seq_along(text), lengths(regmatches(text, at)))
  whole <- unlist(regmatches(text, at))
  data.frame(line = line, value = if (group) sub(pattern, "\\1", whole, perl = TRUE) else whole)
}

# ---- what there is to lead to ----

rd <- lapply(help, tools::parse_Rd)
rd_field <- function(page, tag) {
  is_tag <- vapply(page, function(x) identical(attr(x, "Rd_tag"), paste0("\\", tag)), NA)
  vapply(page[is_tag], function(x) trimws(paste(unlist(x), collapse = "")), "")
}
aliases <- lapply(rd, rd_field, "alias")
all_aliases <- unlist(aliases)
exported <- local({
  file <- parse("NAMESPACE", keep.source = FALSE)
  unlist(lapply(file, function(e) if (identical(e[[1]], quote(export))) vapply(as.list(e[-1]), as.character, "")))
})
targets <- sub(":.*", "", grep("^[a-z-]+:", lines_of("Makefile"), value = TRUE))

# Topics of an installed package, NULL where it is not there.
topics_of <- local({
  known <- list()
  function(package) {
    if (!package %in% names(known)) {
      file <- system.file("help", "aliases.rds", package = package)
      known[package] <<- list(if (nzchar(file)) names(readRDS(file)))
    }
    known[[package]]
  }
})
standard <- c("base", "stats", "utils", "graphics", "grDevices", "parallel", "tools")

# Headings get anchors as pandoc makes them.
anchors_of <- function(file) {
  text <- lines_of(file)
  text <- text[cumsum(grepl("^```", text)) %% 2 == 0]
  headings <- sub("^#+ +", "", grep("^#+ ", text, value = TRUE))
  named <- grepl("\\{#", headings)
  plain <- tolower(gsub("[^[:alnum:]_. -]", "", sub(" *\\{.*\\}$", "", headings[!named])))
  plain <- sub("^[^a-z]+", "", gsub(" +", "-", trimws(plain)))
  c(plain, sub(".*\\{#([^ }]+).*", "\\1", headings[named]), found(text, "id=\"([^\"]+)\"")$value)
}

# ---- text ----

check_address <- function(file, line, address) {
  if (!grepl("^https://[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+(/[^ <>{}]*)?$", address) || grepl("[.,;:]$", address)) {
    complain(file, line, "not an address: ", address)
  }
}

check_target <- function(file, line, target) {
  if (grepl("^[a-z]+:", target)) return(check_address(file, line, target))
  path <- sub("#.*", "", target)
  anchor <- if (grepl("#", target)) sub(".*#", "", target)
  # from vignettes/x.html, as the site and R's help have them, to a vignette beside it
  to <- if (nzchar(path)) file.path(dirname(file), sub("\\.html$", ".Rmd", path)) else file
  if (!file.exists(to)) {
    complain(file, line, "no such file: ", target)
  } else if (!is.null(anchor) && !anchor %in% anchors_of(to)) {
    complain(file, line, "no such anchor: ", target)
  }
}

# Functions that a vignette makes, and words of other packages, have these prefixes too.
ours <- "^(layer|scalar|net|field|solver|base|opt|schedule|loss|fit|check|compare|flow|stack)_[a-z_0-9]+$"
foreign <- list(
  "vignettes/extending.Rmd" = c("scalar_bend", "layer_twist", "base_distribution", "check_loss", "loss_label"),
  "vignettes/families.Rmd" = "fit_to_data", "vignettes/translation.Rmd" = "fit_to_data"
)

check_text <- function(file) {
  raw <- lines_of(file)
  each <- function(pattern, check, text = raw, group = 1) {
    hits <- found(text, pattern, group)
    for (i in seq_len(nrow(hits))) check(hits$line[i], hits$value[i])
  }
  prose <- raw
  fence <- cumsum(grepl("^ *```", raw)) %% 2 == 1 | grepl("^ *```", raw)
  prose[fence] <- ""
  bare <- gsub("`[^`]*`|\\$[^$]*\\$", "", prose)
  each("\\]\\(([^)]*)\\)", function(line, x) check_target(file, line, x), text = bare)
  each("(?:src|href)=\"([^\"]*)\"", function(line, x) check_target(file, line, x), text = bare)
  each("(?<![(\"])(https?://[^ )>\"`]+)", function(line, x) check_address(file, line, x), text = bare)
  each("vignette\\(\"([^\"]*)\"", function(line, x) {
    if (!file.exists(sprintf("vignettes/%s.Rmd", x))) complain(file, line, "no such vignette: ", x)
  })
  each("`\\?`*([A-Za-z._<-]+[^` ]*)`", function(line, x) {
    x <- gsub("^`|\\(\\)$", "", x)
    if (!x %in% all_aliases) complain(file, line, "no such help page: ", x)
  }, text = prose)
  each("`([a-z0-9_]+)\\(", function(line, x) {
    if (grepl(ours, x) && !x %in% c(exported, foreign[[file]])) complain(file, line, "not exported: ", x)
  }, text = if (file == "src/README.md") character() else prose)
  each("`make ([a-z-]+)", function(line, x) if (!x %in% targets) complain(file, line, "no such target: ", x),
    text = prose
  )
  each("`((?:bench|tools|src|inst|man|vignettes|tests|R|\\.ci)/[A-Za-z0-9_./-]*)`", function(line, x) {
    if (!file.exists(x) && file != "vignettes/extending.Rmd") complain(file, line, "no such file: ", x)
  }, text = prose)
}
for (file in c(pages, articles)) check_text(file)

# ---- help pages ----

check_link <- function(file, line, option, text) {
  if (startsWith(option, "=")) {
    package <- ""
    topic <- substring(option, 2)
  } else {
    package <- sub(":.*", "", option)
    topic <- if (grepl(":", option)) sub(".*:", "", option) else text
  }
  if (nzchar(package)) {
    there <- topics_of(package)
    if (!is.null(there) && !topic %in% there) complain(file, line, "no topic ", topic, " in ", package)
  } else if (!topic %in% c(all_aliases, unlist(lapply(standard, topics_of)))) {
    complain(file, line, "no such topic: ", topic)
  }
}

check_part <- function(file, part, line = 0) {
  tag <- attr(part, "Rd_tag")
  at <- attr(part, "srcref")
  if (length(at)) line <- at[1]
  text <- paste(unlist(part), collapse = "")
  if (identical(tag, "\\link")) {
    check_link(file, line, paste(unlist(attr(part, "Rd_option")), collapse = ""), text)
  } else if (identical(tag, "\\url")) {
    check_address(file, line, text)
  } else if (identical(tag, "\\href")) {
    check_address(file, line, paste(unlist(part[[1]]), collapse = ""))
  } else if (identical(tag, "\\figure")) {
    if (!file.exists(file.path("man/figures", unlist(part[[1]])[1]))) complain(file, line, "no such figure: ", text)
  }
  if (is.list(part)) for (p in part) check_part(file, p, line)
}
for (i in seq_along(help)) check_part(help[i], rd[[i]])

for (file in help) {
  text <- lines_of(file)
  arxiv <- found(text, "(?<!/)arXiv[:. ]*([^ ,;)}]*)")
  for (i in grep("^[0-9]{4}\\.[0-9]{4,5}\\.?$", arxiv$value, invert = TRUE)) {
    complain(file, arxiv$line[i], "not a number of arXiv: ", arxiv$value[i])
  }
  doi <- found(text, "\\\\doi\\{([^}]*)\\}")
  for (i in grep("^10\\.[0-9]{4,9}/[^ ]*[^ .,;]$", doi$value, invert = TRUE)) {
    complain(file, doi$line[i], "not a DOI: ", doi$value[i])
  }
  loose <- found(text, "doi:(10[^ ]*)")
  for (i in seq_len(nrow(loose))) complain(file, loose$line[i], "a DOI without \\\\doi{}: ", loose$value[i])
  called <- found(text, "vignette\\(\"([^\"]*)\"")
  for (i in which(!file.exists(sprintf("vignettes/%s.Rmd", called$value)))) {
    complain(file, called$line[i], "no such vignette: ", called$value[i])
  }
}

# ---- what is listed ----

index_entry <- ".*VignetteIndexEntry\\{([0-9]+)\\..*"
numbers <- vapply(articles, function(f) found(lines_of(f), index_entry)$value, "")
if (!identical(sort(as.integer(numbers)), seq_along(articles))) {
  complain("vignettes", 0, "index entries are not numbered 1 to ", length(articles))
}
stems <- sub("\\.Rmd$", "", basename(articles))
for (s in setdiff(stems, found(lines_of("README.md"), "vignette\\(\"([^\"]*)\"")$value)) {
  complain("README.md", 0, "does not lead to vignette(\"", s, "\")")
}

check_site <- function() {
  site <- yaml::read_yaml("_pkgdown.yml")
  named <- vapply(rd, rd_field, "", "name")
  concepts <- lapply(rd, rd_field, "concept")
  internal <- vapply(rd, function(p) "internal" %in% rd_field(p, "keyword"), NA)
  # the rows of `names` that a line of contents stands for, as pkgdown reads it
  select <- function(line, names, alias) {
    where <- function(test) which(vapply(alias, function(a) any(test(a)), NA))
    helpers <- list(
      starts_with = function(x) where(function(a) startsWith(a, x)),
      ends_with = function(x) where(function(a) endsWith(a, x)),
      matches = function(x) where(function(a) grepl(x, a)),
      has_concept = function(x) which(vapply(concepts, function(a) x %in% a, NA))
    )
    if (!grepl("(", line, fixed = TRUE)) return(where(function(a) a == sub("^-", "", line)))
    eval(parse(text = sub("^-", "", line))[[1]], helpers)
  }
  listed <- function(sections, names, alias) {
    unlist(lapply(sections, function(section) {
      rows <- integer()
      for (line in section$contents) {
        new <- select(line, names, alias)
        if (!length(new)) complain("_pkgdown.yml", 0, "leads nowhere: ", line)
        rows <- if (startsWith(line, "-")) setdiff(rows, new) else union(rows, new)
      }
      rows
    }))
  }
  account <- function(rows, names, wanted) {
    for (n in names[setdiff(wanted, rows)]) complain("_pkgdown.yml", 0, "does not list ", n)
    for (n in names[unique(rows[duplicated(rows)])]) complain("_pkgdown.yml", 0, "lists twice ", n)
  }
  account(listed(site$reference, named, aliases), named, which(!internal))
  order <- listed(site$articles, stems, as.list(stems))
  account(order, stems, seq_along(stems))
  if (is.unsorted(as.integer(numbers)[order])) {
    complain("_pkgdown.yml", 0, "articles stand in another order than their index entries")
  }
}
if (requireNamespace("yaml", quietly = TRUE)) check_site() else cat("yaml is not installed: _pkgdown.yml is not read\n")

if (length(complaints)) cat(complaints, sep = "\n")
cat(length(pages) + length(articles) + length(help), "pages,", length(complaints), "complaints\n")
if (length(complaints)) quit(status = 1)

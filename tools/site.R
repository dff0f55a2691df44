# Builds the website into docs/, without network. Articles that have not changed since are not rendered anew.
#
#   Rscript --vanilla tools/site.R [article ...]     with names: these articles alone, none with "none"
options(
  pkgdown.internet = FALSE,
  rmarkdown.html_vignette.check_title = FALSE # index entries have numbers, titles have none
)
wanted <- commandArgs(TRUE)
pkgdown::check_pkgdown()
pkgdown::init_site()
pkgdown::build_home(preview = FALSE)
pkgdown::build_reference(preview = FALSE, examples = !length(wanted))
if (length(wanted)) {
  pkgdown::build_articles_index()
  for (article in setdiff(wanted, "none")) pkgdown::build_article(article)
} else {
  pkgdown::build_articles(preview = FALSE)
}
pkgdown::build_news(preview = FALSE)
pkgdown::build_search()

# Widths and types of lines, signs and sizes of points: what users of base graphics ask for by name.

# Rules are marks to compare with: they stay as they are.
restyle <- function(picture, style) {
  one <- function(item) {
    own <- if (!inherits(item, "bijectr_item_rule")) intersect(names(item), names(style))
    item[own] <- style[own]
    item
  }
  picture$panels <- lapply(picture$panels, function(panel) {
    panel$items <- lapply(panel$items, one)
    panel
  })
  picture
}

LINE_TYPES <- c("blank", "solid", "dashed", "dotted", "dotdash", "longdash", "twodash")

check_line_type <- function(lty) {
  if (is.null(lty) || is.character(lty) && length(lty) == 1 && lty %in% LINE_TYPES) return(lty)
  check_count(lty, "lty", min = 0, max = 6)
}

check_sign <- function(pch) {
  if (is.null(pch) || is.character(pch) && length(pch) == 1 && !is.na(pch) && nchar(pch) == 1) return(pch)
  check_count(pch, "pch", min = 0, max = 25)
}

# Predictions as a tibble by the conventions of the tidymodels packages: one row for each that came in.

# `value`: what predict() gives of `type`, quantiles at `p`; with an interval its second dimension is fit, lwr, upr.
# `as_class`: puts the class of the response on numbers of its units, see class_of_response().
prediction_tibble <- function(value, type, p, interval = NULL, as_class = identity) {
  rlang::check_installed("tibble", "for predictions as a tibble.")
  attr(value, "error") <- NULL
  if (type == "draws") return(tibble::tibble(.pred_draws = draws_of_rows(value)))
  columns <- if (is.data.frame(value)) {
    as.list(value)
  } else if (is.null(dim(value))) {
    list(value)
  } else {
    columns_of_array(value, if (!is.null(interval)) INTERVAL_COLUMNS else quantile_columns(p))
  }
  if (type %in% IN_UNITS) columns <- lapply(columns, as_class)
  names(columns) <- prediction_columns(names(columns), type, interval)
  tibble::new_tibble(columns, nrow = length(columns[[1]]))
}

IN_UNITS <- c("response", "median", "mode", "quantile") # types whose values are those of the response

# Of one coordinate of dates, times or other numbers with a class, what makes such of plain numbers.
class_of_response <- function(flow) {
  codec <- if (flow$d == 1) flow$codecs[[1]]
  if (!inherits(codec, "bijectr_codec_classed")) return(identity)
  function(x) if (is.object(x)) x else decode(codec, as.double(x))
}

INTERVAL_COLUMNS <- c("", "lower", "upper")

quantile_columns <- function(p) names(p) %||% if (!is.null(p)) paste0("q", format(p, trim = TRUE, drop0trailing = TRUE))

# `names`: what comes after the stem, which says the type but where it goes without saying.
prediction_columns <- function(names, type, interval) {
  plain <- !is.null(interval) || type %in% c("response", "median", "mode", "probability", "quantile")
  stem <- if (plain && !(type == "quantile" && is.null(names))) ".pred" else paste0(".pred_", type)
  if (is.null(names)) return(stem)
  paste0(stem, ifelse(nzchar(names), "_", ""), names)
}

# The columns of a matrix, or of an array with one row for each, by the names of its other dimensions, the second of
# which may be others.
columns_of_array <- function(value, second) {
  shape <- dim(value)[-1]
  names <- dimnames(value)[-1]
  if (is.null(names)) names <- lapply(shape, seq_len)
  if (!is.null(second)) names[[1]] <- second
  each <- expand.grid(lapply(names, as.character), stringsAsFactors = FALSE)
  flat <- matrix(value, dim(value)[1], prod(shape))
  label <- apply(as.matrix(each), 1, function(row) paste(row[nzchar(row)], collapse = "_"))
  stats::setNames(lapply(seq_len(ncol(flat)), function(j) flat[, j]), label)
}

# Draws of each row: vectors of one coordinate, matrices of several.
draws_of_rows <- function(value) {
  lapply(seq_len(dim(value)[1]), function(i) {
    if (length(dim(value)) == 2) return(value[i, ])
    matrix(value[i, , ], dim(value)[2], dimnames = dimnames(value)[-1])
  })
}

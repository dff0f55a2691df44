# Predictions as a tibble by the conventions of the tidymodels packages: one row for each that came in.

# `value`: what predict() gives of `type`, quantiles at `p`.
prediction_tibble <- function(value, type, p) {
  rlang::check_installed("tibble", "for predictions as a tibble.")
  attr(value, "error") <- NULL
  if (type == "draws") return(tibble::tibble(.pred_draws = draws_of_rows(value)))
  if (is.null(dim(value))) {
    return(tibble::new_tibble(stats::setNames(list(value), prediction_name(type)), nrow = length(value)))
  }
  value <- if (is.data.frame(value)) as.list(value) else columns_of_array(value, p)
  names(value) <- prediction_columns(names(value), type)
  tibble::new_tibble(value, nrow = length(value[[1]]))
}

PLAIN_PREDICTIONS <- c("response", "median", "mode")

prediction_name <- function(type) if (type %in% PLAIN_PREDICTIONS) ".pred" else paste0(".pred_", type)

prediction_columns <- function(names, type) {
  plain <- type %in% c(PLAIN_PREDICTIONS, "probability", "quantile")
  out <- paste0(if (plain) ".pred" else prediction_name(type), "_", names)
  if (!type %in% PLAIN_PREDICTIONS) return(out)
  ends <- c("^[.]pred_fit" = ".pred", "^[.]pred_lwr" = ".pred_lower", "^[.]pred_upr" = ".pred_upper")
  for (k in seq_along(ends)) out <- sub(names(ends)[k], ends[[k]], out)
  out
}

# The columns of a matrix, or of an array with one row for each, by the names of its other dimensions.
columns_of_array <- function(value, p) {
  names <- dimnames(value)[-1]
  if (is.null(names)) names <- lapply(dim(value)[-1], seq_len)
  if (!is.null(p) && is.null(names(p))) names[[1]] <- paste0("q", format(p, trim = TRUE, drop0trailing = TRUE))
  each <- expand.grid(lapply(names, as.character), stringsAsFactors = FALSE)
  flat <- matrix(value, dim(value)[1])
  stats::setNames(lapply(seq_len(ncol(flat)), function(j) flat[, j]), do.call(paste, c(unname(each), sep = "_")))
}

# Draws of each row: vectors of one coordinate, matrices of several.
draws_of_rows <- function(value) {
  lapply(seq_len(dim(value)[1]), function(i) {
    if (length(dim(value)) == 2) return(value[i, ])
    matrix(value[i, , ], dim(value)[2], dimnames = dimnames(value)[-1])
  })
}

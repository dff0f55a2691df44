# What tables of mixed columns predict beyond what flows do: probabilities of levels.

#' @rdname predict.bijectr_flow
#' @section Levels and whole numbers: A fit by formula with one factor, ordered or not, logical column or text on
#'   the left side has `type = "probability"`, a matrix with one row a row of conditions and one column a level, and
#'   `"class"`, the most probable level of each row (the median of an ordered factor), in the class of the column;
#'   so has a [conditional()] or [marginal()] distribution of one such column. They have no `"response"`.
#'   Probabilities of whole numbers are `exp(logdensity())`.
#' @export
predict.bijectr_table <- function(object, newdata, type = NULL, condition = NULL, as_tibble = FALSE, ...) {
  check_object(object)
  levels <- role_kinds(object$roles) == "levels"
  if (!is.null(type)) check_choice(type, c(PREDICT_TYPES, "probability", "class"), "type")
  if (is.null(type) && all(levels) && object$d == 1 && !missing(newdata) && lacks_coordinates(object, newdata)) {
    type <- "class"
  }
  if (identical(type, "probability") || identical(type, "class")) {
    check_unused(...)
    if (!all(levels) || object$d > 1) {
      stop_arg(c(
        "{.code type = \"{type}\"} is for one column of levels, given others.",
        i = "Probabilities of levels of a joint fit are those of {.fn marginal} and {.fn conditional}."
      ))
    }
    value <- predict_levels(object, if (!missing(newdata)) newdata, condition, type)
    return(if (check_flag(as_tibble, "as_tibble")) prediction_tibble(value, type, NULL) else value)
  }
  predict.bijectr_flow(object, newdata, type, condition, as_tibble = as_tibble, ...)
}

# Of one column of levels, with others given.
#' @export
predict.bijectr_part <- function(object, newdata, type = NULL, condition = NULL, as_tibble = FALSE, ...) {
  check_object(object)
  if (!identical(type, "probability") && !identical(type, "class")) {
    return(predict.bijectr_flow(object, newdata, type, condition, as_tibble = as_tibble, ...))
  }
  check_unused(...)
  codec <- object$codecs[[1]]
  if (object$d > 1 || !is_levels(codec)) stop_arg("{.code type = \"{type}\"} is for one column of levels.")
  n <- count_given(object)
  value <- vapply(seq_along(codec$levels) - 1, function(code) {
    points_density(object, matrix(code, n, 1), NULL)
  }, numeric(n))
  share <- exp(matrix(value, n))
  share <- share / rowSums(share) # they are means of draws
  colnames(share) <- codec$levels
  value <- if (type == "probability") share else decode(codec, predicted_codes(share, codec$as == "ordered"))
  if (check_flag(as_tibble, "as_tibble")) prediction_tibble(value, type, NULL) else value
}

# Of rows of probabilities the most probable code, of ordered levels the median.
predicted_codes <- function(share, ordered) {
  if (!ordered) return(max.col(share, "first") - 1)
  half <- t(apply(share, 1, cumsum)) >= 0.5 - 1e-12
  max.col(matrix(half, nrow(share)), "first") - 1
}

predict_levels <- function(table, newdata, condition, type) {
  at <- take_rows(table, newdata, condition)
  block <- table$blocks[[1]]
  role <- table$roles[[1]]
  z <- matrix(0, at$n, 1)
  given <- block_given(table, block, z, at$condition, seq_len(at$n))
  share <- exp(level_shares(block$fit, role$count, given, at$n))
  if (type == "probability") {
    colnames(share) <- role$names
    share <- put_back(share, at)
    if (!is.null(at$kept)) colnames(share) <- role$names
    return(if (is.null(at$repeats)) share else share[rep(1, at$repeats), , drop = FALSE])
  }
  code <- put_back(if (at$n > 0) predicted_codes(share, role$ordered) else numeric(), at)
  decode(table$codecs[[1]], if (is.null(at$repeats)) code else rep(code, at$repeats))
}

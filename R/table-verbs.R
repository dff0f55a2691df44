# What the verbs need of a table, see table.R: what a distribution does with points (density.R), and what is said of it.

# It may come from a file.
#' @export
check_composed.bijectr_table <- function(object) {
  if (!identical(.subset2(object, "format"), FORMAT_VERSION)) check_format(object[["format"]])
  d <- object[["d"]]
  if (!(one_number(d) && are_places(d, 1e6))) stop_damaged("d")
  if (!some_count(object[["d_condition"]])) stop_damaged("d_condition")
  roles <- object[["roles"]]
  if (!is.list(roles) || length(roles) != d || !all(vapply(roles, is_role, NA))) stop_damaged("roles")
  if (length(object[["codecs"]]) %in% c(0, d)) check_blueprint(object) else stop_damaged("codecs")
  blocks <- object[["blocks"]]
  if (!is.list(blocks) || !length(blocks)) stop_damaged("blocks")
  for (block in blocks) {
    whole <- is.list(block) && isTRUE(block[["kind"]] %in% c("levels", "whole", "atoms", "rest", "line")) &&
      are_places(block[["columns"]], d) && are_places(block[["given"]], d) && inherits(block[["fit"]], "bijectr_fit") &&
      !is_table(block$fit) && identical(as.numeric(block$fit[["d"]]), as.numeric(length(block$columns)))
    if (!isTRUE(whole)) stop_damaged("blocks")
    check_object(block$fit)
  }
  columns <- unlist(lapply(Filter(function(block) block$kind != "atoms", blocks), `[[`, "columns"))
  if (!identical(sort(as.numeric(columns)), as.numeric(seq_len(d)))) stop_damaged("blocks")
  object
}

#' @export
count_parameters.bijectr_table <- function(object) {
  sum(vapply(object$blocks, function(block) count_parameters(block$fit), 0))
}

is_role <- function(role) {
  is.list(role) && isTRUE(role[["kind"]] %in% c("levels", "whole", "atoms", "line")) &&
    (role$kind != "levels" || some_count(role[["count"]]) && is.character(role[["names"]]) &&
      length(role$names) == role$count && isTRUE(role[["ordered"]] %in% c(TRUE, FALSE))) &&
    (role$kind != "whole" || are_steps(role)) &&
    (role$kind != "atoms" || is.numeric(role[["atoms"]]) && length(role$atoms) > 0 && !anyNA(role$atoms))
}

are_steps <- function(role) {
  all(vapply(role[c("step", "origin", "slack")], one_number, NA)) && role$step >= 1 && role$slack >= 0 && role$slack < 1
}

# ---- what a distribution does with points ----------------------------------------------------------------------------

# Conditions of a block for rows `i`, as its fit has them encoded.
block_given <- function(table, block, z, given, i) {
  at <- condition_of_block(block, table$roles, z, coordinate_labels(table), given, table$condition$levels, i)
  if (!is.null(at)) encode_columns(at$columns, block$fit$condition$codecs)
}

#' @export
points_density.bijectr_table <- function(object, points, condition) {
  out <- numeric(n_rows(points))
  for (block in object$blocks) out <- out + block_density(object, block, points, condition)
  out
}

# The part of one block; 0 in rows of which it does not speak.
block_density <- function(table, block, points, condition) {
  i <- block_rows(block, table$roles, points)
  out <- numeric(n_rows(points))
  if (!length(i)) return(out)
  at <- points_of_block(block, table$roles, points, i)
  out[i] <- rows_density(block$fit, at, block_given(table, block, points, condition, i))
  role <- table$roles[[block$columns[1]]]
  if (block$kind == "whole" && role$step > 1) {
    out[i] <- out[i] + in_steps(column_at(points, block$columns, i), role)$log_share
  }
  out
}

#' @export
points_drawn.bijectr_table <- function(object, n, condition) {
  z <- matrix(NA_real_, n, object$d)
  for (block in object$blocks) z <- draw_block(object, block, z, condition)
  z
}

# Fills the columns of one block, given those before it. Where it draws no atom, NA stays for the block that follows.
draw_block <- function(table, block, z, condition) {
  i <- if (block$kind == "rest") which(is.na(z[, block$columns])) else seq_len(nrow(z))
  if (!length(i)) return(z)
  drawn <- points_drawn(block$fit, length(i), block_given(table, block, z, condition, i))
  if (is_whole(block$fit)) drawn <- to_whole(drawn)
  role <- table$roles[[block$columns[1]]]
  if (block$kind == "atoms") drawn[] <- c(NA, role$atoms)[drawn + 1]
  if (block$kind == "whole" && role$step > 1) drawn[] <- out_of_steps(drawn, role)
  z[i, block$columns] <- drawn
  z
}

#' @export
points_proposed.bijectr_table <- function(object, n, condition) points_proposed.default(object, n, condition)

# Of one coordinate: atoms, and the distribution of other values.
#' @export
points_cdf.bijectr_table <- function(object, points, condition, lower_tail, log_p) {
  x <- column(points, 1)
  if (length(object$blocks) == 1) {
    return(points_cdf(object$blocks[[1]]$fit, matrix(floor(x) + 0.5), condition, lower_tail, log_p))
  }
  share <- exp(atom_shares(object, condition, length(x)))
  given <- block_given(object, object$blocks[[2]], points, condition, seq_along(x))
  rest <- points_cdf(object$blocks[[2]]$fit, points, given, lower_tail, FALSE)
  there <- outer(x, object$roles[[1]]$atoms, if (lower_tail) `>=` else `<`)
  value <- share[, 1] * rest + rowSums(share[, -1, drop = FALSE] * there)
  if (log_p) log(value) else value
}

# Log probabilities of no atom and of each, of a table of one column.
atom_shares <- function(table, condition, n) {
  given <- block_given(table, table$blocks[[1]], matrix(0, n, 1), condition, seq_len(n))
  level_shares(table$blocks[[1]]$fit, length(table$roles[[1]]$atoms) + 1, given, n)
}

# Log probabilities of the codes 0, 1, ... under a fit of them, a column each.
level_shares <- function(fit, count, given, n) {
  if (n == 0) return(matrix(0, 0, count))
  matrix(vapply(seq_len(count) - 1, function(code) rows_density(fit, matrix(code, n, 1), given), numeric(n)), n)
}

#' @export
points_quantile.bijectr_table <- function(object, p, condition, lower_tail, log_p) {
  p <- if (log_p) exp(p) else p
  n <- length(p)
  z <- matrix(0, n, 1)
  last <- object$blocks[[length(object$blocks)]]
  given <- block_given(object, last, z, condition, seq_len(n))
  if (length(object$blocks) == 1) return(to_whole(points_quantile(last$fit, p, given, lower_tail, FALSE)))
  share <- exp(atom_shares(object, condition, n))
  atoms <- object$roles[[1]]$atoms
  passed <- numeric(n) # probability of atoms beyond, in the tail that p is of
  out <- rep(NA_real_, n)
  for (k in if (lower_tail) seq_along(atoms) else rev(seq_along(atoms))) {
    beyond <- passed + share[, 1] * points_cdf(last$fit, matrix(atoms[k], n, 1), given, lower_tail, FALSE)
    reached <- beyond + share[, k + 1]
    at <- if (lower_tail) p > beyond & p <= reached else p >= beyond & p < reached
    out[is.na(out) & at] <- atoms[k]
    passed <- passed + ifelse(if (lower_tail) p > beyond else p >= beyond, share[, k + 1], 0)
  }
  free <- which(is.na(out))
  if (length(free)) {
    left <- pmin(pmax((p[free] - passed[free]) / share[free, 1], 0), 1)
    out[free] <- points_quantile(last$fit, left, rows_at(given, free), lower_tail, FALSE)
  }
  out
}

#' @export
spread_size.bijectr_table <- function(object) RESPONSE_DRAWS

#' @export
points_spread.bijectr_table <- function(object, n, condition) drawn_spread(object, n, condition)

# ---- what is said of it ----------------------------------------------------------------------------------------------

#' @export
flow_supports.bijectr_table <- function(flow) {
  supports_of_blocks(flow, Filter(function(block) block$kind %in% c("rest", "line"), flow$blocks))
}

table_block_labels <- function(table) {
  vapply(table$blocks, function(block) {
    label <- shorten_list(coordinate_labels(table)[block$columns])
    role <- table$roles[[block$columns[1]]]
    switch(block$kind,
      levels = paste0(label, " (", role$count, if (role$ordered) " ordered", " levels)"),
      whole = paste0(label, " (whole numbers", if (role$step != 1) paste(" in steps of", role$step), ")"),
      atoms = paste0(label, " (", paste(role$atoms, collapse = ", "), " or none of ",
        if (length(role$atoms) == 1) "it" else "these", ")"
      ),
      rest = paste(label, "(other values)"),
      label
    )
  }, "")
}

#' @export
print.bijectr_table <- function(x, ...) {
  check_fit(x)
  n <- length(x$blocks)
  cat("<table of ", n, if (n == 1) " block> " else " blocks> ", format_coordinates(x), "\n", sep = "")
  labels <- table_block_labels(x)
  for (k in seq_along(x$blocks)) {
    given <- x$blocks[[k]]$given
    text <- paste0(labels[k], if (length(given)) paste(" given", shorten_list(coordinate_labels(x)[given])))
    cat(strwrap(text, initial = paste0("  block ", k, ": "), prefix = strrep(" ", 11)), sep = "\n")
  }
  print_supports(x)
  cat("  fitted:  ", format_seconds(x$seconds), ", status \"", x$status, "\"\n", sep = "")
  if (is.finite(x$reference$flow)) {
    cat("  mean log density of rows held out, the blocks' together: ", format_nats(x$reference$flow), "\n", sep = "")
  }
  invisible(x)
}

#' @export
summary.bijectr_table <- function(object, ...) {
  check_unused(...)
  check_fit(object)
  blocks <- data.frame(
    block = table_block_labels(object),
    share = vapply(object$blocks, `[[`, 0, "share"),
    "held out" = vapply(object$blocks, function(block) block$fit$reference$flow %||% NA_real_, 0),
    check.names = FALSE
  )
  structure(
    list(fit = object, blocks = blocks, fits = lapply(object$blocks, function(block) summary(block$fit))),
    class = "summary.bijectr_table"
  )
}

#' @export
print.summary.bijectr_table <- function(x, digits = 3, ...) {
  digits <- check_count(digits, "digits", min = 0, max = 15)
  print(x$fit)
  cat("\nBlocks, the share of the rows of which they speak, and their mean log density of rows held out in nats:\n")
  shown <- x$blocks
  for (name in c("share", "held out")) shown[[name]] <- formatC(shown[[name]], digits = digits, format = "f")
  print(shown, row.names = FALSE, right = FALSE)
  for (k in seq_along(x$fits)) {
    cat("\nBlock ", k, ": ", x$blocks$block[k], "\n", sep = "")
    print(x$fits[[k]], digits = digits)
  }
  invisible(x)
}

#' @export
coef.bijectr_table <- function(object, ...) {
  check_fit(object)
  unlist(lapply(stats::setNames(object$blocks, table_block_labels(object)), function(block) coef(block$fit)))
}

#' @export
resume.bijectr_table <- function(object, ...) {
  check_object(object)
  stop_arg(c(
    "The blocks of a table of mixed columns are not trained further.",
    i = "{.fn update} makes it anew."
  ))
}

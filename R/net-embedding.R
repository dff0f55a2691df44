#' Embedding of levels before a net
#'
#' Conditions that are codes of levels (of countries, products, persons) are looked up in trained tables: level \eqn{l}
#' of a factor becomes row \eqn{l} of its table, a few numbers that the net then takes beside its other inputs. A factor
#' of 1500 levels costs 1500 short rows, not 1500 inputs of the net. [fit_flow()] uses it by itself for factors with
#' more than 10 levels, see [fit_flow.formula()].
#'
#' The tables start at zero: all levels are alike until training tells them apart, and levels with few rows stay close
#' to the others for longer. Codes are `0, 1, ..., levels - 1`, rounded; one beyond gives `NaN`.
#'
#' @section Parameters:
#' `table1`, `table2`, ...: one row a level and one column a dimension; and those of `net`, whose inputs are the
#' coordinates, the conditions that are numbers, and the rows of the tables, in this order.
#'
#' @param net The net behind it, in [layer_autoregressive()] one with masks ([net_mlp()]).
#' @param columns Which of the conditioning variables are codes: ascending numbers.
#' @param levels How many levels each of them has.
#' @param dim Columns of each table, or one number for all. `NULL` takes the fourth root of the number of levels,
#'   rounded up, from 2 to 8.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @references Guo, Berkhahn (2016), *Entity embeddings of categorical variables*, arXiv:1604.06737.
#' @family nets
#' @examples
#' net <- net_embedding(net_mlp(16), columns = 2, levels = 26, dim = 3)
#' f <- flow(layer_autoregressive(scalar_affine(), net), d = 2, d_condition = 2)
#' str(params(f))
#' logdensity(f, rbind(c(0, 0)), condition = rbind(c(0.5, 25)))
#' @export
net_embedding <- function(net, columns, levels, dim = NULL) {
  counts <- function(x, name) vapply(x, check_count, integer(1), name = name, USE.NAMES = FALSE)
  columns <- counts(columns, "columns")
  levels <- counts(levels, "levels")
  dim <- if (is.null(dim)) embedding_dim(levels) else rep_len(counts(dim, "dim"), max(length(dim), length(columns)))
  if (!length(columns) || is.unsorted(columns, strictly = TRUE)) {
    stop_arg("{.arg columns} must be ascending numbers of conditioning variables.")
  }
  if (length(levels) != length(columns) || length(dim) != length(columns)) {
    stop_arg("{.arg levels} and {.arg dim} must have one number for each of the {length(columns)} {.arg columns}.")
  }
  new_spec("net", "embedding", net = check_family(net, "net", "net"), columns = columns, levels = levels, dim = dim)
}

embedding_dim <- function(levels) as.integer(pmin(8, pmax(2, ceiling(levels^0.25))))

#' @export
condition_uses.bijectr_net_embedding <- function(x, seen) {
  looked_up <- seen[x$columns]
  behind <- c(seen[-x$columns], vector("list", sum(x$dim)))
  c(
    Map(function(columns, levels) list(of = "codes", columns = columns, levels = levels), looked_up, x$levels),
    condition_uses(x$net, behind)
  )
}

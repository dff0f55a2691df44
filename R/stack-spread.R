# Draws of a stack beside rows that were held out. Of a member that is far out once in a hundred times the log density
# of rows says nothing, while means and standard deviations of draws are made by it: spline flows on t distributions,
# where conditions are such that few rows are near. So where draws spread further than rows do, members that make them
# so are left out, if the rows do not miss them.

SPREAD_ROWS <- 400
SPREAD_VALUES <- 4000 # rows times coordinates: draws of many coordinates take their time
SPREAD_DRAWS <- 40 # a row
SPREAD_MOST <- 1.25 # of the mean square of rows, beside twice its standard error
SPREAD_NATS <- 0.01 # a row, what leaving out may cost
SPREAD_NUMBERS <- 0.99 # share of draws that must be finite
SPREAD_BEYOND <- 1e100 # of draws that are not

# Kinds that are to be left out, of `members` named by them. `densities`: those of the rows held out, a column a kind.
wild_kinds <- function(members, densities, problem, folds) {
  w <- problem$weights[folds$told]
  all <- stack_density(densities, folds$part, w)
  flows <- names(Filter(function(member) length(member$seeds) > 0, members))
  if (!length(flows) || problem$rows_are != "points") return(character())
  spread <- with_seed(1, stack_spread(members[flows], all$weight[flows], problem, folds))
  spread$drawn[!spread$drawn < SPREAD_BEYOND] <- SPREAD_BEYOND
  over <- spread$drawn - rep(spread$seen, each = length(flows))
  limit <- (SPREAD_MOST - 1) * spread$seen + 2 * spread$error
  over[over < rep(limit, each = length(flows))] <- 0
  kept <- colnames(densities)
  repeat {
    of_kind <- over * stack_weights(densities[, kept, drop = FALSE], folds$part, w)[flows]
    of_kind[!flows %in% kept, ] <- 0
    wide <- colSums(of_kind) > limit
    worst <- apply(of_kind[, wide, drop = FALSE], 1, max, 0)
    missed <- vapply(flows, function(kind) {
      others <- setdiff(kept, kind)
      if (worst[[kind]] == 0 || !length(setdiff(others, "beyond"))) return(TRUE)
      without <- stack_density(densities[, others, drop = FALSE], folds$part, w)
      held_out_value(all$density, w) - held_out_value(without$density, w) > SPREAD_NATS
    }, NA)
    if (all(missed)) return(setdiff(colnames(densities), kept))
    kept <- setdiff(kept, flows[!missed][which.max(worst[!missed])])
  }
}

stack_density <- function(densities, part, w) {
  weight <- stack_weights(densities, part, w)
  list(weight = weight, density = weighted_density(densities, weight))
}

# Mean squares of draws and of rows about the medians of the stack, in its median absolute deviations, given the
# conditions of rows: list(drawn, a row a kind and a column a coordinate, seen, its values for rows, error, the standard
# errors of these). A row is beside draws of flows that have not seen it.
stack_spread <- function(members, weight, problem, folds) {
  at <- thin_rows(length(folds$told), max(20, min(SPREAD_ROWS, SPREAD_VALUES %/% problem$d)))
  rows <- folds$told[at]
  draws <- lapply(members, function(member) {
    out <- array(0, c(length(rows), SPREAD_DRAWS, problem$d))
    for (part in unique(folds$part[at])) {
      i <- which(folds$part[at] == part)
      out[i, , ] <- member_draws(member, part, rows_at(problem$condition, rep(rows[i], SPREAD_DRAWS)), length(i))
    }
    out
  })
  from <- sample.int(length(members), length(rows) * SPREAD_DRAWS, replace = TRUE, prob = weight)
  w <- if (is.null(problem$weights)) rep(1, length(rows)) else problem$weights[rows]
  points <- rows_at(problem$data, rows)
  squares <- lapply(seq_len(problem$d), function(j) {
    of_kind <- lapply(draws, function(draw) array(draw[, , j], dim(draw)[1:2]))
    mixed <- of_kind[[1]]
    for (k in seq_along(of_kind)) mixed[from == k] <- of_kind[[k]][from == k]
    middle <- row_medians(mixed)
    scale <- row_medians(abs(mixed - middle))
    use <- which(scale > 0 & is.finite(scale))
    square <- function(x) ((x[use, , drop = FALSE] - middle[use]) / scale[use])^2
    w <- w[use] / sum(w[use])
    seen <- drop(square(points[, j, drop = FALSE]))
    list(
      drawn = vapply(of_kind, function(x) {
        if (mean(is.finite(x)) < SPREAD_NUMBERS) Inf else sum(w * rowMeans(square(x)))
      }, 0),
      seen = sum(w * seen),
      error = sqrt(sum((w * (seen - sum(w * seen)))^2))
    )
  })
  list(
    drawn = do.call(cbind, lapply(squares, `[[`, "drawn")), seen = vapply(squares, `[[`, 0, "seen"),
    error = vapply(squares, `[[`, 0, "error")
  )
}

# n x SPREAD_DRAWS x d draws of a kind, of the flows that have not seen the rows of a part.
member_draws <- function(member, part, condition, n) {
  unseen <- if (is.null(member$folds)) seq_along(member$flows) else which(member$folds == part)
  shares <- member$shares[unseen]
  which <- unseen[sample.int(length(unseen), n * SPREAD_DRAWS, replace = TRUE, prob = shares)]
  out <- matrix(0, n * SPREAD_DRAWS, member$flows[[1]]$d)
  for (i in unique(which)) {
    rows <- base::which(which == i)
    out[rows, ] <- points_drawn(member$flows[[i]], length(rows), rows_at(condition, rows))
  }
  array(out, c(n, SPREAD_DRAWS, ncol(out)))
}

row_medians <- function(x) {
  sorted <- matrix(x[order(row(x), x)], nrow(x), byrow = TRUE)
  rowMeans(sorted[, c((ncol(x) + 1) %/% 2, ncol(x) %/% 2 + 1), drop = FALSE])
}

# What the columns of a table are, and in which blocks they are fitted, see table.R. A role is list(
#   kind      "levels", of codes; "whole", of counts or whole numbers with few values; "atoms", of amounts of which many
#             have one value, as 0; "line", of other numbers
#   count     of levels: their number, and `ordered`, whether they have an order
#   support   of whole numbers, and `step`, `origin` and `slack`: the column is origin + step times such a number, but
#             for the share `slack` of other whole numbers, as none of the rows was
#   atoms)    the values of atoms, ascending
# A block is list(
#   kind      "levels", "whole", "atoms" (which of the atoms a value is, or none), "rest" (values that are no atoms),
#             "line"
#   columns   numbers of the columns that it is of, one of all kinds but "line"
#   given     numbers of the columns before it, which it is conditioned on beside the user's conditions
#   fit)

# Of encoded columns `z`. `supports` are those that the user gave, `find` says whether whole numbers and atoms are
# looked for.
column_roles <- function(z, codecs, supports, weights, rows, find) {
  # of fewer rows a chain of blocks learns less than one distribution of all columns
  find <- find && (n_columns(z) == 1 || sum(if (is.null(weights)) n_rows(z) else weights > 0) >= ROLE_ROWS)
  lapply(seq_len(n_columns(z)), function(j) {
    codec <- codecs[[j]]
    if (is_levels(codec)) {
      return(list(kind = "levels", count = length(codec$levels), ordered = codec$as == "ordered"))
    }
    given <- supports[[j]]
    if (!is.null(given) && given$whole) return(whole_role(given))
    if (!find || !is.null(codec) && is_time(codec)) return(list(kind = "line"))
    one <- keep_columns(z, j)
    whole <- if (is.null(given)) found_whole(one, rows, weights)
    if (!is.null(whole)) return(whole_role(whole))
    steps <- if (is.null(given)) found_steps(column(one, 1), weights)
    if (!is.null(steps)) return(stepped_role(column(one, 1), steps, weights))
    atoms <- found_atoms(column(one, 1), weights)
    if (length(atoms)) list(kind = "atoms", atoms = atoms) else list(kind = "line")
  })
}

role_kinds <- function(roles) vapply(roles, `[[`, "", "kind")

whole_role <- function(support, step = 1, origin = 0, slack = 0) {
  list(kind = "whole", support = support, step = step, origin = origin, slack = slack)
}

# The multiples of the step that begin at the origin, or go on below it down to what is above 0, or any.
stepped_role <- function(x, steps, weights) {
  counted <- if (is.null(weights)) seq_along(x) else which(weights > 0)
  support <- whole_support(x[counted], weights[counted])
  if (steps$binary) {
    support <- counts(0, 1)
  } else if (support$lower > -Inf) {
    support <- counts(-(steps$origin %/% steps$step))
  }
  whole_role(support, steps$step, steps$origin, slack = BEYOND_ROWS / max(1, effective_number(counted, weights)))
}

sum_of_weights <- function(i, weights) if (is.null(weights)) length(i) else sum(weights[i])

# Whole numbers as multiples, list(k, log_share): the nearest multiple of the step, and the log probability that a value
# which is nearest to that is this one.
in_steps <- function(x, role) {
  k <- floor((x - role$origin) / role$step + 0.5)
  off <- x != role$origin + role$step * k
  log_share <- ifelse(off, log(role$slack / (role$step - 1)), log1p(-role$slack))
  list(k = k, log_share = ifelse(x == round(x), log_share, -Inf))
}

out_of_steps <- function(k, role) {
  x <- role$origin + role$step * k
  off <- which(stats::runif(length(x)) < role$slack)
  offset <- setdiff(seq(-floor(role$step / 2), length.out = role$step), 0)
  x[off] <- x[off] + offset[sample.int(length(offset), length(off), replace = TRUE)]
  x
}

ROLE_ROWS <- 30

# Whole numbers of few values in larger steps, as scores in tens, list(step, origin), the smallest value; NULL where x
# is none such.
found_steps <- function(x, weights) {
  if (!is.null(weights)) x <- x[weights > 0]
  if (!all(x == round(x))) return(NULL)
  values <- count_values(x)
  if (length(values$value) < 2 || length(values$value) > FEW_VALUES || agreement(values$count) <= TIES) return(NULL)
  origin <- values$value[1]
  step <- Reduce(common_divisor, values$value[-1] - origin)
  if (step > 1 && (values$value[length(values$value)] - origin) / step <= FEW_STEPS) {
    list(step = step, origin = origin, binary = is_binary(values))
  }
}

FEW_STEPS <- 100

common_divisor <- function(a, b) if (b == 0) a else common_divisor(b, a %% b)

# Values that many rows have, see find_atoms(), of a column that is fitted by densities else: the others must be many,
# and rarely agree.
ATOMS_REST <- 30

found_atoms <- function(x, weights) {
  if (!is.null(weights)) x <- x[weights > 0]
  values <- count_values(x)
  at <- find_atoms(values)
  rest <- if (length(at)) values$count[-at] else integer()
  if (sum(rest) < ATOMS_REST || agreement(rest) > TIES) return(numeric())
  values$value[at]
}

# Whether a table needs blocks: one flow of all columns, or one of whole numbers, is a fit by itself.
needs_blocks <- function(roles) {
  kinds <- role_kinds(roles)
  any(kinds %in% c("levels", "atoms")) || any(kinds == "whole") && length(kinds) > 1
}

# Few values first; then columns with atoms; then all others together.
table_blocks <- function(roles, z) {
  kinds <- role_kinds(roles)
  count <- function(j) if (kinds[j] == "levels") roles[[j]]$count else length(unique(column(z, j)))
  of_kind <- function(kind) {
    j <- which(kinds == kind)
    if (kind %in% c("levels", "whole")) j[order(vapply(j, count, 0L))] else j
  }
  blocks <- list()
  given <- integer()
  add <- function(kind, columns, last = TRUE) {
    blocks[[length(blocks) + 1]] <<- list(kind = kind, columns = columns, given = given, fit = NULL)
    if (last) given <<- c(given, columns)
  }
  for (j in of_kind("levels")) add("levels", j)
  for (j in of_kind("whole")) add("whole", j)
  for (j in of_kind("atoms")) {
    add("atoms", j, last = FALSE)
    add("rest", j)
  }
  if (length(of_kind("line"))) add("line", of_kind("line"))
  blocks
}

# ---- rows of a block -------------------------------------------------------------------------------------------------

# The rows of which a block speaks, of `n` in all.
block_rows <- function(block, roles, z) {
  if (block$kind != "rest") return(seq_len(n_rows(z)))
  which(!(column(z, block$columns) %in% roles[[block$columns]]$atoms))
}

# What it is a distribution of there, as columns.
points_of_block <- function(block, roles, z, i) {
  points <- columns_at(keep_columns(z, block$columns), i)
  role <- roles[[block$columns[1]]]
  if (block$kind == "atoms") points[[1]] <- match(points[[1]], role$atoms, nomatch = 0) + 0
  if (block$kind == "whole" && role$step > 1) points[[1]] <- in_steps(points[[1]], role)$k
  points
}

# And what it is given, list(columns, levels, groups), with names; `levels` as coded_levels() says, `groups` which of
# them are of one column. NULL where that is nothing. `given` are the user's conditions, of which `user_levels` speaks.
condition_of_block <- function(block, roles, z, labels, given, user_levels, i) {
  count <- n_columns(given) %||% 0L
  parts <- lapply(block$given, function(j) role_columns(roles[[j]], column_at(z, j, i), labels[j]))
  columns <- c(columns_at(given, i), unlist(lapply(parts, `[[`, "columns"), recursive = FALSE))
  if (!length(columns)) return(NULL)
  names(columns) <- make.unique(c(
    column_names(given) %||% sprintf("condition%d", seq_len(count)),
    unlist(lapply(parts, function(part) names(part$columns)))
  ))
  levels <- c(user_levels %||% integer(count), unlist(lapply(parts, `[[`, "levels")))
  of_part <- vapply(parts, function(part) length(part$columns), 0L)
  groups <- c(-seq_len(count), rep(block$given, of_part))
  list(columns = columns, levels = if (any(levels > 0)) levels, groups = groups)
}

# A column as what others are given: indicators of all levels but the first, codes where these are many, which nets look
# up, and where they have an order; of a column with atoms its value and indicators of these.
role_columns <- function(role, x, label) {
  indicators <- function(values, names) {
    stats::setNames(lapply(values, function(value) as.double(x == value)), paste(label, "is", names))
  }
  one <- stats::setNames(list(x), label)
  columns <- switch(role$kind,
    levels = if (role$ordered || role$count > MANY_LEVELS) one else indicators(seq_len(role$count - 1), role$names[-1]),
    atoms = c(one, indicators(role$atoms, role$atoms)),
    one
  )
  coded <- role$kind == "levels" && !role$ordered && role$count > MANY_LEVELS
  list(columns = columns, levels = if (coded) role$count else integer(length(columns)))
}

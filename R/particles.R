# Rows of a distribution in which some columns are given, by importance sampling in the order of its blocks (table.R; a
# flow or a stack is one block). A block whose columns are all given adds its log density to the log weight of a row;
# one of which none is given is drawn; of one in which some are given, the others are drawn from a proposal q, and
#
#   log w  +=  log p(block | before)  -  log q(free columns of the block | its given columns)
#
# Columns of levels before given ones are gone through, not drawn, while their combinations are few: each has its share
# of the rows, s, and a weight that makes up for it,
#
#   log w  +=  log p(levels | before)  -  log s
#
# The mean of w is the density of the given columns (Rao-Blackwellised over blocks that are given). Where no block with
# given columns follows or holds a free one that was drawn, all weights of a row are alike: that is exact.
#
# The proposal is made of draws of the distribution: a mixture of normals fitted to them, behind the supports of the
# columns, whose conditional distribution, a mixture too, is known; with tails of a t distribution of PROPOSAL_DF
# degrees of freedom, as weights should not be without bound.

STRATA_SHARE <- 0.1 # combinations at the most, of the rows
PROPOSAL_DRAWS <- 4000
PROPOSAL_COMPONENTS <- 12
PROPOSAL_DF <- 5
PROPOSAL_WIDER <- 1.1

# The blocks of any distribution, list(kind, columns, given).
blocks_of <- function(object) {
  if (is_table(object)) object$blocks else list(list(kind = "line", columns = seq_len(object$d), given = integer()))
}

# Whether rows with the columns `given` need no weights.
is_exact_given <- function(object, given) {
  drawn <- FALSE
  for (block in blocks_of(object)) {
    has <- block$columns %in% given
    if (any(has) && (drawn || !all(has))) return(FALSE)
    if (!all(has)) drawn <- TRUE
  }
  TRUE
}

# The proposal of the block of which some columns are given; NULL where there is none.
make_proposal <- function(object, given, condition) {
  split <- Filter(function(block) any(block$columns %in% given) && !all(block$columns %in% given), blocks_of(object))
  if (!length(split)) return(NULL)
  columns <- split[[1]]$columns # blocks of several columns are the last ones
  drawn <- with_seed(1, points_drawn(object, PROPOSAL_DRAWS, cycle_rows(condition, PROPOSAL_DRAWS)))
  drawn <- drawn[rowSums(!is.finite(drawn)) == 0, columns, drop = FALSE]
  fit <- if (is_table(object)) split[[1]]$fit else object
  supports <- flow_supports(fit)
  layer <- if (!is.null(supports)) support_layer(supports)
  line <- on_the_line(drawn, layer)$data
  center <- apply(line, 2, stats::median)
  scale <- pmax(apply(line, 2, stats::mad), 1e-3 * apply(line, 2, stats::sd), 1e-300)
  u <- (line - rep(center, each = nrow(line))) / rep(scale, each = nrow(line))
  u <- u[rowSums(abs(u) > 30) == 0, , drop = FALSE]
  mixture <- with_seed(1, fit_normal_mixture(u, PROPOSAL_COMPONENTS, "full"))
  list(columns = columns, layer = layer, center = center, scale = scale, mixture = mixture)
}

# Rows of draws of the free columns, and their log densities, given one row `x` of the block: list(x, log_q), n rows.
propose_rows <- function(proposal, x, free, n) {
  d <- length(proposal$columns)
  mixture <- proposal$mixture
  k <- length(mixture$weight)
  known <- setdiff(seq_len(d), free)
  at <- (on_the_line(matrix(x, 1), proposal$layer)$data[1, ] - proposal$center) / proposal$scale
  parts <- lapply(seq_len(k), function(c) {
    cov <- tcrossprod(matrix(mixture$roots[, , c], d))
    mean <- mixture$mean[c, ]
    s <- cov[known, known, drop = FALSE]
    root <- chol(s)
    shift <- at[known] - mean[known]
    half <- backsolve(root, shift, transpose = TRUE)
    slope <- backsolve(root, backsolve(root, cov[known, free, drop = FALSE], transpose = TRUE))
    rest <- cov[free, free, drop = FALSE] - crossprod(cov[known, free, drop = FALSE], slope)
    list(
      log_weight = log(mixture$weight[c]) - sum(half^2) / 2 - sum(log(diag(root))),
      mean = mean[free] + drop(shift %*% slope),
      root = PROPOSAL_WIDER * t(chol((rest + t(rest)) / 2 + diag(1e-10, length(free))))
    )
  })
  log_weight <- vapply(parts, `[[`, 0, "log_weight")
  # far from all components the nearest would be all there is
  weight <- 0.95 * exp(log_weight - max(log_weight)) / sum(exp(log_weight - max(log_weight))) + 0.05 * mixture$weight
  which <- sample.int(k, n, replace = TRUE, prob = weight)
  u <- matrix(stats::rnorm(n * length(free)), n) / sqrt(stats::rchisq(n, PROPOSAL_DF) / PROPOSAL_DF)
  for (c in unique(which)) {
    i <- which(which == c)
    u[i, ] <- u[i, , drop = FALSE] %*% t(parts[[c]]$root) + rep(parts[[c]]$mean, each = length(i))
  }
  log_q <- Reduce(log_add, lapply(seq_len(k), function(c) {
    q <- colSums(forwardsolve(parts[[c]]$root, t(u) - parts[[c]]$mean)^2)
    log(weight[c]) + log_student_t(q, parts[[c]]$root, PROPOSAL_DF)
  }))
  line <- u * rep(proposal$scale[free], each = n) + rep(proposal$center[free], each = n)
  layer <- proposal$layer
  out <- from_the_line(line, if (!is.null(layer)) layer_elementwise(layer$scalar[free]))
  list(x = out$value, log_q = log_q - out$logdet - sum(log(proposal$scale[free])))
}

cycle_rows <- function(x, n) if (!is.null(x)) rows_at(x, rep_len(seq_len(n_rows(x)), n))

# `each` rows for each row of `x`, whose columns `given` are known (others are not read): list(z, log_weight), one after
# another.
weighted_rows <- function(object, x, given, proposal, condition, each) {
  z <- x[rep(seq_len(nrow(x)), each = each), , drop = FALSE]
  z[, setdiff(seq_len(object$d), given)] <- NA
  n <- nrow(z)
  condition <- if (!is.null(condition)) rows_at(cycle_rows(condition, nrow(x)), rep(seq_len(nrow(x)), each = each))
  log_weight <- numeric(n)
  strata <- 1 # combinations of levels that are gone through
  density <- function(block) {
    if (is_table(object)) block_density(object, block, z, condition) else rows_density(object, z, condition)
  }
  blocks <- blocks_of(object)
  last <- max(0, which(vapply(blocks, function(block) any(block$columns %in% given), NA)))
  few <- function(k) {
    block <- blocks[[k]]
    k < last && block$kind == "levels" && strata * object$roles[[block$columns]]$count <= each * STRATA_SHARE
  }
  for (k in seq_along(blocks)) {
    block <- blocks[[k]]
    has <- block$columns %in% given
    if (all(has)) {
      log_weight <- log_weight + density(block)
    } else if (!any(has) && few(k)) {
      count <- object$roles[[block$columns]]$count
      z[, block$columns] <- rep((seq_len(each) - 1) %/% strata %% count, nrow(x))
      strata <- strata * count
      log_weight <- log_weight + density(block)
    } else if (!any(has)) {
      z <- if (is_table(object)) draw_block(object, block, z, condition) else points_drawn(object, n, condition)
    } else {
      free <- which(!has)
      for (r in seq_len(nrow(x))) {
        i <- (r - 1) * each + seq_len(each)
        proposed <- propose_rows(proposal, x[r, block$columns], free, each)
        z[i, block$columns[free]] <- proposed$x
        log_weight[i] <- log_weight[i] - proposed$log_q
      }
      log_weight <- log_weight + density(block)
    }
  }
  stratum <- (seq_len(each) - 1) %% strata + 1
  log_weight <- log_weight - log(tabulate(stratum, strata) / each)[stratum]
  log_weight[is.nan(log_weight)] <- -Inf
  list(z = z, log_weight = log_weight)
}

# Of weights in columns, a row of the data each: list(log_mean, error, ess), the standard error of log_mean and the
# effective number of the draws.
weigh_columns <- function(log_weight) {
  most <- apply(log_weight, 2, max)
  w <- exp(log_weight - rep(ifelse(is.finite(most), most, 0), each = nrow(log_weight)))
  mean <- colMeans(w)
  ess <- ifelse(mean > 0, colSums(w)^2 / colSums(w^2), 0)
  list(
    log_mean = ifelse(mean > 0, most + log(mean), -Inf), ess = ess,
    error = sqrt(pmax(1 / ess - 1 / nrow(log_weight), 0))
  )
}

# weigh_columns() of the rows of `x`, whose columns `given` are known, by `each` weighted rows.
weigh_rows <- function(object, x, given, proposal, condition, each) {
  out <- list(log_mean = numeric(), ess = numeric(), error = numeric())
  for (i in row_chunks(nrow(x), PART_CHUNK %/% each)) {
    found <- with_seed(1, weighted_rows(object, x[i, , drop = FALSE], given, proposal, condition, each))
    out <- Map(c, out, weigh_columns(matrix(found$log_weight, each)))
  }
  out
}

# Rows that are weighed in one call at the most.
PART_CHUNK <- 2e5

# Draws of a flow and ones that go further out, weighted towards a target. With z draws of the base, shares a_k of which
# are widened by s_k (s_1 = 1), and x = forward(z), x has the density
#
#   m(x) = q(x) sum_k a_k s_k^-d exp(|z|^2 (1 - 1 / s_k^2) / 2),   w = p / m
#
# and for those that are widened along one axis j, each with the same probability, s^-1 exp(z_j^2 (1 - 1 / s^2) / 2)
# instead: in many coordinates all of them can be widened by little only, else hardly a draw would tell anything. Draws
# about those that lie apart (local-draws.R) are a further share.

# A share of the draws each: those of the flow, those that are widened in all directions, by so much that of a standard
# normal target these shares of them are effective, and those that are widened in one direction, so many times.
WIDE_SHARES <- c(0.5, 0.15, 0.15, 0.2)
WIDE_EFFECT <- c(1 / 2, 1 / 20)
WIDE_AXIS <- 3

# n draws, wide ones and some about those of them that lie apart, with the target's log density there, `log_p`, and
# their log weights, `log_w`, -Inf where there is no density.
weigh_wide_draws <- function(fit, target, n) {
  wide <- function(n) {
    at <- wide_draws(fit, n)
    at$log_p <- target_there(target, at$value, is.finite(at$log_q))
    with_weights(at)
  }
  if (fit$d > LOCAL_COORDINATES || is.null(base_components(fit))) return(wide(n))
  n_local <- round(LOCAL_SHARE * n)
  at <- wide(n - n_local)
  with_local_draws(at, fit, target, n_local) %||% bound_draws(at, wide(n_local))
}

# -Inf at points that are not `asked` for. So far out targets may well warn.
target_there <- function(target, x, asked) {
  log_p <- rep(-Inf, nrow(x))
  if (any(asked)) log_p[asked] <- suppressWarnings(target(x[asked, , drop = FALSE], gradient = FALSE)$value)
  stop_at_bad(log_p, log_p %in% Inf, x)
  log_p[is.na(log_p)] <- -Inf
  log_p
}

with_weights <- function(at) {
  at$log_w <- ifelse(at$log_p == -Inf, -Inf, at$log_p - at$log_m)
  at
}

bound_draws <- function(a, b) Map(function(a, b) if (is.matrix(a)) rbind(a, b) else c(a, b), a, b[names(a)])

# Further rows, `n` of them, to `at`, what weigh_wide_draws() has without them; NULL where there is nothing to draw them
# about, or no inverse of the flow. Some may lie where the flow has no density: a target that is not defined there
# either may say so by an error.
with_local_draws <- function(at, fit, target, n) {
  if (all(at$log_w == -Inf)) return(NULL)
  outer <- last_support_layer(fit$layers$layers)
  line <- on_the_line(at$value, outer)
  kernels <- local_components(line$data, exp_shares(at$log_w), wide_factor(LOCAL_EFFECT, fit$d))
  if (is.null(kernels)) return(NULL)
  u <- component_draws(kernels, n)
  there <- from_the_line(u, outer)
  back <- suppressWarnings(tryCatch(native_map(fit, there$value, NULL, inverse = TRUE), error = function(e) NULL))
  if (is.null(back)) return(NULL)
  around <- log_components(line$data, kernels)
  # centers are where they are because of their own rows, which would weigh too little; neighbours still do, a little
  around[cbind(kernels$row, seq_along(kernels$row))] <- -Inf
  log_k <- c(log_sum_rows(around) + line$slope, log_sum_rows(log_components(u, kernels)) - there$logdet)
  log_k[!is.finite(log_k)] <- -Inf # draws at infinity
  within <- is.finite(back$log_density)
  log_q <- ifelse(within, back$log_density, -Inf)
  log_p <- target_there(target, there$value, within)
  if (!all(within)) {
    beyond <- tryCatch(target_there(target, there$value, !within), error = function(e) -Inf)
    log_p <- pmax(log_p, beyond)
  }
  log_m <- ifelse(within, wide_log_density(fit, back$value, log_q), -Inf)
  more <- list(value = there$value, log_q = log_q, log_m = log_m, log_p = log_p, own = rep(FALSE, n))
  both <- bound_draws(at[names(more)], more)
  share <- n / length(log_k)
  both$log_m <- log_sum_rows(cbind(both$log_m + log1p(-share), log_k + log(share)))
  with_weights(both)
}

# Draws, of which the last are widened where the base is a normal distribution or a mixture of such, about the component
# that each is of, with the flow's log density `log_q` and that of all of them together, `log_m`.
wide_draws <- function(fit, n) {
  z <- native_draw(fit, n, NULL, draw_seed())
  parts <- base_components(fit)
  if (is.null(parts)) {
    there <- native_map(fit, z, NULL, inverse = FALSE)
    return(list(value = there$value, log_q = there$log_density, log_m = there$log_density, own = rep(TRUE, n)))
  }
  s <- wide_factors(fit$d)
  of <- findInterval((seq_len(n) - 0.5) / n, cumsum(WIDE_SHARES)) + 1L
  z <- widened(z, parts, s[of], of == length(s))
  there <- native_map(fit, z, NULL, inverse = FALSE)
  log_m <- wide_log_density(fit, z, there$log_density)
  list(value = there$value, log_q = there$log_density, own = of == 1L, log_m = log_m)
}

# Of all of them together, m, at points that are z in the base and have the log density `log_q` of the flow.
wide_log_density <- function(fit, z, log_q) {
  parts <- base_components(fit)
  s <- wide_factors(fit$d)
  log_base <- vapply(seq_along(s), function(k) {
    log_sum_rows(log_components(z, parts, s[k], along_axes = k == length(s)))
  }, numeric(nrow(z)))
  log_q - log_base[, 1] + log_sum_rows(log_base + rep(log(WIDE_SHARES), each = nrow(z)))
}

wide_factors <- function(d) c(1, vapply(WIDE_EFFECT, wide_factor, 0, d), WIDE_AXIS)

# Draws of the components further away from their centers, all coordinates by `s` or, `along` an axis, one of them.
widened <- function(z, parts, s, along) {
  n <- nrow(z)
  of <- chosen_components(log_components(z, parts))
  axis <- sample.int(ncol(z), n, replace = TRUE)
  for (c in seq_along(parts$weight)) {
    i <- which(of == c)
    root <- matrix(parts$root[, , c], ncol(z))
    u <- t(forwardsolve(root, t(z[i, , drop = FALSE]) - parts$loc[c, ]))
    factor <- matrix(ifelse(along[i], 1, s[i]), length(i), ncol(z))
    factor[cbind(seq_along(i), axis[i])] <- s[i]
    z[i, ] <- t(root %*% t(u * factor) + parts$loc[c, ])
  }
  z
}

# The s for which draws of N(0, s^2) give a standard normal target of d coordinates this effective share.
wide_factor <- function(share, d) {
  exp(stats::uniroot(function(log_s) d * (2 * log_s - log(2 * exp(2 * log_s) - 1) / 2) + log(share), c(0, 20))$root)
}

# Whether a fit to a log density can be trusted, by draws of the flow and by draws that go further out. With z draws of
# the base, half of them widened by s, x = forward(z), and q_s the distribution of the widened ones,
#
#   w = p(x) / ((q(x) + q_s(x)) / 2),   v = q(x) / ((q(x) + q_s(x)) / 2)
#
# E_w and E_v are expectations of the target and of the flow by the same draws, so that their differences have little
# noise; where the flow is too narrow, w knows it, which weights p / q of its own draws cannot. Modes that no draw
# comes near are looked for by climbing from points further out still.

TARGET_WIDE <- 2 # the smallest effective share of a normal target's draws is 1 / TARGET_WIDE
TARGET_CLIMBS <- 12
TARGET_OFF <- c(mean = 0.05, sd = 0.05)
TARGET_WRONG <- 0.1

check_target_fit <- function(fit, target, draws) {
  rule <- list(n = draws, k_most = min(1 - 1 / log10(draws), 0.7))
  evidence <- target_evidence(fit, target, draws)
  modes <- other_modes(fit, target, evidence$log_z[["estimate"]])
  doubts <- target_doubts(evidence, modes, rule)
  off <- moments_off(evidence$moments)
  verdict <- if (length(doubts)) "do not trust" else if (length(off)) "resample" else "trust"
  structure(c(
    list(verdict = verdict, reasons = c(doubts, off), notes = character()), evidence,
    list(modes = modes, draws = draws, k_most = rule$k_most, description = format_coordinates(fit))
  ), class = "bijectr_target_check")
}

# list(log_z, ess, pareto_k, acceptance, moments, lost)
target_evidence <- function(fit, target, n) {
  at <- wide_draws(fit, n)
  log_p <- target_values(target(name_columns(at$value, fit$names)), n)
  log_p[is.na(log_p) | !is.finite(at$log_q)] <- -Inf
  at$log_q[is.na(at$log_q)] <- -Inf
  mixture <- log_mixture(at)
  log_w <- log_p - mixture
  log_w[log_p == -Inf] <- -Inf
  if (all(log_w == -Inf)) stop_arg("The target is -Inf at all {n} draws of the flow.")
  own <- !at$widened
  log_own <- (log_p - at$log_q)[own]
  w <- exp(log_w - max(log_w))
  v <- exp(at$log_q - mixture)
  shares <- w / sum(w)
  z <- summarise_weights(log_w)
  seen <- summarise_weights(log_own)
  list(
    log_z = c(
      lower = seen$elbo, estimate = z$log_z, upper = sum((shares * log_own_all(log_p, at$log_q))[shares > 0]),
      error = z$log_z_se, narrow = seen$log_z, narrow_error = seen$log_z_se
    ),
    ess = c(flow = seen$ess / sum(own), wide = z$ess / n), pareto_k = c(flow = seen$pareto_k, wide = z$pareto_k),
    acceptance = expected_acceptance(log_own),
    moments = compared_moments(at$value, w, v, coordinate_labels(fit)), lost = mean(log_own == -Inf)
  )
}

log_own_all <- function(log_p, log_q) ifelse(log_p == -Inf, 0, log_p - log_q)

# Draws, of which those of the second half are widened where the base is the standard normal distribution, with the
# flow's log density `log_q` and that of the widened draws, `log_wide`.
wide_draws <- function(fit, n) {
  z <- native_draw(fit, n, NULL, draw_seed())
  widened <- logical(n)
  s <- 1
  if (identical(fit$base, base_normal())) {
    widened <- seq_len(n) > n %/% 2
    s <- wide_factor(fit$d)
    z[widened, ] <- s * z[widened, ]
  }
  there <- native_map(fit, z, NULL, inverse = FALSE)
  size <- rowSums(z^2)
  list(
    value = there$value, log_q = there$log_density, widened = widened,
    log_wide = there$log_density - fit$d * log(s) + size * (1 - 1 / s^2) / 2
  )
}

# The s for which draws of N(0, s^2) give a standard normal target of d coordinates an effective share of 1 / TARGET_WIDE.
wide_factor <- function(d) {
  stats::uniroot(function(s) d * log(s^2 / sqrt(2 * s^2 - 1)) - log(TARGET_WIDE), c(1, 1e3))$root
}

log_mixture <- function(at) if (any(at$widened)) log_add(at$log_q, at$log_wide) - log(2) else at$log_q

# Of the chain of sample_imh(), where it has come to rest.
expected_acceptance <- function(log_w) {
  w <- sort(exp(log_w - max(log_w)))
  n <- length(w)
  # E w min(1, w' / w) / E w: of each pair the smaller weight
  sum(w * (2 * (n - seq_len(n)) + 1)) / (n * sum(w))
}

# Of each coordinate how far mean and standard deviation of the flow are from those of the target, in its standard
# deviations, with standard errors.
compared_moments <- function(x, w, v, labels) {
  w <- w / sum(w)
  v <- v / sum(v)
  rows <- lapply(seq_len(ncol(x)), function(j) {
    value <- x[, j]
    mean_w <- sum(w * value)
    mean_v <- sum(v * value)
    square_w <- (value - mean_w)^2
    square_v <- (value - mean_v)^2
    var_w <- sum(w * square_w)
    var_v <- sum(v * square_v)
    ratio_error <- sqrt(sum((v * (square_v / var_v - 1) - w * (square_w / var_w - 1))^2)) / 2
    data.frame(
      what = labels[j], mean = mean_w, sd = sqrt(var_w), mean_off = (mean_v - mean_w) / sqrt(var_w),
      mean_error = sqrt(sum((v * (value - mean_v) - w * (value - mean_w))^2)) / sqrt(var_w),
      sd_off = sqrt(var_v / var_w) - 1, sd_error = ratio_error
    )
  })
  do.call(rbind, rows)
}

moments_off <- function(moments) {
  told <- function(off, error, most, text) {
    bad <- which(!(abs(off) <= most & abs(off) + 2 * error <= TARGET_WRONG))
    if (length(bad)) sprintf(text, moments$what[bad], signif(off[bad], 2), signif(error[bad], 2))
  }
  c(
    told(moments$mean_off, moments$mean_error, TARGET_OFF[["mean"]],
      "%s: the mean of draws is off by %s standard deviations (standard error %s)."
    ),
    told(100 * moments$sd_off, 100 * moments$sd_error, 100 * TARGET_OFF[["sd"]],
      "%s: the standard deviation of draws is off by %s %% (standard error %s)."
    )
  )
}

target_doubts <- function(evidence, modes, rule) {
  k <- max(evidence$pareto_k)
  z <- evidence$log_z
  beyond <- z[["estimate"]] - z[["narrow"]]
  c(
    if (is.na(k) || k > rule$k_most) {
      sprintf("Pareto's k-hat of the weights is %s, above %s: they have no mean that so few draws could show.",
        format(round(k, 2)), format(round(rule$k_most, 2))
      )
    },
    if (evidence$ess[["wide"]] * rule$n < 400) {
      sprintf("%d draws tell as much as %d of the target would.", rule$n, floor(evidence$ess[["wide"]] * rule$n))
    },
    if (beyond > 0.1 + 3 * sqrt(z[["error"]]^2 + z[["narrow_error"]]^2)) {
      sprintf("Draws that go further out find %s of the target beyond the draws of the flow.",
        paste(format(signif(100 * -expm1(-beyond), 2)), "%")
      )
    },
    if (nrow(modes)) {
      sprintf("There is a mode that the flow does not draw, with about %s of what it draws.",
        paste(format(signif(100 * max(modes$share), 2)), "%")
      )
    }
  )
}

# Modes that no draw comes near: a data frame of coordinates of the base, with their `share` of the target beside what
# the flow draws, by the normal distribution of their curvature.
other_modes <- function(fit, target, log_z) {
  d <- fit$d
  none <- data.frame(share = numeric())
  if (!identical(fit$base, base_normal()) || !is.finite(log_z)) return(none)
  through <- target_through(fit, function(x, gradient) {
    x <- name_columns(x, fit$names)
    if (gradient) difference_gradient(target, x) else list(value = target_values(target(x), nrow(x)))
  })
  directions <- matrix(stats::rnorm(TARGET_CLIMBS * d), ncol = d)
  directions <- directions / sqrt(rowSums(directions^2))
  starts <- directions * (sqrt(d) + rep_len(c(3, 6, 12), TARGET_CLIMBS))
  value <- through(starts, FALSE)$value
  starts <- starts[is.finite(value), , drop = FALSE]
  shares <- lapply(seq_len(nrow(starts)), function(i) {
    found <- try(stats::optim(starts[i, ], function(z) -through(matrix(z, 1), FALSE)$value,
      function(z) -drop(through(matrix(z, 1), TRUE)$gradient), method = "BFGS", control = list(maxit = 60)
    ), silent = TRUE)
    if (inherits(found, "try-error") || !all(is.finite(found$par))) return(NULL)
    near <- sum(found$par^2) < (sqrt(d) + 4)^2
    if (near) return(NULL)
    root <- tryCatch(curvature_root(through, found$par, diag(d)), error = function(e) NULL)
    if (is.null(root)) return(NULL)
    exp(-found$value + d * log(2 * pi) / 2 + sum(log(diag(root))) - log_z)
  })
  shares <- unlist(shares)
  data.frame(share = shares[is.finite(shares) & shares > 0.01])
}

#' @rdname check_flow
#' @export
print.bijectr_target_check <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname check_flow
#' @export
format.bijectr_target_check <- function(x, ...) {
  width <- getOption("width")
  listed <- function(text) strwrap(text, initial = "  - ", prefix = "    ", width = width)
  said <- c(
    trust = "Draws of the flow can stand for the target.",
    resample = "Weighted draws can stand for the target: importance_sample(fit).",
    `do not trust` = "Neither draws nor weighted draws can stand for the target."
  )
  off <- function(values) format(signif(max(abs(values)), 2))
  c(
    strwrap(paste0("<check of a fit to a log density> ", x$description, "; ", format(x$draws, big.mark = ","), " draws"),
      width = width
    ),
    paste0("verdict: ", x$verdict), listed(said[[x$verdict]]), unlist(lapply(x$reasons, listed)),
    paste0("  log Z        ", format_nats(x$log_z[["estimate"]]), " (between ", format_nats(x$log_z[["lower"]]), " and ",
      format_nats(x$log_z[["upper"]]), ")"
    ),
    paste0("  moments      means off by ", off(x$moments$mean_off), " standard deviations, standard deviations by ",
      off(100 * x$moments$sd_off), " %"
    ),
    paste0("  weights      effective share ", format(signif(100 * x$ess[["flow"]], 3)), " %, Pareto k-hat ",
      paste(format(round(x$pareto_k, 2)), collapse = " and, further out, ")
    ),
    paste0("  acceptance   ", format(signif(100 * x$acceptance, 3)), " % of independence Metropolis-Hastings")
  )
}

# Whether a fit to a log density can be trusted, by draws of the flow and by draws that go further out (wide-draws.R),
# of density m: with w = p / m and v = q / m, E_w and E_v are expectations of the target and of the flow by the same
# draws, so that their differences have little noise; where the flow is too narrow, w knows it, which weights p / q of
# its own draws cannot. Modes that no draw comes near are looked for by climbing from points further out still.

TARGET_OFF <- c(mean = 0.04, sd = 0.04)
TARGET_WRONG <- 0.1
WEIGHTED_WRONG <- 0.08
# Bounds of log Z that are so far apart, in nats, speak of a target whose integral is infinite.
UNBOUNDED <- 100

check_target_fit <- function(fit, target, draws) {
  judge_fit(fit, target_with_gradient(target, "differences", fit$d, fit$names, ends = support_limits(fit)), draws)
}

# `target(x, gradient)` as training has it; `modes`: whether others are looked for.
judge_fit <- function(fit, target, draws, modes = TRUE) {
  rule <- list(n = draws, k_most = most_pareto_k(draws))
  evidence <- target_evidence(fit, target, draws)
  modes <- if (modes) other_modes(fit, target, evidence$log_z[["estimate"]])
  modes <- data.frame(share = vapply(modes, `[[`, 0, "share"))
  off <- c(moments_off(evidence$moments), light_tails(evidence))
  doubts <- target_doubts(evidence, modes, rule, length(off) > 0)
  verdict <- if (length(doubts)) "do not trust" else if (length(off)) "resample" else "trust"
  structure(c(
    list(verdict = verdict, reasons = c(doubts, off)), evidence,
    list(
      modes = modes, draws = draws, k_most = rule$k_most, description = format_coordinates(fit),
      learned = !is.null(fit$likelihood)
    )
  ), class = "bijectr_target_check")
}

# Draws by which models are judged on the way to a fit, at the least.
EARLY_DRAWS <- 2000

# Modes apart, which are looked for in their turn.
early_verdict <- function(fit, target) judge_fit(fit, target, EARLY_DRAWS, modes = FALSE)$verdict

# list(log_z, ess, pareto_k, acceptance, moments, lost)
target_evidence <- function(fit, target, n) {
  at <- weigh_wide_draws(fit, target, n)
  log_p <- at$log_p
  log_w <- at$log_w
  if (all(log_w == -Inf)) stop_arg("The target is -Inf at all {n} draws of the flow.")
  log_own <- ifelse(log_p == -Inf, -Inf, log_p - at$log_q)
  shares <- exp_shares(log_w)
  v <- exp(at$log_q - at$log_m)
  v[!is.finite(at$log_q)] <- 0
  all <- summarise_weights(log_w)
  own <- summarise_weights(log_own[at$own])
  list(
    log_z = c(
      lower = min(own$elbo, all$log_z), estimate = all$log_z,
      upper = max(sum((shares * log_own)[shares > 0]), all$log_z), error = all$log_z_se,
      narrow = own$log_z, narrow_error = own$log_z_se
    ),
    ess = c(flow = own$ess / sum(at$own), wide = all$ess / length(log_w)),
    pareto_k = c(flow = own$pareto_k, wide = all$pareto_k),
    acceptance = expected_acceptance(log_own[at$own]),
    moments = compared_moments(at$value, shares, v / sum(v), coordinate_labels(fit)),
    weighted = weighted_moments(at$value, shares, own_shares(log_own, at$own)),
    lost = mean(log_own[at$own] == -Inf)
  )
}

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
  rows <- lapply(seq_len(ncol(x)), function(j) {
    value <- ifelse(w + v > 0, x[, j], 0) # draws without a weight may be infinite
    at <- moments_apart(value, w, v)
    data.frame(
      what = labels[j], at[c("mean", "sd", "mean_off", "mean_error", "sd_off", "sd_error")],
      tail = weighted_tail(abs(value - at$mean), w)
    )
  })
  do.call(rbind, rows)
}

# Mean and standard deviation of values by weights w, and how far those by weights v of the same values are from them.
moments_apart <- function(value, w, v) {
  mean_w <- sum(w * value)
  mean_v <- sum(v * value)
  square_w <- (value - mean_w)^2
  square_v <- (value - mean_v)^2
  var_w <- sum(w * square_w)
  var_v <- sum(v * square_v)
  list(
    mean = mean_w, sd = sqrt(var_w), mean_off = (mean_v - mean_w) / sqrt(var_w),
    mean_error = sqrt(sum((v * (value - mean_v) - w * (value - mean_w))^2)) / sqrt(var_w),
    sd_off = sqrt(var_v / var_w) - 1,
    sd_error = sqrt(sum((v * (square_v / var_v - 1) - w * (square_w / var_w - 1))^2)) / 2
  )
}

# The shares of the flow's own draws when they are weighted, as importance_sample() does it; those of others are 0.
own_shares <- function(log_own, own) {
  shares <- numeric(length(own))
  if (any(log_own[own] > -Inf)) shares[own] <- exp_shares(smooth_weights(log_own[own]))
  shares
}

# Whether the flow's own draws, weighted, have the mean and the standard deviation of a coordinate that draws further
# out find (`w`, weights of all): by so much they are off, beyond three standard errors; 0 where this is chance.
weighted_moments <- function(x, w, u) {
  off <- apply(x, 2, function(value) {
    value[w + u == 0] <- 0
    at <- moments_apart(value, w, u)
    # where all weight is on one value there is no error, and that is no chance
    chance <- c(isTRUE(abs(at$mean_off) <= 3 * at$mean_error), isTRUE(abs(at$sd_off) <= 3 * at$sd_error))
    ifelse(chance, 0, c(at$mean_off, at$sd_off))
  })
  stats::setNames(apply(abs(off), 1, max), c("mean", "sd"))
}

# The shape of the tail of weighted values, Hill's estimate: a density that falls like the power -(1 + 1 / shape). With
# 1/2 and more there is no standard deviation, with 1 no mean.
TAIL_PART <- 0.02

weighted_tail <- function(x, w) {
  order <- order(x, decreasing = TRUE)
  far <- order[cumsum(w[order]) <= TAIL_PART]
  far <- far[w[far] > 0]
  if (length(far) < 20) return(NA_real_)
  sum(w[far] * log(x[far] / min(x[far]))) / sum(w[far])
}

moments_off <- function(moments) {
  told <- function(off, error, most, text, unit, heavy) {
    bad <- which(!(abs(off) <= most & abs(off) + 2 * error <= TARGET_WRONG))
    if (!length(bad)) return()
    none <- moments$tail[bad] >= heavy
    paste0(
      sprintf(text, moments$what[bad], signif(unit * off[bad], 2), signif(unit * error[bad], 2)),
      ifelse(is.na(none) | !none, "", " By its tails the target may have none: quantiles are what can be compared.")
    )
  }
  c(
    told(moments$mean_off, moments$mean_error, TARGET_OFF[["mean"]],
      "%s: the mean of draws is off by %s standard deviations (standard error %s).", 1, 1
    ),
    told(moments$sd_off, moments$sd_error, TARGET_OFF[["sd"]],
      "%s: the standard deviation of draws is off by %s %% (standard error %s).", 100, 1 / 2
    )
  )
}

# Weights p / q without a variance: what draws of the flow have too little of is where few are, also of those that go
# further out. Where nearly all draws are effective it is next to nothing.
LIGHT_TAILS <- 1 / 2
LIGHT_MATTERS <- 0.9

light_tails <- function(evidence) {
  k <- evidence$pareto_k[["flow"]]
  if (isTRUE(k <= LIGHT_TAILS) || evidence$ess[["flow"]] > LIGHT_MATTERS) return()
  sprintf(
    "Pareto's k-hat of the weights of draws is %s, above 1/2: the tails of the flow are lighter than the target's.",
    format(round(k, 2))
  )
}

# Coordinates whose draws are infinite, or all the same to the precision of numbers.
no_spread <- function(moments) {
  numbers <- is.finite(moments$mean) & is.finite(moments$sd_off) & is.finite(moments$mean_off)
  moments$what[!(numbers & moments$sd > 1e3 * .Machine$double.eps * abs(moments$mean))]
}

# `off`: whether draws have to be weighted, those of the flow alone.
target_doubts <- function(evidence, modes, rule, off) {
  k <- evidence$pareto_k[["wide"]]
  own <- evidence$pareto_k[["flow"]]
  z <- evidence$log_z
  beyond <- z[["estimate"]] - z[["narrow"]]
  numb <- no_spread(evidence$moments)
  c(
    if (length(numb)) {
      sprintf("%s: draws have no finite mean and standard deviation that numbers of this size could show; the target may
        not be a proper density.", numb[1])
    },
    if (is.na(k) || k > rule$k_most) {
      sprintf("Pareto's k-hat of the weights is %s, above %s: they have no mean that so few draws could show.",
        format(round(k, 2)), format(round(rule$k_most, 2))
      )
    },
    if (off && isTRUE(own > rule$k_most)) {
      sprintf("Draws would have to be weighted, but Pareto's k-hat of their weights is %s, above %s.",
        format(round(own, 2)), format(round(rule$k_most, 2))
      )
    },
    if (off && isTRUE(max(evidence$weighted) > WEIGHTED_WRONG)) {
      sprintf("Weighted draws of the flow are off, too: %s, as draws that go further out find it.",
        paste(c("a mean by", "a standard deviation by"), signif(c(1, 100) * evidence$weighted, 2),
          c("standard deviations", "%"))[which.max(evidence$weighted)]
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
    if (isTRUE(z[["upper"]] - z[["lower"]] > UNBOUNDED)) {
      paste(
        "The bounds of log Z are far apart: it may be infinite, if the target is not a proper density, or not the",
        "logarithm of one."
      )
    },
    if (nrow(modes)) {
      sprintf("There is a mode that the flow does not draw, with about %s of what it draws.",
        paste(format(signif(100 * max(modes$share), 2)), "%")
      )
    }
  )
}

#' @rdname check_flow
#' @export
print.bijectr_target_check <- print.bijectr_check

#' @rdname check_flow
#' @export
format.bijectr_target_check <- function(x, ...) {
  width <- getOption("width")
  said <- c(
    trust = "Draws of the flow can stand for the target.",
    resample = "Weighted draws can stand for the target: importance_sample(fit).",
    `do not trust` = "Neither draws nor weighted draws can stand for the target."
  )
  off <- function(values) format(signif(max(abs(values)), 2))
  z <- vapply(x$log_z, format_nats, "")
  draws <- format(x$draws, big.mark = ",")
  c(
    strwrap(paste0("<check of a fit to a log density> ", x$description, "; ", draws, " draws"), width = width),
    paste0("verdict: ", x$verdict), listed(said[[x$verdict]]), unlist(lapply(x$reasons, listed)),
    listed(if (isTRUE(x$learned)) {
      "The target is the posterior by the likelihood as it was learned: how well that was, check_flow(fit$likelihood,
       data, condition = theta) says of new simulations. Its errors add up over the rows of `observed`."
    }),
    listed(if (x$verdict == "do not trust") {
      "What may help: ?check_flow, in its section on fits to a log density."
    } else {
      "Other modes were looked for and not found, which does not prove that there are none."
    }),
    paste0("  log Z        ", z[["estimate"]], " (between ", z[["lower"]], " and ", z[["upper"]], ")"),
    paste0("  moments      means off by ", off(x$moments$mean_off), " standard deviations, standard deviations by ",
      off(100 * x$moments$sd_off), " %"
    ),
    paste0("  weights      effective share ", format(signif(100 * x$ess[["flow"]], 3)), " %, Pareto k-hat ",
      paste(format(round(x$pareto_k, 2)), collapse = " and, further out, ")
    ),
    paste0("  acceptance   ", format(signif(100 * x$acceptance, 3)), " % of independence Metropolis-Hastings")
  )
}

# What a stack is made of: kinds of members, each a way from rows of a problem (problem.R) to one or several flows. A
# kind is a row of member_kinds(): list(
#   label        in words
#   conditional  whether it can be given conditions
#   trained      whether it is a flow that is trained, on some of the rows with others for validation; else it is fitted
#                to all rows at once, and anew when the stack is made
#   sizes        what it may have more or less of, as components of a mixture: a list, in the order in which they are
#                tried, or a function of the problem that gives one, empty where the kind has nothing to go by; the best
#                by held-out rows is taken; `group` tells those of one search from others
#   decay        of a trained flow: its decoupled weight decay, times the number of rows
#   rows         c(least, most) of the training rows for which it is worth its time
#   of           what rows it can be fitted to: "points", numbers with a density; "whole" numbers; "levels", the codes
#                of factors; censored "times". Those of levels are over a few values, problem$values, see categories.R
#   fit          function(problem, rows, size): a list of flows, which count alike, or by an attribute `shares` with the
#                sum 1; `rows` is list(train, validation)
# )

member_kinds <- function() {
  closed <- function(label, fit, conditional = FALSE, sizes = list(NULL), rows = c(2, Inf), of = c("points", "whole")) {
    list(label = label, conditional = conditional, trained = FALSE, sizes = sizes, rows = rows, fit = fit, of = of)
  }
  times <- function(label, shape) {
    fit <- function(problem, rows, size) times_member(problem, rows, shape, size)
    closed(label, fit, TRUE, lapply(TIMES_PENALTIES, function(penalty) list(penalty = penalty)), of = "times")
  }
  of_counts <- function(label, inflated) {
    fit <- function(problem, rows, size) counts_member(problem, rows, inflated, size)
    closed(label, fit, TRUE, counts_sizes, rows = c(8, Inf), of = "whole")
  }
  over_values <- function(label, fit, sizes = list(NULL), rows = c(2, Inf)) {
    closed(label, fit, TRUE, sizes, rows, c("whole", "levels"))
  }
  mixture <- function(label, shape) {
    fit <- function(problem, rows, size) mixture_member(problem, rows, shape, size)
    closed(label, fit, sizes = mixture_sizes(), rows = c(8, Inf))
  }
  trained <- function(label, fit, decay) {
    list(
      label = label, conditional = TRUE, trained = TRUE, sizes = list(NULL), rows = c(12, Inf), fit = fit,
      decay = decay, of = c("points", "whole", "times")
    )
  }
  list(
    normal = closed("normal", normal_member, TRUE),
    shrunk = closed("normal with a prior", shrunk_member),
    student_t = closed("multivariate t", function(problem, rows, size) student_member(problem, rows, 0), TRUE),
    shrunk_t = closed("multivariate t with a prior", function(problem, rows, size) student_member(problem, rows, 1)),
    shared = mixture("normal mixture (one covariance)", "shared"),
    full = mixture("normal mixture", "full"),
    diagonal = mixture("normal mixture (diagonal)", "diagonal"),
    kernel = closed("kernel", kernel_member, rows = c(8, 1200)),
    spline = trained("spline flow", function(problem, rows, size) {
      spline_member(problem, rows, base_normal())
    }, SPLINE_DECAY),
    spline_t = trained("spline flow on t", function(problem, rows, size) {
      spline_member(problem, rows, base_student_t(5))
    }, SPLINE_DECAY),
    affine_t = trained("affine flow on t", function(problem, rows, size) {
      layers <- affine_layers(problem$d, problem$d_condition, problem$levels)
      trained_member(problem, rows, layers, base_student_t(4, trainable = is.null(problem$observed)))
    }, decay = 0),
    cells = closed("normal by cell", cells_member, TRUE, function(problem) problem$cells, of = "points"),
    nearby = closed("rows nearby", nearby_member, TRUE, nearby_sizes, c(20, NEARBY_ROWS), "points"),
    beyond = closed("beyond the supports found", beyond_member, TRUE),
    weibull = times("Weibull", "minimum"),
    lognormal = times("lognormal", "normal"),
    loglogistic = times("log-logistic", "logistic"),
    negative_binomial = of_counts("negative binomial", FALSE),
    zero_inflated = of_counts("zero-inflated negative binomial", TRUE),
    frequencies = over_values("frequencies", frequencies_member),
    linear = over_values("multinomial regression", linear_member, linear_sizes(), rows = c(8, Inf)),
    local = over_values("levels of rows nearby", local_member, local_sizes(), rows = c(8, Inf))
  )
}

# Components and strength of the prior, weaker ones last.
MIXTURE_COMPONENTS <- c(2L, 3L, 4L, 6L, 9L, 14L, 20L, 30L)
MIXTURE_STRENGTHS <- c(1, 0.1, 0.01)

mixture_sizes <- function() {
  sizes <- expand.grid(components = MIXTURE_COMPONENTS, strength = MIXTURE_STRENGTHS)
  sizes$group <- sizes$strength
  lapply(seq_len(nrow(sizes)), function(i) as.list(sizes[i, ]))
}

# ---- closed forms ----------------------------------------------------------------------------------------------------

# Of maximum likelihood; given conditions what linear regression predicts, a t distribution: its spread is unknown too.
normal_member <- function(problem, rows, size) {
  at <- closed_rows(problem, rows)
  w <- at$w %||% rep(1, nrow(at$z))
  n <- effective_rows(length(w), w)
  x <- if (is.null(at$given)) matrix(1, nrow(at$z), 1) else with_intercept(at$given)
  found <- weighted_regression(x, at$z, w)
  free <- n - ncol(x)
  spread <- triangle_of_spread(found$residual, w, ncol(x)) %||% ridged_triangle(found$residual, w)
  mean <- found$coefficient[1, ]
  if (is.null(at$given)) {
    return(list(closed_flow(problem, base_mvnormal(), raw_mvnormal(mean, t(spread) * sqrt(n / max(free, 1))))))
  }
  df <- max(free - problem$d + 1, 1)
  raw <- raw_mvstudent_t(mean, t(spread) * sqrt(n / df), df)
  list(closed_flow(problem, base_mvstudent_t(), raw, found$coefficient[-1, , drop = FALSE]))
}

shrunk_member <- function(problem, rows, size) {
  at <- closed_rows(problem, rows)
  found <- fit_predictive_normal(at$z, at$w)
  list(closed_flow(problem, base_mvstudent_t(), raw_mvstudent_t(found$mean, found$root, found$df)))
}

# Of the columns as they are, for what lies outside of a support that was only found.
beyond_member <- function(problem, rows, size) {
  problem$line <- problem$told_line
  if (problem$d_condition > 0) normal_member(problem, rows, size) else shrunk_member(problem, rows, size)
}

student_member <- function(problem, rows, prior) {
  at <- closed_rows(problem, rows)
  if (is.null(at$given)) {
    found <- fit_student_t(at$z, at$w, prior)
    return(list(closed_flow(problem, base_mvstudent_t(), raw_mvstudent_t(found$mean, found$root, found$df))))
  }
  found <- fit_student_t(at$z, at$w, prior, with_intercept(at$given))
  raw <- raw_mvstudent_t(found$coefficient[1, ], found$root, found$df)
  list(closed_flow(problem, base_mvstudent_t(), raw, found$coefficient[-1, , drop = FALSE]))
}

mixture_member <- function(problem, rows, shape, size) {
  at <- closed_rows(problem, rows, MIXTURE_ROWS)
  if (nrow(at$z) < 3 * size$components) return(NULL)
  found <- fit_normal_mixture(at$z, size$components, shape, size$strength, at$w)
  base <- base_gaussian_mixture(size$components)
  list(closed_flow(problem, base, raw_gaussian_mixture(found$weight, found$mean, found$roots)))
}

MIXTURE_ROWS <- 10000

# A mixture of kernels at the rows, in flows of as many as a base takes.
kernel_member <- function(problem, rows, size) {
  at <- closed_rows(problem, rows)
  width <- fit_kernel_widths(at$z, at$w)
  n <- nrow(at$z)
  w <- at$w %||% rep(1, n)
  pieces <- split(seq_len(n), rep_len(seq_len(ceiling(n / 250)), n))
  flows <- lapply(pieces, function(i) {
    k <- length(i)
    raw <- c(log(pmax(w[i], 1e-300)), at$z[i, ], rep(inverse_softplus(width), each = k))
    closed_flow(problem, base_mixture(k), raw)
  })
  structure(flows, shares = vapply(pieces, function(i) sum(w[i]), 0) / sum(w))
}

# ---- flows -----------------------------------------------------------------------------------------------------------

spline_member <- function(problem, rows, base) {
  layers <- default_layers(length(rows$train), problem$d, problem$d_condition, problem$levels)
  trained_member(problem, rows, layers, base)
}

trained_member <- function(problem, rows, layers, base) {
  problem$layers <- layers
  list(train_on(problem, rows, base))
}

# The flow of a problem, trained on some rows of it. The stack has the blueprint.
train_on <- function(problem, rows, base) {
  problem$rows <- rows
  control <- member_control(problem, rows)
  built <- build_flow(problem, base)
  setup <- flow_setup(problem, built, control, loss_maximum_likelihood())
  state <- new_state(built$flow, control)
  setup$seed <- state$seed
  run <- run_training(built$flow, setup, state, control, progress = FALSE, snapshot = NULL)
  if (inherits(run$condition, "condition")) stop(run$condition)
  if (run$status == "time_limit") signalCondition(structure(class = c("bijectr_late", "condition"), list()))
  flow <- built$flow
  flow["params"] <- list(if (is.finite(run$state$counters[["best_loss"]])) run$state$best else run$state$theta)
  flow[names(problem$plan)] <- list(NULL)
  flow
}

# Raw parameters are drawn to 0, as a prior does: the more, the fewer rows speak against it. There a flow is its base,
# but for one column without conditions, where slopes are then a little above 1. Affine flows are left as they are:
# they have little freedom as it is.
SPLINE_DECAY <- 240
DECAY_MOST <- 2

# From so many rows on there are fewer flows of a kind.
MANY_ROWS <- 5000

member_control <- function(problem, rows) {
  default <- default_control(length(rows$train), problem$d)
  default$batch_size <- even_batches(length(rows$train))
  # the mean of several joint densities needs no perfect ones; what conditions say can be very sharp
  if (problem$d_condition > 0) {
    default$steps <- default$steps * 3L %/% 2L
    default$learning_rate <- 2 * default$learning_rate
  } else if (problem$n < MANY_ROWS) {
    default$steps <- default$steps %/% 2L
  }
  default$validate_every <- default$steps %/% 100L
  n <- effective_number(rows$train, problem$weights)
  decay <- min(DECAY_MOST, (problem$decay %||% 0) / n)
  if (decay > 0) default$optimizer <- opt_adamw(decay)
  make_control(NULL, default, c(problem$control, list(validation = rows$validation)))
}

#' Can a fit be trusted?
#'
#' Compares a flow or a fit with rows of data, best with rows that it has never seen, and says in words what speaks
#' against it. What is looked at: whether the density integrates to one, whether the map and its derivative are what
#' they should be, whether the rows lie where the draws lie (each column, each latent coordinate, their dependence,
#' their dependence on the conditions, the log density), whether draws and rows are the same cloud, and whether their
#' tails agree.
#'
#' @section What is compared: For every column, the log density and (of single flows) every latent coordinate, a row's
#'   place among the draws given its conditions is a number between 0 and 1, for one coordinate `pflow()`. For a
#'   good fit these are uniform. Means of their first six Legendre polynomials say in what they are not: the first is
#'   location, the second spread, the others shape (Neyman's smooth test). Products of the first two, of pairs of
#'   columns, and of columns and conditions, tell of dependence that was missed. The place of the log density is that of
#'   regions of highest density (Hyndman 1996): overfitted flows have rows of lower density than draws. Clouds are
#'   compared by the energy distance (Szekely and Rizzo 2013) of normal scores of at most 300 rows and as many draws,
#'   with 999 permutations, or up to 19,999 for a low `level`; tails by the numbers of rows beyond the points where 1, 3
#'   and 10 are expected, and by the furthest row.
#'
#' @section The verdict: A fit to m rows cannot be nearer to the truth than the m rows are. So the rows are asked to
#'   agree with the draws as well as they would with m further rows, and deviations up to `tolerance`, of the log
#'   density four times that, are forgiven. All comparisons together say "do not trust" of a fit that is in order with a
#'   probability of `level` or less. Few rows see little: `print()` says which errors would have been noticed.
#'
#'   Besides, "do not trust" is said of draws or log densities that are not numbers, of rows where the density is 0, of
#'   a density of one or two coordinates that integrates to something else than 1, of a map whose inverse or
#'   derivative is not right, and of draws that lie further out than the tails of the data can explain.
#'
#' @section Rows of the fit: Where `data` are those that the fit was made from, which is known by their digest, its
#'   held-out rows are looked at, if they are 10 or more; otherwise all, with a note, as rows that were trained on
#'   flatter a fit. Fits of which no map from base to data is to be had, stacks and fits with `na = "model"`, are looked
#'   at without latent coordinates, round trip and derivative, which the notes say.
#' @param fit A flow or a fit of any kind, with conditions or without.
#' @param data Rows to compare it with, in the form that [logdensity()] takes. Rows with missing values are left out,
#'   but for fits with `na = "model"`. At least 5 rows; of more than 5000 (with conditions, 1000) so many are drawn.
#' @param condition Values of the conditioning variables of `data`: one row for all, or one row each. Of fits by
#'   formula they may be columns of `data`.
#' @param weights Case weights of `data`. A row is looked at with a probability in proportion to its weight, so that
#'   what is compared is the weighted distribution.
#' @param draws Number of draws without conditions; with conditions about five times as many, 20 to 1000 a row.
#' @param tolerance Deviations that are called small: of the mean of a polynomial of variance 1. With 0.03, a shift by
#'   three hundredths of a standard deviation or a spread that is off by two per cent is forgiven.
#' @param level Probability of a false alarm, for all comparisons together.
#' @param target Of fits to a log density, without `data`: that log density; by default the one that the call of the fit
#'   names.
#' @param ... Not used.
#' @section Fits to a log density: Without `data` the fit is compared with its target, by draws of which half go further
#'   out than those of the flow, so that a flow that is too narrow is seen, which weights of its own draws cannot tell;
#'   in up to ten coordinates a fifth of them lie about the draws that are furthest from others, so that a ridge which
#'   bends is followed beyond the ends of the flow; and modes that no draw comes near are looked for by climbing from
#'   points further out. `"trust"` is said where means and standard deviations of the draws are right to 4 per cent (of
#'   a standard deviation, and surely to 10), and the tails of the flow are no lighter than the target's, Pareto's k-hat
#'   of the weights of its draws 1/2 or less, or more than 90 per cent of them effective; `"resample"` where this is not
#'   so, but weighted draws, see [importance_sample()], can stand for the target; and
#'   `"do not trust"` where Pareto's k-hat of the weights is above `min(1 - 1 / log10(draws), 0.7)` (Vehtari et al.
#'   2024), the draws tell as much as fewer than 400 of the target, the target has mass where the flow does not draw,
#'   weighted draws are off by more than 8 per cent of a standard deviation, too, as those that go further out find it,
#'   or another mode was found. Looking from some points does not find each mode: nothing does; in two coordinates one
#'   that is a third as wide is found 100 standard deviations away, in ten only where it lies near an axis, or is wider.
#'
#'   Where the verdict is `"do not trust"`: other parameters, such as effects in units of their standard deviation for a
#'   hierarchical model (non-centered), logarithms of positive ones, or `support`; nothing told but these, so that the
#'   fit can go through all its stages; for long tails `base = base_student_t(df = )`; further `steps`, [resume()];
#'   `anneal`, for modes; and where it is for weights alone, chains of [sample_imh()], whose acceptance is printed. Two
#'   fits with other seeds whose log Z differ by more than their errors are both not to be trusted.
#' @return An object of class `bijectr_check`, a list:
#'   * `verdict`: `"trust"` or `"do not trust"`;
#'   * `reasons`: what speaks against the fit, with what to do, one string each; `notes`: what was left out and why;
#'   * `rows`: a list of `n`, the number of rows looked at, `of`, the number given, `used` (`"given"`, `"held out"` or
#'     `"training"`), and `train`, the number of rows that the fit was made from (`Inf` for a flow without data), of a
#'     fit with weights the number of equal ones that tell as much, `sum(w)^2 / sum(w^2)`;
#'   * `draws`: the number of draws;
#'   * `density`: mean log density of the rows and of draws, in nats: their difference is 0 for a good fit;
#'   * `uniformity`: a data frame with one row a comparison: `what` was looked at, in which `aspect`, the `effect`
#'     (mean of the polynomial, of variance 1), its `error` and `p`, the probability of so large a deviation, corrected
#'     for the number of comparisons;
#'   * `ranks`: a matrix of the places, one row a row that was looked at;
#'   * `energy`: a list of `distance`, `p` (corrected) and `rows`;
#'   * `tails`: a data frame with two rows a column, the `low` and the `high` end: the most extreme value of the data,
#'     the `median` and the range (`from`, `to`, 99 per cent) of the most extreme value of as many draws, the
#'     probability `chance` that it is as far out as that of the data, the most extreme of all draws (`furthest`), and
#'     `p`, corrected; in numbers that stand for the classes of the columns;
#'   * `integral`: a data frame of the `value` and its numerical `error`, with conditions for up to three rows of them;
#'     `NULL` for more than two coordinates;
#'   * `map`: `round_trip`, the largest error of `forward(inverse(x))` in units of the spread of a column, and
#'     `jacobian`, the largest difference of the log determinant from that of central differences; `NULL` where there is
#'     no map;
#'   * `level`, `tolerance`, `description`, `labels`.
#'
#'   Of a fit to a log density, without `data`, one of class `bijectr_target_check`, a list:
#'   * `verdict`: `"trust"`, `"resample"` or `"do not trust"`; `reasons`: why not `"trust"`;
#'   * `log_z`: a vector of `lower` and `upper`, bounds of \eqn{\log \int p}{log integral of p} (the ELBO, and its
#'     like under the target), the `estimate` with its `error`, and that by draws of the flow alone (`narrow`,
#'     `narrow_error`);
#'   * `ess`, `pareto_k`: effective share of the draws, and k-hat, of the `flow` and of the `wide` draws; `acceptance`:
#'     of [sample_imh()];
#'   * `moments`: a data frame with a row a coordinate: `mean` and `sd` of the target by weighted draws, and how far the
#'     flow's are off, `mean_off` (in units of `sd`) and `sd_off` (as a share), with standard errors, and `tail`, the
#'     shape of the outermost 2 per cent of the target about its mean by Hill's estimate: where it is 1/2 or more there
#'     may be no standard deviation, where it is 1 or more no mean, and a reason that names them says so;
#'   * `lost`: the share of draws at which the target is `-Inf`; `modes`: other modes, with their `share`; `draws`,
#'     `k_most`, `description`.
#' @references Neyman (1937), *Smooth test for goodness of fit*, \doi{10.1080/03461238.1937.10404821}.
#'
#'   Hyndman (1996), *Computing and graphing highest density regions*, \doi{10.1080/00031305.1996.10474359}.
#'
#'   Szekely and Rizzo (2013), *Energy statistics: a class of statistics based on distances*,
#'   \doi{10.1016/j.jspi.2013.03.018}.
#' @seealso [compare_flows()], [flow_cv()], [summary.bijectr_fit()]; [sbc()] of posteriors of simulators
#' @family checking
#' @examples
#' set.seed(1)
#' rows <- sample(272, 200)
#' fit <- fit_flow(faithful[rows, ], members = 1, steps = 300)
#' check <- check_flow(fit, faithful[-rows, ])
#' check
#' plot(check)
#'
#' # a normal distribution for the same rows
#' normal <- fit_flow(faithful[rows, ], layer_elementwise(scalar_affine()), steps = 100)
#' check_flow(normal, faithful[-rows, ])$reasons
#' @export
check_flow <- function(fit, data, condition = NULL, weights = NULL, draws = 20000, tolerance = 0.03, level = 0.02,
                       target = NULL, ...) {
  check_unused(...)
  check_given("fit")
  draws <- check_count(draws, "draws", min = 100)
  if (missing(data) && inherits(fit, "bijectr_target_fit")) {
    check_fit(fit)
    return(check_target_fit(fit, find_target(fit, target, parent.frame()), draws))
  }
  if (missing(data) && inherits(fit, "bijectr_rounds_fit")) {
    stop_arg(c(
      "{.arg data} is missing.",
      i = "Posteriors of simulators are checked by {.fn sbc}, {.fn expected_coverage} and
           {.fn posterior_predictive}."
    ))
  }
  if (!inherits(fit, "bijectr_flow") && !is_gaps_fit(fit)) {
    stop_arg("{.arg fit} must be a flow or a fit, not {.obj_type_friendly {fit}}.")
  }
  check_given("data")
  tolerance <- check_number(tolerance, "tolerance", min = 0, below = 1)
  level <- check_number(level, "level", above = 0, below = 1)
  subject <- check_subject(fit, data, condition, weights)
  places <- look_at_places(subject, draws)
  found <- list(
    uniformity = uniformity(places, subject, tolerance),
    energy = energy_distance(places, subject, tolerance, level),
    tails = look_at_tails(places, subject),
    integral = density_integrals(subject, places),
    map = if (subject$single) look_at_map(subject, places)
  )
  reasons <- c(
    broken_reasons(places, subject), integral_reasons(found$integral), map_reasons(found$map),
    disagreements(found, places, subject, level), explosion_reasons(places, subject)
  )
  structure(
    c(
      list(verdict = if (length(reasons)) "do not trust" else "trust", reasons = reasons,
        notes = c(
          subject$notes, if (!subject$single && !subject$gappy && length(reasons)) STACK_CURE,
          attr(found$integral, "note"), found$map$note, energy_note(level)
        )
      ),
      list(
        rows = list(n = n_rows(subject$x), of = subject$of, used = subject$used, train = subject$train),
        draws = places$total,
        density = c(rows = mean(places$log_density), draws = mean_finite(places$draws_log_density))
      ),
      found["uniformity"], list(ranks = places$ranks), found[c("energy", "tails", "integral", "map")],
      list(
        level = level, tolerance = tolerance, description = format_coordinates(fit), labels = coordinate_labels(fit)
      )
    ),
    class = "bijectr_check"
  )
}

STACK_CURE <- paste(
  "What the reasons name, in a stack: print(fit) has its members; members = stack_members(kinds) leaves out those on t",
  "distributions, whose tails are long, or takes others. Settings of training need members = beside them, else they",
  "fit a single flow."
)

mean_finite <- function(x) mean(x[is.finite(x)])

# What rows and draws disagree in, each thing once: a column in the wrong place has other tails and densities, too.
disagreements <- function(found, places, subject, level) {
  told <- uniformity_reasons(found$uniformity, level, subject)
  c(
    told, if (is.null(told)) energy_reasons(found$energy, level),
    tail_reasons(found$tails[!(found$tails$what %in% c(names(told), if (length(told)) "log density")), ], subject,
      level
    )
  )
}

# ---- what cannot be right, whatever the level ------------------------------------------------------------------------

# Rows outside of the supports of a fit, in a stack also of those that are not impossible there.
rows_beyond_supports <- function(subject) {
  supports <- if (subject$lebesgue || is_whole(subject$flow)) flow_supports(subject$flow)
  outside <- Map(function(support, j) {
    x <- column(subject$x, j)
    x <= support$lower | x >= support$upper
  }, supports, seq_along(supports))
  sum(Reduce(`|`, outside, FALSE))
}

broken_reasons <- function(places, subject) {
  n <- length(places$log_density)
  nan <- sum(is.na(places$log_density))
  zero <- sum(places$log_density == -Inf, na.rm = TRUE)
  lost <- places$broken
  beyond <- rows_beyond_supports(subject) - zero
  c(
    if (lost > 0) {
      paste0(
        lost, " of ", places$total, " draws or their log densities are not finite numbers: parameters are too large. ",
        "Fit again with a lower learning_rate or with clip."
      )
    },
    if (nan > 0) {
      paste0("The log density of ", nan, " of ", n, " rows is not a number: parameters are too large for doubles. ",
        "Fit again with a lower learning_rate or with clip."
      )
    },
    if (zero > 0) {
      paste0(
        zero, " of ", n, " rows have density 0: they lie outside of the support of the fit. ",
        "Look whether they are in the units of its data; else give the support that the column has (support =)."
      )
    },
    if (beyond > 0) {
      paste0(
        beyond, " of ", n, " rows lie outside of the support that the fit has found in its data. Look whether they ",
        "are in the units of these; else give the support that the column has (support =)."
      )
    },
    if (!is.null(places$no_inverse)) {
      paste0(
        "The inverse cannot be computed at the rows: ", places$no_inverse, " Use layers with an exact inverse, or fit ",
        "again with smaller parameters (weight decay, clip)."
      )
    }
  )
}

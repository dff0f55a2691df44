# What R knows of base distributions beyond their specifications.

# The distribution and the quantile function, list(cdf, quantile), of a base of one coordinate with the raw parameters
# `raw`, as params() names them. Both take `lower.tail` and `log.p`. Every kind has a method, in its own file.
base_distribution <- function(base, raw) UseMethod("base_distribution")

#' @export
base_distribution.default <- function(base, raw) {
  stop_arg("A flow on {.fn base_{base$kind}} has no distribution function here.")
}

# `condition` has a row for each of `z`, or of `p`.
base_cdf <- function(flow, z, condition, ...) base_distribution(flow$base, base_raw(flow, condition))$cdf(z, ...)

base_quantile <- function(flow, p, condition, ...) {
  base_distribution(flow$base, base_raw(flow, condition))$quantile(p, ...)
}

# Raw parameters of the base of a flow, as params() names them; those that are given by a net of the conditions have a
# row for each of theirs.
base_raw <- function(flow, condition) {
  raw <- base_params(flow)
  if (!has_base_net(flow)) return(raw)
  c(raw[names(raw) != "net"], given_raw(flow$base, native_given(flow, condition)))
}

has_base_net <- function(flow) !is.null(flow$base$net) && flow$d_condition > 0

# The outputs of a base's net, a row each, by the names of the parameters that they stand for; of one coordinate.
given_raw <- function(base, given) UseMethod("given_raw")

#' @export
given_raw.default <- function(base, given) list(loc = given[, 1], scale = given[, 2])

new_located <- function(kind, trainable, net, loc, scale) {
  new_spec("base", kind,
    trainable = check_flag(trainable, "trainable"), net = check_base_net(net), loc = check_loc(loc),
    scale = check_scale(scale)
  )
}

# NULL for those of the standard distribution.
check_loc <- function(loc) {
  if (!is.numeric(loc) || !length(loc) || !all(is.finite(loc))) {
    stop_arg("{.arg loc} must be finite numbers, one or one a coordinate, not {describe(loc)}.")
  }
  if (length(loc) > 1 || loc != 0) as.double(loc)
}

check_scale <- function(scale) {
  if (!is.numeric(scale) || !length(scale) || !all(scale > 1e-100 & scale < 1e100 & !is.na(scale))) {
    stop_arg("{.arg scale} must be positive numbers, one or one a coordinate, not {describe(scale)}.")
  }
  if (length(scale) > 1 || scale != 1) as.double(scale)
}

check_base_net <- function(net) if (is.null(net)) NULL else check_family(net, "net", "net")

# Whether the points of a base are codes, which no layer can stand before.
is_discrete <- function(base) UseMethod("is_discrete")

#' @export
is_discrete.default <- function(base) FALSE

check_discrete <- function(base, layers, d) {
  if (!is_discrete(base)) return(invisible())
  if (d != 1) stop_arg("{.arg base} is {.fn base_{base$kind}}, which is of one coordinate, not of {d}.")
  if (length(layers)) {
    stop_arg(c(
      "{.arg base} is {.fn base_{base$kind}}, whose points are codes of levels: there can be no layers before it.",
      i = "{.code layers = list()} has none."
    ))
  }
}

# Distribution and quantile function of loc + scale U from those of U. Location and scale may be one for each point, or
# are those of the base.
located <- function(base, raw, cdf, quantile) {
  loc <- raw$loc %||% base$loc %||% 0
  scale <- if (is.null(raw$scale)) base$scale %||% 1 else softplus(raw$scale)
  list(
    cdf = function(z, ...) cdf((z - loc) / scale, ...),
    quantile = function(p, ...) loc + scale * quantile(p, ...)
  )
}

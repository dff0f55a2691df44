# Reference vectors: files of cases that other libraries computed in double precision, or that were computed with many
# digits. A case names a map (`hyper`), its raw parameters, inputs and outputs. Here a case becomes one of our flows.
#
# A model is list(flow, parts, base). A part is list(layer, values): one layer, and a function (p, other) that turns the
# case's parameters into a nested list as in params(flow)$layers[[i]]. The function only moves numbers, so it turns the
# case's gradients as well; `other` is what it puts where the case has no number (0 in parameters, NA in gradients,
# which are then not compared). Names lose their ending "_raw" and a kind that is not built yet is pending.

# Environment variable BIJECTR_VECTORS, else the full set beside the project, else the small set that is shipped.
vectors_folder <- function() {
  given <- Sys.getenv("BIJECTR_VECTORS")
  if (nzchar(given)) return(given)
  up <- normalizePath(".")
  for (i in 1:8) {
    up <- dirname(up)
    folder <- file.path(up, "shared", "reference", "vectors")
    if (dir.exists(folder)) return(folder)
  }
  testthat::test_path("fixtures", "vectors")
}

read_vectors <- function(file) {
  jsonlite::fromJSON(file, simplifyVector = TRUE, simplifyDataFrame = FALSE, simplifyMatrix = TRUE)
}

# A constructor of the package; where it is missing the case is pending.
need <- function(name) {
  if (!exists(name, envir = asNamespace("bijectr"), inherits = FALSE)) {
    stop(structure(list(message = name, call = NULL), class = c("vectors_pending", "error", "condition")))
  }
  get(name, envir = asNamespace("bijectr"))
}

is_none <- function(x) is.null(x) || (is.list(x) && length(x) == 0)
plain_names <- function(p) stats::setNames(p, sub("_raw$", "", names(p)))
new_part <- function(layer, values = function(p, other) plain_names(p)) list(list(layer = layer, values = values))

# Parts that read their parameters from one element of the case's.
parts_at <- function(parts, pick) {
  lapply(parts, function(part) list(layer = part$layer, values = function(p, other) part$values(pick(p), other)))
}

# ---- scalars -------------------------------------------------------------------------------------------------------

vector_scalars <- list(
  affine = function(h) need("scalar_affine")(min_scale = h$min_scale),
  loc = function(h) need("scalar_affine")(scale = "exp"),
  scale = function(h) need("scalar_affine")(min_scale = h$min_scale),
  rq_spline = function(h) {
    need("scalar_rq_spline")(h$knots, h$interval, h$min_width, h$min_slope, boundary = h$boundary_slopes)
  },
  leaky_tanh = function(h) need("scalar_leaky_tanh")(h$max_val),
  tanh = function(h) need("scalar_tanh")(),
  sigmoid = function(h) need("scalar_sigmoid")(),
  exp = function(h) need("scalar_exp")(),
  softplus = function(h) need("scalar_softplus")(),
  power = function(h) need("scalar_power")(h$exponent),
  tanh_plus_linear = function(h) need("scalar_tanh_plus_linear")(h$min_grad),
  cubic_rational = function(h) need("scalar_cubic_rational")(),
  sinh_conjugation = function(h) need("scalar_sinh_conjugation")(),
  cubic_conjugation = function(h) need("scalar_cubic_conjugation")()
)

vector_scalar <- function(h) {
  scalar <- vector_scalars[[h$kind]](h)
  if (is.null(h$layers) || h$layers == 1) return(scalar)
  need("scalar_chain")(rep(list(scalar), h$layers))
}

# A stack's parameters, each with one number a member, under the names of scalar_chain().
stack_values <- function(p, layers) {
  if (is.null(layers) || layers == 1) return(plain_names(p))
  out <- list()
  for (i in seq_len(layers)) out[paste0(i, ".", names(p))] <- lapply(p, `[`, i)
  out
}

scalar_parts <- function(h) {
  if (h$kind == "leaky_tanh_spline") return(leaky_tanh_spline_parts(h$max_val, h$spline))
  new_part(need("layer_elementwise")(vector_scalar(h)), function(p, other) stack_values(p, h$layers))
}

leaky_tanh_spline_parts <- function(max_val, spline) {
  squash <- need("layer_elementwise")(need("scalar_leaky_tanh")(max_val))
  nothing <- function(p, other) list()
  c(
    new_part(squash, nothing),
    new_part(need("layer_elementwise")(vector_scalar(spline)), function(p, other) {
      plain_names(p[c("widths_raw", "heights_raw", "slopes_raw")])
    }),
    new_part(need("layer_invert")(squash), nothing)
  )
}

# ---- layers --------------------------------------------------------------------------------------------------------

vector_net <- function(h) need("net_mlp")(rep_len(h$width, h$depth), h$depth, h$activation)
net_values <- function(p, other) list(net = plain_names(p))
add_condition_part <- function() {
  new_part(need("layer_additive_condition")(), function(p, other) p["Wc"])
}

vector_layers <- list(
  elementwise = function(h) {
    if (h$scalar$kind == "leaky_tanh_spline") return(leaky_tanh_spline_parts(h$scalar$max_val, h$scalar$spline))
    new_part(need("layer_elementwise")(vector_scalar(h$scalar)))
  },
  permute = function(h) new_part(need("layer_permute")(h$permutation + 1), function(p, other) list()),
  coupling = function(h) {
    mask <- seq_len(h$d) <= h$untransformed_dim
    new_part(need("layer_coupling")(vector_scalar(h$transformer), vector_net(h$net), mask = mask), net_values)
  },
  masked_autoregressive = function(h) {
    new_part(need("layer_autoregressive")(vector_scalar(h$transformer), vector_net(h$net)), net_values)
  },
  block_autoregressive = function(h) {
    new_part(need("layer_block_autoregressive")(depth = h$depth, block_dim = h$block_dim))
  },
  triangular_affine = function(h) {
    new_part(need("layer_triangular_affine")(lower = h$lower, weight_norm = h$weight_norm))
  },
  planar = function(h) {
    given <- list(activation = h$activation)
    if (!is_none(h$negative_slope)) given$negative_slope <- h$negative_slope
    if (h$cond_dim > 0) given$net <- vector_net(h$net)
    layer <- do.call(need("layer_planar"), given)
    if (h$cond_dim > 0) new_part(layer, net_values) else new_part(layer)
  },
  additive_condition = function(h) {
    if (is_none(h$net)) return(add_condition_part())
    new_part(need("layer_additive_condition")(vector_net(h$net)), net_values)
  },
  triangular_spline = function(h) {
    affine <- need("layer_triangular_affine")(lower = TRUE, weight_norm = TRUE)
    c(
      leaky_tanh_spline_parts(h$max_val, h$spline),
      new_part(affine, function(p, other) plain_names(p[c("loc", "tri_raw", "scale_raw")])),
      if (h$cond_dim > 0) add_condition_part()
    )
  }
)

layer_parts <- function(h) vector_layers[[h$kind]](h)

# Layer, permutation, layer, permutation, ...
premade_parts <- function(h) {
  unlist(lapply(seq_len(h$layers), function(l) {
    order <- if (is.matrix(h$permutations)) h$permutations[l, ] else h$permutations[[l]]
    c(
      parts_at(layer_parts(h$layer), function(p) p$layers[[l]]),
      layer_parts(list(kind = "permute", permutation = order))
    )
  }), recursive = FALSE)
}

# Blocks of a leaky rectifier and a coupling layer, data side first.
simple2d_parts <- function(h) {
  unlist(lapply(seq_len(h$blocks), function(l) {
    relu <- need("scalar_leaky_relu")(0.5, parameterization = "identity")
    net <- need("net_mlp")(h$hidden, activation = h$activation)
    mask <- 1:2 == h$unchanged_coordinate[l]
    parts <- c(
      new_part(need("layer_elementwise")(relu, shared = TRUE), function(p, other) list(slope = p$alpha)),
      new_part(need("layer_coupling")(need("scalar_tanh_affine")(), net, mask = mask), function(p, other) {
        list(scale_factor = p$scale_factor_raw, net = p[c("W1", "b1", "W2", "b2")])
      })
    )
    parts_at(parts, function(p) p$layers[[l]])
  }), recursive = FALSE)
}

# Nets for the parameters of scalar_affine() in its order: the shift t, then the log scale s.
realnvp_parts <- function(h) {
  affine <- need("scalar_affine")(scale = "exp")
  unlist(lapply(seq_along(h$coupling), function(l) {
    mask <- !seq_len(h$d) %in% h$coupling[[l]]$transformed
    net <- if (h$net == "mlp") {
      need("net_mlp")(h$width, activation = h$activation)
    } else {
      need("net_polynomial")(degree = h$degree, total_degree = h$total_degree, basis = h$net)
    }
    layer <- need("layer_coupling")(affine, need("net_separate")(net, net), mask = mask)
    parts_at(new_part(layer, function(p, other) list(net = list(p$t, p$s))), function(p) p$layers[[l]])
  }), recursive = FALSE)
}

# A polynomial net alone is the shift of a coupling layer whose other coordinates are 0.
polynomial_parts <- function(h, n_in) {
  net <- need("net_polynomial")(degree = h$degree, total_degree = h$total_degree, basis = h$basis)
  new_part(need("layer_coupling")(need("scalar_affine")(scale = "exp"), net), function(p, other) {
    coef <- matrix(other, nrow(p$coef), 2 * ncol(p$coef))
    coef[, 2 * seq_len(ncol(p$coef)) - 1] <- p$coef
    list(net = list(coef = coef))
  })
}

radial_parts <- function(h) {
  scalar <- vector_scalar(h)
  if (h$layer == "radial") {
    return(new_part(need("layer_radial")(scalar), function(p, other) {
      c(p[c("center", "log_scale")], stack_values(p$scalar, h$layers))
    }))
  }
  hidden <- if (is_none(h$hidden)) NULL else h$hidden
  net <- need("net_fourier")(h$m, hidden = hidden)
  # outputs: by name, then by layer, in the case; member after member here
  ours <- names(params(flow(need("layer_elementwise")(scalar), 1))$layers[[1]])
  theirs <- paste0(rep(seq_len(h$layers), length(h$output_order)), ".", rep(h$output_order, each = h$layers))
  new_part(need("layer_radial_conditional")(scalar, net, add_initial = h$offset != "none"), function(p, other) {
    weights <- list(weight = p$weight[match(ours, theirs), , drop = FALSE])
    if (!is.null(p$hidden_weight)) weights$hidden_weight <- p$hidden_weight
    c(p[c("center", "log_scale")], list(net = weights))
  })
}

# The chain minus its value at 0 is the radial layer of one dimension at the points x > 0.
ray_parts <- function(h) {
  new_part(need("layer_radial")(vector_scalar(h)), function(p, other) {
    c(list(center = other, log_scale = other), stack_values(p, h$layers))
  })
}

# The gates of a case are stacked: the first dimension is the unit.
gate_values <- function(gate) {
  unit <- function(x, i) {
    dims <- dim(x)
    if (length(dims) == 3) matrix(x[i, , ], dims[2], dims[3]) else c(x[i, ])
  }
  lapply(seq_len(nrow(gate$b1)), function(i) lapply(gate, unit, i = i))
}

# With `t` the value of the field at that time, as one step of length 1 of Euler's method: y = z + f, logdet = trace.
continuous_parts <- function(h, n_hidden, probe = NULL, t = NULL) {
  field <- if (h$field == "planar") {
    need("field_planar")(units = h$units, gate = need("net_mlp")(h$gate_widths, activation = h$gate_activation))
  } else {
    need("field_mlp")(width = unname(n_hidden), activation = "tanh")
  }
  if (!is.null(t)) h[c("solver", "step")] <- list("euler", 1)
  solver <- need(paste0("solver_", h$solver))
  solver <- if (is.null(h$step)) solver(rtol = h$rtol, atol = h$atol) else solver(step = abs(h$step))
  given <- list(field, solver)
  if (!is.null(probe)) given[c("trace", "probe")] <- list("hutchinson", probe)
  if (!is.null(t)) given[c("t0", "t1")] <- list(t, t + 1)
  new_part(do.call(need("layer_continuous"), given), function(p, other) {
    if (!is.null(p$gate)) p$gate <- gate_values(p$gate)
    list(field = p)
  })
}

# ---- models --------------------------------------------------------------------------------------------------------

new_model <- function(parts, d, d_condition = 0, invert = FALSE, base = base_normal(), base_values = NULL) {
  chain <- layer_chain(lapply(parts, `[[`, "layer"))
  f <- flow(if (invert) layer_invert(chain) else chain, d, base, d_condition)
  stopifnot(length(f$layers$layers) == length(parts))
  list(flow = f, parts = if (invert) rev(parts) else parts, base_values = base_values)
}

# The flat vector that belongs to the case's nested `p`; `other` where the case says nothing, NULL leaves our own
# values.
flat_values <- function(model, p, other = NULL) {
  nested <- params(model$flow)
  if (!is.null(other)) nested <- rapply(nested, function(v) v * NA + other, how = "replace")
  fill <- if (is.null(other)) 0 else other
  for (i in seq_along(model$parts)) {
    nested$layers[[i]] <- overlay(nested$layers[[i]], model$parts[[i]]$values(p, fill))
  }
  if (!is.null(model$base_values) && !is.null(p$base)) nested$base <- overlay(nested$base, model$base_values(p$base))
  flat <- numeric(length(coef(model$flow)))
  for (slot in param_slots(model$flow)) flat[slot$index] <- take_at(nested, slot)
  flat
}

overlay <- function(old, new) {
  if (!is.list(new)) return(if (length(old) == length(new) && !is.null(dim(old))) array(new, dim(old)) else new)
  unknown <- setdiff(names(new), names(old))
  if (length(unknown)) stop("no parameter ", paste(unknown, collapse = ", "), " among ", toString(names(old)))
  for (key in if (is.null(names(new))) seq_along(new) else names(new)) old[[key]] <- overlay(old[[key]], new[[key]])
  old
}

set_values <- function(model, p) {
  params(model$flow) <- flat_values(model, p)
  model
}

# ---- comparing -----------------------------------------------------------------------------------------------------

# Largest |a - b| / (1 + |b|) over the numbers that the case has.
vector_gap <- function(a, b) {
  a <- as.double(unlist(a))
  b <- as.double(unlist(b))
  if (length(a) != length(b)) return(Inf)
  known <- !is.na(b)
  if (anyNA(a[known])) return(Inf)
  max(0, abs(a[known] - b[known]) / (1 + abs(b[known])))
}

expect_near <- function(actual, expected, tolerance, label) {
  gap <- vector_gap(actual, expected)
  testthat::expect(gap <= tolerance, sprintf("%s: off by %.2g, more than %.0e", label, gap, tolerance))
}

as_rows <- function(x, d) if (is.matrix(x)) x else matrix(x, ncol = d)

# The flow as a map, also where inputs are larger than what users may give.
map_model <- function(f, x, condition, inverse) native_map(f, x, take_condition(f, condition, nrow(x)), inverse)

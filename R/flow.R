#' An untrained flow
#'
#' Puts a base distribution and layers together to a distribution with initial parameters: evaluate it with
#' [logdensity()], draw from it with [sample()], look at its parameters with [params()]. [fit_flow()] trains one.
#'
#' @param layers A layer, or a list of layers applied one after another from base to data. The `layer_*` functions and
#'   the premade stacks such as [coupling_flow()] make them.
#' @param d Number of coordinates, at least 1.
#' @param base Base distribution, one of the `base_*` functions.
#' @param d_condition Number of conditioning variables, 0 if there are none.
#' @return An object of class `bijectr_flow`: a plain list of `format` (the version of this form), the numbers of
#'   coordinates `d` and of conditioning variables `d_condition`, `base` and `layers` (one chain, from base to data),
#'   `params` (the flat vector of raw parameters), and `names`, `codecs`, `condition`, `response`, `dropped` and `form`,
#'   which a fit learns from its data. [set.seed()] governs initial parameters and random permutations.
#' @seealso [fit_flow()], [params()], [forward()], [logdensity()]
#' @examples
#' set.seed(1)
#' f <- flow(coupling_flow(flow_layers = 2), d = 2)
#' f
#' logdensity(f, cbind(0, 0))
#' @export
flow <- function(layers, d, base = base_normal(), d_condition = 0) {
  check_given("layers", "d")
  new_flow(
    as_layer(layers, "layers"), check_count(d, "d"), check_family(base, "base", "base"),
    check_count(d_condition, "d_condition", min = 0)
  )
}

new_flow <- function(layers, d, base, d_condition, names = NULL) {
  layers <- new_spec("layer", "chain", layers = not_too_deep(resolve(layers, d, d_condition)))
  check_discrete(base, layers$layers, d)
  out <- structure(
    list(
      format = FORMAT_VERSION, d = d, d_condition = d_condition, base = base, layers = layers, params = NULL,
      names = names, codecs = NULL, condition = NULL, response = NULL, form = NULL,
      dropped = NULL
    ),
    class = "bijectr_flow"
  )
  out["params"] <- list(native_init(out, draw_seed()))
  out
}

#' @export
print.bijectr_flow <- function(x, ...) {
  check_object(x)
  native_describe(x) # what is printed has been read by the core
  given <- if (x$d_condition > 0) paste0(" given ", x$d_condition) else ""
  cat("<flow> ", x$d, if (x$d == 1) " coordinate" else " coordinates", given, ", ",
    format(length(x$params), big.mark = ","), " parameters\n",
    sep = ""
  )
  print_layers(x)
  print_dropped(x)
  invisible(x)
}

# Layers from base to data; runs of a repeated pattern are shown once.
print_layers <- function(x) {
  cat("  base:   ", format(x$base), "\n", sep = "")
  text <- vapply(x$layers$layers, format, character(1))
  shown <- collapse_runs(text)
  width <- getOption("width")
  for (line in shown) {
    cat(strwrap(line, width = width, indent = 2, exdent = 6), sep = "\n")
  }
}

# Finds the shortest pattern that repeats from the current place; random permutations count as equal.
collapse_runs <- function(text) {
  key <- sub("permutation = .*", "permutation", text)
  out <- character()
  i <- 1
  while (i <= length(text)) {
    best <- c(1, 1)
    for (size in seq_len(min(4, (length(text) - i + 1) %/% 2))) {
      pattern <- key[i:(i + size - 1)]
      times <- 1
      while (i + (times + 1) * size - 1 <= length(key) && all(key[i + times * size + seq_len(size) - 1] == pattern)) {
        times <- times + 1
      }
      if (times * size > prod(best) && times > 1) best <- c(size, times)
    }
    piece <- text[i:(i + best[1] - 1)]
    out <- c(out, paste0(if (best[2] > 1) paste0(best[2], " x ") else "", paste(piece, collapse = ", ")))
    i <- i + prod(best)
  }
  out
}

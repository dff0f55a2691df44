#' Parameters of a flow
#'
#' Raw parameters are what the optimizer moves; each kind's help page says how they become the numbers of its formula.
#' `params()` shows them as a nested list in their natural shapes: `params(f)$base` and `params(f)$layers[[i]]`, layers
#' counted from base to data. `coef()` gives the same numbers as one flat named vector.
#'
#' A stack is several flows: `coef()` has the parameters of all, with the kind of member before each name, and
#' `params()` is for one of them, `params(object$members[[1]]$flows[[1]])`.
#'
#' @param object A flow or a fit; for `params()` and `params<-` no stack.
#' @param value A nested list of the same structure, or a flat numeric vector of the same length.
#' @param ... Not used.
#' @return `params()`: a nested list. `params<-`: the object with new parameters; values of another shape, and entries
#'   that the flow does not have, are an error. `coef()`: a named numeric vector.
#' @seealso [flow()], [forward()]
#' @examples
#' f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = 2)
#' p <- params(f)
#' p$layers[[1]]$loc <- c(10, 20)
#' params(f) <- p
#' forward(f, rbind(c(0, 0)))$value
#' coef(f)
#' @export
params <- function(object, ...) UseMethod("params")

#' @rdname params
#' @export
`params<-` <- function(object, value) UseMethod("params<-")

#' @rdname params
#' @export
params.bijectr_flow <- function(object, ...) {
  check_one_flow(object, "{.fn params}")
  put_slots(list(base = list(), layers = rep(list(list()), length(object$layers$layers))), object, param_slots(object))
}

# Those of the base alone: in searches for quantiles the others would take longer than all else.
base_params <- function(flow) put_slots(list(base = list()), flow, param_slots(flow, "base"))$base

put_slots <- function(out, flow, slots) {
  for (slot in slots) out <- put_at(out, slot$path, shape_slot(flow$params[slot$index], slot$dim))
  out
}

#' @rdname params
#' @export
`params<-.bijectr_flow` <- function(object, value) {
  check_one_flow(object, "{.fn params}")
  if (is.list(value)) {
    check_entries(value, params.bijectr_flow(object))
    flat <- object$params
    for (slot in param_slots(object)) flat[slot$index] <- take_at(value, slot)
    value <- flat
  }
  if (!is.numeric(value) || length(value) != length(object$params)) {
    stop_arg("{.arg value} must be a list like {.code params(object)} or {length(object$params)} numbers.")
  }
  bad <- which(!is.finite(value))
  if (length(bad)) stop_arg("{.arg value} must be finite; element {bad[1]} of the flat vector is {value[bad[1]]}.")
  object["params"] <- list(as.double(value))
  object
}

#' @rdname params
#' @export
coef.bijectr_flow <- function(object, ...) {
  check_one_flow(object, "{.fn coef}")
  label <- lapply(param_slots(object), function(slot) {
    path <- paste(slot$path, collapse = ".")
    if (length(slot$dim) == 0) return(path)
    if (length(slot$index) == 0) return(character())
    place <- arrayInd(seq_along(slot$index), slot$dim)
    paste0(path, "[", apply(place, 1, paste, collapse = ","), "]")
  })
  stats::setNames(object$params, unlist(label))
}

# A misspelt entry would be without effect. `known` has all entries that there are.
check_entries <- function(value, known, where = NULL) {
  if (!is.list(value)) return(invisible())
  keys <- if (is.null(names(value))) seq_along(value) else names(value)
  for (i in seq_along(value)) {
    key <- keys[[i]]
    path <- paste(c(where, key), collapse = "$")
    found <- is.list(known) && (if (is.character(key)) key %in% names(known) else key <= length(known))
    if (!found) {
      stop_arg(c(
        "{.arg value} has {.field {path}}, which this flow does not have.",
        i = if (is.character(key)) meant(key, names(known), "Did you mean {.field {near}}?")
      ))
    }
    check_entries(value[[i]], known[[key]], path)
  }
}

shape_slot <- function(x, dim) if (length(dim) > 1) array(x, dim) else x

path_key <- function(name) if (grepl("^[0-9]+$", name)) as.integer(name) else name

put_at <- function(x, path, value) {
  if (length(path) == 0) return(value)
  key <- path_key(path[1])
  inner <- if (is.character(key)) x[[key]] else if (key <= length(x)) x[[key]] else NULL
  x[[key]] <- put_at(if (is.null(inner)) list() else inner, path[-1], value)
  x
}

take_at <- function(x, slot) {
  where <- paste(slot$path, collapse = "$")
  for (name in slot$path) {
    key <- path_key(name)
    found <- is.list(x) && (if (is.character(key)) key %in% names(x) else key <= length(x))
    if (!found) stop_arg("{.arg value} lacks {.field {where}}.")
    x <- x[[key]]
  }
  if (!is.numeric(x) || length(x) != length(slot$index)) {
    stop_arg("{.field {where}} must have {length(slot$index)} number{?s}, not {.obj_type_friendly {x}}.")
  }
  if (length(slot$dim) > 1 && !is.null(dim(x)) && any(dim(x) != slot$dim)) {
    stop_arg("{.field {where}} must have shape {slot$dim}, not {dim(x)}.")
  }
  as.double(x)
}

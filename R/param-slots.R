# Where the parameter arrays of a flow stand in its flat vector, by the names that the core gives them.

# One entry a parameter array: path (names, and numbers as strings), dim, and where it stands in the flat vector.
# `part`: "base" or "layers", for the arrays of that alone.
param_slots <- function(flow, part = NULL) {
  slots <- native_describe(flow)
  size <- vapply(slots$dims, prod, numeric(1))
  start <- cumsum(c(0, size))
  wanted <- if (is.null(part)) seq_along(size) else which(startsWith(slots$paths, paste0(part, "/")))
  lapply(wanted, function(i) {
    list(path = strsplit(slots$paths[i], "/")[[1]], dim = slots$dims[[i]], index = start[i] + seq_len(size[i]))
  })
}

# Numbers from 0, for the core, of the parameters whose names, as coef() has them without places, begin with one of
# `freeze`; NULL: none.
frozen_parameters <- function(flow, freeze) {
  if (is.null(freeze)) return(NULL)
  slots <- param_slots(flow)
  paths <- vapply(slots, function(slot) paste(slot$path, collapse = "."), "")
  frozen <- lapply(freeze, function(name) which(startsWith(paste0(paths, "."), paste0(name, "."))))
  unknown <- freeze[lengths(frozen) == 0]
  if (length(unknown)) {
    stop_arg(c(
      "{.arg freeze} has {.val {unknown}}, of which the flow has no parameters.",
      i = "It has {.val {paths}}."
    ))
  }
  as.integer(unlist(lapply(slots[sort(unique(unlist(frozen)))], `[[`, "index"))) - 1L
}

# Version of the format of flows and fits, for objects that were saved by other versions of the package.
FORMAT_VERSION <- 2L

# A flow as all verbs need it. It may come from a file that another version wrote, or that is damaged: nothing else
# reads it before.
check_flow <- function(object) {
  if (!inherits(object, "bijectr_flow")) {
    stop_arg("{.arg object} must be a flow or a fit, not {.obj_type_friendly {object}}.")
  }
  if (!identical(object[["format"]], FORMAT_VERSION)) check_format(object[["format"]])
  native_check_flow(object)
  object
}

check_format <- function(format) {
  if (!is.numeric(format) || length(format) != 1 || !is.finite(format) || format == FORMAT_VERSION) {
    stop_arg("This flow cannot be used: it does not say which format it has.")
  }
  if (format > FORMAT_VERSION) {
    stop_arg(c(
      "This flow was saved by a newer version of bijectr: update the package.",
      i = "It has format {format}; this version reads format {FORMAT_VERSION}."
    ))
  }
  stop_arg(c(
    "This flow was saved by an older version of bijectr, whose format {format} is not read any more.",
    i = "Fit it anew, or use it with the version that saved it."
  ))
}

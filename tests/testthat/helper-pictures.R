# Evaluates with a graphics device on which nothing is kept: what pictures show is returned, and looked at as data.
drawn <- function(code) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  force(code)
}

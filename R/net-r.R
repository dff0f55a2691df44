# A net of R functions; its help is that of layer_r().

#' @rdname layer_r
#' @export
net_r <- function(forward, vjp = NULL, size, init = 0.01) {
  check_given("forward", "size")
  if (!is.function(size)) {
    number <- check_count(size, "size", min = 0)
    size <- eval(bquote(function(n_in, n_out) .(number)), baseenv())
  }
  new_spec("net", "r",
    forward = check_hosted(forward, "forward"), vjp = check_hosted(vjp, "vjp", TRUE), size = size,
    init = check_number(init, "init", min = 0, below = Inf)
  )
}

#' @rdname base_laplace
#' @export
base_gaussian_mixture <- function(components = 3, spread = 1) {
  new_spec("base", "gaussian_mixture",
    components = check_count(components, "components", max = 256),
    spread = check_number(spread, "spread", min = 0, below = Inf)
  )
}

#' @export
base_distribution.bijectr_base_gaussian_mixture <- function(base, raw) {
  mixed(raw$weight, raw$mean[, 1], softplus(raw$cholesky[1, 1, ]))
}

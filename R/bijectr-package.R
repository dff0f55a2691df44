#' bijectr: normalizing flows with a pure C core
#'
#' A normalizing flow is a distribution made of a simple base distribution and a chain of invertible, differentiable
#' maps (*layers*). [fit_flow()] fits one to a data frame, a matrix or an unnormalised log density; the fit evaluates
#' log densities in the units of the data, draws samples and is a plain list that `saveRDS()` keeps.
#'
#' @keywords internal
#' @useDynLib bijectr, .registration = TRUE
"_PACKAGE"

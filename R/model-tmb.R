# Objects of TMB and RTMB: the negative log density of a point, and its gradient.

#' @export
as_model.bijectr_tmb <- function(x) {
  d <- length(x$par)
  if (d == 0) stop_arg("The TMB object has no parameters: its {.field par} is empty.")
  at <- function(gradient) {
    function(par) {
      value <- -as.double(x$fn(par))
      list(value = value, gradient = if (gradient) -as.double(x$gr(par)))
    }
  }
  log_density <- function(points, gradient) {
    kept <- tmb_memory(x)
    on.exit(kept())
    density_of_rows(points, at(gradient), gradient)
  }
  new_target_model(numbered(names(x$par) %||% rep("par", d)), rep(-Inf, d), rep(Inf, d), log_density, NULL)
}

# b, b, c as b[1], b[2], c.
numbered <- function(names) {
  count <- stats::ave(seq_along(names), names, FUN = seq_along)
  several <- names %in% names[duplicated(names)]
  ifelse(several, paste0(names, "[", count, "]"), names)
}

# The object remembers the last and the best parameters of its user's optimization; what gives them back.
tmb_memory <- function(x) {
  if (!is.environment(x$env)) return(function() NULL)
  kept <- mget(c("last.par", "last.par1", "last.par2", "last.par.best", "value.best"), envir = x$env,
    ifnotfound = list(NULL)
  )
  function() for (name in names(kept)) if (!is.null(kept[[name]])) assign(name, kept[[name]], envir = x$env)
}

#' Fit anew with something changed
#'
#' As [stats::update()] of R's models: the call of the fit is evaluated once more, with the arguments that are given in
#' place of its own. Parameters start afresh; to go on with a training, see [resume()].
#'
#' Arguments that the call has and that are not given are evaluated where `update()` is called. Where they cannot be
#' found there, or where they are not in the call because data or functions were written into it, as [do.call()] does,
#' they have to be given: `update(fit, data = table)`.
#'
#' Only two things are handed over to [resume()], with a message: `epochs =`, which [fit_flow()] does not have, and what
#' is no fit yet but a training that was never evaluated, which is a checkpoint or the fit of an error's condition.
#'
#' @param object A fit.
#' @param formula. Changes to the formula of a fit by formula, see [stats::update.formula()]: `. ~ . + x`.
#' @param ... Arguments of [fit_flow()], or of [fit_rounds()] for its fits; `NULL` takes one out of the call.
#' @param evaluate Whether to evaluate the new call, or return it.
#' @return A `bijectr_fit`, see [fit_flow()]; with `evaluate = FALSE` the call that would make it.
#' @seealso [resume()]
#' @family training
#' @examples
#' fit <- fit_flow(mpg ~ wt, data = mtcars, steps = 20)
#' update(fit, . ~ . + hp)
#' update(fit, data = subset(mtcars, cyl > 4), steps = 30)
#' update(fit, steps = 500, evaluate = FALSE)
#' update(fit, steps = NULL, members = c("normal", "student_t")) # a stack in its place
#' @importFrom stats update
#' @export
update.bijectr_fit <- function(object, formula., ..., evaluate = TRUE) {
  if (inherits(object, "bijectr_gaps_fit")) check_gaps_fit(object) else check_fit(object)
  check_flag(evaluate, "evaluate")
  envir <- parent.frame()
  changes <- as.list(match.call(expand.dots = FALSE)[["..."]])
  if (length(changes) && !all(nzchar(names(changes) %||% ""))) {
    stop_arg("Changes must have the names of arguments, as in {.code update(fit, steps = 500)}.")
  }
  if ("epochs" %in% names(changes) || !is_concluded(object)) {
    check_fit(object)
    if (!missing(formula.)) stop_arg("{.arg formula.} was given, but this is a training for {.fn resume} to go on.")
    if (!evaluate) return(as.call(c(quote(resume), substitute(object), changes)))
    cli::cli_inform(c(i = "{.fn update} hands over to {.fn resume}, which goes on with the training."),
      class = "bijectr_message_resume"
    )
    return(eval(as.call(c(resume, list(object), changes)), envir))
  }
  call <- changed_call(object, if (!missing(formula.)) formula., changes, envir)
  if (!evaluate) return(call)
  # what cannot be found is told as such, not by the first function that misses it
  withCallingHandlers(eval(call, envir), error = function(e) {
    if (!inherits(e, "bijectr_error")) call_value(list(call = call), "data", envir)
  })
}

# Whether a training has become a fit.
is_concluded <- function(fit) {
  if (inherits(fit, "bijectr_rounds_fit")) return(TRUE)
  if (fit$status %in% c("paused", "failed")) return(FALSE)
  if (inherits(fit, "bijectr_target_fit")) return(!is.null(fit$evaluation) || fit$options$evaluate == 0)
  !is.null(fit$loglik)
}

changed_call <- function(fit, formula, changes, envir) {
  call <- fit$call
  if (is.null(call)) stop_arg("The fit has no call, which {.fn update} would change.")
  call <- if (inherits(fit, "bijectr_rounds_fit")) match.call(fit_rounds, call) else match_fit_call(call, envir)
  if (!is.null(fit$formula)) call$formula <- fit$formula
  if (!is.null(formula)) call$formula <- stats::update.formula(stats::formula(fit), formula)
  for (name in names(changes)) call[[name]] <- changes[[name]]
  for (name in names(call)[-1]) {
    if (is_written(call[[name]])) {
      stop_arg("{.arg {name}} must be given: it was written into the call of the fit, which does not keep it.")
    }
  }
  if (!is.null(call$formula) && is.null(call$data)) check_found(all.vars(call$formula), envir)
  call
}

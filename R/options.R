#' Options of bijectr
#'
#' What is set by [options()] for a session and concerns speed and place; only `bijectr.isa` touches results, in their
#' last digits.
#'
#' * `bijectr.threads`: number of threads of the core. By default as many as the machine has, 2 at most, and 1 where
#'   `OMP_THREAD_LIMIT` says so (`OMP_NUM_THREADS` is not looked at). Results are the same, bit for bit, for any number.
#'   Steps of a training that take more than some 0.2 ms go to threads where that is faster as it is tried. Set it to 1
#'   where other processes use the cores, as in workers that fit side by side: threads that wait for each other there
#'   take longer than one.
#' * `bijectr.isa`: the instruction set that the core is taken for, `"avx512"`, `"avx2"` or `"baseline"`; by default the
#'   widest that the processor and the build have. Results differ in their last digits from one to another, and a long
#'   training goes its own way from there: set it where figures must be the same on different machines.
#' * `bijectr.fork`: `FALSE` fits members of stacks one after another in this process instead of in forks of it; for
#'   environments in which forks are a trouble. Where a plan of \pkg{future} is set that is used instead, whatever this
#'   option says. Results are the same.
#'
#' @name bijectr-options
#' @aliases bijectr.threads bijectr.isa bijectr.fork
#' @return [options()] returns the values that were set before.
#' @seealso [fit_control()] for what changes a fit
#' @examples
#' old <- options(bijectr.threads = 1)
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 50)
#' options(bijectr.threads = 2)
#' set.seed(1)
#' identical(coef(fit), coef(fit_flow(faithful, steps = 50)))
#' options(old)
NULL

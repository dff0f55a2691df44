#' @rdname base_normal
#' @export
base_student_t <- function(df = 5, trainable = FALSE, net = NULL, loc = 0, scale = 1) {
  new_spec("base", "student_t",
    df = check_number(df, "df", above = 0, below = Inf), trainable = check_flag(trainable, "trainable"),
    net = check_base_net(net), loc = check_loc(loc), scale = check_scale(scale)
  )
}

#' @export
base_distribution.bijectr_base_student_t <- function(base, raw) {
  df <- if (base$trainable) max(softplus(raw$df), 1e-3) else base$df # the core's floor
  located(base, raw, function(u, ...) stats::pt(u, df, ...), function(p, ...) stats::qt(p, df, ...))
}

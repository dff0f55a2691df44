# How far a ladder (ladder.R) has come: the `fit` so far and its `verdict`, NULL as long as nobody has asked, the flow
# where training starts (`start`), the `steps` behind that, and whether weighted draws have nothing more to tell
# (`settled`).
new_rung <- function(fit, start, steps, settled) {
  list(fit = fit, verdict = NULL, start = start, steps = steps, settled = settled)
}

judged <- function(at, target) {
  at$verdict <- at$verdict %||% early_verdict(at$fit, target)
  at
}

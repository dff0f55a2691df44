# What the fits of flow_cv() come to: one comparison of all candidates, and what is noted of single fits.

cv_comparison <- function(results, tasks, candidates, folds, weights) {
  names <- names(candidates)
  density <- matrix(NA_real_, length(folds), length(names), dimnames = list(NULL, names))
  field <- function(what, default) vapply(results, function(one) one[[what]] %||% default, default)
  fits <- data.frame(
    candidate = names[tasks$candidate], fold = tasks$fold, status = field("status", "failed"),
    reason = field("reason", NA_character_), seconds = field("seconds", 0)
  )
  for (i in which(lengths(lapply(results, `[[`, "density")) > 0)) {
    density[folds == tasks$fold[i], tasks$candidate[i]] <- results[[i]]$density
  }
  check_same_coordinates(results, names[tasks$candidate])
  reasons <- vapply(names, function(name) {
    of <- fits[fits$candidate == name & fits$status != "left out", ]
    if (!nrow(of)) return(fits$reason[fits$candidate == name][1])
    failed <- of[of$status == "failed", ]
    if (!nrow(failed)) return(NA_character_)
    paste0(
      "the fit without fold ", failed$fold[1], " ended in an error",
      if (nrow(failed) > 1) paste0(", as did ", nrow(failed) - 1, " more"), ": ", failed$reason[1]
    )
  }, "")
  new_comparison(density, weights, unname(reasons), cv_notes(fits, results, tasks, names),
    folds = folds, seconds = sum(fits$seconds), fits = fits
  )
}

check_same_coordinates <- function(results, labels) {
  named <- which(lengths(lapply(results, `[[`, "names")) > 0)
  for (i in named[-1]) {
    if (setequal(results[[i]]$names, results[[named[1]]]$names)) next
    shown <- lapply(results[c(i, named[1])], function(one) shorten_list(one$names))
    stop_arg(c(
      "Fits of other coordinates cannot be compared: {.field {labels[i]}} is one of {shown[[1]]},
       {.field {labels[named[1]]}} of {shown[[2]]}.",
      i = "Give all candidates the same columns, and the same left side of a formula."
    ))
  }
}

cv_notes <- function(fits, results, tasks, names) {
  late <- fits[fits$status == "left out", ]
  short <- table(fits$candidate[fits$status == "time_limit"])
  warned <- table(unlist(lapply(seq_along(results), function(i) {
    told <- unique(results[[i]]$warnings)
    if (length(told)) paste(names[tasks$candidate[i]], told, sep = ": ")
  })))
  c(
    if (nrow(late)) {
      which <- shorten_list(paste(late$candidate, "without fold", late$fold))
      paste0(nrow(late), " of ", nrow(fits), " fits were left out, as ", late$reason[1], ": ", which, ".")
    },
    if (length(short)) paste0(names(short), ": ", short, " of its fits ended by their share of the time."),
    if (length(warned)) paste0(names(warned), " (", warned, ifelse(warned == 1, " fit", " fits"), ").")
  )
}

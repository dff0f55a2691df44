# src/Makevars names every file that the objects of the core depend on: one that is missing there would leave a stale
# object after an edit, and a test of something else than the sources.
function() {
  said <- suppressWarnings(system2("sh", c("tools/makevars.sh", "check"), stdout = TRUE))
  if (length(said)) paste0("src/Makevars:1: ", said)
}

# Two layers never include each other; what they share goes down a storey. Each stays readable and removable alone.
function() {
  files <- project_files("^src/core/layer-.*\\.[ch]$")
  complain(files, "#\\s*include\\s*\"layer-[^\"]*\\.c\"", "a layer that includes another layer")
}

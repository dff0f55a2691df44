.onUnload <- function(libpath) library.dynam.unload("bijectr", libpath)

# A function of base is loaded when it is first called. An interrupt that a test sends just before it sleeps can meet
# that, and R's promise of the function is then for ever "already under evaluation".
Sys.sleep(0)

# F1: a masked autoregressive spline flow on two moons, in FlowJAX's settings and with the package's defaults, over five
# seeds: bench/moons.R, whose head has the figures to compare with.
source("bench/moons.R")

# Vector functions: ns an element, beside R's own, for every instruction set of this machine. 4096 numbers, so all stays
# in cache; R's functions allocate their result, as ours do here. Minima over many repeats.
suppressMessages(library(bijectr))
x <- seq(0.1, 8, length.out = 4096)
ours <- c("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "sin", "cos", "recip")
theirs <- list(
  exp = exp, expm1 = expm1, log = log, log1p = log1p, tanh = tanh, sigmoid = plogis,
  softplus = function(x) log1p(exp(x)), sin = sin, cos = cos, recip = function(x) 1 / x
)
ns <- function(f) {
  times <- replicate(200, {
    begun <- Sys.time()
    for (i in 1:10) f(x)
    as.double(Sys.time() - begun, units = "secs")
  })
  min(times) / 10 / length(x) * 1e9
}

sets <- bijectr:::native_isa()
table <- sapply(sets, function(isa) {
  options(bijectr.isa = isa)
  vapply(ours, function(name) ns(function(x) bijectr:::native_num_apply(name, x)), 0)
})
table <- cbind(table, R = vapply(ours, function(name) ns(theirs[[name]]), 0))
print(round(table, 2))

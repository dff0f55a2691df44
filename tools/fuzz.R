# Damages flows, fits, states and controls at random places and hands them to the public functions: no list that a user
# can hold may crash R, hang it, or give NaN in silence.
#
#   Rscript tools/fuzz.R [inputs] [seed]           10000 inputs by default, seed 1
#   Rscript tools/fuzz.R [inputs] [seed] [number]  this one alone, in this process, telling what was done to what
#
# The package must be installed (`make fuzz` does). Inputs run in forked children with bounded memory, healthy controls
# between them: what ruins memory is found by the next control. A child writes the input it is at to a file, which tells
# which one killed it. Counted as failures: crashes, hangs (20 s), controls that changed, NaN where the undamaged object
# gives none, and errors without a class of ours beyond 1 in 100 inputs. Closes with "N passed, N failed".
arguments <- commandArgs(TRUE)
if (!nzchar(Sys.getenv("BIJECTR_FUZZ")) && nzchar(Sys.which("bash"))) {
  script <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
  limited <- paste("ulimit -v 6000000; BIJECTR_FUZZ=1 exec", file.path(R.home("bin"), "Rscript"), "--vanilla", script)
  quit(status = system2("bash", c("-c", shQuote(paste(c(limited, arguments), collapse = " ")))))
}
suppressMessages(library(bijectr))
options(cli.num_colors = 1L, warn = -1, bijectr.threads = 1L)
grDevices::pdf(NULL)
wanted <- as.numeric(c(arguments, 10000)[1])
seed <- as.numeric(c(arguments, "", 1)[2 + (length(arguments) < 2)])
only <- as.numeric(arguments[3])

# ---- what is damaged -------------------------------------------------------------------------------------------------

set.seed(1)
points <- matrix(stats::rnorm(20), 10, dimnames = list(NULL, c("a", "b")))
given <- matrix(stats::rnorm(10), 10)
few <- list(steps = 4, batch_size = 8, progress = FALSE)
fitted <- function(...) do.call(fit_flow, c(list(...), few))
frame <- data.frame(points, g = given[, 1])
holes <- replace(frame, "g", c(NA, given[-1]))
objects <- list(
  coupling = flow(coupling_flow(flow_layers = 2, nn_width = 4), 2),
  conditional = flow(masked_autoregressive_flow(flow_layers = 2, nn_width = 4), 2, d_condition = 1),
  block = flow(block_neural_autoregressive_flow(), 2, base = base_mvstudent_t()),
  planar = flow(planar_flow(flow_layers = 2), 2, base = base_student_t()),
  spline = flow(triangular_spline_flow(flow_layers = 2), 2, base = base_mixture(2)),
  continuous = flow(continuous_flow(), 2),
  steered = flow(layer_continuous(field_mlp(4), solver_rk4()), 2),
  radial = flow(list(layer_radial(scalar_rq_spline()), layer_lu_linear(), layer_householder(2)), 2,
    base = base_gaussian_mixture(2)
  ),
  mixed = flow(list(
    layer_elementwise(scalar_chain(scalar_affine(), scalar_cubic_rational(), scalar_invert(scalar_sinh()))),
    layer_permute(2:1), layer_coupling(scalar_rq_spline(), net_separate(net_polynomial(2))), layer_triangular_affine()
  ), 2, base = base_mvnormal()),
  given = flow(layer_elementwise(scalar_affine()), 2, base = base_mixture(2, net = net_mlp(3)), d_condition = 1),
  embedded = flow(layer_autoregressive(scalar_affine(), net_embedding(net_mlp(4), 1, 2)), 2, d_condition = 1),
  single = flow(layer_autoregressive(scalar_affine(), net_mlp(5, precision = "single")), 3),
  halved = flow(layer_continuous(field_mlp(4, precision = "single"), solver_rk4()), 2),
  set = flow(layer_autoregressive(scalar_affine(), net_set(net_mlp(4), 1:2, count = 3)), 2, d_condition = 3),
  hosted = flow(list(
    layer_r(function(x, params) list(value = x * exp(params), logdet = 2 * params), params = 0.1),
    layer_coupling(scalar_affine(), net_r(
      function(x, params) x %*% matrix(params, ncol(x)), size = function(n_in, n_out) n_in * n_out
    ))
  ), 2),
  fit = fitted(points),
  weighted = fitted(points, condition = given, weights = rep(1:2, 5), ema = 0.9, validation = 0.3),
  formula = fitted(cbind(a, b) ~ g, data = frame),
  response = fitted(cbind(s = exp(a), b) ~ g, data = holes, na.action = na.omit),
  kept = fitted(data.frame(a = Sys.Date() + points[, 1], b = points[, 2]), keep_state = TRUE),
  supported = fitted(frame[1:2], support = list(a = positive(-9, "softplus"), b = bounded(-9, 9))),
  tails = flow(layer_elementwise(list(scalar_tail(0, 1, c(0.5, 1)), scalar_support(-9, 9))), 2),
  gaps = suppressWarnings(fitted(replace(frame[1:2], "b", c(NA, points[-1, 2])), na = "model")),
  target = suppressWarnings(fitted(function(x) -rowSums(x^2) / 2, d = 2))
)
conditions <- lapply(objects, function(f) if (f$d_condition > 0) given)
conditions[c("formula", "response")] <- list(frame)
conditions$embedded <- matrix(rep(1:2, 5))
conditions$set <- cbind(given, given, rep(1:2, 5))
verbs <- list(
  logdensity = function(f, g) logdensity(f, points, condition = g), forward = function(f, g) forward(f, points, g),
  sample = function(f, g) sample(f, 3, condition = g[1, , drop = FALSE]), params = function(f, g) params(f),
  inverse = function(f, g) inverse(f, points, g), set = function(f, g) {
    params(f) <- params(f)
    logdensity(f, points, g)
  },
  predict = function(f, g) predict(f, points, type = "latent", condition = g), coef = function(f, g) coef(f),
  print = function(f, g) print(f),
  format = function(f, g) if (is.list(f[["layers"]])) lapply(f[["layers"]][["layers"]], format),
  plot = function(f, g) plot(f, "samples", n = 20, condition = g[1, , drop = FALSE]),
  saved = function(f, g) logdensity(unserialize(serialize(f, NULL)), points, g),
  start = function(f, g) fit_flow(points, f, condition = g, steps = 2, progress = FALSE),
  layers = function(f, g) fit_flow(points, f[["layers"]], condition = g, steps = 2, progress = FALSE)
)
fit_verbs <- list(
  summary = function(f, g) print(summary(f)), loglik = function(f, g) c(logLik(f), nobs(f)),
  loss = function(f, g) plot(f, "loss"),
  resume = function(f, g) {
    data <- if (inherits(as.list(f$call)[["data"]], "function")) NULL else points
    resume(f, steps = 3, data = if (is.null(f$d_condition)) points else data, condition = g)
  },
  resume_frame = function(f, g) {
    resume(f, steps = 3, data = if (length(f[["na.action"]])) holes else if (is.data.frame(g)) g else frame[1:2])
  }
)

# ---- how -------------------------------------------------------------------------------------------------------------

strings <- c("%s%n%s", "", "no such", "normal", strrep("a", 5000), NA)
numbers <- c(NaN, NA, Inf, -Inf, -1, 0, 0.5, 1, 2, 3, 17, 1e5, 1e9, 2^31, 1e18, 1e300, -1e9, 5e-324)
pick <- function(x) x[[sample.int(length(x), 1)]]
odd <- function() {
  pick(list(
    NULL, pick(numbers), as.integer(pick(c(-1, 0, 1, 5, NA, 2e9))), pick(strings), c(TRUE, NA), list(), list(1, "a"),
    numeric(), pick(c(1, 2, 7, 1000)) * seq_len(pick(c(1, 2, 3, 9, 300))), matrix(1, 3, 2), 1i, raw(2), quote(x + y),
    sum, globalenv(), factor("a"), Sys.Date(), list(kind = "affine"), layer_permute(2:1), scalar_exp(), base_normal()
  ))
}
deeper <- function(x) {
  for (i in seq_len(pick(c(1, 10, 70, 3000)))) x <- pick(list(list(x), list(kind = "invert", layer = x)))
  x
}
resized <- function(x) x[pick(list(0, 1, seq_along(x)[-1], c(seq_along(x), 1), rep(seq_along(x), 50)))]
spoilt <- function(x) {
  if (length(x)) x[sample.int(length(x), 1)] <- pick(numbers)
  x
}
change <- function(x, whole) {
  ways <- list(
    function() odd(), function() odd(), function() deeper(x), function() whole[[sample.int(length(whole), 1)]],
    function() if (is.numeric(x)) spoilt(x) else odd(), function() if (is.vector(x)) resized(x) else odd(),
    function() if (is.numeric(x)) as.character(x) else unname(x),
    function() if (is.numeric(x)) x * pick(numbers) else list(),
    function() if (is.double(x)) suppressWarnings(as.integer(x)) else structure(x, class = NULL), function() list(x, x)
  )
  pick(ways)()
}
# At a random place of the list: each step down is taken with probability 0.8.
damage <- function(x, whole, root = FALSE) {
  if (!root && (!is.list(x) || !length(x) || stats::runif(1) < 0.2)) return(change(x, whole))
  if (!length(x)) return(x)
  class <- oldClass(x)
  x <- unclass(x)
  i <- sample.int(length(x), 1)
  way <- stats::runif(1)
  if (way < 0.05) {
    x <- x[-i]
  } else if (way < 0.08) {
    names(x)[i] <- pick(strings)
  } else {
    x[i] <- list(damage(x[[i]], whole))
  }
  structure(x, class = class)
}

# ---- one input -------------------------------------------------------------------------------------------------------

# What came of it: "accepted", "refused", or what is wrong.
judge <- function(run, sound) {
  out <- tryCatch(
    {
      setTimeLimit(elapsed = 10, transient = TRUE)
      utils::capture.output(value <- suppressMessages(run()))
      if (sound && is_silent_nan(value)) "NaN" else "accepted"
    },
    bijectr_warning_nan = function(w) "accepted",
    bijectr_error = function(e) "refused", rlang_error = function(e) "refused",
    error = function(e) paste("unclassed:", conditionMessage(e), "in", paste(deparse(conditionCall(e))[1]))
  )
  setTimeLimit()
  if (grepl("time limit", out)) "hang" else out
}
is_silent_nan <- function(value) {
  if (is.list(value)) value <- value[c("value", "logdet")]
  value <- unlist(value)
  is.numeric(value) && anyNA(value)
}
one_input <- function(number, show = FALSE) {
  set.seed(seed * 1e5 + number)
  name <- pick(names(objects))
  whole <- objects[[name]]
  bad <- whole
  for (i in seq_len(pick(c(1, 1, 1, 2, 4)))) bad <- damage(bad, whole, root = TRUE)
  possible <- if (inherits(bad, "bijectr_fit")) c(verbs, fit_verbs) else verbs
  verb <- sample(names(possible), 1)
  # parameters of a billion overflow in the formulas: NaN then is arithmetic
  sound <- verb %in% c("logdensity", "inverse", "saved") && is.numeric(bad$params) && all(abs(bad$params) < 1e5)
  out <- judge(function() possible[[verb]](bad, conditions[[name]]), isTRUE(sound))
  # what is no flow any more meets R's own methods, and their errors
  if (!inherits(bad, "bijectr_flow") && startsWith(out, "unclassed")) out <- "refused"
  if (show) {
    cat(name, verb, out, "\n")
    print(all.equal(unclass(whole), unclass(bad)))
  }
  stats::setNames(out, verb)
}

control_value <- lapply(objects["coupling"], logdensity, points)
control_ok <- function() {
  gc(FALSE)
  identical(lapply(objects["coupling"], logdensity, points), control_value)
}

if (!is.na(only)) {
  one_input(only, show = TRUE)
  quit()
}

# ---- children --------------------------------------------------------------------------------------------------------

# Runs inputs first..last; writes the number it is at, and what came of those it did.
child <- function(first, last, beat, log) {
  for (number in first:last) {
    writeLines(as.character(number), beat)
    out <- one_input(number)
    if (number %% 20 == 0 && !control_ok()) out <- c(out, control = "control")
    cat(paste0(number, "\t", names(out), "\t", gsub("[\t\n]", " ", out), "\n"), file = log, sep = "", append = TRUE)
  }
  TRUE
}

folder <- tempfile()
dir.create(folder)
batch <- 200
ranges <- lapply(seq(1, wanted, by = batch), function(first) c(first, min(first + batch - 1, wanted)))
dead <- data.frame(number = numeric(), verb = character(), outcome = character())
running <- list()
started <- Sys.time()
serial <- 0
while (length(ranges) || length(running)) {
  while (length(ranges) && length(running) < 2) {
    range <- ranges[[1]]
    ranges <- ranges[-1]
    serial <- serial + 1
    beat <- file.path(folder, paste0("beat", serial))
    writeLines(as.character(range[1]), beat)
    log <- file.path(folder, paste0("log", serial))
    job <- parallel::mcparallel(child(range[1], range[2], beat, log), silent = TRUE)
    running <- c(running, list(list(job = job, range = range, beat = beat)))
  }
  done <- suppressWarnings(parallel::mccollect(lapply(running, `[[`, "job"), wait = FALSE, timeout = 0.5))
  left <- list()
  for (r in running) {
    key <- as.character(r$job$pid)
    silent <- as.double(Sys.time() - file.mtime(r$beat), units = "secs")
    hung <- is.null(done[[key]]) && !(key %in% names(done)) && silent > 20
    if (hung) {
      tools::pskill(r$job$pid, tools::SIGKILL)
      suppressWarnings(parallel::mccollect(r$job))
    } else if (!(key %in% names(done))) {
      left <- c(left, list(r))
      next
    }
    if (isTRUE(done[[key]])) next
    at <- as.numeric(readLines(r$beat))
    dead[nrow(dead) + 1, ] <- list(at, "", if (hung) "hang" else "crash")
    if (at < r$range[2]) ranges <- c(list(c(at + 1, r$range[2])), ranges)
  }
  running <- left
}

# ---- report ----------------------------------------------------------------------------------------------------------

logs <- list.files(folder, "^log", full.names = TRUE)
lines <- unlist(lapply(logs, readLines))
parts <- do.call(rbind, strsplit(lines, "\t", fixed = TRUE))
results <- rbind(data.frame(number = as.numeric(parts[, 1]), verb = parts[, 2], outcome = parts[, 3]), dead)
results <- results[order(results$number), ]
unclassed <- startsWith(results$outcome, "unclassed")
kinds <- sub(" in .*", "", gsub("[0-9.]+", "N", results$outcome))
wrong <- results$outcome %in% c("crash", "hang", "NaN", "control")
cat(sprintf(
  "%g inputs, seed %g, %.0f s: %d calls accepted, %d refused, %d errors without a class\n", wanted, seed,
  as.double(Sys.time() - started, units = "secs"), sum(results$outcome == "accepted"),
  sum(results$outcome == "refused"), sum(unclassed)
))
for (i in utils::head(which(wrong), 40)) cat(results$outcome[i], "input", results$number[i], results$verb[i], "\n")
most <- sort(table(kinds[unclassed]), decreasing = TRUE)
for (what in utils::head(names(most), 25)) {
  at <- which(unclassed & kinds == what)[1]
  cat(most[[what]], "x", substr(results$outcome[at], 1, 150), "input", results$number[at], results$verb[at], "\n")
}
beyond <- max(0, sum(unclassed) - floor(wanted / 100))
failed <- sum(wrong) + beyond
cat(sprintf("%.0f passed, %.0f failed\n", nrow(results) - failed, failed))
quit(status = failed > 0)

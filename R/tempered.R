# Draws of a posterior distribution whose likelihood costs little, from draws of the prior: a sequential Monte Carlo
# sampler. The likelihood is raised to powers from 0 to 1, each so much larger than the one before that the particles
# keep half of their effective number; they are weighed and drawn anew by that, and then moved by Metropolis steps.
# Modes that the prior's draws see are kept with their shares, as no particle has to find them.
#
# Del Moral, Doucet, Jasra (2006), Journal of the Royal Statistical Society B 68(3), 411-436,
# doi:10.1111/j.1467-9868.2006.00553.x. The moves are those of differential evolution, which know nothing but the
# particles: ter Braak (2006), Statistics and Computing 16(3), 239-249, doi:10.1007/s11222-006-8769-1.

TEMPER_KEEP <- 0.5
# Moves at a temperature end when particles were moved so often in the mean, but not before TEMPER_SWEEPS[1], nor after
# TEMPER_SWEEPS[2].
TEMPER_MOVED <- 2
TEMPER_SWEEPS <- c(4, 40)

# `from`: draws of the prior, one a row; `log_likelihood` and `log_prior` are functions of such rows, the latter -Inf
# outside, where the former is not asked; `outer`: the layer that takes the line to the prior's support, NULL where it
# is the line. list(draws, log_z, powers, acceptance): as many draws, the log of the mean likelihood under the prior.
tempered_draws <- function(from, log_likelihood, log_prior, outer) {
  at <- function(z) {
    there <- from_the_line(z, outer)
    prior <- log_prior(there$value) + there$logdet
    prior[is.na(prior)] <- -Inf
    likelihood <- rep(-Inf, nrow(z))
    inside <- prior > -Inf
    if (any(inside)) likelihood[inside] <- log_likelihood(there$value[inside, , drop = FALSE])
    likelihood[is.na(likelihood)] <- -Inf
    list(z = z, prior = prior, likelihood = likelihood)
  }
  particles <- at(on_the_line(unname(from), outer)$data)
  if (all(particles$likelihood == -Inf)) {
    stop_arg("The observation has no density under the likelihood at any of {nrow(from)} draws of the prior.")
  }
  power <- 0
  log_z <- 0
  powers <- acceptance <- numeric()
  while (power < 1) {
    step <- next_power(particles$likelihood, power)
    log_w <- step * particles$likelihood
    log_z <- log_z + log_mean_exp(log_w)
    power <- if (power + step >= 1 - 1e-9) 1 else power + step
    n <- length(log_w)
    particles <- pick_particles(particles, spread_rows(n, exp_shares(log_w), n, stats::runif(1)))
    moved <- 0
    sweeps <- 0
    goal <- if (power == 1) 2 * TEMPER_MOVED else TEMPER_MOVED
    while (sweeps < TEMPER_SWEEPS[1] || (moved < goal && sweeps < TEMPER_SWEEPS[2])) {
      swept <- sweep_particles(particles, power, at, jump = sweeps %% 4 == 3)
      particles <- swept$particles
      moved <- moved + swept$accepted
      sweeps <- sweeps + 1
    }
    powers <- c(powers, power)
    acceptance <- c(acceptance, moved / sweeps)
  }
  draws <- name_columns(from_the_line(particles$z, outer)$value, colnames(from))
  list(draws = draws, log_z = log_z, powers = powers, acceptance = acceptance)
}

# The largest step of the power at which the particles keep TEMPER_KEEP of their effective number.
next_power <- function(log_likelihood, power) {
  kept <- function(step) {
    w <- exp_shares(step * log_likelihood)
    1 / sum(w^2) / sum(log_likelihood > -Inf)
  }
  most <- 1 - power
  if (kept(most) >= TEMPER_KEEP) return(most)
  least <- most * 1e-12
  if (kept(least) < TEMPER_KEEP) return(least)
  exp(stats::uniroot(function(s) kept(exp(s)) - TEMPER_KEEP, log(c(least, most)), tol = 1e-3)$root)
}

pick_particles <- function(particles, i) {
  list(z = particles$z[i, , drop = FALSE], prior = particles$prior[i], likelihood = particles$likelihood[i])
}

# Each half of the particles moves by differences of two of the other half, which it does not know: so the move is as
# likely as its way back. With `jump` by whole differences, as they lead from mode to mode.
sweep_particles <- function(particles, power, at, jump) {
  n <- nrow(particles$z)
  d <- ncol(particles$z)
  scale <- if (jump) 1 else 2.38 / sqrt(2 * d)
  order <- sample.int(n)
  halves <- list(order[seq_len(n %/% 2)], order[-seq_len(n %/% 2)])
  accepted <- 0
  for (k in 1:2) {
    i <- halves[[k]]
    others <- halves[[3 - k]]
    a <- others[sample.int(length(others), length(i), replace = TRUE)]
    b <- others[sample.int(length(others), length(i), replace = TRUE)]
    spread <- apply(particles$z[others, , drop = FALSE], 2, stats::sd)
    jitter <- matrix(stats::rnorm(length(i) * d), length(i)) * rep(1e-3 * spread, each = length(i))
    step <- scale * (particles$z[a, , drop = FALSE] - particles$z[b, , drop = FALSE]) + jitter
    new <- at(particles$z[i, , drop = FALSE] + step)
    gain <- power * (new$likelihood - particles$likelihood[i]) + new$prior - particles$prior[i]
    takes <- which(log(stats::runif(length(i))) < gain) # not where it is NaN
    particles$z[i[takes], ] <- new$z[takes, ]
    particles$prior[i[takes]] <- new$prior[takes]
    particles$likelihood[i[takes]] <- new$likelihood[takes]
    accepted <- accepted + length(takes)
  }
  list(particles = particles, accepted = accepted / n)
}

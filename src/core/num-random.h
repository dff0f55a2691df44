/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3"). A draw is a function of (seed, stream, row, index) alone: results do not depend on chunks or threads. */
#ifndef BJ_NUM_RANDOM_H
#define BJ_NUM_RANDOM_H

#include "num-simd.h"

/* A sequence of draws for initial values, shuffles: one number after another. */
typedef struct {
  uint64_t seed, stream, count;
  uint64_t buffer[2];
  int left;
  const bj_workers *workers; /* may stop a long sequence; NULL: nobody does */
} bj_rng;

INLINE int rng_stopped(const bj_rng *rng) {
  return rng->workers && rng->workers->stop && rng->workers->stop(rng->workers->host);
}

static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

static bj_rng rng_start(uint64_t seed, uint64_t stream);
static double rng_uniform(bj_rng *rng); /* in (0, 1) */
static double rng_normal(bj_rng *rng);
static uint64_t rng_below(bj_rng *rng, uint64_t n); /* 0 .. n-1, without modulo bias */

/* For BJ_BLOCK consecutive rows: two independent uniforms in (0, 1), or two independent standard normals, a row.
 * `index` numbers the pairs of one row. */
static void random_uniform2(uint64_t seed, uint64_t first_row, uint32_t index, real *u, real *v);
static void random_normal2(uint64_t seed, uint64_t first_row, uint32_t index, real *u, real *v);

#endif

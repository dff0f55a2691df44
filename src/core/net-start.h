/* Initial weights and biases of nets, by the entry `init` of their specs:
 *
 *   "uniform"    U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))
 *   "identity"   the same, but for the last layer, which is zero
 *   a number s   weights N(0, s^2), biases zero
 */
#ifndef BJ_NET_START_H
#define BJ_NET_START_H

#include "num-random.h"
#include "protocol.h"

typedef struct {
  int zero_last, normal;
  real sd; /* of normal draws */
} net_start;

INLINE net_start net_start_read(bj_build *build, const bj_spec *spec) {
  if (spec_has_numbers(spec, "init")) {
    return (net_start){.normal = 1, .sd = spec_real(build, spec, "init", 0, 1e6)};
  }
  return (net_start){.zero_last = spec_choice(build, spec, "init", "identity", "uniform", NULL) == 0};
}

#define START_PIECE 65536 /* numbers between two looks whether to stop */

/* `n` numbers of a layer with `fan_in` inputs, of its weights or its biases. */
INLINE void net_start_draw(const net_start *start, int last, int bias, int fan_in, long n, real *theta, bj_rng *rng) {
  const int zero = start->normal ? bias || start->sd == 0 : last && start->zero_last;
  const real bound = 1 / sqrt((real)(fan_in > 0 ? fan_in : 1));
  for (long i = 0; i < n; i++) {
    if (i % START_PIECE == 0 && rng_stopped(rng)) return; /* the call gives up */
    theta[i] = zero ? 0 : start->normal ? start->sd * rng_normal(rng) : bound * (2 * rng_uniform(rng) - 1);
  }
}

#endif

/* Every stream of random numbers that the core draws from, under the one seed of a call.
 *
 * The generator is a function of (seed, stream or row, index). Two families of draws meet nowhere:
 *
 *   rng_start(seed, n)                one number after another; n is RNG_INITIAL, or RNG_SHUFFLE + epoch, or a step
 *   random_*2(seed', row, index)      many rows at once, in a part of the counter that rng_* cannot reach
 *
 * where seed' = stream_seed(seed, stream, layer). Seeds of the host have 52 bits. The tag of a stream is exclusive-ored
 * in, the layer's number in the upper 16 bits; the draws of a validation, which are the same every time, have
 * STREAM_VALIDATE on top. No two tags, with or without that of a validation, are equal in their lower 48 bits, and none
 * is zero there: so two streams under one seed never have the same seed'. core-check looks.
 */
#ifndef BJ_NUM_STREAMS_H
#define BJ_NUM_STREAMS_H

#include <stdint.h>

#define BJ_STREAM_LIST(ENTRY)                                                          \
  ENTRY(STREAM_NOISE, 0x6e6f697365)          /* noise on the rows of a batch */        \
  ENTRY(STREAM_PAIR, 0x70616972)             /* draws of the base for flow matching */ \
  ENTRY(STREAM_MATCH, 0x6d61746368)          /* its times */                           \
  ENTRY(STREAM_STEER, 0x5354454552)          /* shifts of the end of a solve */        \
  ENTRY(STREAM_PROBE, 0x70726f6265)          /* probes of traces */                    \
  ENTRY(STREAM_LANE, 0x6c616e65)             /* order of the rows of a lane */         \
  ENTRY(STREAM_VALIDATE, 0x76616c6964617465) /* on top of the others, during a validation */

typedef enum {
#define BJ_STREAM_ENUM(name, tag) name,
  BJ_STREAM_LIST(BJ_STREAM_ENUM)
#undef BJ_STREAM_ENUM
      N_STREAM
} bj_stream;

static inline uint64_t stream_seed(uint64_t seed, bj_stream stream, int layer) {
  static const uint64_t tag[] = {
#define BJ_STREAM_TAG(name, tag) UINT64_C(tag),
      BJ_STREAM_LIST(BJ_STREAM_TAG)
#undef BJ_STREAM_TAG
  };
  return seed ^ tag[stream] ^ (uint64_t)layer << 48;
}

/* Streams of rng_start(). */
enum { RNG_INITIAL = 0, RNG_SHUFFLE = 1 };

/* The seed of a step of an objective of the host, or of draws: another one for every step and, so that the same draws
 * do not fail again, after every rollback. Steps have 31 bits. */
static inline uint64_t step_seed(uint64_t seed, double step, double n_failure) {
  return seed + (uint64_t)step + ((uint64_t)n_failure << 31);
}

#endif

/* Philox4x32-10, one counter at a time and one vector of counters at a time, and what is drawn from it. */
#include "num-random.h"

#define PHILOX_ROUNDS 10
#define PHILOX_MULTIPLIER_0 UINT32_C(0xD2511F53)
#define PHILOX_MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define PHILOX_KEY_STEP_0 UINT32_C(0x9E3779B9)
#define PHILOX_KEY_STEP_1 UINT32_C(0xBB67AE85)

/* The last counter word of random_*; rng_* streams must stay below 2^63, and so never meet it. */
#define ROW_STREAM UINT32_C(0x80000000)

UNUSED static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < PHILOX_ROUNDS; round++) {
    const uint64_t product0 = (uint64_t)PHILOX_MULTIPLIER_0 * c0;
    const uint64_t product1 = (uint64_t)PHILOX_MULTIPLIER_1 * c2;
    c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)product1;
    c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)product0;
    k0 += PHILOX_KEY_STEP_0;
    k1 += PHILOX_KEY_STEP_1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* ---- one number after another ------------------------------------------------------------------------------------ */

UNUSED static bj_rng rng_start(uint64_t seed, uint64_t stream) {
  const bj_rng rng = {.seed = seed, .stream = stream};
  return rng;
}

static uint64_t rng_bits(bj_rng *rng) {
  if (rng->left == 0) {
    const uint32_t counter[4] = {(uint32_t)rng->count, (uint32_t)(rng->count >> 32), (uint32_t)rng->stream,
                                 (uint32_t)(rng->stream >> 32)};
    const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint32_t out[4];
    philox(counter, key, out);
    rng->buffer[0] = out[2] | (uint64_t)out[3] << 32;
    rng->buffer[1] = out[0] | (uint64_t)out[1] << 32;
    rng->left = 2;
    rng->count++;
  }
  return rng->buffer[--rng->left];
}

/* (i + 1/2) 2^-52 for the upper 52 bits i: exact, and never 0 or 1. */
UNUSED static double rng_uniform(bj_rng *rng) { return ((double)(rng_bits(rng) >> 12) + 0.5) * 0x1p-52; }

UNUSED static double rng_normal(bj_rng *rng) {
  const double radius = sqrt(-2.0 * log(rng_uniform(rng)));
  return radius * cos(6.283185307179586477 * rng_uniform(rng));
}

/* Draws of just enough bits, until one is below n: two on average at worst. */
UNUSED static uint64_t rng_below(bj_rng *rng, uint64_t n) {
  uint64_t mask = n - 1, draw;
  for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
  do {
    draw = rng_bits(rng) & mask;
  } while (draw >= n);
  return draw;
}

/* ---- a block of rows at a time ----------------------------------------------------------------------------------- */

/* The rounds are one long chain of dependent operations, so several vectors go through them side by side. */
#define PHILOX_WAYS 2
#if BJ_BLOCK % (PHILOX_WAYS * VECTOR_WORDS) != 0
#error "a block must hold a whole number of groups of PHILOX_WAYS vectors"
#endif
#define FOR_WAYS(i) UNROLL for (int i = 0; i < PHILOX_WAYS; i++)

INLINE vword vwset(uint64_t x) {
  const vword zero = {0};
  return zero + x;
}

/* 128 bits for each of the PHILOX_WAYS * VECTOR_WORDS rows from first_row. A lane holds one 32-bit word; its high half
 * gathers rubbish on the way, which vmul32 does not look at and which is cut off at the end. */
INLINE void philox_rows(uint64_t seed, uint64_t first_row, uint32_t index, vword first[PHILOX_WAYS],
                        vword second[PHILOX_WAYS]) {
  static const uint64_t lane_number[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const vword multiplier0 = vwset(PHILOX_MULTIPLIER_0), multiplier1 = vwset(PHILOX_MULTIPLIER_1);
  const uint64_t low_word = UINT64_C(0xffffffff);
  vword lane, c0[PHILOX_WAYS], c1[PHILOX_WAYS], c2[PHILOX_WAYS], c3[PHILOX_WAYS];
  vword product0[PHILOX_WAYS], product1[PHILOX_WAYS];
  memcpy(&lane, lane_number, sizeof lane);
  FOR_WAYS(i) {
    c0[i] = lane + (first_row + (uint64_t)(i * VECTOR_WORDS));
    c1[i] = c0[i] >> 32;
    c2[i] = vwset(index);
    c3[i] = vwset(ROW_STREAM);
  }
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < PHILOX_ROUNDS; round++) {
    FOR_WAYS(i) product0[i] = vmul32(c0[i], multiplier0);
    FOR_WAYS(i) product1[i] = vmul32(c2[i], multiplier1);
    FOR_WAYS(i) c0[i] = (product1[i] >> 32) ^ c1[i] ^ k0;
    FOR_WAYS(i) c2[i] = (product0[i] >> 32) ^ c3[i] ^ k1;
    FOR_WAYS(i) c1[i] = product1[i];
    FOR_WAYS(i) c3[i] = product0[i];
    k0 += PHILOX_KEY_STEP_0;
    k1 += PHILOX_KEY_STEP_1;
  }
  FOR_WAYS(i) first[i] = (c0[i] & low_word) | c1[i] << 32;
  FOR_WAYS(i) second[i] = (c2[i] & low_word) | c3[i] << 32;
}

/* The same (i + 1/2) 2^-52 as rng_uniform, from 1 + i 2^-52 made of bits; a float holds (i + 1/2) 2^-23 of the upper
 * 23 bits. */
INLINE void store_uniform(real *to, vword bits) {
#ifdef BJ_SINGLE
  uint64_t word[VECTOR_WORDS];
  memcpy(word, &bits, sizeof word);
  for (int i = 0; i < VECTOR_WORDS; i++) to[i] = ((real)(word[i] >> 41) + 0.5f) * 0x1p-23f;
#else
  vstore(to, vfromubits((bits >> 12) | UINT64_C(0x3ff0000000000000)) - (1.0 - 0x1p-53));
#endif
}

UNUSED static void random_uniform2(uint64_t seed, uint64_t first_row, uint32_t index, real *u, real *v) {
  for (int r = 0; r < BJ_BLOCK; r += PHILOX_WAYS * VECTOR_WORDS) {
    vword first[PHILOX_WAYS], second[PHILOX_WAYS];
    philox_rows(seed, first_row + (uint64_t)r, index, first, second);
    FOR_WAYS(i) {
      store_uniform(u + r + i * VECTOR_WORDS, first[i]);
      store_uniform(v + r + i * VECTOR_WORDS, second[i]);
    }
  }
}

/* Box and Muller: radius sqrt(-2 log u) and angle 2 pi v. 4 v is exact, so the quadrant and the angle within it are
 * found without the rounding that a product with 2 pi would bring. Largest radius: 8.57; of floats 5.77. */
UNUSED static void random_normal2(uint64_t seed, uint64_t first_row, uint32_t index, real *u, real *v) {
  random_uniform2(seed, first_row, index, u, v);
  FOR_ROWS(r) {
    const vreal radius = vsqrt((real)-2.0 * vlog_normal(vload(u + r)));
    const vreal turn = 4.0 * vload(v + r);
    const vreal shifted = turn + ROUND_MAGIC;
    const vreal angle = (turn - (shifted - ROUND_MAGIC)) * (real)1.57079632679489661923;
    vreal sine, cosine;
    sincos_quadrant(angle, vubits(shifted), &sine, &cosine);
    vstore(u + r, radius * cosine);
    vstore(v + r, radius * sine);
  }
}

/* Cutting one piece of memory into arrays.
 *
 * A function that carves fills a struct of pointers. Run dry, with memory NULL, it measures: `used` is then the reals
 * that the memory must have. So what an array is for, how long it is and where it stands is said once. */
#ifndef BJ_NUM_CARVE_H
#define BJ_NUM_CARVE_H

#include "num-simd.h"

#define CARVE_LINE (64 / (long)sizeof(real)) /* every array starts on a line of 64 bytes, if the memory does */

typedef struct {
  real *memory; /* NULL: measures only */
  int64_t used;
} carver;

/* n reals. */
INLINE real *carve(carver *from, int64_t n) {
  real *array = from->memory ? from->memory + from->used : NULL;
  from->used += (n + CARVE_LINE - 1) / CARVE_LINE * CARVE_LINE;
  return array;
}

/* n reals right behind the last array, for slices of parameters. */
INLINE real *carve_exact(carver *from, long n) {
  real *array = from->memory ? from->memory + from->used : NULL;
  from->used += n;
  return array;
}

/* [block][n][BJ_BLOCK], with room for a chunk's blocks. */
#define CHUNK_ROWS(n) ((int64_t)(n)*BJ_CHUNK * BJ_BLOCK)
INLINE real *carve_rows(carver *from, long n) { return carve(from, CHUNK_ROWS(n)); }

/* For a node with n_cache and n_work and a function carve(node, cache, work): what that makes of the memory of a pass,
 * and its measures. */
#define CARVE(carve_node, node, pass) \
  carve_node(node, &(carver){.memory = (pass)->cache}, &(carver){.memory = (pass)->work})
/* too large is too large: the size need not fit into a long */
#define SIZE_OR_MORE(used) ((long)((used) > SIZE_MOST ? SIZE_MOST + 1 : (used)))
#define MEASURE(carve_node, node)                \
  do {                                           \
    carver cache_ = {0}, work_ = {0};            \
    carve_node(node, &cache_, &work_);           \
    (node)->n_cache = SIZE_OR_MORE(cache_.used); \
    (node)->n_work = SIZE_OR_MORE(work_.used);   \
  } while (0)

/* Memory of the host for n reals, on a line. */
static inline real *carve_block(const bj_memory *memory, int64_t n) {
  real *block = memory->alloc(memory->host, sizeof(real) * (size_t)(n + CARVE_LINE));
  return block + (CARVE_LINE - (long)((uintptr_t)block / sizeof(real) % CARVE_LINE)) % CARVE_LINE;
}

#endif

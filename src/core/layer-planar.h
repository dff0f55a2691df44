/* The formulas of planar layers for a vector of rows (see layer-planar.c). */
#ifndef BJ_LAYER_PLANAR_H
#define BJ_LAYER_PLANAR_H

#include "num-planar.h"

/* ---- rows -------------------------------------------------------------------------------------------------------- */

typedef struct {
  vreal h, slope, det; /* h(a), h'(a), D */
} planar_point;

/* From what the cache keeps: tanh(a), or a. */
INLINE planar_point planar_point_of(vreal kept, vreal s, int is_tanh, real leak) {
  if (is_tanh) {
    const vreal square = kept * kept, slope = 1.0 - square;
    return (planar_point){kept, slope, square + slope * s};
  }
  const vint negative = vlt(kept, vset(0));
  const vreal slope = vselect(negative, vset(leak), vset(1));
  return (planar_point){kept * slope, slope, vselect(negative, vset(1 - leak), vset(0)) + slope * s};
}

#endif

/* The planar field (see field-planar.c) in one to three coordinates, at a time that all rows share. */
#include "field-planar.h"

INLINE real small_units_total(const small_units *at) {
  real total = 0;
  for (int i = 0; i < at->units; i++) total += at->gate[i];
  return total;
}

INLINE void small_units_value_d(const small_units *at, int d, int probe) {
  const real total = small_units_total(at);
  for (int first = 0; first < BJ_BLOCK; first += TANH_WAYS * BJ_LANES) {
    vreal z[SMALL_UNITS_MAX_D][TANH_WAYS], f[SMALL_UNITS_MAX_D][TANH_WAYS], e[SMALL_UNITS_MAX_D][TANH_WAYS];
    vreal trace[TANH_WAYS];
    UNROLL for (int k = 0; k < TANH_WAYS; k++) {
      trace[k] = probe ? vset(0) : vset(total * d);
      UNROLL for (int j = 0; j < d; j++) {
        const long row = (long)j * BJ_BLOCK + first + k * BJ_LANES;
        z[j][k] = vload(at->z + row);
        f[j][k] = total * z[j][k];
        e[j][k] = probe ? vload(at->probe + row) : vset(0);
        if (probe) trace[k] += total * e[j][k] * e[j][k];
      }
    }
    for (int i = 0; i < at->units; i++) {
      const real g = at->gate[i], *w = at->w + i, *u = at->u + i;
      vreal h[TANH_WAYS];
      UNROLL for (int k = 0; k < TANH_WAYS; k++) {
        h[k] = vset(at->b[i]);
        UNROLL for (int j = 0; j < d; j++) h[k] += w[j * at->units] * z[j][k];
      }
      vtanh_ways(h);
      UNROLL for (int k = 0; k < TANH_WAYS; k++) {
        vstore(at->h + (long)i * BJ_BLOCK + first + k * BJ_LANES, h[k]);
        vreal slope = vset(at->c[i]);
        if (probe) {
          vreal p = vset(0), v = vset(0);
          UNROLL for (int j = 0; j < d; j++) {
            p += w[j * at->units] * e[j][k];
            v += u[j * at->units] * e[j][k];
          }
          slope = p * v;
        }
        trace[k] += g * slope * (1.0 - h[k] * h[k]);
        UNROLL for (int j = 0; j < d; j++) f[j][k] += g * u[j * at->units] * h[k];
      }
    }
    UNROLL for (int k = 0; k < TANH_WAYS; k++) {
      UNROLL for (int j = 0; j < d; j++) vstore(at->f + (long)j * BJ_BLOCK + first + k * BJ_LANES, f[j][k]);
      if (at->trace) vstore(at->trace + first + k * BJ_LANES, trace[k]);
    }
  }
}

/* Unit after unit, so that its sums over rows stay in registers; gz is gathered in memory. */
INLINE void small_units_vjp_d(const small_units *at, int d, int probe) {
  const real total = small_units_total(at);
  vreal common = vset(0);
  FOR_ROWS(r) {
    const vreal gt = at->trace ? vload(at->gt + r) : vset(0);
    vreal square = probe ? vset(0) : vset(d);
    UNROLL for (int j = 0; j < d; j++) {
      const long row = (long)j * BJ_BLOCK + r;
      const vreal gf = vload(at->gf + row), e = probe ? vload(at->probe + row) : vset(0);
      common += gf * vload(at->z + row);
      square += e * e;
      vstore(at->gz + row, total * gf);
    }
    common += square * gt;
  }
  const real common_sum = vsum(common);
  for (int i = 0; i < at->units; i++) {
    const real g = at->gate[i], *w = at->w + i, *u = at->u + i;
    vreal gw[SMALL_UNITS_MAX_D], gu[SMALL_UNITS_MAX_D], gb = vset(0), gc = vset(0), gg = vset(0);
    UNROLL for (int j = 0; j < d; j++) gw[j] = gu[j] = vset(0);
    UNROLL FOR_ROWS(r) {
      const vreal h = vload(at->h + (long)i * BJ_BLOCK + r), q = 1.0 - h * h;
      const vreal gt = at->trace ? vload(at->gt + r) : vset(0), qt = q * gt;
      vreal uf = vset(0), p = vset(0), v = vset(0);
      UNROLL for (int j = 0; j < d; j++) {
        uf += u[j * at->units] * vload(at->gf + (long)j * BJ_BLOCK + r);
        if (!probe) continue;
        const vreal e = vload(at->probe + (long)j * BJ_BLOCK + r);
        p += w[j * at->units] * e;
        v += u[j * at->units] * e;
      }
      const vreal slope = probe ? p * v : vset(at->c[i]);
      const vreal ga = g * q * (uf - 2.0 * h * slope * gt);
      UNROLL for (int j = 0; j < d; j++) {
        const long row = (long)j * BJ_BLOCK + r;
        gw[j] += ga * vload(at->z + row);
        gu[j] += h * vload(at->gf + row);
        vstore(at->gz + row, vload(at->gz + row) + w[j * at->units] * ga);
        if (!probe) continue;
        const vreal e = vload(at->probe + row);
        gw[j] += g * qt * v * e;
        gu[j] += qt * p * e;
      }
      gb += ga;
      gc += qt;
      gg += h * uf + slope * qt;
    }
    UNROLL for (int j = 0; j < d; j++) {
      at->gw[i + j * at->units] += vsum(gw[j]);
      at->gu[i + j * at->units] += g * vsum(gu[j]);
    }
    at->gb[i] += vsum(gb);
    if (!probe) at->gc[i] += g * vsum(gc);
    at->ggate[i] += vsum(gg) + common_sum;
  }
}

#define SMALL_UNITS_INSTANCE(d)                                \
  NOINLINE void small_units_value_##d(const small_units *at) { \
    BY_FLAG(at->probe != NULL, small_units_value_d, at, d);    \
  }                                                            \
  NOINLINE void small_units_vjp_##d(const small_units *at) { BY_FLAG(at->probe != NULL, small_units_vjp_d, at, d); }
SMALL_UNITS_INSTANCE(1)
SMALL_UNITS_INSTANCE(2)
SMALL_UNITS_INSTANCE(3)

static void small_units_value(const small_units *at, int d) {
  static void (*const instance[])(const small_units *) = {small_units_value_1, small_units_value_2,
                                                          small_units_value_3};
  instance[d - 1](at);
}

static void small_units_vjp(const small_units *at, int d) {
  static void (*const instance[])(const small_units *) = {small_units_vjp_1, small_units_vjp_2, small_units_vjp_3};
  instance[d - 1](at);
}

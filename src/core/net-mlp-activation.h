/* Activations of mlp: value and derivative.
 *
 *   relu max(0, t);  tanh;  elu t or e^t - 1;  silu t sigmoid(t);  softplus log(1 + e^t);  sin
 *   gelu 0.5 t (1 + tanh(sqrt(2/pi) (t + 0.044715 t^3))), its usual tanh form
 */
#ifndef BJ_NET_MLP_ACTIVATION_H
#define BJ_NET_MLP_ACTIVATION_H

#include "num-simd.h"

typedef enum { RELU, TANH, ELU, GELU, SILU, SOFTPLUS, SINE, N_ACTIVATION } mlp_activation;
static const char *const mlp_activation_name[N_ACTIVATION] = {"relu", "tanh", "elu", "gelu", "silu", "softplus", "sin"};

/* Returns the value. */
INLINE vreal activation_value(mlp_activation kind, vreal t, vreal *derivative) {
  vreal s, v;
  switch (kind) {
    case TANH:
      v = vtanh(t);
      *derivative = vset(1) - v * v;
      return v;
    case ELU:
      v = vexpm1(vmin(t, vset(0)));
      *derivative = vselect(vlt(vset(0), t), vset(1), v + vset(1));
      return vselect(vlt(vset(0), t), t, v);
    case GELU: {
      const vreal near = vmax(vset(-100), vmin(vset(100), t)); /* tanh is +-1 there; a far t would overflow */
      s = vtanh(vset(0.7978845608028654) * (near + vset(0.044715) * near * near * near));
      *derivative = vset(0.5) * (vset(1) + s) + vset(0.5) * near * (vset(1) - s * s) * vset(0.7978845608028654) *
                                                    (vset(1) + vset(3 * 0.044715) * near * near);
      return vset(0.5) * t * (vset(1) + s);
    }
    case SILU:
      s = vsigmoid(t);
      *derivative = s * (vset(1) + t * (vset(1) - s));
      return t * s;
    case SOFTPLUS:
      return vsoftplus_sigmoid(t, derivative);
    case SINE:
      vsincos(t, &v, derivative);
      return v;
    default:
      *derivative = vselect(vlt(vset(0), t), vset(1), vset(0));
      return vmax(t, vset(0));
  }
}

/* The second derivative, from t and what activation_value() gave; for the smooth ones that vector fields take. */
INLINE vreal activation_bend(mlp_activation kind, vreal t, vreal value, vreal slope) {
  vreal s;
  switch (kind) {
    case TANH:
      return -2.0 * value * slope;
    case ELU:
      return vselect(vlt(vset(0), t), vset(0), slope);
    case SILU:
      s = vsigmoid(t);
      return s * (1.0 - s) * (2.0 + t * (1.0 - 2.0 * s));
    case SOFTPLUS:
      return slope * (1.0 - slope);
    default: /* SINE */
      return -value;
  }
}

/* In place on rows lo..hi of `units` units: t becomes act(t), and act'(t) is written `units` rows further on. */
#define ACTIVATION_INSTANCE(name, kind)                                                          \
  NOINLINE void activate_##name(real *t, int units, int lo, int hi, int nb, long block_stride) { \
    for (int b = 0; b < nb; b++, t += block_stride) {                                            \
      for (long i = (long)lo * BJ_BLOCK; i < (long)hi * BJ_BLOCK; i += BJ_LANES) {               \
        vreal derivative;                                                                        \
        vstore(t + i, activation_value(kind, vload(t + i), &derivative));                        \
        vstore(t + i + (long)units * BJ_BLOCK, derivative);                                      \
      }                                                                                          \
    }                                                                                            \
  }
ACTIVATION_INSTANCE(tanh, TANH)
ACTIVATION_INSTANCE(elu, ELU)
ACTIVATION_INSTANCE(gelu, GELU)
ACTIVATION_INSTANCE(silu, SILU)
ACTIVATION_INSTANCE(softplus, SOFTPLUS)
ACTIVATION_INSTANCE(sin, SINE)
/* relu is fused into the product that it follows, and its derivative is read off its value. */
static void (*const mlp_activate[N_ACTIVATION])(real *, int, int, int, int, long) = {
    NULL, activate_tanh, activate_elu, activate_gelu, activate_silu, activate_softplus, activate_sin};

#endif

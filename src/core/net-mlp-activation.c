/* Activations: value and derivatives.
 *
 *   relu max(0, t);  tanh;  elu t or e^t - 1;  silu t sigmoid(t);  softplus log(1 + e^t);  sin
 *   gelu 0.5 t (1 + tanh(sqrt(2/pi) (t + 0.044715 t^3))), its usual tanh form
 *   sigmoid 1 / (1 + e^-t);  leaky_relu max(t, 0.01 t);  selu l t or l a (e^t - 1), l 1.0507..., a 1.6732...
 */
#include "net-mlp-activation.h"

/* act_NAME returns the value; act_NAME_bend, from t and what that gave, the second derivative. */
INLINE vreal act_tanh(vreal t, vreal *slope) {
  const vreal v = vtanh(t);
  *slope = vset(1) - v * v;
  return v;
}
INLINE vreal act_tanh_bend(vreal t, vreal value, vreal slope) { return (void)t, (real)-2.0 * value * slope; }

INLINE vreal act_elu(vreal t, vreal *slope) {
  const vreal v = vexpm1(vmin(t, vset(0)));
  *slope = vselect(vlt(vset(0), t), vset(1), v + vset(1));
  return vselect(vlt(vset(0), t), t, v);
}
INLINE vreal act_elu_bend(vreal t, vreal value, vreal slope) {
  return (void)value, vselect(vlt(vset(0), t), vset(0), slope);
}

INLINE vreal act_gelu(vreal t, vreal *slope) {
  const vreal near = vmax(vset(-100), vmin(vset(100), t)); /* tanh is +-1 there; a far t would overflow */
  const vreal s = vtanh(vset(0.7978845608028654) * (near + vset(0.044715) * near * near * near));
  *slope = vset(0.5) * (vset(1) + s) + vset(0.5) * near * (vset(1) - s * s) * vset(0.7978845608028654) *
                                           (vset(1) + vset(3 * 0.044715) * near * near);
  return vset(0.5) * t * (vset(1) + s);
}

INLINE vreal act_silu(vreal t, vreal *slope) {
  const vreal s = vsigmoid(t);
  *slope = s * (vset(1) + t * (vset(1) - s));
  return t * s;
}
INLINE vreal act_silu_bend(vreal t, vreal value, vreal slope) {
  const vreal s = vsigmoid(t);
  return (void)value, (void)slope, s * (1.0 - s) * (2.0 + t * (1.0 - 2.0 * s));
}

INLINE vreal act_softplus(vreal t, vreal *slope) { return vsoftplus_sigmoid(t, slope); }
INLINE vreal act_softplus_bend(vreal t, vreal value, vreal slope) {
  return (void)t, (void)value, slope * (1.0 - slope);
}

INLINE vreal act_sin(vreal t, vreal *slope) {
  vreal v;
  vsincos(t, &v, slope);
  return v;
}
INLINE vreal act_sin_bend(vreal t, vreal value, vreal slope) { return (void)t, (void)slope, -value; }

INLINE vreal act_sigmoid(vreal t, vreal *slope) {
  const vreal s = vsigmoid(t);
  *slope = s * (1.0 - s);
  return s;
}
INLINE vreal act_sigmoid_bend(vreal t, vreal value, vreal slope) { return (void)t, slope * (1.0 - 2.0 * value); }

INLINE vreal act_leaky_relu(vreal t, vreal *slope) {
  *slope = vselect(vlt(vset(0), t), vset(1), vset(0.01));
  return t * *slope;
}

#define SELU_SCALE 1.0507009873554804934
#define SELU_ALPHA 1.6732632423543772848
INLINE vreal act_selu(vreal t, vreal *slope) {
  const vreal v = vset(SELU_SCALE * SELU_ALPHA) * vexpm1(vmin(t, vset(0)));
  *slope = vselect(vlt(vset(0), t), vset(SELU_SCALE), v + vset(SELU_SCALE * SELU_ALPHA));
  return vselect(vlt(vset(0), t), vset(SELU_SCALE) * t, v);
}

#define ACTIVATION_APPLY(name)                                     \
  NOINLINE void act_##name##_apply(real *t, real *slope, long n) { \
    for (long i = 0; i < n; i += BJ_LANES) {                       \
      vreal derivative;                                            \
      vstore(t + i, act_##name(vload(t + i), &derivative));        \
      vstore(slope + i, derivative);                               \
    }                                                              \
  }
#define ACTIVATION_BEND(name)                                                       \
  NOINLINE void act_##name##_apply_bend(real *t, real *slope, real *bend, long n) { \
    for (long i = 0; i < n; i += BJ_LANES) {                                        \
      vreal derivative;                                                             \
      const vreal before = vload(t + i), value = act_##name(before, &derivative);   \
      vstore(t + i, value);                                                         \
      vstore(slope + i, derivative);                                                \
      vstore(bend + i, act_##name##_bend(before, value, derivative));               \
    }                                                                               \
  }
ACTIVATION_APPLY(tanh)
ACTIVATION_APPLY(elu)
ACTIVATION_APPLY(gelu)
ACTIVATION_APPLY(silu)
ACTIVATION_APPLY(softplus)
ACTIVATION_APPLY(sin)
ACTIVATION_APPLY(sigmoid)
ACTIVATION_APPLY(leaky_relu)
ACTIVATION_APPLY(selu)
ACTIVATION_BEND(tanh)
ACTIVATION_BEND(elu)
ACTIVATION_BEND(silu)
ACTIVATION_BEND(softplus)
ACTIVATION_BEND(sin)
ACTIVATION_BEND(sigmoid)

static const activation *activation_read(bj_build *build, const bj_spec *spec) {
  static const activation activations[] = {
      {NULL, NULL}, /* relu */
      {act_tanh_apply, act_tanh_apply_bend},
      {act_elu_apply, act_elu_apply_bend},
      {act_gelu_apply, NULL},
      {act_silu_apply, act_silu_apply_bend},
      {act_softplus_apply, act_softplus_apply_bend},
      {act_sin_apply, act_sin_apply_bend},
      {act_sigmoid_apply, act_sigmoid_apply_bend},
      {act_leaky_relu_apply, NULL},
      {act_selu_apply, NULL},
  };
  return activations + spec_choice(build, spec, "activation", "relu", "tanh", "elu", "gelu", "silu", "softplus", "sin",
                                   "sigmoid", "leaky_relu", "selu", NULL);
}

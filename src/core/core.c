/* The core as one translation unit: everything static, in an order in which each file finds what it uses. Included by
 * core-baseline.c, core-avx2.c and core-avx512.c with BJ_LANES, BJ_ISA and BJ_CORE set. */
#include "core.h"
#include "num-simd.h"
#include "single.h"

#include "num-random.c"
#include "num-gemm.c"
#include "num-gemm-grad.c"
#include "spec.c"

#include "scalar-affine.c"
#include "scalar-rq_spline-bin.c"
#include "scalar-rq_spline.c"
#include "scalar-tanh_affine.c"
#include "scalar-leaky_relu.c"
#include "scalar-leaky_tanh.c"
#include "scalar-tanh.c"
#include "scalar-tanh_plus_linear.c"
#include "scalar-sigmoid.c"
#include "scalar-softplus.c"
#include "scalar-exp.c"
#include "scalar-power.c"
#include "scalar-cubic_conjugation.c"
#include "scalar-sinh_conjugation.c"
#include "scalar-cubic_rational.c"
#include "scalar-sinh.c"
#include "scalar-tan.c"
#include "scalar-gaussian_cdf.c"
#include "scalar-beta_stretch.c"
#include "scalar-support.c"
#include "scalar-tail.c"
#include "scalar-chain.c"
#include "scalar-invert.c"
#include "scalar-default.c"

#include "net-common.c"
#include "net-mlp-activation.c"
#include "net-mlp-small.c"
#include "net-mlp.c"
#include "single-net.c"
#include "net-fourier.c"
#include "net-polynomial.c"
#include "net-separate.c"
#include "net-bounded.c"
#include "net-embedding.c"
#include "net-set.c"
#include "net-r.c"

#include "field-planar-gates.c"
#include "field-planar-small.c"
#include "field-planar-rows.c"
#include "field-planar.c"
#include "field-mlp.c"
#include "field-mlp-form.c"
#include "single-field.c"

#include "solver-tsit5.c"
#include "solver-rk4.c"
#include "solver-euler.c"

#include "solve-plan.c"
#include "solve-step.c"
#include "solve-forward.c"
#include "solve-vjp.c"

#include "layer-chain.c"
#include "layer-invert.c"
#include "layer-permute.c"
#include "layer-elementwise.c"
#include "layer-conditioned-common.c"
#include "layer-coupling.c"
#include "layer-autoregressive.c"
#include "layer-standardize.c"
#include "layer-planar.c"
#include "layer-triangular_affine.c"
#include "layer-additive_condition.c"
#include "layer-householder.c"
#include "layer-lu_linear.c"
#include "layer-block_autoregressive-network.c"
#include "layer-block_autoregressive.c"
#include "layer-radial-common.c"
#include "layer-radial.c"
#include "layer-radial_conditional.c"
#include "layer-continuous.c"
#include "layer-r.c"

#include "base-common.c"
#include "layer-default.c"

#include "base-normal.c"
#include "base-logistic.c"
#include "base-student-common.c"
#include "base-student_t.c"
#include "base-uniform.c"
#include "base-laplace.c"
#include "base-cauchy.c"
#include "base-gumbel.c"
#include "base-covariance-common.c"
#include "base-mvnormal.c"
#include "base-mixture.c"
#include "base-mvstudent_t.c"
#include "base-gaussian_mixture.c"
#include "base-categorical.c"

#include "opt-adam.c"
#include "opt-adamw.c"
#include "opt-amsgrad.c"
#include "opt-sgd.c"

#include "schedule.c"
#include "schedule-constant.c"
#include "schedule-cosine.c"
#include "schedule-exponential.c"
#include "schedule-one_cycle.c"

#include "loss-maximum_likelihood.c"
#include "loss-flow_matching.c"
#include "loss-interval_likelihood.c"

#include "draw_loss-common.c"
#include "draw_loss-reverse_kl.c"
#include "draw_loss-renyi.c"
#include "draw_loss-importance_weighted.c"

#include "program.c"

#include "kinds.c"
#include "rows.c"
#include "ranges.c"
#include "flow.c"
#include "flow-draw.c"
#include "draws.c"

#include "train-rows.c"
#include "train.c"

#include "em.c"
#include "logits.c"
#include "near.c"

#include "num-hooks.c"

const bj_core BJ_CORE = {
    .isa = BJ_ISA,
    .lanes = BJ_LANES,
    .kinds = kinds,
    .flow_build = flow_build,
    .flow_describe = flow_describe,
    .flow_init = flow_init,
    .flow_map = flow_map,
    .flow_draw = flow_draw,
    .flow_draw_vjp = flow_draw_vjp,
    .flow_given = flow_given,
    .draw_step = draw_step,
    .program_evaluate = program_evaluate,
    .optimizer_moments = optimizer_moments,
    .train = train,
    .normal_mixture = normal_mixture,
    .near_kernels = near_kernels,
    .logits_loss = logits_loss,
    .num_apply = num_apply,
    .num_gemm = num_gemm,
    .num_philox = philox,
    .probe = probe,
};

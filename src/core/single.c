/* The copy of nets and fields whose reals are floats, as one translation unit: see single.h. Included by
 * core-baseline-single.c, core-avx2-single.c and core-avx512-single.c, with BJ_LANES and BJ_SINGLE_CORE set.
 */
#ifndef BJ_SINGLE
#define BJ_SINGLE
#endif
#define BJ_SUM_DOUBLE
#include "single.h"
#include "num-simd.h"

#include "num-random.c"
#include "num-gemm.c"
#include "num-gemm-grad.c"
#include "spec.c"

#include "net-mlp-activation.c"
#include "net-mlp-small.c"
#include "net-mlp.c"
#include "field-mlp.c"
#include "field-mlp-form.c"

static bj_status single_net_build(const bj_spec *spec, const bj_single_request *request, const bj_memory *memory,
                                  bj_error *error, bj_single_node *out) {
  bj_build build = {.memory = memory, .error = error, .family = "net"};
  bj_net *net = build_alloc(&build, sizeof(bj_net));
  const bj_net_request asked = {
      .n_in = request->n_in,
      .n_out = request->n_out,
      .in_rank = request->in_rank,
      .out_rank = request->out_rank,
      .in_column = request->in_column,
      .n_rank = request->n_rank,
      .n_condition = request->n_condition,
  };
  net->kind = &net_mlp;
  net->n_in = request->n_in;
  net->n_out = request->n_out;
  const bj_status status = net_mlp.build(net, spec, &asked, &build);
  *out = (bj_single_node){.node = net, .n_cache = net->n_cache, .n_work = net->n_work};
  return status;
}

static void single_net_run(const bj_single_node *node, bj_single_call call, int rank, const bj_single_pass *at) {
  const bj_net *net = node->node;
  const int masked = ((const mlp *)net->self)->masked;
  const bj_net_pass pass = {
      .nb = at->nb,
      .theta = masked ? NULL : at->weights,
      .prep = masked ? at->weights : NULL,
      .x = at->x,
      .y = at->y,
      .cache = at->cache,
      .work = at->work,
      .gy = at->gy,
      .gx = at->gx,
      .gtheta = masked ? NULL : at->gweights,
      .gprep = masked ? at->gweights : NULL,
  };
  switch (call) {
    case BJ_SINGLE_FORWARD:
      net_mlp.forward(net, &pass);
      break;
    case BJ_SINGLE_VJP:
      net_mlp.vjp(net, &pass);
      break;
    case BJ_SINGLE_FORWARD_RANK:
      net_mlp.forward_rank(net, &pass, rank);
      break;
    case BJ_SINGLE_VJP_RANK:
      net_mlp.vjp_rank(net, &pass, rank);
      break;
    case BJ_SINGLE_VJP_FINISH:
      net_mlp.vjp_finish(net, &pass);
      break;
  }
}

static bj_status single_field_build(const bj_spec *spec, int d, int n_condition, int group, const bj_memory *memory,
                                    bj_error *error, bj_single_node *out) {
  bj_build build = {.memory = memory, .error = error, .family = "field"};
  bj_field *field = build_alloc(&build, sizeof(bj_field));
  field->kind = &field_mlp;
  field->d = d;
  field->n_condition = n_condition;
  field->group = group;
  const bj_status status = field_mlp.build(field, spec, &build);
  *out = (bj_single_node){.node = field,
                          .n_cache = field->n_cache,
                          .n_work = field->n_work,
                          .n_fixed = field->n_fixed,
                          .n_gfixed = field->n_gfixed};
  return status;
}

static void single_field_begin(const bj_single_node *node, const float *weights, float *fixed) {
  field_mlp.begin(node->node, weights, NULL, fixed);
}

static void single_field_begin_vjp(const bj_single_node *node, const float *weights, const float *fixed,
                                   const double *gfixed, double *gweights) {
  field_mlp.begin_vjp(node->node, weights, NULL, fixed, gfixed, gweights);
}

static bj_field_pass single_field_pass(const bj_field *field, const bj_single_field_pass *at) {
  return (bj_field_pass){
      .nb = at->nb,
      .stride = (long)field->d * BJ_BLOCK,
      .theta = at->weights,
      .time = at->time,
      .times = at->times,
      .condition = at->condition,
      .z = at->z,
      .f = at->f,
      .trace = at->trace,
      .square = at->square,
      .probe = at->probe,
      .fixed = at->fixed,
      .cache = at->cache,
      .work = at->work,
      .gf = at->gf,
      .gtrace = at->gtrace,
      .gsquare = at->gsquare,
      .gz = at->gz,
      .gtheta = at->gweights,
      .gfixed = at->gfixed,
      .gcondition = at->gcondition,
  };
}

static void single_field_value(const bj_single_node *node, const bj_single_field_pass *at) {
  const bj_field_pass pass = single_field_pass(node->node, at);
  field_mlp.value(node->node, &pass);
}

static void single_field_vjp(const bj_single_node *node, const bj_single_field_pass *at) {
  const bj_field_pass pass = single_field_pass(node->node, at);
  field_mlp.vjp(node->node, &pass);
}

const bj_single BJ_SINGLE_CORE = {
    .net_build = single_net_build,
    .net_run = single_net_run,
    .field_build = single_field_build,
    .field_begin = single_field_begin,
    .field_begin_vjp = single_field_begin_vjp,
    .field_value = single_field_value,
    .field_vjp = single_field_vjp,
};

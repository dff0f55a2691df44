/* Perceptrons in single precision: what the core, whose reals are doubles, asks of a second copy of the files of nets
 * and products, whose reals are floats (single.c). Their weights, inputs and hidden layers are floats; what goes in and
 * comes out is converted by the core (single-net.c, single-field.c), where all else stays double.
 *
 * No `real` stands here, since it is another type on either side. Arrays are [block][rows][BJ_BLOCK], as in
 * protocol.h. Parameters are those that the kind reads itself: of masked nets the sorted weights of its prep, else
 * theta.
 */
#ifndef BJ_SINGLE_H
#define BJ_SINGLE_H

#include "core.h"

typedef struct {
  const void *node;       /* a bj_net or a bj_field of the copy */
  long n_cache, n_work;   /* floats */
  long n_fixed, n_gfixed; /* of a field: floats, doubles */
} bj_single_node;

typedef struct {
  int n_in, n_out;
  const int *in_rank, *out_rank, *in_column;
  int n_rank, n_condition;
} bj_single_request;

typedef struct {
  int nb;
  const float *weights; /* theta, or the prep of masked nets */
  const float *x;
  float *y, *cache, *work;
  const float *gy;
  float *gx;        /* as of bj_net_pass */
  double *gweights; /* as weights, added to */
} bj_single_pass;

typedef struct {
  int nb;
  const float *weights;
  float time;
  const float *times; /* or NULL */
  const float *condition, *z, *probe, *fixed;
  float *f, *trace, *square; /* blocks d rows apart, as those of z */
  float *cache, *work;
  const float *gf, *gtrace, *gsquare;
  float *gz, *gcondition;
  double *gweights, *gfixed;
} bj_single_field_pass;

/* What net_run() runs: a function of the table of kinds. */
typedef enum {
  BJ_SINGLE_FORWARD,
  BJ_SINGLE_VJP,
  BJ_SINGLE_FORWARD_RANK,
  BJ_SINGLE_VJP_RANK,
  BJ_SINGLE_VJP_FINISH
} bj_single_call;

typedef struct {
  bj_status (*net_build)(const bj_spec *spec, const bj_single_request *request, const bj_memory *memory,
                         bj_error *error, bj_single_node *out);
  void (*net_run)(const bj_single_node *net, bj_single_call call, int rank, const bj_single_pass *pass);
  bj_status (*field_build)(const bj_spec *spec, int d, int n_condition, int group, const bj_memory *memory,
                           bj_error *error, bj_single_node *out);
  void (*field_begin)(const bj_single_node *field, const float *weights, float *fixed);
  void (*field_begin_vjp)(const bj_single_node *field, const float *weights, const float *fixed, const double *gfixed,
                          double *gweights);
  void (*field_value)(const bj_single_node *field, const bj_single_field_pass *pass);
  void (*field_vjp)(const bj_single_node *field, const bj_single_field_pass *pass);
} bj_single;

extern const bj_single bj_single_baseline;
extern const bj_single bj_single_avx2;
extern const bj_single bj_single_avx512;

#endif

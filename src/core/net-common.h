/* A net in a layer, a field or another net: where its parameters and prep stand among its owner's, and its rows. */
#ifndef BJ_NET_COMMON_H
#define BJ_NET_COMMON_H

#include "num-carve.h"
#include "num-rows.h"
#include "protocol.h"

typedef struct net_slot {
  bj_net *net; /* NULL: none */
  long theta_at, prep_at;
  int condition_at, n_condition; /* which of its inputs are conditions */
} net_slot;

/* What a net takes of its owner's memory. */
typedef struct {
  real *y, *cache;      /* output, of the owner's cache */
  real *gy, *gx, *work; /* cotangent of the output, gradient of the input, of the owner's work */
} net_rows;

/* Adds the net's sizes to those of its owner. Conditions are the last of its inputs, or with masks the first. */
static bj_status net_slot_build(bj_build *build, const bj_spec *spec, const bj_net_request *request, int n_condition,
                                const char *where, long *n_param, long *n_prep, net_slot *slot);
static void net_slot_describe(const net_slot *slot, const char *name, bj_describe *out);
static void net_slot_init(const net_slot *slot, real *theta, bj_rng *rng);
static void net_slot_prepare(const net_slot *slot, const real *theta, real *prep);
static void net_slot_prepare_vjp(const net_slot *slot, const real *gprep, real *gtheta);
INLINE net_rows net_slot_carve(const net_slot *slot, carver *cache, carver *work);

/* These take a pass with theta, prep, gtheta and gprep of the owner. The vjp adds the gradient of the inputs that are
 * conditions to gcondition (NULL: not wanted), and leaves gx alone where all are and nobody wants it. */
static void net_slot_forward(const net_slot *slot, bj_net_pass owner);
static void net_slot_vjp(const net_slot *slot, bj_net_pass owner, real *gcondition);
/* For nets that are run rank after rank: the net's own pass, and the end of net_slot_vjp(). */
static bj_net_pass net_slot_pass(const net_slot *slot, bj_net_pass owner);
static void net_slot_gcondition(const net_slot *slot, const bj_net_pass *pass, real *gcondition);

/* What a net takes of an owner that is a net itself, makes its inputs and hands on what it gives. */
typedef struct {
  real *x, *cache; /* inputs, of the owner's cache */
  real *gx, *work; /* their gradients, of the owner's work */
} net_inputs;

INLINE net_inputs net_inputs_carve(const net_slot *slot, carver *cache, carver *work);
static bj_net_pass net_inputs_pass(const net_slot *slot, const net_inputs *at, bj_net_pass owner);

/* Of a kind that puts numbers of its own in the place of some conditions: the first member of its `self`. The net
 * behind it reads [x, c', new], or with masks [c', new, x], where c' are the conditions that are left. */
typedef struct net_exchange {
  int n_kept, first;    /* first: of the new ones among the net's inputs */
  const int *kept, *to; /* inputs that are handed on, and as which of the net's */
  const int *in_rank;   /* of the owner's inputs; NULL without masks */
  net_slot inner;
  /* make() fills the new ones in at->x. back() takes their gradients from at->gx: it adds to the parameters' and, where
   * pass->gx is not NULL, writes those of the conditions that went. */
  void (*make)(const bj_net *owner, const bj_net_pass *pass, const net_inputs *at);
  void (*back)(const bj_net *owner, const bj_net_pass *pass, const net_inputs *at);
} net_exchange;

/* gone[i]: whether the owner's input i, a condition, is not handed on; `wide`: how many new ones there are. */
static bj_status net_exchange_build(bj_build *build, const bj_spec *spec, const bj_net_request *request,
                                    const int *gone, long wide, const char *where, bj_net *owner);
/* What the inner net takes; the owner may carve more behind it. */
INLINE net_inputs net_exchange_carve(const bj_net *owner, carver *cache, carver *work);
/* Functions of the table of such a kind. */
static void net_exchange_forward(const bj_net *owner, const bj_net_pass *pass);
static void net_exchange_vjp(const bj_net *owner, const bj_net_pass *pass);
static void net_exchange_forward_rank(const bj_net *owner, const bj_net_pass *pass, int rank);
static void net_exchange_vjp_rank(const bj_net *owner, const bj_net_pass *pass, int rank);
static void net_exchange_vjp_finish(const bj_net *owner, const bj_net_pass *pass);

/* The pass of a net of a layer, for the functions above. */
INLINE bj_net_pass net_rows_pass(const net_rows *at, const bj_pass *pass, const real *x) {
  return (bj_net_pass){
      .nb = pass->nb,
      .theta = pass->theta,
      .prep = pass->prep,
      .x = x,
      .y = at->y,
      .cache = at->cache,
      .work = at->work,
      .gy = at->gy,
      .gx = at->gx,
      .gtheta = pass->gtheta,
      .gprep = pass->gprep,
  };
}

#endif

/* What is inside a chain, for losses that train one of its members. */
#ifndef BJ_LAYER_CHAIN_H
#define BJ_LAYER_CHAIN_H

#include "protocol.h"

static const bj_layer_kind layer_chain;
static int layer_chain_size(const bj_layer *chain);
static const bj_layer *layer_chain_member(const bj_layer *chain, int i);
/* The pass of member i in a pass of the chain: its slices, and the values before and behind it as x and y. */
INLINE bj_pass layer_chain_child(const bj_layer *chain, const bj_pass *pass, int i, bj_direction direction);
/* The members first ... end - 1 alone, in their order or, for BJ_INVERSE, from the last of them back. */
static bj_status layer_chain_part(const bj_layer *chain, bj_pass *pass, int first, int end, bj_direction direction);

#endif

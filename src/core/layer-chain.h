/* What is inside a chain, for losses that train one of its members. */
#ifndef BJ_LAYER_CHAIN_H
#define BJ_LAYER_CHAIN_H

#include "protocol.h"

static const bj_layer_kind layer_chain;
static int layer_chain_size(const bj_layer *chain);
static const bj_layer *layer_chain_member(const bj_layer *chain, int i);
/* Makes of `child`, a copy of the chain's pass, that of member i: its slices, and the values before and behind it as x
 * and y. One copy serves all members: a pass is long, and to read what has just been written in parts makes the
 * processor wait for longer than a small layer takes. */
INLINE void layer_chain_enter(const bj_layer *chain, const bj_pass *pass, int i, bj_direction direction,
                              bj_pass *child);
/* The members first ... end - 1 alone, in their order or, for BJ_INVERSE, from the last of them back. */
static bj_status layer_chain_part(const bj_layer *chain, bj_pass *pass, int first, int end, bj_direction direction);

#endif

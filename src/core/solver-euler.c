/* euler: the explicit method of order 1. */
#include "solve.h"

static const bj_solver solver_euler = {.name = "euler", .n_stage = 1, .order = 1, .b = {1}};

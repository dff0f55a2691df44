/* rk4: the classical method of order 4 (Kutta 1901). */
#include "solve.h"

static const bj_solver solver_rk4 = {
    .name = "rk4",
    .n_stage = 4,
    .order = 4,
    .a = {{0}, {0.5}, {0, 0.5}, {0, 0, 1}},
    .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6},
    .c = {0, 0.5, 0.5, 1},
};

/* Log densities of a few elementary functions of columns, as programs that the core evaluates. */
#ifndef BJ_PROGRAM_H
#define BJ_PROGRAM_H

#include "protocol.h"

/* With memory of its own for the rows at work: one thread runs it at a time. */
typedef struct program program;

/* A program for points of d coordinates; NULL and an error where the spec is none. */
static program *program_build(bj_build *build, const bj_spec *spec, int d);

/* Values at n points, a matrix n x d, and where it is not NULL the gradient by them, n x d. */
static void program_run(const program *p, long n, const double *x, double *value, double *gradient);

#endif

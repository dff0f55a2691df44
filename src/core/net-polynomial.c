/* polynomial: y_o = sum_t coef[t, o] F_t(x) + offset_o, F_t a product of one-dimensional orthonormal polynomials.
 *
 *   Terms are all multi-indices of total degree <= total_degree with each degree <= degree: by total degree, then with
 *   falling degree of the first coordinate, of the second, ...
 *   h_0 = 1,  h_k = a_k x h_{k-1} - b_k h_{k-2}:
 *     hermite (under N(0, 1)): a_k = 1 / sqrt(k), b_k = sqrt((k - 1) / k)
 *     legendre (under U(-1, 1)): a_k = (2k - 1) / k c_k / c_{k-1}, b_k = (k - 1) / k c_k / c_{k-2}, c_k = sqrt(2k + 1)
 *   A term is an earlier one, its parent, times h_k of the last coordinate with a degree above 0.
 *   vjp: gF = coef gy, gcoef = F gy';  from the last term back: gF_parent += gF_t h, gh += gF_t F_parent;
 *   gx = sum_k gh_k h_k', whose recurrence is the derivative of the one above
 */
#include "num-carve.h"
#include "num-gemm.h"
#include "protocol.h"

#define POLYNOMIAL_MAX_TERMS 20000
#define POLYNOMIAL_MAX_DEGREE 100

typedef struct {
  int parent, factor; /* factor: coordinate * (degree + 1) + degree; the constant has no parent: -1 */
} polynomial_term;

typedef struct {
  int degree, n_term;
  real init; /* standard deviation of the initial coefficients */
  const real *offset;
  const polynomial_term *terms;
  real a[POLYNOMIAL_MAX_DEGREE + 1], b[POLYNOMIAL_MAX_DEGREE + 1];
} polynomial;

/* The terms, h_0 ... h_degree of each coordinate, and the gradients of these. */
typedef struct {
  real *terms, *h, *gterms, *gh;
} polynomial_at;

static polynomial_at polynomial_carve(const bj_net *net, carver *cache, carver *work) {
  const polynomial *self = net->self;
  const long n_h = (long)net->n_in * (self->degree + 1);
  polynomial_at at;
  at.terms = carve_rows(cache, self->n_term);
  at.h = carve_rows(cache, n_h);
  at.gterms = carve_rows(work, self->n_term);
  at.gh = carve_rows(work, n_h);
  return at;
}

static void polynomial_terms(const bj_net *net, const bj_net_pass *pass, const polynomial_at *at) {
  const polynomial *self = net->self;
  const int n_h = self->degree + 1;
  for (int b = 0; b < pass->nb; b++) {
    real *terms = at->terms + (long)b * self->n_term * BJ_BLOCK, *h = at->h + (long)b * net->n_in * n_h * BJ_BLOCK;
    for (int j = 0; j < net->n_in; j++) {
      real *here = h + (long)j * n_h * BJ_BLOCK;
      FOR_ROWS(r) {
        const vreal x = vload(pass->x + ((long)b * net->n_in + j) * BJ_BLOCK + r);
        vreal before = vset(0), now = vset(1);
        vstore(here + r, now);
        for (int k = 1; k < n_h; k++) {
          const vreal next = vset(self->a[k]) * x * now - vset(self->b[k]) * before;
          vstore(here + k * BJ_BLOCK + r, next);
          before = now;
          now = next;
        }
      }
    }
    FOR_ROWS(r) vstore(terms + r, vset(1));
    for (int t = 1; t < self->n_term; t++) {
      const real *parent = terms + (long)self->terms[t].parent * BJ_BLOCK;
      const real *factor = h + (long)self->terms[t].factor * BJ_BLOCK;
      FOR_ROWS(r) vstore(terms + (long)t * BJ_BLOCK + r, vload(parent + r) * vload(factor + r));
    }
  }
}

static void polynomial_forward(const bj_net *net, const bj_net_pass *pass) {
  const polynomial *self = net->self;
  const polynomial_at at = CARVE(polynomial_carve, net, pass);
  polynomial_terms(net, pass, &at);
  gemm_matrix coef = gemm_transpose(pass->theta, self->n_term, net->n_out);
  coef.bias = self->offset;
  gemm(GEMM_SET, coef, pass->nb, at.terms, (long)self->n_term * BJ_BLOCK, pass->y, (long)net->n_out * BJ_BLOCK);
}

static void polynomial_gx(const bj_net *net, const bj_net_pass *pass, const polynomial_at *at) {
  const polynomial *self = net->self;
  const int n_h = self->degree + 1;
  for (int b = 0; b < pass->nb; b++) {
    const long at_term = (long)b * self->n_term * BJ_BLOCK, at_h = (long)b * net->n_in * n_h * BJ_BLOCK;
    const real *terms = at->terms + at_term, *h = at->h + at_h;
    real *gterms = at->gterms + at_term, *gh = at->gh + at_h;
    memset(gh, 0, sizeof(real) * (size_t)net->n_in * (size_t)n_h * BJ_BLOCK);
    for (int t = self->n_term - 1; t > 0; t--) {
      const long parent = (long)self->terms[t].parent * BJ_BLOCK, factor = (long)self->terms[t].factor * BJ_BLOCK;
      FOR_ROWS(r) {
        const vreal g = vload(gterms + (long)t * BJ_BLOCK + r);
        vstore(gterms + parent + r, vload(gterms + parent + r) + g * vload(h + factor + r));
        vstore(gh + factor + r, vload(gh + factor + r) + g * vload(terms + parent + r));
      }
    }
    for (int j = 0; j < net->n_in; j++) {
      const long row = ((long)b * net->n_in + j) * BJ_BLOCK, from = (long)j * n_h * BJ_BLOCK;
      FOR_ROWS(r) {
        const vreal x = vload(pass->x + row + r);
        vreal sum = vset(0), before = vset(0), now = vset(0); /* the derivatives */
        for (int k = 1; k < n_h; k++) {
          const vreal next =
              vset(self->a[k]) * (vload(h + from + (k - 1) * BJ_BLOCK + r) + x * now) - vset(self->b[k]) * before;
          sum = sum + vload(gh + from + k * BJ_BLOCK + r) * next;
          before = now;
          now = next;
        }
        vstore(pass->gx + row + r, sum);
      }
    }
  }
}

static void polynomial_vjp(const bj_net *net, const bj_net_pass *pass) {
  const polynomial *self = net->self;
  const int n = self->n_term;
  const long gys = (long)net->n_out * BJ_BLOCK, ns = (long)n * BJ_BLOCK;
  const polynomial_at at = CARVE(polynomial_carve, net, pass);
  gemm_weight_grad(n, net->n_out, pass->nb, at.terms, ns, pass->gy, gys, pass->gtheta, n, NULL, NULL);
  if (!pass->gx) return;
  gemm(GEMM_SET, gemm_columns(pass->theta, n, net->n_out, NULL), pass->nb, pass->gy, gys, at.gterms, ns);
  polynomial_gx(net, pass, &at);
}

static void polynomial_describe(const bj_net *net, bj_describe *out) {
  describe_slot(out, "coef", 2, ((const polynomial *)net->self)->n_term, net->n_out);
}

static void polynomial_init(const bj_net *net, real *theta, bj_rng *rng) {
  const real scale = ((const polynomial *)net->self)->init;
  for (long i = 0; i < net->n_param; i++) theta[i] = scale * rng_normal(rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

/* Spreads `left` over index[from..], as much as possible into the first ones; what does not fit is returned. */
static int polynomial_fill(int *index, int from, int n, int degree, int left) {
  for (int j = from; j < n; j++) {
    index[j] = left < degree ? left : degree;
    left -= index[j];
  }
  return left;
}

/* The next multi-index of the same total degree; 0 after the last. */
static int polynomial_next(int *index, int n, int degree) {
  int right = 0; /* sum to the right of i */
  for (int i = n - 1; i >= 0; i--) {
    if (index[i] > 0 && right + 1 <= degree * (n - 1 - i)) {
      index[i]--;
      polynomial_fill(index, i + 1, n, degree, right + 1);
      return 1;
    }
    right += index[i];
  }
  return 0;
}

/* Number of terms; with `all`, the multi-indices too. */
static int polynomial_list(int n, int degree, int total_degree, int *index, int *all) {
  int count = 0;
  for (int total = 0; total <= total_degree; total++) {
    if (polynomial_fill(index, 0, n, degree, total) > 0) break;
    do {
      if (all) memcpy(all + (long)count * n, index, sizeof(int) * (size_t)n);
      if (++count > POLYNOMIAL_MAX_TERMS) return count;
    } while (polynomial_next(index, n, degree));
  }
  return count;
}

/* The parent has a smaller total degree, so it stands before the term. */
static polynomial_term polynomial_find(const int *all, int n, int t, int degree) {
  const int *index = all + (long)t * n;
  int last = n - 1, parent = t;
  while (last >= 0 && index[last] == 0) last--;
  if (last < 0) return (polynomial_term){-1, 0};
  do {
    parent--;
  } while (all[(long)parent * n + last] != 0 || memcmp(all + (long)parent * n, index, sizeof(int) * (size_t)last) ||
           memcmp(all + (long)parent * n + last + 1, index + last + 1, sizeof(int) * (size_t)(n - 1 - last)));
  return (polynomial_term){parent, last * (degree + 1) + index[last]};
}

static bj_status polynomial_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  polynomial *self = net->self = build_alloc(build, sizeof(polynomial));
  const int total = spec_count(build, spec, "total_degree", 0, POLYNOMIAL_MAX_DEGREE), n = request->n_in;
  const int legendre = spec_choice(build, spec, "basis", "hermite", "legendre", NULL);
  self->degree = spec_count(build, spec, "degree", 0, POLYNOMIAL_MAX_DEGREE);
  /* flows saved before there was an `init` have none */
  self->init = spec_length(spec, "init") > 0 ? spec_real(build, spec, "init", 0, INFINITY) : 0.1;
  self->offset = request->offset;
  for (int k = 1; k <= self->degree; k++) {
    const real c = sqrt(2.0 * k + 1), c1 = sqrt(2.0 * k - 1), c2 = k > 1 ? sqrt(2.0 * k - 3) : 1;
    self->a[k] = legendre ? (2.0 * k - 1) / k * c / c1 : 1 / sqrt((real)k);
    self->b[k] = legendre ? (k - 1.0) / k * c / c2 : sqrt((k - 1.0) / k);
  }
  int *index = build_alloc(build, sizeof(int) * (size_t)n);
  self->n_term = polynomial_list(n, self->degree, total, index, NULL);
  if (self->n_term > POLYNOMIAL_MAX_TERMS) {
    return spec_error(build, "net_polynomial() of total degree %d has more than %d terms in %d inputs", total,
                      POLYNOMIAL_MAX_TERMS, n);
  }
  int *all = build_alloc(build, sizeof(int) * (size_t)size_product(build, n, self->n_term));
  if (build->status != BJ_OK) return build->status;
  polynomial_term *terms = build_alloc(build, sizeof(polynomial_term) * (size_t)self->n_term);
  polynomial_list(n, self->degree, total, index, all);
  for (int t = 0; t < self->n_term; t++) terms[t] = polynomial_find(all, n, t, self->degree);
  self->terms = terms;
  net->n_param = size_product(build, self->n_term, net->n_out);
  MEASURE(polynomial_carve, net);
  return build->status;
}

static const bj_net_kind net_polynomial = {
    .name = "polynomial",
    .build = polynomial_build,
    .describe = polynomial_describe,
    .init = polynomial_init,
    .forward = polynomial_forward,
    .vjp = polynomial_vjp,
};

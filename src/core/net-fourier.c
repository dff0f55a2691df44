/* fourier: a linear map of the Fourier features of the angle of a 2-D direction.
 *
 *   phi = theta + pi = 2 pi v,  theta = atan2(x_2, x_1);  f = [sin(k phi) / k (k = 1..m), cos(k phi) / k (k = 1..m), 1]
 *   y = W f + offset, or W H f + offset
 *   cos phi = -x_1 / |x|, sin phi = -x_2 / |x|, and powers of e^(i phi) give the rest: no trigonometric function
 *   vjp: gf = W' gy (or H' W' gy), gW = gy f';  gphi = sum_k (gf_k cos(k phi) - gf_{m+k} sin(k phi))
 *        gx = gphi (-x_2, x_1) / |x|^2, and 0 at the origin, where the angle is 0 and has no derivative
 */
#include "net-start.h"
#include "num-carve.h"
#include "num-gemm.h"
#include "protocol.h"

typedef struct {
  int m, n_feature, hidden; /* hidden: 0 if there is none */
  net_start start;
  const real *offset;
  long theta_hidden; /* weight comes first */
} fourier;

typedef struct {
  real *f, *h, *gf, *gh; /* features, hidden units, their gradients */
} fourier_at;

static fourier_at fourier_carve(const bj_net *net, carver *cache, carver *work) {
  const fourier *self = net->self;
  fourier_at at;
  at.f = carve_rows(cache, self->n_feature);
  at.h = carve_rows(cache, self->hidden);
  at.gf = carve_rows(work, self->n_feature);
  at.gh = carve_rows(work, self->hidden);
  return at;
}

/* The unit vector of x: scaled first, so that its square neither overflows nor underflows. */
INLINE vreal fourier_direction(vreal x1, vreal x2, vreal *u1, vreal *u2) {
  const vreal zero = vset(0), size = vmax(vabs(x1), vabs(x2));
  const vint centre = veq(size, zero);
  const vreal safe = vselect(centre, vset(1), size), a = vselect(centre, vset(1), x1 / safe), b = x2 / safe;
  const vreal norm = vsqrt(a * a + b * b);
  *u1 = a / norm;
  *u2 = b / norm;
  return vselect(centre, vset(INFINITY), safe * norm);
}

static void fourier_features(const fourier *self, const bj_net_pass *pass, real *f) {
  const int m = self->m;
  for (int b = 0; b < pass->nb; b++, f += (long)self->n_feature * BJ_BLOCK) {
    const real *x = pass->x + b * 2 * BJ_BLOCK;
    FOR_ROWS(r) {
      vreal u1, u2;
      fourier_direction(vload(x + r), vload(x + BJ_BLOCK + r), &u1, &u2);
      const vreal cosine = -u1, sine = -u2;
      vreal c = cosine, s = sine;
      for (int k = 1; k <= m; k++) {
        const vreal share = vset(1.0 / k), next = c * cosine - s * sine;
        vstore(f + (k - 1) * BJ_BLOCK + r, s * share);
        vstore(f + (m + k - 1) * BJ_BLOCK + r, c * share);
        s = s * cosine + c * sine;
        c = next;
      }
      vstore(f + 2 * m * BJ_BLOCK + r, vset(1));
    }
  }
}

static void fourier_forward(const bj_net *net, const bj_net_pass *pass) {
  const fourier *self = net->self;
  const int q = self->n_feature, h = self->hidden, p = net->n_out;
  const fourier_at at = CARVE(fourier_carve, net, pass);
  fourier_features(self, pass, at.f);
  if (h > 0) {
    gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_hidden, h, q, NULL), pass->nb, at.f, (long)q * BJ_BLOCK, at.h,
         (long)h * BJ_BLOCK);
  }
  const int k = h > 0 ? h : q;
  gemm(GEMM_SET, gemm_columns(pass->theta, p, k, self->offset), pass->nb, h > 0 ? at.h : at.f, (long)k * BJ_BLOCK,
       pass->y, (long)p * BJ_BLOCK);
}

static void fourier_gx(const fourier *self, const bj_net_pass *pass, const real *f, const real *g) {
  const int m = self->m;
  const long size = (long)self->n_feature * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++, f += size, g += size) {
    const long at = (long)b * 2 * BJ_BLOCK;
    FOR_ROWS(r) {
      vreal u1, u2, angle = vset(0);
      const vreal norm = fourier_direction(vload(pass->x + at + r), vload(pass->x + at + BJ_BLOCK + r), &u1, &u2);
      for (int k = 1; k <= m; k++) {
        const vreal s = vload(f + (k - 1) * BJ_BLOCK + r), c = vload(f + (m + k - 1) * BJ_BLOCK + r);
        const vreal gs = vload(g + (k - 1) * BJ_BLOCK + r), gc = vload(g + (m + k - 1) * BJ_BLOCK + r);
        angle = angle + vset(k) * (gs * c - gc * s);
      }
      angle = angle / norm;
      vstore(pass->gx + at + r, -angle * u2);
      vstore(pass->gx + at + BJ_BLOCK + r, angle * u1);
    }
  }
}

static void fourier_vjp(const bj_net *net, const bj_net_pass *pass) {
  const fourier *self = net->self;
  const int q = self->n_feature, h = self->hidden, p = net->n_out, k = h > 0 ? h : q;
  const long gys = (long)p * BJ_BLOCK, ks = (long)k * BJ_BLOCK, qs = (long)q * BJ_BLOCK;
  const fourier_at at = CARVE(fourier_carve, net, pass);
  gemm_weight_grad(p, k, pass->nb, pass->gy, gys, h > 0 ? at.h : at.f, ks, pass->gtheta, p, NULL, NULL);
  if (h == 0 && !pass->gx) return;
  gemm(GEMM_SET, gemm_transpose(pass->theta, p, k), pass->nb, pass->gy, gys, h > 0 ? at.gh : at.gf, ks);
  if (h > 0) {
    gemm_weight_grad(h, q, pass->nb, at.gh, ks, at.f, qs, pass->gtheta + self->theta_hidden, h, NULL, NULL);
    gemm(GEMM_SET, gemm_transpose(pass->theta + self->theta_hidden, h, q), pass->nb, at.gh, ks, at.gf, qs);
  }
  if (pass->gx) fourier_gx(self, pass, at.f, at.gf);
}

static void fourier_describe(const bj_net *net, bj_describe *out) {
  const fourier *self = net->self;
  describe_slot(out, "weight", 2, net->n_out, self->hidden > 0 ? self->hidden : self->n_feature);
  if (self->hidden > 0) describe_slot(out, "hidden_weight", 2, self->hidden, self->n_feature);
}

static void fourier_init(const bj_net *net, real *theta, bj_rng *rng) {
  const fourier *self = net->self;
  const int fan_in = self->hidden > 0 ? self->hidden : self->n_feature;
  const long n_hidden = net->n_param - self->theta_hidden;
  net_start_draw(&self->start, 1, 0, fan_in, self->theta_hidden, theta, rng);
  net_start_draw(&self->start, 0, 0, self->n_feature, n_hidden, theta + self->theta_hidden, rng);
}

static bj_status fourier_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  fourier *self = net->self = build_alloc(build, sizeof(fourier));
  if (request->n_in != 2) {
    return spec_error(build, "net_fourier() takes a direction in two dimensions, but has %d inputs here",
                      request->n_in);
  }
  self->m = spec_count(build, spec, "m", 1, 1000);
  self->hidden = spec_given(build, spec, "hidden") ? spec_count(build, spec, "hidden", 1, COUNT_MOST) : 0;
  self->n_feature = 2 * self->m + 1;
  self->offset = request->offset;
  self->start = net_start_read(build, spec);
  self->theta_hidden = size_product(build, net->n_out, self->hidden > 0 ? self->hidden : self->n_feature);
  net->n_param = self->theta_hidden + size_product(build, self->hidden, self->n_feature);
  MEASURE(fourier_carve, net);
  return build->status;
}

static const bj_net_kind net_fourier = {
    .name = "fourier",
    .build = fourier_build,
    .describe = fourier_describe,
    .init = fourier_init,
    .forward = fourier_forward,
    .vjp = fourier_vjp,
};

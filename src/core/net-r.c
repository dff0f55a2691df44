/* r: a net that the host's functions compute: for trying ideas, and slow.
 *
 *   forward(x, params) gives value, a row for each of x; vjp(x, g_value, params) the gradient of sum(g_value value) in
 *   x and params, for which without it the host takes differences of forward ("differences"); size(n_in, n_out) is the
 *   number of params. Initial ones are N(0, init^2).
 *
 * A function that fails leaves NaN, and the call that it was made in ends.
 */
#include "net-start.h"
#include "num-carve.h"
#include "num-rows.h"
#include "protocol.h"

typedef struct {
  const bj_function *forward, *vjp;
  net_start start;
  const real *offset; /* added to what forward gives, or NULL */
} r_net;

/* Column-major, of the rows of a chunk; gtheta of all. */
typedef struct {
  real *x, *y, *gy, *gx, *gtheta;
} net_r_space;

static net_r_space net_r_carve(const bj_net *net, carver *cache, carver *work) {
  (void)cache;
  return (net_r_space){
      .x = carve_rows(work, net->n_in),
      .y = carve_rows(work, net->n_out),
      .gy = carve_rows(work, net->n_out),
      .gx = carve_rows(work, net->n_in),
      .gtheta = carve(work, net->n_param),
  };
}

static net_r_space net_r_begin(const bj_net *net, const bj_net_pass *pass) {
  const net_r_space at = CARVE(net_r_carve, net, pass);
  rows_to_columns(pass->nb, net->n_in, pass->x, at.x);
  return at;
}

static void net_r_forward(const bj_net *net, const bj_net_pass *pass) {
  const r_net *self = net->self;
  const net_r_space at = net_r_begin(net, pass);
  const long n = (long)pass->nb * BJ_BLOCK;
  const bj_array in[] = {{"x", n, net->n_in, .from = at.x}, {"params", net->n_param, -1, .from = pass->theta}};
  const bj_array out[] = {{"value", n, net->n_out, .to = at.y}};
  if (self->forward->call(self->forward->function, "net_r", "forward", 2, in, 1, out) != BJ_OK) {
    for (long i = 0; i < n * net->n_out; i++) at.y[i] = NAN;
  }
  for (long i = 0; self->offset && i < n * net->n_out; i++) at.y[i] += self->offset[i / n];
  columns_to_rows(pass->nb, net->n_out, at.y, pass->y);
}

static void net_r_vjp(const bj_net *net, const bj_net_pass *pass) {
  const r_net *self = net->self;
  const bj_function *vjp = self->vjp ? self->vjp : self->forward;
  const net_r_space at = net_r_begin(net, pass);
  const long n = (long)pass->nb * BJ_BLOCK;
  rows_to_columns(pass->nb, net->n_out, pass->gy, at.gy);
  const bj_array in[] = {{"x", n, net->n_in, .from = at.x},
                         {"g_value", n, net->n_out, .from = at.gy},
                         {"params", net->n_param, -1, .from = pass->theta}};
  const bj_array out[] = {{"x", n, net->n_in, .to = at.gx}, {"params", net->n_param, -1, .to = at.gtheta}};
  if (vjp->call(vjp->function, "net_r", self->vjp ? "vjp" : "differences", 3, in, 2, out) != BJ_OK) {
    for (long i = 0; i < n * net->n_in; i++) at.gx[i] = NAN;
    for (long i = 0; i < net->n_param; i++) at.gtheta[i] = NAN;
  }
  for (long i = 0; i < net->n_param; i++) pass->gtheta[i] += at.gtheta[i];
  if (pass->gx) columns_to_rows(pass->nb, net->n_in, at.gx, pass->gx);
}

static void net_r_init(const bj_net *net, real *theta, bj_rng *rng) {
  net_start_draw(&((const r_net *)net->self)->start, 0, 0, net->n_in, net->n_param, theta, rng);
}

static void net_r_describe(const bj_net *net, bj_describe *out) {
  if (net->n_param > 0) describe_slot(out, "params", 1, (int)net->n_param, 0);
}

static bj_status net_r_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  r_net *self = net->self = build_alloc(build, sizeof(r_net));
  self->offset = request->offset;
  self->forward = spec_function(build, spec, "forward");
  if (spec_given(build, spec, "vjp")) self->vjp = spec_function(build, spec, "vjp");
  self->start = net_start_read(build, spec);
  const bj_function *size = spec_function(build, spec, "size");
  if (build->status != BJ_OK) return build->status;
  real n_in = net->n_in, n_out = net->n_out, n = 0;
  const bj_array in[] = {{"n_in", 1, -1, .from = &n_in}, {"n_out", 1, -1, .from = &n_out}};
  const bj_array out[] = {{"size", 1, -1, .to = &n}};
  size->call(size->function, "net_r", "size", 2, in, 1, out);
  if (!(n >= 0 && n <= SIZE_MOST && n == floor(n))) {
    return spec_error(build, "`size` of net_r() must give a whole number from 0 to %ld, not %g", SIZE_MOST, (double)n);
  }
  net->n_param = (long)n;
  MEASURE(net_r_carve, net);
  return build->status;
}

static const bj_net_kind net_r = {
    .name = "r",
    .build = net_r_build,
    .describe = net_r_describe,
    .init = net_r_init,
    .forward = net_r_forward,
    .vjp = net_r_vjp,
};

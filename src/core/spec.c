/* Reading specs, building nodes' memory, naming parameters. */
#include <stdarg.h>
#include <stdio.h>

#include "protocol.h"

static bj_status spec_error(bj_build *build, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(build->error->message, sizeof build->error->message, format, arguments);
  va_end(arguments);
  return BJ_BAD_SPEC;
}

static void *build_alloc(bj_build *build, size_t bytes) {
  void *p = build->memory->alloc(build->memory->host, bytes > 0 ? bytes : 1);
  memset(p, 0, bytes > 0 ? bytes : 1);
  return p;
}

static const bj_field *spec_field(const bj_spec *spec, const char *name) {
  for (int i = 0; i < spec->n_field; i++) {
    if (!strcmp(spec->fields[i].name, name)) return spec->fields + i;
  }
  return NULL;
}

static double spec_number(const bj_spec *spec, const char *name, double otherwise) {
  const bj_field *field = spec_field(spec, name);
  return field && field->type == BJ_FIELD_NUMBERS && field->n > 0 ? field->numbers[0] : otherwise;
}

static UNUSED int spec_flag(const bj_spec *spec, const char *name, int otherwise) {
  return spec_number(spec, name, otherwise) != 0;
}

static const char *spec_string(const bj_spec *spec, const char *name, const char *otherwise) {
  const bj_field *field = spec_field(spec, name);
  return field && field->type == BJ_FIELD_STRING ? field->string : otherwise;
}

static const bj_spec *spec_child(const bj_spec *spec, const char *name) {
  const bj_field *field = spec_field(spec, name);
  return field && field->type == BJ_FIELD_SPEC ? field->specs : NULL;
}

/* ---- names of parameters ----------------------------------------------------------------------------------------- */

static int describe_enter(bj_describe *out, const char *name) {
  const int mark = out->length, room = (int)sizeof out->path - mark;
  const int written = snprintf(out->path + mark, (size_t)room, "%s%s", mark > 0 ? "/" : "", name);
  out->length += written < room ? written : room - 1;
  return mark;
}

static void describe_leave(bj_describe *out, int mark) {
  out->length = mark;
  out->path[mark] = '\0';
}

static void describe_slot(bj_describe *out, const char *name, int rank, int dim1, int dim2) {
  const int mark = describe_enter(out, name), dims[2] = {dim1, dim2};
  out->visit(out->host, out->path, rank, dims);
  describe_leave(out, mark);
}

/* ---- log-determinants -------------------------------------------------------------------------------------------- */

static void logdet_start(bj_logdet *logdet, int nb) {
  for (long i = 0; i < (long)nb * BJ_BLOCK; i++) {
    logdet->sum[i] = 0;
    logdet->factor[i] = 1;
  }
  logdet->n_factor = 0;
}

static void logdet_finish(bj_logdet *logdet, int nb) {
  if (logdet->n_factor == 0) return;
  for (long i = 0; i < (long)nb * BJ_BLOCK; i += BJ_LANES) {
    vstore(logdet->sum + i, vload(logdet->sum + i) + vlog_normal(vload(logdet->factor + i)));
    vstore(logdet->factor + i, vset(1));
  }
  logdet->n_factor = 0;
}

static void logdet_claim(bj_logdet *logdet, int nb, int n_factor) {
  if (logdet->n_factor + n_factor > LOGDET_MAX_FACTORS) logdet_finish(logdet, nb);
  logdet->n_factor += n_factor;
}

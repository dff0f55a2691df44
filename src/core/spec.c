/* Reading specs, building nodes' memory, naming parameters. */
#include <stdarg.h>
#include <stdio.h>

#include "protocol.h"

static bj_status spec_error(bj_build *build, const char *format, ...) {
  if (build->status != BJ_OK) return build->status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(build->error->message, sizeof build->error->message, format, arguments);
  va_end(arguments);
  return build->status = BJ_BAD_SPEC;
}

static void *build_alloc(bj_build *build, size_t bytes) {
  void *p = build->memory->alloc(build->memory->host, bytes > 0 ? bytes : 1);
  memset(p, 0, bytes > 0 ? bytes : 1);
  return p;
}

static long size_sum(bj_build *build, long a, long b) {
  if (a >= 0 && b >= 0 && a <= SIZE_MOST && b <= SIZE_MOST - a) return a + b;
  spec_error(build, "the flow is too large: %ld and %ld numbers", a, b);
  return 0;
}

static long size_product(bj_build *build, long a, long b) {
  if (a >= 0 && b >= 0 && (a == 0 || b <= SIZE_MOST / a)) return a * b;
  spec_error(build, "the flow is too large: %ld times %ld numbers", a, b);
  return 0;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static const bj_entry *entry_at(const bj_spec *spec, const char *name) {
  for (int i = 0; spec && i < spec->n_entry; i++) {
    if (!strcmp(spec->entries[i].name, name)) return spec->entries + i;
  }
  return NULL;
}

/* "`name` of family_kind() must be ..." */
static void entry_error(bj_build *build, const bj_spec *spec, const char *name, const char *what) {
  spec_error(build, "`%s` of %s_%s() must be %s", name, build->family, spec ? spec->kind : "", what);
}

/* The entry if it has the type. NULL is an entry without numbers. */
static const bj_entry *entry_find(bj_build *build, const bj_spec *spec, const char *name, bj_entry_type type,
                                  const char *what) {
  const bj_entry *entry = entry_at(spec, name);
  if (entry && entry->type == type) return entry;
  entry_error(build, spec, name, what);
  return NULL;
}

static int is_count(double x, double min, double max) { return x >= min && x <= max && x == floor(x); }

static UNUSED int spec_given(bj_build *build, const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_at(spec, name);
  if (!entry) entry_error(build, spec, name, "given, or NULL");
  return entry && entry->n > 0;
}

static int spec_length(const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_at(spec, name);
  return entry ? entry->n : 0;
}

static real spec_real(bj_build *build, const bj_spec *spec, const char *name, real min, real max) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "a number");
  if (entry && entry->n == 1 && isfinite(entry->numbers[0]) && entry->numbers[0] >= min && entry->numbers[0] <= max) {
    return entry->numbers[0];
  }
  char what[96];
  snprintf(what, sizeof what, "one finite number from %g to %g", (double)min, (double)max);
  entry_error(build, spec, name, isfinite(min) || isfinite(max) ? what : "one finite number");
  return isfinite(min) ? min : 0;
}

static int spec_count(bj_build *build, const bj_spec *spec, const char *name, int min, int max) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "a whole number");
  if (entry && entry->n == 1 && is_count(entry->numbers[0], min, max)) return (int)entry->numbers[0];
  char what[96];
  snprintf(what, sizeof what, "one whole number from %d to %d", min, max);
  entry_error(build, spec, name, what);
  return min;
}

static int spec_bool(bj_build *build, const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "TRUE or FALSE");
  if (entry && entry->n == 1 && is_count(entry->numbers[0], 0, 1)) return entry->numbers[0] == 1;
  entry_error(build, spec, name, "TRUE or FALSE");
  return 0;
}

static int spec_choice(bj_build *build, const bj_spec *spec, const char *name, ...) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_STRING, "a string");
  char what[256] = "one of";
  size_t length = strlen(what);
  int found = -1, i = 0;
  va_list choices;
  va_start(choices, name);
  for (const char *choice; entry && found < 0 && (choice = va_arg(choices, const char *)) != NULL; i++) {
    if (!strcmp(entry->string, choice)) found = i;
  }
  va_end(choices);
  if (found >= 0) return found;
  va_start(choices, name);
  for (const char *choice; (choice = va_arg(choices, const char *)) != NULL && length < sizeof what;) {
    length += (size_t)snprintf(what + length, sizeof what - length, " \"%s\"", choice);
  }
  va_end(choices);
  entry_error(build, spec, name, what);
  return 0;
}

static const double *spec_numbers(bj_build *build, const bj_spec *spec, const char *name, long n) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "numbers");
  int good = entry && entry->n == n;
  for (long i = 0; good && i < n; i++) good = isfinite(entry->numbers[i]);
  if (good) return entry->numbers;
  char what[64];
  snprintf(what, sizeof what, "%ld finite numbers", n);
  entry_error(build, spec, name, what);
  return build_alloc(build, sizeof(double) * (size_t)n);
}

static UNUSED int *spec_counts(bj_build *build, const bj_spec *spec, const char *name, int min, int *n) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "whole numbers");
  const int found = entry && entry->n >= min && entry->n <= COUNT_MOST;
  *n = found ? entry->n : min;
  int *counts = build_alloc(build, sizeof(int) * (size_t)*n), good = found;
  for (int i = 0; i < *n; i++) {
    const int fits = found && is_count(entry->numbers[i], 1, COUNT_MOST);
    counts[i] = fits ? (int)entry->numbers[i] : 1;
    good &= fits;
  }
  if (!good) {
    char what[96];
    snprintf(what, sizeof what, "%d or more whole numbers from 1 to %d", min, COUNT_MOST);
    entry_error(build, spec, name, what);
  }
  return counts;
}

static int *spec_permutation(bj_build *build, const bj_spec *spec, const char *name, int n) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_NUMBERS, "numbers");
  int *to = build_alloc(build, sizeof(int) * (size_t)n), *seen = build_alloc(build, sizeof(int) * (size_t)n);
  int good = entry && entry->n == n;
  for (int i = 0; good && i < n; i++) {
    good = is_count(entry->numbers[i], 1, n) && !seen[(int)entry->numbers[i] - 1]++;
    if (good) to[i] = (int)entry->numbers[i] - 1;
  }
  if (!good) {
    char what[64];
    snprintf(what, sizeof what, "the numbers 1, ..., %d in any order", n);
    entry_error(build, spec, name, what);
  }
  return to;
}

static UNUSED const bj_spec *spec_part(bj_build *build, const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_SPEC, "given");
  return entry ? entry->specs : NULL;
}

static const bj_spec *spec_parts(bj_build *build, const bj_spec *spec, const char *name, int min, int *n) {
  const bj_entry *entry = entry_at(spec, name);
  const int good = entry && entry->n >= min && (entry->type == BJ_ENTRY_SPECS || entry->n == 0);
  if (!good) {
    char what[64];
    snprintf(what, sizeof what, "a list of at least %d", min);
    entry_error(build, spec, name, what);
  }
  *n = good ? entry->n : 0;
  return good ? entry->specs : NULL;
}

static const bj_function *spec_function(bj_build *build, const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_find(build, spec, name, BJ_ENTRY_FUNCTION, "a function");
  return entry ? &entry->function : NULL;
}

static int spec_has_numbers(const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_at(spec, name);
  return entry && entry->type == BJ_ENTRY_NUMBERS && entry->n > 0;
}

static int spec_has_string(const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_at(spec, name);
  return entry && entry->type == BJ_ENTRY_STRING;
}

static int spec_listed(const bj_spec *spec, const char *name) {
  const bj_entry *entry = entry_at(spec, name);
  return entry && entry->type == BJ_ENTRY_SPECS;
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

static void describe_array(bj_describe *out, const char *name, int rank, const int *dims) {
  const int mark = describe_enter(out, name);
  out->visit(out->host, out->path, rank, dims);
  describe_leave(out, mark);
}

static void describe_slot(bj_describe *out, const char *name, int rank, int dim1, int dim2) {
  describe_array(out, name, rank, (int[]){dim1, dim2});
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

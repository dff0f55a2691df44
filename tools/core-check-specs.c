/* Specs that say anything: every kind, under every parent, with entries that are missing, of another type, in absurd
 * number or of absurd size, must be built or refused with a message, whatever they are. */

static const char *kind_families[512], *kind_names[512];
static int n_kind;

static void note_kind(void *host, const char *family, const char *name) {
  (void)host;
  if (n_kind < 512) kind_families[n_kind] = family, kind_names[n_kind++] = name;
}

/* The names of a release, and one that nobody asks for. */
static const char *const entry_names[] = {
    "layers",       "layer",
    "scalars",      "scalar",
    "net",          "nets",
    "field",        "solver",
    "permutation",  "mask",
    "loc",          "scale",
    "width",        "activation",
    "init",         "knots",
    "interval",     "boundary",
    "min_width",    "min_slope",
    "min_scale",    "max_value",
    "exponent",     "shared",
    "trainable",    "parameter",
    "df",           "min",
    "max",          "components",
    "spread",       "step",
    "levels",       "columns",
    "rtol",         "atol",
    "units",        "gate",
    "basis",        "degree",
    "hidden",       "depth",
    "block_dim",    "lower",
    "slope",        "n_reflections",
    "frequencies",  "t0",
    "t1",           "trace",
    "probe",        "steer",
    "nobody",       "weight_norm",
    "init_scale",   "negative_slope",
    "add_initial",  "parameterization",
    "total_degree", "limit",
    "center",       "max_steps",
    "penalty",      "gradient",
    "nfe",          "embed",
    "size",         "dim",
    "count",        "training",
};
static const char *const entry_strings[] = {"tanh", "relu",  "identity", "uniform", "small", "exp",      "softplus",
                                            "free", "scale", "variance", "exact",   "",      "discrete", "monomial"};
static const double entry_numbers[] = {0,     1,      2,   3,        -1,           0.5,          1e-3, 1e9, 1e18,
                                       1e300, -1e300, NAN, INFINITY, 2147483648.0, 4294967297.0, 5,    7,   1};

#define N_OF(array) (sizeof(array) / sizeof *(array))
#define PICK(array) ((array)[case_bits() % N_OF(array)])
#define SPEC_NODES 40
#define SPEC_ENTRIES 12

typedef struct {
  bj_spec specs[SPEC_NODES];
  bj_entry entries[SPEC_NODES][SPEC_ENTRIES];
  double numbers[SPEC_NODES][8];
} random_specs;

static bj_status no_function(void *function, const char *owner, const char *what, int n_in, const bj_array *in,
                             int n_out, const bj_array *out) {
  (void)function, (void)owner, (void)what, (void)n_in, (void)in, (void)n_out, (void)out;
  return BJ_STOPPED;
}

/* Node i holds nodes of higher number only, so nothing holds itself. */
static void random_spec(random_specs *all, int i, const char *kind) {
  bj_spec *spec = all->specs + i;
  const int left = SPEC_NODES - 1 - i;
  for (int k = 0; k < 8; k++)
    all->numbers[i][k] = case_bits() % 3 ? (double)(1 + case_bits() % 4) : PICK(entry_numbers);
  *spec = (bj_spec){kind, (int)(case_bits() % (SPEC_ENTRIES + 1)), all->entries[i]};
  for (int k = 0; k < SPEC_ENTRIES; k++) {
    bj_entry *entry = all->entries[i] + k;
    *entry = (bj_entry){.name = PICK(entry_names), .type = (bj_entry_type)(case_bits() % (left > 2 ? 4 : 2))};
    if (case_bits() % 8 == 0) entry->type = BJ_ENTRY_FUNCTION;
    switch (entry->type) {
      case BJ_ENTRY_NUMBERS:
        entry->n = (int)(case_bits() % 9);
        entry->numbers = entry->n > 0 ? all->numbers[i] : NULL;
        break;
      case BJ_ENTRY_STRING:
        entry->n = 1;
        entry->string = PICK(entry_strings);
        break;
      case BJ_ENTRY_SPEC:
        entry->n = 1;
        entry->specs = all->specs + i + 1 + case_bits() % (unsigned)left;
        break;
      case BJ_ENTRY_SPECS:
        entry->n = (int)(case_bits() % 3);
        entry->specs = all->specs + i + 1 + case_bits() % (unsigned)(left - 1);
        break;
      case BJ_ENTRY_FUNCTION:
        entry->n = 1;
        entry->function.call = no_function;
        break;
    }
  }
}

static const char *random_kind(const char *family) {
  for (int trial = 0; trial < 1000; trial++) {
    const int k = (int)(case_bits() % (unsigned)n_kind);
    if (!family || !strcmp(kind_families[k], family)) return kind_names[k];
  }
  return "nobody";
}

static void check_specs(void) {
  static random_specs all;
  BJ_CORE.kinds(note_kind, NULL);
  check(n_kind > 50 && n_kind < 512, "the core lists %d kinds", n_kind);
  int built = 0;
  for (int trial = 0; trial < 20000; trial++) {
    const unsigned long seed = (unsigned long)case_state;
    for (int i = SPEC_NODES - 1; i >= 0; i--) random_spec(&all, i, random_kind(i == 0 ? "layer" : NULL));
    const bj_spec base = all.specs[1];
    const int use_base = case_bits() % 4 == 0;
    guarded pool = {.n = 0};
    const bj_memory memory = {guarded_alloc, &pool};
    bj_error error = {""};
    bj_flow *flow;
    bj_flow_size size;
    bj_spec odd = base;
    odd.kind = random_kind("base");
    const bj_status status =
        BJ_CORE.flow_build(use_base ? &odd : &standard_normal, all.specs, 1 + (int)(case_bits() % 3),
                           (int)(case_bits() % 2), &memory, &flow, &size, &error);
    built += status == BJ_OK;
    check(status == BJ_OK || status == BJ_BAD_SPEC, "layer %s, case %#lx: status %d", all.specs->kind, seed, status);
    check(status == BJ_OK || error.message[0], "layer %s, case %#lx: refused without a message", all.specs->kind, seed);
    guarded_free(&pool, "spec");
  }
  check(built > 20, "only %d of the random specs are built", built);
}

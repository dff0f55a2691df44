/* Between the host's tables and blocks: rows in, column-major matrices out. */
#include "flow.h"

/* Padding repeats the last row. */
static bj_status pack_rows(const bj_rows *rows, int columns, const int *row, long first, int n, int nb, real *to) {
  for (int b = 0; b < nb; b++, to += (long)columns * BJ_BLOCK) {
    const int done = b * BJ_BLOCK, here = n - done < BJ_BLOCK ? n - done : BJ_BLOCK;
    if (rows->read && columns > 0) {
      const bj_status status = rows->read(rows->host, row ? row + done : NULL, first + done, here, to, BJ_BLOCK);
      if (status != BJ_OK) return status;
    }
    for (int j = 0; j < columns; j++) {
      real *at = to + (long)j * BJ_BLOCK;
      if (!rows->read && row) {
        for (int r = 0; r < here; r++) at[r] = rows->column[j][row[done + r]];
      } else if (!rows->read) {
        for (int r = 0; r < here; r++) at[r] = rows->column[j][first + done + r];
      }
      for (int r = here; r < BJ_BLOCK; r++) at[r] = at[here - 1];
    }
  }
  return BJ_OK;
}

static void unpack_rows(const real *from, int columns, int n, double *matrix, long ld, long first) {
  for (int i = 0; i < n; i += BJ_BLOCK) {
    const int here = n - i < BJ_BLOCK ? n - i : BJ_BLOCK;
    for (int j = 0; j < columns; j++) {
      const real *row = from + ((long)(i / BJ_BLOCK) * columns + j) * BJ_BLOCK;
      double *to = matrix + first + i + (long)j * ld;
      for (int r = 0; r < here; r++) to[r] = row[r];
    }
  }
}

static void pack_cotangent(const double *matrix, long ld, int columns, long first, int n, int nb, real *to) {
  memset(to, 0, sizeof(real) * (size_t)nb * (size_t)columns * BJ_BLOCK);
  for (int i = 0; i < n && matrix; i++) {
    for (int j = 0; j < columns; j++) {
      to[((long)(i / BJ_BLOCK) * columns + j) * BJ_BLOCK + i % BJ_BLOCK] = matrix[first + i + (long)j * ld];
    }
  }
}

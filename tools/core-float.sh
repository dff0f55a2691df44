#!/bin/bash
# Compiles the core with `real` a float, and throws the result away: so that a single-precision instance stays within
# reach. One lane, where no intrinsic stands in the way; it is not meant to be numerically right yet, since kernels hold
# the range of a double as numbers. Closes with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
includes=""
for header in math.h stdarg.h stdint.h stdio.h string.h; do includes="$includes -include $header"; done
if ${CC:-gcc} -fsyntax-only -DBJ_SINGLE -std=gnu99 -Wall -Wextra -Wno-unused-function -Werror -DBJ_LANES=1 \
  -DBJ_ISA='"single"' -DBJ_CORE=bj_core_baseline $includes -Isrc -Isrc/core src/core/core.c; then
  echo "1 passed, 0 failed"
else
  echo "0 passed, 1 failed"
  exit 1
fi

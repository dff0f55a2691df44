#!/bin/bash
# The test suite under valgrind: reads of uninitialised or freed memory and definite leaks fail. Valgrind knows no AVX-512;
# the package must see that and choose another copy of the core. The script is sourced, since R would read on where a fork
# that ends leaves the file that both have open.
#
#   bash tools/valgrind.sh [filter]
set -eu
cd "$(dirname "$0")/.."
unset BIJECTR_SLOW
export BIJECTR_INSTRUMENTED=1
export R_LIBS="$PWD/.lib" OPENBLAS_NUM_THREADS=1
sh tools/install.sh .lib
exec R -d "valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --track-origins=yes" \
  --vanilla --no-echo -e 'source("tools/test.R")' --args "$@"

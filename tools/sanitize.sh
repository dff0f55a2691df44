#!/bin/bash
# The test suite with the package compiled for gcc's address and undefined-behaviour sanitizers, on the R that is there.
# Overruns inside R's own small vectors are not seen; tools/core-check.sh covers the core on blocks of its own.
#
#   bash tools/sanitize.sh [filter]
set -eu
cd "$(dirname "$0")/.."
unset BIJECTR_SLOW
export BIJECTR_INSTRUMENTED=1
lib=$PWD/.lib-sanitize
mkdir -p "$lib"
cat >"$lib/Makevars" <<'END'
CFLAGS = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS = -fsanitize=address,undefined
DEBUG =
END

# The runtimes must come first in the process of R itself, and of R only: R's front end is a shell script.
preload="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)"
# gcc 12.2 crashes in its own fake stack on processors with AVX-512.
stack=1
grep -qw avx512f /proc/cpuinfo 2>/dev/null && stack=0
asan=detect_leaks=0:detect_stack_use_after_return=$stack:verify_asan_link_order=0
export R_LIBS="$lib:$PWD/.lib"
# The trial load of R CMD INSTALL runs in a plain R.
ASAN_OPTIONS=$asan R_MAKEVARS_USER=$lib/Makevars BIJECTR_INSTALL_FLAGS=--no-test-load sh tools/install.sh "$lib"
exec R CMD env LD_PRELOAD="$preload" ASAN_OPTIONS=$asan UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
  "$(R RHOME)/bin/exec/R" --vanilla --no-echo -f tools/test.R --args "$@"

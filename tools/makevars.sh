#!/bin/sh
# Writes src/Makevars: R's flags, and which objects depend on which sources, so that `R CMD INSTALL .` and
# pkgload::load_all() rebuild what an edit in src/core/ makes stale. Portable make has no wildcards, so the files are
# listed. With `check` it says whether the list is complete.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

write() (
  cat <<'END'
# Written by tools/makevars.sh (make document).
PKG_CFLAGS = $(C_VISIBILITY) $(SHLIB_OPENMP_CFLAGS)
PKG_LIBS = $(SHLIB_OPENMP_CFLAGS)

all: $(SHLIB)

END
  cd src
  echo 'core-baseline.o core-avx2.o core-avx512.o core-baseline-single.o core-avx2-single.o core-avx512-single.o: \'
  ls core/*.h core/*.c | sed -e 's/^/  /' -e '$!s/$/ \\/'
  echo
  ls ffi-*.c init.c | sed -e 's/c$/o/' | tr '\n' ' ' | sed -e 's/ $/: /'
  echo *.h core/core.h
)

if [ "${1:-}" = check ]; then
  write | cmp -s - src/Makevars || { echo "is not what tools/makevars.sh writes (make document)"; exit 1; }
else
  write >src/Makevars.new
  mv src/Makevars.new src/Makevars
fi

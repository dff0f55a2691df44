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
# Six copies of the core, without the debugging information that R's flags ask for: it is a third of the time they take
# and nine tenths of the library. `CORE_DEBUG =` in ~/.R/Makevars keeps it.
CORE_DEBUG = -g0
CORE_CC = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(CORE_DEBUG) -c

all: $(SHLIB)

END
  cd src
  cores='core-baseline core-avx2 core-avx512 core-baseline-single core-avx2-single core-avx512-single'
  echo "$(printf '%s.o ' $cores | sed 's/ $//'): \\"
  ls core/*.h core/*.c | sed -e 's/^/  /' -e '$!s/$/ \\/'
  echo
  for core in $cores; do printf '%s.o: %s.c\n\t$(CORE_CC) %s.c -o %s.o\n' $core $core $core $core; done
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

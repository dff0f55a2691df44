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
# Without the debugging information that R's flags ask for: with six copies of the core it is a third of the time they
# take and six sevenths of the library. `DEBUG =` in ~/.R/Makevars keeps it.
DEBUG = -g0
COMPILE = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(DEBUG) -c

all: $(SHLIB)

END
  cd src
  cores='core-baseline core-avx2 core-avx512 core-baseline-single core-avx2-single core-avx512-single'
  echo "$(printf '%s.o ' $cores | sed 's/ $//'): \\"
  ls core/*.h core/*.c | sed -e 's/^/  /' -e '$!s/$/ \\/'
  echo
  for name in $(ls core-*.c ffi-*.c init.c | sed 's/[.]c$//'); do
    printf '%s.o: %s.c\n\t$(COMPILE) %s.c -o %s.o\n' $name $name $name $name
  done
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

#!/bin/bash
# Compiles every file of src/core/ by itself, as editors and analysers do, and throws the result away: a file includes
# what it uses, whatever stands before it in core.c. Not kinds.c, the table of all kinds, and single.c, which core-float.sh compiles. Functions that a header
# declares have their bodies in another file: that warning alone is no failure. Closes with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
files=$(find src/core -name '*.[ch]' ! -name kinds.c ! -name single.c | sort)
said=$(xargs -P "$(nproc)" -n 22 "${CC:-gcc}" -fsyntax-only -fno-diagnostics-show-caret -std=gnu99 -Wall -Wextra \
  -Wno-unused-function -Werror=implicit-function-declaration -DBJ_LANES=2 -DBJ_ISA='"alone"' \
  -DBJ_CORE=bj_core_baseline -Isrc -Isrc/core -x c <<<"$files" 2>&1)
status=$?
bad=$(grep -E 'warning:|error:' <<<"$said" | grep -v 'used but never defined')
failed=$(cut -d : -f 1 <<<"$bad" | sort -u | grep -c .)
[ $status = 0 ] || [ "$failed" != 0 ] || failed=1 bad=$said
[ "$failed" = 0 ] || echo "$bad"
echo "$(($(wc -l <<<"$files") - failed)) passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/bash
# Compiles single.c and the core with `real` a float, and throws the result away: for one lane, and on x86-64 for as many as fill the
# vectors of SSE2, AVX2 and AVX-512. So a single-precision instance stays within reach. No number may be lost on the way
# to a float: it would be 0 or Inf (src/core/num-real.h has both values of such numbers). Closes with "N passed, N
# failed".
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
includes=""
for header in math.h stdarg.h stdint.h stdio.h string.h; do includes="$includes -include $header"; done

compile() { # lanes, flags
  local log=$work/$1 lost="changes value from .* to '[-+]?(0\.0|Inf)"
  for file in core single; do
    ${CC:-gcc} -fsyntax-only -fno-diagnostics-show-caret -DBJ_SINGLE -std=gnu99 -Wall -Wextra -Wno-unused-function \
      -Wfloat-conversion -Werror -Wno-error=float-conversion -DBJ_ISA='"single"' -DBJ_CORE=bj_core_baseline \
      -DBJ_LANES="$1" "${@:2}" $includes -Isrc -Isrc/core src/core/$file.c 2>>"$log" || break
  done && ! grep -qE "$lost" "$log" && return
  grep -E "error:|$lost" "$log" | head -n 20 >"$work/failed-$1"
}

variants=1
compile 1 &
if [ "$(uname -m)" = x86_64 ]; then
  variants=4
  compile 4 -msse2 &
  compile 8 -mavx2 -mfma &
  compile 16 -mavx2 -mfma -mavx512f -mavx512dq -mavx512vl -mavx512bw &
fi
wait
failed=0
for log in "$work"/failed-*; do
  [ -e "$log" ] || continue
  cat "$log"
  echo "core-float: ${log##*-} lanes do not compile"
  failed=$((failed + 1))
done
echo "$((variants - failed)) passed, $failed failed"
[ $failed = 0 ]

#!/bin/bash
# Compiles tools/core-check.c, which includes the core without R, and runs it: with two lanes, with four and eight where
# the processor has AVX2 and AVX-512, and once under the address and undefined-behaviour sanitizers. Closes with
# "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

run() { # name, flags
  local name=$1 status p f
  shift
  if ! ${CC:-gcc} -std=gnu99 -Wall -Wextra -Wstrict-prototypes -Wno-unused-function -Werror "$@" -Isrc -Isrc/core \
    tools/core-check.c -o "$work/core-check" -lm 2>"$work/log"; then
    head -n 30 "$work/log"
    echo "core-check, $name: does not compile"
    failed=$((failed + 1))
    return
  fi
  "$work/core-check" >"$work/out" 2>&1
  status=$?
  read -r p f < <(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' "$work/out" | tail -n 1)
  p=${p:-0} f=${f:-0}
  # A crash has no last line; a failure without a count is one.
  [ $status = 0 ] || [ "$f" != 0 ] || f=1
  [ $((p + f)) != 0 ] || f=1
  [ "$f" = 0 ] || tail -n 30 "$work/out"
  echo "core-check, $name: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
}

run "2 lanes" -O2 -DBJ_LANES=2
if grep -qw avx2 /proc/cpuinfo 2>/dev/null && grep -qw fma /proc/cpuinfo; then
  run "4 lanes, AVX2" -O2 -DBJ_LANES=4 -mavx2 -mfma
fi
stack=1
if grep -qw avx512f /proc/cpuinfo 2>/dev/null && grep -qw avx512dq /proc/cpuinfo; then
  run "8 lanes, AVX-512" -O2 -DBJ_LANES=8 -mavx2 -mfma -mavx512f -mavx512dq -mavx512vl -mavx512bw
  stack=0 # gcc 12.2 crashes there in its own fake stack
fi
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=$stack UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
run "2 lanes, sanitizers" -g -O1 -fno-omit-frame-pointer -DBJ_LANES=2 -fsanitize=address,undefined -fno-sanitize-recover=all
echo "$passed passed, $failed failed"
[ $failed = 0 ]

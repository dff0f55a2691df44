#!/bin/sh
# clang-format over src/: rewrites the files, or with `check` names those that would change. Versions of clang-format
# disagree in details; the reference is 14, Debian 12's.
set -eu
cd "$(dirname "$0")/.."
clang_format=clang-format-14
command -v $clang_format >/dev/null 2>&1 || clang_format=clang-format
files=$(find src -name '*.c' -o -name '*.h' | LC_ALL=C sort)
[ "${1:-}" = check ] || exec $clang_format -i $files
bad=""
for f in $files; do $clang_format --dry-run -Werror "$f" 2>/dev/null || bad="$bad $f"; done
[ -z "$bad" ] || { echo "not formatted (make format):$bad"; exit 1; }

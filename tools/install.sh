#!/bin/sh
# Installs the package into a private library, .lib by default, when a source has changed since the last time.
#
#   sh tools/install.sh [library]
#
# It installs from a copy, so no objects are left in src/, whatever they were compiled with.
#
# ONE=avx2 (or baseline, avx512) compiles the core for that instruction set alone, in a third of the time.
set -eu
cd "$(dirname "$0")/.."
lib=${1:-.lib}
mkdir -p "$lib"

sources=$(find DESCRIPTION NAMESPACE R src inst data -type f ! -name '*.o' ! -name '*.so' ! -name '*.dll' 2>/dev/null | LC_ALL=C sort)
stamp=$({
  echo "$sources" | while IFS= read -r f; do cksum "$f"; done
  R --version | head -n 1
  [ -z "${R_MAKEVARS_USER:-}" ] || cksum <"$R_MAKEVARS_USER"
  echo "${ONE:-}"
} | cksum)
if [ -d "$lib/bijectr" ] && [ "$(cat "$lib/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bijectr"
for f in DESCRIPTION NAMESPACE LICENSE R src inst man data; do
  [ ! -e "$f" ] || cp -R "$f" "$work/bijectr/"
done
find "$work/bijectr/src" \( -name '*.o' -o -name '*.so' -o -name '*.dll' \) -exec rm -f {} +
if [ -n "${ONE:-}" ]; then
  for isa in baseline avx2 avx512; do
    [ "$isa" = "$ONE" ] && continue
    printf '#include "core/core.h"\nconst bj_core bj_core_%s = {0};\n' $isa >"$work/bijectr/src/core-$isa.c"
    printf '#include "core/single.h"\nconst bj_single bj_single_%s = {0};\n' $isa >"$work/bijectr/src/core-$isa-single.c"
  done
fi
rm -f "$lib/stamp"
echo "installing bijectr into $lib"
if ! MAKEFLAGS=-j2 R CMD INSTALL --no-multiarch ${BIJECTR_INSTALL_FLAGS:-} --library="$lib" "$work/bijectr" >"$work/log" 2>&1; then
  tail -n 40 "$work/log" >&2
  exit 1
fi
grep -E 'warning:' "$work/log" || true
echo "$stamp" >"$lib/stamp"

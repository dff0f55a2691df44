#!/bin/bash
# Builds the package and runs R CMD check --as-cran, without network. Errors, warnings and notes fail, except the note
# on a version that is not on CRAN yet.
#
#   bash tools/check.sh [--no-tests]
#
# With --no-tests the tests and the second run of the vignettes are left out, for a caller that runs them itself.
# _R_CHECK_DEPENDS_ONLY_=true in the environment hides the suggested packages.
set -u
cd "$(dirname "$0")/.." || exit 1
out=.check
rm -rf $out && mkdir $out
export _R_CHECK_CRAN_INCOMING_=true _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_SYSTEM_CLOCK_=false
export _R_CHECK_NATIVE_ROUTINE_REGISTRATION_=true _R_CHECK_RD_STRICT_=true _R_CHECK_SHLIB_OPENMP_FLAGS_=true
export _R_CHECK_LIMIT_CORES_=true _R_CHECK_FORCE_SUGGESTS_=false
export _R_CHECK_PACKAGE_DEPENDS_IGNORE_MISSING_ENHANCES_=true
# Of the machine, not of the package: Debian's compiler flags, and an HTML checker that is missing or too old.
export _R_CHECK_COMPILATION_FLAGS_KNOWN_="-Wdate-time -Werror=format-security -Wformat"
export _R_CHECK_RD_VALIDATE_RD2HTML_=false _R_CHECK_PKG_SIZES_THRESHOLD_=10
[ -z "${LC_ALL:-}" ] && export LC_ALL=C.UTF-8

options=(--as-cran --no-manual)
[ "${1:-}" != --no-tests ] || options+=(--no-tests --ignore-vignettes)

root=$PWD
cd $out || exit 1
MAKEFLAGS=-j2 R CMD build "$root" >build.log 2>&1 || { tail -n 30 build.log; exit 1; }
MAKEFLAGS=-j2 R CMD check "${options[@]}" bijectr_*.tar.gz >check.log 2>&1
log=bijectr.Rcheck/00check.log
[ -f $log ] || { tail -n 30 check.log; exit 1; }

tail -n 4 $log | grep '^Status'
bad=$(grep -E '^\* .*\.\.\. *(\[[^]]*\] *)?(ERROR|WARNING|NOTE)$|^  Running .*ERROR$' $log |
  grep -v 'checking CRAN incoming feasibility .*NOTE$')
if [ -n "$bad" ] || grep -qE '^Status: .*(ERROR|WARNING)' $log; then
  sed -n '/\(ERROR\|WARNING\|NOTE\)$/,/^\* [^.]*\.\.\. \(\[[^]]*\] \)\?OK$/p' $log | grep -vE '\.\.\. *(\[[^]]*\] *)?OK$' | tail -n 80
  [ ! -f bijectr.Rcheck/00install.out ] || grep -E 'warning:|error:' bijectr.Rcheck/00install.out | head -n 20
  exit 1
fi

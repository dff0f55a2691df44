#!/bin/sh
# Installs what a step needs: R, a C compiler, R packages, and for `ci` the tools of the checks.
#
#   sh tools/install-deps.sh demo|test|ci
#
# With everything present it does nothing and needs no network. Otherwise, as root on Debian or a relative, it calls
# apt-get; elsewhere it names what is missing and stops with status 1. The R packages come from DESCRIPTION: Imports for
# demo, Suggests as well for test and ci.
set -u
cd "$(dirname "$0")/.." || exit 1
step=${1:-test}
export DEBIAN_FRONTEND=noninteractive
export R_LIBS="$PWD/.lib${R_LIBS:+:$R_LIBS}"

have() { command -v "$1" >/dev/null 2>&1; }

# Names in one field of DESCRIPTION, without versions, R itself and the packages that come with R.
field() {
  awk -v f="$1:" '$1 == f { on = 1; sub(/^[^:]*:/, ""); print; next } /^[^ \t]/ { on = 0 } on' DESCRIPTION |
    tr ',' '\n' | sed 's/(.*//; s/[ \t]//g' |
    grep -vxE '|R|base|compiler|datasets|graphics|grDevices|grid|methods|parallel|splines|stats|stats4|tools|utils'
}

r_packages=$(field Imports)
[ "$step" = demo ] || r_packages="$r_packages $(field Suggests)"
# Vignettes are built by the checks only.
[ "$step" = ci ] || r_packages=$(echo $r_packages | tr ' ' '\n' | grep -vxE 'knitr|rmarkdown')
r_packages=$(echo $r_packages)

missing_r() {
  have Rscript || { echo "$r_packages"; return; }
  Rscript --vanilla -e 'p <- commandArgs(TRUE); cat(p[!nzchar(vapply(p, function(x) system.file(package = x), ""))])' \
    $r_packages
}

debian_name() { echo "r-cran-$(echo "$1" | tr 'A-Z' 'a-z')"; }

packages=""
have Rscript && cc=$(R CMD config CC 2>/dev/null | sed 's/ .*//') && have "${cc:-cc}" || packages="r-base-dev"
missing=$(missing_r)
for p in $missing; do packages="$packages $(debian_name "$p")"; done
# Rmpi looks for libmpi.so, which is in no package that Debian's names.
case " $missing " in *" Rmpi "*) packages="$packages libopenmpi-dev" ;; esac
if [ "$step" = ci ]; then
  have clang-format-14 || have clang-format || packages="$packages clang-format"
  have git || packages="$packages git"
  have qpdf || packages="$packages qpdf"
  have pandoc || packages="$packages pandoc"
  [ -d /usr/lib/postgresql ] || packages="$packages postgresql" # a server that the tests start
  have mpirun || packages="$packages openmpi-bin"
  for p in lintr spelling; do
    [ -n "$(Rscript --vanilla -e "cat(system.file(package = '$p'))" 2>/dev/null)" ] || packages="$packages r-cran-$p"
  done
fi
packages=$(echo $packages)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ] || ! have apt-get; then
  echo "Missing: $packages (Debian's names)." >&2
  echo "On Debian or Ubuntu, as root: apt-get install $packages" >&2
  if have Rscript && [ -n "$missing" ]; then
    echo "Or in R: install.packages(c($(for p in $missing; do printf '"%s", ' "$p"; done | sed 's/, $//')))" >&2
  fi
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }; }
known() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }
update() { quietly apt-get -o Acquire::Retries=3 update; }

for p in $packages; do known "$p" || { update || exit 1; break; }; done

from_debian=""
from_cran=""
for p in $packages; do
  if known "$p"; then
    from_debian="$from_debian $p"
  else
    for m in $missing; do [ "$(debian_name "$m")" != "$p" ] || from_cran="$from_cran $m"; done
  fi
done

if [ -n "$from_debian" ]; then
  echo "installing$from_debian"
  apt_install() { apt-get -o Acquire::Retries=3 install -y --no-install-recommends $from_debian; }
  # A failure is most often an index older than the archive: once more with a fresh one.
  quietly apt_install || { update && quietly apt_install; } || exit 1
fi
if [ -n "$from_cran" ]; then
  echo "installing$from_cran from CRAN into .lib"
  mkdir -p .lib
  quietly Rscript --vanilla -e 'install.packages(commandArgs(TRUE), ".lib", repos = "https://cloud.r-project.org")' \
    $from_cran || exit 1
fi

missing=$(missing_r)
[ -z "$missing" ] || { echo "Not installed: $missing" >&2; exit 1; }

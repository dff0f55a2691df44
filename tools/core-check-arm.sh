#!/bin/bash
# tools/core-check.c for Arm, with the vector types that NEON has, and run by an emulator: processors of Apple and others
# without one at hand. Not part of CI: needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user of Debian.
# Closes with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
  command -v $tool >/dev/null || { echo "$tool is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
aarch64-linux-gnu-gcc -std=gnu99 -Wall -Wextra -Wno-unused-function -Werror -O2 -static -DBJ_LANES=2 -Isrc -Isrc/core \
  tools/core-check.c -o "$work/core-check" -lm
qemu-aarch64 "$work/core-check" | tail -n 30

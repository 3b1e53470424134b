#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's own dkms, run for real in a namespace of its own (tests/lib/private.sh).
# Usage: reference.sh KERNEL DRIVER OUTPUT. OUTPUT gets `status`, `output`, `make.log` and *.ko.
#
# One thing is set: KBUILD_BUILD_TIMESTAMP. It does not enter modules, but scripts/Makefile.btf takes
# it as the wish for a reproducible build and leaves out `pahole -j`, which on 6.12 makes the order of
# .BTF vary from run to run, so that not even dkms would match dkms. kmodbox builds without -j too.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

if [ "$1" != --inside ]; then
	output=$(realpath -m "$3")
	rm -rf "$output"
	mkdir -p "$output"
	exec "$top/tests/lib/private.sh" "$1" "$2" "$(realpath "$0")" --inside "$1" "$2" "$output"
fi
kernel=$2 driver=$3 output=$4

name=$(basename "$(echo "$drivers/$driver"/usr/src/*)")
module=${name%-*} version=${name##*-}
release=$(kernel_release "$kernels/$kernel")
export KBUILD_BUILD_TIMESTAMP=@1
status=0
{
	dkms add -m "$module" -v "$version" &&
		dkms build -m "$module" -v "$version" -k "$release" -a x86_64
} >"$output/output" 2>&1 </dev/null || status=$?
say "$status" >"$output/status"
tree=/var/lib/dkms/$module/$version
cp "$tree/$release/x86_64/log/make.log" "$output/" 2>/dev/null ||
	cp "$tree/build/make.log" "$output/" 2>/dev/null || true
cp "$tree/$release/x86_64/module"/*.ko* "$output/" 2>/dev/null || true

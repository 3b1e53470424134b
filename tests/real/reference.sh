#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian's own dkms, run for real in a namespace of its own (tests/lib/private.sh).
# Usage: reference.sh KERNEL DRIVER[,NEEDED...] OUTPUT. The needed ones are built before. OUTPUT gets
# `status`, `output`, `make.log` and *.ko of the first.
#
# Two things are set. SOURCE_DATE_EPOCH, as kmodbox does: else openafs would differ from day to day, and
# from host to host. KBUILD_BUILD_TIMESTAMP does not enter modules, but scripts/Makefile.btf takes
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
kernel=$2 output=$4
IFS=, read -ra names <<<"$3"

release=$(kernel_release "$kernels/$kernel")
export KBUILD_BUILD_TIMESTAMP=@1 SOURCE_DATE_EPOCH=1
status=0
{
	for ((i = ${#names[@]} - 1; i >= 0 && status == 0; i--)); do
		read -r module version < <(package_identity "$drivers/${names[i]}")
		dkms add -m "$module" -v "$version" &&
			dkms build -m "$module" -v "$version" -k "$release" -a x86_64 || status=$?
	done
} >"$output/output" 2>&1 </dev/null
say "$status" >"$output/status"
tree=/var/lib/dkms/$module/$version
cp "$tree/$release/x86_64/log/make.log" "$output/" 2>/dev/null ||
	cp "$tree/build/make.log" "$output/" 2>/dev/null || true
cp "$tree/$release/x86_64/module"/*.ko* "$output/" 2>/dev/null || true

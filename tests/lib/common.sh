# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # used by those who source it
# What the test scripts share: where things are, how they speak, how they count. Sourced, not run,
# by scripts that did `set -euo pipefail`. BUILD and KERNELS_DIR come from the Makefile.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m "${BUILD:-$top/build}")
kernels=$(realpath -m "${KERNELS_DIR:-$build/kernels}")
drivers=$build/drivers
kmodbox=$build/bin/kmodbox
export LC_ALL=C
umask 022 # settings that a group may write to are not believed

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	warn "$*"
	exit 1
}

# wait_for COMMAND...: until it succeeds; far longer than it can take, so that a hang is a failure.
wait_for() {
	local try
	for ((try = 0; try < 600; try++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}

# end_job PID [SIGNAL]: to a job of this shell, if it runs still. When it has ended its number may soon
# be another's: a host gives 32,768 of them, and tests take that many in minutes.
end_job() {
	if jobs -rp | grep -x -- "$1" >/dev/null; then
		kill "-${2:-TERM}" "$1" 2>/dev/null || true
	fi
}

# The release of the kernel whose headers are below a root: "6.1.0-56-amd64".
kernel_release() {
	local found
	for found in "$1"/lib/modules/*/build; do
		[ -L "$found" ] || return 1
		basename "${found%/build}"
		return 0
	done
}

# "NAME VERSION" of the source in an unpacked driver package, as its dkms.conf has them in plain text.
package_identity() {
	sed -nE 's/^PACKAGE_(NAME|VERSION)="?([^"]*)"?$/\1 \2/p' "$1"/usr/src/*/dkms.conf | sort |
		sed 's/^[A-Z]* //' | paste -sd ' '
}

# A module's bytes as they left the compiler and strip: decompressed, appended signature cut off.
# The trailer is 12 bytes of struct module_signature, whose last 4 are the signature's length
# (big-endian), and a 28-byte marker: include/linux/module_signature.h.
module_payload() {
	local plain length a b c d
	plain=$(mktemp)
	case $1 in
	*.xz) xz -dc -- "$1" ;;
	*.gz) gzip -dc -- "$1" ;;
	*.zst) zstd -q -dc -- "$1" ;;
	*) cat -- "$1" ;;
	esac >"$plain"
	if [ "$(tail -c 28 "$plain" | tr -d '\n\0')" = "~Module signature appended~" ]; then
		read -r a b c d < <(tail -c 32 "$plain" | head -c 4 | od -An -tu1)
		length=$(((a << 24) + (b << 16) + (c << 8) + d))
		head -c "-$((length + 40))" "$plain"
	else
		cat "$plain"
	fi
	rm -f "$plain"
}

passed=0 failed=0 skipped=0
pass() {
	passed=$((passed + 1))
	say "ok      $*"
}
fail() {
	failed=$((failed + 1))
	say "FAILED  $*"
}
skip() {
	skipped=$((skipped + 1))
	say "skipped $*"
}
# The last line of every suite, and its exit status.
close_suite() {
	say "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

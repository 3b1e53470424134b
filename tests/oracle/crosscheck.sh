#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The checker's reading of Debian's own modules against kmod's (modinfo, modprobe --dump-modversions):
# name, vermagic, license, version, dependencies, aliases, firmware, symbols. And all of them will load
# on their own kernel. One module in twenty of each kernel; CROSSCHECK=all: all of them, some 8,000.
# Last line: N modules, N agree, N differ.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

describe=$build/tests/oracle/describe
images=$(dirname "$kernels")/images
step=20
[ "${CROSSCHECK:-}" != all ] || step=1
if ! command -v modinfo >/dev/null 2>&1; then
	say "skipped crosscheck: modinfo is not there (kmod)"
	say "0 modules, 0 agree, 0 differ"
	exit 0
fi
if [ ! -x "$describe" ] || [ ! -x "$kmodbox" ]; then
	die "$describe and $kmodbox are not built; run: make test-crosscheck"
fi
[ -d "$images/6.1" ] || "$top/tests/lib/kernels.sh" --images

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=0 differ=0

# What modinfo prints, as describe does. Its values may begin with blanks that we keep.
of_modinfo() {
	xargs -a "$work/list" modinfo 2>/dev/null | awk '
		match($0, /^[a-z]+:/) {
			key = substr($0, 1, RLENGTH - 1)
			value = substr($0, 17)
			if (key == "filename") file = value
			else if (key ~ /^(name|vermagic|license|version|depends|alias|firmware|intree|softdep|srcversion)$/)
				print file "|" key "=" value
		}'
}
of_versions() {
	local file
	while read -r file; do
		modprobe --dump-modversions "$file" | awk -v file="$file" '$2 != "module_layout" { print file "|import=" $2 }'
	done <"$work/list"
}

for kernel in 6.1 6.12; do
	root=$images/$kernel
	release=$(basename "$root"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	find "$root/lib/modules/$release/kernel" -name '*.ko*' | sort | awk -v step="$step" 'NR % step == 0' >"$work/list"
	count=$(wc -l <"$work/list")
	xargs -a "$work/list" "$describe" | LC_ALL=C sort >"$work/ours" || true
	{ of_modinfo; of_versions; } | LC_ALL=C sort >"$work/theirs"
	xargs -a "$work/list" "$kmodbox" check -k "$release" --kernel-root "$root" >"$work/verdicts" 2>&1 || true
	{
		LC_ALL=C comm -3 "$work/ours" "$work/theirs" | sed 's/^\t/kmod: /; t; s/^/ours: /'
		grep -v "^  " "$work/verdicts" | grep -v " will load on $release\$" || true
	} >"$work/differences"
	sed "s|$root/lib/modules/$release/kernel/||g" "$work/differences" | cut -c 1-200 | head -n 20 | sed 's/^/differ  /'
	bad=$(sed -E 's/^(kmod|ours): //; s/[| ].*//' "$work/differences" | sort -u | wc -l)
	modules=$((modules + count)) differ=$((differ + bad))
	say "== $kernel: $count modules, $(wc -l <"$work/ours") facts of them, $(grep -c " will load on $release\$" "$work/verdicts") will load"
done
say "$modules modules, $((modules - differ)) agree, $differ differ"
[ "$differ" -eq 0 ]

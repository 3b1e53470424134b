#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make test-real`: Debian's driver packages against its kernels, by the real dkms (reference.sh) and
# by kmodbox. The same ones must build, and every module must be the same bytes, signature aside.
# What dkms made is kept in build/real/dkms/ for as long as packages and tools stay as they are.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

real=$build/real
[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make"
rm -rf "$real/kmodbox"
mkdir -p "$real/dkms" "$real/kmodbox"/{dkms,src,modules,logs}
trees=(--dkmstree "$real/kmodbox/dkms" --sourcetree "$real/kmodbox/src"
	--installtree "$real/kmodbox/modules" --statedir "$real/kmodbox/state")
tools=$({ gcc-12 --version && pahole --version && strip --version && make --version; } 2>&1)

# reference KERNEL DRIVER: what dkms makes of it, from the cache where nothing changed.
reference() {
	local folder=$real/dkms/$1/$2 key
	key=$(cat "$kernels/$1/.packages" "$drivers/$2/.packages" "$build/dkms/.packages" \
		"$top/tests/real/reference.sh" "$top/tests/lib/private.sh" <(say "$tools") | sha256sum)
	[ "$(cat "$folder/key" 2>/dev/null)" != "$key" ] || return 0
	"$top/tests/real/reference.sh" "$1" "$2" "$folder" || return 1
	say "$key" >"$folder/key"
}

# ours KERNEL MODULE VERSION: builds it with kmodbox; prints the exit code.
ours() {
	local release status=0
	release=$(kernel_release "$kernels/$1")
	mkdir -p "$real/kmodbox/modules/$release"
	"$kmodbox" build -m "$2" -v "$3" -k "$release" --kernel-root "$kernels/$1" "${trees[@]}" \
		>"$real/kmodbox/logs/$1-$2" 2>&1 </dev/null || status=$?
	say "$status"
}

# compare FOLDER-OF-DKMS FOLDER-OF-KMODBOX: prints what differs.
compare() {
	local file stem other found
	for file in "$1"/*.ko*; do
		stem=$(basename "$file")
		stem=${stem%%.ko*}
		found=
		for other in "$2/$stem".ko "$2/$stem".ko.*; do
			[ ! -f "$other" ] || found=$other
		done
		if [ -z "$found" ]; then
			say "$stem.ko is missing"
		elif ! cmp -s <(module_payload "$file") <(module_payload "$found"); then
			say "$stem.ko differs: $file $found"
		fi
	done
	for other in "$2"/*.ko*; do
		stem=$(basename "$other")
		stem=${stem%%.ko*}
		[ -f "$1/$stem.ko" ] || [ -n "$(find "$1" -name "$stem.ko.*")" ] || say "$stem.ko is there too"
	done
}

printf '        %-8s %-14s %-8s %-8s %s\n' kernel driver dkms kmodbox modules
for kernel in 6.1 6.12; do
	for driver in acpi-call bbswitch v4l2loopback ddcci evdi; do
		if [ ! -d "$kernels/$kernel" ] || [ ! -d "$drivers/$driver" ]; then
			skip "$kernel $driver: not here (make kernels says why)"
			continue
		fi
		if ! reference "$kernel" "$driver" 2>"$real/dkms/error"; then
			skip "$kernel $driver: dkms cannot be run in a namespace of its own: $(tail -n 1 "$real/dkms/error")"
			continue
		fi
		theirs=$(cat "$real/dkms/$kernel/$driver/status")
		name=$(basename "$(echo "$drivers/$driver"/usr/src/*)")
		module=${name%-*} version=${name##*-}
		if [ ! -d "$real/kmodbox/src/$name" ]; then
			cp -a "$drivers/$driver/usr/src/$name" "$real/kmodbox/src/"
			if ! "$kmodbox" add -m "$module" -v "$version" "${trees[@]}" \
				>"$real/kmodbox/logs/add-$module" 2>&1 </dev/null; then
				fail "$kernel $driver: add failed: $(tail -n 1 "$real/kmodbox/logs/add-$module" | cat -v)"
			fi
		fi
		status=$(ours "$kernel" "$module" "$version")
		folder=$real/kmodbox/dkms/$module/$version/$(kernel_release "$kernels/$kernel")/x86_64/module
		row=$(printf '%-8s %-14s %-8s %-8s' "$kernel" "$driver" "$theirs" "$status")
		if [ "$theirs" -eq 0 ] && [ "$status" -eq 0 ]; then
			differences=$(compare "$real/dkms/$kernel/$driver" "$folder")
			if [ -z "$differences" ]; then
				pass "$row $(find "$folder" -name '*.ko*' | wc -l) identical"
			else
				fail "$row"
				say "$differences"
			fi
		elif [ "$theirs" -eq "$status" ]; then
			pass "$row fails alike"
		elif [ "$theirs" -ne 0 ] && [ "$status" -ne 0 ]; then
			fail "$row fails in both, with another exit code: $(tail -n 1 "$real/kmodbox/logs/$kernel-$module" | cat -v)"
		else
			fail "$row $(tail -n 1 "$real/kmodbox/logs/$kernel-$module" | cat -v)"
		fi
	done
done
close_suite

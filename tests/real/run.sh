#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make test-real`: Debian's driver packages (tests/real/drivers) against its kernels, by the real dkms
# (reference.sh) and by kmodbox. The same ones must build, and every module must be the same bytes,
# signature aside. A row that fails in both proves little, so the last lines count those that were
# built by both. What dkms made is kept in build/real/dkms/ for as long as packages and tools stay as
# they are. DRIVERS="bbswitch evdi" and REAL_KERNELS="6.1" take only those.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

real=$build/real
[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make"
rm -rf "$real/kmodbox"
mkdir -p "$real/dkms" "$real/kmodbox"/{dkms,src,modules,logs,config/modules.d}
# Copies, so that they are whose the builds are.
install -m 0644 "$top"/tests/real/modules.d/*.conf "$real/kmodbox/config/modules.d/"
trees=(--dkmstree "$real/kmodbox/dkms" --sourcetree "$real/kmodbox/src"
	--installtree "$real/kmodbox/modules" --statedir "$real/kmodbox/state"
	--configdir "$real/kmodbox/config")
tools=$({ gcc-12 --version && pahole --version && strip --version && make --version; } 2>&1)

# The driver packages, each with those it needs behind it: "west-chamber,xtables-addons".
mapfile -t rows < <(sed -nE '/^[a-z0-9]/ { s/-dkms( |$)/\1/g; s/ +/,/g; p }' "$top/tests/real/drivers")
read -ra real_kernels <<<"${REAL_KERNELS:-6.1 6.1-cloud 6.12}"

# reference KERNEL ROW: what dkms makes of it, from the cache where nothing changed.
reference() {
	local folder=$real/dkms/$1/${2%%,*} key names name files=()
	IFS=, read -ra names <<<"$2"
	for name in "${names[@]}"; do
		files+=("$drivers/$name/.packages")
	done
	key=$(cat "$kernels/$1/.packages" "${files[@]}" "$build/dkms/.packages" \
		"$top/tests/real/reference.sh" "$top/tests/lib/private.sh" <(say "$tools") | sha256sum)
	[ "$(cat "$folder/key" 2>/dev/null)" != "$key" ] || return 0
	"$top/tests/real/reference.sh" "$1" "$2" "$folder" || return 1
	say "$key" >"$folder/key"
}

# known DRIVER: adds its source, once; what add said is in the log where it did not.
known() {
	local module version
	read -r module version < <(package_identity "$drivers/$1")
	[ ! -d "$real/kmodbox/src/$module-$version" ] || return 0
	cp -a "$drivers/$1/usr/src/$module-$version" "$real/kmodbox/src/"
	"$kmodbox" add -m "$module" -v "$version" "${trees[@]}" >"$real/kmodbox/logs/add-$1" 2>&1 </dev/null || {
		fail "$1: add: $(tail -n 1 "$real/kmodbox/logs/add-$1" | cat -v)"
		return 1
	}
}

# ours KERNEL ROW: builds it with kmodbox, the needed ones before; prints the exit code.
ours() {
	local release status=0 names module version i
	release=$(kernel_release "$kernels/$1")
	mkdir -p "$real/kmodbox/modules/$release"
	IFS=, read -ra names <<<"$2"
	for ((i = ${#names[@]} - 1; i >= 0 && status == 0; i--)); do
		read -r module version < <(package_identity "$drivers/${names[i]}")
		"$kmodbox" build -m "$module" -v "$version" -k "$release" --kernel-root "$kernels/$1" \
			"${trees[@]}" >"$real/kmodbox/logs/$1-${names[0]}" 2>&1 </dev/null || status=$?
	done
	say "$status"
}

# Modules that the settings of a package do without.
left_out() {
	sed -n 's/^leave_out *= *//p' "$real/kmodbox/config/modules.d/$1.conf" 2>/dev/null || true
}

# compare FOLDER-OF-DKMS FOLDER-OF-KMODBOX LEFT-OUT: prints what differs.
compare() {
	local file stem other found
	for file in "$1"/*.ko*; do
		stem=$(basename "$file")
		stem=${stem%%.ko*}
		found=
		for other in "$2/$stem".ko "$2/$stem".ko.*; do
			[ ! -f "$other" ] || found=$other
		done
		if [[ " $3 " == *" $stem "* ]]; then
			[ -z "$found" ] || say "$stem.ko was to be left out"
		elif [ -z "$found" ]; then
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

built=0 modules=0
printf '        %-10s %-20s %-8s %-8s %s\n' kernel driver dkms kmodbox modules
for kernel in "${real_kernels[@]}"; do
	for row in "${rows[@]}"; do
		driver=${row%%,*}
		[ -z "${DRIVERS:-}" ] || [[ " $DRIVERS " == *" $driver "* ]] || continue
		if [ ! -d "$kernels/$kernel" ] || [ ! -d "$drivers/$driver" ]; then
			skip "$kernel $driver: not here (make kernels says why)"
			continue
		fi
		if ! reference "$kernel" "$row" 2>"$real/dkms/error"; then
			skip "$kernel $driver: dkms cannot be run in a namespace of its own: $(tail -n 1 "$real/dkms/error")"
			continue
		fi
		theirs=$(cat "$real/dkms/$kernel/$driver/status")
		IFS=, read -ra needed <<<"$row"
		for name in "${needed[@]}"; do
			known "$name" || continue 2
		done
		status=$(ours "$kernel" "$row")
		log=$real/kmodbox/logs/$kernel-$driver
		read -r module version < <(package_identity "$drivers/$driver")
		folder=$real/kmodbox/dkms/$module/$version/$(kernel_release "$kernels/$kernel")/x86_64/module
		columns=$(printf '%-10s %-20s %-8s %-8s' "$kernel" "$driver" "$theirs" "$status")
		if [ "$theirs" -eq 0 ] && [ "$status" -eq 0 ]; then
			without=$(left_out "$module")
			differences=$(compare "$real/dkms/$kernel/$driver" "$folder" "$without")
			if [ -z "$differences" ]; then
				count=$(find "$folder" -name '*.ko*' | wc -l)
				built=$((built + 1)) modules=$((modules + count))
				pass "$columns $count identical${without:+, without $without}"
			else
				fail "$columns"
				say "$differences"
			fi
		elif [ "$theirs" -eq "$status" ]; then
			pass "$columns fails alike: $(tail -n 1 "$log" | cat -v)"
		elif [ "$theirs" -ne 0 ] && [ "$status" -ne 0 ]; then
			fail "$columns fails in both, with another exit code: $(tail -n 1 "$log" | cat -v)"
		else
			fail "$columns $(tail -n 1 "$log" | cat -v)"
		fi
	done
done
say "$built builds succeeded under both, $modules modules identical"
close_suite

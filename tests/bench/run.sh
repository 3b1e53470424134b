#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make bench`: how fast, how much memory. Commands are run in turn and compared within one run
# (tests/bench/pair.c, start.c, check.c); figures alone: no test asserts on time. ROUNDS, PAIRS, BUILDS
# and TEN say how often. --verdicts: that part alone.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

pair=$build/tests/bench/pair
rounds=${ROUNDS:-100} builds=${BUILDS:-9} ten=${TEN:-3} pairs=${PAIRS:-20}
bench=$build/bench
[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make"

trees=(--dkmstree "$bench/dkms" --sourcetree "$bench/src" --installtree "$bench/modules"
	--statedir "$bench/state")
name=bbswitch-0.8

# prepare NAME LINE...: a program that is run before each round.
prepare() {
	local file=$bench/prepare-$1
	shift
	printf '%s\n' '#!/bin/sh' 'set -e' "$@" >"$file"
	chmod +x "$file"
	say "$file"
}

# The namespaces, the read-only /usr and the empty set of capabilities that kmodbox gives, without
# its system call filter, limits and checks.
bubblewrap=(bwrap --unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts
	--unshare-cgroup --die-with-parent --new-session --cap-drop ALL --ro-bind /usr /usr
	--symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64
	--proc /proc --dev /dev --tmpfs /tmp)

# Compilers and dkms have much to say on stderr; it is shown only where something failed.
compare() {
	"$pair" "$@" 2>"$bench/errors" || {
		cat -v "$bench/errors" >&2
		exit 1
	}
}

start() {
	local user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	say "start of a sandbox: /bin/true and back, $rounds rounds; the one-shot command"
	compare "$rounds" "bubblewrap" - "${bubblewrap[@]}" /bin/true \
		--- "kmodbox sandbox" - "$kmodbox" sandbox -- /bin/true \
		--- "fork and exec" - /bin/true
	say ""
	say "the same from within a program; the other tool is bubblewrap"
	"$build/tests/bench/start" "$rounds" "$top/profiles" "${bubblewrap[@]}" /bin/true
	# A checkout that others may not enter cannot be measured as somebody else.
	if [ "$(id -u)" -ne 0 ] || ! "${user[@]}" test -x "$kmodbox"; then
		return 0
	fi
	say ""
	say "the same as an ordinary user"
	compare "$rounds" "bubblewrap" - "${user[@]}" "${bubblewrap[@]}" /bin/true \
		--- "kmodbox sandbox" - "${user[@]}" "$kmodbox" sandbox -- /bin/true
	"${user[@]}" "$build/tests/bench/start" "$rounds" "$top/profiles" "${bubblewrap[@]}" /bin/true
}

# What a sandbox costs while it runs: the same make, on the same disk, inside of one and bare.
inside() {
	local release work=$bench/inside
	release=$(kernel_release "$kernels/6.1")
	mkdir -p "$work"
	compare "$pairs" "make" "$(prepare inside "rm -rf $work/bbswitch" "cp -r /usr/src/$name $work/bbswitch")" \
		make -j2 -C "/lib/modules/$release/build" "M=$work/bbswitch" \
		--- "the same in a sandbox" "$bench/prepare-inside" \
		"$kmodbox" sandbox --ro "/lib/modules/$release" --rw "$work" -- \
		make -j2 -C "/lib/modules/$release/build" "M=$work/bbswitch"
}

# Inside the private namespace: bare make, dkms and kmodbox on the same source and headers.
build_driver() {
	local kernel=$1 release commands
	release=$(kernel_release "$kernels/$kernel")
	mkdir -p "$bench/modules/$release"
	"$kmodbox" add -m bbswitch -v 0.8 -q "${trees[@]}"
	dkms add -m bbswitch -v 0.8 >/dev/null
	commands=("$builds"
		"make" "$(prepare make "rm -rf $bench/bare" "cp -r /usr/src/$name $bench/bare")"
		make -j2 -C "/lib/modules/$release/build" "M=$bench/bare"
		--- "dkms build" "$(prepare dkms "rm -rf /var/lib/dkms/bbswitch/0.8/$release")"
		dkms build -m bbswitch -v 0.8 -k "$release" -a x86_64
		--- "kmodbox build" "$(prepare kmodbox "'$kmodbox' unbuild -m bbswitch -v 0.8 -k '$release' $(printf "'%s' " "${trees[@]}") 2>&1 || :")"
		"$kmodbox" build -m bbswitch -v 0.8 -k "$release" --kernel-root "$kernels/$kernel" "${trees[@]}")
	compare "${commands[@]}"
}

# Ten small drivers, one after the other, by dkms and by kmodbox; then what a build of kmodbox costs
# beside the sandboxed make itself, part by part, as --verbose says.
small=acpi-call,adv-17v35x,bbswitch,dpdk-kmods,langford,lime-forensics,nat-rtsp,tp-smapi,v4l2loopback,vpoll

build_small() {
	local release names name module version dkms=() ours=() unbuild=()
	release=$(kernel_release "$kernels/6.1")
	mkdir -p "$bench/modules/$release"
	IFS=, read -ra names <<<"$small"
	for name in "${names[@]}"; do
		read -r module version < <(package_identity "$drivers/$name")
		cp -a "/usr/src/$module-$version" "$bench/src/"
		"$kmodbox" add -m "$module" -v "$version" -q "${trees[@]}"
		dkms add -m "$module" -v "$version" >/dev/null
		dkms+=("dkms build -m $module -v $version -k $release -a x86_64 >/dev/null")
		ours+=("'$kmodbox' build --verbose -m $module -v $version -k $release --kernel-root '$kernels/6.1' $(printf "'%s' " "${trees[@]}") >>'$bench/said'")
		unbuild+=("'$kmodbox' unbuild -q -m $module -v $version -k $release $(printf "'%s' " "${trees[@]}") 2>/dev/null || :")
	done
	compare "$ten" "dkms, ten drivers" "$(prepare small-dkms "rm -rf /var/lib/dkms/*/*/$release")" \
		"$(prepare build-dkms "${dkms[@]}")" \
		--- "kmodbox, ten drivers" "$(prepare small-ours "${unbuild[@]}")" "$(prepare build-ours "${ours[@]}")"
	parts "$bench/said"
}

# parts FILE: milliseconds, the median over the builds that said so.
parts() {
	local part names values sum=0 value
	say ""
	say "beside the sandboxed make, milliseconds per build, medians of $(grep -c '^ *beside make: ' "$1") builds"
	mapfile -t names < <(grep -m1 '^ *beside make: ' "$1" | sed 's/^ *beside make: //; s/, /\n/g' | sed -E 's/ [0-9]+ ms$//')
	for part in "${names[@]}"; do
		mapfile -t values < <(sed -nE "s/^ *beside make: (.*, )?$part ([0-9]+) ms.*/\2/p" "$1" | sort -n)
		value=${values[$((${#values[@]} / 2))]}
		printf '  %-14s %s\n' "$part" "$value"
		sum=$((sum + value))
	done
	say "  all of them    $sum"
}

# Verdicts: on one module of 1 MiB beside modinfo, on all of a kernel beside depmod -e, which looks for
# symbols alone.
verdicts() {
	local root=$build/images/6.1 release headers module all
	[ -d "$root" ] || "$top/tests/lib/kernels.sh" --images >/dev/null
	release=$(kernel_release "$kernels/6.1")
	headers=$root/usr/src/linux-headers-$release
	module=$(find "$root/lib/modules/$release" -name sctp.ko)
	mapfile -t all < <(find "$root/lib/modules/$release" -name '*.ko')
	say "verdicts: $rounds rounds within a program"
	"$build/tests/bench/check" "$rounds" "$build/bin/kmodbox-checker" "$headers/.config" \
		"$headers/Module.symvers" "$release" "$module"
	say ""
	say "the same module, the command"
	compare "$rounds" "modinfo" - modinfo "$module" \
		--- "kmodbox check" - "$kmodbox" check "$module" -k "$release" --kernel-root "$root"
	say ""
	say "all ${#all[@]} modules of kernel $release"
	compare "$builds" "depmod -e" - depmod -n -e -E "$headers/Module.symvers" -b "$root" "$release" \
		--- "kmodbox check" - "$kmodbox" check "${all[@]}" -k "$release" --kernel-root "$root"
}

# The most memory that any process called kmodbox ever held (VmHWM) while a build prints and prints.
memory() {
	local release peak=0 value status pid=
	release=$(kernel_release "$kernels/6.1")
	mkdir -p "$bench/src/flood-1" "$bench/modules/$release"
	cp "$top/tests/demo/demo-v0.1/src/demo.c" "$bench/src/flood-1/flood.c"
	cat >"$bench/src/flood-1/dkms.conf" <<-'END'
		PACKAGE_NAME="flood"
		PACKAGE_VERSION="1"
		MAKE="head -c 200000000 /dev/zero | tr '\0' 'x' | fold -w 100; make -C /lib/modules/${kernelver}/build M=${dkms_tree}/flood/1/build"
		BUILT_MODULE_NAME[0]="flood"
		DEST_MODULE_LOCATION[0]="/updates"
	END
	say 'obj-m := flood.o' >"$bench/src/flood-1/Makefile"
	"$kmodbox" add -m flood -v 1 -q "${trees[@]}"
	"$kmodbox" build -m flood -v 1 -k "$release" --kernel-root "$kernels/6.1" "${trees[@]}" \
		>/dev/null 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		for status in /proc/[0-9]*/status; do
			value=$(awk '/^Name:/ && $2 !~ /^kmodbox/ { exit } /^VmHWM:/ { print $2; exit }' "$status" 2>/dev/null || true)
			[ "${value:-0}" -le "$peak" ] || peak=$value
		done
		sleep 0.05
	done
	wait "$pid" && status="built" || status="ended with $?"
	say "peak memory of kmodbox's own processes, a build that prints 200 MB: $((peak / 1024)) MiB ($status)"
}

case ${1:-} in
--build)
	build_driver "$2"
	exit
	;;
--small)
	build_small
	exit
	;;
--inside)
	inside
	exit
	;;
esac
rm -rf "$bench"
mkdir -p "$bench"/{dkms,src,modules}
if [ "${1:-}" = --verdicts ]; then
	verdicts
	exit
fi
start
cp -r "$drivers/bbswitch/usr/src/$name" "$bench/src/"
say ""
say "bbswitch for kernel 6.1, $pairs pairs"
"$top/tests/lib/private.sh" 6.1 bbswitch PAIRS="$pairs" "$(realpath "$0")" --inside
for kernel in 6.1 6.12; do
	[ -d "$kernels/$kernel" ] || continue
	say ""
	say "bbswitch for kernel $kernel, $builds rounds"
	rm -rf "$bench"/{dkms,state} && mkdir "$bench/dkms"
	"$top/tests/lib/private.sh" "$kernel" bbswitch BUILDS="$builds" "$(realpath "$0")" --build "$kernel"
done
say ""
say "ten small drivers for kernel 6.1, $ten rounds"
rm -rf "$bench"/{dkms,state,src} && mkdir "$bench"/{dkms,src}
"$top/tests/lib/kernels.sh" --all-drivers >/dev/null
"$top/tests/lib/private.sh" 6.1 "$small" TEN="$ten" "$(realpath "$0")" --small
say ""
verdicts
say ""
memory

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make demo`: a hello-world module through the whole of kmodbox, for each kernel that `make kernels`
# got: the classic way (source unpacked, then added) and straight from its archive. Everything is
# below build/demo/; the host's kernel and modules are not touched. --as-test: closes as a suite does.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

demo=$build/demo
[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make"
if [ "${1:-}" = --as-test ] && [ ! -d "$kernels/6.1" ]; then
	skip "demo: no kernel headers below $kernels (make kernels)"
	close_suite
	exit
fi

# What a run shows, as short as it can be typed: long paths stay out of sight.
step() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n%s\n' "$*"
	fi
}
run() {
	local shown=() word
	for word in "$@"; do
		case $word in
		"$kmodbox") shown+=(kmodbox) ;;
		"$top"/*) shown+=("${word#"$top"/}") ;;
		*) shown+=("$word") ;;
		esac
	done
	say "\$ ${shown[*]} ..."
	"$@" "${trees[@]}" || die "'kmodbox $2' failed with exit code $?"
}
# use FOLDER: the trees of one little world of its own.
use() {
	world=$1
	mkdir -p "$world/dkms" "$world/src" "$world/modules"
	trees=(--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules"
		--statedir "$world/state")
}
build_and_install() {
	local name release
	for name in 6.1 6.12; do
		if [ ! -d "$kernels/$name" ]; then
			say "(kernel $name: skipped, its headers are not below $kernels)"
			continue
		fi
		release=$(kernel_release "$kernels/$name")
		# A kernel's module tree as its package leaves it: depmod wants these two lists.
		mkdir -p "$world/modules/$release"
		touch "$world/modules/$release/modules.order" "$world/modules/$release/modules.builtin"
		run "$kmodbox" build -m demo -v 0.1 -k "$release" --kernel-root "$kernels/$name"
		run "$kmodbox" install -m demo -v 0.1 -k "$release" --kernel-root "$kernels/$name"
	done
}
# What was installed for a kernel, and what walls its build had.
show() {
	local release=$1 module record
	module=$(find "$world/modules/$release" -name 'demo.ko*' | sed -n 1p)
	[ -n "$module" ] || die "no demo.ko below $world/modules/$release"
	step "modinfo of the signed module, as installed for $release"
	PATH=$PATH:/usr/sbin:/sbin modinfo "$module" | grep -vE '^(sig_key|signature|[[:space:]])'
	PATH=$PATH:/usr/sbin:/sbin modinfo -F signer "$module" | grep . >/dev/null || die "$module is not signed"
	record=$world/dkms/demo/0.1/$release/x86_64/build.json
	step "the sandbox layers of that build, from its build.json"
	awk '/"layers": *\[/ { inside = 1 }
		inside && /"active":/ { active = /true/ ? "active" : "absent" }
		inside && /"name":/ { sub(/.*"name": *"/, ""); sub(/".*/, ""); print "  " active "  " $0 }
		inside && /^ *\]/ { exit }' "$record"
}

rm -rf "$demo"
mkdir -p "$demo"
tar -C "$top/tests/demo" --sort=name --owner=0 --group=0 --mtime=@0 -czf "$demo/demo-v0.1.tar.gz" demo-v0.1

step "1. The classic way: unpack the source, add it, build and install it"
use "$demo"
mkdir -p "$demo/src/demo-0.1"
tar -C "$demo/src/demo-0.1" --strip-components=1 -xzf "$demo/demo-v0.1.tar.gz"
run "$kmodbox" add -m demo -v 0.1
build_and_install

step "2. The same, straight from the archive"
use "$demo/archive"
run "$kmodbox" add "$demo/demo-v0.1.tar.gz"
build_and_install

use "$demo"
step "What there is now"
run "$kmodbox" status
show "$(kernel_release "$kernels/6.1")"

for name in 6.1 6.12; do
	[ -d "$kernels/$name" ] || continue
	for world in "$demo" "$demo/archive"; do
		release=$(kernel_release "$kernels/$name")
		if "$kmodbox" status -m demo -v 0.1 --dkmstree "$world/dkms" --installtree "$world/modules" \
			--statedir "$world/state" | grep -xF "demo/0.1, $release, x86_64: installed" >/dev/null; then
			passed=$((passed + 1))
		else
			fail "demo/0.1 is not installed for $release in $world"
		fi
	done
done
step "Everything is below build/demo/. The build's log: build/demo/dkms/demo/0.1/*/x86_64/log/make.log"
[ "${1:-}" = --as-test ] || [ "$failed" -gt 0 ] || exit 0
close_suite

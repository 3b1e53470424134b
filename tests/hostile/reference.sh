#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input, fifth part: the reference module of a kernel. It is built once for all that is built, and
# anew when what it is made of changes; what is found in the cache is believed only if it is whole and
# ours; headers it cannot be built with are told of once.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "reference modules" "$@"

cache=$world/state/cache

# Two packages that are added, and a root of headers that may be changed; nothing is known of it yet.
two_packages() {
	local file
	fresh
	cp -R "$top/tests/demo/demo-v0.1" "$source"
	mkdir -p "$world/src/other-0.1/src"
	for file in dkms.conf src/Makefile src/demo.c; do
		sed 's/demo/other/g' "$source/$file" >"$world/src/other-0.1/${file/demo/other}"
	done
	must add demo/0.1
	must add other/0.1
}
own_root() {
	root=$work/root
	rm -rf "$root"
	cp -a "$kernels/6.1" "$root"
	headers=$(find "$root/usr/src" -maxdepth 2 -name .config -printf '%h\n' | sed -n 1p)
	common=$(find "$root/usr/src" -maxdepth 1 -name '*-common')
	kbuild=$(find "$root/usr/lib" -maxdepth 1 -name 'linux-kbuild-*')
	own=(-k "$release" --kernel-root "$root" --verbose)
}
# The one of the headers below a root.
reference_of() {
	grep -lasxF "$1/lib/modules/$release/build" "$cache"/reference-* || true
}
forget() { rm -f "$cache"/reference-*; }

# made NAME COUNT: it went well, and so many references were built.
made() {
	local name=$1 count
	problems=()
	count=$(grep -ac '^Building the reference module' "$work/out" || true)
	[ "$code" -eq 0 ] || problem "exit code $code"
	[ "$count" -eq "$2" ] || problem "$count reference modules built, not $2"
	[ -z "$(complaint)" ] || problem "stderr is not empty"
	check_clean
	conclude "$name"
}
# told NAME WORDS...: two packages failed for one reason, which stands in one line; the other sums up.
told() {
	local name=$1 word
	shift
	problems=()
	[ "$code" -eq 11 ] || problem "exit code $code, not 11"
	[ "$(complaint | wc -l)" -eq 2 ] || problem "stderr is not two lines"
	complaint | sed -n 2p | grep -aF 'demo/0.1(10) other/0.1(10)' >/dev/null || problem "no summary"
	for word in "no module can be built for kernel $release: " "$@"; do
		complaint | sed -n 1p | grep -aF -- "$word" >/dev/null || problem "the message lacks '$word'"
	done
	[ "$(grep -ac '^Building [^t]' "$work/out")" -eq 1 ] || problem "more than one build was begun"
	[ -z "$(reference_of "$root")" ] || problem "something is kept"
	check_clean
	conclude "$name"
}
recorded() {
	sed -n 's/.*"vermagic": "\(.*\)".*/\1/p' "$world/dkms/demo/0.1/$release/x86_64/build.json" | sort -u
}

once() {
	two_packages
	forget
	try autoinstall "${kernel[@]}" --verbose
	made "once for two packages" 1
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	made "none in the next run" 0
	holds "the record tells of it" grep -F '"struct_module_size": 896' "$world/dkms/demo/0.1/$release/x86_64/build.json" >/dev/null
}

# What it is made of.
anew() {
	local tool copy=$work/as
	two_packages
	own_root
	try build "${demo[@]}" "${own[@]}"
	made "other headers have their own" 1
	say "# changed" >>"$headers/.config"
	try build "${demo[@]}" "${own[@]}" --force
	made "anew with another .config" 1
	printf '[limits]\nwall = 1h\n' >"$settings/demo.conf"
	try build "${demo[@]}" "${own[@]}" --force
	made "not with another setting of one module" 0
	rm "$settings/demo.conf"
	mkdir -p "$world/etc/kmodbox/profiles.d"
	printf '[profile]\nextend = strict\n[limits]\nwall = 1h\n' >"$world/etc/kmodbox/profiles.d/strict.conf"
	try build "${demo[@]}" "${own[@]}" --force
	made "anew with another profile" 1
	rm -r "$world/etc/kmodbox/profiles.d"
	if [ "$can_mount" = yes ]; then
		tool=$(realpath "$(command -v as)")
		cp "$tool" "$copy"
		say "changed" >>"$copy"
		mount --bind "$copy" "$tool"
		try build "${demo[@]}" "${kernel[@]}" --verbose --force
		made "anew with another tool" 1
		umount "$tool"
		rm "$copy"
	else
		skip "anew with another tool: only root can put another in its place here"
	fi
	rm -r "$root"
	forget_one=$(find "$cache" -name 'reference-*' | wc -l)
	rm -f "$(reference_of "$kernels/6.1")"
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	made "anew where there is none" 1
	holds "those of headers that are gone go with the next" test "$(find "$cache" -name 'reference-*' | wc -l)" -lt "$forget_one"
}

# Whatever stands in the file's place.
distrusted() {
	local kept=$work/kept file owner
	new_build <<<'cp good.ko demo.ko'
	file=$(reference_of "$kernels/6.1")
	cp -p "$file" "$kept"
	again() {
		try build "${demo[@]}" "${kernel[@]}" --verbose --force
		made "in the cache: $1" 1
		if [ -L "$file" ] || ! cmp -s "$file" "$kept"; then
			fail "in the cache: $1: it is not made good"
		fi
		rm -rf "$file"
		cp -p "$kept" "$file"
	}
	: >"$file"
	again "an empty file"
	head -c 3000 "$kept" >"$file"
	again "half a file"
	perl -pe 's/vermagic=6/vermagic=7/' "$kept" >"$file"
	again "other bytes"
	perl -pe 's/^(key .*).$/${1}x/' "$kept" >"$file"
	again "no key"
	say more >>"$file"
	again "more bytes"
	perl -pe 's/^(key .*)(.)$/$1 . ($2 eq "0" ? "1" : "0")/e' "$kept" >"$file"
	again "another key"
	rm "$file"
	ln -s "$kept" "$file"
	again "a link"
	chmod 666 "$file"
	again "a file for everybody to write"
	rm "$file"
	mkfifo "$file"
	again "a FIFO"
	if [ "$can_become" = yes ]; then
		owner=$(stat -c %u "$file")
		chown $((owner - 1)) "$file"
		again "somebody else's file"
	else
		skip "in the cache: somebody else's file: only root can give it away"
	fi
	rm "$file"
	mkdir "$file"
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	made "in the cache: a directory" 1
}

# Nothing can be built with these, whatever it is.
broken() {
	two_packages
	own_root
	cp "$headers/Makefile" "$work/Makefile"
	say ')((' >"$headers/Makefile"
	try autoinstall "${own[@]}"
	told "a broken Makefile" "Makefile:1: *** missing separator" "$failed_log"
	log_holds "a broken Makefile: the log is there" "missing separator"
	cp "$work/Makefile" "$headers/Makefile"
	mv "$kbuild/scripts/basic/fixdep" "$work/"
	try autoinstall "${own[@]}"
	told "no fixdep" "scripts/basic/fixdep: not found" "$failed_log"
	mv "$work/fixdep" "$kbuild/scripts/basic/"
	cp "$headers/.config" "$work/config"
	sed -i 's/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT="gcc-99 (Test) 99.0"/' "$headers/.config"
	try autoinstall "${own[@]}"
	told "no compiler" gcc-99 "not installed"
	cp "$work/config" "$headers/.config"
	sed -i 's/UTS_RELEASE "[^"]*/&x/' "$headers/include/generated/utsrelease.h"
	try autoinstall "${own[@]}"
	told "headers of two kernels" "'${release}x SMP" "'$release SMP" "install them anew"
	sed -i 's/x"$/"/' "$headers/include/generated/utsrelease.h"
	try autoinstall "${own[@]}"
	made "and mended" 1
	rm -r "$root"
}

# doctor, which changes nothing but the cache.
shown() {
	fresh
	own_root
	try doctor "${kernel[@]}"
	problems=()
	grep -axE " +$release +modules can be built" "$work/out" >/dev/null || problem "it is not shown"
	cmp -s "$work/before" "$work/after" || problem "state changed"
	check_clean
	conclude "doctor: a kernel for which modules can be built"
	say ')((' >"$headers/Makefile"
	try doctor -k "$release" -k 9.9.9-none --kernel-root "$root" --json
	problems=()
	json="import json, sys
one, other = json.load(sys.stdin)['kernels']
assert one['kernel'] == '$release' and not one['can_build'] and 'missing separator' in one['reason']
assert one['reference'] is None and 'linux-headers-9.9.9-none' in other['reason']"
	python3 -c "$json" <"$work/out" 2>"$work/json" || problem "$(tail -n 1 "$work/json")"
	cmp -s "$work/before" "$work/after" || problem "state changed"
	check_clean
	conclude "doctor: kernels for which no module can be built"
	rm -r "$root"
}

# A build that comes in an archive is taken without a compiler, too.
loaded() {
	two_packages
	own_root
	must build "${demo[@]}" "${own[@]}"
	must mktarball "${demo[@]}" -k "$release" --archive demo.tar.gz
	cp "$world/dkms/demo/0.1/tarball/demo.tar.gz" "$work/"
	must remove "${demo[@]}" --all
	rm -r "$source"
	forget
	try ldtarball "$work/demo.tar.gz" "${own[@]}"
	made "an archive is loaded by a reference" 1
	must remove "${demo[@]}" --all
	rm -r "$source"
	sed -i 's/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT="gcc-99 (Test) 99.0"/' "$headers/.config"
	try ldtarball "$work/demo.tar.gz" "${own[@]}"
	warned "an archive is loaded without a compiler" "$release" "without a reference module" gcc-99
	rm -r "$root" "$work/demo.tar.gz"
}

# One kernel that is broken, and one that is not.
others() {
	local release_two
	if [ ! -d "$kernels/6.1-cloud" ]; then
		skip "a broken kernel and another: no headers of a second kernel below $kernels (make kernels)"
		return
	fi
	two_packages
	own_root
	cp -a "$kernels/6.1-cloud/." "$root/"
	for release_two in "$root"/usr/lib/modules/*/build "$root"/lib/modules/*/build; do
		release_two=$(basename "${release_two%/build}")
		[ "$release_two" = "$release" ] || [ "$release_two" = '*' ] || break
	done
	say ')((' >"$headers/Makefile"
	try build "${demo[@]}" "${own[@]}" -k "$release_two"
	problems=()
	[ "$code" -eq 10 ] || problem "exit code $code, not 10"
	[ "$(complaint | grep -ac "no module can be built for kernel $release: ")" -eq 1 ] || problem "not told once"
	[ "$(complaint | wc -l)" -eq 1 ] || problem "stderr is not one line"
	[ -e "$world/dkms/demo/0.1/$release_two/x86_64/module" ] || problem "nothing for $release_two"
	conclude "a broken kernel does not stop another"
	rm -r "$root"
}

# A hash that .config does not show, as with CONFIG_RANDSTRUCT.
randomised() {
	two_packages
	own_root
	say CONFIG_RANDSTRUCT=y >>"$headers/.config"
	try build "${demo[@]}" "${own[@]}"
	problems=()
	[ "$code" -eq 10 ] || problem "exit code $code, not 10"
	complaint | grep -aF "does not have its structures randomised" >/dev/null || problem "the message is another"
	conclude "CONFIG_RANDSTRUCT of which headers know nothing"
	sed -i 's/^#ifdef RANDSTRUCT$/#if 1/' "$common/include/linux/vermagic.h"
	say '#define RANDSTRUCT_HASHED_SEED "0123456789abcdef"' >"$headers/include/generated/randstruct_hash.h"
	try build "${demo[@]}" "${own[@]}"
	made "modules for a kernel with CONFIG_RANDSTRUCT are checked" 1
	holds "and have its hash" test "$(recorded)" = "$release SMP preempt mod_unload modversions RANDSTRUCT_0123456789abcdef"
	rm -r "$root"
}

# Two with one cache, then some that are killed on the way.
together() {
	local pid status second=$work/second attempt
	two_packages
	forget
	mkdir -p "$second"/{dkms,modules}
	cp -R "$world/dkms" "$second/"
	"$kmodbox" build other/0.1 "${kernel[@]}" "${trees[@]}" --dkmstree "$second/dkms" --installtree "$second/modules" >"$work/second.out" 2>&1 &
	pid=$!
	try build "${demo[@]}" "${kernel[@]}" --verbose
	status=0
	wait "$pid" || status=$?
	problems=()
	[ "$status" -eq 0 ] || problem "the other one failed:" "$(cat "$work/second.out")"
	[ "$code" -eq 0 ] || problem "exit code $code"
	check_clean
	conclude "two at once"
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	made "two at once: what they left is believed" 0
	rm -r "$second"
	new_build <<<'cp good.ko demo.ko'
	for attempt in 1 2 3 4 5 6; do
		forget
		"$kmodbox" build "${demo[@]}" "${kernel[@]}" "${trees[@]}" --force >"$work/out" 2>&1 &
		pid=$!
		perl -e 'select undef, undef, undef, shift' "0.$((attempt * 13))"
		[ "$attempt" -lt 4 ] || perl -e 'select undef, undef, undef, 1.2'
		end_job "$pid" KILL
		wait "$pid" 2>/dev/null || true
	done
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	done_well "killed on the way: the next one builds"
	try build "${demo[@]}" "${kernel[@]}" --verbose --force
	made "killed on the way: what is left is believed" 0
	holds "killed on the way: nothing else is left" test "$(find "$cache" -name '*reference*' | wc -l)" -eq 1
}

prepare
run_groups once anew distrusted broken shown loaded others randomised together

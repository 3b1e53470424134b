#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Verbs that work on several modules or kernels: real dkms, in a namespace of its own, and kmodbox, on
# trees below a temporary directory, do the same one after the other with the same small modules. Exit
# codes and the states they leave must be the same after each step. Some steps are kmodbox's alone:
# dkms 3.0.10 cannot match, since it does not understand its own status; it has another code for missing
# headers than 3.4 has; and of several kernels it tells the last one's outcome, so that a failure before
# it goes unseen.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

# Sources beside bbswitch: NAME, then what its dkms.conf has more than the demo's.
sources() {
	cat <<-'END'
		demo
		above BUILD_DEPENDS=demo
		manual AUTOINSTALL=
	END
}

# The steps, one a line: "=N" in front is the exit code of one that is not compared; "!NAME ..." changes
# a dkms.conf. K1, K2: the kernels.
steps() {
	cat <<-'END'
		autoinstall -k K1
		autoinstall -k K1
		match -k K2
		match --templatekernel K1 -k K1
		match --templatekernel K1 -k K2 -k K1
		match --templatekernel K1 --all
		match --templatekernel K1 -k K2 nosuch
		match --templatekernel 9.9.9 -k K2
		=0 match --templatekernel K1 -k K2 demo
		=0 match --templatekernel K1 -k K2
		autoinstall -k K2
		unbuild demo/0.1 -k K1 -k K2
		unbuild demo/0.1 -k K1 -k K2
		unbuild demo/0.1 -k K1 --all
		unbuild demo/9 -k K1
		uninstall above/0.1 -k K1 -k 9.9.9
		uninstall above/0.1 -k K1
		install above/0.1 -k K1
		remove above/0.1 -k K1
		remove above/0.1 --all -a x86_64
		remove bbswitch/0.8 --all
		remove bbswitch/0.8 --all
		=21 build manual/0.1 -k 9.9.9
		=21 build manual/0.1 -k 9.9.9 -k K1
		build manual/0.1 -k K1
		remove manual/0.1 -k 9.9.9
		remove manual/0.1 -k K1 -k K2
		!demo MAKE=false
		autoinstall -k K1
		unbuild above/0.1 --all
		remove demo/0.1 --all
	END
}

# What both show of their state; the remarks of status are tests/parity/status.sh's.
show_state() {
	sed -e 's/ (.*//' -e 's/^/    /'
}

# run_steps FUNCTION: what it does at each step, its exit code, and the states then.
run_steps() {
	local tool=$1 line expected status argument arguments
	while read -r line; do
		line=${line//K1/$first} line=${line//K2/$second}
		expected=
		case $line in
		!*)
			read -r name rest <<<"${line#!}"
			say "$rest" >>"$source_tree/$name-0.1/dkms.conf"
			[ "$tool" = theirs ] || "$tool" add --force "$name/0.1" >/dev/null 2>&1
			continue
			;;
		=*)
			expected=${line%% *} line=${line#* }
			[ "$tool" != theirs ] || continue
			;;
		esac
		arguments=()
		for argument in $line; do
			arguments+=("$argument")
		done
		status=0
		"$tool" "${arguments[@]}" >"$log" 2>&1 </dev/null || status=$?
		[ -z "$expected" ] || [ "$expected" = "=$status" ] || cat "$log" >&2
		say "${expected:+$expected }$line: $status"
		[ -n "$expected" ] || "$tool" status </dev/null 2>/dev/null | show_state
	done < <(steps)
}

make_sources() {
	local name rest file
	while read -r name rest; do
		mkdir -p "$source_tree/$name-0.1/src"
		for file in dkms.conf src/Makefile src/demo.c; do
			sed "s/demo/$name/g" "$top/tests/demo/demo-v0.1/$file" \
				>"$source_tree/$name-0.1/${file/demo/$name}"
		done
		say "$rest" >>"$source_tree/$name-0.1/dkms.conf"
	done < <(sources)
}

if [ "${1:-}" = --inside ]; then
	# Not /usr/src: that is the host's, and an ordinary user's namespace may not write to it.
	first=$2 second=$3 log=$4.log source_tree=/var/lib/src
	mkdir "$source_tree"
	cp -R /usr/src/bbswitch-0.8 "$source_tree/"
	make_sources
	theirs() { dkms "$@" --sourcetree "$source_tree"; }
	for name in bbswitch/0.8 demo/0.1 above/0.1 manual/0.1; do
		theirs add "$name" >"$log" 2>&1
	done
	run_steps theirs >"$4"
	exit
fi

for needed in "$kmodbox" "$build/dkms/usr/sbin/dkms" "$kernels/6.1" "$kernels/6.12" "$drivers/bbswitch"; do
	if [ ! -e "$needed" ]; then
		skip "verbs: $needed is not there (make; make kernels)"
		close_suite
		exit
	fi
done
first=$(kernel_release "$kernels/6.1")
second=$(kernel_release "$kernels/6.12")
work=$(mktemp -d)
chmod 755 "$work" # kmodbox may look at it from another account
trap 'rm -rf "$work"' EXIT
log=$work/log source_tree=$work/src

# kmodbox with the headers of the kernel that is meant.
ours() {
	local root=$kernels/6.1
	[[ " $* " != *" -k $second "* ]] || root=$kernels/6.12
	"$kmodbox" "$@" --dkmstree "$work/dkms" --sourcetree "$source_tree" --installtree "$work/modules" \
		--statedir "$work/state" --dkmsconfig "$work/etc" --configdir "$work/etc" --kernel-root "$root"
}

say "verbs of dkms $("$build/dkms/usr/sbin/dkms" --version | sed 's/^dkms-//') and of kmodbox:"
if ! "$top/tests/lib/private.sh" 6.1,6.12 bbswitch "$(realpath "$0")" --inside "$first" "$second" \
	"$work/dkms.out" >"$work/private" 2>&1; then
	skip "verbs: dkms cannot be run in a namespace here: $(tail -n 1 "$work/private")"
	close_suite
	exit
fi
mkdir -p "$work/etc" "$work/modules/$first" "$work/modules/$second" "$source_tree"
cp -R "$drivers/bbswitch/usr/src/bbswitch-0.8" "$source_tree/"
make_sources
for name in bbswitch/0.8 demo/0.1 above/0.1 manual/0.1; do
	ours add "$name" >"$log" 2>&1 || die "add $name: $(cat "$log")"
done
run_steps ours >"$work/our.out"

# Step by step: a line without blanks in front, and the states behind it.
split() {
	local line step=0
	while IFS= read -r line; do
		[[ $line == ' '* ]] || step=$((step + 1))
		say "$line" >>"$work/$2.$step"
	done <"$1"
}
grep '^=' "$work/our.out" >"$work/alone" || true
grep -v '^=' "$work/our.out" >"$work/both"
split "$work/dkms.out" dkms
split "$work/both" our
for ((step = 1; ; step++)); do
	[ -f "$work/dkms.$step" ] || break
	name=$(head -n 1 "$work/dkms.$step")
	if cmp -s "$work/dkms.$step" "$work/our.$step"; then
		pass "$name"
	else
		fail "$name; dkms (-) and kmodbox (+):"
		diff -u "$work/dkms.$step" "$work/our.$step" | sed '1,2d; s/^/# /' || true
	fi
done
while read -r expected line; do
	if [ "${expected#=}" = "${line##*: }" ]; then
		pass "$line (not compared)"
	else
		fail "$line, not ${expected#=}"
	fi
done <"$work/alone"
close_suite

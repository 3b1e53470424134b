#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "Compare with bash itself": what the evaluation in the sandbox says that a dkms.conf sets must be what
# plain bash says, for generated files and those of Debian's driver packages that are below build/.
# KMODBOX_RECIPES_SEED and KMODBOX_RECIPES_COUNT choose other files, and more.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

cd "$top"
here=$top/tests/recipes
seed=${KMODBOX_RECIPES_SEED:-3}
count=${KMODBOX_RECIPES_COUNT:-300}
evaluate=$build/tests/recipes/evaluate
release=6.1.0-56-amd64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

if [ ! -x "$evaluate" ]; then
	skip "recipes: $evaluate is not built"
	close_suite
	exit
fi
mapfile -t directives < <("$evaluate" --directives)

# compare TITLE HEADERS SOURCE...: each source is one test. HEADERS must end in /build, as in the sandbox;
# the rest of its path is the one thing that differs, and is put right in what plain bash says.
compare() {
	local title=$1 headers=$2 number=0 status=0 ended=0 source
	shift 2
	rm -rf "$work/sandbox"
	mkdir "$work/sandbox"
	"$evaluate" "$(realpath "$headers")" "$release" "$work/sandbox" "$@" >"$work/errors" || status=$?
	if [ "$status" -eq 30 ]; then
		skip "$title: no sandbox can be made here"
		return
	fi
	[ "$status" -eq 0 ] || fail "$title: the evaluation ended with $status"
	for source in "$@"; do
		sed 's/\r$//' "$source/dkms.conf" >"$work/dkms.conf"
		status=0
		(cd "$source" && env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C kernelver="$release" \
			arch=x86_64 kernel_source_dir="$headers" kernel_config="$headers/.config" \
			dkms_tree=/var/lib/dkms source_tree=/usr/src install_tree=/lib/modules module=demo \
			module_version=0.1 parallel_jobs=2 \
			bash --norc "$here/plain.sh" "$work/dkms.conf" "${directives[@]}") |
			sed "s|$headers|/lib/modules/$release/build|g" >"$work/plain" || status=$?
		if [ "$status" -ne 0 ]; then
			# It ended the shell: `set -u` and a variable that is not set, for example.
			ended=$((ended + 1))
			: >"$work/plain"
			if [ ! -e "$work/sandbox/$number" ] && grep -F "$source: " "$work/errors" >/dev/null; then
				passed=$((passed + 1))
			else
				fail "$title: $source/dkms.conf ends plain bash, but not the evaluation"
			fi
		elif cmp -s "$work/plain" "$work/sandbox/$number"; then
			passed=$((passed + 1))
		else
			fail "$title: $source/dkms.conf"
			sed -n "s|^$source: ||p" "$work/errors"
			{ diff -a <(tr '\0' '\n' <"$work/plain") <(tr '\0' '\n' <"$work/sandbox/$number") || true; } |
				cat -v | sed -n 1,20p
			cat -v "$source/dkms.conf" | sed -n 1,60p
		fi
		records=$((records + $(tr -dc '\0' <"$work/plain" | wc -c) / 3))
		number=$((number + 1))
	done
	say "ok      $title: $number files, $records values; $ended of the files end the shell, here as there"
}

records=0
mkdir "$work/build"
printf 'CONFIG_HZ=250\nCONFIG_LOCALVERSION="-test"\nCONFIG_USB_HID=m\n# CONFIG_X is not set\n' \
	>"$work/build/.config"
"$here/generate.sh" "$seed" "$count" "$work/generated"
sources=()
for ((i = 0; i < count; i++)); do
	sources+=("$work/generated/$i")
done
compare "generated, seed $seed" "$work/build" "${sources[@]}"

# What a comparison is worth: files that differ are seen to differ, and most of them do.
if [ -f "$work/sandbox/1" ]; then
	different=$(sha256sum "$work/sandbox/"* | cut -d' ' -f1 | sort -u | wc -l)
	if [ "$different" -gt $((count * 8 / 10)) ] && [ "$records" -gt $((count * 5)) ]; then
		pass "control: $different of $count files say different things, in $records values"
	else
		fail "control: only $different of $count files say different things, in $records values"
	fi
fi

shopt -s nullglob
sources=("$drivers"/*/usr/src/*/dkms.conf)
headers=("$kernels"/6.1/usr/src/linux-headers-*-amd64)
if [ "${#sources[@]}" -eq 0 ] || [ "${#headers[@]}" -eq 0 ]; then
	skip "Debian's drivers: none below $drivers, or no kernel (make kernels)"
else
	records=0
	mkdir "$work/debian"
	ln -s "$(realpath "${headers[0]}")" "$work/debian/build"
	# The one file: none of them reads another of its source, and copying those would take longer.
	copies=()
	for source in "${sources[@]}"; do
		copies+=("$work/debian/$(basename "$(dirname "$source")")")
		mkdir "${copies[-1]}"
		cp "$source" "${copies[-1]}/"
	done
	compare "Debian's drivers" "$work/debian/build" "${copies[@]}"
fi
close_suite

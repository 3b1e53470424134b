#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How much of our own code is linked into what runs as root or holds a key: kmodbox-signer and
# kmodbox-installer, libraries of ours included, by the linker's own maps. Must stay readable in one
# sitting: below 4,000 lines of C in all. Headers they include are listed beside it.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

limit=4000
cd "$top"
objects=()
for program in kmodbox-signer kmodbox-installer; do
	map=$build/bin/$program.map
	if [ ! -f "$map" ]; then
		skip "size of trusted code: $program is not built"
		close_suite
		exit
	fi
	# Members that the linker took from our archive, and objects named on its command line.
	mapfile -t linked < <(sed -nE 's/^(LOAD )?([^ (]+\.o)( .*)?$/\2/p' "$map" |
		xargs -d '\n' realpath -m --relative-to="$build" | grep -v '^\.\./' | sort -u)
	say "$program: $(cat -- "${linked[@]/%.o/.c}" | wc -l) lines"
	objects+=("${linked[@]}")
done
mapfile -t objects < <(printf '%s\n' "${objects[@]}" | sort -u)
[ "${#objects[@]}" -gt 2 ] || die "the link maps name too few of our objects: $build/bin/*.map"

mapfile -t files < <(printf '%s\n' "${objects[@]/%.o/.c}")
wc -l -- "${files[@]}"
lines=$(cat -- "${files[@]}" | wc -l)
code=$(perl -0777 -ne 's{/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\])*")}{$1 // ""}gse; print' "${files[@]}" |
	grep -c '[^[:space:]]')
say "$code of them are code: neither blank nor comment"
mapfile -t headers < <(for object in "${objects[@]}"; do
	tr -s ' ' '\n' <"$build/${object/%.o/.d}"
done | grep -E '^[a-z_/]+\.h$' | sort -u)
say "$(cat -- "${headers[@]}" | wc -l) lines of ${#headers[@]} headers of ours beside them"
if [ "$lines" -lt "$limit" ]; then
	pass "$lines lines of C are linked into signer and installer, below $limit"
else
	fail "$lines lines of C are linked into signer and installer; the limit is $limit"
fi
close_suite

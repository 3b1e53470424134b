#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How much of our own code is linked into what runs as root or holds a key: kmodbox-signer and
# kmodbox-installer, libraries of ours included, by the linker's own maps. Each must stay readable in
# one sitting: below 4,000 lines of code, neither blank nor comment.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

limit=4000
cd "$top"

# code FILE...: their lines that are neither blank nor comment.
code() {
	perl -0777 -ne 's{/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\])*")}{$1 // ""}gse; print' "$@" |
		grep -c '[^[:space:]]'
}

all=()
for program in kmodbox-signer kmodbox-installer; do
	map=$build/bin/$program.map
	if [ ! -f "$map" ]; then
		skip "size of trusted code: $program is not built"
		continue
	fi
	# Members that the linker took from our archive, and objects named on its command line.
	mapfile -t objects < <(sed -nE 's/^(LOAD )?([^ (]+\.o)( .*)?$/\2/p' "$map" |
		xargs -d '\n' realpath -m --relative-to="$build" | grep -v '^\.\./' | sort -u)
	[ "${#objects[@]}" -gt 2 ] || die "the link map names too few of our objects: $map"
	files=("${objects[@]/%.o/.c}")
	all+=("${files[@]}")
	wc -l -- "${files[@]}" | sed '$d'
	lines=$(code "${files[@]}")
	if [ "$lines" -lt "$limit" ]; then
		pass "$lines lines of code are linked into $program, below $limit"
	else
		fail "$lines lines of code are linked into $program; the limit is $limit"
	fi
done
if [ "${#all[@]}" -gt 0 ]; then
	mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -u)
	say "$(code "${all[@]}") lines of code in both together, $(cat -- "${all[@]}" | wc -l) with blanks and comments"
fi
close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the cmocka programs build/tests/test_*, each under a time limit, and adds up their tests.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/common.sh"

cd "$top"
export CMOCKA_MESSAGE_OUTPUT=TAP KERNELS_DIR=$kernels
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# A program that is left from a test that was deleted since is not run.
for source in tests/unit/test_*.c; do
	name=$(basename "$source" .c)
	[ -x "$build/tests/$name" ] || continue
	status=0
	timeout -k 5 300 "$build/tests/$name" >"$output" 2>&1 </dev/null || status=$?
	# cmocka says "not ok 7 # SKIP" of what TAP calls "ok 7 # SKIP".
	sed -i 's/^not \(ok [0-9]* # SKIP\)/\1/' "$output"
	unable=$(grep -c '^ok [0-9]* # SKIP' "$output" || true)
	good=$(($(grep -c '^ok ' "$output" || true) - unable))
	bad=$(grep -c '^not ok ' "$output" || true)
	# Killed, timed out or sanitised away: a failure that no test could report.
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	[ $((good + bad + unable)) -gt 0 ] || bad=1
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + unable))
	printf '%-28s %3d passed, %d failed, %d skipped\n' "$name" "$good" "$bad" "$unable"
	if [ "$bad" -gt 0 ]; then
		say "---- $name ended with $status:"
		cat -v "$output"
		say "----"
	elif [ "$unable" -gt 0 ]; then
		grep -v '^ok [0-9]* - \|^1\.\.' "$output" | cat -v
	fi
done
close_suite

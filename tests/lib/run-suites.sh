#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs suites by name, shows what they print, and closes with the sum of their closing lines. A suite
# that ends badly without one counts as one failure. What failed is told once more at the end; the sum
# is kept in build/results, those lines in build/failures.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/common.sh"

cd "$top"
mkdir -p "$build"
output=$(mktemp)
: >"$build/failures"
trap 'rm -f "$output"' EXIT

run() {
	local title=$1 status=0 numbers good bad unable
	shift
	say "== $title"
	"$@" 2>&1 </dev/null | tee "$output" || status=$?
	grep -aE '^(FAILED|not ok|differ) |: error: ' "$output" | grep -v '# SKIP' | sed "s|^|$title: |" >>"$build/failures" || true
	numbers=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$output" | tail -n 1)
	# The oracle has a last line of its own.
	[ -n "$numbers" ] ||
		numbers=$(sed -nE 's/^[0-9]+ modules, ([0-9]+) agree, ([0-9]+) differ$/\1 \2 0/p' "$output" | tail -n 1)
	read -r good bad unable <<<"${numbers:-0 0 0}"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + unable))
	if [ -z "$numbers" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
		fail "$title ended with $status and no failed test"
	fi
}

for suite in "$@"; do
	case $suite in
	unit) run unit tests/lib/run-unit.sh ;;
	crosscheck) run crosscheck tests/oracle/crosscheck.sh ;;
	demo) run demo tests/demo.sh --as-test ;;
	*)
		if [ -x "tests/$suite/run.sh" ]; then
			run "$suite" "tests/$suite/run.sh"
		else
			for script in tests/"$suite"/*.sh; do
				[ ! -x "$script" ] || run "$suite: $(basename "$script" .sh)" "$script"
			done
		fi
		;;
	esac
done
if [ -s "$build/failures" ]; then
	say "== what failed"
	head -n 100 "$build/failures"
fi
say "== all"
say "$passed $failed $skipped" >"$build/results"
close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All suites of hostile input, as many at once as there are processors: they wait more than they
# work. What they print comes suite by suite. HOSTILE=all has them do what takes minutes, too.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

here=$top/tests/hostile
# Those that take longest come first.
suites=(world attempts conf input check settings reference tarball escape shell records walls)
outputs=$(mktemp -d)
trap 'rm -rf "$outputs"' EXIT

for suite in "${suites[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n || true
	done
	{
		status=0
		"$here/$suite.sh" >"$outputs/$suite" 2>&1 </dev/null || status=$?
		say "$status" >"$outputs/$suite.status"
	} &
done
wait

for suite in "${suites[@]}"; do
	say "-- $suite"
	cat "$outputs/$suite"
	numbers=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$outputs/$suite" | tail -n 1)
	read -r good bad unable <<<"${numbers:-0 0 0}"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + unable))
	status=$(cat "$outputs/$suite.status")
	if [ -z "$numbers" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
		fail "$suite ended with $status and no failed test"
	fi
done
ended=0
close_suite || ended=$?
grep -E '^[0-9]+ attempts, ' "$outputs/attempts" || true
exit "$ended"

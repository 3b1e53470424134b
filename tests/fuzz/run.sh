#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs every fuzz target for FUZZ_SECONDS (60) each, FUZZ_JOBS (2) at a time, from the corpus in the
# tree and what earlier runs found, which is kept below build/fuzz. An input that ends one badly is
# kept in build/fuzz/crashes: it belongs into the corpus, with the mend. `make fuzz` builds them.
# Arguments choose among them: record status.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

cd "$top"
fuzz=$build/fuzz
seconds=${FUZZ_SECONDS:-60} at_once=${FUZZ_JOBS:-2}
mkdir -p "$fuzz/crashes"
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# In the background; what it ends with is in NAME.status.
start() {
	local name=$1 program=$fuzz/bin/fuzz_$1 seeds=tests/fuzz/corpus/$1 folders status=0
	[ -x "$program" ] || return 0
	mkdir -p "$fuzz/corpus/$name"
	folders=("$fuzz/corpus/$name")
	[ ! -d "$seeds" ] || folders+=("$seeds")
	"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="$fuzz/crashes/$name-" "${folders[@]}" >"$fuzz/$name.log" 2>&1 </dev/null || status=$?
	say "$status" >"$fuzz/$name.status"
}

report() {
	local name=$1 program=$fuzz/bin/fuzz_$1 status
	if [ ! -x "$program" ]; then
		skip "fuzz $name: $program is not built (make fuzz builds it, by clang)"
		return
	fi
	status=$(cat "$fuzz/$name.status") || status=unknown
	if [ "$status" = 0 ]; then
		pass "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz/$name.log") inputs in $seconds s"
	else
		fail "fuzz $name ended with $status, see $fuzz/$name.log:"
		grep -aE '^==|ERROR|SUMMARY|Test unit written|^    #[0-5] ' "$fuzz/$name.log" | head -n 20 | cat -v
	fi
}

if [ $# -eq 0 ]; then
	for file in tests/fuzz/fuzz_*.c; do
		name=${file##*/fuzz_}
		set -- "$@" "${name%.c}"
	done
fi
for name; do
	rm -f "$fuzz/$name.status"
	[ "$(jobs -rp | wc -l)" -lt "$at_once" ] || wait -n
	start "$name" &
done
wait
for name; do
	report "$name"
done
close_suite

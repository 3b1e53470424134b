#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The record of a build that failed: beside its log, without anything that was built, with the step,
# the reason, the limit and what was refused; it is no build, and a build takes it away.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "records of failed builds" "$@"

folder=$world/dkms/demo/0.1
record=$folder/build/failure.json
# has NAME WORDS...: every one of them is in the record
has() {
	local name=$1 word missing=
	shift
	for word; do
		grep -F -- "$word" "$record" >/dev/null 2>&1 || missing+=" '$word'"
	done
	holds "$name${missing:+: lacks$missing}" test -z "$missing"
}

failed() {
	build "MAKE fails" 10 'broken: on purpose' <<<'echo "x.c: error: broken: on purpose"; exit 3'
	has "record: MAKE fails" '"step": "MAKE"' 'broken: on purpose' '"exit_code": 10' '"limit": null' \
		'"schema": "kmodbox-build"' '"layers": [' '"headers": {' '"wall_seconds": '
	holds "record: it names no ticket and no file" test "$(grep -cE '"(ticket|data)":|unsigned' "$record")" -eq 0
	holds "record: nothing is built" test "$("$kmodbox" status "${demo[@]}" "${trees[@]}")" = "demo/0.1: added"
	build "no module" 7 demo.ko <<<'true'
	has "record: no module" '"step": "collect"' '"exit_code": 7'
	build "a module that is none" 7 demo.ko <<<'echo evil >demo.ko'
	has "record: what strip cannot read" '"step": "strip"' '"exit_code": 7'
	cp "$good" "$source/good.ko"
	try build "${demo[@]}" "${kernel[@]}" --directive 'MAKE=cp good.ko demo.ko'
	done_well "a build after it"
	holds "record: a build takes it away" test ! -e "$record" -a ! -e "$folder/build"
}

limits() {
	build "a limit" 31 output <<<'exec perl -e "print qq(evil\n) x 100000 while 1"'
	has "record: a limit" '"step": "MAKE"' '"exit_code": 31' '"limit": "output' '"log_bytes": '
}

refused_calls() {
	if ! refusals_are_seen; then
		skip "record: refused calls: another program listens to them already"
		return
	fi
	# shellcheck disable=SC2016 # perl's
	build "a refused call" 10 <<<'perl -e "socket(my \$s, 2, 1, 0) and exit 0; exit 3"'
	has "record: a refused call" '"call": "socket AF_INET' '"program": "perl"' '"step": "build"'
}

prepare
run_groups failed limits refused_calls

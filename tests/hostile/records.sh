#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The record of a build that failed: beside its log, without anything that was built, with the step,
# the reason, the limit and what was refused; it is no build, and a build takes it away. And what came
# of builds and sandboxes as JSON.
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

# limited SETTINGS NAME CODE WORDS...: stdin is a build that is refused, the module having these settings
limited() {
	local lines=$1
	shift
	new_build
	say "$lines" >"$settings/demo.conf"
	try build "${demo[@]}" "${kernel[@]}"
	refused "limits: $1" "${@:2}" "demo 0.1" "$release"
}

limits() {
	build "a limit" 31 'output (1024 MiB)' "16 times what is kept of it: 'log = '" <<<'exec perl -e "print qq(evil\n) x 100000 while 1"'
	has "record: a limit" '"step": "MAKE"' '"exit_code": 31' '"limit": "output' '"log_bytes": '
	limited $'[limits]\nfile = 1M' "one file of a child" 31 'size of one file (1 MiB)' <<<'
		mkdir deep
		head -c 2M /dev/zero >deep/one
		exit 3'
	has "record: one file of a child" '"limit": "size of one file (1 MiB)"' '"file_bytes": 1048576'
	limited $'[limits]\nfile = 1M' "one file, in /tmp" 31 'size of one file (1 MiB)' <<<'head -c 2M /dev/zero >/tmp/one; exit 3'
	limited $'[limits]\nfile = 1M' "a file that is smaller" 10 MAKE <<<'head -c 1048575 /dev/zero >one; exit 3'
	limited $'[limits]\nfile = 1M' "one file, gone" 10 "'file = ' in [limits] of $settings/demo.conf" <<<'
		head -c 2M /dev/zero >one || { rm one; exit 3; }'
	limited $'[limits]\nmemory = 256M' "memory of one process" 10 "may have hit a limit: 'memory = '" <<<'
		dd if=/dev/zero of=one bs=900M count=1 || exit 3'
	# Ends before anybody has counted: of limits within the sandbox's own, which nobody counts.
	# shellcheck disable=SC2016 # perl's
	limited '' "open files" 10 "may have hit a limit: 'open_files = '" <<<'
		ulimit -n 20
		exec perl -e "open(\$h[\$_], q(<), q(/dev/null)) or die qq(x: \$!\n) for 0..30"'
	limited '' processes 10 "may have hit a limit: 'processes = '" <<<'
		ulimit -u 1
		exec perl -e "defined(fork) or die qq(x: \$!\n)"'
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

# as_json NAME PYTHON: standard output is one document, of which PYTHON holds.
as_json() {
	holds "json: $1" python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
r = d.get("results")
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$work/out" "$2"
}

json() {
	local one="len(r) == 1 and r[0]"
	new_build <<<'cp good.ko demo.ko'
	try build "${demo[@]}" "${kernel[@]}" -k 9.9.9 --json
	holds "json: two kernels: exit code 21, not $code" test "$code" -eq 21
	as_json "two kernels" 'd["schema"] == "kmodbox-results" and d["schema_version"] == 1 and
		d["verb"] == "build" and d["exit_code"] == 21 and len(r) == 2 and
		[e["result"] for e in r] == ["done", "failed"] and [e["exit_code"] for e in r] == [0, 21] and
		"9.9.9" in r[1]["message"] and r[1]["record"] is None and r[1]["log"] is None'
	as_json "a build" 'r[0]["state"] == "built" and r[0]["module"] == "demo" and
		r[0]["record"]["kernel"] == r[0]["kernel"] and r[0]["record"]["ticket"]["serial"] > 0 and
		"DKMS make.log" in open(r[0]["log"]).read()'
	try install "${demo[@]}" "${kernel[@]}" --json --quiet
	done_well "json: what was built is installed"
	as_json "an installation" "d['exit_code'] == 0 and ${one}['state'] == 'installed' and r[0]['record'] is None"
	try install "${demo[@]}" "${kernel[@]}" --json --force --quiet
	as_json "installed already" "d['exit_code'] == 0 and ${one}['result'] == 'done'"
	# shellcheck disable=SC2016 # the build's
	new_build <<<'echo "x.c: error: \"broken\" $(printf "\001")"; exit 3'
	try build "${demo[@]}" "${kernel[@]}" --json --quiet
	refused "json: a failure" 10 broken
	as_json "a failure" "d['exit_code'] == 10 and ${one}['record']['failure']['step'] == 'MAKE' and
		r[0]['result'] == 'failed' and '\"broken\"' in r[0]['message'] and r[0]['state'] == 'added' and
		r[0]['log'].endswith('/demo/0.1/build/make.log') and r[0]['record']['denied']['calls'] == []"
	new_source <<<'PACKAGE_NAME=other'
	try build "${demo[@]}" "${kernel[@]}" --json
	refused "json: what is not added" 8 PACKAGE_NAME
	as_json "what is not added" "d['exit_code'] == 8 and ${one}['kernel'] is None and 'PACKAGE_NAME' in r[0]['message']"
	new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"\nAUTOINSTALL=yes'
	cp "$good" "$source/good.ko"
	must add "${demo[@]}"
	try autoinstall "${kernel[@]}" --json
	as_json autoinstall "d['verb'] == 'autoinstall' and ${one}['state'] == 'installed' and r[0]['record']['ticket']"
	try autoinstall "${kernel[@]}" --json
	as_json "autoinstall again" "${one}['result'] == 'done' and r[0]['record'] is None"
}

# sandbox ARGUMENT...
sandbox() {
	code=0
	"$kmodbox" sandbox --json --configdir "$world/etc/kmodbox" "$@" >"$work/out" 2>"$work/err" || code=$?
}

json_sandbox() {
	fresh
	sandbox -- /bin/sh -c 'echo said; exit 3'
	as_json "a command" "$code == 3 and d['schema'] == 'kmodbox-sandbox' and d['exit_code'] == 3 and
		d['result']['end'] == 'exited' and d['result']['status'] == 3 and d['result']['limit'] is None and
		d['command'][0] == '/bin/sh' and d['result']['usage']['output_bytes'] == 5 and
		any(l['name'] == 'system call filter' and l['active'] for l in d['result']['layers'])"
	holds "json: what a command prints is on standard error" test "$(cat "$work/err")" = said
	# shellcheck disable=SC2016 # the inner shell's
	sandbox -- /bin/sh -c 'kill -9 $$'
	as_json "a signal" "$code == 137 and d['result']['end'] == 'signalled' and d['result']['status'] == 9"
	sandbox -- /nosuch
	as_json "none to run" "$code == 127 and d['result'] is None and '/nosuch' in d['message']"
	mkdir -p "$world/etc/kmodbox/profiles.d"
	printf '[profile]\nextend = strict\n[limits]\nwall = 1s\n' >"$world/etc/kmodbox/profiles.d/brief.conf"
	sandbox --profile brief -- /bin/sleep 60
	as_json "a limit" "$code == 31 and d['result']['end'] == 'limit' and d['result']['status'] is None and
		d['result']['limit'] == 'wall time (1 s)' and d['limits']['wall_seconds'] == 1 and d['profile'] == 'brief'"
	if refusals_are_seen; then
		# shellcheck disable=SC2016 # perl's
		sandbox -- perl -e 'socket(my $s, 2, 1, 0)'
		as_json "refused calls" "d['result']['denied']['calls'][0]['call'].startswith('socket AF_INET') and
			d['result']['denied']['others'] == 0"
	else
		skip "json: refused calls: another program listens to them already"
	fi
}

prepare
run_groups failed limits refused_calls json json_sandbox

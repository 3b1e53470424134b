#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What looks at the walls before foreign code runs: a sandbox of which one is taken away
# (layers/peel.c) is refused, by that wall's name. The control is the same sandbox without the look,
# in which the command runs.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

program=$build/tests/hostile/layers/peel
if [ ! -x "$program" ]; then
	die "$program is not built; run: make test-hostile"
fi
# peel WORD... -- SCRIPT: $code and $said
peel() {
	local words=()
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	code=0
	said=$("$program" "${words[0]}" --policy "$build/bin/profiles/build.seccomp" "${words[@]:1}" -- \
		/bin/sh -c "$2" 2>&1 8</ </dev/null) || code=$?
}
# runs NAME WORD...
runs() {
	local name=$1
	shift
	peel "$@" -- "echo inside"
	if [ "$code" -eq 0 ] && [ "$said" = inside ]; then
		pass "$name"
	else
		fail "$name: $code: $said"
	fi
}
# looked_at OFF LAYER
looked_at() {
	peel "$1" -- "echo inside"
	if [ "$code" -ne 0 ] || [ "$said" != inside ]; then
		skip "$2: without $1 nothing runs here: $said"
		return
	fi
	peel "$1,looked" -- "echo inside"
	if [ "$code" -eq 30 ] && [[ $said == *"walls verified: $2: "*"; "* && $said != *inside* ]]; then
		pass "$2: its absence is seen: ${said#*walls verified: }"
	else
		fail "$2: without it the sandbox ended with $code: $said"
	fi
}

runs "every wall stands" none
runs "the filter comes behind the look" filter,looked
looked_at namespaces namespaces
looked_at network "no network"
looked_at mounts "read-only system"
looked_at proc "own /proc"
looked_at names "host name"
looked_at session "new session"
looked_at descriptors "closed descriptors"
looked_at capabilities "no capabilities"
looked_at limits limits
peel filter,nesting -- 'unshare --user true && echo inside'
if [ "$said" = inside ]; then
	looked_at nesting "no nested user namespaces"
else
	skip "no nested user namespaces: this host gives none: $said"
fi
# Without Landlock, and with its first version, which is none to us, the wall is absent and said so.
peel none --landlock-abi 1 -- 'mkdir /tmp/a /tmp/b && echo >/tmp/a/x && ln /tmp/a/x /tmp/b/y && mv /tmp/a/x /tmp/b/x && echo moved'
if [ "$code" -eq 0 ] && [ "$said" = moved ]; then
	pass "Landlock before Linux 5.19: files move between directories"
else
	fail "Landlock before Linux 5.19: $code: $said"
fi
peel none -- 'echo x >/dev/random'
if [ "$code" -ne 0 ]; then
	looked_at landlock landlock
else
	skip "landlock: this kernel has none"
fi
close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A taken-over orchestrator may start what it likes; its end must be the end of that too. A library
# loaded before libc plays the taken-over one: where a part asks to die with its parent, it leaves a
# process of its own session behind, which writes down its pid.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make test-crash"
who=user
[ "$(id -u)" -ne 0 ] || who=root
if ! command -v "${CC:-cc}" >/dev/null; then
	skip "$who: what the orchestrator leaves: there is no C compiler to make it take over"
	close_suite
	exit
fi
if grep -q __asan_init "$kmodbox"; then
	skip "$who: what the orchestrator leaves: a sanitised program lets no library before its own"
	close_suite
	exit
fi

work=$(mktemp -d)
pids=$work/pids
alive() {
	local pid
	while read -r pid; do
		! grep -qsz "^kmodbox-leftover$" "/proc/$pid/cmdline" || say "$pid"
	done <"$pids"
}
clean_up() {
	[ ! -s "$pids" ] || alive | while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap clean_up EXIT
# Every part writes there.
chmod 0711 "$work"
: >"$pids"
chmod 0666 "$pids"

cat >"$work/takeover.c" <<'SOURCE'
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave_something(void)
{
	pid_t child = fork();

	if (child == 0) {
		int fd = open(PIDS, O_WRONLY | O_APPEND | O_CLOEXEC);

		setsid();
		if (fork() != 0)
			_exit(0);
		signal(SIGTERM, SIG_IGN);
		dprintf(fd, "%d\n", (int)getpid());
		execl("/bin/sleep", "kmodbox-leftover", "600", (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

int prctl(int option, ...)
{
	unsigned long arguments[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_PDEATHSIG)
		leave_something();
	return (int)syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2],
			    arguments[3]);
}
SOURCE
"${CC:-cc}" -shared -fPIC -O1 "-DPIDS=\"$pids\"" -o "$work/takeover.so" "$work/takeover.c"

mkdir "$work/dkms" "$work/src" "$work/modules"
status=0
LD_PRELOAD=$work/takeover.so timeout -k 5 60 "$kmodbox" remove -m nothing -v 1 --all \
	--dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/modules" \
	--statedir "$work/state" >"$work/output" 2>&1 </dev/null || status=$?
# The control: something was left behind, and the run came to its own end.
if [ ! -s "$pids" ] || [ "$status" -ge 124 ]; then
	fail "$who: nothing took the orchestrator over: $status, $(tail -n 1 "$work/output")"
elif [ -n "$(alive)" ]; then
	fail "$who: $(alive | wc -l) of $(wc -l <"$pids") processes that were left outlive kmodbox"
else
	pass "$who: $(wc -l <"$pids") processes that were left do not outlive kmodbox"
fi
close_suite

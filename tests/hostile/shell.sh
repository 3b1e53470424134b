#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `kmodbox shell`, with and without a terminal: it runs in the build's sandbox, tells which step failed,
# passes its status on, keeps nothing. What runs in it has a pty of its own and no way to the person's
# terminal: not by TIOCSTI and its like, not by sequences that terminals answer; each shown to work
# outside first. The terminal has its settings back, and no process is left, however it ends.
# shellcheck disable=SC2016 # what stands in single quotes is for other shells
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

[ -x "$kmodbox" ] || die "$kmodbox is not built; run: make"
if [ ! -d "$kernels/6.1" ]; then
	skip "shell: no kernel headers below $kernels (make kernels)"
	close_suite
	exit
fi
release=$(kernel_release "$kernels/6.1")
work=$(mktemp -d)
chmod 755 "$work"
screen=$work/screen session=
close_terminal() {
	[ -n "$session" ] || return 0
	exec 8>&-
	end_job "$session"
	{ wait "$session" || true; } 2>/dev/null
	session=
}
trap 'close_terminal; chmod -R u+rwx "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
trees=(--dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/modules"
	--statedir "$work/state" --configdir "$work/etc" --dkmsconfig "$work/etc")
kernel=(-k "$release" --kernel-root "$kernels/6.1")
export TERM=xterm

# --- Sources: one that builds, others that fail on the way -----------------------------------------

# source NAME LINE...: the demo's, its dkms.conf with these lines more.
source_of() {
	local folder=$work/src/$1-0.1
	mkdir -p "$folder/patches"
	cp -r "$top/tests/demo/demo-v0.1/." "$folder/"
	sed -i "s/^PACKAGE_NAME=.*/PACKAGE_NAME=\"$1\"/" "$folder/dkms.conf"
	shift
	printf '%s\n' "$@" >>"$folder/dkms.conf"
}
source_of demo
source_of broken 'PRE_BUILD="before.sh $kernelver"'
printf '#!/bin/sh\necho "before $1" >/dev/stderr\ntest ! -t 1 && test ! -t 0 && exit 3\n' >"$work/src/broken-0.1/before.sh"
chmod 755 "$work/src/broken-0.1/before.sh"
echo 'int broken = nonsense;' >>"$work/src/broken-0.1/src/demo.c"
source_of patched 'PATCH[0]="no.patch"'
printf -- '--- a/src/demo.c\n+++ b/src/demo.c\n@@ -1,1 +1,1 @@\n-not there\n+nor this\n' >"$work/src/patched-0.1/patches/no.patch"
source_of slow 'MAKE="sleep 600"'
source_of empty 'MAKE=true'
source_of deadly "MAKE='kill -9 \$\$'"
for name in demo broken patched slow empty deadly; do
	"$kmodbox" add "$name/0.1" "${trees[@]}" >/dev/null
done

# run_in NAME COMMAND...: no terminal; its status and what it printed.
run_in() {
	local name=$1
	shift
	code=0
	"$kmodbox" shell "$name/0.1" "${kernel[@]}" "${trees[@]}" "$@" </dev/null >"$work/out" 2>"$work/err" || code=$?
}
# expect WHAT COMMAND...
expect() {
	local what=$1
	shift
	if "$@" >/dev/null; then
		pass "$what"
	else
		fail "$what: $code; $(tail -n 5 "$work/out") $(cat "$work/err")"
	fi
}
printed() { grep -F -x -e "$*" "$work/out" >/dev/null; }

# --- Without a terminal ------------------------------------------------------------------------------

run_in demo
expect "without a terminal there is no shell" [ "$code:$(wc -l <"$work/err")" = 1:1 ]
(cd "$work" && find dkms state -path state/work -prune -o -print | sort) >"$work/before"
run_in demo -- /bin/bash -c 'hostname; id -u; wc -l </proc/self/uid_map; readlink /proc/self/ns/net
	cd src && test -f demo.ko && echo "$build_dir $kernelver"; ! touch /usr/file; exit 7'
(cd "$work" && find dkms state -path state/work -prune -o -print | sort) >"$work/after"
if [ "$code" -eq 30 ] && [ "$(id -u)" -ne 0 ]; then
	skip "shell: no sandbox for an ordinary user here: $(cat "$work/err")"
	close_suite
	exit
fi
expect "a command's status is passed on" [ "$code" -eq 7 ]
expect "it runs in the sandbox" eval 'printed kmodbox && printed 0 && printed 1'
expect "without the host's network" eval 'grep "^net:" "$work/out" >/dev/null && ! printed "$(readlink /proc/self/ns/net)"'
expect "where the build ended" printed "/var/lib/dkms/demo/0.1/build $release"
expect "which is told" printed "# the build came to its end"
expect "nothing of it is kept" cmp -s "$work/before" "$work/after"

run_in broken -- true
expect "a failed step is told, and how it is done again" \
	grep "^# MAKE failed (2); again: make -j[0-9]* KERNELRELEASE=$release -C src/" "$work/out"
expect "so is one that a build passes over, with a build's own output and input" \
	eval 'printed "before $release" && printed "# PRE_BUILD failed (3); again: ./before.sh $release"'
run_in broken -- /bin/bash -c 'sed -i /nonsense/d src/demo.c && make -s KERNELRELEASE=$kernelver -C src/ KERNELDIR=$kernel_source_dir && ls src/demo.ko'
expect "and mended there" eval '[ "$code" -eq 0 ] && printed src/demo.ko'
run_in patched -- true
expect "a patch that does not apply is told" printed "# patch failed (1); again: patch -p1 <./patches/no.patch"
run_in empty -- true
expect "a module that the build did not make is told" printed "# it made no src/demo.ko"
run_in demo -- true
expect "none of one that it made" eval '! grep "^# it made no" "$work/out"'
run_in deadly -- true
expect "a MAKE that kills its shell is told in one line" \
	eval '[ "$code:$(wc -l <"$work/err")" = 137:1 ] && grep "there was no shell: the build.s own was killed by SIGKILL" "$work/err"'
run_in demo -- no-such-command
expect "a command that is not there" [ "$code" -eq 127 ]
run_in demo -- /bin/sh -c 'kill -9 $$'
expect "a signal's number is passed on" [ "$code" -eq 137 ]
run_in demo -k 6.1.0-2
expect "one kernel at a time" [ "$code" -eq 4 ]
run_in demo --
expect "no command behind --" [ "$code" -eq 1 ]

# --- At a terminal -----------------------------------------------------------------------------------

if ! command -v script >/dev/null 2>&1 || ! script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	skip "shell at a terminal: script(1) gives none"
	close_suite
	exit
fi
# open_terminal COMMAND [THEN]: run by bash at a terminal of 33 x 101, whose name is put into $work/pts.
open_terminal() {
	rm -f "$work/keys" "$work/pts" "$screen"
	mkfifo "$work/keys"
	printf 'stty rows 33 cols 101 -echo\ntty >%q\nstty -g >%q\n%s\nprintf "\\nENDED $?\\n"\n%s\nstty -g >%q\n' \
		"$work/pts" "$work/settings" "$1" "${2:-}" "$work/settings-after" >"$work/session.sh"
	code=0
	rm -f "$work/settings-after"
	script -qfec "bash $(printf %q "$work/session.sh")" "$screen" <"$work/keys" >/dev/null 2>"$work/err" &
	session=$!
	exec 8>"$work/keys"
	wait_for [ -s "$work/pts" ]
	: >>"$screen"
}
# shellcheck disable=SC2059 # it is a format
type_keys() { printf "$@" >&8; }
shows() { grep -F -a -e "$*" "$screen" >/dev/null; }
shown() { wait_for shows "$@"; }
ended() { wait_for eval 'grep -a "^ENDED" "$screen" >/dev/null && [ -s "$work/settings-after" ]'; }
status() { sed -n 's/^ENDED \([0-9]*\).*/\1/p' "$screen" | tail -n 1; }
restored() { cmp -s "$work/settings" "$work/settings-after"; }
printf -v shell '%q ' "$kmodbox" shell demo/0.1 "${kernel[@]}" "${trees[@]}"
printf -v slow '%q ' "$kmodbox" shell slow/0.1 "${kernel[@]}" "${trees[@]}"
# What kmodbox runs is found by the trees in its command line.
ours() { { pgrep -f -- "--dkmstree $work/dkms" || true; pgrep -f "sleep 60[01].$$" || true; } | grep -v "^$$\$" || true; }
none_ours() { [ -z "$(ours)" ]; }
some_ours() { [ -n "$(ours)" ]; }
expect_end() {
	if ended && [ "$(status)" = "$2" ] && restored; then
		pass "$1: status $2, the terminal's settings restored"
	else
		fail "$1: status $(status), not $2; settings $(paste -s "$work/settings" "$work/settings-after" 2>&1); $(tail -n 3 "$screen")"
	fi
	close_terminal
}
# at_screen WHAT TEXT
at_screen() {
	if shown "$2"; then
		pass "$1"
	else
		fail "$1: $(tail -n 5 "$screen")"
	fi
}

# As they would be tried; the answer is put together so that the echo of the line is none.
push='my $c = "x"; print ioctl(STDIN, 0x5412, $c) ? "TIOCSTI-" . "WORKS\n" : "TIOCSTI-$!\n"'
discipline='my $c = pack("i", 0); print ioctl(STDIN, 0x5423, $c) ? "TIOCSETD-" . "WORKS\n" : "TIOCSETD-$!\n"'
answers='\033[6nA\033[cB\033]52;c;QUJD\007C\033P$qm\033\134D\033[31mE\033[m\n'

open_terminal "perl -e '$push'; perl -e '$discipline'; printf '$answers'"
ended || fail "the control does not end"
control_push=$(grep -a -c '^TIOCSTI-WORKS' "$screen" || true)
control_discipline=$(grep -a -c '^TIOCSETD-WORKS' "$screen" || true)
control_answers=$(grep -a -c -F "$(printf '\033[6nA\033[cB\033]52;c;QUJD')" "$screen" || true)
close_terminal

open_terminal "$shell"
shown 'kmodbox:/var/lib/dkms/demo/0.1/build' || fail "no prompt: $(cat "$screen")"
type_keys 'stty size; echo host-$(hostname)-$(id -u)\n'
at_screen "the window's size arrives" "33 101"
at_screen "the shell is in the sandbox" "host-kmodbox-0"
stty -F "$(cat "$work/pts")" rows 44 cols 111
type_keys 'sleep 0.2; stty size\n'
at_screen "so does another size" "44 111"
type_keys 'sleep 601.%s & sleep 600.%s\n' "$$" "$$"
wait_for some_ours && sleep 0.3
type_keys '\003'
type_keys 'echo still-$((40 + 2)); kill %%1; jobs\n'
at_screen "Ctrl-C is the foreground's, not kmodbox's" "still-42"
type_keys "perl -e '%s'\n" "$push"
if [ "$control_push" -eq 0 ]; then
	skip "TIOCSTI: it does not work outside either (dev.tty.legacy_tiocsti)"
else
	at_screen "TIOCSTI is refused, and works outside" "TIOCSTI-Operation not permitted"
fi
type_keys "perl -e '%s'\n" "$discipline"
if [ "$control_discipline" -eq 0 ]; then
	skip "TIOCSETD: it does not work outside either"
else
	at_screen "TIOCSETD is refused, and works outside" "TIOCSETD-Operation not permitted"
fi
type_keys 'printf '\''%s'\''\n' "$answers"
if [ "$control_answers" -ne 1 ]; then
	fail "sequences: outside they do not arrive: the test proves nothing"
else
	at_screen "what terminals answer is kept from them, colours are not" "$(printf 'ABCD\033[31mE\033[m')"
fi
type_keys 'exec 9<>/dev/tty || echo no-tty-$((40 + 2))\n'
at_screen "there is no other terminal" "no-tty-42"
# Of all that is called so, the relay alone; what runs in the sandbox is not.
confined=$(pgrep -f -- "^[^ ]*/kmodbox shell demo/0.1 .*--dkmstree $work/dkms" | while read -r pid; do
	grep -sqP '^Seccomp:\t2' "/proc/$pid/status" && echo "$pid"; done | wc -l || true)
outside=$(grep -c '^Seccomp:.*2' "/proc/$session/status" || true)
if [ "$outside" -ne 0 ]; then
	skip "the relay has a filter of its own: all here has one"
else
	expect "the relay has a filter of its own" [ "$confined" -eq 1 ]
fi
type_keys 'exit 9\n'
expect_end "exit" 9

open_terminal "$slow"
shown '# command: sleep 600' || fail "no build at the terminal: $(cat "$screen")"
sleep 0.2
type_keys '\003'
at_screen "Ctrl-C in the build ends the step alone" "again: sleep 600"
shown 'kmodbox:/var/lib/dkms/slow' || fail "no prompt behind Ctrl-C"
# Full screen, no echo, then killed: the terminal is not left like that.
type_keys 'stty -echo; printf "\\033[?1049h\\033[?25l"; echo ready-$((40 + 2)); sleep 601.%s\n' "$$"
shown ready-42 || fail "not ready: $(tail -n 3 "$screen")"
pkill -TERM -f -- "^[^ ]*/kmodbox shell slow/0.1 .*--dkmstree $work/dkms" || true
expect_end "SIGTERM" 130
expect "and its screen is given back" grep -a -F -q "$(printf '\033[?1049l')" "$screen"

# Who was killed restores nothing: the relay does, when it sees that.
open_terminal "$shell" 'for try in {1..300}; do [ "$(stty -g)" != "$(cat '"$(printf %q "$work/settings")"')" ] || break; sleep 0.1; done'
shown 'kmodbox:/var/lib/dkms/demo' || fail "no prompt"
type_keys 'sleep 601.%s\n' "$$"
sleep 0.3
# The launcher is the oldest of them.
pkill -KILL -o -f -- "^[^ ]*/kmodbox shell demo/0.1 .*--dkmstree $work/dkms" || true
if wait_for none_ours; then
	pass "kill -9 of kmodbox leaves no process"
else
	fail "left by kill -9: $(ours | paste -sd ' ')"
fi
expect_end "kill -9" 137
close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a hostile build would try, by probe.c: each attempt first outside, where it must succeed (or it
# proves nothing and is skipped), then in `kmodbox sandbox`, where it must be refused as the table
# says. Then what is left: daemons, processes of a killed kmodbox, uids. As root all of it twice: as
# root and as an ordinary user. An ordinary user runs his part.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

probe=$build/tests/hostile/probe
if [ ! -x "$kmodbox" ] || [ ! -x "$probe" ]; then
	die "$kmodbox and $probe are not built; run: make test-hostile"
fi
if [ "$(uname -m)" != x86_64 ]; then
	skip "escape: the probes know the system calls of x86_64"
	close_suite
	exit
fi

who=user
[ "$(id -u)" -ne 0 ] || who=root
work=$(mktemp -d)
# Ends so that no other run's is the beginning of it.
tag=kb$$.
listener=
# What this script started and what calls itself by its tag; nothing else is ever killed.
clean_up() {
	[ -z "$listener" ] || end_job "$listener"
	tagged | while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap clean_up EXIT
scratch=$work/scratch
shown=${KMODBOX_SHOWN:-$work/shown}
# The name alone: what a sandbox shows of it is in its mount table.
mark=$(basename "$work")
chmod 0711 "$work"
mkdir -p "$scratch" "$shown"
echo shown >"$shown/file"
(umask 077 && echo secret >"$shown/../canary")

tagged() { "$probe" outside - - processes "$tag" 0 4294967295; }
count_tagged() { tagged | wc -l; }
some_tagged() { [ "$(count_tagged)" -gt 0 ]; }
none_tagged() { [ "$(count_tagged)" -eq 0 ]; }

# Both with what a careless caller would leak: a secret in the environment, a directory on fd 8 and a
# secret file on fd 9.
outside() {
	(cd "$scratch" && KMODBOX_TEST_SECRET=secret exec "$probe" outside "$scratch" "$shown" "$@") \
		8</ 9<"$shown/../canary" </dev/null 2>"$work/errors" || true
}
inside() {
	(cd "$scratch" && KMODBOX_TEST_SECRET=secret exec "$kmodbox" sandbox --ro "$probe" --ro "$shown" \
		-- "$probe" inside /tmp "$shown" "$@") \
		8</ 9<"$shown/../canary" </dev/null 2>"$work/errors" || true
}
inside_command() { "$kmodbox" sandbox -- "$@" </dev/null 2>"$work/errors" || true; }

if [ "$(inside fork)" != ALLOWED ]; then
	if [ "$who" = user ] && ! unshare --user true 2>/dev/null; then
		skip "$who: all probes: this machine lets no ordinary user make a user namespace"
	else
		fail "$who: no sandbox could be made: $(cat "$work/errors")"
	fi
	close_suite
	exit
fi

"$probe" outside "$scratch" "$shown" listen "$tag" >"$work/port" 2>"$work/errors" &
listener=$!
wait_for [ -s "$work/port" ] || die "the listener does not run: $(cat "$work/errors")"

# attempt NAME EXPECTED [ARGUMENT]: EXPECTED is one or more errnos joined by "|", or NOEFFECT, ALLOWED
# (what a build needs: there the sandbox must not be in the way), KILLED-SIGNAL, or "same": not more
# than the kernel's own answer.
attempt() {
	local name=$1 expected=$2 there here answer
	shift 2
	there=$(outside "$name" "$@")
	here=$(inside "$name" "$@")
	answer=${here#REFUSED }
	answer=${answer/KILLED /KILLED-}
	case $there in
	ALLOWED | NOEFFECT | NOCONTROL | "REFUSED "* | "KILLED "*) ;;
	*)
		fail "$who: $name: the probe does not work outside: '$there' $(cat "$work/errors")"
		return
		;;
	esac
	if [ "$expected" = same ]; then
		expected=${there#REFUSED }
		[ "$expected" != ALLOWED ] || expected="(not ALLOWED)"
		there=ALLOWED
	fi
	if [[ "|$expected|" != *"|$answer|"* ]]; then
		fail "$who: $name: in the sandbox '$here' instead of $expected; outside $there. $(cat "$work/errors")"
		return
	fi
	case $there in
	ALLOWED) pass "$who: $name: $here" ;;
	NOCONTROL) skip "$who: $name: outside, namespaces of one's own or a terminal cannot be made to try it in" ;;
	"REFUSED EPERM" | "REFUSED EACCES" | "$here") skip "$who: $name: $there outside too" ;;
	# The kernel cannot do it, or would say something else: so it was not asked.
	*) pass "$who: $name: $here before the kernel says ${there#REFUSED }" ;;
	esac
}

# Ordinary tools, some of which set modes by way of ACLs, owners or attributes first.
# shellcheck disable=SC2016 # bash -c expands it
tools='set -e; cd /tmp; mkdir a; echo x >a/f; ln -s f a/l; cp -a a b; cp -p a/f g; cp --preserve=all a/f k
install -D -m 755 -p a/f i/f; install -o root -g root -m 644 a/f h; sed -i s/x/y/ a/f; touch -d @1 a/f
tar cf t.tar a; mkdir c; tar xf t.tar -C c; cmp a/f c/a/f; mv c/a e; chmod u+x,o-r e/f; chown 5:5 e/f
mkfifo p; ln e/f e/hard; ulimit -n 100; rm -r a b c e; test "$(stat -c %a i/f h)" = "755
644"; echo done'
here=$(inside_command /bin/bash -c "$tools")
if [ "$here" = "done" ]; then
	pass "$who: cp, install, sed, tar and their like work"
else
	fail "$who: cp, install, sed, tar and their like: $here $(cat "$work/errors")"
fi

# All probes of the table. On descriptor 3, so that no probe reads on in it.
while IFS=$'\t' read -r -u 3 numbers name expected _ argument; do
	[[ $numbers && $numbers != \#* ]] || continue
	case $argument in
	port) argument=$(cat "$work/port") ;;
	tag) argument=$tag ;;
	listener) argument=$listener ;;
	canary) argument=$shown/../canary ;;
	esac
	if [ "$name" = setuid-program ] && [ ! -u "$shown/raise" ]; then
		skip "$who: setuid-program: only root can make one, and only another user can be raised by it"
		continue
	fi
	attempt "$name" "$expected" "$argument"
done 3<"$(dirname "$0")/probes.table"

# A caller at a terminal: the sandbox has none of it.
if command -v script >/dev/null 2>&1; then
	printf -v command '%q ' "$probe" outside "$scratch" "$shown" find-terminal
	there=$(script -qec "$command" /dev/null </dev/null | tr -d '\r')
	printf -v command '%q ' "$kmodbox" sandbox --ro "$probe" -- "$probe" inside /tmp / find-terminal
	here=$(script -qec "$command" /dev/null </dev/null | tr -d '\r')
	if [ "$there" != ALLOWED ]; then
		skip "$who: find-terminal: script(1) gives none: $there"
	elif [ "$here" = "REFUSED ENOENT" ]; then
		pass "$who: find-terminal: $here"
	else
		fail "$who: find-terminal: in the sandbox '$here'"
	fi
else
	skip "$who: find-terminal: no script(1)"
fi
# What terminals answer or obey does not reach it; a file gets the bytes as they are.
words='A\033[6nB\033]52;c;QUJD\007C\033[31mD\033[m'
if [ "$(inside_command /usr/bin/printf "$words" | cat -v)" != 'A^[[6nB^[]52;c;QUJD^GC^[[31mD^[[m' ]; then
	fail "$who: output into a pipe is not what it was"
elif command -v script >/dev/null 2>&1; then
	printf -v command '%q ' "$kmodbox" sandbox -- /usr/bin/printf "$words"
	here=$(script -qec "$command" /dev/null </dev/null | cat -v)
	if [[ $here == 'ABC^[[31mD^[[m'* && $here != *']52'* && $here != *'[6n'* ]]; then
		pass "$who: a terminal gets no sequence that it answers"
	else
		fail "$who: a terminal gets $here"
	fi
else
	skip "$who: what a terminal gets: no script(1)"
fi

# Namespaces of its own, each of them.
# shellcheck disable=SC2016 # bash -c expands it
namespaces='cd /proc/self/ns && for n in user mnt pid net ipc uts cgroup; do readlink $n; done'
there=$(bash -c "$namespaces")
here=$(inside_command /bin/bash -c "$namespaces")
if [ "$there" != "$(bash -c "$namespaces")" ] || [ "$(wc -l <<<"$here")" -ne 7 ]; then
	fail "$who: namespaces cannot be compared: $here"
elif [ -n "$(grep -Fx "$there" <<<"$here" || true)" ]; then
	fail "$who: shared with the host: $(grep -Fx "$there" <<<"$here" | tr '\n' ' ')"
else
	pass "$who: seven namespaces of its own"
fi

# A daemon that cut every tie must live on outside and not survive its sandbox.
if [ "$(outside outlive "$tag")" != STARTED ] || ! some_tagged; then
	fail "$who: the daemon does not live on outside: the test proves nothing"
else
	tagged | while read -r pid; do kill -9 "$pid"; done
	wait_for none_tagged || die "a process of this test cannot be killed"
	if [ "$(inside outlive "$tag")" != STARTED ]; then
		fail "$who: the daemon did not start in the sandbox: $(cat "$work/errors")"
	elif none_tagged; then
		pass "$who: a daemon does not survive its sandbox"
	else
		fail "$who: a daemon survived its sandbox"
	fi
fi

# The sandbox's processes, while it runs and when kmodbox was killed or told to end.
ours() {
	if [ "$who" = root ]; then
		"$probe" outside - - processes "$mark" 2000000000 2000000063
	else
		tagged
	fi
}
some_ours() { [ "$(ours | wc -l)" -gt 0 ]; }
none_ours() { [ "$(ours | wc -l)" -eq 0 ]; }
for signal in KILL TERM; do
	(cd / && exec "$kmodbox" sandbox --ro "$probe" --ro "$shown" -- "$probe" inside /tmp "$shown" stay "$tag") \
		</dev/null >/dev/null 2>&1 &
	started=$!
	if ! wait_for some_tagged || ! some_ours; then
		fail "$who: no process of a running sandbox is found: the test proves nothing"
		kill -9 "$started" 2>/dev/null || true
		continue
	fi
	kill -s "$signal" "$started"
	{ wait "$started" || true; } 2>/dev/null
	if wait_for none_tagged && wait_for none_ours; then
		pass "$who: nothing is left when kmodbox ends by SIG$signal"
	else
		fail "$who: left when kmodbox ended by SIG$signal: $(ours | tr '\n' ' ') $(tagged | tr '\n' ' ')"
	fi
done
# Also of all the sandboxes before.
if [ "$who" = root ]; then
	if none_ours; then
		pass "$who: no process has a uid of the sandboxes"
	else
		fail "$who: processes with a uid of the sandboxes: $(ours | tr '\n' ' ')"
	fi
fi

# As root: all of it again as somebody who is in no account, on copies that he can read.
if [ "$who" = root ]; then
	user=64101
	while getent passwd "$user" >/dev/null; do user=$((user + 1)); done
	mkdir -p "$work/user/tests/hostile" "$work/user/tests/lib" "$work/user/build/tests/hostile" \
		"$work/user/shown" "$work/user/tmp"
	cp "$0" "$top/tests/hostile/probes.table" "$work/user/tests/hostile/"
	cp "$top/tests/lib/common.sh" "$work/user/tests/lib/"
	cp -r "$build/bin" "$work/user/build/"
	cp "$probe" "$work/user/build/tests/hostile/"
	chmod -R u+rwX,go+rX "$work/user"
	chown -R "$user:$user" "$work/user"
	# Nobody else on the machine may run it meanwhile.
	(umask 077 && cp "$probe" "$work/user/shown/raise")
	chown "0:$user" "$work/user/shown/raise"
	chmod 4750 "$work/user/shown/raise"
	as_user=(setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all --)
	if ! "${as_user[@]}" test -x "$work/user/build/bin/kmodbox"; then
		skip "user: all probes: uid $user cannot reach ${work%/*} (TMPDIR)"
		close_suite
		exit
	fi
	status=0
	"${as_user[@]}" env -i \
		PATH="$PATH" HOME="$work/user" TMPDIR="$work/user/tmp" BUILD="$work/user/build" \
		KMODBOX_SHOWN="$work/user/shown" "$work/user/tests/hostile/escape.sh" \
		</dev/null >"$work/user.out" 2>&1 || status=$?
	sed '$d' "$work/user.out"
	if [[ $(tail -n 1 "$work/user.out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		fail "the ordinary user's part ended with $status: $(tail -n 1 "$work/user.out")"
	fi
fi
close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sandboxes by the hundred, 8 at a time, of which parts are killed with SIGKILL at random moments. What
# is looked for afterwards is whatever may be left: processes, descriptors, mounts, cgroups, files,
# namespaces. As root once with slots and once more as an ordinary user.
#
#	soak.sh [COUNT] [SEED]
#
# COUNT sandboxes each (or KMODBOX_SOAK_COUNT; 50; `make test-soak` 2,000). The seed is printed; of the
# same seed each sandbox gets the same payload, victim and moment.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
PATH=$PATH:/usr/sbin:/sbin

part=
[ "${1:-}" != --part ] || { part=yes && shift; }
count=${1:-${KMODBOX_SOAK_COUNT:-50}}
seed=${2:-$RANDOM}
soak=$build/tests/crash/soak/soak
policy=profiles/build.seccomp

# ---- Each part has a session that ends with it; root's sees its own processes and mounts alone

add_part() {
	local output good bad unable
	output=$(mktemp)
	"$@" --part "$count" "$seed" </dev/null | tee "$output" | grep -v '^[0-9]* passed' || true
	read -r good bad unable < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$output") ||
		fail "the soak of '$*' came to no end"
	passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-0})) skipped=$((skipped + ${unable:-0}))
	rm -f "$output"
}
if [ -z "$part" ]; then
	for program in "$kmodbox" "$soak"; do
		[ -x "$program" ] || die "$program is not built; run: make test-soak"
	done
	say "seed $seed; again: tests/crash/soak.sh $count $seed"
	apart=(unshare --mount --pid --fork --kill-child --mount-proc --)
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --)
	if [ "$(id -u)" -ne 0 ]; then
		add_part "$0"
	elif ! "${apart[@]}" true 2>/dev/null; then
		skip "root: no mounts and processes of one's own (unshare --mount --pid)"
	else
		add_part "${apart[@]}" "$0"
		if "${apart[@]}" "${nobody[@]}" test -x "$soak" -a -x "$kmodbox"; then
			add_part "${apart[@]}" "${nobody[@]}" "$0"
		else
			skip "user: $soak cannot be reached by other users"
		fi
	fi
	close_suite
	exit
fi

who=user
[ "$(id -u)" -ne 0 ] || who=root
# Whose mount namespace is a copy of ours must not be able to mount anything here.
[ "$who" != root ] || mount --make-rshared /
work=$(mktemp -d)
survivors() { sed -nE 's/^left process ([0-9]+) .*/\1/p' "$work/report" 2>/dev/null; }
end_survivors() {
	local pid
	for pid in $(survivors); do kill -9 "$pid" 2>/dev/null || true; done
}
clean_up() {
	end_survivors
	rm -rf "$work"
}
trap clean_up EXIT
cd "$top"
# Slots have to reach what is theirs.
mkdir "$work/world" "$work/world/places" "$work/world/tmp"
chmod 0711 "$work" "$work/world" "$work/world/places"
export TMPDIR=$work/world/tmp XDG_STATE_HOME=$work/world/state XDG_CONFIG_HOME=$work/world/config

if ! "$kmodbox" sandbox -- /bin/true >"$work/output" 2>&1; then
	skip "$who: no sandbox can be made here: $(tail -n 1 "$work/output")"
	close_suite
	exit
fi

# ---- What is there besides processes

no_process() { [ -z "$(find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null)" ]; }
# Those of strangers come and go, but are not empty.
list_cgroups() { find /sys/fs/cgroup -type d 2>/dev/null || true; }
list_namespaces() {
	readlink /proc/[0-9]*/ns/* 2>/dev/null || true
	! command -v lsns >/dev/null || lsns -nro TYPE,NS 2>/dev/null | awk '{ print $1 ":[" $2 "]" }'
}
list_files() { find "$work/world" /run/kmodbox -mindepth 1 ! -path "$work/world/places/[0-7]" 2>/dev/null || true; }
snapshot() {
	cut -d' ' -f3- /proc/self/mountinfo | sort >"$1.mounts"
	list_cgroups | sort >"$1.cgroups"
	list_namespaces | sort -u >"$1.namespaces"
	list_files | sort >"$1.files"
}
# left KIND: what there is now and was not before; of mounts also those that are gone.
left() {
	local path
	if [ "$1" = mounts ]; then
		diff "$work/before.mounts" "$work/after.mounts" | sed -n '/^[<>]/p' || true
		return
	fi
	comm -13 "$work/before.$1" "$work/after.$1" | while read -r path; do
		[ "$1" != cgroups ] || no_process "$path" || continue
		say "$path"
	done
}
# look TRIES: in $work/left, a line each, "KIND WHAT". What has died takes a moment to be taken apart.
look() {
	local try kind
	for ((try = 0; try < $1; try++)); do
		[ "$try" -eq 0 ] || sleep 0.1
		snapshot "$work/after"
		sed -nE 's/^left (process|zombie|descriptor)/\1/p' "$work/report" |
			sed -E 's/^process /processes /; s/^(zombie|descriptor) /\1s /' >"$work/left"
		for kind in mounts cgroups namespaces files; do
			left "$kind" | sed "s|^|$kind |" >>"$work/left"
		done
		grep -qvE '^(processes|zombies|descriptors) ' "$work/left" || return 0
	done
}
run_soak() { "$soak" "$1" "$seed" "$work/world/places" "$kmodbox" "$policy" "${@:2}" >"$work/report"; }

# ---- Would it be seen?

# control KIND COMMAND...: what the command leaves is seen as of that kind.
control() {
	local kind=$1
	shift
	: >"$work/report"
	snapshot "$work/before"
	if ! "$@" >"$work/output" 2>&1; then
		skip "$who: control: $kind: $(tail -n 1 "$work/output")"
		return
	fi
	look 1
	if grep -q "^$kind " "$work/left"; then
		pass "$who: control: seen: $(grep "^$kind " "$work/left" | head -n 1)"
	else
		fail "$who: control: left $kind are not seen"
	fi
	end_survivors
}
: >"$work/report"
run_soak 8 # whatever is made once is there from now on
control processes run_soak 1 process
control namespaces run_soak 1 process
control zombies run_soak 16 zombie
control descriptors run_soak 16 descriptor
control files touch "$TMPDIR/file"
rm "$TMPDIR/file"
control files mkdir "$work/world/places/0/directory"
rmdir "$work/world/places/0/directory"
if [ "$who" = root ]; then
	control mounts mount -t tmpfs soak "$TMPDIR"
	umount "$TMPDIR"
	cgroup=$(findmnt -nro TARGET -t cgroup2,cgroup | tail -n 1)/kmodbox-soak-$$
	control cgroups mkdir "$cgroup"
	[ ! -d "$cgroup" ] || rmdir "$cgroup"
fi

# ---- Random kills

snapshot "$work/before"
if ! run_soak "$count"; then
	fail "$who: the soak ended with an error"
fi
look 50
figures=$(grep '^[0-9]* sandboxes' "$work/report") || figures="no figures"
if [ "${figures%% *}" = "$count" ] && ! grep -q '^wrong ' "$work/report"; then
	pass "$who: $figures"
else
	fail "$who: $figures"
	sed -n 's/^wrong /        | /p' "$work/report" | head -n 20
fi
for kind in processes zombies descriptors mounts cgroups namespaces files; do
	number=$(grep -c "^$kind " "$work/left") || true
	if [ "$number" -eq 0 ]; then
		pass "$who: left over: $kind 0"
	else
		fail "$who: left over: $kind $number"
		sed -n "s/^$kind /        | /p" "$work/left" | head -n 20
	fi
done
close_suite

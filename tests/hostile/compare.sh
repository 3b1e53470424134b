#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016 # what stands in single quotes is for other shells, or Markdown
# `make compare-sandboxes`: the probes of probes.table in other sandboxes, as an ordinary user starts
# them, beside kmodbox's: what each lets through, as docs/sandbox-comparison.md. No suite: nothing here
# passes or fails. What is not installed is left out, and the table says so. Started by root it does
# all as somebody who is in no account.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

probe=$build/tests/hostile/probe
here=$top/tests/hostile
result=$top/docs/sandbox-comparison.md
[ "$(uname -m)" = x86_64 ] || die "the probes know the system calls of x86_64"
for needed in "$kmodbox" "$probe"; do
	[ -x "$needed" ] || die "$needed is not built; run: make compare-sandboxes"
done

work=$(mktemp -d)
tag=kb$$.
listener=
clean_up() {
	[ -z "$listener" ] || end_job "$listener"
	rm -rf "$work"
}
trap clean_up EXIT
as_user=()
if [ "$(id -u)" -eq 0 ]; then
	user=64101
	while getent passwd "$user" >/dev/null; do user=$((user + 1)); done
	as_user=(setpriv "--reuid=$user" "--regid=$user" --clear-groups --inh-caps=-all --)
fi
mkdir -p "$work"/{scratch,shown,bundle/rootfs/{usr,proc,dev,sys,tmp,etc,shown}}
cp -R "$build/bin" "$probe" "$work/"
probe=$work/probe kmodbox=$work/bin/kmodbox shown=$work/shown scratch=$work/scratch
echo shown >"$shown/file"
echo secret >"$work/canary"
ln -s usr/bin usr/sbin usr/lib usr/lib64 "$work/bundle/rootfs/"
chmod -R u+rwX,go+rX "$work"
chmod 0600 "$work/canary"
[ ${#as_user[@]} -eq 0 ] || chown -R "$user:$user" "$work"
if ! "${as_user[@]}" test -x "$kmodbox"; then
	die "uid $user cannot reach ${work%/*}: set TMPDIR"
fi
"${as_user[@]}" "$probe" outside "$scratch" "$shown" listen "$tag" >"$work/port" &
listener=$!
for ((try = 0; try < 200; try++)); do
	[ ! -s "$work/port" ] || break
	sleep 0.05
done
port=$(cat "$work/port")

# --- The sandboxes -----------------------------------------------------------------------------------

# As little of a root as kmodbox gives, so that what is compared is the walls.
root=(--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64
	--proc /proc --dev /dev --tmpfs /tmp --ro-bind "$probe" "$probe" --ro-bind "$shown" "$shown")
in_nothing() { run "$probe" outside "$scratch" "$shown" "$@"; }
in_unshare() {
	run unshare --user --map-root-user --mount --pid --fork --mount-proc --net --ipc --uts --cgroup -- \
		"$probe" inside "$scratch" "$shown" "$@"
}
in_bwrap() { run bwrap --unshare-all "${root[@]}" -- "$probe" inside /tmp "$shown" "$@"; }
in_bwrap_hardened() {
	run bwrap --unshare-all --unshare-user --new-session --disable-userns --clearenv --cap-drop ALL \
		--die-with-parent "${root[@]}" -- "$probe" inside /tmp "$shown" "$@"
}
# crun wants the second version of control groups alone; a private mount namespace shows it that.
in_crun() {
	perl -MJSON::PP -e 'local $/; my ($probe, $shown, @arguments) = @ARGV; my $c = decode_json(<STDIN>);
		$c->{process}{terminal} = JSON::PP::false;
		$c->{process}{args} = ["/probe", "inside", "/tmp", "/shown", @arguments];
		$c->{process}{rlimits} = [];
		$c->{root} = { path => "rootfs", readonly => JSON::PP::true };
		push @{$c->{mounts}}, map { { destination => $_->[0], source => $_->[1], type => "bind",
			options => ["rbind", "ro", "nosuid", "nodev"] } }
			["/usr", "/usr"], ["/shown", $shown], ["/probe", $probe];
		push @{$c->{mounts}}, { destination => "/tmp", type => "tmpfs", source => "tmpfs", options => ["nosuid", "nodev"] };
		print encode_json($c)' "$probe" "$shown" "$@" <"$work/bundle/spec.json" >"$work/bundle/config.json"
	run unshare --user --map-root-user --mount --cgroup -- sh -c 'umount -l /sys/fs/cgroup 2>/dev/null
		mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd "$1" && XDG_RUNTIME_DIR=$1 exec crun --cgroup-manager=disabled run probe' \
		sh "$work/bundle"
}
in_kmodbox() { run "$kmodbox" sandbox --ro "$probe" --ro "$shown" -- "$probe" inside /tmp "$shown" "$@"; }
# With what a careless caller leaks, see escape.sh.
run() {
	(cd "$scratch" && KMODBOX_TEST_SECRET=secret exec timeout 30 "${as_user[@]}" "$@") \
		8</ 9<"$work/canary" </dev/null 2>>"$work/errors" | tail -n 1 || true
}

columns=(nothing) titles=("no sandbox") missing=() versions=()
# column FUNCTION TITLE PROGRAM
column() {
	if ! command -v "$3" >/dev/null 2>&1; then
		missing+=("$2: $3 is not installed")
		return
	fi
	: >"$work/errors"
	if [ "$("in_$1" fork)" != ALLOWED ]; then
		missing+=("$2: does not run here: $(tail -n 1 "$work/errors" | tr -d '|' | cut -c 1-200)")
		return
	fi
	columns+=("$1")
	titles+=("$2")
	versions+=("$2: \`$("$3" --version | head -n 1)\`")
}
if command -v crun >/dev/null 2>&1; then
	(cd "$work/bundle" && "${as_user[@]}" crun spec --rootless && mv config.json spec.json)
	touch "$work/bundle/rootfs/probe"
	[ ${#as_user[@]} -eq 0 ] || chown "$user" "$work/bundle/rootfs/probe"
fi
column unshare "unshare" unshare
column bwrap "bubblewrap" bwrap
column bwrap_hardened "bubblewrap, hardened" bwrap
column crun "crun, rootless" crun
column kmodbox "kmodbox" "$kmodbox"
[ "${columns[-1]}" = kmodbox ] || die "${missing[-1]}"

# --- The table ---------------------------------------------------------------------------------------

declare -A through=()
rows=() refused_by_all=() tried=0
while IFS=$'\t' read -r -u 3 numbers name _ wall argument; do
	[[ $numbers && $numbers != \#* && $wall != - ]] || continue
	case $argument in
	port) argument=$port ;;
	tag) argument=$tag ;;
	listener) argument=$listener ;;
	canary) argument=$work/canary ;;
	esac
	[ "$name" != setuid-program ] || continue
	tried=$((tried + 1))
	row="| $numbers | $name" any=no
	for column in "${columns[@]}"; do
		answer=$("in_$column" "$name" "$argument")
		case $answer in
		ALLOWED)
			through[$column]=$((${through[$column]:-0} + 1))
			row+=" | **through**"
			[ "$column" = nothing ] || any=yes
			;;
		"REFUSED "* | "KILLED "*) row+=" | ${answer#REFUSED }" ;;
		NOEFFECT) row+=" | no effect" ;;
		*) row+=" | ?" ;;
		esac
	done
	if [ "$any" = yes ]; then
		rows+=("$row |")
	else
		refused_by_all+=("$name")
	fi
done 3<"$here/probes.table"

{
	cat <<-'END'
		# What sandboxes let through

		Made by `make compare-sandboxes` (tests/hostile/compare.sh): the probes of tests/hostile/probes.table,
		each a program of its own in a fresh sandbox, started by an ordinary user without a terminal. All but
		unshare get the same root: /usr read-only, a private /tmp, and two read-only mounts. "through" says
		that the kernel did it, or would have with other arguments, not that it is an escape by itself: each is
		a thing that no build needs and that some attack began with. What this kernel cannot do at all, and
		what needs a terminal, counts as refused, for all.

	END
	say "bubblewrap takes a system call filter from its caller and crun from its configuration; neither has"
	say "one of its own, so none is used."
	say
	say "Linux $(uname -r | sed 's/-.*//')."
	printf -- '%s.\n' "${versions[@]}"
	[ ${#missing[@]} -eq 0 ] || printf 'Left out: %s.\n' "${missing[@]}"
	say
	printf '| number | probe'
	printf ' | %s' "${titles[@]}"
	say ' |'
	printf -- '|---|---%.0s' x
	printf -- '|---%.0s' "${titles[@]}"
	say '|'
	printf '| | **let through, of %s**' "$tried"
	for column in "${columns[@]}"; do printf ' | **%s**' "${through[$column]:-0}"; done
	say ' |'
	printf '%s\n' "${rows[@]}"
	say
	say "Refused by every sandbox here, or not to be had on this host: ${refused_by_all[*]}." | fold -s -w 100 | sed 's/ $//'
	say
	say '## How they were started'
	say
	say '```'
	say 'unshare --user --map-root-user --mount --pid --fork --mount-proc --net --ipc --uts --cgroup'
	say 'bwrap --unshare-all --ro-bind /usr /usr --proc /proc --dev /dev --tmpfs /tmp ...'
	say 'bwrap --unshare-all --unshare-user --new-session --disable-userns --clearenv --cap-drop ALL --die-with-parent ...'
	say 'crun --cgroup-manager=disabled run     # config.json of `crun spec --rootless`, read-only root'
	say 'kmodbox sandbox --ro ...'
	say '```'
} >"$work/comparison.md"
cat "$work/comparison.md" >"$result"
say "$result: $tried probes in ${#columns[@]} places"

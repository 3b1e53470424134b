#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hosts that restrict what a sandbox is made of: containers, chroots, service managers, sysctls, each
# for real as far as this machine can do it. On every one kmodbox either works, and doctor names the
# layer that is absent, or it ends with 30 and one line that says what gives it; nothing ever runs
# unsandboxed. As root all of it twice: as root and as an ordinary user, who alone runs his part.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

deny=$build/tests/hosts/deny
if [ ! -x "$kmodbox" ] || [ ! -x "$deny" ]; then
	die "$kmodbox and $deny are not built; run: make test-hosts"
fi

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
who=user become=()
work=$(mktemp -d)
chmod 0711 "$work"
mkdir -m 0777 "$work/open"
trap 'rm -rf "$work"' EXIT

# Who runs what follows: as root both, one after the other.
be() {
	who=$1 become=()
	[ "$who" = root ] || become=("${nobody[@]}")
	[ "$(id -u)" -eq 0 ] || become=(setpriv --inh-caps=-all --ambient-caps=-all)
}
is_root() { [ "$who" = root ]; }

# What an unsandboxed command would do. A sandbox does not show the directory.
escape=(/bin/sh -c "echo out >$work/open/escaped")
escaped() { [ -e "$work/open/escaped" ]; }

# What the lack of a writable, unmasked /proc costs, in the order of doctor.
masked_layers="no nested user namespaces|limits of all processes|own /proc"

# on HOST... :: ARGUMENT...: kmodbox there. Its code, $work/out and $work/err.
on() {
	local host=() program=$kmodbox
	while [ "$1" != :: ]; do
		host+=("$1")
		shift
	done
	shift
	code=0
	[ "$1" = sandbox ] || program=${launcher:-$kmodbox}
	"${host[@]}" "${become[@]}" "$program" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
show_error() { sed 's/^/        /' "$work/err" | head -n 5 | cut -c 1-400 | cat -v; }

# works NAME ABSENT HOST...: a command runs, in a sandbox that lacks these layers ("a|b") and no other
works() {
	local name="$who: $1" expected=$2 absent
	shift 2
	on "$@" :: sandbox -- /bin/sh -c "echo inside"
	if [ "$code" -ne 0 ] || [ "$(cat "$work/out")" != inside ]; then
		fail "$name: a command in the sandbox ended with $code"
		show_error
		return
	fi
	on "$@" :: sandbox -- "${escape[@]}"
	if escaped; then
		fail "$name: a command came out of its sandbox"
		return
	fi
	on "$@" :: doctor
	# Whether refused calls can be seen is a matter of records; cgroups are the machine's, not the host's
	# that is made here.
	absent=$(sed -nE 's/^  absent  ([^ ]+( [^ ]+)*)  .*/\1/p' "$work/out" |
		{ grep -vxE 'refused calls are seen|cgroup' || true; } | paste -sd '|')
	if [ "$code" -ne 0 ] || [ -s "$work/err" ] || [ "$absent" != "$expected" ]; then
		fail "$name: doctor ended with $code, absent '$absent', not '$expected'"
		show_error
		return
	fi
	pass "$name${expected:+, without $expected}"
}

# names_remedy NAME LAYER WORDS: of a layer that doctor has just shown as absent
names_remedy() {
	if grep -E "^  absent  $2 " "$work/out" | grep -F -- "$3" >/dev/null; then
		pass "$who: $1: doctor says that $3 gives '$2'"
	else
		fail "$who: $1: doctor does not say that $3 gives '$2'"
	fi
}

# builds NAME LAYER HOST...: a build there works, and its record says that this layer, if any, was absent
builds() {
	local name=$1 layer=$2 world=$work/open/world headers=$kernels/6.1 record release
	shift 2
	if [ ! -d "$headers" ]; then
		skip "$who: $name: a build: no kernel headers below $kernels (make kernels)"
		return
	fi
	release=$(kernel_release "$headers")
	mkdir -m 0777 "$world" "$world/dkms" "$world/src" "$world/modules"
	cp -R "$top/tests/demo/demo-v0.1" "$world/src/demo-0.1"
	on "$@" :: build demo/0.1 -k "$release" --kernel-root "$headers" \
		--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules" \
		--statedir "$world/state" --dkmsconfig "$work/none" --configdir "$work/none"
	record=$world/dkms/demo/0.1/$release/x86_64/build.json
	if [ "$code" -ne 0 ]; then
		fail "$who: $name: a build ended with $code"
		show_error
	elif [ -z "$layer" ]; then
		pass "$who: $name: a build works"
	elif tr -d '\n' <"$record" | tr '}' '\n' | grep -F "\"name\": \"$layer\"" |
		grep -F '"active": false' >/dev/null; then
		pass "$who: $name: a build works, and its record says that '$layer' is absent"
	else
		fail "$who: $name: the record of a build does not say that '$layer' is absent"
	fi
	rm -rf "$world"
}

# refused WORDS: how kmodbox has just ended
refused() {
	[ "$code" -eq 30 ] && [ "$(wc -l <"$work/err")" -eq 1 ] &&
		grep -E '^kmodbox: ' "$work/err" | grep -F -- "$1" >/dev/null && ! escaped
}
# runs_alone NAME HOST...: one command in a sandbox of its own, which needs less than builds
runs_alone() {
	local name="$who: $1"
	shift
	on "$@" :: sandbox -- /bin/sh -c "echo inside"
	if [ "$code" -eq 0 ] && [ "$(cat "$work/out")" = inside ]; then
		pass "$name: one command runs"
	else
		fail "$name: one command ended with $code"
		show_error
	fi
}
# refuses_command NAME WORDS HOST...: the verb that runs a command
refuses_command() {
	local name=$1 words=$2
	shift 2
	on "$@" :: sandbox -- "${escape[@]}"
	if refused "$words"; then
		return 0
	fi
	fail "$name: sandbox ended with $code, not with 30 and one line with '$words'"
	show_error
	return 1
}
# refuses NAME WORDS HOST...: all of them
refuses() {
	local name="$who: $1" words=$2
	shift 2
	! refuses_command "$name" "$words" "$@" || refuses_builds "$name" "$words" "$@"
}
# refuses_builds NAME WORDS HOST...: doctor, and a verb that reads a module's files
refuses_builds() {
	local name=$1 words=$2 state=$work/open/state
	shift 2
	on "$@" :: doctor --json
	if ! refused "$words" || ! grep -F '"can_build": false' "$work/out" >/dev/null ||
		! grep -F -- "$words" "$work/out" >/dev/null; then
		fail "$name: doctor ended with $code, not with 30 and one line with '$words'"
		show_error
		return
	fi
	mkdir -m 0777 "$state"
	on "$@" :: add "$top/tests/demo/demo-v0.1" --dkmstree "$state/dkms" --sourcetree "$state/src" \
		--installtree "$state/modules" --statedir "$state/state" --dkmsconfig "$work/none" \
		--configdir "$work/none"
	if ! refused "$words" || [ -e "$state/dkms/demo" ]; then
		fail "$name: add ended with $code, not with 30 and one line with '$words'"
		show_error
	else
		pass "$name: $(sed -E 's/^[^;]*; //' "$work/err")"
	fi
	rm -rf "$state"
}

# --- Hosts ------------------------------------------------------------------------------------------

# with_mounts SCRIPT COMMAND...: where mounts are as the script has made them. For an ordinary user in
# a user namespace of his own, in which he is no root, but keeps what mounts need until kmodbox starts.
with_mounts() {
	local script=$1
	shift
	if [ "$(id -u)" -eq 0 ]; then
		unshare --mount /bin/sh -ec "$script"$'\nexec "$@"' sh "$@"
	else
		unshare --user --map-user=65534 --map-group=65534 --keep-caps --mount \
			/bin/sh -ec "$script"$'\nexec "$@"' sh "$@"
	fi
}
# with_limit SYSCTL COMMAND...: where it is 0, in a user namespace of its own: not the machine's. It has
# all uids of root, or the one of an ordinary user.
with_limit() {
	local script="echo 0 >/proc/sys/user/$1"$'\nexec "$@"' child
	shift
	if [ "$(id -u)" -ne 0 ]; then
		unshare --map-current-user --keep-caps /bin/sh -ec "$script" sh "$@"
		return
	fi
	mkfifo "$work/mapped"
	# Root of it is who starts a program as its uid 0: the second shell.
	unshare --user /bin/sh -ec "read -r line <$work/mapped"$'\nexec "$@"' sh /bin/sh -ec "$script" sh "$@" &
	child=$!
	# It is another namespace's only when unshare has made it.
	while kill -0 "$child" && [ "$(readlink /proc/self/ns/user)" = "$(readlink "/proc/$child/ns/user")" ]; do
		sleep 0.01
	done
	echo 0 0 4294967295 >"/proc/$child/uid_map" || kill "$child"
	echo 0 0 4294967295 >"/proc/$child/gid_map" || kill "$child"
	echo >"$work/mapped"
	rm "$work/mapped"
	wait "$child"
}
# can NAME WHAT COMMAND...: skips what this machine cannot be made into
can() {
	local name=$1 reason=$2
	shift 2
	"$@" true >"$work/out" 2>&1 </dev/null && return 0
	skip "$who: $name: $reason"
	return 1
}

check_plain() {
	works "this machine" ""
	works "no_new_privs" "" setpriv --no-new-privs
	if "${become[@]}" "${escape[@]}" && escaped; then
		pass "$who: outside of a sandbox the same command does what none may do"
	else
		fail "$who: the command that is to come out does nothing outside either"
	fi
	rm -f "$work/open/escaped"
}

check_mounts() {
	local masked='mount --bind /dev/null /proc/version' root=$work/root
	local read_only='mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys'
	if ! can "mounts over /proc, a chroot" "mounts of one's own cannot be made" with_mounts :; then
		return
	fi
	works "parts of /proc are hidden" "limits of all processes|own /proc" with_mounts "$masked"
	works "/proc/sys is read-only" "$masked_layers" with_mounts "$read_only"
	names_remedy "/proc/sys is read-only" "no nested user namespaces" "mount -o remount,bind,rw /proc/sys"
	builds "/proc/sys is read-only" "no nested user namespaces" with_mounts "$read_only"
	# Where programs lie in a build tree only /proc tells; what is installed has its place.
	launcher=$kmodbox-launcher refuses "no /proc" "no /proc is mounted here" \
		with_mounts "umount -l /proc 2>/dev/null || mount -t tmpfs none /proc"
	if [ -d /sys/fs/cgroup ]; then
		works "cgroups are read-only" "" with_mounts "mount --rbind /sys/fs/cgroup /sys/fs/cgroup
			mount -o remount,bind,ro /sys/fs/cgroup"
	else
		skip "$who: cgroups are read-only: no /sys/fs/cgroup here"
	fi
	# A tree of its own that is not mounted itself, and one that is, as schroot makes them.
	mkdir -p "$root"
	refuses "a chroot" "this is a chroot" with_mounts "mount -t tmpfs none $root
		mkdir $root/top; cd $root/top
		for name in bin sbin lib lib32 lib64; do [ ! -e /\$name ] || cp -P /\$name . 2>/dev/null ||
			{ mkdir \$name; mount --rbind /\$name \$name; }; done
		for name in usr etc dev proc run $work $top $build; do
			[ \$name != $work ] || continue
			mkdir -p ./\$name; mount --rbind /\$name ./\$name; done
		mkdir -p ./$work/open; mount --bind $work/open ./$work/open" chroot "$root/top"
	refuses "a chroot to a mount" "a chroot" with_mounts "mount --rbind / $root" chroot "$root"
	# Whose processes are the last of the namespace that root's kmodbox leaves.
	mkdir -p "$work/programs"
	kmodbox=$work/programs/bin/kmodbox builds "programs on a mount of their own" "" \
		with_mounts "mount --bind $build $work/programs"
	if is_root; then
		# Only what shows the trees of the host needs it.
		with_mounts 'mount -t tmpfs -o ro none /run' "$kmodbox" doctor >"$work/out" 2>"$work/err" && code=0 || code=$?
		if refused "--tmpfs /run"; then
			pass "$who: /run is read-only: $(cat "$work/err")"
		else
			fail "$who: /run is read-only: $code"
			show_error
		fi
	fi
}

check_limits() {
	local kind
	if ! can "limits of namespaces" "no user namespace can be made here" with_limit max_time_namespaces; then
		return
	fi
	refuses "no user namespaces" "sysctl user.max_user_namespaces is 0" with_limit max_user_namespaces
	for kind in mnt pid net ipc uts cgroup; do
		# Root's own mounts need the first even before.
		refuses "no $kind namespaces" "sysctl user.max_${kind}_namespaces is 0" with_limit "max_${kind}_namespaces"
	done
}

check_filters() {
	local error call words="the seccomp filter of what started kmodbox refuses it"
	for error in EPERM ENOSYS; do
		for call in namespaces mounts mount-api docker sethostname close_range seccomp \
			mount_setattr; do
			refuses "$call filtered by $error" "$words" "$deny" "$error" "$call" --
		done
		runs_alone "pidfd_open filtered by $error" "$deny" "$error" pidfd_open --
		refuses_builds "$who: pidfd_open filtered by $error" "$words" "$deny" "$error" pidfd_open --
		works "clone3 filtered by $error" "" "$deny" "$error" clone3 --
		works "landlock filtered by $error" landlock "$deny" "$error" landlock --
	done
	# As systemd's SystemCallFilter= does: whoever asks is dead, and somebody else has to say so.
	for call in namespaces mount sethostname close_range seccomp mount_setattr landlock docker; do
		refuses "$call is killed for" "a system call filter of this host kills" "$deny" KILL "$call" --
	done
	refuses_command "$who: pidfd_open is killed for" "pidfd_open: a system call filter of this host kills" \
		"$deny" KILL pidfd_open -- && pass "$who: pidfd_open is killed for"
	refuses_builds "$who: pidfd_open is killed for" "a system call filter of this host kills" \
		"$deny" KILL pidfd_open --
	refuses_builds "$who: openat2 is killed for" "a system call filter of this host kills" \
		"$deny" KILL openat2 --
}

check_root() {
	is_root || return 0
	runs_alone "root without CAP_SYS_ADMIN" setpriv --bounding-set -sys_admin
	refuses_builds "root: root without CAP_SYS_ADMIN" "root has no CAP_SYS_ADMIN here" setpriv --bounding-set -sys_admin
	works "root without CAP_SYS_PTRACE" "" setpriv --bounding-set -sys_ptrace
	works "a pid namespace" "" unshare --fork --pid --mount-proc
	refuses "root with one uid" "only some uids are mapped" unshare --user --map-root-user
}

# Sysctls of the whole machine: not ours to change.
check_sysctls() {
	local file=/proc/sys/kernel/unprivileged_userns_clone
	if [ "$(cat "$file" 2>/dev/null || true)" = 0 ]; then
		if is_root; then works "${file##*/}=0" ""; else refuses "${file##*/}=0" "kernel.${file##*/}=1"; fi
	else
		skip "$who: ${file##*/}=0: $([ -e "$file" ] && echo "it is 1 on this machine" ||
			echo "this kernel has no such sysctl") (tests/unit/test_remedy.c has it recorded)"
	fi
	file=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
	if [ "$(cat "$file" 2>/dev/null || true)" = 1 ]; then
		if is_root; then works "${file##*/}=1" ""; else refuses "${file##*/}=1" "apparmor_parser -r"; fi
	else
		skip "$who: ${file##*/}=1: $([ -e "$file" ] && echo "it is 0 on this machine" ||
			echo "this kernel has no such sysctl") (tests/unit/test_remedy.c has it recorded)"
	fi
}

check_bubblewrap() {
	local bwrap=(bwrap --unshare-user --unshare-pid --unshare-net --dev-bind / / --proc /proc)
	if is_root; then
		return
	elif ! command -v bwrap >/dev/null; then
		skip "$who: inside bubblewrap: it is not installed"
	elif can "inside bubblewrap" "it does not run here" "${become[@]}" "${bwrap[@]}"; then
		# It has to become the user before, so there is nobody to become any more.
		bwrap=("${become[@]}" "${bwrap[@]}")
		become=()
		works "inside bubblewrap" "" "${bwrap[@]}"
		be user
	fi
}

# --- Containers -------------------------------------------------------------------------------------

# A container of the host's own tree, of which nothing that is written stays.
podman_prepare='mount -t tmpfs none WORK; cd WORK; mkdir upper work root store run tmp
	mount -t overlay none -o lowerdir=/,upperdir=upper,workdir=work root
	mkdir -p root/TOP root/BUILD; mount --bind TOP root/TOP; mount --bind BUILD root/BUILD
	while umount -l /sys/fs/cgroup 2>/dev/null; do :; done
	mount -t cgroup2 none /sys/fs/cgroup'
# podman OPTION... -- COMMAND...
podman_run() {
	local options=() script=$podman_prepare
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	script=${script//WORK/$work/podman} script=${script//TOP/$top}
	script=${script//BUILD/$build}
	mkdir -p "$work/podman"
	with_mounts "$script" podman --root "$work/podman/store" --runroot "$work/podman/run" \
		--tmpdir "$work/podman/tmp" --cgroup-manager=cgroupfs --runtime=crun --events-backend=none \
		run --rm --cgroups=disabled --network=none --ulimit=nofile=1024:1024 --ulimit=nproc=1000:1000 \
		"${options[@]}" --rootfs "$work/podman/root" "$@"
}

check_podman() {
	local rules=/usr/share/containers/seccomp.json rule=$top/packaging/containers/seccomp-rule.json
	if ! is_root; then
		return
	elif ! command -v podman >/dev/null || ! command -v crun >/dev/null; then
		skip "containers of podman: podman or crun is not installed"
		return
	elif ! podman_run -- true >"$work/out" 2>&1 </dev/null; then
		skip "containers of podman: they do not run here: $(tail -n 1 "$work/out")"
		return
	fi
	who="podman, root"
	# What one command needs, the filter alone refuses.
	refuses_command "$who: default" "podman run --security-opt seccomp=unconfined" podman_run -- || :
	refuses_builds "$who: default" \
		"run kmodbox as an ordinary user, or podman run --cap-add SYS_ADMIN" podman_run --
	works "--cap-add SYS_ADMIN" "$masked_layers" podman_run --cap-add SYS_ADMIN --
	names_remedy "--cap-add SYS_ADMIN" "no nested user namespaces" "podman run --security-opt unmask=ALL"
	works "--cap-add SYS_ADMIN --security-opt unmask=ALL" "" \
		podman_run --cap-add SYS_ADMIN --security-opt unmask=ALL --
	works "--privileged" "" podman_run --privileged --
	who="podman, user"
	refuses "default" "podman run --security-opt seccomp=unconfined" podman_run --user 1000 --
	refuses "--security-opt unmask=ALL" "podman run --security-opt seccomp=unconfined" \
		podman_run --user 1000 --security-opt unmask=ALL --
	works "--security-opt seccomp=unconfined" "$masked_layers" \
		podman_run --user 1000 --security-opt seccomp=unconfined --
	works "--security-opt seccomp=unconfined --security-opt unmask=ALL" "" \
		podman_run --user 1000 --security-opt seccomp=unconfined --security-opt unmask=ALL --
	if [ ! -e "$rules" ] || ! command -v jq >/dev/null; then
		skip "$who: podman's profile with our rule: $rules or jq is missing"
	else
		jq --slurpfile rule "$rule" '.syscalls |= map(.names -= $rule[0].names | select(.names != []))
			| .syscalls += $rule' "$rules" >"$work/open/rules.json"
		works "its own profile with packaging/containers/seccomp-rule.json" "" podman_run --user 1000 \
			--security-opt "seccomp=$work/open/rules.json" --security-opt unmask=ALL --
		rm "$work/open/rules.json"
	fi
}

check_all() {
	be "$1"
	check_plain
	check_sysctls
	check_mounts
	check_limits
	check_filters
	check_root
	check_bubblewrap
}

if [ "$(id -u)" -eq 0 ]; then
	check_all root
	check_podman
fi
if [ "$(id -u)" -ne 0 ] && ! unshare --user true 2>/dev/null; then
	skip "an ordinary user: this machine lets none make a user namespace"
else
	check_all user
fi
close_suite

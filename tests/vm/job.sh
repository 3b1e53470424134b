#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the test bed alone (tests/vm/bed.sh), as its root: the limits of cgroups of version 2, sandboxes
# where unprivileged user namespaces are forbidden, and modules installed into the machine's own
# /lib/modules, loaded by its kernel. Its argument is the archive of what is root's there.
# Last line: N passed, N failed, N skipped.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

[ "$(stat -f -c %T /)" = overlayfs ] || die "this is for the test bed alone: make test-vm"
cd "$top"
release=$(uname -r)
work=$(mktemp -d)
chmod 0755 "$work"
for controller in cpu memory pids; do
	say "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
tar -C / --keep-directory-symlink -xf "$1"
PATH=/opt/kmodbox:$PATH
# As the package of a kernel does it.
depmod "$release"

# ends CODE WHAT PATTERN COMMAND...
ends() {
	local code=$1 what=$2 pattern=$3 status=0
	shift 3
	"$@" </dev/null >"$work/said" 2>&1 || status=$?
	if [ "$status" -eq "$code" ] && grep -qE -- "$pattern" "$work/said"; then
		pass "$what"
	else
		fail "$what: ended with $status, not $code, or without '$pattern':"
		tail -n 5 "$work/said" | cut -c 1-200 | sed 's/^/        /'
	fi
}

# ---- cgroups of version 2

all_pass() { "$build/tests/$1" 2>&1 | tee "$work/unit" && ! grep -F 'SKIPPED' "$work/unit"; }
ends 0 "test_sandbox_cgroup, nothing skipped" 'PASSED  \] [1-9]' all_pass test_sandbox_cgroup
ends 0 "test_cgroup_delegation, nothing skipped" 'PASSED  \] [1-9]' all_pass test_cgroup_delegation

# ---- An installation, and its modules loaded

in_kernel() { grep "^$1 .* Live " /proc/modules; }
alias_unknown() { ! modprobe bed:of-real-hardware; }
load_again() { insmod "$1" && in_kernel acpi_call && rmmod acpi_call && ! in_kernel acpi_call; }
load_by_alias() { modprobe bed:of-real-hardware && in_kernel bedded; }
load_by_name() { modprobe acpi_call && in_kernel acpi_call; }

ends 0 "before, nothing has that alias" 'not found' alias_unknown
for archive in /opt/archives/*; do
	ends 0 "$(basename "$archive") is taken in" . kmodbox ldtarball "$archive"
done
sysctl -q -w kernel.unprivileged_userns_clone=0
ends 0 "a driver is installed, where unprivileged user namespaces are forbidden" 'Installed acpi-call/1.2.2 .*index made anew' kmodbox install acpi-call/1.2.2
ends 0 "another, for its alias" 'Installed bedded/1' kmodbox install bedded/1
ends 0 "insmod and rmmod" '^acpi_call .* Live' load_again "$(find "/lib/modules/$release/updates/" -name 'acpi_call.ko*')"
ends 0 "modprobe by name" '^acpi_call .* Live' load_by_name
ends 0 "modprobe by alias" '^bedded .* Live' load_by_alias

# ---- Unprivileged user namespaces

as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent "$@"; }
ends 0 "as root a sandbox is made with kernel.unprivileged_userns_clone=0" 'inside' kmodbox sandbox -- /bin/echo inside
ends 30 "as a user it is refused, with the remedy" "unprivileged_userns_clone is 0: start kmodbox as root, or set it by 'sysctl -w" \
	as_user kmodbox sandbox -- /bin/echo inside
sysctl -q -w kernel.unprivileged_userns_clone=1
ends 0 "as a user it is made with 1" 'inside' as_user kmodbox sandbox -- /bin/echo inside

# ---- A build's memory, held by memory.max

mkdir -p /usr/src/eater-1 /etc/kmodbox/modules.d
say 'obj-m := eater.o' >/usr/src/eater-1/Makefile
printf '%s\n' PACKAGE_NAME=eater PACKAGE_VERSION=1 'BUILT_MODULE_NAME[0]=eater' 'DEST_MODULE_LOCATION[0]=/extra' \
	"MAKE[0]=\"perl -e 'print length(chr(97) x 200e6)'\"" >/usr/src/eater-1/dkms.conf
eaten() { kmodbox build eater/1 || { local status=$?; cat /var/lib/dkms/eater/1/build/failure.json; return "$status"; }; }
kills() { sed -n 's/^oom_kill //p' /proc/vmstat; }
printf '[limits]\ntotal_memory = 1G\n' >/etc/kmodbox/modules.d/eater.conf
ends 7 "a build that eats 200 MB may, of 1 GiB" 'eater' eaten
before=$(kills)
printf '[limits]\ntotal_memory = 128M\n' >/etc/kmodbox/modules.d/eater.conf
ends 31 "of 128 MiB it is stopped, and told so" 'MAKE hit a limit: memory of all processes \(128 MiB\)' eaten
if [ "$(kills)" -gt "$before" ] && grep -q 'the kernel holds memory and processes of all together, exactly' "$work/said"; then
	pass "it was the kernel that stopped it, by memory.max"
else
	fail "memory.max: $before kills before, $(kills) after"
fi
close_suite

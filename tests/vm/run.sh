#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `kmodbox boot-test` on real kernels: drivers that load, one of them behind others of the kernel's, and
# modules that go wrong in every way that a boot can tell, each in a virtual machine of its own; an
# installation that demands it; then what a kernel that wants signatures says,
# by the command line and by UEFI Secure Boot. Between them the test bed (bed.sh).
# Last line: N passed, N failed, N skipped.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

# shellcheck source=tests/vm/bed.sh
. "$(dirname "$0")/bed.sh"

boot=$build/tests/oracle/boot guest=$build/bin/kmodbox-guest
images=$(dirname "$kernels")/images
if ! command -v qemu-system-x86_64 >/dev/null 2>&1; then
	skip "boots: qemu-system-x86_64 is not there (packaging/deps.sh --vm)"
	close_suite
	exit
fi
if [ ! -x "$boot" ] || [ ! -x "$kmodbox" ]; then
	die "$boot and $kmodbox are not built; run: make test-vm"
fi
if [ ! -d "$images/6.1" ] || [ ! -d "$images/6.12" ]; then
	"$top/tests/lib/kernels.sh" --images
fi

work=$(mktemp -d)
chmod 0711 "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{dkms,src,tree,conf/modules.d}

# use KERNEL
use() {
	name=$1 root=$images/$1
	release=$(basename "$root"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	mkdir -p "$work/tree/$release"
	touch "$work/tree/$release"/modules.{order,builtin}
}

# kb VERB ARGUMENT...: for that kernel, in a little world of its own.
kb() {
	local verb=$1
	shift
	"$kmodbox" "$verb" "$@" -k "$release" --dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/tree" \
		--statedir "$work/state" --configdir "$work/conf" --dkmsconfig "$work/none" --kernel-root "$root"
}

# package NAME [DIRECTIVE...]: a module whose C text, behind the includes, is standard input.
package() {
	local module=$1 directory=$work/src/$1-1
	shift
	mkdir -p "$directory"
	{
		printf '#include <linux/%s.h>\n' delay module sched workqueue
		cat
		printf 'MODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("test");\n'
	} >"$directory/$module.c"
	say "obj-m := $module.o" >"$directory/Makefile"
	printf '%s\n' "PACKAGE_NAME=$module" PACKAGE_VERSION=1 "BUILT_MODULE_NAME[0]=$module" \
		'DEST_MODULE_LOCATION[0]=/extra' "$@" >"$directory/dkms.conf"
}

# init NAME BODY: a package whose init does this.
init() { package "$1" <<<"static int __init go(void) { $2 return 0; } static void __exit leave(void) {} module_init(go); module_exit(leave);"; }

# build MODULE/VERSION [SOURCE]
build() {
	[ -z "${2:-}" ] || [ -d "$work/src/$(basename "$2")" ] || cp -r "$2" "$work/src/"
	kb build "$1" >"$work/built" 2>&1 || {
		fail "$name: $1 is built: $(tail -n 1 "$work/built")"
		return 1
	}
}

# ends STATUS CODE WHAT PATTERN...: that it ended so, and that $work/said tells all of these.
ends() {
	local status=$1 code=$2 what=$3 pattern
	shift 3
	for pattern in "$@"; do
		if ! grep -qE -- "$pattern" "$work/said"; then
			fail "$name: $what: ended with $status, and does not tell $pattern:"
			tail -n 15 "$work/said" | cut -c 1-200 | sed 's/^/        /'
			return
		fi
	done
	if [ "$status" -eq "$code" ]; then
		pass "$name: $what"
	else
		fail "$name: $what: ended with $status, not $code: $(tail -n 1 "$work/said")"
	fi
}

# boots WHAT MODULE/VERSION CODE PATTERN...: boot-test ends with this code and tells all of these.
boots() {
	local what=$1 module=$2 code=$3 status=0
	shift 3
	kb boot-test "$module" >"$work/said" 2>&1 || status=$?
	ends "$status" "$code" "$what" "$@"
}

# ---- What loads

test_driver() {
	! build acpi-call/1.2.2 "$drivers/acpi-call/usr/src/acpi-call-1.2.2" ||
		boots "a driver is loaded" acpi-call/1.2.2 0 '^Booted kernel .* with acpi-call/1.2.2 in ' '^  acpi_call: loaded, unload done, taints OE' \
			"acpi-call/1.2.2 loads on $name"
}

test_result() {
	local status=0 pattern
	build v4l2loopback/0.12.7 "$drivers/v4l2loopback/usr/src/v4l2loopback-0.12.7" || return 0
	kb boot-test v4l2loopback/0.12.7 --json >"$work/said" 2>"$work/errors" || status=$?
	ends "$status" 0 "--json tells dependencies, log, taints and unloading" '"schema": "kmodbox-boot-test"' '"module": "videodev"' \
		'"text": "v4l2loopback driver version' '"unload": "done"' '"taints": "OE"' '"end": "done"' '"exit_code": 0'
}

test_dependency() {
	package giver <<<'int given(void); int given(void) { return 7; } EXPORT_SYMBOL_GPL(given); MODULE_ALIAS("vm-test-giver");'
	# shellcheck disable=SC2016 # its dkms.conf expands them
	package taker 'BUILD_DEPENDS[0]=giver' 'MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/taker/1/build KBUILD_EXTRA_SYMBOLS=${dkms_tree}/giver/1/${kernelver}/${arch}/module/Module.symvers"' \
		<<<'int given(void); static int __init go(void) { pr_info("taken %d\n", given()); return 0; } module_init(go);'
	if build giver/1 && kb install giver/1 >"$work/built" 2>&1 && build taker/1; then
		boots "a module of another build is loaded before" taker/1 0 'giver \(needed\): loaded' 'taken 7' 'unload (EBUSY|EWOULDBLOCK|EAGAIN|EINVAL)'
		kb unbuild giver/1 >"$work/built" 2>&1 || fail "$name: giver is taken down: $(tail -n 1 "$work/built")"
		boots "a dependency that is nowhere" taker/1 13 'taker depends on giver, which is neither' 'build the package that has it first'
	else
		fail "$name: giver is installed: $(tail -n 1 "$work/built")"
	fi
}

# ---- What goes wrong

test_trouble() {
	init oops '*(volatile int *)8 = 1;'
	init late 'static struct work_struct later; extern void late_run(struct work_struct *); INIT_WORK(&later, late_run); schedule_work(&later);'
	printf 'void late_run(struct work_struct *w);\nvoid late_run(struct work_struct *w) { *(volatile int *)8 = 1; }\n' >>"$work/src/late-1/late.c"
	init ruin 'panic("ruined by its test");'
	init sorry 'pr_warn("sorry: not today\n"); return -EPERM;'
	init nothing 'return -ENODEV;'
	init warner 'WARN_ON(1);'
	init sleeper 'for (;;) msleep(1000);'
	init flooder 'for (;;) printk(KERN_EMERG "flood of a thousand words");'
	! build sorry/1 || boots "an init that refuses" sorry/1 32 'refuses sorry: EPERM: sorry: not today'
	! build nothing/1 || boots "its hardware is not there" nothing/1 0 'nothing: no-device \(ENODEV\)' 'nothing/1 loads on'
	! build warner/1 || boots "the kernel complains" warner/1 36 'warner: loaded.*, warning' 'warner loads on kernel .*, and the kernel complains: WARNING: CPU'
	! build oops/1 || boots "an oops in init" oops/1 37 'oops: killed' 'kernel .* oopses when oops is loaded: BUG: kernel NULL pointer' 'taints DOE'
	! build late/1 || boots "an oops behind init" late/1 37 'late: loaded' 'late loads on kernel .*, and breaks it: BUG: kernel NULL pointer'
	! build ruin/1 || boots "a panic" ruin/1 37 'ruin: down' 'goes down when ruin is loaded: Kernel panic - not syncing: ruined by its test'
	! build sleeper/1 || boots "it does not come back" sleeper/1 37 'sleeper: stuck' 'init of sleeper does not come back'
	! build flooder/1 || boots "it floods the console" flooder/1 37 'writes without end when flooder is loaded'
}

# The machine of a boot test, by its parent; nothing where there is none.
machine_of() { pgrep -P "$1" -f '^qemu-system-x86_64'; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# test_walls: it takes a while, so its machine is looked at meanwhile; then another's parent is killed.
test_walls() {
	local parent machine shell status=0
	init busy 'preempt_disable(); for (;;) cpu_relax();'
	build busy/1 || return 0
	kb boot-test busy/1 >"$work/said" 2>&1 &
	shell=$!
	# A subshell runs kb; kmodbox is its child.
	wait_for pgrep -P "$shell" >/dev/null || true
	parent=$(pgrep -P "$shell" || say "$shell")
	if ! wait_for machine_of "$parent" >/dev/null; then
		fail "$name: no machine was seen: $(cat "$work/said")"
		return
	fi
	machine=$(machine_of "$parent")
	if [ "$(stat -c %u "/proc/$machine")" -ne 0 ] && grep -q '^CapEff:[[:space:]]*0*$' "/proc/$machine/status" &&
		wait_for grep -q '^Seccomp:[[:space:]]*2$' "/proc/$machine/status"; then
		pass "$name: QEMU is nobody's root, and filtered"
	else
		fail "$name: QEMU: $(grep -E '^(Uid|CapEff|Seccomp):' "/proc/$machine/status" | tr '\n\t' '  ')"
	fi
	wait "$shell" || status=$?
	ends "$status" 37 "an init that never ends" 'busy: stuck' 'init of busy does not come back'
	kb boot-test busy/1 >"$work/said" 2>&1 &
	shell=$!
	wait_for pgrep -P "$shell" >/dev/null || true
	parent=$(pgrep -P "$shell" || say "$shell")
	wait_for machine_of "$parent" >/dev/null || true
	machine=$(machine_of "$parent")
	kill -KILL "$parent"
	wait "$shell" 2>/dev/null || true
	if wait_for is_gone "$machine"; then
		pass "$name: QEMU dies with who started it"
	else
		fail "$name: QEMU outlived who started it"
		kill -KILL "$machine"
	fi
}

# ---- An installation that demands it

# installs WHAT MODULE CODE PATTERN...: install ends with this code, tells these, and, unless it is 0, installs nothing.
installs() {
	local what=$1 module=$2 code=$3 status=0 there=yes
	shift 3
	kb install "$module/1" >"$work/said" 2>&1 || status=$?
	[ -n "$(find "$work/tree" -name "$module.ko*")" ] || there=no
	if { [ "$code" -eq 0 ] && [ "$there" = no ]; } || { [ "$code" -ne 0 ] && [ "$there" = yes ]; }; then
		fail "$name: $what: ended with $status, and installed: $there; $(tail -n 2 "$work/said")"
	else
		ends "$status" "$code" "$what" "$@"
	fi
}

test_demand() {
	local module path=$PATH
	for module in oops calm; do
		printf '[install]\nboot_test = yes\n' >"$work/conf/modules.d/$module.conf"
	done
	init calm ''
	installs "what breaks the kernel is not installed where modules.d demands a boot test" oops 37 'oops/1 is not installed: modules.d demands a boot test'
	root=$kernels/$name
	installs "nor what cannot be booted: no image" calm 35 'calm/1 is not installed' "no image of kernel $release.*--kernel-root"
	root=$images/$name
	mkdir "$work/bin"
	find /usr/bin /bin /usr/sbin /sbin -maxdepth 1 ! -name 'qemu-system-*' -exec ln -sf -t "$work/bin" {} + 2>/dev/null || true
	PATH=$work/bin
	installs "nor what cannot be booted: no QEMU" calm 35 'calm/1 is not installed' 'qemu-system-x86_64 is not there: install qemu-system-x86'
	PATH=$path
	installs "what loads is installed then" calm 0 'calm: loaded, unload done' 'Installed calm/1'
	boots "what is not built" calm/2 3 'calm/2 is not built for kernel .*: build it first'
}

# ---- Signatures

# What Secure Boot's lockdown does to modules, without its keys: those of the kernel's own are let in.
test_signatures() {
	local own=$root/lib/modules/$release/kernel/drivers/net/dummy.ko built
	built=$(find "$work/dkms" -path "*/$release/*" -name acpi_call.ko)
	printf 'load %s\nload %s\n' dummy.ko acpi_call.ko >"$work/plan"
	"$boot" "$root/boot/vmlinuz-$release" "$guest" "$work/plan" module.sig_enforce=1 "$own" "$built" \
		>"$work/events" 2>"$work/console" || true
	if grep -q '^end 1 0 ' "$work/events" && grep -q '^end 2 129 ' "$work/events"; then
		pass "module.sig_enforce=1: the kernel's own is loaded, by a key it does not know EKEYREJECTED"
	else
		fail "module.sig_enforce=1: $(grep '^end' "$work/events" | tr '\n' ';')"
	fi
}

# By UEFI Secure Boot: signed by what is enrolled, then by a key that is not.
test_secure_boot() {
	local status=0 keys=$work/state/keys
	if [ ! -e /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ]; then
		skip "$name: --secure-boot: no firmware: ovmf is not there (packaging/deps.sh --vm)"
		return
	fi
	kb boot-test acpi-call/1.2.2 --secure-boot >"$work/said" 2>&1 || status=$?
	ends "$status" 0 "by Secure Boot, what the enrolled key has signed is loaded" '^  acpi_call: loaded, unload done, taints O$' 'acpi-call/1.2.2 loads on'
	mv "$keys/module.crt" "$work/module.crt"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=other -days 2 -outform DER -out "$keys/module.crt" 2>/dev/null
	status=0
	kb boot-test acpi-call/1.2.2 --secure-boot >"$work/said" 2>&1 || status=$?
	ends "$status" 32 "by Secure Boot, what another key has signed is refused" 'refuses acpi_call: EKEYREJECTED: Loading of module with unavailable key is rejected'
	rm "$keys/module.crt"
	status=0
	kb boot-test acpi-call/1.2.2 --secure-boot >"$work/said" 2>&1 || status=$?
	ends "$status" 3 "by Secure Boot, without a certificate" 'no certificate to enrol: .*/keys/module.crt'
	mv "$work/module.crt" "$keys/module.crt"
}

use 6.12
test_driver
test_bed
use 6.1
test_driver
test_result
test_dependency
test_trouble
test_walls
test_demand
test_signatures
test_secure_boot
close_suite

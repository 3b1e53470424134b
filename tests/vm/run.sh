#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `kmodbox boot-test` on real kernels: drivers that load, one of them behind others of the kernel's, and
# modules that go wrong in every way that a boot can tell; then what a kernel that wants signatures says.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

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
mkdir "$work"/{dkms,src,tree}
trap 'rm -rf "$work"' EXIT
trees=(--dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/tree" --statedir "$work/state"
	--configdir "$work/none" --dkmsconfig "$work/none")

on() { # KERNEL: root and release
	root=$images/$1
	release=$(basename "$root"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
}

# SOURCE MODULE/VERSION KERNEL
build() {
	on "$3"
	if ! "$kmodbox" status "$2" "${trees[@]}" | grep -q added; then
		"$kmodbox" add "$1" "${trees[@]}" >"$work/log" 2>&1 || true
	fi
	"$kmodbox" build "$2" -k "$release" --kernel-root "$root" "${trees[@]}" >>"$work/log" 2>&1 ||
		{ tail -n 3 "$work/log"; die "$2 was not built for $3"; }
}

# NAME CODE WORDS MODULE/VERSION KERNEL: boot-test ends with the code, and says the words.
tells() {
	local name=$1 expected=$2 words=$3 code=0
	on "$5"
	"$kmodbox" boot-test "$4" -k "$release" --kernel-root "$root" "${trees[@]}" >"$work/out" 2>&1 || code=$?
	if [ "$code" -ne "$expected" ] || ! grep -F -- "$words" "$work/out" >/dev/null; then
		fail "$name: boot-test ended with $code, not with $expected and '$words'"
		head -n 15 "$work/out" | cut -c 1-200 | cat -v | sed 's/^/        /'
	else
		pass "$name: $(grep -F -m 1 -- "$words" "$work/out" | cut -c 1-160), $(sed -n 's/^booted and shut down in //p' "$work/out")"
	fi
}

# NAME C-STATEMENTS-OF-INIT: a module of that name, with a dkms.conf.
make_module() {
	local folder=$work/module-$1
	mkdir -p "$folder"
	cat >"$folder/dkms.conf" <<-END
		PACKAGE_NAME="$1"
		PACKAGE_VERSION="1"
		BUILT_MODULE_NAME[0]="$1"
		DEST_MODULE_LOCATION[0]="/extra"
		MAKE[0]="make -C \$kernel_source_dir M=\$dkms_tree/$1/1/build modules"
	END
	say "obj-m := $1.o" >"$folder/Makefile"
	cat >"$folder/$1.c" <<-END
		#include <linux/delay.h>
		#include <linux/module.h>
		#include <linux/sched.h>
		static int __init begin(void) { $2 }
		static void __exit end(void) { }
		module_init(begin);
		module_exit(end);
		MODULE_LICENSE("GPL");
	END
	build "$folder" "$1/1" "${3:-6.1}"
}

for kernel in 6.1 6.12; do
	build "$drivers/acpi-call/usr/src/acpi-call-1.2.2" acpi-call/1.2.2 "$kernel"
	tells "a driver, on $kernel" 0 "acpi_call: loads on" acpi-call/1.2.2 "$kernel"
done
build "$drivers/v4l2loopback/usr/src/v4l2loopback-0.12.7" v4l2loopback/0.12.7 6.1
tells "a driver behind the kernel's own modules" 0 "v4l2loopback: loads on" v4l2loopback/0.12.7 6.1
make_module refuser "return -EBUSY;"
tells "its init says no" 32 "refuser: does not load on $release: EBUSY" refuser/1 6.1
make_module nothing "return -ENODEV;"
tells "its hardware is not there" 0 "nothing: loads on $release, and finds no device there (ENODEV)" nothing/1 6.1
make_module warner "WARN_ON(1); return 0;"
tells "the kernel complains" 36 "WARNING: CPU" warner/1 6.1
make_module oopser "*(volatile int *)8 = 1; return 0;"
tells "an oops" 32 "oopser: does not load on $release: oops" oopser/1 6.1
make_module panicker 'panic("as it likes");'
tells "a panic" 32 "the guest went down" panicker/1 6.1
make_module sleeper "for (;;) msleep(1000); return 0;"
tells "it does not come back" 32 "sleeper: does not load on $release: hangs" sleeper/1 6.1
make_module flooder 'for (;;) printk(KERN_EMERG "flood of a thousand words"); return 0;'
tells "it floods the console" 32 "the guest wrote without end" flooder/1 6.1
tells "not built" 3 "is not built for" nobody/1 6.1

# What Secure Boot's lockdown does to modules, without its keys: those of the kernel's own are let in.
signatures() {
	on 6.1
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
signatures
close_suite

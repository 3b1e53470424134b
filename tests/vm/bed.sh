# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # sourced by run.sh, whose variables and helpers it uses
# The test bed: Debian's kernel in a virtual machine over the host's own userland, which 9p lends to
# be read only; all that is written stays in the machine's memory. There tests/vm/job.sh does what a
# host's kernel cannot be asked for. By emulation, whatever the host has.

# entry NAME MODE [FILE]: one of an archive of the kernel's buffer-format.rst ("newc"), to standard output.
entry() {
	local entry_name=$1 mode=$2 file=${3:-} size=0
	[ -z "$file" ] || size=$(stat -L -c %s "$file")
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' 0 "0x$mode" 0 0 1 0 "$size" 0 0 0 0 \
		"$((${#entry_name} + 1))" 0 "$entry_name"
	head -c "$((-(110 + ${#entry_name} + 1) & 3))" /dev/zero
	[ -z "$file" ] || { cat "$file" && head -c "$((-size & 3))" /dev/zero; }
}

# What the bed's root file system is mounted by; the kernel is to find them unpacked.
bed_ramdisk() {
	local module file
	entry init 81ed "$build/tests/vm/init"
	entry job 81a4 "$work/job"
	for module in fs/netfs/netfs net/9p/9pnet net/9p/9pnet_virtio fs/9p/9p fs/overlayfs/overlay; do
		file=$root/lib/modules/$release/kernel/$module.ko
		if [ -e "$file.xz" ]; then
			xz -dc "$file.xz" >"$work/${module##*/}.ko"
			file=$work/${module##*/}.ko
		fi
		[ ! -e "$file" ] || entry "${module##*/}.ko" 81a4 "$file"
	done
	entry 'TRAILER!!!' 0
}

# What is to be root's there, in one file: seventeen thousand by 9p would take a minute.
bed_root() {
	local tree=lib/modules/$release owner=(--owner=0 --group=0) parts
	mapfile -t parts < <(cd "$root" && printf '%s\n' usr "$tree"/{build,source} "$tree"/modules.*)
	tar -C "$root" "${owner[@]}" -cf "$work/root.tar" "${parts[@]}"
	tar -C "$build/bin" "${owner[@]}" --transform 's|^\.|opt/kmodbox|' -rf "$work/root.tar" .
	tar -C "$work/archives" "${owner[@]}" --transform 's|^\.|opt/archives|' -rf "$work/root.tar" .
}

bed_boot() {
	timeout 400 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nodefaults -no-user-config \
		-display none -monitor none -no-reboot -nic none -chardev "file,id=console,path=$work/bed.console" \
		-serial chardev:console -chardev stdio,id=job,signal=off -serial chardev:job -kernel "$root/boot/vmlinuz-$release" \
		-initrd "$work/bed.cpio" -append "console=ttyS0 quiet panic=-1 edd=off" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap
}

test_bed() {
	local line package ended=no
	if [ ! -x "$build/tests/vm/init" ]; then
		fail "bed: $build/tests/vm/init is not built; run: make test-vm"
		return
	fi
	package bedded <<<'MODULE_ALIAS("bed:of-real-*");'
	mkdir -p "$work/archives"
	for package in acpi-call/1.2.2 bedded/1; do
		if ! build "$package" || ! kb mktarball "$package" >"$work/said" 2>&1; then
			fail "bed: $package: $(tail -n 1 "$work/said")"
			return
		fi
		cp "$work/dkms/$package/tarball/"*.tar.gz "$work/archives/"
	done
	printf 'export BUILD=%q KERNELS_DIR=%q\nexec bash %q %q\n' "$build" "$kernels" "$top/tests/vm/job.sh" "$work/root.tar" >"$work/job"
	bed_root
	bed_ramdisk >"$work/bed.cpio"
	bed_boot </dev/null >"$work/bed" 2>&1 || say "bed: QEMU ended with $?" >>"$work/bed"
	while IFS= read -r line; do
		line=${line%$'\r'}
		case $line in
		'ok      '*) pass "bed: ${line#ok      }" ;;
		'FAILED  '*) fail "bed: ${line#FAILED  }" ;;
		'skipped '*) skip "bed: ${line#skipped }" ;;
		'bed: the job ended') ended=yes ;;
		'        '*) say "$line" ;;
		esac
	done <"$work/bed"
	if [ "$ended" = no ] || ! grep -qE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$work/bed"; then
		fail "bed: the job did not come to its end:"
		tail -n 10 "$work/bed" | cut -c 1-200 | cat -v | sed 's/^/        /'
		tail -n 5 "$work/bed.console" | cut -c 1-200 | cat -v | sed 's/^/        /'
	fi
}

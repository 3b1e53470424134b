#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input: broken and hostile archives, sources, dkms.conf files, builds, keys and trees. Each is
# refused with the documented exit code and one clear line on stderr, changes nothing, and leaves no
# process and no mount. Beside them stands a good module that builds, installs and goes again. Works
# in trees of its own below a temporary directory, as root in a mount namespace of its own.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "bad input" "$@"

# --- The good module -------------------------------------------------------------------------------

good_module() {
	local original=$world/modules/$release/kernel/drivers/misc/demo.ko
	local kept=$world/dkms/demo/original_module/$release/x86_64/demo.ko

	fresh
	cp -R "$top/tests/demo/demo-v0.1" "$source"
	mkdir -p "${original%/*}"
	echo "the kernel's own demo" >"$original"
	cp -a "$original" "$work/original.ko"
	try add "${demo[@]}"
	done_well "a good module: added"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "a good module: built"
	if module_payload "$built" | cmp -s - "$good"; then
		pass "a good module: built again, the same bytes"
	else
		fail "a good module: built again, the same bytes"
	fi
	try install "${demo[@]}" "${kernel[@]}"
	done_well "a good module: installed"
	if [ ! -e "$original" ] && cmp -s "$kept" "$work/original.ko" &&
		cmp -s "$built" "$world/modules/$release/updates/dkms/demo.ko"; then
		pass "a good module: in place, the displaced original kept"
	else
		fail "a good module: in place, the displaced original kept"
	fi
	holds "a good module: what was kept is told" grep -q 'the module that was there kept aside' "$work/out"
	try uninstall "${demo[@]}" "${kernel[@]}"
	done_well "a good module: uninstalled"
	holds "a good module: what came back is told" grep -q 'the module that was there before is back' "$work/out"
	if cmp -s "$original" "$work/original.ko" && [ ! -e "$kept" ] &&
		[ ! -e "$world/modules/$release/updates/dkms/demo.ko" ]; then
		pass "a good module: gone, the original back byte for byte"
	else
		fail "a good module: gone, the original back byte for byte"
	fi
	try remove "${demo[@]}" "${kernel[@]}"
	done_well "a good module: removed"
	if [ ! -e "$world/dkms/demo" ]; then
		pass "a good module: nothing of it is left in the tree"
	else
		fail "a good module: nothing of it is left in the tree"
	fi

	new_build <<<'cp good.ko demo.ko'
	try install "${demo[@]}" "${kernel[@]}"
	done_well "a good build.sh: what the hostile ones below do otherwise"
}

# --- Sources and dkms.conf -------------------------------------------------------------------------

bad_conf() {
	fresh
	mkdir -p "$source"
	touch "$source/Makefile"
	try add "${demo[@]}"
	refused "no dkms.conf" 4 dkms.conf demo
	fresh
	try add "${demo[@]}"
	refused "no source" 2 "demo/0.1" "$source"
	conf "dkms.conf: another PACKAGE_NAME" 8 dkms.conf PACKAGE_NAME other demo <<<"${basic_conf/=demo/=other}"
	conf "dkms.conf: another PACKAGE_VERSION" 8 dkms.conf PACKAGE_VERSION 9.9 0.1 <<<"${basic_conf/=0.1/=9.9}"
	conf "dkms.conf: DEST_MODULE_NAME with ../" 8 dkms.conf 'DEST_MODULE_NAME[0]' '../demo' \
		<<<"$basic_conf DEST_MODULE_NAME[0]=../demo"
	conf "dkms.conf: DEST_MODULE_NAME with a newline" 8 dkms.conf 'DEST_MODULE_NAME[0]' evil \
		<<<"$basic_conf DEST_MODULE_NAME[0]=\$'demo\\nkmodbox: evil'"
	conf "dkms.conf: BUILT_MODULE_NAME with escape bytes" 8 dkms.conf 'BUILT_MODULE_NAME[0]' \
		<<<"$basic_conf BUILT_MODULE_NAME[0]=\$'\\e]0;evil\\a'"
	conf "dkms.conf: BUILT_MODULE_LOCATION that leads out" 8 dkms.conf 'BUILT_MODULE_LOCATION[0]' \
		<<<"$basic_conf BUILT_MODULE_LOCATION[0]=../../etc"
	conf "dkms.conf: DEST_MODULE_LOCATION that leads out" 8 dkms.conf 'DEST_MODULE_LOCATION[0]' \
		<<<"$basic_conf DEST_MODULE_LOCATION[0]=/updates/../../../etc"
	conf "dkms.conf: DEST_MODULE_LOCATION elsewhere" 8 dkms.conf 'DEST_MODULE_LOCATION[0]' /etc \
		<<<"$basic_conf DEST_MODULE_LOCATION[0]=/etc"
	conf "dkms.conf: not shell" 8 dkms.conf 'not valid shell' <<<"$basic_conf"$'\nif ('
	conf "dkms.conf: loops" 31 dkms.conf 'CPU time' <<<"$basic_conf"$'\nwhile :; do :; done'
	conf "dkms.conf: sleeps" 31 dkms.conf 'time' <<<"$basic_conf"$'\nsleep 300'
	conf "dkms.conf: exits early" 8 dkms.conf exit <<<"$basic_conf"$'\nexit 0'
	conf "dkms.conf: becomes another program" 8 dkms.conf exec <<<"$basic_conf"$'\nexec /bin/true'
	conf "dkms.conf: a flood of escape bytes" 31 dkms.conf output \
		<<<"$basic_conf"$'\nprintf -v text %0100000d; for i in {1..20}; do printf "\\e[2Jevil%s" "$text"; done'
	conf "dkms.conf: forges the answer" 8 dkms.conf 'unknown answer' \
		<<<"$basic_conf"$'\nprintf "EVIL\\0000\\0evil\\0" >/proc/$PPID/fd/3 2>/dev/null; kmodbox_values() { builtin printf "EVIL\\0000\\0evil\\0"; }; readonly -f kmodbox_values'
}

# probe FILE...: a shell line that says of each whether it can be read
probe() {
	local file
	for file; do
		printf '(read -r -n 1 <%q) 2>/dev/null && said+="reads %s " || said+="misses %s "\n' \
			"$file" "${file##*/}" "${file##*/}"
	done
}
prying() {
	local key=$world/state/keys/module.key files control
	files=("$key")
	if [ "$(id -u)" -eq 0 ]; then
		files+=(/etc/shadow)
	else
		skip "prying for /etc/shadow: only root could read it outside"
	fi
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1")
		or exit 1; $| = 1; print $s->sockport, "\n"; close STDOUT; close $c while $c = $s->accept' \
		>"$work/port" &
	background+=($!)
	for _ in {1..1000}; do
		[ ! -s "$work/port" ] || break
		perl -e 'select undef, undef, undef, 0.01'
	done
	new_source < <(
		say "$basic_conf said="
		probe "${files[@]}"
		printf '(exec 9<>/dev/tcp/127.0.0.1/%s) 2>/dev/null && said+="has a network" || said+="has no network"\n' \
			"$(cat "$work/port")"
		# shellcheck disable=SC2016 # for the shell that reads it
		say 'echo "$said"; exit 3'
	)
	control=$(bash "$source/dkms.conf" || true)
	case $control in
	*misses* | *'no network'* | '') fail "prying, outside of a sandbox: $control" ;;
	*) pass "prying, outside of a sandbox: $control" ;;
	esac
	try add "${demo[@]}"
	refused "dkms.conf: pries" 8 "${files[@]/#*\//misses }" "has no network"
	cp "$source/dkms.conf" "$work/pry"
	new_build <"$work/pry"
	try build "${demo[@]}" "${kernel[@]}"
	refused "build: pries" 10 "${files[@]/#*\//misses }" "has no network"
}

bad_archives() {
	fresh
	{
		member 0 demo-0.1/dkms.conf "" "$basic_conf"
		member 0 demo-0.1/Makefile "" "all:"
		head -c 1024 /dev/zero
	} >"$work/good.tar"
	try add "$work/good.tar"
	done_well "archive: a good one made in the same way"

	archive "archive: a member with .." 9 ../../evil -- 0 demo-0.1/../../evil "" evil
	archive "archive: an absolute member" 9 /tmp/evil absolute -- 0 /tmp/evil "" evil
	archive "archive: a symbolic link that leads out" 9 evil 'symbolic link' -- 2 demo-0.1/evil ../../../etc
	archive "archive: an absolute symbolic link" 9 evil 'symbolic link' -- 2 demo-0.1/evil /etc/passwd
	archive "archive: through a symbolic link" 9 evil/passwd 'no directory' \
		-- 2 demo-0.1/evil /etc -- 0 demo-0.1/evil/passwd "" evil
	archive "archive: a hard link that leads out" 9 evil 'hard link' -- 1 demo-0.1/evil /etc/passwd
	archive "archive: a hard link behind .." 9 evil 'hard link' -- 1 demo-0.1/evil ../../../../etc/passwd
	archive "archive: a character device" 9 evil device -- 3 demo-0.1/evil
	archive "archive: a block device" 9 evil device -- 4 demo-0.1/evil
	archive "archive: a FIFO" 9 evil FIFO -- 6 demo-0.1/evil
	archive "archive: a member twice" 9 demo-0.1/dkms.conf twice -- 0 demo-0.1/dkms.conf "" "$basic_conf"
	archive "archive: a name with escape bytes" 9 'control characters' -- 0 demo-0.1/$'\e]0;evil\a' "" evil
	fresh
	head -c 2000 "$kmodbox" >"$work/evil.tar"
	try add "$work/evil.tar"
	refused "archive: not an archive at all" 9 evil.tar 'no archive'
	fresh
	: >"$work/evil.tar"
	try add "$work/evil.tar"
	refused "archive: empty" 9 evil.tar
	fresh
	gzip -c "$work/good.tar" | head -c 100 >"$work/evil.tar"
	try add "$work/evil.tar"
	refused "archive: cut off" 9 evil.tar
}

# Distributions ship sources with links into /usr/share. Where they lead is what the sandbox has there.
outward_links() {
	local canary=$work/canary
	new_source <<<"$basic_conf"$'\nMAKE="cat one sub/two; echo evil >one; echo evil >sub/two; cp good.ko demo.ko"'
	cp "$good" "$source/good.ko"
	mkdir "$source/sub"
	echo safe >"$canary"
	ln -s "$canary" "$source/one"
	ln -s "../../../../../../../../../..$canary" "$source/sub/two"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "source: links that lead out: build"
	problems=()
	[ "$(cat "$canary")" = safe ] || problem "the build wrote through them"
	! grep -qx safe "${built%/module/*}/log/make.log" || problem "the build read through them"
	conclude "source: links that lead out: to nothing of the host"
	fresh
	mkdir "$source"
	say "$basic_conf" >"$work/outer.conf"
	ln -s "$work/outer.conf" "$source/dkms.conf"
	try add "${demo[@]}"
	refused "source: a dkms.conf that is a link" 4 dkms.conf
}
bad_sources() {
	new_source <<<"$basic_conf"
	mkfifo "$source/pipe"
	try add "${demo[@]}"
	refused "source: a FIFO" 8 pipe FIFO
	outward_links
	new_source <<<"$basic_conf"
	if mknod "$source/node" c 1 3 2>/dev/null; then
		try add "${demo[@]}"
		refused "source: a device" 8 node device
	else
		skip "source: a device: this user can make none"
	fi
	new_source <<<"$basic_conf"
	touch "$source/"$'\e]0;evil\a'
	try add "${demo[@]}"
	refused "source: a name with escape bytes" 8 'control characters'
	new_source <<<"$basic_conf"
	perl -e 'chdir shift or die; for (1 .. 10000) { mkdir "deep" or die; chdir "deep" or die }' "$source"
	# A listing would hold its 10,000 long paths.
	mv "$source" "$work/deep-source"
	try add "$work/deep-source"
	refused "source: directories nested 10,000 deep" 8 deep 'more than 64'
	rm -rf "$work/deep-source"
	new_source <<<"$basic_conf"
	mv "$source" "$work/real-source"
	ln -s "$work/real-source" "$source"
	try add "${demo[@]}"
	refused "source: itself a link" 2 "demo/0.1" "$source"
	rm -rf "$work/real-source"
}

changed_source() {
	new_build <<<'cp good.ko demo.ko'
	echo '# changed' >>"$source/build.sh"
	try build "${demo[@]}" "${kernel[@]}"
	refused "a source that changed since it was approved" 36 "demo 0.1" changed 'add --force'
	try add "${demo[@]}" --force
	done_well "add --force approves it as it is now"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "and it builds"
}

# --- Kernels ---------------------------------------------------------------------------------------

bad_kernels() {
	local root=$work/root config headers
	new_build <<<'cp good.ko demo.ko'
	try build "${demo[@]}" -k 9.9.9-none --kernel-root "$kernels/6.1"
	refused "no headers" 21 9.9.9-none headers linux-headers-9.9.9-none --kernel-root
	try build "${demo[@]}" -k "$release/i386" --kernel-root "$kernels/6.1"
	refused "an architecture whose modules cannot be checked" 12 i386 "$release" x86_64
	holds "an architecture whose modules cannot be checked: nothing is compiled" test ! -s "$work/out"

	config=$(find "$kernels/6.1/usr/src" -maxdepth 2 -name .config | sed -n 1p)
	headers=$root/usr/src/${config#"$kernels/6.1/usr/src/"}
	headers=${headers%/.config}
	mkdir -p "$headers/include" "$root/lib/modules/$release"
	touch "$headers/Makefile"
	cp "${config%/.config}/Module.symvers" "$headers/"
	sed 's/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT="gcc-99 (Test) 99.0"/' "$config" >"$headers/.config"
	ln -s "/usr/src/${headers##*/}" "$root/lib/modules/$release/build"
	try build "${demo[@]}" -k "$release" --kernel-root "$root"
	refused "no compiler" 10 gcc-99 "$release" 'not installed' install
	rm "$headers/Module.symvers"
	try build "${demo[@]}" -k "$release" --kernel-root "$root"
	refused "headers unpacked in part" 21 "$release" Module.symvers
	rm -rf "$root"

	must build "${demo[@]}" "${kernel[@]}"
	rm -rf "$world/modules/$release"
	try install "${demo[@]}" "${kernel[@]}"
	refused "install for a kernel that is not there" 6 "$release" "$world/modules" --installtree
	# What follows "--" is the command's.
	try sandbox --ro "$work/nothere" -- /bin/true
	refused "sandbox: a path that is not there" 1 "kmodbox: --ro $work/nothere: No such file"
	try sandbox --chdir /nothere -- /bin/true
	refused "sandbox: a directory that is not there" 1 "working directory /nothere: No such file"
}

# --- Builds ----------------------------------------------------------------------------------------

failing_builds() {
	fresh
	cp -R "$top/tests/demo/demo-v0.1" "$source"
	echo 'int broken(void) { return undeclared_thing; }' >>"$source/src/demo.c"
	must add "${demo[@]}"
	try build "${demo[@]}" "${kernel[@]}"
	refused "build: does not compile" 10 "demo 0.1" "$release" "src/demo.c:$(wc -l <"$source/src/demo.c"):" undeclared_thing "$failed_log"
	log_holds "build: does not compile: make.log is there" undeclared_thing

	build "build: make fails" 10 'Error 7' "$failed_log" <<<'make -f - <<<$'"'all: ; @exit 7'"
	log_holds "build: make fails: make.log tells the exit code" "# exit code: 2"
	build "build: killed by a signal" 10 'Segmentation fault' <<<'kill -SEGV $$'
	build "build: escape bytes in the reason" 10 evil <<<'printf "demo.c:1:1: error: \e]0;evil\a\e[2J\n"; exit 1'
	new_build <<<'printf "evil \e]0;evil\a\e[2J\n"; cp good.ko demo.ko'
	try build "${demo[@]}" "${kernel[@]}" --verbose
	done_well "build: escape bytes in what --verbose shows"
	if grep -F evil "$work/out" >/dev/null; then
		pass "build: --verbose does show it"
	else
		fail "build: --verbose does show it"
	fi
	build "build: a flood of output" 31 output <<<'exec perl -e '"'print qq(\\e[2Jevil\\n) x 100000 while 1'"
	if [ "$(stat -c %s "$failed_log")" -le $((65 << 20)) ]; then
		pass "build: a flood of output: make.log is bounded"
	else
		fail "build: a flood of output: make.log has $(stat -c %s "$failed_log") bytes"
	fi
	build "build: a loop of children" 31 'processes (512)' <<-'END'
		exec perl -e 'for (1 .. 2000) { my $child = fork; if (!defined $child) { print "fork refused\n"; exit 1 }
			if (!$child) { sleep 300; exit } } print "2000 children\n"; exit 1'
	END
	build "build: much memory" 10 'memory refused' <<<"$memory_probe"
	build "build: fills the scratch" 31 scratch <<-'END'
		head -c 600M /dev/zero >one
		head -c 600M /dev/zero >two
	END
	build "build: fills the scratch with files" 31 scratch <<-'END'
		exec perl -e 'for (1 .. 300000) { open my $file, ">", "f$_" or die "no more files: $!\n" } exit 1'
	END
	skip "build: silent for ever: the limit is 15 minutes, and no option shortens it"
}

# On x86_64: mmap(NULL, 5 GiB, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0)
memory_probe="perl -e 'print syscall(9, 0, 5 << 30, 3, 0x4022, -1, 0) == -1 ? \"memory refused\\n\" : \"memory given\\n\"'; exit 1"
controls() {
	if [ "$(bash -c "$memory_probe")" = "memory given" ]; then
		pass "much memory, outside of a sandbox: given"
	else
		skip "much memory, outside of a sandbox: this host refuses it as well"
	fi
	# shellcheck disable=SC2016 # perl's
	if [ "$(perl -e 'my @all; for (1 .. 700) { my $child = fork; last if !defined $child;
		if (!$child) { sleep 300; exit } push @all, $child } kill 9, @all; print scalar @all')" = 700 ]; then
		pass "a loop of children, outside of a sandbox: more than a build may have"
	else
		skip "a loop of children, outside of a sandbox: this host refuses it as well"
	fi
}

bad_modules() {
	build "module: none" 7 demo.ko BUILT_MODULE_NAME <<<:
	build "module: none, since the build cannot write to its source" 7 demo.ko 'source = writable' "$settings/demo.conf" \
		<<<'touch /usr/src/demo-0.1/demo.ko || :'
	build "module: a FIFO" 7 demo.ko FIFO <<<'mkfifo demo.ko'
	build "module: a symbolic link to /etc/passwd" 7 demo.ko 'symbolic link' <<<'ln -s /etc/passwd demo.ko'
	build "module: a symbolic link to a module" 7 demo.ko 'symbolic link' <<<'ln -s good.ko demo.ko'
	build "module: a hard link" 7 demo.ko 'hard link' <<<'ln good.ko demo.ko'
	build "module: a directory" 7 demo.ko directory <<<'mkdir demo.ko'
	build "module: cannot be read" 7 demo.ko 'cannot be read' <<<'cp good.ko demo.ko; chmod 0 demo.ko'
	build "module: too large" 31 demo.ko 'too large' <<<'truncate -s 300M demo.ko'
	build "module: a sparse terabyte" 10 'File size' <<<'trap "" XFSZ; truncate -s 1T demo.ko 2>&1 | sed "s/File too large/File size/"; exit 1'
	build "module: a sparse terabyte, the limit's signal" 10 <<<'exec truncate -s 1T demo.ko'
	conf_lines='BUILT_MODULE_LOCATION[0]=sub'
	build "module: behind a symbolic link" 7 sub/demo.ko 'symbolic link' <<<'mkdir real; cp good.ko real/demo.ko; ln -s real sub'
	build "module: behind a symbolic link to /etc" 7 sub/demo.ko 'symbolic link' <<<'ln -s /etc sub'
	conf_lines=
	build "module: a socket, which none can make" 10 'socket refused' <<-'END'
		exec perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0) or do { print "socket refused\n"; exit 1 };
			bind($s, pack_sockaddr_un("demo.ko"))'
	END
	build "module: a device, which none can make" 10 'not permitted' <<<'exec mknod demo.ko c 1 3'
	build "module: empty" 7 demo.ko empty <<<': >demo.ko'
	build "module: cut off, which strip sees" 7 demo.ko 'not recognized' <<<'head -c 3000 good.ko >demo.ko'
	conf_lines='STRIP[0]=no'
	build "module: cut off" 32 demo <<<'head -c 3000 good.ko >demo.ko'
	build "module: not ELF at all" 32 demo <<<'head -c 5000 /dev/zero >demo.ko'
	build "module: of another kind of kernel" 32 demo 'version magic' "'$release XMP" \
		<<<"sed '/vermagic=/s/ SMP / XMP /' good.ko >demo.ko"
	build "module: of another release, which a kernel with symbol versions would take" 36 demo \
		"built for kernel" "${release/[0-9]./9.}" <<<"sed 's/vermagic=[0-9]\./vermagic=9./' good.ko >demo.ko"
	build "module: an undefined symbol" 32 demo 'Unknown symbol' _prinzz <<<"sed 's/_printk/_prinzz/g' good.ko >demo.ko"
	build "module: signed already" 36 demo signature \
		<<<'cp good.ko demo.ko; head -c 400 /dev/zero >>demo.ko; echo "~Module signature appended~" >>demo.ko'
	build "module: another name inside" 36 demo name <<<"sed 's/name=demo/name=evil/' good.ko >demo.ko"
	conf_lines=
}

survivor() {
	local name="build: a daemon that waits to change the module"
	new_build <<-END
		cp good.ko demo.ko
		(setsid bash -c 'exec -a $marker perl -e "for (1 .. 500) { select undef, undef, undef, 0.01; open F, q(>demo.ko); print F q(evil) }"' &) >/dev/null 2>&1
		exit 0
	END
	try build "${demo[@]}" "${kernel[@]}"
	done_well "$name: ends with the build"
	if module_payload "$built" | cmp -s - "$good"; then
		pass "$name: came too late"
	else
		fail "$name: came too late"
	fi
}

interrupted() {
	new_build <<<"bash -c 'exec -a $marker sleep 300'; cp good.ko demo.ko"
	interrupt=(--interrupt "$marker")
	try build "${demo[@]}" "${kernel[@]}"
	refused "Ctrl-C during a build" 130 "demo 0.1" interrupted
	new_source <<<"$basic_conf"$'\n'"bash -c 'exec -a $marker sleep 300'"
	interrupt=(--interrupt "$marker")
	try add "${demo[@]}"
	refused "Ctrl-C while dkms.conf is read" 130 dkms.conf interrupted
}

# --- Keys ------------------------------------------------------------------------------------------

bad_keys() {
	local keys=$world/state/keys
	new_build <<<'cp good.ko demo.ko'
	chmod 0644 "$keys/module.key"
	try build "${demo[@]}" "${kernel[@]}"
	refused "key: open to others" 33 module.key 0644 0600
	chmod 0600 "$keys/module.key"
	chmod 0755 "$keys"
	try build "${demo[@]}" "${kernel[@]}"
	refused "key: its directory open to others" 33 'key directory' 0755 0700
	chmod 0700 "$keys"
	mv "$keys/module.crt" "$work/"
	try build "${demo[@]}" "${kernel[@]}"
	refused "key: without its certificate" 33 module.key module.crt missing
	echo evil >"$keys/module.crt"
	try build "${demo[@]}" "${kernel[@]}"
	refused "key: a certificate that is none" 33 module.crt
	if command -v openssl >/dev/null 2>&1; then
		openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/other.key" -outform DER \
			-out "$keys/module.crt" -subj /CN=other -days 2 2>/dev/null
		try build "${demo[@]}" "${kernel[@]}"
		refused "key: another key's certificate" 33 module.key module.crt 'not belong together'
	else
		skip "key: another key's certificate: no openssl here to make one"
	fi
	mv "$work/module.crt" "$keys/"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "key: with all in its place again"
}

# --- Disks -----------------------------------------------------------------------------------------

bad_disks() {
	if [ $can_mount = yes ]; then
		new_build <<<'cp good.ko demo.ko'
		fill_tree "$world/dkms" 256k
		audited=$(stat -c %s "$world/state/audit.log")
		try build "${demo[@]}" "${kernel[@]}"
		refused "disk full below --dkmstree" 35 "demo 0.1" 'no space left' "$world/dkms" 'nothing was changed'
		rm "$world/dkms/filler"
		try build "${demo[@]}" "${kernel[@]}"
		done_well "disk full below --dkmstree: with space again"

		new_build <<<'cp good.ko demo.ko'
		must build "${demo[@]}" "${kernel[@]}"
		fill_tree "$world/modules" 256k
		try install "${demo[@]}" "${kernel[@]}"
		refused "disk full below --installtree" 35 'no space left' "$world/modules" 'nothing was changed'
		rm "$world/modules/filler"
		try install "${demo[@]}" "${kernel[@]}"
		done_well "disk full below --installtree: with space again"

		new_build <<<'cp good.ko demo.ko'
		mount --bind "$world/dkms" "$world/dkms"
		mount -o remount,bind,ro "$world/dkms"
		audited=$(stat -c %s "$world/state/audit.log")
		try build "${demo[@]}" "${kernel[@]}"
		refused "read-only file system below --dkmstree" 35 'Read-only file system' "$world/dkms"
		holds "read-only file system below --dkmstree: before anything is built" test ! -s "$work/out"
		umount "$world/dkms"
	else
		skip "disk full below --dkmstree and --installtree, read-only file system: only root can mount them"
	fi
	new_build <<<'cp good.ko demo.ko'
	chmod 0555 "$world/dkms/demo/0.1" "$world/dkms/demo" "$world/dkms" "$world/dkms/.kmodbox"
	audited=$(stat -c %s "$world/state/audit.log")
	try build "${demo[@]}" "${kernel[@]}"
	chmod 0755 "$world/dkms/demo/0.1" "$world/dkms/demo" "$world/dkms" "$world/dkms/.kmodbox"
	# Of root only the installer has not every right.
	if [ $can_become = yes ]; then
		refused "a --dkmstree without write permission" 35 'Permission denied'
	else
		refused "a --dkmstree without write permission" 1 "$world/dkms" 'you may not write'
	fi
}

prepare
run_groups good_module bad_conf prying bad_archives bad_sources changed_source bad_kernels controls \
	failing_builds bad_modules survivor interrupted bad_keys bad_disks

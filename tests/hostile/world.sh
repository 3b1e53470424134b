#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input, fourth part: a world that does not hold still. Sources, headers and a compiler that
# change while they are used, a clock that went back, disks that are full or read-only, sources that
# cannot be read, and several kmodbox at once. Nothing here happens at a time: what has to happen
# during a build happens because the build waits for it.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "a bad world" "$@"

nap() { perl -e 'select undef, undef, undef, 0.02'; }
stop() {
	end_job "$1"
	wait "$1" 2>/dev/null || true
	background=()
}

# --- What changes while it is used ------------------------------------------------------------------

# A build that waits until a file is no more what it was when it looked first, and then ends well, or
# as said. once: it waits only as long as that is of our days.
waiting_build() {
	new_build <<-END
		date=\$(stat -c %Y $1)
		if [ $2 = once ] && [ "\$date" -gt 1900000000 ]; then
			cp good.ko demo.ko
			exit
		fi
		echo waiting
		for ((i = 0; i < 6000; i++)); do
			[ "\$(stat -c %Y $1)" = "\$date" ] || break
			sleep 0.01
		done
		${3:-cp good.ko demo.ko}
	END
}
# With --verbose the lines of a build come at once: at each "waiting" the file changes.
changer() {
	local seen=0 now
	while :; do
		now=$(grep -ac '^ *waiting' "$work/out" || true)
		if [ "$now" -gt "$seen" ]; then
			seen=$now
			touch -d "$((2030 + seen))-01-01" "$1"
		fi
		nap
	done
}
# during_build FILE KMODBOX-ARGUMENT...
during_build() {
	local file=$1
	shift
	: >"$work/out"
	changer "$file" &
	background+=($!)
	try build "${demo[@]}" -k "$release" --verbose "$@"
	stop $!
}
attempts() { [ "$(grep -ac '^ *waiting' "$work/out")" -eq "$1" ]; }

changing_headers() {
	local root=$work/root headers
	cp -a "$kernels/6.1" "$root"
	headers=$(find "$root/usr/src" -maxdepth 2 -name .config -printf '%h\n' | sed -n 1p)
	waiting_build "/usr/src/${headers##*/}/Makefile" once
	during_build "$headers/Makefile" --kernel-root "$root"
	warned "headers that are upgraded during a build: it starts again" "$release" 'starts again'
	holds "headers that are upgraded during a build: once" attempts 1
	touch "$headers/Makefile"
	waiting_build "/usr/src/${headers##*/}/Makefile" once "exit 3"
	during_build "$headers/Makefile" --kernel-root "$root"
	warned "headers whose upgrade makes a build fail: it starts again" "$release" 'starts again'
	holds "headers whose upgrade makes a build fail: once" attempts 1
	touch "$headers/Makefile"
	waiting_build "/usr/src/${headers##*/}/Makefile" always
	audited=$(stat -c %s "$world/state/audit.log")
	during_build "$headers/Makefile" --kernel-root "$root"
	warnings=1
	refused "headers that are upgraded all the time" 35 "demo 0.1" "$release" headers changing 'build again'
	holds "headers that are upgraded all the time: two attempts" attempts 2
	waiting_build "/usr/src/${headers##*/}/Makefile" once
	try build "${demo[@]}" -k "$release" --kernel-root "$root"
	done_well "headers that were upgraded before"
	rm -rf "$root"
}

changing_compiler() {
	local tool copy=$work/as
	tool=$(realpath "$(command -v as || true)")
	if [ "$can_mount" != yes ]; then
		skip "a compiler that is upgraded during a build: only root can put another in its place here"
		return
	fi
	waiting_build "$tool" once
	cp "$tool" "$copy"
	mount --bind "$copy" "$tool"
	during_build "$copy" --kernel-root "$kernels/6.1"
	warned "a compiler that is upgraded during a build: it starts again" "$release" compiler 'starts again'
	touch "$copy"
	waiting_build "$tool" always
	audited=$(stat -c %s "$world/state/audit.log")
	during_build "$copy" --kernel-root "$kernels/6.1"
	warnings=1
	refused "a compiler that is upgraded all the time" 35 "demo 0.1" compiler changing 'build again'
	umount "$tool"
	rm "$copy"
}

# Writes to a source without end: contents, lengths, names.
# shellcheck disable=SC2016 # perl's
writer='chdir shift or die; for (my $n = 0;; $n++) { my $f = "part" . $n % 40;
	open my $h, ">", "$f.new" or die; print $h "x" x (1000 * ($n % 97)); close $h;
	$n % 3 ? rename("$f.new", $f) : do { open $h, ">>", $f; print $h $n; close $h };
	mkdir "d$f"; rmdir "d$f" if $n % 2; utime 1, 1, $f if $n % 5 == 0 }'
changing_source() {
	local moving=$work/moving place
	for place in outside inside; do
		new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"'
		cp "$good" "$source/good.ko"
		for i in {0..39}; do
			head -c 50000 /dev/zero >"$source/part$i"
		done
		rm -rf "$moving"
		if [ $place = outside ]; then
			mv "$source" "$moving"
		else
			ln -s "$source" "$moving"
		fi
		perl -e "$writer" "$moving" &
		background+=($!)
		problems=()
		for i in 1 2 3 4 5 6; do
			if [ $place = outside ]; then
				"$watch" "$work/left" -- "$kmodbox" add "$moving" --force "${demo[@]}" "${trees[@]}" >"$work/out" 2>"$work/err" && code=0 || code=$?
			else
				"$watch" "$work/left" -- "$kmodbox" add "${demo[@]}" --force "${trees[@]}" >"$work/out" 2>"$work/err" && code=0 || code=$?
			fi
			one_of '0|8|34' "$code" || problem "exit code $code"
			[ "$code" -eq 0 ] || [ "$(complaint | wc -l)" -eq 1 ] || problem "stderr is not one line"
			[ "$code" -eq 0 ] || complaint | grep -aE 'chang|while|at rest' >/dev/null || problem "the message does not say why"
			[ ! -s "$work/left" ] || problem "$(cat "$work/left")"
			[ ${#problems[@]} -eq 0 ] || break
		done
		conclude "a source that changes while it is read ($place of the source tree)"
		stop $!
		if [ $place = outside ]; then
			try add "$moving" --force "${demo[@]}"
		else
			try add "${demo[@]}" --force
		fi
		done_well "a source that stopped to change ($place of the source tree)"
		try build "${demo[@]}" "${kernel[@]}"
		done_well "a source that stopped to change: builds"
	done
	rm -rf "$moving"
}

# --- A clock that went back -------------------------------------------------------------------------

# The clock of a machine with others on it is not ours to change. What a clock that went back leaves
# behind is: files, certificates and serials of times to come.
certificate() {
	local keys=$world/state/keys
	mkdir "$work/ca"
	: >"$work/ca/index"
	say 01 >"$work/ca/serial"
	printf '[ca]\ndefault_ca=a\n[a]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=n\n[n]\n[x]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=codeSigning,1.3.6.1.4.1.2312.16.1.2\nsubjectKeyIdentifier=hash\n' \
		"$work/ca" "$work/ca" "$work/ca" >"$work/ca/conf"
	openssl req -new -key "$keys/module.key" -subj /CN=another -config "$work/ca/conf" -out "$work/ca/request" &&
		openssl ca -batch -selfsign -config "$work/ca/conf" -keyfile "$keys/module.key" -in "$work/ca/request" \
			-startdate "$1" -enddate "$2" -out "$work/ca/made" -notext &&
		openssl x509 -in "$work/ca/made" -outform DER -out "$keys/module.crt"
	rm -rf "$work/ca"
}
future() {
	local root=$work/root serial
	new_build <<<'cp good.ko demo.ko'
	find "$world" -exec touch -h -d 2037-12-31 {} +
	try build "${demo[@]}" "${kernel[@]}"
	done_well "all files from the future: build"
	find "$world" -exec touch -h -d 2037-12-31 {} +
	try install "${demo[@]}" "${kernel[@]}"
	done_well "all files from the future: install"
	find "$world" -exec touch -h -d 2037-12-31 {} +
	try status
	done_well "all files from the future: status"
	try remove "${demo[@]}" --all
	done_well "all files from the future: remove"
	fresh
	cp -R "$top/tests/demo/demo-v0.1" "$source"
	cp -a "$kernels/6.1" "$root"
	find "$root" "$source" -exec touch -h -d 2037-12-31 {} +
	try build "${demo[@]}" -k "$release" --kernel-root "$root"
	done_well "headers and source from the future: build"
	rm -rf "$root"

	new_build <<<'cp good.ko demo.ko'
	must build "${demo[@]}" "${kernel[@]}"
	serial=4102444800 # 2100
	sed -i "\$s/^[0-9]* [0-9]* /$serial $serial /" "$world/state/audit.log"
	holds "a serial from the future: is there" grep -q "$serial" "$world/state/audit.log"
	try build "${demo[@]}" "${kernel[@]}" --force
	done_well "a serial from the future: the next is higher"
	holds "a serial from the future: and in the record" \
		grep -q $((serial + 1)) "$world/dkms/demo/0.1/$release/x86_64/build.json"
	: >"$world/state/audit.log"
	audited=0
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "a log of signatures that was emptied: no going back" '34|35' demo serial

	new_build <<<'cp good.ko demo.ko'
	if ! command -v openssl >/dev/null 2>&1; then
		skip "certificates of other times: no openssl here to make them"
		return
	fi
	certificate 20010101000000Z 20490101000000Z >"$work/openssl" 2>&1 || die "openssl: $(cat "$work/openssl")"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "a certificate of these times"
	certificate 20400101000000Z 20490101000000Z >"$work/openssl" 2>&1
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "a certificate of times to come" 33 module.crt 'not valid yet'
	certificate 20010101000000Z 20020101000000Z >"$work/openssl" 2>&1
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "a certificate of times gone" 33 module.crt expired
}

# --- Disks -----------------------------------------------------------------------------------------

# All trees on a small file system with this many KiB left.
fill_world() {
	local mounted=$work/small
	mkdir -p "$mounted"
	mount -t tmpfs -o size=16m,mode=755 tmpfs "$mounted"
	cp -a "$world/." "$mounted/"
	mount --move "$mounted" "$world"
	head -c 32M /dev/zero >"$world/filler" 2>/dev/null || true
	truncate -s "-$1K" "$world/filler"
}
# Every verb on a disk that is nearly full: done, or refused and nothing changed. Then with space.
full_disks() {
	local free verb levels=(0 8 40)
	if [ "$can_mount" != yes ]; then
		skip "full and read-only disks: only root can mount them"
		return
	fi
	[ "${HOSTILE:-}" != all ] || levels=(0 4 8 12 16 20 24 32 40 48 64 96 128)
	for verb in add build install remove; do
		for free in "${levels[@]}"; do
			new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"'
			cp "$good" "$source/good.ko"
			prepare_verb "$verb"
			fill_world "$free"
			audited=$(stat -c %s "$world/state/audit.log")
			verb_arguments "$verb"
			try "${arguments[@]}"
			ends "a full disk, $free KiB left: $verb" '0|35' 'o space left'
			rm "$world/filler"
			[ "$code" -eq 0 ] || try "${arguments[@]}"
			done_well "a full disk, $free KiB left: $verb, with space again"
			unmount
		done
	done
}
prepare_verb() {
	case $1 in
	build) must add "${demo[@]}" ;;
	install) must build "${demo[@]}" "${kernel[@]}" ;;
	remove) must install "${demo[@]}" "${kernel[@]}" ;;
	esac
}
verb_arguments() {
	arguments=("$1" "${demo[@]}")
	[ "$1" = add ] || arguments+=("${kernel[@]}")
}
read_only_disks() {
	local verb tree place
	[ "$can_mount" = yes ] || return 0
	for verb in add build install remove; do
		for tree in "" dkms state; do
			new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"'
			cp "$good" "$source/good.ko"
			prepare_verb "$verb"
			mount --bind "$world/$tree" "$world/$tree"
			mount -o remount,bind,ro "$world/$tree"
			audited=$(stat -c %s "$world/state/audit.log")
			verb_arguments "$verb"
			try "${arguments[@]}"
			place=$world
			[ "$tree" != state ] || place=state
			if [ "$tree" = state ] && [ "$verb" = remove ]; then
				# It goes in steps, and the approval is the last.
				cp "$work/after" "$work/before"
				place=approvals
			fi
			[ "$tree$verb" != stateadd ] || place=approvals
			refused "a read-only ${tree:-world}: $verb" 35 'Read-only file system' "$place"
			try status
			done_well "a read-only ${tree:-world}: status"
			unmount
			try "${arguments[@]}"
			done_well "a read-only ${tree:-world}: $verb, when it is writable again"
		done
	done
}

unreadable_sources() {
	local other=$work/other part place
	for part in secret sub sub/deep .; do
		new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"'
		cp "$good" "$source/good.ko"
		mkdir "$source/sub"
		touch "$source/secret" "$source/sub/deep"
		rm -rf "$other"
		mv "$source" "$other"
		place=$other
		[ "$part" = . ] || place+=/$part
		chmod 0 "$place"
		try add "$other"
		if [ "$can_become" = yes ]; then
			ends "a source that only root can read, $part: of a directory" '0|2|4|8' "${other##*/}"
		else
			refused "a source that cannot be read, $part: of a directory" '2|4|8' "${other##*/}"
		fi
		chmod 755 "$place"
	done
	rm -rf "$other"
	[ "$can_become" = yes ] || return 0
	# The account that builds is another than root.
	for part in secret sub; do
		new_source <<<"$basic_conf"$'\nMAKE="cp good.ko demo.ko"'
		cp "$good" "$source/good.ko"
		mkdir "$source/sub"
		touch "$source/secret"
		chmod go= "$source/$part"
		try add "${demo[@]}"
		ends "a source that only root can read, $part: of the source tree" '0|2|8' "$part"
	done
}

# --- Several at once --------------------------------------------------------------------------------

# at_once NAME -- ARGUMENT... [-- ARGUMENT...]: all are started, and all must do what they are asked to.
at_once() {
	local name=$1 number=0 arguments pids=() pid
	shift 2
	problems=()
	while [ $# -gt 0 ]; do
		arguments=()
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			arguments+=("$1")
			shift
		done
		[ $# -eq 0 ] || shift
		"$watch" "$work/left-$number" -- "$kmodbox" "${arguments[@]}" "${trees[@]}" \
			>"$work/out-$number" 2>"$work/err-$number" </dev/null &
		pids+=($!)
		number=$((number + 1))
	done
	number=0
	for pid in "${pids[@]}"; do
		wait "$pid" || problem "number $number ended with $?: $(cat -v "$work/err-$number")"
		[ ! -s "$work/left-$number" ] || problem "$(cat "$work/left-$number")"
		number=$((number + 1))
	done
	: >"$work/err"
	conclude "$name"
}
is_status() { [ "$("$kmodbox" status demo "${trees[@]}" | sort | tr '\n' ';')" = "$1" ]; }
several() {
	local other=(-k "$release_two" --kernel-root "$kernels/6.12") version
	fresh
	for version in 0.1 0.2; do
		cp -R "$top/tests/demo/demo-v0.1" "$world/src/demo-$version"
		sed -i "s/\"0.1\"/\"$version\"/" "$world/src/demo-$version/dkms.conf"
		must add demo/$version
	done
	mkdir -p "$world/modules/$release_two"
	touch "$world/modules/$release_two/"{modules.order,modules.builtin}
	at_once "one version for one kernel, built three times at once" -- build demo/0.1 "${kernel[@]}" \
		-- build demo/0.1 "${kernel[@]}" -- build demo/0.1 "${kernel[@]}"
	holds "one version for one kernel, built three times at once: is built" \
		is_status "demo/0.1, $release, x86_64: built;demo/0.2: added;"
	at_once "two versions, and two kernels, built at once" -- build demo/0.1 "${other[@]}" \
		-- build demo/0.2 "${kernel[@]}" -- build demo/0.2 "${other[@]}"
	holds "two versions, and two kernels, built at once: all are" is_status \
		"demo/0.1, $release, x86_64: built;demo/0.1, $release_two, x86_64: built;demo/0.2, $release, x86_64: built;demo/0.2, $release_two, x86_64: built;"
	at_once "one version installed for two kernels at once" -- install demo/0.1 "${kernel[@]}" \
		-- install demo/0.1 "${other[@]}"
	holds "one version installed for two kernels at once: for both" is_status \
		"demo/0.1, $release, x86_64: installed;demo/0.1, $release_two, x86_64: installed;demo/0.2, $release, x86_64: built;demo/0.2, $release_two, x86_64: built;"
	must uninstall demo/0.1 "${kernel[@]}"
	at_once "two versions installed for one kernel at once" -- install demo/0.1 "${kernel[@]}" --force \
		-- install demo/0.2 "${kernel[@]}" --force
	one_is_whole "two versions installed for one kernel at once: one is, and it is whole"
	at_once "removed and looked at, at once" -- remove demo/0.1 --all -- remove demo/0.2 --all -- status -- status
	holds "removed at once: nothing is left" test ! -e "$world/dkms/demo" -a \
		! -e "$world/modules/$release/updates/dkms/demo.ko" -a ! -e "$world/modules/$release_two/updates/dkms/demo.ko"
}
one_is_whole() {
	local active installed=$world/modules/$release/updates/dkms/demo.ko
	problems=()
	active=$(readlink -f "$world/dkms/demo/kernel-$release-x86_64" || true)
	[ "$("$kmodbox" status demo "${kernel[@]}" "${trees[@]}" | grep -c ': installed')" -eq 1 ] || problem "not one is installed"
	cmp -s "$active/module/demo.ko" "$installed" || problem "what is installed is not what is said to be"
	[ ! -e "$world/dkms/demo/original_module" ] || problem "one version is kept as the kernel's original"
	conclude "$1"
}

if [ -d "$kernels/6.12" ]; then
	release_two=$(kernel_release "$kernels/6.12")
fi
prepare
two_kernels() {
	if [ -d "$kernels/6.12" ]; then
		several
	else
		skip "several at once: no headers of a second kernel below $kernels (make kernels)"
	fi
}
run_groups changing_headers changing_compiler changing_source future full_disks read_only_disks \
	unreadable_sources two_kernels

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2001,SC2016 # what stands in single quotes is for other shells; sed works by line
# Bad input, second part: what a dkms.conf, its patches and its scripts can be that no driver should
# ship. What DKMS takes is taken, and the rest is refused in one line; what runs, runs in a sandbox
# and reaches nothing. Each group has a good one beside it.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "bad dkms.conf" "$@"

handing_conf=$basic_conf$'\nMAKE="cp good.ko demo.ko"'
# handing: stdin becomes a dkms.conf whose MAKE can hand out the good module.
handing() {
	new_source
	cp "$good" "$source/good.ko"
}
# builds NAME: such a one builds.
builds() {
	handing
	try build "${demo[@]}" "${kernel[@]}"
	done_well "$1"
}

strange_texts() {
	builds "dkms.conf: CRLF: builds" \
		< <(sed 's/$/\r/' <<<"$handing_conf"$'\nif true; then\n\tSTRIP[0]=yes\nfi')
	builds "dkms.conf: empty values: builds" <<<"$handing_conf"'
		BUILT_MODULE_LOCATION[0]= DEST_MODULE_NAME[0]="" STRIP[0]="" PATCH[0]="" PATCH_MATCH[0]=""
		MAKE_MATCH[0]= BUILD_DEPENDS= PRE_BUILD="" POST_BUILD= BUILD_EXCLUSIVE_KERNEL="" AUTOINSTALL=""
		BUILD_EXCLUSIVE_ARCH= BUILD_EXCLUSIVE_CONFIG= NO_WEAK_MODULES='
	conf "dkms.conf: empty" 8 dkms.conf PACKAGE_NAME missing <<<''
	conf "dkms.conf: an empty PACKAGE_VERSION" 8 dkms.conf PACKAGE_VERSION missing \
		<<<"${basic_conf/=0.1/=}"
	conf "dkms.conf: an empty DEST_MODULE_LOCATION" 8 dkms.conf 'DEST_MODULE_LOCATION[0]' missing \
		<<<"$basic_conf DEST_MODULE_LOCATION[0]="
	conf "dkms.conf: AUTOINSTALL that is neither yes nor no" 8 dkms.conf AUTOINSTALL maybe \
		<<<"$basic_conf AUTOINSTALL=maybe"

	conf "dkms.conf: a sparse BUILT_MODULE_NAME" 8 dkms.conf 'BUILT_MODULE_NAME[1]' \
		<<<"$basic_conf BUILT_MODULE_NAME[2]=two DEST_MODULE_LOCATION[1]=/updates DEST_MODULE_LOCATION[2]=/updates"
	conf "dkms.conf: a sparse DEST_MODULE_LOCATION" 8 dkms.conf 'DEST_MODULE_LOCATION[1]' \
		<<<"$basic_conf BUILT_MODULE_NAME[1]=one BUILT_MODULE_NAME[2]=two DEST_MODULE_LOCATION[2]=/updates"
	conf "dkms.conf: a sparse MAKE" 8 dkms.conf 'MAKE[1]' 'MAKE[2]' gaps \
		<<<"$basic_conf MAKE[0]=make MAKE[2]=true MAKE_MATCH[2]=^6"
	conf "dkms.conf: a sparse PATCH" 8 dkms.conf 'PATCH[0]' 'PATCH[1]' gaps <<<"$basic_conf PATCH[1]=one.patch"
	conf "dkms.conf: an index beyond all" 8 dkms.conf 'BUILT_MODULE_NAME[4000000000]' index \
		<<<"$basic_conf BUILT_MODULE_NAME[4000000000]=far"
	conf "dkms.conf: two modules of one name" 8 dkms.conf 'DEST_MODULE_NAME[1]' 'another module' \
		<<<"$basic_conf BUILT_MODULE_NAME[1]=two DEST_MODULE_NAME[1]=demo DEST_MODULE_LOCATION[1]=/extra"
}

sizes() {
	conf "dkms.conf: 10,000 modules" 31 dkms.conf BUILT_MODULE_NAME 'more than' 'hit a limit' <<<"$basic_conf"'
		for ((i = 0; i < 10000; i++)); do
			BUILT_MODULE_NAME[i]=module$i DEST_MODULE_LOCATION[i]=/updates
		done'
	conf "dkms.conf: 10,000 modules, a line each" '8|31' dkms.conf < <(
		say "PACKAGE_NAME=demo PACKAGE_VERSION=0.1"
		perl -e 'print "BUILT_MODULE_NAME[$_]=module$_\nDEST_MODULE_LOCATION[$_]=/updates\n" for 0 .. 9999'
	)
	conf "dkms.conf: a value of 1 MiB" 8 dkms.conf 'MAKE[0]' 'longer than' \
		<<<"$basic_conf"$'\nprintf -v MAKE %01048576d 0'
	conf "dkms.conf: a pattern of 1 MiB" 8 dkms.conf 'BUILD_EXCLUSIVE_KERNEL' 'longer than' \
		<<<"$basic_conf"$'\nprintf -v BUILD_EXCLUSIVE_KERNEL %01048576d 0'
	conf "dkms.conf: a file of 2 MiB" 8 dkms.conf 'larger than 1 MiB' < <(
		say "$basic_conf"
		head -c 2M /dev/zero | tr '\0' '#'
	)
	conf "dkms.conf: a gigabyte that it makes itself" '8|31' dkms.conf \
		<<<"$basic_conf"$'\nMAKE=x; for i in {1..33}; do MAKE+=$MAKE; done'
	conf "dkms.conf: a pattern that is large when compiled" '8|31' dkms.conf \
		<<<"$basic_conf BUILD_EXCLUSIVE_KERNEL='(((((a{1,250}){1,250}){1,250}){1,250}){1,250})'"
}

strange_bytes() {
	# Bash drops NULs; what is left is what counts, as under DKMS.
	builds "dkms.conf: NULs in a comment: builds" < <(printf '%s\n#\0\0 nothing\n\0\n' "$handing_conf")
	builds "dkms.conf: a NUL in a name is not there: builds" \
		< <(printf '%s\nBUILT_MODULE_NAME[0]=de\0mo\n' "$handing_conf")
	conf "dkms.conf: nothing but NULs" 8 dkms.conf PACKAGE_NAME missing < <(head -c 4096 /dev/zero)
	builds "dkms.conf: MAKE of bytes that are no UTF-8: builds" \
		<<<"$handing_conf"$'\nMAKE="cp good.ko demo.ko; : \xff\xfe\xc0\x80"'
	conf "dkms.conf: BUILT_MODULE_NAME that is no UTF-8" 8 dkms.conf 'BUILT_MODULE_NAME[0]' \
		<<<"$basic_conf BUILT_MODULE_NAME[0]="$'demo\xff\xfe'
	conf "dkms.conf: PACKAGE_VERSION that is no UTF-8" 8 dkms.conf PACKAGE_VERSION \
		<<<"$basic_conf PACKAGE_VERSION="$'0.1\xc0\x80'
	conf "dkms.conf: a location with a newline" 8 dkms.conf 'BUILT_MODULE_LOCATION[0]' \
		<<<"$basic_conf BUILT_MODULE_LOCATION[0]=\$'sub\\nkmodbox: evil'"
	conf "dkms.conf: a PATCH with a newline" 5 dkms.conf 'PATCH[0]' \
		<<<"$basic_conf PATCH[0]=\$'a\\nkmodbox: evil'"
	new_source <<<"$basic_conf PATCH[0]="$'\xff\xfe.patch'
	must add "${demo[@]}"
	try build "${demo[@]}" "${kernel[@]}"
	refused "dkms.conf: a PATCH that is no UTF-8, and not there" 5 "demo 0.1" .patch
	handing <<<"$handing_conf"$'\nPRE_BUILD="\xff\xfe\e[2J evil"'
	try build "${demo[@]}" "${kernel[@]}"
	warned "dkms.conf: a script whose name is no text, and not there" PRE_BUILD 'not executable'
	conf "dkms.conf: a pattern that is none" 8 dkms.conf BUILD_EXCLUSIVE_KERNEL 'regular expression' \
		<<<"$basic_conf BUILD_EXCLUSIVE_KERNEL='^('"
}

options_as_names() {
	conf "a name that is an option: PACKAGE_NAME" 8 dkms.conf PACKAGE_NAME -rf <<<"${basic_conf/=demo/=-rf}"
	conf "a name that is an option: PACKAGE_VERSION" 8 dkms.conf PACKAGE_VERSION --help <<<"${basic_conf/=0.1/=--help}"
	conf "a name that is an option: BUILT_MODULE_NAME" 8 dkms.conf 'BUILT_MODULE_NAME[0]' --force \
		<<<"$basic_conf BUILT_MODULE_NAME[0]=--force"
	conf "a name that is an option: DEST_MODULE_NAME" 8 dkms.conf 'DEST_MODULE_NAME[0]' -rf \
		<<<"$basic_conf DEST_MODULE_NAME[0]=-rf"
	conf "a name that is an option: BUILD_DEPENDS" 8 dkms.conf 'BUILD_DEPENDS[0]' --all \
		<<<"$basic_conf BUILD_DEPENDS=--all"
	new_source <<<"$basic_conf"
	try add -m -rf -v 0.1
	refused "a name that is an option: -m" 1 module -rf
	try add -m demo -v --force
	refused "a name that is an option: -v" 1 version --force
	try build "${demo[@]}" -k --all --kernel-root "$kernels/6.1"
	refused "a name that is an option: -k" 1 kernel --all
	try build "${demo[@]}" "${kernel[@]}" --directive=-rf
	refused "a name that is an option: --directive" 1 --directive -rf
	handing <<<"$handing_conf"$'\nPATCH[0]=-rf\nPRE_BUILD="--help -rf"'
	mkdir "$source/patches"
	printf -- '--- a/one\n+++ b/one\n@@ -1 +1 @@\n-one\n+two\n' >"$source/patches/-rf"
	# shellcheck disable=SC2016 # for the shell that reads it
	printf '#!/bin/sh\n[ "$1" = -rf ] && [ "$(cat one)" = two ]\n' >"$source/--help"
	chmod +x "$source/--help"
	echo one >"$source/one"
	touch "$source/-rf" "$source/--force"
	try build "${demo[@]}" "${kernel[@]}"
	done_well "files of the source, a patch and a script that look like options: build"
}

# What a file does to the shell that reads it, which then has to tell the values.
# What dkms.conf was refused stands beside what the build was.
refused_calls() {
	local built_here=$world/dkms/demo/0.1/$release/x86_64
	if ! refusals_are_seen; then
		skip "dkms.conf: what it was refused is told: what runs this suite supervises calls itself"
		return
	fi
	builds "dkms.conf: calls that are refused: builds" <<<"$basic_conf"'
		unshare -U true
		MAKE="unshare -n true; unshare -n true; cp good.ko demo.ko"'
	holds "dkms.conf: what it was refused is told in the log" grep -qx \
		'# dkms.conf tried, and was refused: unshare CLONE_NEWUSER x1' "$built_here/log/make.log"
	holds "the build: what it was refused is told in the log" grep -qx \
		'# this build tried, and was refused: unshare CLONE_NEWNET x2' "$built_here/log/make.log"
	holds "what was refused is in the record, step by step" [ "$(tr -d ' \n' <"$built_here/build.json" |
		grep -oE '"step":"[a-z.]*"' | paste -sd ' ')" = '"step":"dkms.conf" "step":"build"' ]
}

hostile_shell() {
	local canary=kmodbox-evil-$marker
	builds "dkms.conf: leaves another shell behind: builds" <<<"$handing_conf"'
		set -eu -o noglob; shopt -s nocasematch extglob; IFS=0123; trap "" DEBUG
		printf() { :; }; echo() { :; }; read() { :; }; alias printf=false; exec 2>/dev/null; return 0'
	builds "dkms.conf: leaves a child behind: builds" <<<"$handing_conf"'
		(exec -a '"$marker"' sleep 300) >/dev/null 2>&1 & disown'
	conf "dkms.conf: leaves a shell behind that can tell nothing" 8 dkms.conf \
		<<<"$handing_conf"$'\nbuiltin() { :; }'
	conf "dkms.conf: kills all it can" 8 dkms.conf <<<"$basic_conf"$'\nkill -9 -1; kill -9 $PPID; kill -9 $$'
	conf "dkms.conf: forks for ever" 31 dkms.conf <<<"$basic_conf"$'\nf() { f | f & wait; }; f'
	if [ "${HOSTILE:-}" = all ]; then
		conf "dkms.conf: reads for ever" 31 dkms.conf time <<<"$basic_conf"$'\nread -r x < <(exec sleep 300)'
	else
		skip "dkms.conf: reads for ever: takes ten seconds (HOSTILE=all)"
	fi
	conf "dkms.conf: calls itself for ever" '8|31' dkms.conf <<<"$basic_conf"$'\nf() { f; }; f'
	# shellcheck disable=SC2016 # for the shell that reads it
	conf "dkms.conf: sources itself for ever" '8|31' dkms.conf <<<"$basic_conf"$'\nsource $BASH_SOURCE'
	conf "dkms.conf: a syntax error in its last line" 8 dkms.conf 'not valid shell' <<<"$basic_conf"$'\nfi'
	conf "dkms.conf: a here-document without end" 8 dkms.conf <<<"$basic_conf"$'\nif cat <<END\nthen'
	new_source <<<"$basic_conf"'
		for d in / /usr/src /usr/src/demo-0.1 /var/lib/dkms /tmp /var/tmp /etc /run /dev /dev/shm . "$HOME" \
			'"$world $work"'; do
			echo evil >"$d/'"$canary"'"
		done 2>/dev/null'
	try add "${demo[@]}"
	done_well "dkms.conf: writes wherever it can: is added"
	problems=()
	for place in / /usr/src "$source" /var/lib/dkms /tmp /var/tmp /etc /run /dev /dev/shm "$HOME" "$world" "$work"; do
		[ ! -e "$place/$canary" ] || problem "there is $place/$canary"
	done
	conclude "dkms.conf: writes wherever it can: to nothing of the host"
}

circles() {
	local name
	new_source <<<"$basic_conf BUILD_DEPENDS=demo"
	try add "${demo[@]}"
	done_well "BUILD_DEPENDS on itself: can be added"
	try build "${demo[@]}" "${kernel[@]}"
	refused "BUILD_DEPENDS on itself: is not built" 13 demo/0.1 BUILD_DEPENDS itself
	fresh
	for name in one:two two:three three:one; do
		mkdir "$world/src/${name%:*}-1"
		say "${basic_conf/=demo PACKAGE_VERSION=0.1/=${name%:*} PACKAGE_VERSION=1} BUILD_DEPENDS=${name#*:} AUTOINSTALL=yes" \
			>"$world/src/${name%:*}-1/dkms.conf"
		must add "${name%:*}/1"
	done
	try build one/1 "${kernel[@]}"
	refused "BUILD_DEPENDS in a circle: build" 13 one two 'not installed'
	mkdir "$source"
	sed 's/$/ AUTOINSTALL=yes/' <<<"$handing_conf" >"$source/dkms.conf"
	cp "$good" "$source/good.ko"
	must add "${demo[@]}"
	try autoinstall "${kernel[@]}"
	problems=()
	[ "$code" -eq 11 ] || problem "exit code $code, not 11"
	[ "$(grep -c 'before itself' "$work/err")" -eq 3 ] || problem "not one line for each of the three"
	[ "$(complaint | wc -l)" -eq 4 ] || problem "stderr is not those three and the sum"
	[ -e "$world/modules/$release/updates/dkms/demo.ko" ] || problem "the good module is not installed"
	check_clean
	conclude "BUILD_DEPENDS in a circle: autoinstall names it, and installs the others"
}

# --- Patches ---------------------------------------------------------------------------------------

# A source whose patch evil.patch is stdin; the file "one" holds "one".
patched() {
	handing <<<"$handing_conf"$'\nPATCH[0]=evil.patch'
	mkdir "$source/patches"
	cat >"$source/patches/evil.patch"
	echo one >"$source/one"
	must add "${demo[@]}"
	echo safe >"$work/canary"
	try build "${demo[@]}" "${kernel[@]}"
}
patch_refused() {
	refused "$@" "demo 0.1" evil.patch
	if [ "$(cat "$work/canary")" != safe ]; then
		fail "$1: it wrote outside"
	fi
}
# The change of one file, OLD NEW CONTENT...
change() {
	printf -- '--- %s\n+++ %s\n@@ -1 +1 @@\n-%s\n+two\n' "$@"
}
bad_patches() {
	local name
	patched < <(change a/one b/one one)
	done_well "patch: a good one"
	holds "patch: a good one was applied" \
		grep -qF 'patching file one' "$world/dkms/demo/0.1/$release/x86_64/log/make.log"
	patched < <(change a/one b/one three)
	patch_refused "patch: does not apply" 6 'does not apply'
	for name in "../../../../../../../../$work/canary" "$work/canary"; do
		patched < <(change "a/$name" "b/$name" safe)
		patch_refused "patch: writes to ${name/$work/DIR}" 6 'does not apply'
	done
	patched < <(
		printf -- 'diff --git a/way b/way\nnew file mode 120000\n--- /dev/null\n+++ b/way\n@@ -0,0 +1 @@\n'
		printf -- '+%s\n\\ No newline at end of file\n' "$work"
		say 'diff --git a/way/canary b/way/canary'
		change a/way/canary b/way/canary safe
	)
	patch_refused "patch: through a symbolic link that it makes itself" 6 'does not apply'
	# CVE-2018-1000156: an ed script is more than an edit.
	patched < <(printf -- '--- a/one\n+++ b/one\n1c\nr !echo evil >%s\n.\nw\n' "$work/canary")
	holds "patch: an ed script that runs a command: runs nothing outside" grep -qx safe "$work/canary"
	patched < <(printf 'no patch at all \xff\0\033[2J')
	patch_refused "patch: garbage" 6 'does not apply'
	patched < <(printf -- '--- a/one\n+++ b/one\n@@ -1 +1,99999999999999999999 @@\n-one\n')
	patch_refused "patch: a hunk of 10^20 lines" 6 'does not apply'
	patched </dev/null
	ends "patch: empty" '0|6' evil.patch
	conf "patch: absolute" 5 'PATCH[0]' /etc/passwd <<<"$basic_conf PATCH[0]=/etc/passwd"
	conf "patch: leads out" 5 'PATCH[0]' '../../dkms.conf' <<<"$basic_conf PATCH[0]=../../dkms.conf"
	new_source <<<"$basic_conf PATCH[0]=none.patch"
	must add "${demo[@]}"
	try build "${demo[@]}" "${kernel[@]}"
	refused "patch: not there" 5 "demo 0.1" none.patch "$dkms_etc/demo/patches"
	new_source <<<"$basic_conf PATCH[0]=evil.patch"
	mkdir -p "$source/patches/evil.patch"
	must add "${demo[@]}"
	try build "${demo[@]}" "${kernel[@]}"
	patch_refused "patch: a directory" 6
}

# --- Scripts ---------------------------------------------------------------------------------------

# script DIRECTIVE: a source with this script, which is stdin, run by bash; MAKE is good.
script() {
	handing <<<"$handing_conf"$'\n'"$1=\"script.sh --evil\""
	{
		say '#!/bin/bash'
		cat
	} >"$source/script.sh"
	chmod +x "$source/script.sh"
}
build_script() {
	script "$@"
	must add "${demo[@]}"
	try build "${demo[@]}" "${kernel[@]}"
}
bad_scripts() {
	local name
	build_script PRE_BUILD <<<'rm good.ko; exit 0'
	refused "PRE_BUILD: takes away what MAKE needs" 10 "demo 0.1" good.ko
	build_script PRE_BUILD <<<'[ "$*" = --evil ] && [ ! -e demo.ko ]'
	done_well "PRE_BUILD: a good one"
	build_script POST_BUILD <<<'[ "$*" = --evil ] && [ -e demo.ko ]'
	done_well "POST_BUILD: a good one"
	for name in PRE_BUILD POST_BUILD; do
		build_script "$name" <<-END
			(setsid bash -c 'exec -a $marker perl -e "while (1) { open F, q(>demo.ko); print F q(evil) }"' &) >/dev/null 2>&1
		END
		ends "$name: a daemon that rewrites the module: ends with the build" '0|7|32|36' demo
		if [ -e "$built" ]; then
			module_payload "$built" >"$work/payload"
			holds "$name: a daemon that rewrites the module: does not get there" cmp -s "$work/payload" "$good"
		fi
		build_script "$name" <<<'kill -9 -1; kill -9 $PPID; exit 0'
		refused "$name: kills all it can" 10 "demo 0.1" "$name" killed
		# Nothing but the wall time of a build, an hour, ends this by itself.
		script "$name" <<<"(exec -a $marker sleep 300) & f() { f | f & wait; }; f"
		must add "${demo[@]}"
		interrupt=(--interrupt "$marker")
		try build "${demo[@]}" "${kernel[@]}"
		refused "$name: forks for ever, until Ctrl-C" 130 "demo 0.1" interrupted
		script "$name" <<<"exec -a $marker sleep 300"
		must add "${demo[@]}"
		interrupt=(--interrupt "$marker")
		try build "${demo[@]}" "${kernel[@]}"
		refused "$name: never ends, until Ctrl-C" 130 "demo 0.1" interrupted
		build_script "$name" <<<'exit 3'
		warned "$name: fails, which DKMS does not mind" "$name" 3
	done
	build_script PRE_BUILD <<<'exec perl -e "print qq(\e[2Jevil\n) x 100000 while 1"'
	refused "PRE_BUILD: a flood of output" 31 "demo 0.1" PRE_BUILD output
	script PRE_BUILD <<<:
	chmod -x "$source/script.sh"
	try build "${demo[@]}" "${kernel[@]}"
	warned "PRE_BUILD: not executable, which DKMS does not mind" PRE_BUILD script.sh 'not executable'
	handing <<<"$handing_conf"$'\n'"PRE_BUILD='../../../../../../bin/sh -c evil'"
	try build "${demo[@]}" "${kernel[@]}"
	warnings=1
	ends "PRE_BUILD: leads out of the source: runs in the sandbox, or not at all" '0|8' dkms.conf PRE_BUILD
	bad_module_trees
}
# POST_BUILD may write to the directory that the modules are taken from.
bad_module_trees() {
	local what
	for what in 'rm demo.ko; mkfifo demo.ko' 'ln -sf /etc/passwd demo.ko' 'ln demo.ko second' 'rm demo.ko; mkdir demo.ko' \
		'cd ..; rm -r module; ln -s /etc module' 'chmod 0 demo.ko'; do
		build_script POST_BUILD <<<"cd /var/lib/dkms/demo/0.1/$release/x86_64/module && $what"
		refused "POST_BUILD: $what" 7 "demo 0.1"
	done
	build_script POST_BUILD <<<"echo evil >/var/lib/dkms/demo/0.1/$release/x86_64/module/demo.ko"
	refused "POST_BUILD: another module in its place" '7|32' "demo 0.1"
}

bad_scripts_elsewhere() {
	local canary=$work/canary name
	script PRE_INSTALL <<<'exit 0'
	try install "${demo[@]}" "${kernel[@]}"
	warned "PRE_INSTALL: a good one" PRE_INSTALL script.sh
	echo safe >"$canary"
	for name in POST_ADD PRE_INSTALL POST_INSTALL POST_REMOVE; do
		script "$name" <<-END
			(setsid bash -c 'exec -a $marker sleep 300' &) >/dev/null 2>&1
			echo evil >$canary; echo evil >/var/lib/dkms/evil; echo evil >/lib/modules/evil; rm -rf /usr/src/*
			kill -9 -1
			exit 0
		END
		must install "${demo[@]}" "${kernel[@]}" --force
		[ "$name" != POST_REMOVE ] || must remove "${demo[@]}" "${kernel[@]}"
		problems=()
		[ "$(cat "$canary")" = safe ] || problem "it wrote to $canary"
		[ -e "$source/dkms.conf" ] || problem "it removed the source"
		[ ! -e "$world/dkms/evil" ] || problem "it wrote to the tree"
		check_clean
		conclude "$name: a daemon that writes and kills: reaches nothing, and ends"
	done
	script PRE_INSTALL <<<'exit 3'
	must build "${demo[@]}" "${kernel[@]}"
	try install "${demo[@]}" "${kernel[@]}"
	refused "PRE_INSTALL: says no" 101 demo/0.1 PRE_INSTALL 3 --force
	script POST_ADD <<<'exec perl -e "print qq(\e[2Jevil\n) x 100000 while 1"'
	try add "${demo[@]}"
	holds "POST_ADD: a flood of output: shown in bounds" test "$(stat -c %s "$work/out")" -lt $((8 << 20))
	: >"$work/out"
	warnings=$(wc -l <"$work/err")
	ends "POST_ADD: a flood of output" 0
	script POST_ADD <<<"exec -a $marker sleep 300"
	interrupt=(--interrupt "$marker")
	try add "${demo[@]}"
	problems=()
	one_of '0|130' "$code" || problem "exit code $code"
	check_clean
	conclude "POST_ADD: never ends, until Ctrl-C"
	if [ "${HOSTILE:-}" = all ]; then
		script POST_ADD <<<"sleep 600"
		try add "${demo[@]}"
		warnings=$(wc -l <"$work/err")
		ends "POST_ADD: never ends: its two minutes do" 0
	else
		skip "POST_ADD: never ends by itself: takes two minutes (HOSTILE=all)"
	fi
}

prepare
run_groups strange_texts refused_calls sizes strange_bytes options_as_names hostile_shell circles bad_patches bad_scripts \
	bad_scripts_elsewhere

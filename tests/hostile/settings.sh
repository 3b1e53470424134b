#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input, third part: what root says. Settings of modules, overrides of a dkms.conf, root's own
# patches and scripts, and framework.conf with every mistake that a person or a package can make:
# each is refused with the file's name, and where it has lines with the line, before anything is
# built. The same file without the mistake stands beside it.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "bad settings" "$@"

# A module that is added, with etc/$1 from stdin. MAKE can hand out the good module.
with_file() {
	new_build <<<'cp good.ko demo.ko'
	mkdir -p "$(dirname "$world/etc/$1")"
	cat >"$world/etc/$1"
}
build_it() { try build "${demo[@]}" "${kernel[@]}"; }

# --- modules.d -------------------------------------------------------------------------------------

ini=kmodbox/modules.d/demo.conf
# setting NAME LINE WORDS...: stdin is a file of settings that is refused for what stands in that line.
setting() {
	local name=$1 line=$2
	shift 2
	with_file $ini
	build_it
	refused "modules.d: $name" 1 "$settings/demo.conf:$line: " "$@"
}
module_settings() {
	with_file $ini <<-'END'
		; all there is
		[build]
		profile = strict
		source = writable
		environment = ONE=1
		environment = TWO=a b
		extra_outputs = build.sh
		[limits]
		wall = 30min
		processes = 256
		[scratch]
		size = 64M
		place = memory
	END
	build_it
	done_well "modules.d: a good one"
	with_file $ini </dev/null
	build_it
	done_well "modules.d: an empty one"
	setting "no section" 1 'no section' <<<'profile = strict'
	setting "another section" 2 '[evil]' <<<$'[evil]\nprofile = strict'
	setting "another key" 2 "'evil'" <<<$'[build]\nevil = yes'
	setting "neither section nor key" 3 'neither' <<<$'[build]\nprofile = strict\nwhat is this'
	setting "a section that does not end" 1 <<<'[build'
	setting "another profile" 2 "'root'" <<<$'[build]\nprofile = root'
	setting "a profile that leads out" 2 "'../strict'" <<<$'[build]\nprofile = ../strict'
	setting "an empty profile" 2 profile <<<$'[build]\nprofile ='
	setting "a key twice" 3 profile 'second time' <<<$'[build]\nprofile = strict\nprofile = network'
	setting "another source" 2 "'maybe'" <<<$'[build]\nsource = maybe'
	setting "depends on itself" 2 demo itself <<<$'[build]\ndepends = demo'
	setting "depends that is an option" 2 "'-rf'" <<<$'[build]\ndepends = -rf'
	setting "depends that leads out" 2 "'../etc'" <<<$'[build]\ndepends = ../etc'
	setting "environment: PATH" 2 PATH <<<$'[build]\nenvironment = PATH=/tmp'
	setting "environment: LD_PRELOAD" 2 LD_PRELOAD <<<$'[build]\nenvironment = LD_PRELOAD=/tmp/evil.so'
	setting "environment: BASH_ENV" 2 BASH_ENV <<<$'[build]\nenvironment = BASH_ENV=/tmp/evil'
	setting "environment: a function" 2 'BASH_FUNC' <<<$'[build]\nenvironment = BASH_FUNC_cp%%=() { evil; }'
	setting "environment: what DKMS sets" 2 kernelver <<<$'[build]\nenvironment = kernelver=evil'
	setting "environment: no assignment" 2 'NAME=VALUE' <<<$'[build]\nenvironment = evil'
	setting "environment: a name that is none" 2 'NAME=VALUE' <<<$'[build]\nenvironment = 1=2'
	setting "environment: twice" 3 ONE 'second time' <<<$'[build]\nenvironment = ONE=1\nenvironment = ONE=2'
	setting "extra_outputs: absolute" 2 /etc/shadow <<<$'[build]\nextra_outputs = /etc/shadow'
	setting "extra_outputs: leads out" 2 '../../evil' <<<$'[build]\nextra_outputs = ../../evil'
	setting "extra_outputs: a name of ours" 2 build.json <<<$'[build]\nextra_outputs = build.json'
	setting "extra_outputs: a module" 2 evil.ko <<<$'[build]\nextra_outputs = sub/evil.ko'
	setting "size: none" 2 "'much'" <<<$'[scratch]\nsize = much'
	setting "size: nothing" 2 "'0'" <<<$'[scratch]\nsize = 0'
	setting "size: negative" 2 "'-1G'" <<<$'[scratch]\nsize = -1G'
	setting "size: beyond 64 bits" 2 '99999999999999999999G' <<<$'[scratch]\nsize = 99999999999999999999G'
	setting "size: a unit that is none" 2 "'8T'" <<<$'[scratch]\nsize = 8T'
	setting "size: and the limit of scratch" 4 'second time' <<<$'[scratch]\nsize = 1G\n[limits]\nscratch = 1G'
	setting "limits: none of that name" 2 "'ram'" <<<$'[limits]\nram = 4G'
	setting "limits: no unit" 2 "'5'" 'h, min or s' <<<$'[limits]\nwall = 5'
	setting "limits: nothing" 2 "'0s'" <<<$'[limits]\nsilence = 0s'
	setting "limits: negative" 2 "'-1'" <<<$'[limits]\nprocesses = -1'
	setting "limits: beyond 64 bits" 2 '18014398509481984K' <<<$'[limits]\nmemory = 18014398509481984K'
	setting "limits: twice" 3 'second time' <<<$'[limits]\nwall = 1h\nwall = 2h'
	setting "place: another" 2 "'cloud'" <<<$'[scratch]\nplace = cloud'
	setting "escape bytes" 2 <<<$'[build]\nprofile = \e]0;evil\a\e[2J'
	setting "no UTF-8" 2 <<<$'[build]\n\xff\xfe = \xc0'
	setting "a NUL" 2 NUL < <(printf '[build]\nprofile = net\0work\n')
	setting "a line of 100,000 bytes" 2 < <(say '[build]' && printf 'environment = ONE=%0100000d\n' 0 | head -c 60000)
	setting "64 entries where 63 may be" 65 63 < <(
		say '[build]'
		for i in {1..64}; do say "environment = V$i=1"; done
	)
	with_file $ini <<<$'[build]\nextra_outputs = none.h'
	build_it
	refused "modules.d: an output that the build does not make" 7 "demo 0.1" none.h extra_outputs
	with_file $ini <<<$'[build]\ndepends = other'
	build_it
	refused "modules.d: a dependency that is not there" 13 other 'not added'
	with_file $ini <<<$'[scratch]\nsize = 1K'
	build_it
	refused "modules.d: a scratch too small for the source" 31 "demo" 'No space left' "'size = 16G'" "$settings/demo.conf"
	with_file $ini <<<$'[build]\nleave_out = nosuch'
	build_it
	warned "modules.d: leave_out of what is no module" "leave_out 'nosuch'" "no module of demo/0.1"
}

# --- profiles.d ------------------------------------------------------------------------------------


# with_own: stdin is profiles.d/own.conf, which the module builds with.
with_own() {
	with_file $ini <<<$'[build]\nprofile = own'
	mkdir -p "$world/etc/kmodbox/profiles.d"
	cat >"$world/etc/kmodbox/profiles.d/own.conf"
}
# profile NAME LINE WORDS...: stdin is a profile that is refused for what stands in that line, by a build
# and by a check.
profile() {
	local name=$1 line=$2 file
	shift 2
	with_own
	file=$world/etc/kmodbox/profiles.d/own.conf
	build_it
	refused "profiles.d: $name" 1 "$settings/demo.conf:2: " "$file:$line: " "$@"
	if "$kmodbox" profile check "$file" --configdir "$world/etc/kmodbox" >"$work/out" 2>"$work/err"; then
		fail "profile check: $name: taken"
	elif grep -aF -- "$file:$line: " "$work/err" | head -n 1 | grep -aq "^$file:" && [ ! -s "$work/out" ]; then
		pass "profile check: $name"
	else
		fail "profile check: $name: $(cat -v "$work/err")"
	fi
}
record_has() {
	holds "$1" python3 -c '
import json, sys
record = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2], {"record": record}))' \
		"$world/dkms/demo/0.1/$release/x86_64/build.json" "$2"
}
# told_as_json NAME CODE PYTHON ACTION...: of what `profile ACTION --json` prints, as told
told_as_json() {
	local name=$1 wanted=$2 condition=$3
	shift 3
	code=0
	"$kmodbox" profile "$@" --json --configdir "$world/etc/kmodbox" >"$work/out" 2>"$work/err" || code=$?
	holds "profile $1 --json: $name" python3 -c '
import json, sys
told = json.load(open(sys.argv[1]))
by_name = {one.get("name"): one for one in told.get("profiles", [])}
same = told["schema"] == "kmodbox-profile" and told["schema_version"] == 1
sys.exit(not (same and sys.argv[3] == sys.argv[4] and eval(sys.argv[2], {"told": told, "by_name": by_name})))' \
		"$work/out" "$condition" "$code" "$wanted"
}
profiles_as_json() {
	local place=$world/etc/kmodbox/profiles.d
	with_own <<<$'[profile]\nextend = network\noptional = landlock\n[limits]\nwall = 30min\nlog = 1M'
	told_as_json "all of them, sorted" 0 'list(by_name) == sorted(by_name) == ["compat", "network", "own", "strict"]' list
	told_as_json "where from and what for" 0 '(by_name["own"]["path"], by_name["own"]["description"], by_name["strict"]["path"]) == ("'"$place"'/own.conf", None, None)' list
	told_as_json "what is in force" 0 '[list(by_name), by_name["own"]["hermetic"], by_name["own"]["optional"], by_name["own"]["seccomp"], by_name["own"]["source"]] == [["own"], False, ["landlock"], "network.seccomp", "read-only"]' show own
	told_as_json "limits as records have them" 0 '[by_name["own"]["limits"][key] for key in ("wall_seconds", "log_bytes", "artifacts")] == [1800, 1 << 20, 1024]' show own
	told_as_json "a good file" 0 'told["check"] == {"file": "'"$place"'/own.conf", "problem": None}' check "$place/own.conf"
	say $'[profile]\n\e[2J = 1' >"$place/own.conf"
	told_as_json "a bad file" 1 'told["check"]["problem"].startswith("'"$place"'/own.conf:2: ")' check "$place/own.conf"
	told_as_json "a bad one hides no other" 1 '"own.conf:2: " in by_name["own"]["problem"] and by_name["strict"]["problem"] is None' list
	told_as_json "nothing that drives a terminal" 1 'not any(ord(byte) < 32 or ord(byte) > 126 for byte in by_name["own"]["problem"])' list
}
profiles() {
	with_own <<-'END'
		; all there is
		[profile]
		description = for a test
		extend = strict
		seccomp = own.seccomp
		network = no
		source = writable
		optional = own /proc, landlock , refused calls are seen, cgroup
		[limits]
		wall = 30min
		processes = 300
		scratch = 100M
	END
	say 'extend build.seccomp' >"$world/etc/kmodbox/profiles.d/own.seccomp"
	build_it
	done_well "profiles.d: a good one"
	record_has "profiles.d: the record names it" \
		'record["inputs"]["profile"]["name"] == "own" and record["hermetic"] and "profile = own" in record["inputs"]["settings"]["exceptions"]'
	record_has "profiles.d: its limits were in force" \
		'(record["limits"]["wall_seconds"], record["limits"]["processes"], record["limits"]["scratch_bytes"]) == (1800, 300, 100 << 20)'
	say $'[build]\nprofile = own\n[limits]\nprocesses = 299' >"$world/etc/$ini"
	try build "${demo[@]}" "${kernel[@]}" --force
	done_well "modules.d: limits beside those of a profile"
	record_has "modules.d: its limits come first" \
		'(record["limits"]["wall_seconds"], record["limits"]["processes"]) == (1800, 299) and "processes = 299" in record["inputs"]["settings"]["exceptions"]'
	with_own <<<$'[profile]\nextend = network'
	build_it
	done_well "profiles.d: one with the network"
	record_has "profiles.d: with the network nothing is hermetic" 'not record["hermetic"]'
	profile "empty" 1 </dev/null
	profile "no policy" 1 seccomp <<<$'[profile]\nnetwork = no'
	profile "a policy that is not there" 2 none.seccomp <<<$'[profile]\nseccomp = none.seccomp'
	profile "a policy that leads out" 2 "'../own.seccomp'" <<<$'[profile]\nseccomp = ../own.seccomp'
	profile "extends one that is not there" 2 "'none'" <<<$'[profile]\nextend = none'
	profile "extends itself" 2 "'own'" <<<$'[profile]\nextend = own'
	profile "extends out" 2 "'../strict'" <<<$'[profile]\nextend = ../strict'
	profile "another section" 2 '[evil]' <<<$'[evil]\nextend = strict'
	profile "another key" 3 "'evil'" <<<$'[profile]\nextend = strict\nevil = yes'
	profile "another layer" 2 "'seccomp'" <<<$'[profile]\noptional = seccomp'
	profile "a limit that is none" 2 "'much'" <<<$'[limits]\nmemory = much'
	profile "escape bytes" 2 <<<$'[profile]\ndescription = \e]0;evil\a\e[2J'
	profile "a NUL" 2 NUL < <(printf '[profile]\nextend = str\0ict\n')
	say $'[profle]\nextend = strict' >"$work/elsewhere.conf"
	code=0
	"$kmodbox" profile check "$work/elsewhere.conf" 2>"$work/err" || code=$?
	holds "profile check: a mistyped section" test "$code:$(cat "$work/err")" = \
		"1:$work/elsewhere.conf:2: there is no section [profle]: it is [profile] or [limits]"
	code=0
	: >"$work/elsewhere.conf"
	"$kmodbox" profile check "$work/elsewhere.conf" 2>"$work/err" || code=$?
	holds "profile check: an empty file: 1, not $code" test "$code" -eq 1
	holds "profile check: an empty file is told" grep -q "conf:1: it is empty" "$work/err"
	with_own <<<$'[profile]\nseccomp = own.seccomp'
	say 'allow the_moon' >"$world/etc/kmodbox/profiles.d/own.seccomp"
	build_it
	refused "profiles.d: a policy that is none" 1 own.seccomp:1: the_moon
}

# --- Files of root's, whatever is in them ------------------------------------------------------------

# bad_files NAME FILE CODE COMMAND...: below etc, with what it holds as stdin; COMMAND reads it.
bad_files() {
	local name=$1 file=$2 path=$world/etc/$2 codes=$3 content
	shift 3
	content=$(cat)
	with_file "$file" <<<"$content"
	try "$@"
	done_well "$name: a good one"
	chmod 0666 "$path"
	try "$@"
	refused "$name: writable by others" "$codes" "$path" writ
	chmod 0644 "$path"
	mv "$path" "$path.real"
	ln -s "${path##*/}.real" "$path"
	try "$@"
	refused "$name: a link" "$codes" "$path" link
	rm "$path"
	mkdir "$path"
	try "$@"
	refused "$name: a directory" "$codes" "$path" directory
	rmdir "$path"
	mkfifo "$path"
	try "$@"
	refused "$name: a FIFO" "$codes" "$path"
	rm "$path"
	mv "$path.real" "$path"
	truncate -s 100M "$path"
	try "$@"
	refused "$name: 100 MiB" "$codes" "$path" large
	say "$content" >"$path"
	if [ "$can_become" = yes ]; then
		chown nobody "$path"
		try "$@"
		refused "$name: another user's" "$codes" "$path" root
		chown root "$path"
		chmod 0600 "$path"
		try "$@"
		ends "$name: not readable for kmodbox's account" "0|$codes" "$path" readable
	else
		skip "$name: another user's: only root can make it"
		chmod 0 "$path"
		try "$@"
		refused "$name: not readable" "$codes" "$path" read
	fi
	chmod 0644 "$path"
	try "$@"
	done_well "$name: a good one again"
}
# bad_directories NAME FILE CODE DIRECTORY...: an empty file below etc, and directories on the way to it
# in which others may write, so that it could be theirs.
bad_directories() {
	local name=$1 file=$2 codes=$3 directory path
	shift 3
	with_file "$file" </dev/null
	for directory; do
		path=$world/$directory
		chmod 0775 "$path"
		build_it
		refused "$name: its group may write to $directory" "$codes" "$path" chmod
		chmod 0757 "$path"
		build_it
		refused "$name: others may write to $directory" "$codes" "$path" chmod
		chmod 0755 "$path"
		if [ "$can_become" = yes ]; then
			chown nobody "$path"
			build_it
			refused "$name: $directory is another user's" "$codes" "$path" root
			chown root "$path"
		fi
	done
	build_it
	done_well "$name: directories of root's alone"
}
files() {
	local building=(build "${demo[@]}" "${kernel[@]}" --force) name
	bad_files "modules.d" $ini 1 "${building[@]}" <<<$'[build]\nprofile = strict'
	with_own <<<$'[profile]\nextend = strict'
	bad_files "profiles.d" kmodbox/profiles.d/strict.conf 1 "${building[@]}" <<<$'[profile]\nextend = strict'
	bad_files "override" dkms/demo-0.1.conf 8 "${building[@]}" <<<'STRIP[0]=yes'
	bad_files "framework.conf" dkms/framework.conf 1 "${building[@]}" <<<'parallel_jobs=1'
	bad_files "framework.conf.d" dkms/framework.conf.d/one.conf 1 "${building[@]}" <<<'parallel_jobs=1'
	bad_directories "modules.d" $ini 1 etc etc/kmodbox etc/kmodbox/modules.d
	bad_directories "framework.conf.d" dkms/framework.conf.d/one.conf 1 etc/dkms etc/dkms/framework.conf.d
	bad_directories "patches" dkms/demo/patches/one.patch 1 etc/dkms/demo etc/dkms/demo/patches
	for name in modules.d dkms/framework.conf.d; do
		with_file $ini </dev/null
		rm -rf "$world/etc/kmodbox/modules.d"
		if [ $name = modules.d ]; then
			say evil >"$world/etc/kmodbox/modules.d"
			build_it
			ends "$name is a file" '0|1' modules.d
		else
			say evil >"$world/etc/$name"
			build_it
			ends "$name is a file" '0|1' framework.conf.d
		fi
	done
	with_file dkms/demo </dev/null
	build_it
	done_well "a file where root's patches would be"
}

# --- Overrides, patches and scripts of root's --------------------------------------------------------

# override NAME CODE WORDS...: stdin
override() {
	local name=$1 codes=$2
	shift 2
	with_file dkms/demo.conf
	build_it
	refused "override: $name" "$codes" "$@"
}
overrides() {
	with_file dkms/demo--"$release".conf <<<'MAKE="cp good.ko demo.ko; echo by override"'
	build_it
	done_well "override: a good one"
	holds "override: it counts" grep -q 'by override' "$world/dkms/demo/0.1/$release/x86_64/log/make.log"
	with_file dkms/demo.conf < <(printf 'STRIP[0]=yes\r\n# \xff\0\n')
	build_it
	done_well "override: CRLF, and a NUL in a comment"
	override "not shell" 8 'not valid shell' 'syntax error' "bash said: $dkms_etc/demo.conf: line " <<<'if ('
	override "a bad value" 8 "$dkms_etc/demo.conf" AUTOINSTALL maybe <<<'AUTOINSTALL=maybe'
	with_file dkms/demo.conf <<<$'AUTOINSTAL=no\nPLACE=/updates\nDEST_MODULE_LOCATION[0]=$PLACE'
	build_it
	warned "overrides: a mistyped directive" "$dkms_etc/demo.conf" AUTOINSTAL 'no directive'
	override "loops" 31 'CPU time' <<<'while :; do :; done'
	override "exits" 8 exit <<<'exit 0'
	override "another name" 8 PACKAGE_NAME other <<<'PACKAGE_NAME=other'
	override "leads out" 8 'DEST_MODULE_LOCATION[0]' <<<'DEST_MODULE_LOCATION[0]=/updates/../../etc'
	override "adds a module that was never approved" '7|36' evil \
		<<<'BUILT_MODULE_NAME[1]=evil DEST_MODULE_LOCATION[1]=/updates MAKE="cp good.ko demo.ko; cp good.ko evil.ko"'
	with_file dkms/demo/patches/one.patch <<<$'--- a/one\n+++ b/one\n@@ -1 +1 @@\n-one\n+two'
	sed -i 's/^BUILT.*/& PATCH[0]=one.patch/' "$source/dkms.conf"
	say one >"$source/one"
	must add "${demo[@]}" --force
	build_it
	done_well "a patch of root's: a good one"
	rm "$dkms_etc/demo/patches/one.patch"
	ln -s /etc/passwd "$dkms_etc/demo/patches/one.patch"
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "a patch of root's: a link" 1 "$dkms_etc/demo/patches/one.patch"
}

# --- framework.conf --------------------------------------------------------------------------------

# framework NAME CODE WORDS...: stdin
framework() {
	local name=$1 codes=$2
	shift 2
	with_file dkms/framework.conf
	build_it
	refused "framework.conf: $name" "$codes" framework.conf "$@"
}
# Status needs the places of the trees, if they are not given, and says nothing of the rest.
status_of_frameworks() {
	local given=("${trees[@]}") trees=("${trees[@]}") kmodbox=$kmodbox
	with_file dkms/framework.conf <<<'exit 0'
	try status "${demo[@]}"
	done_well "status: all trees are given, framework.conf is not asked"
	trees=()
	while [ ${#given[@]} -gt 0 ]; do
		[ "${given[0]}" = --dkmstree ] || trees+=("${given[@]:0:2}")
		given=("${given[@]:2}")
	done
	try status "${demo[@]}"
	refused "status: a framework.conf that exits" 1 framework.conf 'not call exit'
	say "dkms_tree=\"$world/dkms\" sign_file=/evil parallel_jobs=many" >"$dkms_etc/framework.conf"
	try status "${demo[@]}"
	done_well "status: its tree is in framework.conf"
	holds "status: shows what is in it" grep -qFx 'demo/0.1: added' "$work/out"
	if [ "$can_mount" = no ] || ! unshare -U -r bash -c 'echo 0 >/proc/sys/user/max_user_namespaces'; then
		skip "status: where no sandbox can be made: only root can have that here"
		return
	fi
	cat >"$work/nowhere" <<-END
		#!/bin/bash
		exec unshare -U -r bash -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "\$@"' - "$kmodbox" "\$@"
	END
	chmod 755 "$work/nowhere"
	kmodbox=$work/nowhere
	try status "${demo[@]}"
	done_well "status: where no sandbox can be made"
	holds "status: where no sandbox can be made: the same" grep -qFx 'demo/0.1: added' "$work/out"
	say "dkms_tree=\$(echo '$world/dkms')" >"$dkms_etc/framework.conf"
	try status "${demo[@]}"
	refused "status: where no sandbox can be made, a framework.conf that takes one" 30 \
		framework.conf 'lines of NAME=VALUE'
}
# Root's own words are evaluated under an account of their own: a build, or an orchestrator that was
# taken over, must not reach into the shell that says what root's next run does.
account_of_frameworks() {
	local apart built_by orchestrated_by
	if [ "$can_become" = no ]; then
		skip "framework.conf: an account apart: only root has several"
		return
	fi
	# Whose the shell is outside of its user namespace, in which it is root.
	# shellcheck disable=SC2016 # for that shell
	framework "an account apart" 1 "parallel_jobs='uid-" "-root0'" \
		<<<'read -r inside outside rest </proc/self/uid_map; parallel_jobs=uid-$outside-root$inside'
	apart=$(grep -aoP "uid-\K\d+(?=-root0')" "$work/err" || true)
	# shellcheck disable=SC2016 # for another one
	new_build <<<'read -r inside outside rest </proc/self/uid_map; echo "built by $outside."; cp good.ko demo.ko'
	build_it
	built_by=$(grep -aoP 'built by \K\d+' "$world/dkms/demo/0.1/$release/x86_64/log/make.log" || true)
	orchestrated_by=$(id -u kmodbox 2>/dev/null || say 2000000000) # orchestrator/accounts.c
	if [[ ${built_by:-0} -gt 0 && ${apart:-0} -gt 0 && $apart != "$built_by" &&
		$apart != "$orchestrated_by" ]]; then
		pass "framework.conf: an account apart: $apart, where $built_by builds"
	else
		fail "framework.conf: an account apart: ${apart:-none}, where ${built_by:-nobody} builds"
	fi
}
frameworks() {
	with_file dkms/framework.conf <<<$'# nothing\n\nparallel_jobs="2"\nverbose=""'
	build_it
	done_well "framework.conf: a good one"
	with_file dkms/framework.conf <<<'sign_file=/evil'
	build_it
	warned "framework.conf: what has no effect here" sign_file
	framework "not shell" 1 'syntax' <<<'if ('
	framework "loops" 1 'CPU time' <<<'while :; do :; done'
	framework "exits" 1 'not call exit' <<<'exit 0'
	framework "exits as our own shell does" 1 'not call exit' <<<'exit 77'
	framework "becomes another program" 1 'not call exit' <<<'exec true'
	with_file dkms/framework.conf.d/last.conf <<<$'verbose=\nexit 77'
	build_it
	refused "framework.conf.d: exits" 1 framework.conf.d/last.conf 'not call exit'
	with_file dkms/framework.conf.d/middle.conf <<<'break'
	say $'parallel_jobs=read-$(:)' >"$dkms_etc/framework.conf.d/next.conf"
	build_it
	refused "framework.conf.d: a break: the files behind it are read" 1 parallel_jobs read-
	if refusals_are_seen; then
		with_file dkms/framework.conf <<<$'unshare -U true\nunshare -U true'
		build_it
		warned "framework.conf: what it was refused is told" 'framework.conf tried, and was refused: unshare CLONE_NEWUSER x2'
	else
		skip "framework.conf: what it was refused is told: what runs this suite supervises calls itself"
	fi
	framework "a NUL" '0|1' < <(printf 'parallel_jobs=1\0\n')
	framework "jobs that are no number" 1 parallel_jobs many <<<'parallel_jobs=many'
	framework "a flood" '1|31' <<<'for i in {1..70000}; do printf "\e[2Jevil"; done'
	framework "a value of 1 MiB" 1 <<<'printf -v tmp_location %01048576d 0; printf -v dkms_tree %01048576d 0'
	with_file dkms/framework.conf <<<"build_environment=$world/etc/dkms/environment"
	build_it
	done_well "framework.conf: a build_environment that is not there, which DKMS does not mind"
	mkdir "$dkms_etc/environment"
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "framework.conf: a build_environment that is a directory" '1|35' build_environment
	rmdir "$dkms_etc/environment"
	say 'false; exit 3' >"$dkms_etc/environment"
	try build "${demo[@]}" "${kernel[@]}" --force
	refused "framework.conf: a build_environment that exits" '1|10' "$release" environment 'only set'
	say 'if (' >"$dkms_etc/environment"
	try build "${demo[@]}" "${kernel[@]}" --force
	ends "framework.conf: a build_environment that is not shell" '0|1|10' "demo 0.1" environment
	with_file dkms/framework.conf <<<'build_environment=../evil'
	build_it
	refused "framework.conf: a build_environment that is relative" 1 build_environment ../evil
	with_file dkms/framework.conf <<<"echo evil >$work/canary; (exec -a $marker sleep 300) & kill -9 -1"
	build_it
	ends "framework.conf: writes, forks and kills" '0|1|8' framework.conf
	holds "framework.conf: writes, forks and kills: reaches nothing" test ! -e "$work/canary"
	with_file dkms/no-autoinstall </dev/null
	try autoinstall "${kernel[@]}"
	done_well "no-autoinstall: is heard"
	status_of_frameworks
	account_of_frameworks
}

prepare
run_groups module_settings profiles profiles_as_json files overrides frameworks

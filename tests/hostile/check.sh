#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `kmodbox check` and `kmodbox imports`, the commands: of files that are sound, that are none, and that are made to cost
# (tests/hostile/expensive.c). What kernels make of modules is the oracle's (tests/oracle).
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "kmodbox check" "$@"

expensive=$build/tests/hostile/expensive
mutate=$build/tests/oracle/mutate
module=$work/demo.ko

# verdict NAME CODE WORDS...: about one file, of which nothing is said on stderr but warnings.
verdict() {
	local name=$1 wanted=$2 word
	shift 2
	problems=()
	[ "$code" -eq "$wanted" ] || problem "exit code $code, not $wanted"
	[ -z "$(complaint)" ] || problem "stderr is not empty"
	for word; do
		grep -aF -- "$word" "$work/out" >/dev/null || problem "it is not said: '$word'" "$(head -n 3 "$work/out" | cut -c 1-300)"
	done
	cmp -s "$work/before" "$work/after" || problem "state changed"
	check_clean
	conclude "$name"
}
check() { try check "$@" "${kernel[@]}"; }
# json NAME EXPRESSION: of what --json printed, as "it".
json() {
	holds "$1" python3 -c "import json, sys
it = json.load(open(sys.argv[1]))
assert $2, it" "$work/out"
}

sound() {
	local packed
	fresh
	warnings=1 # the headers' root has no module of which the size could be taken
	cp "$good" "$module"
	check "$module"
	verdict "a sound module" 0 "$module will load on $release"
	cp "$built" "$work/signed.ko" 2>/dev/null || cp "$good" "$work/signed.ko"
	for packed in "xz --check=crc32" "gzip" "zstd -q"; do
		$packed -kf "$module"
	done
	check "$module" "$module.xz" "$module.gz" "$module.zst"
	verdict "packed in every way, and several at once" 0 "$module.xz will load" "$module.gz will load" "$module.zst will load"
	check --json "$module.xz"
	json "--json: one is an object" "it['verdict'] == 'will-load' and it['module'] == 'demo' and it['errno'] is None and it['exit_code'] == 0 and it['kernel'] == '$release' and '_printk' in it['imports']"
	check --json "$module" "$module.gz"
	json "--json: several are a list" "[one['verdict'] for one in it] == ['will-load'] * 2"
	mkdir -p "$work/other name"
	cp "$module" "$work/other name/Demo.ko"
	check "$work/other name/Demo.ko"
	verdict "called otherwise than it is" 36 "policy"
	warnings=0
	try check "$module" -k 9.9.9-none --kernel-root "$kernels/6.1"
	refused "a kernel without headers" 21 9.9.9-none linux-headers-9.9.9-none
	try check "$module" -k "$release" --kernel-root "$work/none"
	refused "a kernel root that is not there" '1|21|35' "$work/none"
	try check "${kernel[@]}"
	refused "no file" 1 check
}

# explained NAME MUTATION CODE WORDS...
explained() {
	local name=$1 mutation=$2
	shift 2
	"$mutate" "$good" "$mutation" "$module" || die "cannot make $mutation"
	check "$module"
	verdict "$name" "$@"
}

reasons() {
	fresh
	warnings=1
	explained "the wrong machine" machine_aarch64 32 "will not load on $release" "Invalid architecture in ELF header" ENOEXEC
	explained "cut short" truncated_60 32 "will not load on $release" ENOEXEC
	sed 's/license=GPL/license=Foo/' "$good" >"$module"
	check "$module"
	verdict "a license that the kernel does not know" 0 "will load" "module license 'Foo' taints kernel"
	sed 's/license=GPL/license=G\x1b[/' "$good" >"$module"
	check "$module"
	verdict "escapes in a license" 0 "module license 'G?['"
	check --json "$module"
	json "--json: escapes in a license" "it['license'] == 'G?[' and chr(27) not in open(sys.argv[1]).read()"
}

files() {
	local odd
	fresh
	warnings=1
	cp "$good" "$module"
	check "$work/none.ko"
	refused "a file that is not there" 2 "$work/none.ko" "No such file"
	check "$work"
	refused "a directory" 2 "no regular file"
	mkfifo "$work/fifo.ko"
	check "$work/fifo.ko"
	refused "a FIFO" 2 "no regular file"
	check /dev/null
	refused "a device" 2 "no regular file"
	cp "$module" "$work/demo"
	check "$work/demo"
	refused "called like no module" 1 "$work/demo" .ko
	: >"$work/empty.ko"
	check "$work/empty.ko"
	verdict "an empty file" 32 EINVAL
	truncate -s 300M "$work/large.ko"
	check "$work/large.ko"
	refused "a file larger than any module" 32 "$work/large.ko" bytes
	truncate -s 200M "$work/large.ko"
	check "$work/large.ko"
	verdict "200 MiB of zeros" 32 ENOEXEC
	rm "$work/large.ko"
	ln -s "$module" "$work/link.ko"
	check "$work/link.ko"
	verdict "a link, and another name than the module's" 36 "policy"
	odd=$work/$'a\e[2J\nb.ko'
	cp "$module" "$odd"
	check "$odd"
	problems=()
	[ "$code" -eq 36 ] || problem "exit code $code, not 36"
	check_clean
	conclude "escapes in a name"
	check --json "$odd"
	json "--json: escapes in a name" "it['verdict'] == 'policy'"
	cp "$module" "$work/-k.ko"
	code=0
	(cd "$work" && "$kmodbox" check "${kernel[@]}" -- -k.ko >"$work/out" 2>"$work/err") || code=$?
	holds "a name like an option" test "$code" -eq 36
	check "$work/none.ko" "$module"
	problems=()
	[ "$code" -eq 2 ] || problem "exit code $code, not 2"
	grep -F "$module will load" "$work/out" >/dev/null || problem "the other file's verdict is not there"
	conclude "one that is not there, and one that is"
	if [ -w /dev/full ]; then
		code=0
		"$kmodbox" check --json "$module" "${kernel[@]}" >/dev/full 2>"$work/err" || code=$?
		holds "a full standard output" test "$code" -eq 35
	fi
}

# Whatever a file is made for, there is a verdict, within the reader's bounds of time and memory.
cost() {
	local kind wanted said packed bytes
	fresh
	warnings=1
	while read -r kind wanted said; do
		"$expensive" "$kind" "$good" "$module" || die "cannot make $kind"
		check "$module"
		verdict "made to cost: $kind" "$wanted" "$said"
	done <<-'END'
		modinfo 36 more than 4 MiB
		relocations 0 will load
		versions 0 will load
		collisions 0 will load
		sections 0 will load
		long-name 36 takes more time
	END
	for packed in "xz --check=crc32" "xz -9 --check=crc32" gzip "zstd -q"; do
		bytes=$((192 << 20))
		head -c "$bytes" /dev/zero | $packed -c >"$work/demo.ko.${packed:0:2}"
		mv "$work/demo.ko.${packed:0:2}" "$work/bomb.ko.$(case $packed in xz*) say xz ;; gz*) say gz ;; *) say zst ;; esac)"
		check "$work"/bomb.ko.*
		verdict "192 MiB of zeros by $packed" 36 "more memory"
		rm "$work"/bomb.ko.*
	done
}

imports() {
	fresh
	warnings=0
	cp "$good" "$module"
	try imports "$module"
	verdict "imports: a module" 0 "$module imports " "messages: writes to the kernel's log" _printk
	xz --check=crc32 -kf "$module"
	# Another symbol of the same length, in .strtab.
	sed 's/_printk/vfs_abc/g' "$good" >"$work/old.ko"
	try imports "$module.xz" --against "$work/old.ko"
	verdict "imports: what is new, and what is gone" 0 "imports 1 symbols that" _printk "and no more 1" "! files" vfs_abc
	try imports --json "$module" --against "$work/old.ko"
	json "imports --json" "it['added'] == ['_printk'] and it['removed'] == ['vfs_abc'] and '_printk' in [s for g in it['groups'] if g['name'] == 'messages' for s in g['symbols']] and not [g for g in it['groups'] if g['attention']]"
	sed 's/_printk/a\x1b[2J\xc2\x9b/g' "$good" >"$work/old.ko"
	try imports "$work/old.ko"
	verdict "imports: escapes in a symbol" 0 "in no group" 'a?[2J??'
	try imports --json "$work/old.ko"
	json "imports --json: escapes in a symbol" "it['other'] == ['a?[2J??']"
	head -c 2000 "$good" >"$work/old.ko"
	try imports "$work/old.ko"
	refused "imports: a file cut short" 32 "$work/old.ko cannot be read"
	try imports "$module" --against "$work/none.ko"
	refused "imports: against a file that is not there" 2 "$work/none.ko" "No such file"
	try imports /dev/null
	refused "imports: a device" 2 "no regular file"
	try imports -a aarch64 "$module"
	refused "imports: another architecture" 32 "Invalid architecture"
}

prepare
run_groups sound reasons files cost imports

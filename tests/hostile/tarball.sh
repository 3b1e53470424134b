#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016 # what stands in single quotes is for other shells
# Bad input, fifth part: what comes from elsewhere. Archives that are bombs, git checkouts that are
# traps, and tarballs of ready builds, of which nothing is believed. Each group has a good one beside
# it. Bombs are small here: streams of zeros that are repeated, as the formats allow.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite "bad archives" "$@"

# --- Bombs -----------------------------------------------------------------------------------------

# A header alone, for content that comes from elsewhere: TYPE NAME SIZE
header() {
	# shellcheck disable=SC2016 # perl's
	perl -e 'my ($type, $name, $size) = @ARGV;
		my $field = $size < 8 ** 11 ? sprintf("%011o", $size) : pack("CxxxNN", 128, $size >> 32, $size & 0xffffffff);
		my $h = pack "a100a8a8a8a12a12a8a1a100a6a2a32a32a8a8a155x12", $name, "0000644", "0000000",
			"0000000", $field, "00000000000", " " x 8, $type, "", "ustar", "00", "root", "root", "0000001", "0000003", "";
		substr $h, 148, 8, sprintf "%06o\0 ", unpack "%32C*", $h;
		print $h' -- "$@"
}
top_member() { member 0 demo-0.1/dkms.conf "" "$basic_conf"; }
# bomb NAME CODE WORDS... : stdin becomes an archive with this name, which is not taken.
bomb() {
	local file=$work/$1
	fresh
	cat >"$file"
	try add "$file"
	shift
	refused "$@" "${file##*/}"
	rm "$file"
}
compressed_bombs() {
	local suffix tool zeros=$work/zeros
	head -c 32M /dev/zero >"$zeros"
	for suffix in gz xz zst bz2; do
		case $suffix in
		gz) tool=gzip ;;
		xz) tool="xz -0" ;;
		zst) tool="zstd -q -1" ;;
		bz2) tool=bzip2 ;;
		esac
		if ! command -v "${tool%% *}" >/dev/null 2>&1; then
			skip "archive: a bomb, .tar.$suffix: no ${tool%% *} here"
			continue
		fi
		{
			{
				top_member
				member 0 demo-0.1/zeros "" zeros
				head -c 1024 /dev/zero
			} | $tool -c
		} >"$work/good.tar.$suffix"
		fresh
		try add "$work/good.tar.$suffix"
		done_well "archive: a good one, .tar.$suffix"
		$tool -c <"$zeros" >"$zeros.packed"
		bomb "evil.tar.$suffix" "archive: a bomb of a gigabyte, .tar.$suffix" '9|31' < <(
			{
				top_member
				header 0 demo-0.1/zeros $((1 << 30))
			} | $tool -c
			for _ in {1..32}; do
				cat "$zeros.packed"
			done
			head -c 1024 /dev/zero | $tool -c
		)
	done
	rm -f "$zeros" "$zeros.packed" "$work"/good.tar.*
	bomb evil.tar "archive: 40 times compressed" 9 < <(
		perl -MIO::Compress::Gzip=gzip -e 'my $t = join "", <STDIN>; for (1 .. 40) { my $o; gzip \$t => \$o; $t = $o } print $t' < <(
			top_member
			head -c 1024 /dev/zero
		)
	)
}
# A zip of members of 64 MiB, all alike, packed to a thousandth: COUNT CONF. With "once" they are in it
# once, and its directory names them all.
# shellcheck disable=SC2016 # perl's
zip_bomb='use IO::Compress::RawDeflate qw(rawdeflate); use Compress::Zlib; my ($count, $conf, $once) = @ARGV;
	sub pack_up { my ($plain) = @_; my $packed; rawdeflate \$plain => \$packed;
		return ($packed, crc32($plain), length $packed, length $plain) }
	sub add { my ($name, $packed, @meta) = @_; my $at = length $out;
		$out .= pack("VvvvvvVVVvv", 0x04034b50, 20, 0, 8, 0, 33, @meta, length $name, 0) . $name . $packed;
		entry($name, $at, @meta); return $at }
	sub entry { my ($name, $at, @meta) = @_; $entries++;
		$list .= pack("VvvvvvvVVVvvvvvVV", 0x02014b50, 20, 20, 0, 8, 0, 33, @meta, length $name, 0, 0, 0, 0, 0, $at) . $name }
	add("demo-0.1/dkms.conf", pack_up($conf));
	my ($packed, @meta) = pack_up("\0" x ($count > 1 ? 64 << 20 : 1000)); my $at;
	for (1 .. $count) { if ($once && $at) { entry("demo-0.1/part$_", $at, @meta) } else { $at = add("demo-0.1/part$_", $packed, @meta) } }
	print $out, $list, pack("VvvvvVVv", 0x06054b50, 0, 0, $entries, $entries, length $list, length $out, 0)'
zip_bombs() {
	fresh
	perl -e "$zip_bomb" 1 "$basic_conf" >"$work/good.zip"
	try add "$work/good.zip"
	done_well "archive: a good one, .zip"
	bomb evil.zip "archive: a bomb of 3 GiB, .zip" '9|31' < <(perl -e "$zip_bomb" 48 "$basic_conf")
	fresh
	perl -e "$zip_bomb" 1000 "$basic_conf" once >"$work/evil.zip"
	try add "$work/evil.zip"
	ends "archive: a zip whose 1,000 members are the same bytes" '0|9|31' evil.zip
	holds "archive: a zip whose 1,000 members are the same bytes: are not 64 GB here" \
		test "$(du -sm "$world" | cut -f 1)" -lt 2100
	fresh
	{
		top_member
		perl -e "$zip_bomb" 48 x >"$work/inner.zip"
		header 0 demo-0.1/inner.zip "$(stat -c %s "$work/inner.zip")"
		cat "$work/inner.zip"
		head -c $((511 - ($(stat -c %s "$work/inner.zip") + 511) % 512)) /dev/zero
		head -c 1024 /dev/zero
	} >"$work/outer.tar"
	try add "$work/outer.tar"
	done_well "archive: a bomb in it is a file like others"
	bomb evil.zip "archive: a zip with a directory of nothing" 9 < <(printf 'PK\5\6%018d' 0 | tr 0 '\377')
	rm -f "$work"/*.zip "$work/outer.tar"
}
large_archives() {
	local many=250000
	[ "${HOSTILE:-}" != all ] || many=1000000
	# shellcheck disable=SC2016 # perl's
	bomb evil.tar.gz "archive: $many members" '9|31' < <(
		{
			top_member
			perl -e 'for (1 .. $ARGV[0]) { my $h = pack "a100a8a8a8a12a12a8a1a100a6a2a32a32a8a8a155x12", "demo-0.1/$_", "0000644",
				"0000000", "0000000", "00000000000", "00000000000", " " x 8, 0, "", "ustar", "00", "", "", "", "", "";
				substr $h, 148, 8, sprintf "%06o\0 ", unpack "%32C*", $h; print $h }' "$many"
			head -c 1024 /dev/zero
		} | gzip -1
	)
	bomb evil.tar "archive: a member of a terabyte" 9 zeros < <(
		top_member
		header 0 demo-0.1/zeros $((1 << 40))
		head -c 1M /dev/zero
	)
	archive "archive: nested 70 deep" 9 'more than 64' -- L ././@LongLink "" "demo-0.1/$(printf 'd/%.0s' {1..70})f" \
		-- 0 demo-0.1/f "" deep
	bomb evil.tar "archive: nested 10,000 deep" 9 < <(
		top_member
		member L ././@LongLink "" "demo-0.1/$(perl -e 'print "d/" x 10000')f"
		member 0 demo-0.1/f "" deep
		head -c 1024 /dev/zero
	)
	bomb evil.tar "archive: a name of 64 MiB" 9 < <(
		top_member
		header L ././@LongLink $((64 << 20))
		head -c 64M /dev/zero | tr '\0' a
		member 0 demo-0.1/f "" long
		head -c 1024 /dev/zero
	)
	bomb evil.tar "archive: a pax header of 64 MiB" 9 < <(
		top_member
		header x pax $((64 << 20))
		printf '67108864 path='
		head -c $((67108864 - 15)) /dev/zero | tr '\0' a
		printf '\n'
		member 0 demo-0.1/f "" long
		head -c 1024 /dev/zero
	)
	if truncate -s 1T "$work/hole" 2>/dev/null; then
		bomb evil.tar "archive: a hole of a terabyte" 9 hole < <(
			top_member
			tar -C "$work" --sparse --transform 's,^,demo-0.1/,' -cf - hole
		)
		rm "$work/hole"
	else
		skip "archive: a hole of a terabyte: this file system makes none"
	fi
	archive "archive: a file, and files below it" 9 'no directory' -- 0 demo-0.1/a "" a -- 0 demo-0.1/a/b "" b
	archive "archive: a member that is an option" 9 'no plain' -- 0 -rf "" evil -- 0 ../--force "" evil
	archive "archive: the end of a file of several volumes" 9 evil -- M demo-0.1/evil "" evil
}

# --- Git checkouts -----------------------------------------------------------------------------------

# A checkout of demo-0.1 in $checkout, with one commit; arguments: files to track, with content.
new_checkout() {
	fresh
	rm -rf "$checkout"
	mkdir "$checkout"
	say "$handing_conf" >"$checkout/dkms.conf"
	cp "$good" "$checkout/good.ko"
	while [ $# -gt 1 ]; do
		say "$2" >"$checkout/$1"
		shift 2
	done
	in_checkout init -q
	commit
}
in_checkout() {
	env -u GIT_DIR GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent git -C "$checkout" \
		-c init.defaultBranch=main -c user.name=nobody -c user.email=nobody@localhost -c commit.gpgsign=false "$@"
}
commit() {
	in_checkout add -A 2>/dev/null # it warns of line ends
	in_checkout commit -q --allow-empty -m one
}
take_checkout() { try add "$checkout"; }
no_canary() {
	if [ -e "$canary" ]; then
		fail "$1: it ran a command outside"
		rm "$canary"
	fi
}
trap_checkouts() {
	local what evil
	checkout=$work/checkout canary=$work/canary
	evil="touch $canary"
	if ! command -v git >/dev/null 2>&1; then
		skip "git checkouts: no git here"
		return
	fi
	new_checkout
	touch "$checkout/untracked"
	chmod 700 "$checkout"
	take_checkout
	done_well "git: a good checkout, nobody else's to read"
	problems=()
	grep "commit $(in_checkout rev-parse HEAD) .*not verified" "$work/out" >/dev/null ||
		problem "the commit is not named, or not as the repository's word"
	[ "$(diff -r "$checkout" "$source" 2>&1 | sed "s,$checkout,here,")" = "Only in here: .git
Only in here: untracked" ] || problem "it is not the tracked files"
	conclude "git: tracked files only, as they are"
	say '# changed' >>"$checkout/dkms.conf"
	try add "$checkout" --force "${demo[@]}"
	warned "git: what is not committed is said" 'not committed'

	# What a repository can have git run: in a sandbox, where the canary is not.
	new_checkout .gitattributes '* filter=evil diff=evil merge=evil' one one
	for what in core.fsmonitor core.pager core.editor core.sshCommand core.askPass diff.external core.hooksPath \
		filter.evil.clean filter.evil.smudge filter.evil.process diff.evil.textconv diff.evil.command tar.tar.command \
		tar.umask credential.helper gpg.program uploadpack.packObjectsHook alias.archive alias.status; do
		in_checkout config "$what" "$evil" 2>/dev/null || true
	done
	in_checkout config filter.evil.required true
	for what in pre-commit post-index-change post-checkout reference-transaction fsmonitor-watchman; do
		mkdir -p "$checkout/.git/hooks"
		printf '#!/bin/sh\n%s\n' "$evil" >"$checkout/.git/hooks/$what"
		chmod +x "$checkout/.git/hooks/$what"
	done
	touch "$checkout/one"
	sh -c "cd '$checkout' && GIT_CONFIG_GLOBAL=/dev/null git -c safe.directory='*' status" >/dev/null 2>&1 || true
	if [ -e "$canary" ]; then
		pass "git: settings, filters and hooks, outside of a sandbox: run what they like"
		rm "$canary"
	else
		skip "git: settings, filters and hooks, outside of a sandbox: this git runs none of them"
	fi
	take_checkout
	warnings=$(grep -ac '^kmodbox: warning: ' "$work/err" || true)
	ends "git: settings, filters and hooks that run commands" '0|9'
	no_canary "git: settings, filters and hooks that run commands"

	new_checkout .gitattributes $'*.c export-subst ident\n*.h text eol=crlf\n*.k filter=evil\n*.conf export-ignore' \
		one.c "\$Format:%H %(trailers) %d\$ \$Id\$" two.h two three.k three
	in_checkout config filter.evil.smudge 'tr a-z A-Z'
	problems=()
	in_checkout archive HEAD | tar -C "$work" -xf - one.c two.h three.k
	for what in one.c two.h three.k; do
		! cmp -s "$work/$what" "$checkout/$what" || problem "outside nothing acts on $what: this proves nothing"
		rm "$work/$what"
	done
	take_checkout
	[ "$(diff -r "$checkout" "$source" 2>&1 | sed "s,$checkout,here,")" = "Only in here: .git" ] ||
		problem "it is not what was committed"
	conclude "git: attributes do not change what was committed"
	new_checkout
	rm "$checkout/dkms.conf"
	commit
	take_checkout
	refused "git: a commit without dkms.conf" 4 dkms.conf
	new_checkout
	rm -rf "$checkout/.git"
	in_checkout init -q
	take_checkout
	refused "git: no commit yet" 9 'git archive says'
	new_checkout
	ln -s /etc/passwd "$checkout/evil"
	commit
	take_checkout
	refused "git: a tracked link that leads out" '8|9' evil 'symbolic link'
	new_checkout $'\e]0;evil\a' x
	take_checkout
	refused "git: a tracked name with escape bytes" '8|9' 'control characters'

	new_checkout
	mv "$checkout/.git" "$work/elsewhere"
	say "gitdir: $work/elsewhere" >"$checkout/.git"
	take_checkout
	refused "git: a .git that is a file" 2 .git 'git archive'
	rm "$checkout/.git"
	ln -s "$work/elsewhere" "$checkout/.git"
	take_checkout
	refused "git: a .git that is a link" 2 .git
	rm -rf "$checkout/.git" "$work/elsewhere"
	mkfifo "$checkout/.git"
	take_checkout
	refused "git: a .git that is a FIFO" 2 .git
	rm "$checkout/.git"
	mkdir "$checkout/.git"
	take_checkout
	refused "git: an empty .git" 9 checkout
	new_checkout
	rm -rf "$checkout/.git/refs" "$checkout/.git/HEAD"
	ln -s /etc/passwd "$checkout/.git/HEAD"
	take_checkout
	refused "git: a HEAD that leads out" 9 checkout
	new_checkout
	say /etc >"$checkout/.git/commondir"
	take_checkout
	refused "git: a commondir that leads out" 9 checkout
	new_checkout
	mv "$checkout/.git/objects" "$work/objects"
	mkdir -p "$checkout/.git/objects/info"
	say "$work/objects" >"$checkout/.git/objects/info/alternates"
	take_checkout
	refused "git: alternates that lead out" 9 checkout
	rm -rf "$work/objects"
	new_checkout
	in_checkout config core.worktree /etc
	printf '[include]\n\tpath = /etc/shadow\n\tpath = /dev/zero\n' >>"$checkout/.git/config"
	take_checkout
	warnings=$(grep -ac '^kmodbox: warning: ' "$work/err" || true)
	ends "git: a working tree and settings elsewhere" '0|9|31' checkout
	new_checkout
	find "$checkout/.git/objects" -type f -exec chmod u+w {} \; -exec sh -c 'printf evil >"$1"' sh {} \;
	take_checkout
	refused "git: damaged objects" 9 checkout
	new_checkout
	perl -e 'my $h = shift; print "# pack-refs with: peeled fully-peeled sorted\n"; printf "%s refs/heads/b%06d\n", $h, $_ for 1 .. 200000' \
		"$(in_checkout rev-parse HEAD)" >"$checkout/.git/packed-refs"
	take_checkout
	done_well "git: 200,000 branches"
	rm -rf "$checkout"
}

# --- Tarballs of ready builds ------------------------------------------------------------------------

# What mktarball makes, in the directory $load: the source, and a build for $release.
new_load() {
	fresh
	rm -rf "$load"
	mkdir -p "$load/dkms_source_tree" "$load/dkms_main_tree/$release/x86_64/"{module,log}
	say "$handing_conf" >"$load/dkms_source_tree/dkms.conf"
	cp "$good" "$load/dkms_source_tree/good.ko"
	cp "$good" "$module"
	say log >"$load/dkms_main_tree/$release/x86_64/log/make.log"
}
# pack_load [MEMBER-ARGUMENT...]: one more member that tar would not make
pack_load() {
	{
		(cd "$load" && tar -b 1 --owner=0 --group=0 --sort=name -cf - -- *) | head -c -1024
		[ $# -eq 0 ] || member "$@"
		head -c 1024 /dev/zero
	} >"$work/load.tar"
}
load_it() {
	pack_load
	try ldtarball "$work/load.tar" "${kernel[@]}" "$@"
}
# Nothing of it is there, not even the source.
load_refused() { refused "$@" load.tar; }
# not_loaded NAME CODE WORDS...: the source is added, but no build.
not_loaded() {
	local name=$1
	cp "$work/after" "$work/before"
	refused "$@" load.tar
	[ ! -e "$world/dkms/demo/0.1/$release" ] || fail "$name: there is a build"
}
bad_loads() {
	local tool in_module
	load=$work/load in_module=dkms_main_tree/$release/x86_64/module
	module=$load/$in_module/demo.ko
	new_load
	load_it
	done_well "ldtarball: a good one"
	problems=()
	module_payload "$built" | cmp -s - "$good" || problem "it is not the module of the tarball"
	tail -c 28 "$built" | grep -aq '~Module signature appended~' || problem "it is not signed"
	conclude "ldtarball: a good one is signed by us"
	for tool in gzip xz zstd; do
		command -v $tool >/dev/null 2>&1 || continue
		new_load
		$tool -q -f "$module" 2>/dev/null || $tool "$module"
		rm -f "$module"
		load_it
		done_well "ldtarball: a good one, its module by $tool"
	done
	new_load
	load_it
	load_it
	load_refused "ldtarball: what is added already" 8 demo/0.1 'already'
	load_it --force
	load_refused "ldtarball: --force without a name" 8 demo/0.1 --force
	load_it --force "${demo[@]}"
	done_well "ldtarball: --force with the name"

	new_load
	rm -rf "$load/dkms_source_tree"
	load_it
	load_refused "ldtarball: no dkms.conf" 7 dkms.conf
	mkdir "$load/dkms_binaries_only"
	say "$handing_conf" >"$load/dkms_binaries_only/dkms.conf"
	load_it
	load_refused "ldtarball: builds without a source" 2 demo/0.1
	new_load
	load_it -m other -v 0.1
	load_refused "ldtarball: another name than it was asked for" 8 PACKAGE_NAME demo other
	new_load
	say "${handing_conf/=demo/=-rf}" >"$load/dkms_source_tree/dkms.conf"
	load_it
	load_refused "ldtarball: a name that is an option" 8 PACKAGE_NAME -rf
	new_load
	say 'while :; do :; done' >"$load/dkms_source_tree/dkms.conf"
	load_it
	load_refused "ldtarball: a dkms.conf that loops" 31 dkms.conf 'CPU time'
	hostile_members "$in_module"

	load_verdicts "$in_module"
	load_kernels
	new_load
	head -c 3000 /dev/urandom >"$work/load.tar"
	try ldtarball "$work/load.tar" "${kernel[@]}"
	load_refused "ldtarball: no archive" 9 'no archive'
	cp "$work/load.tar" "$work/load.rpm"
	try ldtarball "$work/load.rpm" "${kernel[@]}"
	refused "ldtarball: an rpm package" 9 load.rpm rpm autoinstall
	load_over_others
	load_versions
	rm -rf "$load" "$work"/load.*
}
# What the checker says of its modules.
load_verdicts() {
	local in_module=$1 what
	for what in 'head -c 3000 good.ko' 'head -c 5000 /dev/zero' ': empty' "sed '/vermagic=/s/ SMP / XMP /' good.ko" \
		"sed 's/_printk/_prinzz/g' good.ko"; do
		new_load
		(cd "${good%/*}" && bash -c "$what") >"$module"
		load_it
		not_loaded "ldtarball: a module that would not load: $what" '7|9|32' demo "$release"
	done
	new_load
	sed 's/name=demo/name=evil/' "$good" >"$module"
	load_it
	not_loaded "ldtarball: a module of another name" 36 demo name
	new_load
	say "BUILT_MODULE_NAME[1]=two DEST_MODULE_LOCATION[1]=/extra" >>"$load/dkms_source_tree/dkms.conf"
	load_it
	not_loaded "ldtarball: one of two modules" 7 two
	new_load
	sed 's/vermagic=6\.1/vermagic=6.9/' "$good" >"$module"
	load_it
	not_loaded "ldtarball: a module for another kernel" 36 demo "built for kernel '6.9"
	new_load
	cp "$good" "$load/$in_module/evil.ko"
	load_it
	warned "ldtarball: a module that dkms.conf does not know" evil.ko 'left out'
	holds "ldtarball: a module that dkms.conf does not know: is not taken" \
		test ! -e "$world/dkms/demo/0.1/$release/x86_64/module/evil.ko"
	new_load
	printf 'signature\1\2\3\4\5\0\0\0\0\0\0\11~Module signature appended~\n' >>"$module"
	load_it
	done_well "ldtarball: a module with a signature of others"
	problems=()
	module_payload "$built" | cmp -s - "$good" || problem "it is not the bare module that was signed"
	conclude "ldtarball: a module with a signature of others: that is cut off"
	new_load
	printf 'touch /pwned "%s"\n' "$work/pwned" >>"$load/dkms_source_tree/dkms.conf"
	load_it
	done_well "ldtarball: a dkms.conf that writes"
	holds "ldtarball: a dkms.conf that writes: reaches nothing" test ! -e "$work/pwned" -a ! -e /pwned
}
# Kernels whose headers are not here, that -k does not name, that the modules were not built for.
load_kernels() {
	local others=(--kernel-root "$kernels/6.12") other
	new_load
	mv "$load/dkms_main_tree/$release" "$load/dkms_main_tree/9.9.9-none"
	pack_load
	try ldtarball "$work/load.tar" --kernel-root "$kernels/6.1"
	done_well "ldtarball: builds for a kernel without headers here"
	holds "ldtarball: builds for a kernel without headers here: are left out" \
		grep -q "9.9.9-none (x86_64) is left out: that kernel's headers are not here" "$work/out"
	new_load
	mv "$load/dkms_main_tree/$release/x86_64" "$load/dkms_main_tree/$release/aarch64"
	load_it
	done_well "ldtarball: builds for another architecture: the source alone"
	holds "ldtarball: builds for others: none is taken" test ! -e "$world/dkms/demo/0.1/$release"
	if [ ! -d "$kernels/6.12" ]; then
		skip "ldtarball: builds that say they are for another kernel: no $kernels/6.12"
		return
	fi
	other=$(kernel_release "$kernels/6.12")
	new_load
	pack_load
	try ldtarball "$work/load.tar" -k "$other" "${others[@]}"
	done_well "ldtarball: builds for a kernel that -k does not name"
	holds "ldtarball: builds for a kernel that -k does not name: are left out" \
		grep -q 'is left out: it is not among those of -k' "$work/out"
	mv "$load/dkms_main_tree/$release" "$load/dkms_main_tree/$other"
	pack_load
	fresh
	try ldtarball "$work/load.tar" "${others[@]}"
	not_loaded "ldtarball: a build that says it is for another kernel" 32 demo 'will not load'
}
# Builds alone, as $work/load.tar.
only_builds() {
	mv "$load/dkms_source_tree" "$load/dkms_binaries_only"
	rm "$load/dkms_binaries_only/good.ko"
	pack_load
}
source_digest() { sed -n '/"source": {/,/}/s/.*"sha256": "\([0-9a-f]\{16\}\).*/\1/p' "${built%/module/*}/build.json"; }
# What is here already is given up for what is as good and named alone: all or nothing.
load_over_others() {
	local code_then what before
	new_load
	load_it
	only_builds
	try ldtarball "$work/load.tar" "${kernel[@]}"
	load_refused "ldtarball: builds alone, of an approved source, without a name" 8 '-m demo -v 0.1'
	try ldtarball "$work/load.tar" "${kernel[@]}" "${demo[@]}"
	warned "ldtarball: builds alone, where there is a build" 'that build stays'
	new_load
	load_it
	load_it --force -m other -v 0.1
	load_refused "ldtarball: --force with another name" 8 other
	for what in "32|echo none" "36|sed s/name=demo/name=evil/ '$good'" "7|"; do
		code_then=${what%%|*} what=${what#*|}
		new_load
		load_it
		say '# another source' >>"$load/dkms_source_tree/dkms.conf"
		rm "$module"
		[ -z "$what" ] || bash -c "$what" >"$module"
		load_it --force "${demo[@]}"
		load_refused "ldtarball: --force, its module refused by $code_then: nothing is replaced" "$code_then" \
			'demo/0.1 stays as it is' "$release"
	done
	cp "$good" "$module"
	load_it --force "${demo[@]}"
	done_well "ldtarball: --force, its module taken"
	holds "ldtarball: --force, its module taken: the source is replaced" \
		grep -qx '# another source' "$source/dkms.conf"
	# Refused for what no check can tell: an installer that has seen a later build.
	new_load
	load_it
	before=$(source_digest)
	say '# another source' >>"$load/dkms_source_tree/dkms.conf"
	say 99999999999999 >"$world/state/ledger/demo/$release-x86_64"
	load_it --force "${demo[@]}"
	cp "$work/after" "$work/before"
	load_refused "ldtarball: --force, not installed in the end: it is said what was replaced, and the way back" \
		34 "before it was $before" 'kmodbox add --force -m demo -v 0.1 DIRECTORY'
	holds "ldtarball: --force, not installed in the end: and that is so" \
		grep -qx '# another source' "$source/dkms.conf"
}
# The versions of packages that a build says it was made with.
load_versions() {
	local plain=$template versions=$work/with-base here what
	fresh
	mkdir -p "$world/src/base-0.1"
	say "${handing_conf/=demo/=base}" >"$world/src/base-0.1/dkms.conf"
	cp "$good" "$world/src/base-0.1/good.ko"
	printf '[build]\ndepends = base\n' >"$settings/demo.conf"
	must build -m base -v 0.1 "${kernel[@]}"
	cp -a "$world" "$versions"
	template=$versions
	here=$load/dkms_main_tree/$release/x86_64
	new_load
	say 0.0.9 >"$here/.dep_base"
	load_it
	done_well "ldtarball: the version it was built with"
	problems=()
	[ "$(cat "${built%/module/*}/.dep_base")" = 0.0.9 ] || problem "it is not kept"
	tr -d ' \n' <"${built%/module/*}/build.json" |
		grep -F '"origin":{"dependencies":[{"module":"base","version":"0.0.9"}]' >/dev/null ||
		problem "it is not in the record"
	conclude "ldtarball: the version it was built with: is kept, as its word"
	new_load
	say 1 >"$here/.dep_stranger"
	load_it
	warned "ldtarball: a version of what it does not need" .dep_stranger 'left out'
	holds "ldtarball: a version of what it does not need: is not kept" test ! -e "${built%/module/*}/.dep_stranger"
	for what in '' '\n' '1\n2\n' '1\0' 'a b' '../1' '-rf' '\033[2J'; do
		new_load
		# shellcheck disable=SC2059 # it is the format
		printf -- "$what" >"$here/.dep_base"
		load_it
		not_loaded "ldtarball: a version that is none: '$what'" 9 .dep_base "$release"
	done
	new_load
	head -c 1M /dev/zero | tr '\0' 1 >"$here/.dep_base"
	load_it
	not_loaded "ldtarball: a version of a megabyte" 9 .dep_base
	new_load
	ln -s log/make.log "$here/.dep_base"
	load_it
	load_refused "ldtarball: a version that is a link" 9 .dep_base 'is a link'
	new_load
	say 1 >"$here/.dep_-rf"
	load_it
	load_refused "ldtarball: a version of an option" 9 .dep_-rf 'no name'
	template=$plain
	rm -rf "$versions"
}
# What tar would not make of files.
hostile_members() {
	local in_module=$1 rows=() row fields
	rows=(
		"9|absolute|0|/tmp/evil||evil|absolute"
		"9|leads out|0|$in_module/../../../../../evil||evil|.."
		"9|a module twice|0|$in_module/demo.ko||evil|twice"
		"9|a module that is a link|2|$in_module/evil.ko|/etc/passwd||evil.ko"
		"9|a module that is a hard link outside|1|$in_module/evil.ko|/etc/passwd||evil.ko"
		"9|a module that is a device|3|$in_module/evil.ko|||evil.ko"
		"9|a module that is a FIFO|6|$in_module/evil.ko|||evil.ko"
		"9|a module that is an option|0|$in_module/-rf.ko||evil|-rf"
		"9|a module with escape bytes|0|$in_module/"$'\e]0;evil\a'".ko||evil|control"
		"9|a kernel that is an option|0|dkms_main_tree/--all/x86_64/module/demo.ko||evil|--all"
		"9|a kernel with escape bytes|0|dkms_main_tree/"$'\e[2J'"/x86_64/module/demo.ko||evil|\\x1b"
		"9|a source with a link out of it|2|dkms_source_tree/etc|../../etc||leads out"
		"9|a source with a link into the builds|2|dkms_source_tree/across|../dkms_main_tree||leads out"
		"9|an architecture that is an option|0|dkms_main_tree/$release/-a/module/demo.ko||evil|-a"
		"9|a module packed twice|0|$in_module/demo.ko.gz||evil|demo.ko"
		"9|a module that is not packed as it says|0|$in_module/evil.ko.xz||evil|evil.ko"
	)
	for row in "${rows[@]}"; do
		IFS='|' read -ra fields <<<"$row"
		new_load
		pack_load "${fields[2]}" "${fields[3]}" "${fields[4]}" "${fields[5]}"
		try ldtarball "$work/load.tar" "${kernel[@]}"
		load_refused "ldtarball: ${fields[1]}" "${fields[0]}" "${fields[6]}"
	done
	new_load
	rm "$module"
	head -c 32M /dev/zero | gzip >"$work/zeros"
	for _ in {1..40}; do
		cat "$work/zeros"
	done >"$module.gz"
	rm "$work/zeros"
	load_it
	load_refused "ldtarball: a module that is a bomb" '9|31' demo.ko
	new_load
	rm "$load/dkms_main_tree/$release/x86_64/log/make.log"
	truncate -s 3G "$load/dkms_main_tree/$release/x86_64/log/make.log"
	(cd "$load" && tar -S -cf "$work/load.tar" -- *)
	try ldtarball "$work/load.tar" "${kernel[@]}"
	load_refused "ldtarball: a log of three gigabytes" 9 make.log
}

handing_conf=$basic_conf$'\nMAKE="cp good.ko demo.ko"'
prepare
run_groups compressed_bombs zip_bombs large_archives trap_checkouts bad_loads

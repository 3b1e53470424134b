# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # used by those who source it
# What the suites of bad input share: a world of trees below a temporary directory, one run of kmodbox
# in it, and what is expected of that: the documented exit code, one clear line on stderr, nothing
# changed, no process and no mount left. As root in a mount namespace of its own. Sourced behind
# `set -euo pipefail`; then comes open_suite NAME "$@".
# shellcheck source=tests/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

watch=$build/tests/hostile/watch
can_mount=no
can_become=no # another account owns what it makes: kmodbox's parts have theirs

# What a suite needs, or it is skipped. As root it starts again, where it may mount.
open_suite() {
	local name=$1 needed
	shift
	for needed in "$kmodbox" "$watch"; do
		if [ ! -x "$needed" ]; then
			skip "$name: $needed is not built (make test-hostile builds it)"
			close_suite
			exit
		fi
	done
	if [ ! -d "$kernels/6.1" ]; then
		skip "$name: no kernel headers below $kernels (make kernels)"
		close_suite
		exit
	fi
	if [ "$(id -u)" -eq 0 ]; then
		can_become=yes
		if [ "${1:-}" = --inside ]; then
			can_mount=yes
			shift
		elif unshare -m true 2>/dev/null; then
			exec unshare -m -- "$0" --inside "$@"
		fi
	fi
	chosen=("$@")
	release=$(kernel_release "$kernels/6.1")
	work=$(mktemp -d)
	chmod 755 "$work" # the parts of kmodbox have accounts of their own
	world=$work/world template=$work/template good=$work/good.ko source=$work/world/src/demo-0.1
	settings=$world/etc/kmodbox/modules.d dkms_etc=$world/etc/dkms
	built=$world/dkms/demo/0.1/$release/x86_64/module/demo.ko
	failed_log=$world/dkms/demo/0.1/build/make.log
	# Not the host's own settings.
	trees=(--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules"
		--statedir "$world/state" --configdir "$world/etc/kmodbox" --dkmsconfig "$dkms_etc")
	kernel=(-k "$release" --kernel-root "$kernels/6.1")
	demo=(-m demo -v 0.1)
	background=() audited=0 warnings=0
	marker=kmodbox-hostile-$$-$RANDOM
	trap finish EXIT
}
finish() {
	local pid
	for pid in "${background[@]}"; do
		end_job "$pid"
	done
	unmount
	chmod -R u+rwx "$work" 2>/dev/null || true
	rm -rf "$work"
}
# What a case has mounted, the last first.
unmount() {
	local mounted
	[ "$can_mount" = yes ] || return 0
	while read -r mounted; do
		umount "$mounted" || true
	done < <(awk -v below="$work/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

# --- One case: a world, a run, what is expected of it --------------------------------------------

# Everything in the trees but log and record of a failed build and their directory, which are expected there. Of
# the log of signatures the first $audited bytes: what could be signed but not stored leaves its line.
listing() {
	cd "$world" || return
	find . ! -path './dkms/*/*/build' ! -path './dkms/*/*/build/make.log' ! -path './dkms/*/*/build/failure.json' \
		-printf '%p %y %m %U:%G %l\n' | sort
	find . ! -path './dkms/*/*/build/make.log' ! -path './dkms/*/*/build/failure.json' ! -path ./state/audit.log -type f -print0 |
		sort -z | { xargs -0 sha256sum -- 2>&1 || true; } # an ordinary user cannot read all
	{ head -c "$audited" state/audit.log 2>/dev/null || true; } | sha256sum
}
# Not all of the host's: others may work on the same machine.
mounts() { grep -F -e "$work" -e kmodbox /proc/self/mountinfo || true; }

fresh() {
	unmount
	rm -rf "$world"
	cp -a "$template" "$world"
	interrupt=()
	audited=1000000 warnings=0
}
# try KMODBOX-ARGUMENT...
try() {
	(listing) >"$work/before"
	mounts >"$work/mounts-before"
	code=0
	"$watch" "$work/left" "${interrupt[@]}" -- "$kmodbox" "$@" "${trees[@]}" \
		>"$work/out" 2>"$work/err" </dev/null || code=$?
	mounts >"$work/mounts-after"
	(listing) >"$work/after"
}
problem() { problems+=("$*"); }
check_clean() {
	[ ! -s "$work/left" ] || problem "$(cat "$work/left")"
	cmp -s "$work/mounts-before" "$work/mounts-after" || problem "mounts changed"
	# The newline that ends a line is the only control character there may be.
	if cat "$work/out" "$work/err" | tr -d '\n' | grep -a '[^ -~]' >/dev/null; then
		problem "raw control bytes in what was printed"
	fi
}
conclude() {
	local text
	if [ ${#problems[@]} -eq 0 ]; then
		pass "$1"
		return
	fi
	fail "$1"
	for text in "${problems[@]}"; do
		printf '%s\n' "$text" | sed 's/^/        /'
	done
	sed 's/^/        stderr: /' "$work/err" | head -n 8 | cut -c 1-600 | cat -v
}
# Of stderr, without the warnings: they stand before.
complaint() {
	grep -avE '^kmodbox: warning: ' "$work/err" || true
}
check_warnings() {
	local count
	count=$(grep -acE '^kmodbox: warning: ' "$work/err" || true)
	[ "$count" -eq "$warnings" ] || problem "$count warnings, not $warnings"
}
one_of() { [[ "|$1|" == *"|$2|"* ]]; }
# refused NAME CODE WORDS...: every one of the words stands in the one line of stderr that is no
# warning. Of those there are $warnings. CODE "8|31": which of them is the machine's to say.
refused() {
	local name=$1 expected=$2 word
	problems=()
	shift 2
	one_of "$expected" "$code" || problem "exit code $code, not $expected"
	if [ "$(complaint | wc -l)" -ne 1 ] || ! complaint | grep -aE '^kmodbox(-signer)?: ' >/dev/null; then
		problem "stderr is not one line of kmodbox"
	fi
	for word; do
		complaint | grep -aF -- "$word" >/dev/null || problem "the message lacks '$word'"
	done
	check_warnings
	cmp -s "$work/before" "$work/after" ||
		problem "state changed:" "$(diff "$work/before" "$work/after" | head -n 20)"
	check_clean
	conclude "$name"
}
# done_well NAME
done_well() {
	problems=()
	[ "$code" -eq 0 ] || problem "exit code $code, not 0"
	[ -z "$(complaint)" ] || problem "stderr is not empty"
	check_warnings
	check_clean
	conclude "$1"
}
# warned NAME WORDS...: it was done, and one warning has all of the words.
warned() {
	local name=$1 word
	problems=()
	shift
	[ "$code" -eq 0 ] || problem "exit code $code, not 0"
	[ "$(wc -l <"$work/err")" -eq 1 ] || problem "stderr is not one warning"
	for word; do
		grep -aE '^kmodbox: warning: ' "$work/err" | grep -aF -- "$word" >/dev/null ||
			problem "the warning lacks '$word'"
	done
	check_clean
	conclude "$name"
}
# ends NAME CODES [WORDS...]: it came to its end in one of these ways: done, or refused with all of
# the words, in which case nothing has changed.
ends() {
	local name=$1 codes=$2
	if [ "$code" -ne 0 ]; then
		refused "$@"
		return
	fi
	problems=()
	one_of "$codes" 0 || problem "exit code 0, not $codes"
	[ -z "$(complaint)" ] || problem "stderr is not empty"
	check_clean
	conclude "$name"
}
# holds NAME COMMAND...: what must be true now
holds() {
	local name=$1
	shift
	if "$@"; then
		pass "$name"
	else
		fail "$name"
	fi
}
# Preparation, which has to work.
must() {
	try "$@"
	[ "$code" -eq 0 ] || die "kmodbox $* failed with $code: $(cat -v "$work/err")"
}

# A source demo-0.1 in the source tree; stdin becomes its dkms.conf.
new_source() {
	fresh
	mkdir -p "$source"
	cat >"$source/dkms.conf"
}
basic_conf='PACKAGE_NAME=demo PACKAGE_VERSION=0.1
BUILT_MODULE_NAME[0]=demo DEST_MODULE_LOCATION[0]=/updates'

# conf NAME CODE WORDS...: stdin becomes a dkms.conf that add refuses
conf() {
	new_source
	try add "${demo[@]}"
	refused "$@"
}
# A source whose build runs stdin by bash; it finds a good module as good.ko beside it.
new_build() {
	new_source <<<"$basic_conf"$'\nMAKE="bash ./build.sh"\n'"${1:-}"
	cat >"$source/build.sh"
	cp "$good" "$source/good.ko"
	must add "${demo[@]}"
}
# build NAME CODE WORDS...: stdin is a build that is refused. $conf_lines go to its dkms.conf.
conf_lines=
build() {
	new_build "$conf_lines"
	try build "${demo[@]}" "${kernel[@]}"
	refused "$@" "demo 0.1" "$release"
}
log_holds() {
	if grep -aF -- "$2" "$failed_log" >/dev/null 2>&1; then
		pass "$1"
	else
		fail "$1: '$2' is not in make.log"
	fi
}

# Not under another program that does the same.
refusals_are_seen() { "$kmodbox" doctor 2>/dev/null | grep -E '^  active  refused calls are seen ' >/dev/null; }

# run_groups GROUP...: functions of the suite; its own arguments choose among them.
run_groups() {
	local group
	for group; do
		if [ ${#chosen[@]} -eq 0 ] || [[ " ${chosen[*]} " == *" $group "* ]]; then
			"$group"
		fi
	done
	close_suite
}

# The template of all worlds: trees with their own files, and the keys. Also the module that the good
# builds hand out.
prepare() {
	mkdir -p "$template"/{dkms,src,modules,state,etc/dkms,etc/kmodbox/modules.d} \
		"$template/modules/$release"
	touch "$template/modules/$release/"{modules.order,modules.builtin}
	fresh
	cp -R "$top/tests/demo/demo-v0.1" "$source"
	must build "${demo[@]}" "${kernel[@]}"
	module_payload "$built" >"$good"
	must remove "${demo[@]}" "${kernel[@]}"
	rm -rf "$source" "$template"
	cp -a "$world" "$template"
}

# --- Archives --------------------------------------------------------------------------------------

# A tar member, in ustar by hand, because tar makes no such things: TYPE NAME [LINK [CONTENT]]
member() {
	# shellcheck disable=SC2016 # perl's
	perl -e 'my ($type, $name, $link, $content) = (@ARGV, "", "");
		my $h = pack "a100a8a8a8a12a12a8a1a100a6a2a32a32a8a8a155x12", $name, "0000644", "0000000",
			"0000000", sprintf("%011o", length $content), "00000000000", " " x 8, $type, $link,
			"ustar", "00", "root", "root", "0000001", "0000003", "";
		substr $h, 148, 8, sprintf "%06o\0 ", unpack "%32C*", $h;
		print $h, $content, "\0" x (-length($content) % 512);' -- "$@"
}
# archive NAME CODE WORDS... -- MEMBER-ARGUMENT... [-- MEMBER-ARGUMENT...]: behind a good dkms.conf
archive() {
	local expected=() arguments=()
	fresh
	while [ "$1" != -- ]; do
		expected+=("$1")
		shift
	done
	shift
	{
		member 0 demo-0.1/dkms.conf "" "$basic_conf"
		while [ $# -gt 0 ]; do
			arguments=()
			while [ $# -gt 0 ] && [ "$1" != -- ]; do
				arguments+=("$1")
				shift
			done
			[ $# -eq 0 ] || shift
			member "${arguments[@]}"
		done
		head -c 1024 /dev/zero
	} >"$work/evil.tar"
	try add "$work/evil.tar"
	refused "${expected[@]}" evil.tar
}

# --- Disks -----------------------------------------------------------------------------------------

# The tree becomes a small file system of its own, with what was there, and is filled to the brim.
fill_tree() {
	cp -a "$1" "$work/tree"
	mount -t tmpfs -o "size=$2,mode=755" tmpfs "$1"
	cp -a "$work/tree/." "$1/"
	rm -rf "$work/tree"
	head -c 4M /dev/zero >"$1/filler" 2>/dev/null || true
}

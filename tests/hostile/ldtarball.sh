#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Archives of builds and git checkouts that mean harm: what ldtarball takes is checked and signed anew
# or refused whole, with the documented exit code and one line; a repository's own programs and
# settings reach nothing. Beside them stand a good archive and a good checkout. In trees of its own
# below a temporary directory.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

for needed in "$kmodbox" "$kernels/6.1" "$kernels/6.12"; do
	if [ ! -e "$needed" ]; then
		skip "hostile archives: $needed is not there (make, make kernels)"
		close_suite
		exit
	fi
done
work=$(mktemp -d)
chmod 755 "$work" # the parts of kmodbox have accounts of their own
trap 'rm -rf "$work"' EXIT
world=$work/world template=$work/template
release=$(kernel_release "$kernels/6.1") other=$(kernel_release "$kernels/6.12")
trees=(--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules"
	--statedir "$world/state")
kernel=(--kernel-root "$kernels/6.1")
export GIT_CONFIG_NOSYSTEM=1 HOME=$work

code=0
try() {
	code=0
	"$kmodbox" "$@" "${trees[@]}" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
fresh() {
	rm -rf "$world"
	cp -a "$template" "$world"
}
status() { "$kmodbox" status "${trees[@]}"; }
# check NAME: the collected problems are none.
problems=()
problem() { problems+=("$*"); }
check() {
	if cat "$work/out" "$work/err" | tr -d '\n' | grep -a '[^ -~]' >/dev/null; then
		problem "raw control bytes in what was printed"
	fi
	if [ ${#problems[@]} -eq 0 ]; then
		pass "$1"
	else
		fail "$1: ${problems[*]}"
		sed 's/^/        /' "$work/err" | cut -c 1-500 | cat -v
	fi
	problems=()
}
# refused NAME CODE STATUS WORDS...: what status says then, and words of the one line of stderr.
refused() {
	local name=$1 expected=$2 state=$3 word
	shift 3
	[ "$code" -eq "$expected" ] || problem "exit code $code, not $expected"
	[ "$(wc -l <"$work/err")" -eq 1 ] || problem "stderr is not one line"
	for word; do
		grep -aF -- "$word" "$work/err" >/dev/null || problem "the message lacks '$word'"
	done
	[ "$(status)" = "$state" ] || problem "status is '$(status)'"
	check "$name"
}
taken() {
	[ "$code" -eq 0 ] || problem "exit code $code: $(cat -v "$work/err")"
	[ "$(status)" = "$2" ] || problem "status is '$(status)'"
	check "$1"
}

mkdir -p "$world/dkms" "$world/src" "$world/modules"
# A key of the state directory is made once, not for each case.
mkdir -p "$world/src/demo-0.1"
cp -R "$top/tests/demo/demo-v0.1/." "$world/src/demo-0.1"
try build demo/0.1 -k "$release" "${kernel[@]}"
[ "$code" -eq 0 ] || die "no good build to begin with: $(cat -v "$work/err")"
try mktarball demo/0.1 -k "$release"
[ "$code" -eq 0 ] || die "no good archive to begin with: $(cat -v "$work/err")"
good=$work/good
mkdir "$good"
tar -C "$good" -xf "$world"/dkms/demo/0.1/tarball/*.gz
module=dkms_main_tree/$release/x86_64/module/demo.ko
module_payload "$good/$module" >"$work/demo.ko"
try remove demo/0.1 --all
[ "$code" -eq 0 ] || die "the good build cannot be removed: $(cat -v "$work/err")"
rm -rf "$world/src/demo-0.1"
cp -a "$world" "$template"

# archive COMMAND...: runs in a copy of the good archive's tree, then packs it as $work/x.dkms.tar.gz
archive() {
	rm -rf "$work/tree"
	cp -a "$good" "$work/tree"
	(cd "$work/tree" && "$@")
	tar -C "$work/tree" -czf "$work/x.dkms.tar.gz" .
	fresh
}
added="demo/0.1: added"
built="demo/0.1, $release, x86_64: built"

say "archives of builds:"
archive true
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
taken "a good one is loaded" "$built"

compressed() {
	xz --check=crc32 -k "$module"
	rm "$module"
}
archive compressed
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
taken "one whose modules are compressed, too" "$built"

archive cp "$work/demo.ko" "$module"
printf 'signature\1\2\3\4\5\0\0\0\0\0\0\11~Module signature appended~\n' >>"$work/tree/$module"
tar -C "$work/tree" -czf "$work/x.dkms.tar.gz" .
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
cmp -s <(module_payload "$world/dkms/demo/0.1/$release/x86_64/module/demo.ko") "$work/demo.ko" ||
	problem "the bare module is another one"
! grep -aq 'signature.\{5\}$' "$world/dkms/demo/0.1/$release/x86_64/module/demo.ko" ||
	problem "the signature of others is still there"
taken "the signature of others is cut off" "$built"

broken() { printf 'not an ELF file' >"$module"; }
archive broken
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a module that is none: nothing of it stays" 32 "$added" demo

wrong_kernel() { sed -i "s/vermagic=6\.1/vermagic=6.9/" "$module"; }
archive wrong_kernel
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a module for another kernel" 36 "$added" demo "built for kernel '6.9"

renamed() { mv dkms_main_tree/"$release" dkms_main_tree/"$other"; }
archive renamed
try ldtarball "$work/x.dkms.tar.gz" --kernel-root "$kernels/6.12"
refused "a build that says it is for another kernel" 32 "$added" demo 'will not load'

archive true
try ldtarball "$work/x.dkms.tar.gz" --kernel-root "$kernels/6.12"
grep -q "left out: that kernel's headers are not here" "$work/out" || problem "no line says why"
taken "a kernel whose headers are not here is left out" "$added"
fresh
try ldtarball "$work/x.dkms.tar.gz" -k "$other" --kernel-root "$kernels/6.12"
grep -q 'left out: it is not among those of -k' "$work/out" || problem "no line says why"
taken "a kernel that -k does not name is left out" "$added"

undeclared() { cp "$module" "${module%demo.ko}rootkit.ko"; }
archive undeclared
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
grep -q 'rootkit.ko of the archive is left out' "$work/err" || problem "no warning"
[ ! -e "$world/dkms/demo/0.1/$release/x86_64/module/rootkit.ko" ] || problem "it was taken"
taken "a module that dkms.conf does not declare is left out" "$built"

archive rm "$module"
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a module that dkms.conf declares is missing" 7 "$added" 'declares demo'

linked() { ln -sf ../../../../dkms_source_tree/dkms.conf "$module"; }
archive linked
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a module that is a link" 9 "" 'demo.ko' 'regular file'

leads_out() { ln -s ../../etc dkms_source_tree/etc; }
archive leads_out
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a source with a link out of it" 9 "" "dkms_source_tree/etc'" 'leads out'
leads_across() { ln -s ../dkms_main_tree dkms_source_tree/across; }
archive leads_across
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a source with a link into the builds" 9 "" "dkms_source_tree/across'" 'leads out'

kernel_option() { mv dkms_main_tree/"$release" 'dkms_main_tree/--force'; }
archive kernel_option
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a kernel whose name is an option" 9 "" 'names a kernel or architecture'
escapes() { mv dkms_main_tree/"$release" $'dkms_main_tree/\e[2J'; }
archive escapes
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "a kernel whose name drives terminals" 9 "" '\x1b[2J'

shell_conf() { printf 'touch /pwned "%s/pwned"\necho x >&2\n' "$work" >>dkms_source_tree/dkms.conf; }
archive shell_conf
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
if [ -e /pwned ] || [ -e "$work/pwned" ]; then
	problem "its dkms.conf has written"
fi
taken "a dkms.conf that writes reaches nothing" "$built"

no_conf() { rm dkms_source_tree/dkms.conf; }
archive no_conf
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
refused "no dkms.conf" 7 "" 'no dkms.conf'
cp "$work/x.dkms.tar.gz" "$work/x.rpm"
try ldtarball "$work/x.rpm" "${kernel[@]}"
refused "a package of rpm's" 9 "" rpm autoinstall

say "what is there already:"
archive true
mkdir -p "$world/src/demo-0.1"
cp -R "$top/tests/demo/demo-v0.1/." "$world/src/demo-0.1"
try build demo/0.1 -k "$release" "${kernel[@]}"
before=$(sha256sum "$world/dkms/demo/0.1/$release/x86_64/"{build.json,module/demo.ko})
unchanged() {
	[ "$before" = "$(sha256sum "$world/dkms/demo/0.1/$release/x86_64/"{build.json,module/demo.ko})" ] ||
		problem "the build is another one"
}
try ldtarball "$work/x.dkms.tar.gz" "${kernel[@]}"
unchanged
refused "stays" 8 "$built" 'added already'
try ldtarball --force "$work/x.dkms.tar.gz" "${kernel[@]}"
unchanged
refused "stays with --force, where no name is given" 8 "$built" '--force -m demo -v 0.1'
try ldtarball --force -m other -v 0.1 "$work/x.dkms.tar.gz" "${kernel[@]}"
unchanged
refused "stays where another name is given" 8 "$built" other
binaries_only() {
	mv dkms_source_tree dkms_binaries_only
	rm -r dkms_binaries_only/src
}
rm -rf "$work/tree"
cp -a "$good" "$work/tree"
(cd "$work/tree" && binaries_only)
tar -C "$work/tree" -czf "$work/b.dkms.tar.gz" .
try ldtarball --force "$work/b.dkms.tar.gz" "${kernel[@]}"
unchanged
refused "stays also before builds alone" 8 "$built" '-m demo -v 0.1'
try ldtarball "$work/b.dkms.tar.gz" "${kernel[@]}"
unchanged
refused "builds alone, of a source that is approved, are named or stay out" 8 "$built" '-m demo -v 0.1'
try ldtarball -m demo -v 0.1 "$work/b.dkms.tar.gz" "${kernel[@]}"
unchanged
grep -q 'that build stays' "$work/err" || problem "no warning"
taken "builds alone do not replace a build" "$built"
try ldtarball --force -m demo -v 0.1 "$work/x.dkms.tar.gz" "${kernel[@]}"
grep -q '"loaded from a tarball"' "$world/dkms/demo/0.1/$release/x86_64/build.json" ||
	problem "it was not replaced"
taken "is replaced where it is named" "$built"
fresh
try ldtarball "$work/b.dkms.tar.gz" "${kernel[@]}"
refused "builds alone need their source" 2 "" 'without the source'

say "git checkouts:"
git=/usr/bin/git
checkout=$work/checkout
in_checkout() { "$git" -c user.name=test -c user.email=test@localhost -C "$checkout" "$@"; }
new_checkout() {
	rm -rf "$checkout"
	mkdir "$checkout"
	cp -R "$top/tests/demo/demo-v0.1/." "$checkout"
	in_checkout init -q
	in_checkout add .
	in_checkout commit -qm source
	fresh
}
if [ ! -x "$git" ]; then
	skip "git checkouts: $git is not installed"
	close_suite
	exit
fi
new_checkout
echo 'not tracked' >"$checkout/private"
commit=$(in_checkout rev-parse HEAD)
try add "$checkout"
grep -q "commit $commit" "$work/out" || problem "the commit is not named"
[ -z "$(diff -r "$top/tests/demo/demo-v0.1" "$world/src/demo-0.1" 2>&1)" ] ||
	problem "it is not the tracked files: $(diff -r "$top/tests/demo/demo-v0.1" "$world/src/demo-0.1" 2>&1)"
taken "tracked files only" "$added"

fresh
echo '/* changed */' >>"$checkout/src/demo.c"
try add "$checkout"
grep -q '1 tracked file differs' "$work/err" || problem "no warning"
cmp -s "$top/tests/demo/demo-v0.1/src/demo.c" "$world/src/demo-0.1/src/demo.c" ||
	problem "what is not committed was taken"
taken "what is not committed is not taken, with a warning" "$added"

new_checkout
chmod 700 "$checkout"
try add "$checkout"
taken "a private one" "$added"

# Programs that a repository names for its own files; each must be shown to run outside.
new_checkout
cat >"$work/evil" <<-END
	#!/bin/sh
	: >"$work/ran"
	cat
END
chmod 755 "$work/evil"
printf '*.c filter=evil\n' >"$checkout/.gitattributes"
in_checkout add .gitattributes
in_checkout commit -qm attributes
in_checkout config filter.evil.smudge "$work/evil"
in_checkout config filter.evil.clean "$work/evil"
in_checkout config core.fsmonitor "$work/evil"
in_checkout config core.hooksPath "$work"
touch "$checkout/src/demo.c"
in_checkout archive HEAD >/dev/null
[ -e "$work/ran" ] || problem "outside a sandbox it does not run either: this proves nothing"
rm -f "$work/ran"
try add "$checkout"
[ ! -e "$work/ran" ] || problem "the repository's program has run outside"
check "a repository's own programs run nowhere but in the sandbox"

new_checkout
mv "$checkout/.git" "$work/elsewhere"
echo "gitdir: $work/elsewhere" >"$checkout/.git"
try add "$checkout"
refused "a .git that is a file and leads elsewhere" 2 "" 'leads elsewhere'
rm "$checkout/.git"
ln -s "$work/elsewhere" "$checkout/.git"
try add "$checkout"
refused "a .git that is a link" 2 "" 'leads elsewhere'
rm "$checkout/.git"
mv "$work/elsewhere" "$checkout/.git"
mv "$checkout/.git/objects" "$work/objects"
mkdir -p "$checkout/.git/objects/info"
echo "$work/objects" >"$checkout/.git/objects/info/alternates"
in_checkout archive HEAD >/dev/null || problem "outside a sandbox it cannot be read either"
try add "$checkout"
refused "objects that lie elsewhere" 9 "" 'git archive says'
rm -rf "$checkout/.git"
mkdir "$checkout/.git"
try add "$checkout"
refused "a .git that is no repository" 9 "" 'git archive says'
rm -rf "$checkout/.git"
in_checkout init -q
try add "$checkout"
refused "no commit yet" 9 "" 'git archive says'
new_checkout
in_checkout rm -q --cached dkms.conf
in_checkout commit -qm 'no dkms.conf'
try add "$checkout"
refused "a commit without dkms.conf" 4 "" dkms.conf
close_suite

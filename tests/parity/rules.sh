#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Rules of DKMS 3.4 that Debian 12's dkms 3.0.10 does not know yet, so that there is nothing to compare
# with: what autoinstall skips, defers and goes on after, BUILD_DEPENDS_REBUILD, framework.conf. Small
# modules are built and installed on trees below a temporary directory.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

if [ ! -x "$kmodbox" ] || [ ! -d "$kernels/6.1" ]; then
	skip "rules: $kmodbox or $kernels/6.1 is not there (make; make kernels)"
	close_suite
	exit
fi
release=$(kernel_release "$kernels/6.1")
work=$(mktemp -d)
chmod 755 "$work" # kmodbox may look at it from another account
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{src,etc} "$work/modules/$release"
places=(--statedir "$work/state" --dkmsconfig "$work/etc" --configdir "$work/etc" --kernel-root "$kernels/6.1")
trees=(--dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/modules")

user=() # who runs it: nothing, or a command that becomes somebody

# run ARGUMENT...: its exit code is in $code, what it said in $work/out.
run() {
	code=0
	"${user[@]}" "$kmodbox" "$@" "${places[@]}" "${trees[@]}" >"$work/out" 2>&1 </dev/null || code=$?
}
# package NAME VERSION LINE...: the demo under that name, with lines more in its dkms.conf, added.
package() {
	local file
	mkdir -p "$work/src/$1-$2/src"
	for file in dkms.conf src/Makefile src/demo.c; do
		sed -e "s/demo/$1/g" -e "s/0\.1/$2/g" "$top/tests/demo/demo-v0.1/$file" \
			>"$work/src/$1-$2/${file/demo/$1}"
	done
	printf '%s\n' "${@:3}" >>"$work/src/$1-$2/dkms.conf"
	run add "$1/$2"
	[ "$code" -eq 0 ] || die "add $1/$2: $(cat "$work/out")"
}
# check NAME CODE TEXT...: the last run ended so, and said all of these.
check() {
	local text
	if [ "$code" -ne "$2" ]; then
		fail "$1: exit code $code, not $2"
		sed 's/^/# /' "$work/out"
		return
	fi
	for text in "${@:3}"; do
		if ! grep -F -- "$text" "$work/out" >/dev/null; then
			fail "$1: '$text' is not said"
			sed 's/^/# /' "$work/out"
			return
		fi
	done
	pass "$1"
}
# silent TEXT: the last run did not say it.
silent() {
	if grep -F -- "$1" "$work/out" >/dev/null; then
		fail "'$1' is said"
	else
		pass "'$1' is not said"
	fi
}
# state NAME/VERSION STATE
state() {
	local found
	found=$("$kmodbox" status "$1" "${places[@]}" "${trees[@]}" 2>/dev/null | sed 's/.*: //')
	if [ "$found" = "$2" ]; then
		pass "$1 is $2"
	else
		fail "$1 is '$found', not $2"
	fi
}

package base 1 'AUTOINSTALL=yes'
package base 2 'AUTOINSTALL=yes'
package broken 1 'AUTOINSTALL=yes' 'MAKE=false'
package needy 1 'AUTOINSTALL=yes' 'BUILD_DEPENDS=broken'
package never 1 'AUTOINSTALL=yes' 'BUILD_EXCLUSIVE_KERNEL=^2\.'
package waits 1 'AUTOINSTALL=yes' 'BUILD_DEPENDS=not-added-yet'
package after 1 'AUTOINSTALL=yes' 'BUILD_DEPENDS=waits'
package wrong 1 'AUTOINSTALL=yes'
echo AUTOINSTALL=perhaps >>"$work/src/wrong-1/dkms.conf" # since it was added
package manual 1 'AUTOINSTALL='

touch "$work/etc/no-autoinstall"
run autoinstall -k "$release"
check "autoinstall is switched off" 0 "no-autoinstall switches autoinstall off"
state base/2 added
rm "$work/etc/no-autoinstall"

run autoinstall -k "$release"
check "autoinstall goes on behind what fails" 11 "installed: base/2" "not meant for it: never/1" \
	"deferred: after/1 waits/1" "failed for: broken/1(10) needy/1(13) wrong/1(8)"
state base/2 installed
state base/1 added
state manual/1 added
for package in broken/1 needy/1 wrong/1; do
	run remove "$package" --all
done
run autoinstall -k "$release"
check "skipped and deferred are no failure" 0 "installed before: base/2" "deferred: after/1 waits/1"
run autoinstall -k 9.9.9
check "autoinstall without headers" 11 "base/2(21)" "linux-headers-9.9.9"
if [ "$(grep -c linux-headers-9.9.9 "$work/out")" -eq 1 ] && [ "$(grep -o '(21)' "$work/out" | wc -l)" -gt 1 ]; then
	pass "that is told once, not for each module"
else
	fail "that is told once, not for each module"
fi

package user 1 'AUTOINSTALL=' 'BUILD_DEPENDS=base' 'BUILD_DEPENDS_REBUILD=yes'
package plain 1 'AUTOINSTALL=' 'BUILD_DEPENDS=base'
run install user/1 -k "$release"
check "what it depends on is installed" 0
run install plain/1 -k "$release"
check "the same without BUILD_DEPENDS_REBUILD" 0
before=$(sha256sum "$work/dkms/plain/1/$release/x86_64/build.json")
run install base/1 -k "$release"
check "another version of it is installed" 0 "user/1 was built against another build of base" "Installed user/1"
silent "Building plain/1"
state user/1 installed
if grep -x 1 "$work/dkms/user/1/$release/x86_64/.dep_base" >/dev/null &&
	[ "$(sha256sum "$work/dkms/plain/1/$release/x86_64/build.json")" = "$before" ]; then
	pass "only who asks for it was built again"
else
	fail "only who asks for it was built again"
fi
run install base/1 -k "$release" --force
check "the same build installed again" 0
silent "Building user/1"
run unbuild base/1 -k "$release"
check "what others depend on is unbuilt" 0
run build user/1 -k "$release" --force
check "and missed" 13 "base"

run unbuild waits/1 --all
check "unbuild --all of what is not built" 0 "waits/1 is not built for any kernel"
run match --templatekernel 1.2.3 -k "$release"
check "match with a kernel that has nothing" 0 "no module is installed on kernel 1.2.3"

# As dkms: who may not write to a tree is told before anything is done.
[ "$(id -u)" -ne 0 ] || user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
for tree in dkms modules; do
	[ "$(id -u)" -eq 0 ] || chmod 0555 "$work/$tree"
	[ $tree = dkms ] || [ "$(id -u)" -ne 0 ] || chmod 0777 "$work/dkms"
	for verb in add build remove mktarball install uninstall autoinstall; do
		[ $tree = dkms ] || [[ $verb == *install ]] || continue
		subject=(base/1)
		[ $verb != autoinstall ] || subject=(-k "$release")
		run $verb "${subject[@]}"
		check "$verb by who may not write to $tree" 1 "you may not write to the" "$work/$tree" "--${tree/modules/install}"
		silent Building
	done
	chmod 0755 "$work/$tree" "$work/dkms"
done
user=()

mkdir "$work/etc/framework.conf.d"
cat >"$work/etc/framework.conf" <<END
# Trees that are not given on the command line.
dkms_tree="$work/dkms"
source_tree=$work/src install_tree=$work/modules
build_environment="$work/environment-\$kernelver"
sign_file=/usr/bin/sign
END
# shellcheck disable=SC2016 # for another shell
echo 'parallel_jobs=$((1 + 2)) verbose=yes' >"$work/etc/framework.conf.d/jobs.conf"
# shellcheck disable=SC2016 # for another shell
echo 'echo "the environment of $kernelver"' >"$work/environment-$release"
trees=()
run status --dkmstree "$work/nowhere"
check "status of a tree that is not there" 1 "$work/nowhere is not there"
run build manual/1 -k "$release"
check "framework.conf: trees, jobs, build_environment" 0 "sign_file of framework.conf has no effect" \
	"the environment of $release" "-j3"
state manual/1 built
echo 'if' >"$work/etc/framework.conf.d/bad.conf"
run status
check "framework.conf: a syntax error" 1 "framework.conf.d/bad.conf: line 2: syntax error"
echo 'exit 0' >"$work/etc/framework.conf.d/bad.conf"
run status
check "framework.conf: ends the shell" 1 "not call exit"
# shellcheck disable=SC2016 # for another shell
echo 'touch "$BASH_SOURCE" /etc/dkms/here /usr/here || here=no; dkms_tree=${here:+/nonexistent}' \
	>"$work/etc/framework.conf.d/bad.conf"
run status
check "framework.conf: can write nowhere" 0
if [ ! -e /etc/dkms/here ] && [ ! -e /usr/here ]; then
	pass "framework.conf wrote nothing to the host"
else
	fail "framework.conf wrote nothing to the host"
fi
chmod o+w "$work/etc/framework.conf.d/bad.conf"
run status
check "framework.conf: others may write to it" 1 "bad.conf may be written to by others"
close_suite

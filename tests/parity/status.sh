#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Status lines, byte for byte: real dkms and kmodbox look at the same synthetic trees, made below a
# temporary directory. dkms is run from its unpacked package and told these trees; its status writes
# nothing and sources no file but the dkms.conf files made here (and the host's /etc/dkms, if any).
# DKMS=FILE runs that one instead; KMODBOX=FILE another kmodbox. An old dkms says the same with other
# words, which are translated; "broken", which it does not know before 3.0.13, is then skipped.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

kmodbox=${KMODBOX:-$kmodbox}
work=$(mktemp -d)
chmod 755 "$work" # kmodbox may look at it from another account
trap 'rm -rf "$work"' EXIT

find_dkms() {
	local apt_options=()
	[ -z "${DKMS:-}" ] || return 0
	DKMS=$build/dkms/usr/sbin/dkms
	[ ! -x "$DKMS" ] || return 0
	DKMS=$work/package/usr/sbin/dkms
	[ "$(id -u)" -ne 0 ] || apt_options=(-o APT::Sandbox::User=root)
	(cd "$work" && apt-get "${apt_options[@]}" -q download dkms && dpkg-deb -x dkms_*.deb package)
}

if [ ! -x "$kmodbox" ]; then
	skip "status: $kmodbox is not built; run make"
	close_suite
	exit
fi
if ! find_dkms >"$work/log" 2>&1; then
	skip "status: no dkms here; set DKMS=FILE or run make kernels: $(tail -n 1 "$work/log")"
	close_suite
	exit
fi
version=$("$DKMS" --version | sed 's/^dkms-//')
old=no
[ "$(printf '%s\n' 3.0.13 "$version" | sort -V | head -n 1)" = 3.0.13 ] || old=yes
say "status of dkms $version and of kmodbox:"

dkms_tree=$work/dkms source_tree=$work/src install_tree=$work/modules
trees=(--dkmstree "$dkms_tree" --sourcetree "$source_tree" --installtree "$install_tree")

# The remarks of an old dkms in today's words; it repeats one for each module.
translate() {
	sed -e 's/ (original_module exists)/ (Original modules exist)/' \
		-e 's/\( (WARNING! Diff between built and installed module!)\)\+/ (Differences between built and installed modules)/' \
		-e 's/\( (WARNING! Missing some built modules!)\)\+/ (Built modules are missing in the kernel modules folder)/'
}

# compare NAME [STATUS ARGUMENT...]
compare() {
	local name=$1 dkms_code=0 our_code=0
	shift
	"$DKMS" status "${trees[@]}" "$@" 2>"$work/dkms.err" | translate >"$work/dkms.out" || dkms_code=$?
	"$kmodbox" status "${trees[@]}" "$@" >"$work/our.out" 2>"$work/our.err" || our_code=$?
	if cmp -s "$work/dkms.out" "$work/our.out" && [ $dkms_code = $our_code ]; then
		pass "$name"
		return
	fi
	fail "$name"
	say "# exit codes: dkms $dkms_code, kmodbox $our_code; lines of dkms (-) and kmodbox (+):"
	diff -u "$work/dkms.out" "$work/our.out" | sed 's/^/# /' || true
	sed 's/^/# dkms: /' "$work/dkms.err"
	sed 's/^/# kmodbox: /' "$work/our.err"
}

new_trees() {
	rm -rf "$dkms_tree" "$source_tree" "$install_tree"
	mkdir -p "$dkms_tree" "$source_tree" "$install_tree"
}

# add MODULE VERSION [FILE STEM...]
add() {
	local source=$source_tree/$1-$2 index=0 stem
	mkdir -p "$source" "$dkms_tree/$1/$2/build"
	ln -s "$source" "$dkms_tree/$1/$2/source"
	printf 'PACKAGE_NAME="%s"\nPACKAGE_VERSION="%s"\n' "$1" "$2" >"$source/dkms.conf"
	[ $# -gt 2 ] || set -- "$1" "$2" "$1"
	for stem in "${@:3}"; do
		printf 'BUILT_MODULE_NAME[%d]="%s"\nDEST_MODULE_LOCATION[%d]="/updates/dkms"\n' \
			$index "$stem" $index >>"$source/dkms.conf"
		index=$((index + 1))
	done
}

# build MODULE VERSION KERNEL ARCH [FILE STEM...]
build() {
	local build=$dkms_tree/$1/$2/$3/$4 stem
	mkdir -p "$build/module" "$build/log"
	: >"$build/log/make.log"
	[ $# -gt 4 ] || set -- "$1" "$2" "$3" "$4" "$1"
	for stem in "${@:5}"; do
		echo "$1 $2 $3 $stem" >"$build/module/$stem.ko"
	done
}

# install MODULE VERSION KERNEL ARCH: marked as installed, its files copied
install() {
	mkdir -p "$install_tree/$3/updates/dkms"
	cp "$dkms_tree/$1/$2/$3/$4/module/"*.ko "$install_tree/$3/updates/dkms/"
	ln -sfn "$2/$3/$4" "$dkms_tree/$1/kernel-$3-$4"
}

new_trees
compare "an empty tree"
add demo 0.1
compare "added"
compare "added, asked by name" -m demo -v 0.1
compare "another module's name" -m nosuch
compare "another version" demo/9.9
build demo 0.1 6.1.0-9-amd64 x86_64
compare "built"
install demo 0.1 6.1.0-9-amd64 x86_64
compare "installed"
compare "installed, asked by kernel" -k 6.1.0-9-amd64
compare "installed, asked by kernel and architecture" -k 6.1.0-9-amd64/x86_64
compare "a kernel without a build" -k 6.99.0
compare "an architecture without a build" -a aarch64
add demo 0.2
build demo 0.2 6.1.0-9-amd64 x86_64
compare "two versions, one of them installed"
install demo 0.2 6.1.0-9-amd64 x86_64
compare "the other version installed"
echo changed >>"$install_tree/6.1.0-9-amd64/updates/dkms/demo.ko"
compare "installed, but changed since"
rm "$install_tree/6.1.0-9-amd64/updates/dkms/demo.ko"
compare "installed, but gone"
mkdir -p "$dkms_tree/demo/original_module/6.1.0-9-amd64/x86_64"
compare "original modules exist"

new_trees
add pair 1 pair-core pair-usb
build pair 1 6.12.30-amd64 x86_64 pair-core pair-usb
install pair 1 6.12.30-amd64 x86_64
compare "two modules, both as built"
echo changed >"$install_tree/6.12.30-amd64/updates/dkms/pair-usb.ko"
compare "two modules, one changed"
echo changed >"$install_tree/6.12.30-amd64/updates/dkms/pair-core.ko"
compare "two modules, both changed"
ln -sf ../../../../dkms/pair/1/6.12.30-amd64/x86_64/module/pair-core.ko \
	"$install_tree/6.12.30-amd64/updates/dkms/pair-core.ko"
cp "$dkms_tree/pair/1/6.12.30-amd64/x86_64/module/pair-usb.ko" \
	"$install_tree/6.12.30-amd64/updates/dkms/"
compare "installed as a link (--symlink-modules)"

new_trees
for module in foo foo-bar foo.baz Foo foo_1 foo+x zz; do
	for number in 1 1.10 1.9 2~rc1 10; do
		add "$module" "$number" "${module//[+.]/_}"
		for kernel in 6.1.0 6.1.0-9-amd64 6.1.0+ 6.12.1 5.10.0; do
			case $module-$number in
			foo-1 | foo-bar-1 | foo-10)
				build "$module" "$number" "$kernel" x86_64 "${module//[+.]/_}"
				build "$module" "$number" "$kernel" aarch64 "${module//[+.]/_}"
				;;
			esac
		done
	done
done
compare "order of many modules, versions, kernels and architectures"
compare "several kernels" -k 6.12.1 -k 6.1.0 -m foo
compare "several kernels, one architecture" -k 6.12.1 -k 6.1.0 -a aarch64 -m foo
compare "one version of all" -v 10

new_trees
add demo 0.1
build demo 0.1 6.1.0 x86_64
mkdir -p "$dkms_tree/demo/0.1/tarball" "$dkms_tree/demo/0.1/rpm/x86_64/module" \
	"$dkms_tree/demo/0.1/.6.2/x86_64/module" "$dkms_tree/empty" "$dkms_tree/.hidden/1" \
	"$dkms_tree/demo/0.1/6.3.0/.tmp_x86_64_a/module" "$dkms_tree/demo/0.1/6.4.0/x86_64"
: >"$dkms_tree/mok.key"
: >"$dkms_tree/demo/file"
ln -s /nonexistent "$dkms_tree/demo/kernel-6.5.0-x86_64"
ln -s "$dkms_tree/demo/0.1/6.1.0/x86_64" "$dkms_tree/demo/kernel-6.1.0-x86_64"
compare "what else stands in such trees, an absolute kernel link"

new_trees
ln -s /nonexistent "$source_tree/gone"
mkdir -p "$dkms_tree/demo/0.1" "$dkms_tree/demo/0.2" "$source_tree/demo-0.2"
ln -s "$source_tree/gone" "$dkms_tree/demo/0.1/source"
if [ $old = yes ]; then
	skip "broken: dkms $version does not know this state, 3.0.13 does"
else
	compare "broken: the source is gone, the link is gone"
fi

close_suite

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make kernels`: the kernels, driver packages and the dkms that demo, tests and benchmarks work on;
# with --all-drivers every package that tests/real/drivers lists, with --images the kernels themselves.
# Debian's packages are downloaded (apt checks them against its signed lists) and unpacked below
# build/; nothing is installed on the host. What is already there is left alone, without network.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/common.sh"

downloads=$build/downloads

# apt's own user _apt may not be able to enter a build folder; as root, root downloads.
apt_options=()
[ "$(id -u)" -ne 0 ] || apt_options=(-o APT::Sandbox::User=root)

have_candidate() {
	local candidate
	candidate=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p')
	[ -n "$candidate" ] && [ "$candidate" != "(none)" ]
}

update_lists() {
	[ "${lists_updated:-}" != yes ] || return 1
	lists_updated=yes
	if [ "$(id -u)" -eq 0 ]; then
		apt-get -q update >&2
	elif command -v sudo >/dev/null 2>&1; then
		sudo apt-get -q update >&2
	else
		warn "the package lists are missing or old; ask for: apt-get update"
		return 1
	fi
}

# Names of packages that a package depends on and that match a pattern.
dependencies() {
	apt-cache depends "$1" | sed -n 's/^ *|*Depends: *//p' | grep -E -- "$2"
}

# Downloads one package in its newest version, if it is not here yet, and prints the file's name.
download() {
	local package=$1 file try
	for try in 1 2; do
		file=$(apt-get --print-uris download "$package" 2>/dev/null | cut -d' ' -f2)
		if (cd "$downloads" && apt-get "${apt_options[@]}" -q download "$package" >/dev/null 2>.log); then
			say "$downloads/$file"
			return 0
		fi
		# A list may name a version that the archive has replaced since.
		if [ "$try" -eq 2 ] || ! update_lists; then
			break
		fi
	done
	cat "$downloads/.log" >&2
	die "could not download $package; is the machine online, are apt's lists there (apt-get update)?"
}

# unpack FOLDER PACKAGE...: beside it first, then renamed, so that a folder that is there is whole.
unpack() {
	local folder=$1 package file temporary=$1.partial
	shift
	[ ! -d "$folder" ] || return 0
	mkdir -p "$downloads" "$(dirname "$folder")"
	rm -rf "$temporary"
	mkdir "$temporary"
	for package in "$@"; do
		say "  $package"
		file=$(download "$package")
		dpkg-deb -x "$file" "$temporary"
		basename "$file" >>"$temporary/.packages"
	done
	mv -T "$temporary" "$folder"
}

# kernel NAME META [IMAGE-META]: headers, their common part and kbuild; the image too where asked.
kernel() {
	local name=$1 meta=$2 image=${3:-} headers packages
	[ ! -d "$kernels/$name" ] || return 0
	if ! have_candidate "$meta"; then
		say "kernel $name: skipped, this system's package sources do not offer $meta"
		return 0
	fi
	headers=$(dependencies "$meta" '^linux-headers-' | sed -n 1p)
	[ -n "$headers" ] || die "$meta depends on no header package"
	mapfile -t packages < <(say "$headers"; dependencies "$headers" '^linux-(headers-.*-common|kbuild-)')
	[ -z "$image" ] || packages+=("$(dependencies "$image" '^linux-image-' | sed -n 1p)")
	say "kernel $name"
	unpack "$kernels/$name" "${packages[@]}"
}

# image NAME: of the kernel whose headers are below kernels/NAME, headers and image in one root.
image() {
	local name=$1 folder=$top/build/images/$1 release package
	[ ! -d "$folder" ] && [ -d "$kernels/$name" ] || return 0
	release=$(cd "$kernels/$name" && find . -path './*lib/modules/*' -name build -printf '%h\n' | sed -n 's|.*/||p' | sed -n 1p)
	package=linux-image-$release
	have_candidate "$package" || package=$package-unsigned
	say "image $name"
	unpack "$folder.image" "$package"
	cp -al "$kernels/$name" "$folder.partial"
	cp -al "$folder.image/." "$folder.partial/"
	rm -rf "$folder.image"
	mv -T "$folder.partial" "$folder"
}

package() {
	[ ! -d "$1" ] || return 0
	if have_candidate "$2"; then
		say "package $2"
		unpack "$1" "$2"
	else
		say "package $2: skipped, this system's package sources do not offer it"
	fi
}

command -v apt-get >/dev/null 2>&1 || die "needs apt-get (Debian, Ubuntu); elsewhere unpack kernel headers below $kernels/NAME yourself"
[ "$(uname -m)" = x86_64 ] || die "the test kernels are amd64 packages; this machine is $(uname -m)"
if [ ! -d "$kernels/6.1" ]; then
	have_candidate linux-headers-amd64 || update_lists || true
fi

kernel 6.1 linux-headers-amd64
kernel 6.12 linux-headers-6.12-amd64
kernel 6.1-cloud linux-headers-cloud-amd64 linux-image-cloud-amd64
if [ "${1:-}" = --images ]; then
	image 6.1
	image 6.12
	exit 0
fi
wanted=(acpi-call-dkms bbswitch-dkms v4l2loopback-dkms ddcci-dkms evdi-dkms)
if [ "${1:-}" = --all-drivers ]; then
	mapfile -t wanted < <(sed -n 's/^\([a-z0-9][^ ]*\).*/\1/p' "$top/tests/real/drivers")
fi
for driver in "${wanted[@]}"; do
	package "$drivers/${driver%-dkms}" "$driver"
done
package "$build/dkms" dkms
[ -d "$kernels/6.1" ] || die "no kernel 6.1: nothing to work on"

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make deps`: the packages to build kmodbox, its demo and its tests with. Installs only what is
# missing, so it is quick and needs no privilege on a machine that has all. With --ci also what the
# continuous integration uses: a second compiler, checkers of style. With --real also what the drivers
# of tests/real/drivers need to be built at all; with --vm what boots kernels.
set -euo pipefail

# Compiler and libraries; what builds of modules need; what tests need.
packages=(gcc make pkg-config libc6-dev
	libseccomp-dev libcap-dev libarchive-dev libssl-dev libjansson-dev libinih-dev
	zlib1g-dev liblzma-dev libzstd-dev
	gcc-12 binutils kmod pahole patch bc xz-utils zstd
	libcmocka-dev bubblewrap openssl procps scdoc)
[ "${1:-}" != --ci ] || packages+=(clang libclang-rt-14-dev clang-format-14 lld llvm shellcheck)
[ "${1:-}" != --vm ] || packages+=(qemu-system-x86 ovmf)
[ "${1:-}" != --real ] || packages+=(libxtables-dev libelf-dev gawk perl iptables)

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: no apt here. Please install what your system calls these Debian packages:" >&2
	echo "  ${packages[*]}" >&2
	echo "deps: going on; a missing one will be named by the build" >&2
	exit 0
fi

missing=()
for package in "${packages[@]}"; do
	state=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null || true)
	[[ $state == *installed* && $state != *not-installed* ]] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

install=(apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install "${missing[@]}")
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "deps: packages are missing, and only root can install them; as root, run:" >&2
		echo "  apt-get update && ${install[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
	[ -t 0 ] || as_root=(sudo -n)
fi
echo "deps: installing ${missing[*]}"
# A source of packages that is down need not be one that is needed here.
"${as_root[@]}" apt-get -qq update || echo "deps: the package lists are not all up to date" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null || {
	echo "deps: that failed; as root, run: apt-get update && ${install[*]}" >&2
	exit 1
}

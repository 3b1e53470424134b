#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine as dkms expects one, without touching the host: in a private mount namespace, /usr is an
# overlay of the unpacked dkms, kernels' headers and drivers over the host's /usr, and /var/lib is
# an empty tmpfs. Usage: private.sh KERNEL[,KERNEL...] DRIVER[,DRIVER...] COMMAND... As an ordinary
# user in a user namespace. What is written to /usr is gone at the end.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/common.sh"

private=$build/private
if [ "$1" != --inside ]; then
	mkdir -p "$private"
	namespaces=(--mount)
	[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
	exec unshare "${namespaces[@]}" -- "$0" --inside "$@"
fi
IFS=, read -ra kernel_names <<<"$2"
IFS=, read -ra names <<<"$3"
shift 3

mount -t tmpfs tmpfs "$private"
mkdir -p "$private/top/lib" "$private/upper" "$private/work"
# By short names of our own: a checkout's path may hold ':' or ',', which overlayfs would take apart.
bind() {
	mkdir "$private/$2"
	mount --bind "$1" "$private/$2"
}
bind "$build/dkms/usr" dkms
lower=top:dkms
for name in "${kernel_names[@]}"; do
	# Debian 12's 6.1 packages still carry /lib, which is /usr/lib.
	[ ! -d "$kernels/$name/lib" ] || cp -dR "$kernels/$name/lib/." "$private/top/lib/"
	bind "$kernels/$name/usr" "$name"
	lower+=:$name
done
for name in "${names[@]}"; do
	bind "$drivers/$name/usr" "$name"
	lower+=:$name
done
cd "$private"
mount -t overlay overlay -o "lowerdir=$lower:/usr,upperdir=upper,workdir=work" /usr
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/dkms
# The host's own settings for dkms are not part of this.
[ ! -d /etc/dkms ] || mount -t tmpfs tmpfs /etc/dkms
cd /
# Nothing of the caller's environment but where things are: dkms passes it on to builds.
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C BUILD="$build" \
	KERNELS_DIR="$kernels" sign_file=/nonexistent "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# plain.sh FILE DIRECTIVE...: what bash itself says that a dkms.conf sets, without any sandbox: for our
# own generated files and Debian's only. As NAME NUL INDEX NUL VALUE NUL.
file=$1
names=("${@:2}")
set --
# shellcheck source=/dev/null
source "$file" >/dev/null 2>&1
set +eufx
unset IFS
LC_ALL=C
for name in "${names[@]}"; do
	declare -n values=$name
	for index in "${!values[@]}"; do
		builtin printf '%s\0%s\0%s\0' "$name" "$index" "${values[$index]}"
	done
	unset -n values
done

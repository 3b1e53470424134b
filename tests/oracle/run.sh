#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Is `kmodbox check` right? Sound modules, drivers that kmodbox built, and every mutation of mutate.c are
# predicted, then really loaded, on Debian's 6.1 and 6.12 in one boot each: load or refusal and the errno
# must agree. Prints those that differ, with what the kernel and the checker said; all with VERBOSE=1.
# Last line: N modules, N agree, N differ.
# ORACLE_KERNELS="6.1 6.12", ORACLE_BASES="dummy crc7" and ORACLE_DRIVERS="acpi-call" for a part.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

boot=$build/tests/oracle/boot mutate=$build/tests/oracle/mutate guest=$build/bin/kmodbox-guest
images=$(dirname "$kernels")/images
# The first ones are mutated: one that imports, one that exports, one with a namespace. The others are
# loaded as they are.
read -ra mutated <<<"${ORACLE_BASES:-dummy crc7 pcbc}"
read -ra built <<<"${ORACLE_DRIVERS-acpi-call ddcci}"
sound=(ansi_cprng crc8 bch lru_cache ts_kmp ts_bm crc-itu-t nlmon ifb)

if ! command -v qemu-system-x86_64 >/dev/null 2>&1; then
	say "skipped oracle: qemu-system-x86_64 is not there (packaging/deps.sh --vm)"
	say "0 modules, 0 agree, 0 differ"
	exit 0
fi
for program in "$boot" "$mutate" "$guest" "$kmodbox"; do
	[ -x "$program" ] || die "$program is not built; run: make test-oracle"
done

work=$(mktemp -d)
chmod 0711 "$work"
trap 'rm -rf "$work"' EXIT
modules=0 agree=0 differ=0 wild=0

# NAME RELEASE ROOT: a module of the image without its compression and signature.
take() {
	local name=$1 release=$2 root=$3 found
	found=$(find "$root/lib/modules/$release/kernel" -name "$name.ko" -o -name "$name.ko.xz" | sed -n 1p)
	[ -n "$found" ] || return 1
	case $found in
	*.xz) xz -dc "$found" >"$work/base/$name.ko" ;;
	*) cp "$found" "$work/base/$name.ko" ;;
	esac
}

# Builds a driver's package and leaves its modules in base/: their names.
build_driver() {
	local source=("$drivers/$1"/usr/src/*/) trees
	trees=(--dkmstree "$work/dkms" --sourcetree "$work/src" --installtree "$work/tree" --statedir "$work/state"
		--configdir "$work/none" --dkmsconfig "$work/none" --kernel-root "$root")
	mkdir -p "$work/dkms" "$work/src" "$work/tree"
	package=$(basename "${source[0]}")
	if ! { "$kmodbox" add "${source[0]%/}" "${trees[@]}" &&
		"$kmodbox" build "${package%-*}/${package##*-}" -k "$release" "${trees[@]}"; } >"$work/built.log" 2>&1; then
		say "$1: it does not build for $kernel: $(tail -n 1 "$work/built.log" | cut -c 1-200 | sed "s/: error: /: /")" >&2
		return
	fi
	while read -r module; do
		name=$(basename "${module%.xz}")
		case $module in
		*.xz) xz -dc "$module" >"$work/base/$name" ;;
		*) cp "$module" "$work/base/$name" ;;
		esac
		say "${name%.ko}"
	done < <(find "$work/dkms" -path '*/module/*' -name '*.ko*')
	rm -rf "$work/dkms"
}

# BASE MUTATION: a kernel may go down with it, so it is only predicted: never that it is well.
look_at_wild() {
	local file=$work/wild/$1.ko code=0
	mkdir -p "$work/wild"
	"$mutate" "$work/base/$1.ko" "$2" "$file" || return 0
	"$kmodbox" check "$file" -k "$release" --kernel-root "$root" >"$work/said" 2>&1 || code=$?
	wild=$((wild + 1))
	[ "$code" -eq 36 ] || [ "$code" -eq 32 ] || {
		differ=$((differ + 1))
		say "differ  $kernel $1 $2: is not to be loaded, and check ends with $code: $(sed -n 1p "$work/said")"
	}
}

# BASE MUTATION: becomes one that is predicted and loaded, under its own name.
add() {
	local base=$1 mutation=$2 code=0
	mkdir -p "$work/$count"
	"$mutate" "$work/base/$base.ko" "$mutation" "$work/$count/$base.ko" || code=$?
	if [ "$code" -eq 2 ]; then
		return
	elif [ "$code" -ne 0 ]; then
		die "$mutation of $base was not made: $code"
	fi
	say "$count $base $mutation" >>"$work/list"
	printf 'load m/%s.ko\nunload %s\n' "$count" "${base//-/_}" >>"$work/plan"
	count=$((count + 1))
}

# The kernel's answer to each: an errno, 0, or killed.
load_all() {
	local root=$1 release=$2 number base rest files=()
	while read -r number base rest; do
		files+=("m/$number.ko=$work/$number/$base.ko")
	done <"$work/list"
	"$boot" "$root/boot/vmlinuz-$release" "$guest" "$work/plan" "" "${files[@]}" >"$work/events" 2>"$work/console" || {
		[ -z "${ORACLE_KEEP:-}" ] || cp "$work"/{events,console,list} "$ORACLE_KEEP"
		tail -n 30 "$work/console" | cat -v
		die "the guest with $release did not come to its end"
	}
	awk '$1 == "end" && $2 % 2 { print int($2 / 2), $3 }' "$work/events" >"$work/loaded"
}

# What the kernel said while it did the step.
log_of() { sed -n "/^begin $((2 * $1 + 1))\$/,/^end /s/^log [0-9] //p" "$work/events" | head -n 4; }

judge() {
	local kernel=$1 root=$2 release=$3 number base mutation real predicted code line
	while read -r number base mutation; do
		real=$(awk -v n="$number" '$1 == n { print $2 }' "$work/loaded")
		code=0
		line=$("$kmodbox" check "$work/$number/$base.ko" -k "$release" --kernel-root "$root" 2>&1) || code=$?
		case $code in
		0 | 36) predicted=0 ;;
		32) predicted=$(sed -nE '1s/.*\(E([A-Z0-9]+)\)$/E\1/p' <<<"$line") ;;
		*) predicted="exit code $code" ;;
		esac
		[[ ! $real =~ ^[1-9][0-9]*$ ]] || real=$(errno_name "$real")
		modules=$((modules + 1))
		if [ "$predicted" = "$real" ]; then
			agree=$((agree + 1))
			[ -z "${VERBOSE:-}" ] || say "agree   $kernel $base $mutation: $real: $(sed -n 1p <<<"$line" | sed "s|$work/||")"
			continue
		fi
		differ=$((differ + 1))
		say "differ  $kernel $base $mutation: the kernel says $real, check $predicted"
		sed -n '1,3s/^/        check: /p' <<<"$line" | sed "s|$work/||" | cut -c 1-300
		log_of "$number" | sed 's/^/        kernel: /' | cut -c 1-300 | cat -v
	done <"$work/list"
}

errno_name() {
	case $1 in
	1) say EPERM ;; 2) say ENOENT ;; 5) say EIO ;; 8) say ENOEXEC ;; 12) say ENOMEM ;; 14) say EFAULT ;;
	16) say EBUSY ;; 17) say EEXIST ;; 19) say ENODEV ;; 22) say EINVAL ;; 38) say ENOSYS ;; 74) say EBADMSG ;;
	95) say EOPNOTSUPP ;; 126) say ENOKEY ;; 129) say EKEYREJECTED ;; *) say "errno $1" ;;
	esac
}

for kernel in ${ORACLE_KERNELS:-6.1 6.12}; do
	root=$images/$kernel
	[ -d "$root" ] || "$top/tests/lib/kernels.sh" --images
	release=$(basename "$root"/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	version=$(awk -F. '{ print $1 * 1000 + $2 }' <<<"$release")
	rm -rf "${work:?}"/*
	mkdir "$work/base"
	: >"$work/list"
	count=0
	for base in "${mutated[@]}"; do
		take "$base" "$release" "$root" || die "$release has no $base"
		while read -r mutation before; do
			if [ "$version" -lt "$before" ]; then
				look_at_wild "$base" "$mutation"
			else
				add "$base" "$mutation"
			fi
		done < <("$mutate" --list)
	done
	for driver in "${built[@]}"; do
		while read -r base; do
			add "$base" sound
		done < <(build_driver "$driver")
	done
	for base in "${sound[@]}"; do
		! take "$base" "$release" "$root" || add "$base" sound
	done
	say "== $kernel: $count modules on $release"
	load_all "$root" "$release"
	judge "$kernel" "$root" "$release"
done
say "$wild more may bring a kernel down, which does not look: not loaded, and none is said to be well"
say "$modules modules, $agree agree, $differ differ"
[ "$differ" -eq 0 ] && [ "$modules" -gt 0 ]

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A corpus of dkms.conf packages in the style of drivers that people use, each with what must come of
# it: these modules, or an exit code and one line. The entries are the functions entry_* of the files
# beside this one, in the words of lib.sh; each has a world of its own, and as many run at a time as
# there are processors. ENTRIES="zfs lttng" takes only those. CORPUS=all runs them also for kernel
# 6.12, and the long ones; CORPUS=dkms has the real dkms build them, in a namespace (its unpacked
# package; needs make kernels), and expects the same exit codes and modules.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=tests/corpus/lib.sh
. "$(dirname "$0")/lib.sh"

real_dkms=no
if [ "${1:-}" = --inside ]; then
	real_dkms=yes
	ENTRIES=${2:-}
elif [ "${CORPUS:-}" = dkms ]; then
	exec "$top/tests/lib/private.sh" 6.1 "" "$(realpath "$0")" --inside "${ENTRIES:-}"
fi
if [ ! -x "$kmodbox" ]; then
	skip "corpus: $kmodbox is not built; run make"
	close_suite
	exit
fi
if [ ! -d "$kernels/6.1" ]; then
	skip "corpus: no kernel headers below $kernels (make kernels)"
	close_suite
	exit
fi
if [ "$real_dkms" = yes ] && ! command -v dkms >/dev/null 2>&1; then
	skip "corpus: no dkms (make kernels)"
	close_suite
	exit
fi

work=$(mktemp -d)
chmod 755 "$work" # the parts of kmodbox have accounts of their own
# What still runs writes there, and ends within seconds.
finish() {
	wait || true
	rm -rf "$work"
}
trap finish EXIT
template=$work/template
mkdir -p "$work/results" "$work/worlds"

entries=()
for file in "$top"/tests/corpus/*.sh; do
	case $file in
	*/run.sh | */lib.sh) continue ;;
	esac
	# shellcheck source=/dev/null
	. "$file"
	mapfile -t found < <(sed -n 's/^entry_\([a-z0-9_]*\)() {$/\1/p' "$file")
	entries+=("${found[@]}")
done

# A world with keys, which take the longest to make, and a shape that all others begin with.
make_template() {
	world=$template
	mkdir -p "$world"/{dkms,src,modules,state,config,etc-dkms}
	[ "$real_dkms" = no ] || return 0
	on 6.1
	package first 1
	conf <<<'DEST_MODULE_LOCATION[0]=/updates'
	module first
	# shellcheck disable=SC2119 # no option of this script's
	build
	[ "$code" -eq 0 ] || die "kmodbox cannot build at all: $(cat -v "$world/err")"
	run remove -m first -v 1 --all
	rm -rf "$source"
}

leave() {
	[ -z "$server" ] || end_job "$server"
	say "$1" >"$result.new"
	mv "$result.new" "$result.status"
}
# one KERNEL ENTRY: in a subshell, which leaves its exit status beside the result.
one() {
	result=$work/results/$1-$2
	trap 'leave $?' EXIT
	server=
	entry=$2
	[ "$1" = 6.1 ] || entry+=" ($1)"
	world=$work/worlds/$1-$2
	cp -a "$template" "$world"
	: >"$world/err"
	on "$1"
	"entry_$2"
	conclude
	rm -rf "$world"
}

make_template
wanted_kernels=(6.1)
[ "${CORPUS:-}" != all ] || wanted_kernels+=(6.12)
processors=$(nproc)
queue=()
for wanted in "${wanted_kernels[@]}"; do
	for entry in "${entries[@]}"; do
		[ -z "${ENTRIES:-}" ] || [[ " $ENTRIES " == *" $entry "* ]] || continue
		queue+=("$wanted $entry")
	done
done
running=0 shown=0
# Results in the order of the entries, as soon as they are there.
show() {
	local result
	while [ "$shown" -lt "${#queue[@]}" ]; do
		result=$work/results/${queue[shown]// /-}
		[ -e "$result.status" ] || return 0
		cat "$result"
		passed=$((passed + $(grep -c '^ok      ' "$result" || true)))
		failed=$((failed + $(grep -c '^FAILED  ' "$result" || true)))
		skipped=$((skipped + $(grep -c '^skipped ' "$result" || true)))
		[ "$(cat "$result.status")" -eq 0 ] ||
			fail "${queue[shown]#* }: the entry itself ended with $(cat "$result.status")"
		shown=$((shown + 1))
	done
}
for item in "${queue[@]}"; do
	if [ "$running" -ge "$processors" ]; then
		wait -n || true
		running=$((running - 1))
		show
	fi
	(one "${item% *}" "${item#* }") >"$work/results/${item// /-}" 2>&1 &
	running=$((running + 1))
done
wait || true
show
[ "${#queue[@]}" -eq "$shown" ] || fail "only $shown of ${#queue[@]} entries ended"
[ "${#queue[@]}" -gt 0 ] || fail "there is no such entry"
close_suite

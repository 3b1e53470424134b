#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Archives of builds, there and back: what real dkms packs kmodbox loads, what kmodbox packs dkms
# loads; both give them the same names, the same content and the same exit codes. dkms runs in a
# mount namespace where its trees are empty (tests/lib/private.sh), kmodbox beside it in trees below a
# temporary directory.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

driver=acpi-call

# What of an archive must be the same: its names but for what only one of them adds.
names() {
	tar -tf "$1" | sed -e 's,^\./,,' -e 's,/$,,' |
		grep -vE '^$|/(build\.json|ticket|module/Module\.symvers|log/\.config)$' | sort
}

# --- Inside the namespace: dkms --------------------------------------------------------------------

# note NAME COMMAND...: its exit code into $out/NAME.code
note() {
	local name=$1 code=0
	shift
	"$@" >"$out/$name.out" 2>&1 </dev/null || code=$?
	echo "$code" >"$out/$name.code"
}
take_archives() {
	local file
	for file in /var/lib/dkms/"$module/$version"/tarball/*; do
		[ ! -f "$file" ] || mv "$file" "$out/$1-${file##*/}"
	done
}
# dkms packs: $out/NAME.code of each call, $out/NAME-ARCHIVE of what it made.
dkms_packs() {
	dkms add -m "$module" -v "$version" >"$out/add.log" 2>&1
	dkms build -m "$module" -v "$version" -k "$release" -a x86_64 >"$out/build.log" 2>&1
	cp -R "/usr/src/$module-$version" "$out/source"
	local call words
	for call in "${calls[@]}"; do
		read -ra words <<<"${call#*:}"
		note "pack-${call%%:*}" dkms mktarball "${words[@]}"
		take_archives "${call%%:*}"
	done
}
# dkms loads what kmodbox packed: state, exit codes, and the module that it then has.
dkms_loads() {
	local file
	# Without the driver's source, and writable for an ordinary user too.
	mount -t tmpfs tmpfs /usr/src
	note load-nothing dkms ldtarball /nonexistent.dkms.tar.gz
	note load-other dkms ldtarball "$out/other.tar.gz"
	note load-whole dkms ldtarball "$out/ours-whole.tar.gz"
	dkms status >"$out/status-whole"
	for file in /var/lib/dkms/"$module/$version/$release"/x86_64/module/*.ko*; do
		[ ! -f "$file" ] || module_payload "$file" >"$out/payload-whole"
	done
	note load-again dkms ldtarball "$out/ours-whole.tar.gz"
	dkms remove -m "$module" -v "$version" --all >/dev/null 2>&1 || true
	rm -rf /usr/src/"$module-$version" /var/lib/dkms/"$module"
	note load-source dkms ldtarball "$out/ours-source.tar.gz"
	dkms status >"$out/status-source"
}

if [ "${1:-}" = --dkms ]; then
	part=$2 out=$3 module=$4 version=$5 release=$6
	shift 6
	calls=("$@")
	"dkms_$part"
	exit
fi

# --- Outside: kmodbox, and what comes of it ---------------------------------------------------------

for needed in "$kmodbox" "$kernels/6.1" "$drivers/$driver" "$build/dkms"; do
	if [ ! -e "$needed" ]; then
		skip "tarball: $needed is not there (make, make kernels)"
		close_suite
		exit
	fi
done
work=$(mktemp -d)
chmod 755 "$work" # the parts of kmodbox have accounts of their own
trap 'rm -rf "$work"' EXIT
release=$(kernel_release "$kernels/6.1")
read -r module version < <(package_identity "$drivers/$driver")
out=$work/out
mkdir "$out"
private=("$top/tests/lib/private.sh" 6.1 "$driver")
if ! "${private[@]}" true >"$work/log" 2>&1; then
	skip "tarball: no mount namespace for dkms here: $(tail -n 1 "$work/log")"
	close_suite
	exit
fi

world=$work/world
trees=(--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules"
	--statedir "$world/state")
kernel=(--kernel-root "$kernels/6.1")
fresh() {
	rm -rf "$world"
	mkdir -p "$world/dkms" "$world/src" "$world/modules"
}
code=0
ours() {
	code=0
	"$kmodbox" "$@" "${trees[@]}" >"$work/log" 2>&1 </dev/null || code=$?
}
# same NAME EXPECTED GOT
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1: '$2' became '$3'"
		sed 's/^/        /' "$work/log"
	fi
}
same_code() { same "exit code $code: $1" "$(cat "$out/$2.code")" "$code"; }
# Loaded or packed, the module is what left dkms's compiler and strip.
payload_of_archive() {
	rm -rf "$work/unpacked"
	mkdir "$work/unpacked"
	tar -C "$work/unpacked" -xf "$1"
	module_payload "$(find "$work/unpacked/dkms_main_tree" -name '*.ko*' | head -n 1)" | sha256sum
}

say "mktarball and ldtarball of dkms and of kmodbox, $module $version for $release:"
calls=(
	"whole:-m $module -v $version -k $release -a x86_64"
	"all:$module/$version --all"
	"source:-m $module -v $version --source-only"
	"binaries:-m $module -v $version -k $release -a x86_64 --binaries-only"
	"named:-m $module -v $version -k $release -a x86_64 --archive named.dkms.tar.xz"
	"unbuilt:-m $module -v $version -k 5.0.0-nosuch"
	"unknown:-m nosuch -v 1 -k $release"
	"noversion:-m $module"
	"nothing:"
)
"${private[@]}" "$top/tests/parity/tarball.sh" --dkms packs "$out" "$module" "$version" "$release" "${calls[@]}"
whole=$(echo "$out"/whole-*)
reference=$(payload_of_archive "$whole")

fresh
ours ldtarball "$whole" "${kernel[@]}"
same "dkms's archive is loaded" 0 "$code"
same "it is built then" "$module/$version, $release, x86_64: built" \
	"$("$kmodbox" status "${trees[@]}")"
built=$world/dkms/$module/$version/$release/x86_64
same "the same module, signed anew" "$reference" \
	"$(module_payload "$(find "$built/module" -name '*.ko*')" | sha256sum)"
if grep -q '"loaded from a tarball"' "$built/build.json" &&
	grep -q "$(sha256sum <"$whole" | cut -d ' ' -f 1)" "$built/build.json"; then
	pass "its record says where it is from"
else
	fail "its record does not say where it is from"
fi
same "the same source" "" "$(diff -r "$out/source" "$world/src/$module-$version" 2>&1)"

# The same calls on what was loaded: names, content and exit codes of the archives.
for call in "${calls[@]}"; do
	name=${call%%:*}
	rm -rf "$world/dkms/$module/$version/tarball"
	read -ra words <<<"${call#*:}"
	ours mktarball "${words[@]}"
	same_code "mktarball ${call#*:}" "pack-$name"
	[ "$code" -eq 0 ] || continue
	theirs=$(cd "$out" && echo "$name"-*)
	mine=$(ls "$world/dkms/$module/$version/tarball")
	same "the name $mine" "${theirs#"$name-"}" "$mine"
	same "its content ($name)" "$(names "$out/$theirs")" \
		"$(names "$world/dkms/$module/$version/tarball/$mine")"
	cp "$world/dkms/$module/$version/tarball/$mine" "$out/ours-$name.tar.gz"
	ours mktarball "${words[@]}"
	same "packed again, the same bytes ($name)" "$(sha256sum <"$out/ours-$name.tar.gz")" \
		"$(sha256sum <"$world/dkms/$module/$version/tarball/$mine")"
done
same "the same module in kmodbox's archive" "$reference" "$(payload_of_archive "$out/ours-whole.tar.gz")"

echo text >"$work/readme"
tar -C "$work" -czf "$out/other.tar.gz" readme
"${private[@]}" "$top/tests/parity/tarball.sh" --dkms loads "$out" "$module" "$version" "$release"
same "dkms loads kmodbox's archive" 0 "$(cat "$out/load-whole.code")"
same "it is built for dkms" "$module/$version, $release, x86_64: built" "$(cat "$out/status-whole")"
same "with the same module" "$reference" "$(sha256sum <"$out/payload-whole")"
same "dkms loads kmodbox's archive of a source" 0 "$(cat "$out/load-source.code")"
same "it is added for dkms" "$module/$version: added" "$(cat "$out/status-source")"

ours ldtarball "$whole" "${kernel[@]}"
same_code "ldtarball of what is added already" load-again
ours ldtarball --force -m "$module" -v "$version" "$whole" "${kernel[@]}"
# dkms 3.0.10 ends with 3 here, having replaced it all the same.
same "ldtarball --force replaces what is named" 0 "$code"
ours ldtarball /nonexistent.dkms.tar.gz
same_code "ldtarball of a file that is not there" load-nothing
fresh
ours ldtarball "$out/other.tar.gz"
same_code "ldtarball of another archive" load-other
ours ldtarball "$out"/source-*
same_code "ldtarball of dkms's archive of a source" load-source
same "it is added then" "$module/$version: added" "$("$kmodbox" status "${trees[@]}")"
ours ldtarball -m "$module" -v "$version" "$out"/binaries-* "${kernel[@]}"
same "dkms's binaries alone are loaded where the source is added" 0 "$code"
same "they are built then" "$module/$version, $release, x86_64: built" \
	"$("$kmodbox" status "${trees[@]}")"
fresh
ours add "$whole"
same "dkms's archive is added as a source" 0 "$code"
same "its builds are not" "$module/$version: added" "$("$kmodbox" status "${trees[@]}")"
close_suite

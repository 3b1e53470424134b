# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # what stands in single quotes is for other shells
# Entries for what is made again after something it depends on: BUILD_DEPENDS_REBUILD. With the words
# of depends.sh.

# another_hub VERSION SYMBOL: the hub exports this now; installed.
another_hub() {
	cp -R "$world/src/hub-1.0" "$world/src/hub-$1"
	sed -i "s/VERSION=\"1.0\"/VERSION=\"$1\"/" "$world/src/hub-$1/dkms.conf"
	sed -i "s/hub_value/$2/g" "$world/src/hub-$1/hub.c"
	name=hub version=$1
	install
}
# is STATE: of this package
is() {
	expected
	run status -m "$name" -v "$version"
	grep -x "$name/$version, $release, x86_64: $1" "$world/out" >/dev/null ||
		problem "$name/$version is not $1: $(cat "$world/out")"
}
entry_rebuild_fails() {
	about "what depends on it cannot be made again: it is installed, and that is said"
	not_dkms "nothing is installed here, and dkms 3.0.10 does not have it" || return 0
	link hub ""
	install
	link spoke hub 'BUILD_DEPENDS[0]="hub"' "BUILD_DEPENDS_REBUILD=yes" \
		'MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/spoke/1.0/build KBUILD_MODPOST_WARN=1 KBUILD_EXTRA_SYMBOLS=\$(ls ${dkms_tree}/hub/*/${kernelver}/${arch}/module/Module.symvers | tail -n 1)"'
	install
	done_well
	another_hub 1.1 hub_other
	ended_with 11
	grep -F hub_value "$world/err" >/dev/null || problem "the reason is not told: $(cat "$world/err")"
	[ "$(tail -n 1 "$world/err" | grep -c 'what was installed is in place')" -eq 1 ] ||
		problem "the outcome is not told: $(tail -n 1 "$world/err")"
	is installed
	name=spoke version=1.0
	is installed
	left .dep_hub 1.0
	step "mended, and the same is asked for again"
	name=hub version=1.1
	run remove -m hub -v 1.0 --all
	sed -i 's/hub_other/hub_value/g' "$world/src/hub-1.1/hub.c"
	run add -m hub -v 1.1 --force
	install --force
	ended_with 11 # what is built is installed again: not what was mended
	run unbuild -m hub -v 1.1 --all
	install
	done_well
	name=spoke version=1.0
	left .dep_hub 1.1
	is installed
}

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # what stands in single quotes is for other shells
# Entries for packages that need other packages: BUILD_DEPENDS, and reading another one's tree.

# link NAME NEEDED LINE...: a package whose module calls a function of the needed one's ("" for none).
link() {
	local uses=()
	package "$1" 1.0
	{
		say 'DEST_MODULE_LOCATION[0]=/updates'
		say 'AUTOINSTALL=yes'
		if [ -n "$2" ]; then
			printf 'MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/%s/1.0/build KBUILD_EXTRA_SYMBOLS=%s"\n' \
				"$1" "\${dkms_tree}/$2/1.0/\${kernelver}/\${arch}/module/Module.symvers"
		fi
		printf '%s\n' "${@:3}"
	} | conf
	[ -z "$2" ] || uses=(-i "${2//-/_}_value")
	module -e "${1//-/_}_value" "${uses[@]}" "$1"
}

entry_depends() {
	about "what is needed is not there"
	not_dkms "nothing is installed here" || return 0
	link bus-a ""
	link bus-b bus-a 'BUILD_DEPENDS[0]="bus-a"'
	link bus-c bus-b 'BUILD_DEPENDS=(bus-b bus-a)'
	name=bus-b
	build
	refused 13 "bus-b" "bus-a"
	step "the first of three: its exports are kept"
	name=bus-a
	build
	built bus-a
	left module/Module.symvers bus_a_value
	step "what is needed is built, but not installed"
	name=bus-b
	build
	refused 13 "bus-b" "bus-a" install
	step "what is needed is installed: its exports are taken"
	name=bus-a
	install
	status installed
	name=bus-b
	build
	built bus-b
	exports bus-b bus_b_value
	record bus-a
	step "the last of three"
	install
	status installed
	name=bus-c
	build
	built bus-c
}
entry_depends_wrong() {
	about "an import that no dependency exports"
	not_dkms "it does not look at imports" || return 0
	link bus-d bus-none 'MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/bus-d/1.0/build KBUILD_MODPOST_WARN=1"'
	build
	refused 32 bus-d "Unknown symbol" bus_none_value
}
# bus-e, and bus-f with BUILD_DEPENDS on it: both are installed then.
installed_pair() {
	link bus-e ""
	install
	link bus-f bus-e 'BUILD_DEPENDS[0]="bus-e"' "BUILD_DEPENDS_REBUILD=$1"
	install
	status installed
}
# another_bus_e: a version of it that exports the same, installed.
another_bus_e() {
	cp -R "$world/src/bus-e-1.0" "$world/src/bus-e-1.1"
	sed -i 's/VERSION="1.0"/VERSION="1.1"/' "$world/src/bus-e-1.1/dkms.conf"
	name=bus-e version=1.1
	install
	done_well
	name=bus-f version=1.0
}
entry_depends_rebuild() {
	about "BUILD_DEPENDS_REBUILD: another version of what is needed is installed"
	not_dkms "nothing is installed here, and dkms 3.0.10 does not have it" || return 0
	installed_pair yes
	left .dep_bus-e 1.0
	another_bus_e
	grep -F 'bus-f/1.0 was built against another build of bus-e' "$world/out" >/dev/null ||
		problem "it is not said that bus-f is built again"
	left .dep_bus-e 1.1
	record '"1.1"'
	status installed
	step "without it: what was built stays"
	for name in bus-f bus-e; do
		run remove -m "$name" --all -v 1.0
		rm -rf "$world/src/$name"-*
	done
	run remove -m bus-e --all -v 1.1
	installed_pair no
	another_bus_e
	left .dep_bus-e 1.0
	status installed
}
entry_depends_tarball() {
	about "a build from an archive: the version of what it needs is kept"
	not_dkms "nothing is installed here, and dkms 3.0.10 does not have it" || return 0
	installed_pair yes
	run mktarball -m bus-f -v 1.0 -k "$release"
	done_well
	cp "$world/dkms/bus-f/1.0/tarball"/*.gz "$world/bus-f.tar.gz"
	tar -tf "$world/bus-f.tar.gz" | grep "/$release/x86_64/.dep_bus-e\$" >/dev/null ||
		problem "mktarball has left it out"
	run remove -m bus-f -v 1.0 --all
	rm -rf "$world/src/bus-f-1.0"
	kernel_options
	run ldtarball "$world/bus-f.tar.gz" "${options[@]}"
	built bus-f
	left .dep_bus-e 1.0
	step "and with another version of that installed it is built anew"
	install
	another_bus_e
	left .dep_bus-e 1.1
	status installed
	! grep -F 'loaded from a tarball' "$(modules)/build.json" >/dev/null || problem "it is the loaded build"
}
entry_autoinstall() {
	about "autoinstall of a chain, in whatever order"
	not_dkms "nothing is installed here" || return 0
	link a-last m-middle 'BUILD_DEPENDS[0]="m-middle"'
	link m-middle z-first 'BUILD_DEPENDS[0]="z-first"'
	link z-first ""
	for name in a-last m-middle z-first; do
		run add -m "$name" -v 1.0
		[ "$code" -eq 0 ] || problem "add $name: exit code $code"
	done
	kernel_options
	run autoinstall "${options[@]}"
	ended_with 0
	for name in a-last m-middle z-first; do
		status installed
	done
}
entry_circular() {
	about "BUILD_DEPENDS in a circle: build"
	link egg hen 'BUILD_DEPENDS[0]="hen"'
	link hen egg 'BUILD_DEPENDS[0]="egg"'
	not_dkms "dkms 3.0.10 does not look at it when it builds" || return 0
	name=egg
	build
	refused 13 egg hen
	step "BUILD_DEPENDS in a circle: autoinstall names it"
	for name in egg hen; do
		run add -m "$name" -v 1.0
	done
	kernel_options
	run autoinstall "${options[@]}"
	ended_with 11
	grep -E 'egg.*hen.*egg|hen.*egg.*hen' "$world/err" >/dev/null || problem "the circle is not named"
}
# kvdo: a CONFIG_ name where a package's is meant.
entry_kvdo() {
	about "BUILD_DEPENDS with a name that is no package's"
	package vdo 6.2
	conf <<-'END'
		BUILT_MODULE_NAME=vdo
		DEST_MODULE_LOCATION=/kernel/drivers/block
		BUILD_DEPENDS[0]=LZ4_COMPRESS
		BUILD_DEPENDS[1]=LZ4_DECOMPRESS
	END
	module vdo
	not_dkms "dkms 3.0.10 does not look at it when it builds" || return 0
	build
	refused 13 vdo LZ4_COMPRESS
}
# west-chamber and xtables-addons: a tree that is read without BUILD_DEPENDS.
entry_sibling() {
	about "reads another package's tree without BUILD_DEPENDS: not shown"
	not_dkms "it shows everything" || return 0
	link tables ""
	build
	package reader 1.0
	conf <<-'END'
		symbols=$(find "$dkms_tree/tables" -name Module.symvers 2>/dev/null | head -n 1)
		MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/reader/1.0/build KBUILD_EXTRA_SYMBOLS=$symbols"
		DEST_MODULE_LOCATION[0]=/updates
	END
	module -i tables_value reader
	build
	refused 10 "reader 1.0" tables_value
	step "depends = tables shows it, and its exports count"
	settings <<-'END'
		[build]
		depends = tables
	END
	build
	built reader
}

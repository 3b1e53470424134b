# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # what stands in single quotes is for other shells
# Entries for modules.d/NAME.conf: what a driver needs beyond the rest, and what is said where it is not
# enough. `simple` and $making are of directives.sh; network and the source are with the drivers.

# large NAME: its MAKE leaves 40 MiB of files behind.
large() {
	simple "$1" <<-END
		MAKE="$making && head -c 40M /dev/zero >scratch.bin"
	END
}
entry_scratch() {
	about "a build larger than its scratch: one line says which setting makes it larger"
	not_dkms "it has no limits" || return 0
	large voluminous
	settings <<-'END'
		[scratch]
		size = 24M
		place = memory
	END
	build
	refused 31 "voluminous 1.0" "[scratch]" "size =" "voluminous.conf"
	step "with that setting: built"
	settings <<-'END'
		[scratch]
		size = 100M
		place = memory
	END
	build
	built voluminous
	step "the same, on disk"
	settings <<-'END'
		[scratch]
		size = 1G
		place = disk
	END
	build --force
	built voluminous
	says voluminous plain
}
entry_extra_missing() {
	about "extra_outputs that the build does not leave"
	not_dkms "it has no such setting" || return 0
	simple leaving <<<''
	settings <<-'END'
		[build]
		extra_outputs = leaving_config.h
	END
	build
	refused 7 "leaving 1.0" leaving_config.h extra_outputs
}
entry_extra_link() {
	about "extra_outputs that are a link to elsewhere"
	not_dkms "it has no such setting" || return 0
	simple linking <<<'POST_BUILD="finish.sh"'
	script finish.sh <<-'END'
		#!/bin/sh
		ln -s /etc/passwd "$PWD/linking_config.h"
	END
	settings <<-'END'
		[build]
		extra_outputs = linking_config.h
	END
	build
	refused 7 "linking 1.0" linking_config.h
}
entry_leave_out() {
	about "one of two modules would not load: refused, and which setting does without it"
	not_dkms "it checks nothing" || return 0
	package halves 1.0
	conf <<-'END'
		MAKE="make -C $kernel_source_dir M=$dkms_tree/halves/1.0/build KBUILD_MODPOST_WARN=1"
		BUILT_MODULE_NAME=(sound lame)
		DEST_MODULE_LOCATION=(/updates /updates)
	END
	module sound
	module -i nobody_exports_this lame
	build
	refused 32 "halves 1.0" lame.ko nobody_exports_this "leave_out = NAME" "halves.conf"
	step "with that setting: the other is built"
	settings <<-'END'
		[build]
		leave_out = lame
	END
	build
	built sound
}

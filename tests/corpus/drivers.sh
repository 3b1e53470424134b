# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # what stands in single quotes is for other shells
# Entries in the style of drivers that many people use. Nothing of theirs is copied: it is the way
# their dkms.conf is written, with modules of a few lines.

# The Makefile that drivers have for people without dkms.
plain_makefile() {
	makefile Makefile <<-'END'
		KERNELRELEASE ?= $(shell uname -r)
		KDIR ?= /lib/modules/$(KERNELRELEASE)/build
		all: modules
		modules clean:
		    $(MAKE) -C $(KDIR) M=$(CURDIR) $@
	END
}

# zfs: a configure script with a long command line that dkms.conf makes up, several modules in folders,
# and a POST_BUILD that puts a header into the dkms tree, where other packages look for it.
zfs_like() {
	package tank 2.2.4
	conf <<-'END'
		PACKAGE_CONFIG="/etc/default/no-such-tank"
		AUTOINSTALL="yes"
		NO_WEAK_MODULES="yes"
		PRE_BUILD="configure --with-config=kernel --with-linux=$(
			case "${kernelver}" in
			*-azure | *-gcp) echo "/usr/src/linux-${kernelver}" ;;
			*)
				if [[ -e "${kernel_source_dir/%build/source}" ]]; then
					echo "${kernel_source_dir/%build/source}"
				else
					echo "${kernel_source_dir}"
				fi
				;;
			esac
		) --with-linux-obj=${kernel_source_dir} $(
			[[ -n "${TANK_ROOT}" ]] && echo --with-tank="${TANK_ROOT}"
		) $(
			[[ -r "${PACKAGE_CONFIG}" ]] && source "${PACKAGE_CONFIG}"
			shopt -q -s extglob
			answer="YES"
			[[ "${answer,,}" = @(y|yes) ]] && echo --enable-debuginfo
		)"
		[[ -r ${PACKAGE_CONFIG} ]] && source ${PACKAGE_CONFIG}
		POST_BUILD="scripts/keep.sh -n ${PACKAGE_NAME} -v ${PACKAGE_VERSION} -a ${arch} -k ${kernelver} -t ${dkms_tree}"
		MAKE[0]="make"
		for tank_module in spl tank; do
			BUILT_MODULE_NAME+=("$tank_module")
			BUILT_MODULE_LOCATION+=("module/$tank_module")
			DEST_MODULE_LOCATION+=("/extra/tank/$tank_module")
		done
	END
	script configure <<-'END'
		#!/bin/sh
		set -e
		debug=no
		for word; do
			case $word in
			--with-linux-obj=*) object=${word#*=} ;;
			--with-linux=*) source=${word#*=} ;;
			--enable-debuginfo) debug=yes ;;
			esac
		done
		test -r "$object/include/generated/autoconf.h" && test -d "$source"
		{ echo "#define TANK_DEBUG_$debug 1"; echo "#define TANK_FOR \"$kernelver\""; } >tank_config.h
		printf 'all:\n\t$(MAKE) -C %s M=$(CURDIR)/module CORPUS=debug_%s modules\n' "$object" $debug >Makefile
	END
	script scripts/keep.sh <<-'END'
		#!/bin/sh
		set -e
		while getopts n:v:a:k:t: option; do
			case $option in
			n) name=$OPTARG ;;
			v) version=$OPTARG ;;
			a) arch=$OPTARG ;;
			k) kernel=$OPTARG ;;
			t) tree=$OPTARG ;;
			esac
		done
		cp tank_config.h "$tree/$name/$version/$kernel/$arch/"
	END
	module -d module/spl -e spl_value spl
	module -d module/tank -i spl_value tank
	file module/Kbuild <<-'END'
		ifneq ($(CORPUS),)
		subdir-ccflags-y += -DCORPUS=$(CORPUS)
		endif
		obj-m += spl/ tank/
	END
}
entry_zfs() {
	about "configure by PRE_BUILD, modules in folders, POST_BUILD keeps a header in the dkms tree"
	zfs_like
	settings <<-'END'
		[build]
		extra_outputs = tank_config.h
	END
	build
	built spl tank
	says spl debug_yes
	says tank debug_yes
	exports spl spl_value
	left tank_config.h "#define TANK_FOR \"$release\""
}
entry_zfs_alone() {
	[ "${CORPUS:-}" = all ] || return 0
	about "the same without a settings file: its POST_BUILD may write, nothing else is kept"
	zfs_like
	build
	built spl tank
	[ ! -e "$(modules)/tank_config.h" ] || problem "tank_config.h was kept"
}

# NVIDIA's open modules: a PRE_BUILD that is no program of the source, so that it is never run, 'make'
# in quotes, which keeps DKMS from adding to it, and a Makefile that looks at the compiler.
entry_nvidia_open() {
	about "a PRE_BUILD that is no script, 'make' in quotes, several modules of one tree, CC is looked at"
	package gpu-open 550.54
	conf <<-'END'
		AUTOINSTALL="yes"
		PRE_BUILD="find . -name '*.sh' -exec chmod +x {} +"
		MAKE[0]="'make' -j2 NV_EXCLUDE_BUILD_MODULES='' KERNEL_UNAME=${kernelver} modules"
		BUILT_MODULE_NAME[0]="${PACKAGE_NAME}"
		BUILT_MODULE_LOCATION[0]="kernel-open"
		DEST_MODULE_LOCATION[0]="/kernel/drivers/video"
		BUILT_MODULE_NAME[1]="gpu-open-drm"
		BUILT_MODULE_LOCATION[1]="kernel-open"
		DEST_MODULE_LOCATION[1]="/kernel/drivers/video"
	END
	makefile Makefile <<-'END'
		CC ?= cc
		KERNEL_SOURCES := /lib/modules/$(KERNEL_UNAME)/build
		modules: checks
		    $(MAKE) -C $(KERNEL_SOURCES) M=$(CURDIR)/kernel-open CORPUS=$(if $(KERNELRELEASE),release,bare) modules
		checks:
		    sh ./conftest.sh "$(CC)" $(KERNEL_SOURCES)
		.PHONY: modules checks
	END
	script conftest.sh <<-'END'
		#!/bin/sh
		# The compiler must be of the major version that made the kernel.
		kernel=$(sed -n 's/.*CONFIG_GCC_VERSION=\([0-9]*\)..../\1/p' "$2/.config")
		ours=$(echo __GNUC__ | $1 -E -P -)
		test "$kernel" = "$ours" || { echo "compiler $1 is $ours, of the kernel $kernel"; exit 1; }
	END
	module -d kernel-open gpu-open gpu-open-drm
	printf '%s\n' 'ccflags-y += -DCORPUS=$(CORPUS)' >>"$source/kernel-open/Kbuild"
	warns PRE_BUILD find executable
	build
	built gpu-open gpu-open-drm
	says gpu-open bare
}

# Realtek's out of tree: a script as MAKE, -j by itself, EXTRA_CFLAGS, a name that is a version.
realtek_like() {
	package rtl88x2zu 5.15.0.1
	conf <<-END
		$1
		BUILT_MODULE_NAME[0]="88x2zu"
		DEST_MODULE_LOCATION[0]="/kernel/drivers/net/wireless"
		CLEAN="make clean"
		REMAKE_INITRD="no"
		AUTOINSTALL="yes"
	END
	# One Makefile for kbuild and for people, told apart by KERNELRELEASE.
	makefile Makefile <<-'END'
		EXTRA_CFLAGS += $(USER_EXTRA_CFLAGS) -O1 -Wno-unused-variable
		KVER ?= $(shell uname -r)
		KSRC := /lib/modules/$(KVER)/build
		ifneq ($(KERNELRELEASE),)
		obj-m := 88x2zu.o
		else
		modules:
		    $(MAKE) ARCH=x86_64 CROSS_COMPILE= -C $(KSRC) M=$(CURDIR) modules
		clean:
		    rm -f *.o *.ko
		endif
	END
	script dkms-make.sh <<-'END'
		#!/bin/sh
		count=$(nproc)
		[ "$count" -lt 3 ] || count=3
		make "-j$count" "KVER=$kernelver" USER_EXTRA_CFLAGS="-DCORPUS=made_by_script" "$@"
	END
	module 88x2zu
	rm "$source/Kbuild"
}
entry_realtek() {
	about "a script as MAKE, which takes kernelver from the environment, EXTRA_CFLAGS, -j by itself"
	realtek_like 'MAKE="./dkms-make.sh"'
	warns CLEAN REMAKE_INITRD
	build
	built 88x2zu
	says 88x2zu made_by_script
}
entry_realtek_environment() {
	about "settings: environment is seen by MAKE, and by dkms.conf"
	not_dkms "it has no settings of this kind" || return 0
	realtek_like "MAKE=\"'make' KVER=\${kernelver} USER_EXTRA_CFLAGS=-DCORPUS=\\\${USER_VALUE}\$USER_LEVEL\""
	settings <<-'END'
		[build]
		environment = USER_VALUE=by_setting_
		environment = USER_LEVEL=7
	END
	warns CLEAN REMAKE_INITRD
	build
	built 88x2zu
	says 88x2zu by_setting_7
}
# Others of Realtek's: dkms.conf asks the machine how many processors it has and what runs on it.
entry_realtek_asks() {
	about "dkms.conf asks nproc, uname -r, uname -m and /proc/cpuinfo"
	package rtl88x2au 5.13.6
	conf <<-'END'
		PROCS_NUM=`nproc`
		[ $PROCS_NUM -gt 16 ] && PROCS_NUM=16
		COUNTED=$(grep -c ^processor /proc/cpuinfo 2>/dev/null) || COUNTED=1
		[ "$(uname -r)" = "$kernelver" ] || OTHER=-other
		case "$(uname -m)" in
		x86_64) SUBARCH=x86_64 ;;
		*) SUBARCH=unknown ;;
		esac
		DEST_MODULE_LOCATION="/updates/dkms"
		MAKE="'make' -j$PROCS_NUM KVER=${kernelver} LIMIT=$((COUNTED > 0)) SUBARCH=$SUBARCH src=$source_tree/$PACKAGE_NAME-$PACKAGE_VERSION"
		CLEAN="make clean"
		BUILT_MODULE_NAME="88x2au"
		AUTOINSTALL="yes"
	END
	makefile Makefile <<-'END'
		KSRC := /lib/modules/$(KVER)/build
		ifneq ($(KERNELRELEASE),)
		obj-m := 88x2au.o
		else
		modules:
		    test -n "$(wildcard $(KSRC)/.config)"
		    $(MAKE) -C $(KSRC) M=$(CURDIR) modules \
		        EXTRA_CFLAGS=-DCORPUS=for_$(SUBARCH)_$(LIMIT)_$(if $(filter $(shell uname -m),$(SUBARCH)),agreed)
		endif
	END
	module 88x2au
	rm "$source/Kbuild"
	warns CLEAN
	build
	built 88x2au
	says 88x2au for_x86_64_1_agreed
	step "MAKE counts processors in /proc/cpuinfo, without a number where that is not shown"
	rm -rf "$world/dkms/rtl88x2au"
	sed -i 's,-j$PROCS_NUM,-j\\$(grep -c ^processor /proc/cpuinfo),' "$source/dkms.conf"
	grep -F 'make'"'"' -j\$(grep -c' "$source/dkms.conf" >/dev/null || problem "dkms.conf is not what it should be"
	warns CLEAN
	build
	built 88x2au
	says 88x2au for_x86_64_1_agreed
}
entry_uname() {
	about "a Makefile that asks uname -r: no headers of that kernel are shown"
	if [ -e "/lib/modules/$(uname -r)/build" ] && [ "$real_dkms" = yes ]; then
		not_dkms "the running kernel has headers" || return 0
	fi
	realtek_like "MAKE=\"'make'\""
	warns CLEAN REMAKE_INITRD
	build
	refused 10 "rtl88x2zu 5.15.0.1" "$release" make.log
}

# fetch_script PROGRAM URL FILE: an executable fetch.sh that downloads with wget or curl.
fetch_script() {
	local command="wget -t 1 -T 10 -O"
	[ "$1" = wget ] || command="curl -m 10 -fo"
	script fetch.sh <<-END
		#!/bin/bash
		set -e
		$command $3.partial $2
		mv $3.partial $3
	END
}
# snd_hda_macbookpro: PRE_BUILD fetches the kernel's sources.
fetching() {
	local program=$1
	about "PRE_BUILD downloads, by a host's name: one line says which setting lets it"
	not_dkms "it has the host's network" || return 0
	needs "$program" || return 0
	package hda-fetch 0.1
	conf <<-'END'
		BUILT_MODULE_NAME[0]="hda-fetch"
		DEST_MODULE_LOCATION[0]="/updates"
		MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build"
		PRE_BUILD="fetch.sh ${kernelver}"
	END
	module hda-fetch
	kbuild 'ccflags-y += -include $(src)/fetched.h'
	fetch_script "$program" http://sources.invalid/linux.tar.xz fetched.h
	build
	refused 10 "hda-fetch 0.1" "profile = network" "hda-fetch.conf"
	step "PRE_BUILD downloads, from an address: the same line"
	mkdir "$world/www"
	say '#define CORPUS fetched_here' >"$world/www/value"
	serve "$world/www"
	fetch_script "$program" "http://127.0.0.1:$port/value" fetched.h
	add_anew
	build
	refused 10 "hda-fetch 0.1" "profile = network" "hda-fetch.conf"
	step "with that setting: built, and marked as not hermetic"
	settings <<-'END'
		[build]
		profile = network
	END
	build
	built hda-fetch
	says hda-fetch fetched_here
	record '"hermetic": false'
}
entry_fetch_by_wget() {
	fetching wget
}
entry_fetch_by_curl() {
	fetching curl
}

# bcachefs's dkms package: a script fetches a module that somebody else has built, else it is built.
entry_prebuilt() {
	local program=wget
	about "MAKE fetches a module already built, or else builds it: without network it is built"
	not_dkms "it has the host's network" || return 0
	command -v wget >/dev/null 2>&1 || program=curl
	needs "$program" || return 0
	mkdir "$world/www"
	serve "$world/www"
	package prebuilt 1.31
	conf <<-'END'
		MAKE[0]="./fetch.sh ${kernelver} || make -C ${kernel_source_dir} M=${dkms_tree}/prebuilt/1.31/build"
		BUILT_MODULE_NAME[0]="prebuilt"
		DEST_MODULE_LOCATION[0]="/updates/dkms"
		AUTOINSTALL="yes"
	END
	fetch_script "$program" "http://127.0.0.1:$port/prebuilt.ko" prebuilt.ko
	module prebuilt
	build
	built prebuilt
	says prebuilt plain
	record '"hermetic": true'
	step "with network: the one it fetches is taken, checked as any other"
	payload prebuilt | sed 's/corpus=plain/corpus=FETCH/' >"$world/www/prebuilt.ko"
	settings <<-'END'
		[build]
		profile = network
	END
	build --force
	built prebuilt
	says prebuilt FETCH
	record '"hermetic": false'
	step "with network: a fetched module of another kernel is not signed"
	sed -i "s/vermagic=[0-9]/vermagic=2/" "$world/www/prebuilt.ko"
	build --force
	expected
	[ "$code" -eq 32 ] || [ "$code" -eq 36 ] || problem "exit code $code, neither 32 nor 36"
	says prebuilt FETCH
}

# xpmem: a destination that leads out and in again, and `make install` as part of MAKE.
entry_xpmem() {
	about "DEST_MODULE_LOCATION=/kernel/../updates/"
	not_dkms "it takes every location that begins with /kernel" || return 0
	package shared-pages 2.7
	conf <<-'END'
		DEST_MODULE_LOCATION="/kernel/../updates/"
		MAKE="make KVERSION=$kernelver"
	END
	module shared-pages
	build
	refused 8 dkms.conf "DEST_MODULE_LOCATION[0]" "/kernel/../updates/"
}
entry_make_install() {
	about "make install inside MAKE"
	not_dkms "its builds may write to the host" || return 0
	package pages 2.7
	conf <<-'END'
		BUILT_MODULE_NAME=pages
		DEST_MODULE_LOCATION="/updates"
		MAKE="make all && make install"
	END
	makefile Makefile <<-'END'
		all:
		    $(MAKE) -C /lib/modules/$(kernelver)/build M=$(CURDIR) modules
		install:
		    mkdir -p /lib/modules/$(kernelver)/updates
		    install -m 0644 pages.ko /lib/modules/$(kernelver)/updates/
	END
	module pages
	build
	refused 10 "pages 2.7" "may not write to the host"
}

# it87 and the like: one module, an escaped variable of dkms that only MAKE's shell knows, exclusions.
it87_like() {
	package hwmon-87 1
	{
		cat <<-'END'
			# In `make`, as written here, the shell of dkms expands the dollars.
			MAKE="make TARGET=${kernelver} BUILD_DIR=\$dkms_tree/\$module/\$module_version/build -f Makefile.dkms"
			CLEAN=""
			BUILT_MODULE_NAME="it-87"
			DEST_MODULE_LOCATION="/kernel/drivers/hwmon"
			AUTOINSTALL=YES
		END
		printf '%s\n' "$@"
	} | conf
	makefile Makefile.dkms <<-'END'
		all:
		    $(MAKE) -C /lib/modules/$(TARGET)/build M=$(BUILD_DIR) CORPUS=$(notdir $(BUILD_DIR)) modules
	END
	module it-87
	value
}
entry_it87() {
	about "escaped variables of dkms in MAKE, and BUILD_EXCLUSIVE_* that all allow it"
	it87_like 'BUILD_EXCLUSIVE_KERNEL="^(5\.[0-9]+|6)\."' 'BUILD_EXCLUSIVE_ARCH="^(i.86|x86_64)$"' \
		'BUILD_EXCLUSIVE_CONFIG="CONFIG_MODULES !CONFIG_NO_SUCH_THING"'
	warns CLEAN
	build
	built it-87
	says it-87 build
}
entry_exclusive() {
	local line
	for line in 'BUILD_EXCLUSIVE_KERNEL="^(4|5)\."' 'BUILD_EXCLUSIVE_ARCH="^arm"' \
		'BUILD_EXCLUSIVE_CONFIG="CONFIG_MODULES CONFIG_NO_SUCH_THING"' \
		'BUILD_EXCLUSIVE_CONFIG="!CONFIG_MODULES"' 'BUILD_EXCLUSIVE_KERNEL_MIN="99.0"' \
		'BUILD_EXCLUSIVE_KERNEL_MAX="5.19"'; do
		step "not for this kernel: $line"
		case $line in
		*_M[IA][NX]=*) not_dkms "dkms 3.0.10 does not have it" || continue ;;
		esac
		rm -rf "$world/dkms/hwmon-87" "$world/src"
		it87_like "$line"
		build
		refused 77 "${line%%=*}"
	done
}

# west-chamber: MAKE works in the source, not in the copy.
entry_west_chamber() {
	about "MAKE writes to /usr/src: one line says which setting lets it"
	not_dkms "its builds may write to /usr/src" || return 0
	package chamber 1.0
	conf <<-'END'
		PSRC=$(find "$source_tree" -maxdepth 1 -name "${PACKAGE_NAME}-${PACKAGE_VERSION}")
		MAKE="cd $PSRC && make -C ${kernel_source_dir} M=$PSRC CORPUS=in_source modules && cp *.ko ${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build/"
		BUILT_MODULE_NAME[0]="chamber"
		DEST_MODULE_LOCATION[0]="/updates"
	END
	module chamber
	value
	build
	refused 10 "chamber 1.0" "source = writable" "chamber.conf"
	step "with that setting: built, and the source is as it was"
	settings <<-'END'
		[build]
		source = writable
	END
	build
	built chamber
	says chamber in_source
	[ ! -e "$source/chamber.ko" ] || problem "the build wrote to the source itself"
}

# lttng-modules: arrays filled by a running index, arithmetic, the kernel's .config read as shell.
entry_lttng() {
	about "arrays by [\$i], arithmetic, the kernel's .config as shell, modules on conditions"
	package tracer 2.13
	conf <<-'END'
		# What the kernel has decides what is built.
		[ -r "$kernel_source_dir/.config" ] && . "$kernel_source_dir/.config"
		AUTOINSTALL="yes"
		KVER=$(echo "$kernelver" | sed -e 's/^\([0-9][0-9]*\.[0-9][0-9]*\).*/\1/')
		V=$(echo "$KVER" | cut -d. -f1) P=${KVER#*.}
		i=0
		BUILT_MODULE_NAME[$i]="tracer-core"
		BUILT_MODULE_LOCATION[$i]="src/"
		DEST_MODULE_LOCATION[$i]="/extra"
		i=$((i + 1))
		if [ "$CONFIG_EVENT_TRACING" = "y" ] && [ -n "$CONFIG_MODULES" ]; then
			BUILT_MODULE_NAME[$i]="tracer-events"
			BUILT_MODULE_LOCATION[$i]="src/"
			DEST_MODULE_LOCATION[$i]="/extra"
			i=$((i + 1))
		fi
		if [ $((V * 1000 + P)) -ge 6012 ]; then
			BUILT_MODULE_NAME[$i]="tracer-new"
			BUILT_MODULE_LOCATION[$i]="src/"
			DEST_MODULE_LOCATION[$i]="/extra"
			(( i += 1 ))
		fi
		if [ "$CONFIG_NO_SUCH_THING" = y ]; then
			BUILT_MODULE_NAME[$i]="tracer-never"
			BUILT_MODULE_LOCATION[$i]="src/"
			DEST_MODULE_LOCATION[$i]="/extra"
			let i++
		fi
		MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build/src COUNT=$i"
	END
	module -d src tracer-core tracer-events tracer-new
	say 'ccflags-y += -DCORPUS=count_$(COUNT)' >>"$source/src/Kbuild"
	build
	case $kernel in
	6.1 | 6.1-*)
		built tracer-core tracer-events
		says tracer-core count_2
		[ "$real_dkms" = no ] && [ "$kernel" = 6.1 ] || return 0
		step "for a newer kernel a third module, which add had approved too"
		on 6.12 || {
			skip "$entry: no kernel 6.12"
			title=
			return 0
		}
		build
		;;
	esac
	built tracer-core tracer-events tracer-new
	says tracer-new count_3
}

# ddcci: a module that newer kernels have themselves, and a backlight beside it.
entry_ddcci() {
	about "if ! grep ... of the kernel's headers"
	package display-bus 0.4.4
	conf <<-'END'
		MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build modules"
		AUTOINSTALL="yes"
		BUILT_MODULE_NAME[0]="display-bus"
		BUILT_MODULE_LOCATION[0]=""
		DEST_MODULE_LOCATION[0]="/updates"
		if ! grep -q '^CONFIG_DISPLAY_BUS_OF_ITS_OWN=[ym]' "${kernel_source_dir}/.config"; then
			BUILT_MODULE_NAME[1]="display-backlight"
			BUILT_MODULE_LOCATION[1]="backlight"
			DEST_MODULE_LOCATION[1]="/updates"
		fi
		if grep -q "^CONFIG_MODULES=y" ${kernel_source_dir}/.config >/dev/null; then
			STRIP[1]=no
		else
			BUILD_EXCLUSIVE_KERNEL="^0\."
		fi
	END
	module display-bus
	module -d backlight display-backlight
	kbuild 'obj-m += backlight/'
	build
	built display-backlight display-bus
	debugging display-bus no
	debugging display-backlight yes
}

# openafs: backticks, case, and a MAKE of several lines with && and a subshell.
entry_openafs() {
	about "backticks, case, a MAKE of several lines with a subshell"
	package cellfs 1.8.9
	conf <<-'END'
		case `uname -m` in
		x86_64) sysname=amd64_linux26 ;;
		i?86) sysname=i386_linux26 ;;
		*) sysname=`uname -m`_linux ;;
		esac
		MAKE="(./configure --with-linux-kernel-headers=${kernel_source_dir} \
				--with-sysname=$sysname \
			&& make -C src LINUX_OBJ=${kernel_source_dir} \
			&& mv src/${PACKAGE_NAME}.ko .)"
		BUILT_MODULE_NAME[0]="$PACKAGE_NAME"
		DEST_MODULE_LOCATION[0]="/kernel/fs/$PACKAGE_NAME"
		AUTOINSTALL="yes"
	END
	script configure <<-'END'
		#!/bin/sh
		set -e
		for word; do
			case $word in
			--with-sysname=*) sysname=${word#*=} ;;
			esac
		done
		echo "int main(void) { return 0; }" >conftest.c
		${CC:-cc} -o conftest conftest.c && ./conftest
		printf 'all:\n\t$(MAKE) -C $(LINUX_OBJ) M=$(CURDIR) CORPUS=%s modules\n' "$sysname" >src/Makefile
	END
	module -d src cellfs
	say 'ccflags-y += -DCORPUS=$(CORPUS)' >>"$source/src/Kbuild"
	build
	built cellfs
	says cellfs amd64_linux26
}

# ipt-netflow: goes to where dkms.conf is, asks a script there, and says so on stdout.
entry_netflow() {
	about "pushd \`dirname \$BASH_SOURCE\`, a script of the source asked for a value, configure"
	package netflow 2.6
	conf <<-'END'
		pushd `dirname $BASH_SOURCE`
		DETAIL=`./version.sh`
		popd >/dev/null
		BUILT_MODULE_NAME[0]=flow
		DEST_MODULE_LOCATION[0]=/kernel/extra
		PRE_BUILD="./configure --kver=$kernelver --from-dkms-conf"
		MAKE[0]="make DETAIL=$DETAIL flow.ko"
		STRIP[0]=yes
	END
	script version.sh <<-'END'
		#!/bin/sh
		echo v2_6
	END
	script configure <<-'END'
		#!/bin/bash
		KVERSION=$(uname -r)
		for word; do
			[[ $word != --kver=* ]] || KVERSION=${word#*=}
		done
		sed "s/@KVERSION@/$KVERSION/" Makefile.in >Makefile
	END
	makefile Makefile.in <<-'END'
		flow.ko:
		    make -C /lib/modules/@KVERSION@/build M=$(CURDIR) CORPUS=$(DETAIL) modules
	END
	module flow
	value
	build
	built flow
	says flow v2_6
}

# loonggpu: the number of jobs where dkms knows one.
entry_loonggpu() {
	about '${parallel_jobs+-j$parallel_jobs} inside MAKE'
	package loongfb 1.0.1
	conf <<-'END'
		MAKE="'make' ${parallel_jobs+-j$parallel_jobs} -C ${kernel_source_dir} M=${dkms_tree}/loongfb/1.0.1/build CORPUS=jobs_${parallel_jobs:-none} modules"
		BUILT_MODULE_NAME[0]="loongfb"
		DEST_MODULE_LOCATION[0]="/updates"
	END
	module loongfb
	value
	build -j 3
	built loongfb
	[ "$real_dkms" = yes ] || says loongfb jobs_3
}

# dahdi, jool: commands in a row, a pipe.
entry_dahdi() {
	about "MAKE with ; && and |, modules in three folders"
	package telephony 3.1
	conf <<-'END'
		MAKE="make -C tools answer; make -C $kernel_source_dir M=${dkms_tree}/telephony/3.1/build FROM=${dkms_tree}/telephony/3.1/build/tools/answer 2>&1 | tee build.log && true"
		BUILT_MODULE_NAME=(tel-base tel-wire tel-echo)
		BUILT_MODULE_LOCATION=([0]=base [1]=drivers/wire/ [2]=drivers/echo)
		DEST_MODULE_LOCATION=(/updates /updates /updates)
		AUTOINSTALL=yes
	END
	makefile tools/Makefile <<-'END'
		answer:
		    echo ready >answer
	END
	file Kbuild <<-'END'
		obj-m += base/ drivers/wire/ drivers/echo/
		subdir-ccflags-y += -DCORPUS=$(shell tr a-z A-Z <$(FROM))
	END
	module -d base -e tel_value tel-base
	module -d drivers/wire -i tel_value tel-wire
	module -d drivers/echo tel-echo
	build
	built tel-base tel-echo tel-wire
	says tel-echo READY
}

# A driver that comes with a Makefile for people, and no MAKE in dkms.conf.
entry_no_make() {
	about "no MAKE at all, no module's name: DKMS's defaults"
	package plain-driver 1.0
	conf <<-'END'
		DEST_MODULE_LOCATION[0]="/updates/dkms"
		AUTOINSTALL="yes"
	END
	plain_makefile
	module plain-driver
	build
	built plain-driver
	debugging plain-driver no
}

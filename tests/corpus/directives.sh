# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # what stands in single quotes is for other shells
# Entries for what one directive, or one way to write dkms.conf, must do. Where real_dkms can say it,
# dkms 3.0.10 has said the same (CORPUS=dkms); what it does not have yet is after dkms 3.4.3.

# A package of one module, whose MAKE takes CORPUS; stdin goes to its dkms.conf.
simple() {
	package "$1" 1.0
	{
		printf '%s\n' "BUILT_MODULE_NAME[0]=$1" 'DEST_MODULE_LOCATION[0]=/updates'
		cat
	} | conf
	module "$1"
	value
}
making='make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build'

# --- MAKE ----------------------------------------------------------------------------------------

entry_make_match() {
	about "of the MAKE whose MAKE_MATCH match, the last one counts"
	simple matching <<-END
		MAKE[0]="$making CORPUS=default"
		MAKE[1]="$making CORPUS=six"
		MAKE_MATCH[1]="^6\\."
		MAKE[2]="$making CORPUS=six_or_seven"
		MAKE_MATCH[2]="^(6|7)\\.[0-9]"
		MAKE[3]="$making CORPUS=five"
		MAKE_MATCH[3]="^5\\."
		MAKE[4]="$making CORPUS=always"
	END
	build
	built matching
	says matching six_or_seven
}
entry_make_match_none() {
	about "no MAKE_MATCH matches: MAKE[0]"
	simple matching <<-END
		MAKE[0]="$making CORPUS=default"
		MAKE[1]="$making CORPUS=four"
		MAKE_MATCH[1]="^4\\."
	END
	build
	built matching
	says matching default
}
entry_make_match_first() {
	about "MAKE[0] that does not match either: DKMS's default command"
	simple matching <<-END
		MAKE[0]="$making CORPUS=four"
		MAKE_MATCH[0]="^4\\."
	END
	build
	built matching
	says matching plain
}
# quoted_make WORD: a MAKE that begins with it; its module says what was added.
quoted_make() {
	simple quoted <<-END
		MAKE="$1 KVER=\${kernelver}"
	END
	makefile Makefile <<-'END'
		all:
		    $(MAKE) -C /lib/modules/$(KVER)/build M=$(CURDIR) CORPUS=$(or $(KERNELRELEASE),nothing)_$(or $(filter -j%,$(MAKEFLAGS)),alone) modules
	END
	build
	built quoted
	says quoted nothing_alone
}
entry_make_quoted() {
	about "MAKE whose first word is in quotes: nothing is added to it"
	quoted_make "'make'"
	step "the same in double quotes"
	not_dkms "dkms reads values twice, and they are gone by then" || return 0
	rm -rf "$world/dkms/quoted" "$world/src"
	quoted_make '\"make\"'
}
entry_make_release() {
	about "a leading make gets KERNELRELEASE"
	simple release <<-END
		MAKE="make KVER=\${kernelver}"
	END
	makefile Makefile <<-'END'
		all:
		    $(MAKE) -C /lib/modules/$(KVER)/build M=$(CURDIR) CORPUS=$(subst -,_,release_is_$(KERNELRELEASE)) modules
	END
	build
	built release
	says release "release_is_${release//-/_}"
}

# The headers of a kernel that gcc built, told that clang and lld did; without the options of gcc alone.
clang_headers() {
	local headers file
	cp -a "$kernels/6.1" "$1"
	headers=$(find "$1/usr/src" -maxdepth 2 -name .config -printf '%h\n')
	rm -f "$headers/.kernelvariables"
	for file in .config include/config/auto.conf; do
		sed -i -E -e 's/^(CONFIG_CC_VERSION_TEXT)=.*/\1="clang"/' \
			-e 's/^CONFIG_CC_IS_GCC=/CONFIG_CC_IS_CLANG=/; s/^CONFIG_LD_IS_BFD=/CONFIG_LD_IS_LLD=/' \
			-e 's/^(CONFIG_(CLANG|LLD)_VERSION)=.*/\1=140006/; s/^(CONFIG_GCC_VERSION)=.*/\1=0/' \
			-e 's/^(CONFIG_CC_IMPLICIT_FALLTHROUGH)=.*/\1="-Wimplicit-fallthrough"/' \
			-e '/^CONFIG_(RETHUNK|FTRACE_MCOUNT_USE_CC|INIT_STACK_ALL_ZERO|STACK_VALIDATION|GCC_PLUGIN[A-Z_]*|HAVE_GCC_PLUGINS|DEBUG_INFO_BTF[A-Z_]*)=/d' \
			"$headers/$file"
	done
	sed -i -e 's/CONFIG_CC_IS_GCC 1/CONFIG_CC_IS_CLANG 1/' -e 's/\(CONFIG_GCC_VERSION\) .*/\1 0/' \
		-e 's/\(CONFIG_CLANG_VERSION\) .*/\1 140006/' "$headers/include/generated/autoconf.h"
}
entry_clang_kernel() {
	local kernels=$kernels
	about "a kernel that clang and lld built: LLVM=1 behind MAKE, clang compiles"
	not_dkms "the headers are a copy, which it would not find" || return 0
	needs clang || return 0
	needs ld.lld || return 0
	mkdir "$world/kernels"
	clang_headers "$world/kernels/6.1"
	kernels=$world/kernels
	simple llvm <<-'END'
		MAKE="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build"
	END
	kbuild 'ccflags-y += -DCORPUS=$(CC)_$(subst .,_,$(LD))_$(LLVM)'
	build
	built llvm
	says llvm clang_ld_lld_1
}

# --- Patches -------------------------------------------------------------------------------------

# patch_of FILE FROM TO: a patch of the marker file, to stdout
patch_of() {
	printf -- '--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-%s\n+%s\n' "$1" "$1" "$2" "$3"
}
patched() {
	simple patched <<-END
		MAKE="$making CORPUS=\\\$(MARKER)"
		PATCH[0]="0001-first.patch"
		PATCH[1]="0002-for-four.patch"
		PATCH_MATCH[1]="^4\\."
		PATCH[2]="more/0003-for-six.patch"
		PATCH_MATCH[2]="^6\\.[0-9]+"
		PATCH[3]="0004-last.patch"
	END
	say 'MARKER = raw' | file marker.mk
	sed -i '1i include $(src)/marker.mk' "$source/Kbuild"
	patch_of marker.mk 'MARKER = raw' 'MARKER = first' | file patches/0001-first.patch
	patch_of marker.mk 'MARKER = first' 'MARKER = four' | file patches/0002-for-four.patch
	patch_of marker.mk 'MARKER = first' 'MARKER = six' | file patches/more/0003-for-six.patch
	patch_of marker.mk 'MARKER = six' 'MARKER = last' | file patches/0004-last.patch
	printf 'ccflags-y += -DCORPUS=$(MARKER)\n' >>"$source/Kbuild"
	sed -i '/^MAKE=/d' "$source/dkms.conf"
}
entry_patches() {
	about "patches in order, those whose PATCH_MATCH matches"
	patched
	build
	built patched
	says patched last
}
entry_patch_missing() {
	about "a patch that is not there"
	patched
	rm "$source/patches/0004-last.patch"
	build
	refused 5 "patched 1.0" 0004-last.patch
}
entry_patch_fails() {
	about "a patch that does not apply"
	patched
	patch_of marker.mk 'MARKER = other' 'MARKER = last' | file patches/0004-last.patch
	build
	refused 6 "patched 1.0" 0004-last.patch
}
entry_patch_of_root() {
	about "patches of root's, in the place of one of the source's and beside them"
	not_dkms "dkms 3.0.10 does not have it, and its place is the host's /etc" || return 0
	patched
	patch_of marker.mk 'MARKER = six' 'MARKER = by_root' | override patched/patches/0004-last.patch
	patch_of marker.mk 'MARKER = by_root' 'MARKER = by_root_too' | override patched/patches/0005-more.patch
	override patched.conf <<<'PATCH[4]=0005-more.patch'
	build
	built patched
	says patched by_root_too
}

# --- Scripts -------------------------------------------------------------------------------------

entry_scripts() {
	about "PRE_BUILD and POST_BUILD see DKMS's variables, and run in the build directory"
	simple scripted <<-'END'
		PRE_BUILD="prepare.sh one two"
		POST_BUILD="finish.sh"
	END
	script prepare.sh <<-'END'
		#!/bin/bash
		set -eu
		[ "$*" = "one two" ]
		[ "$PWD" = "${PWD%/build}/build" ]
		echo "ccflags-y += -DCORPUS=${module}_${module_version}_${arch}" >>Kbuild
		[ -d "/lib/modules/$kernelver/build" ]
	END
	script finish.sh <<-'END'
		#!/bin/sh
		rm -f scripted.ko
	END
	build
	built scripted
	says scripted scripted_1.0_x86_64
}
entry_script_dollar() {
	about "an escaped variable in PRE_BUILD"
	simple scripted <<-'END'
		PRE_BUILD="prepare.sh \$kernelver"
	END
	script prepare.sh <<-'END'
		#!/bin/sh
		echo "ccflags-y += -DCORPUS=$(echo "$1" | cut -d. -f1)" >>Kbuild
	END
	build
	built scripted
	says scripted 6
}
entry_script_quotes() {
	about "quotes in PRE_BUILD are words as any other: no shell takes them apart"
	simple scripted <<-'END'
		PRE_BUILD="prepare.sh 'a b' > c"
	END
	script prepare.sh <<-'END'
		#!/bin/sh
		echo "ccflags-y += -DCORPUS=words_$#" >>Kbuild
	END
	build
	built scripted
	says scripted words_4
}
entry_pre_build_fails() {
	about "PRE_BUILD that fails, where MAKE does not need it"
	simple scripted <<<'PRE_BUILD="prepare.sh"'
	script prepare.sh <<-'END'
		#!/bin/sh
		exit 3
	END
	[ "$real_dkms" = yes ] || warns PRE_BUILD 3
	build
	built scripted
}
entry_post_build_fails() {
	about "POST_BUILD that fails: the modules are there all the same, and it is said"
	simple scripted <<<'POST_BUILD="finish.sh 4"'
	script finish.sh <<-'END'
		#!/bin/sh
		exit "$1"
	END
	[ "$real_dkms" = yes ] || warns POST_BUILD 4
	build
	built scripted
}
entry_script_not_executable() {
	about "scripts that are not executable, or not there: a warning each"
	simple scripted <<-'END'
		PRE_BUILD="prepare.sh"
		POST_BUILD="no-such.sh --all"
	END
	file prepare.sh <<<'exit 1'
	warns PRE_BUILD prepare.sh
	warns POST_BUILD no-such.sh
	build
	built scripted
}
entry_install_scripts() {
	about "PRE_INSTALL and POST_INSTALL: run, and cannot change the host, which is said"
	not_dkms "nothing is installed here" || return 0
	simple hooked <<-'END'
		PRE_INSTALL="check.sh"
		POST_INSTALL="rules.sh"
		AUTOINSTALL="yes"
	END
	script check.sh <<<'exit 0'
	script rules.sh <<-'END'
		#!/bin/sh
		cp 99-hooked.rules /etc/udev/rules.d/ || exit 1
	END
	file 99-hooked.rules <<<'# a rule'
	sed -i '1i #!/bin/sh' "$source/check.sh"
	build
	warns PRE_INSTALL check.sh
	warns POST_INSTALL rules.sh
	install
	done_well
	status installed
	step "PRE_INSTALL that says no: 101, and not installed"
	run uninstall -m hooked -v 1.0 -k "$release"
	printf '#!/bin/sh\nexit 1\n' >"$source/check.sh"
	add_anew
	build
	install
	ended_with 101
	status built
}

# --- Modules -------------------------------------------------------------------------------------

entry_strip() {
	about "STRIP[0] is the default of the others, each can say otherwise"
	package stripped 1.0
	conf <<-'END'
		STRIP[0]=no
		STRIP[2]=YES
		BUILT_MODULE_NAME=(strip-a strip-b strip-c)
		DEST_MODULE_LOCATION=(/updates /updates /updates)
	END
	module strip-a strip-b strip-c
	build
	built strip-a strip-b strip-c
	debugging strip-a yes
	debugging strip-b yes
	debugging strip-c no
}
entry_dest_name() {
	about "DEST_MODULE_NAME: installed under another name"
	package renamed 1.0
	conf <<-'END'
		BUILT_MODULE_NAME[0]="inside"
		DEST_MODULE_NAME[0]="outside"
		DEST_MODULE_LOCATION[0]="/updates"
	END
	module inside
	build
	built outside
}
entry_index_rules() {
	about "an index that only BUILT_MODULE_LOCATION names counts too: it has no name"
	package indexed 1.0
	conf <<-'END'
		BUILT_MODULE_NAME[0]="indexed"
		BUILT_MODULE_LOCATION=("" sub)
		DEST_MODULE_LOCATION[0]="/updates"
	END
	module indexed
	build
	refused 8 dkms.conf "BUILT_MODULE_NAME[1]"
}
entry_no_location() {
	about "a module without DEST_MODULE_LOCATION"
	package located 1.0
	conf <<-'END'
		BUILT_MODULE_NAME=(located second)
		DEST_MODULE_LOCATION[0]="/updates"
	END
	module located
	build
	refused 8 dkms.conf "DEST_MODULE_LOCATION[1]"
}
entry_suffix() {
	about "BUILT_MODULE_NAME with .ko"
	simple suffixed <<<'BUILT_MODULE_NAME[0]="suffixed.ko"'
	build
	refused 8 dkms.conf "BUILT_MODULE_NAME[0]" suffixed.ko
}
entry_sparse() {
	about "arrays with holes"
	package sparse 1.0
	conf <<-'END'
		BUILT_MODULE_NAME[0]="sparse"
		DEST_MODULE_LOCATION[0]="/updates"
		BUILT_MODULE_NAME[2]="sparse-b"
		DEST_MODULE_LOCATION[2]="/updates"
	END
	module sparse sparse-b
	build
	refused 8 dkms.conf "[1]"
}
entry_module_missing() {
	about "a module that MAKE does not make"
	simple missing <<<'BUILT_MODULE_LOCATION[0]=elsewhere'
	build
	refused 7 "missing 1.0" elsewhere/missing.ko
}
entry_module_exclusive() {
	about "BUILD_EXCLUSIVE_* of one module: it is left out, the others are built"
	not_dkms "dkms 3.0.10 does not have it" || return 0
	package choosy 1.0
	conf <<-'END'
		BUILT_MODULE_NAME=(choosy-a choosy-b choosy-c choosy-d)
		DEST_MODULE_LOCATION=(/updates /updates /updates /updates)
		BUILD_EXCLUSIVE_KERNEL_MAX[1]="5.0"
		BUILD_EXCLUSIVE_CONFIG[2]="CONFIG_NO_SUCH_THING"
		BUILD_EXCLUSIVE_ARCH[3]="x86"
	END
	module choosy-a choosy-d
	build
	built choosy-a choosy-d
	step "BUILD_EXCLUSIVE_*[0] is the scalar: it acts on all"
	rm -rf "$world/dkms/choosy" "$world/src"
	package choosy 1.0
	conf <<-'END'
		BUILT_MODULE_NAME=(choosy-a choosy-b)
		DEST_MODULE_LOCATION=(/updates /updates)
		BUILD_EXCLUSIVE_KERNEL_MIN[0]="99"
	END
	module choosy-a choosy-b
	build
	refused 77 BUILD_EXCLUSIVE_KERNEL_MIN
	step "every module says no"
	sed -i 's/^BUILD_EXCLUSIVE.*/BUILD_EXCLUSIVE_ARCH[1]=arm/' "$source/dkms.conf"
	sed -i 's/(choosy-a choosy-b)/(choosy-a choosy-b) BUILD_EXCLUSIVE_KERNEL[0]="^4\\."/' "$source/dkms.conf"
	run remove -m choosy -v 1.0 --all
	build
	refused 77 BUILD_EXCLUSIVE_
}
entry_obsolete_by() {
	about "OBSOLETE_BY: a kernel that came later has the module itself"
	not_dkms "dkms 3.0.10 looks at it only where it installs" || return 0
	simple superseded <<<'OBSOLETE_BY="5.4"'
	build
	refused 77 OBSOLETE_BY 5.4 "$release"
	step "OBSOLETE_BY: and one that came before it does not"
	simple wanted <<<'OBSOLETE_BY="99.0"'
	build
	built wanted
	step "OBSOLETE_BY: BUILD_EXCLUSIVE_KERNEL_MAX takes its place"
	simple both <<-'END'
		OBSOLETE_BY="5.4"
		BUILD_EXCLUSIVE_KERNEL_MAX="99.0"
	END
	build
	built both
}
entry_yes_and_no() {
	about "AUTOINSTALL and NO_WEAK_MODULES in any case, or empty"
	simple answering <<-'END'
		AUTOINSTALL="YeS"
		NO_WEAK_MODULES=""
	END
	build
	built answering
	step "and any other word"
	not_dkms "dkms 3.0.10 takes it" || return 0
	simple unclear <<<'AUTOINSTALL="maybe"'
	build
	refused 8 dkms.conf AUTOINSTALL maybe
}

# --- How it is written ---------------------------------------------------------------------------

entry_crlf() {
	about "line ends of DOS, in dkms.conf"
	not_dkms "dkms 3.0.10 does not take them" || return 0
	simple dos <<-END
		if [ "\$arch" = x86_64 ]; then
			MAKE="$making \\
				CORPUS=dos"
		fi
	END
	sed -i 's/$/\r/' "$source/dkms.conf"
	build
	built dos
	says dos dos
}
entry_talks() {
	about "a dkms.conf that prints, to stdout and to stderr"
	simple talking <<-'END'
		echo "configured for $kernelver"
		printf 'a warning\n' >&2
		grep nothing /no/such/file
	END
	build
	built talking
}
entry_functions() {
	about "a dkms.conf with functions named as commands, and options of the shell set"
	not_dkms "they confuse it" || return 0
	simple functional <<-END
		echo() { command printf '%s\\n' "say: \$*"; }
		printf() { :; }
		source() { return 1; }
		test() { return 1; }
		shopt -s nullglob nocasematch extglob
		set -f
		IFS=:
		MAKE="$making CORPUS=functional"
	END
	build
	built functional
	says functional functional
}
entry_strict() {
	about "a dkms.conf that asks for set -u and set -o noclobber"
	simple strict <<-END
		set -u -o noclobber
		MAKE="$making CORPUS=strict"
	END
	build
	built strict
	says strict strict
}
entry_exits() {
	about "a dkms.conf that calls exit"
	simple leaving <<-'END'
		[ -e /etc/leaving.conf ] || exit 0
	END
	build
	refused 8 dkms.conf leaving exit
}
entry_returns() {
	about "a dkms.conf that returns early"
	simple returning <<-'END'
		[ -e /etc/returning.conf ] || return 0
		BUILT_MODULE_NAME[0]="unread"
	END
	build
	built returning
}
entry_unknown() {
	about "variables that are no directives: without effect, listed in the record"
	simple listing <<-'END'
		LOAD=no
		BUILD_MODULE_NAME="a slip"
		MODULES_CONF="options listing x=1"
	END
	warns MODULES_CONF
	build
	built listing
	[ "$real_dkms" = yes ] || {
		record '"LOAD"'
		record '"BUILD_MODULE_NAME"'
	}
}

# --- Overrides -----------------------------------------------------------------------------------

entry_overrides() {
	local file before='' order
	about "six files of root's, in order, behind dkms.conf"
	not_dkms "their place is the host's /etc" || return 0
	simple steered <<-END
		trail=conf
		MAKE="$making CORPUS=\$trail"
	END
	order=("steered" "steered-1.0" "steered-1.0-$release" "steered-1.0-$release-x86_64"
		"steered--$release" "steered--$release-x86_64")
	for file in "${!order[@]}"; do
		override "${order[file]}.conf" <<-END
			trail+=_$file
			MAKE="$making CORPUS=\$trail"
		END
		before+=_$file
	done
	# Of others: not read.
	override "steered-2.0.conf" <<<'exit 1'
	override "steered-1.0-9.9.9.conf" <<<'exit 1'
	build
	built steered
	says steered "conf$before"
	step "--directive beats them all, and is taken as it is"
	build --force --directive "MAKE=make -C \$kernel_source_dir M=\$PWD CORPUS=\$module"
	built steered
	says steered steered
	step "an override that is not shell is named"
	override steered-1.0.conf <<<'if ('
	build --force
	ended_with 8
	grep -F steered-1.0.conf "$world/err" >/dev/null || problem "the message does not name the file"
	says steered steered
}
entry_directive() {
	about "--directive without any file"
	simple directed <<<"MAKE=\"$making CORPUS=by_conf\""
	build --directive "MAKE=make -C \$kernel_source_dir M=\$dkms_tree/directed/1.0/build CORPUS=by_directive"
	built directed
	says directed by_directive
}

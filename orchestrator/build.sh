# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What bash does in a build's sandbox, in the build directory: patches, PRE_BUILD, MAKE, POST_BUILD.
# Or in the sandbox of another script, in the source. On fd 3 it tells how far it came
# (build_progress.h); what it runs does not have that.
#
# Arguments: kernel release, architecture, module, version, number of jobs. Then
#	script NAME "SCRIPT ARGUMENTS"
# or
#	build MAKE PRE_BUILD POST_BUILD ("" where not set), where POST_BUILD finds the modules; how many
#	patches, and they; per module its file, and the name it is given there.
#
# What is evaluated here sees the variables that dkms's shell has then; only those that dkms exports
# are in the environment.

# shellcheck disable=SC2034 # for what is evaluated
kmodbox_variables() {
	kernelver=$1 arch=$2 module=$3 module_version=$4 parallel_jobs=$5
	dkms_tree=/var/lib/dkms source_tree=/usr/src install_tree=/lib/modules
	kernel_source_dir=/lib/modules/$kernelver/build
	kernel_config=$kernel_source_dir/.config
	build_dir=$PWD PACKAGE_NAME=$module PACKAGE_VERSION=$module_version
}

kmodbox_tell() {
	builtin printf '%s %s %s\n' "$@" >&3
}

# NAME "SCRIPT ARGUMENTS": as dkms, which reads its values a second time, as text in double quotes;
# then the words are split and globbed, and nothing else of them is shell. Root's own script counts
# first.
kmodbox_script() {
	local kmodbox_value=$2 kmodbox_file kmodbox_words
	[[ $2 ]] || return 0
	eval "kmodbox_value=\"${2//\"/\\\"}\""
	kmodbox_file=${kmodbox_value%% *}
	if [[ ! -x $build_dir/$kmodbox_file && ! -x $kmodbox_overlay/$kmodbox_file ]]; then
		printf '# %s: %s is not executable: skipped\n' "$1" "$kmodbox_file"
		kmodbox_tell "$1" 0 skipped
		return 0
	fi
	printf '# %s: %s\n' "$1" "$kmodbox_value"
	kmodbox_tell "$1" 0 begun
	# shellcheck disable=SC2206 # on purpose
	kmodbox_words=($build_dir/$kmodbox_value)
	[[ ! -x $kmodbox_overlay/$kmodbox_file ]] || kmodbox_words[0]=$kmodbox_overlay/$kmodbox_file
	(cd "$build_dir" && exec "${kmodbox_words[@]}") 3>&-
	kmodbox_status=$?
	kmodbox_tell "$1" 0 $kmodbox_status
}

kmodbox_patch() {
	local kmodbox_index kmodbox_file
	for kmodbox_index in "${!kmodbox_patches[@]}"; do
		kmodbox_file=./patches/${kmodbox_patches[kmodbox_index]}
		if [[ ! -e $kmodbox_file ]]; then
			kmodbox_tell patch "$kmodbox_index" missing
			exit 1
		fi
		printf '# patch: %s\n' "${kmodbox_patches[kmodbox_index]}"
		kmodbox_tell patch "$kmodbox_index" begun
		patch -p1 <"$kmodbox_file" 3>&- || {
			kmodbox_tell patch "$kmodbox_index" $?
			exit 1
		}
	done
}

kmodbox_make() {
	printf '# command: %s\n' "$kmodbox_command"
	kmodbox_tell MAKE 0 begun
	(eval "$kmodbox_command") 3>&-
	kmodbox_status=$?
	kmodbox_tell MAKE 0 $kmodbox_status
	((kmodbox_status == 0)) || exit $kmodbox_status
}

# To where dkms has them when POST_BUILD runs; from there they are taken.
kmodbox_copy() {
	while (($# > 0)); do
		cp -dR -- "$build_dir/$1" "$kmodbox_modules/$2" || return 1
		shift 2
	done
	kmodbox_tell copied 0 begun
}

kmodbox_build() {
	readonly kmodbox_command=$1 kmodbox_modules=$4
	readonly -a kmodbox_patches=("${@:6:$5}")
	kmodbox_patch
	kmodbox_script PRE_BUILD "$2"
	kmodbox_make
	# As for dkms, the failure of a script is no end.
	[[ $3 ]] || exit 0
	kmodbox_copy "${@:6+$5}" || exit 0
	kmodbox_script POST_BUILD "$3"
	exit 0
}

readonly kmodbox_overlay=/run/kmodbox/overlay
kmodbox_status=0
kmodbox_variables "${@:1:5}"
shift 5
if [[ $1 == script ]]; then
	kmodbox_script "$2" "$3"
	exit $kmodbox_status
fi
if [[ -e /run/kmodbox/environment ]]; then
	kmodbox_tell build_environment 0 begun
	# shellcheck source=/dev/null
	source /run/kmodbox/environment 3>&-
	kmodbox_tell build_environment 0 0
fi
kmodbox_build "${@:2}"

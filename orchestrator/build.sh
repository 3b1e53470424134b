# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What bash does in a build's sandbox, in the build directory: patches, PRE_BUILD, MAKE, POST_BUILD.
# Or in the sandbox of another script, in the source. On fd 3 it tells how far it came
# (build_progress.h). What it runs is not given that, and can open it all the same (/proc/2/fd/3): what
# comes there is parsed as hostile.
#
# Arguments: kernel release, architecture, module, version, number of jobs. Then
#	script NAME "SCRIPT ARGUMENTS"
# or, behind "shell TERM N COMMAND..." (N words, 0 for bash) or not,
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

# kmodbox shell: the build, and then a shell where it left everything. ------------------------------

# What failed, and how it is done again. STAGE INDEX END, then what kmodbox_build gets.
kmodbox_failed() {
	local kmodbox_again
	case $1 in
	patch) kmodbox_again="patch -p1 <./patches/${*:9+$2:1}" ;;
	PRE_BUILD) kmodbox_again="./$5" ;;
	MAKE) kmodbox_again=$4 ;;
	POST_BUILD) kmodbox_again="./$6" ;;
	esac
	case $3 in
	begun) printf '# %s was interrupted; again: %s\n' "$1" "$kmodbox_again" ;;
	missing) printf '# patch %s is missing\n' "${*:9+$2:1}" ;;
	*) printf '# %s failed (%s); again: %s\n' "$1" "$3" "$kmodbox_again" ;;
	esac
}

# What kmodbox_build told, a line each, and what it got.
kmodbox_outcome() {
	local kmodbox_line kmodbox_stage kmodbox_index kmodbox_end kmodbox_begun="" kmodbox_fine=yes
	while read -r kmodbox_stage kmodbox_index kmodbox_end; do
		[[ $kmodbox_stage != copied ]] || continue
		kmodbox_begun=
		case $kmodbox_end in
		begun) kmodbox_begun="$kmodbox_stage $kmodbox_index" ;;
		0 | skipped) ;;
		*)
			kmodbox_fine=no
			kmodbox_failed "$kmodbox_stage" "$kmodbox_index" "$kmodbox_end" "${@:2}"
			;;
		esac
	done <<<"$1"
	# A patch that applies says nothing of it.
	if [[ $kmodbox_begun && $kmodbox_begun != patch\ * ]]; then
		kmodbox_fine=no
		kmodbox_failed "${kmodbox_begun% *}" "${kmodbox_begun#* }" begun "${@:2}"
	fi
	[[ $kmodbox_fine == yes ]] || return 0
	printf '# the build came to its end\n'
	# The modules, behind the patches: file and name.
	shift $((6 + $6))
	while (($# > 0)); do
		[[ -e $build_dir/$1 ]] || printf '# it made no %s\n' "$1"
		shift 2
	done
}

# What kmodbox_build gets. Its output is a pipe, as in a build; Ctrl-C ends the build, not us.
kmodbox_steps() {
	local kmodbox_told kmodbox_try
	trap : INT QUIT
	exec 4> >(trap '' INT QUIT && exec cat)
	kmodbox_told=$(kmodbox_build "$@" 3>&1 >&4 2>&4 4>&- </dev/null)
	exec 4>&-
	# Until all of it is shown; not for what the build left running.
	for ((kmodbox_try = 0; kmodbox_try < 20; kmodbox_try++)); do
		builtin kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	kmodbox_outcome "$kmodbox_told" "$@"
}

# TERM COMMAND...
kmodbox_shell() {
	export kernelver arch module module_version parallel_jobs dkms_tree source_tree install_tree
	export kernel_source_dir kernel_config build_dir PACKAGE_NAME PACKAGE_VERSION
	[[ ! $1 ]] || export TERM=$1
	shift
	if (($# == 0)); then
		printf '# a shell in the sandbox of this build; nothing that is done in it is kept\n'
		export PS1='kmodbox:\w\$ '
		set -- /bin/bash --norc --noprofile
	fi
	kmodbox_tell shell 0 begun
	exec -- "$@" 3>&-
}

readonly kmodbox_overlay=/run/kmodbox/overlay
kmodbox_status=0
kmodbox_variables "${@:1:5}"
shift 5
if [[ $1 == script ]]; then
	kmodbox_script "$2" "$3"
	exit $kmodbox_status
fi
if [[ $1 == shell ]]; then
	kmodbox_then=("$2" "${@:4:$3}")
	shift $((3 + $3))
fi
if [[ -e /run/kmodbox/environment ]]; then
	kmodbox_tell build_environment 0 begun
	# shellcheck source=/dev/null
	source /run/kmodbox/environment 3>&-
	kmodbox_tell build_environment 0 0
fi
if [[ -v kmodbox_then ]]; then
	kmodbox_steps "${@:2}"
	kmodbox_shell "${kmodbox_then[@]}"
fi
kmodbox_build "${@:2}"

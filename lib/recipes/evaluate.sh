# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What bash does in the evaluation sandbox: sources dkms.conf, root's overrides and root's directives,
# then tells what they set, as NAME NUL INDEX NUL VALUE NUL on fd 3. Runs beside the hostile file, so
# nothing of the answer is believed; it has to be right for honest files only. It never forks.
#
# Arguments: the kernel's release and architecture; how many values a directive may have, how many
# bytes a value, how many unknown variables are told; how many files, and they; how many NAME=VALUE,
# and they; the directives to tell.
#
# Fd 3 is closed while a file is read: what it prints there by accident would spoil the answer. All
# runs in functions, each file one deeper than the last: under DKMS `local` works in a file, and a
# loop over the files would end by the `break` of one.

readonly kmodbox_release=$1 kmodbox_architecture=$2
readonly kmodbox_most=$3 kmodbox_longest=$4 kmodbox_strangers=$5
shift 5
readonly -a kmodbox_files=("${@:2:$1}")
shift $(($1 + 1))
readonly -a kmodbox_settings=("${@:2:$1}")
shift $(($1 + 1))
readonly -a kmodbox_directives=("$@")
readonly kmodbox_assignment='(BUILT|DEST)_MODULE_NAME(\[[^]]*\])?\+?=(.*)'
readonly kmodbox_literal=$'^["\']?([A-Za-z0-9_.+~:-]+)["\']?([[:space:];&|)]|$)'
set --

# The shell as it was, whatever a file did to it.
kmodbox_calm() {
	set +eux -f
	shopt -u nocasematch
	trap - DEBUG ERR RETURN
	IFS=$' \t\n' LC_ALL=C
}

kmodbox_tell() {
	builtin printf '%s\0%s\0%s\0' "$@"
}

kmodbox_values() {
	local -n kmodbox_array=$1
	local kmodbox_key
	if ((${#kmodbox_array[@]} > kmodbox_most)); then
		kmodbox_tell @many 0 "$1"
		return
	fi
	for kmodbox_key in "${!kmodbox_array[@]}"; do
		if ((${#kmodbox_array[$kmodbox_key]} > kmodbox_longest)); then
			kmodbox_tell @long "$kmodbox_key" "$1"
		else
			kmodbox_tell "$1" "$kmodbox_key" "${kmodbox_array[$kmodbox_key]}"
		fi
	done
}

# Each pattern of a directive against a text, as DKMS matches it.
kmodbox_match() {
	local -n kmodbox_array=$1
	local kmodbox_key
	for kmodbox_key in "${!kmodbox_array[@]}"; do
		[[ ${kmodbox_array[$kmodbox_key]} ]] || continue
		[[ $2 =~ ${kmodbox_array[$kmodbox_key]} ]]
		kmodbox_tell "@$1" "$kmodbox_key" $?
	done
}

kmodbox_name() {
	[[ ! ${kmodbox_seen[$1]+seen} ]] || return 0
	((kmodbox_count <= kmodbox_most)) || return 0
	kmodbox_seen[$1]=seen
	kmodbox_tell @name $((kmodbox_count++)) "$1"
}

# Module names that stand in the text of a file, also where it does not get to for this kernel:
# BUILT_MODULE_NAME[$i]="lttng-uprobes", and lists like DEST_MODULE_NAME=(a "b"), on several lines too.
kmodbox_scan_names() {
	local kmodbox_line=$1 kmodbox_word
	while [[ $kmodbox_inside || $kmodbox_line =~ $kmodbox_assignment ]]; do
		if [[ ! $kmodbox_inside ]]; then
			kmodbox_line=${BASH_REMATCH[3]}
			if [[ $kmodbox_line == '('* ]]; then
				kmodbox_inside=yes
				kmodbox_line=${kmodbox_line#'('}
			elif [[ $kmodbox_line =~ $kmodbox_literal ]]; then
				kmodbox_name "${BASH_REMATCH[1]}"
			fi
			continue
		fi
		for kmodbox_word in ${kmodbox_line%%')'*}; do
			[[ $kmodbox_word != '#'* ]] || break
			if [[ ${kmodbox_word#'['*']='} =~ $kmodbox_literal ]]; then
				kmodbox_name "${BASH_REMATCH[1]}"
			fi
		done
		[[ $kmodbox_line == *')'* ]] || return
		kmodbox_inside=
		kmodbox_line=${kmodbox_line#*')'}
	done
}

# Variables that a file sets and that are no directives: LOAD=no. From its text, since bash takes
# 0.15 s to list what there is once a file has sourced a kernel's .config.
kmodbox_scan_unknown() {
	local kmodbox_line=$1 kmodbox_word
	while [[ $kmodbox_line == *=* ]]; do
		kmodbox_word=${kmodbox_line%%=*}
		kmodbox_line=${kmodbox_line#*=}
		kmodbox_word=${kmodbox_word##*[$' \t;&({']}
		kmodbox_word=${kmodbox_word%+}
		kmodbox_word=${kmodbox_word%%'['*}
		[[ $kmodbox_word == [A-Z]* && $kmodbox_word != *[!A-Za-z0-9_]* ]] || continue
		[[ $kmodbox_known != *" $kmodbox_word "* ]] || continue
		[[ -v $kmodbox_word || -v ${kmodbox_word}[@] ]] || continue
		((kmodbox_unknown < kmodbox_strangers)) || return
		kmodbox_known+="$kmodbox_word "
		kmodbox_tell @unknown $((kmodbox_unknown++)) "$kmodbox_word"
	done
}

kmodbox_scan() {
	local kmodbox_line kmodbox_inside=
	local -a kmodbox_lines
	mapfile -t kmodbox_lines <"$1"
	for kmodbox_line in "${kmodbox_lines[@]}"; do
		kmodbox_line=${kmodbox_line:0:4096}
		kmodbox_line=${kmodbox_line#"${kmodbox_line%%[![:blank:]]*}"}
		[[ $kmodbox_line != '#'* ]] || continue
		if [[ $kmodbox_inside || $kmodbox_line == *_MODULE_NAME* ]]; then
			kmodbox_scan_names "$kmodbox_line"
		fi
		kmodbox_scan_unknown "$kmodbox_line"
	done
}

kmodbox_report() {
	local kmodbox_item kmodbox_count=0 kmodbox_unknown=0
	local -A kmodbox_seen=()
	for kmodbox_item in "${kmodbox_directives[@]}"; do
		kmodbox_values "$kmodbox_item"
	done
	kmodbox_match MAKE_MATCH "$kmodbox_release"
	kmodbox_match PATCH_MATCH "$kmodbox_release"
	kmodbox_match BUILD_EXCLUSIVE_KERNEL "$kmodbox_release"
	kmodbox_match BUILD_EXCLUSIVE_ARCH "$kmodbox_architecture"
	for kmodbox_item in "${kmodbox_files[@]}"; do
		kmodbox_scan "$kmodbox_item"
	done
	kmodbox_tell @end 0 ''
}

kmodbox_evaluate() {
	if ((kmodbox_next < ${#kmodbox_files[@]})); then
		kmodbox_tell @file "$kmodbox_next" '' >&3
		# shellcheck source=/dev/null
		source "${kmodbox_files[kmodbox_next++]}" 3>&-
		kmodbox_calm
		kmodbox_evaluate
		return
	fi
	# As DKMS does it: the text after = is the value, whatever characters it has.
	for kmodbox_next in "${kmodbox_settings[@]}"; do
		# shellcheck disable=SC2163 # it is NAME=VALUE
		export "$kmodbox_next" || exit 1
	done
	kmodbox_report >&3
}

# What is set already, and what bash sets on its own when certain commands run.
kmodbox_known=" ${kmodbox_directives[*]} BASH_REMATCH COLUMNS COPROC COPROC_PID LINES MAPFILE OLDPWD"
kmodbox_known+=" OPTARG REPLY ${!A*} ${!B*} ${!C*} ${!D*} ${!E*} ${!F*} ${!G*} ${!H*} ${!I*} ${!J*}"
kmodbox_known+=" ${!K*} ${!L*} ${!M*} ${!N*} ${!O*} ${!P*} ${!Q*} ${!R*} ${!S*} ${!T*} ${!U*}"
kmodbox_known+=" ${!V*} ${!W*} ${!X*} ${!Y*} ${!Z*} "
kmodbox_next=0
kmodbox_evaluate
exit 0

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC1003,SC1010,SC1087,SC2016,SC2034 # it writes shell, and names arrays by name
# generate.sh SEED COUNT FOLDER: FOLDER/0/dkms.conf and so on, each made of some of the things that
# authors of dkms.conf do, and of some that they better would not. The same seed, the same files.
set -euo pipefail

RANDOM=$1
count=$2
folder=$3

arrays=(BUILT_MODULE_NAME BUILT_MODULE_LOCATION DEST_MODULE_NAME DEST_MODULE_LOCATION STRIP MAKE
	MAKE_MATCH PATCH PATCH_MATCH BUILD_DEPENDS BUILD_EXCLUSIVE_KERNEL BUILD_EXCLUSIVE_ARCH
	BUILD_EXCLUSIVE_CONFIG)
scalars=(PRE_BUILD POST_BUILD PRE_INSTALL POST_INSTALL POST_ADD POST_REMOVE AUTOINSTALL OBSOLETE_BY
	NO_WEAK_MODULES BUILD_DEPENDS_REBUILD BUILD_EXCLUSIVE_KERNEL_MIN CLEAN REMAKE_INITRD)
# Nasty, but values.
texts=('' yes no 'two words' "it's" 'say "no"' 'back\slash' '$dollar' '`tick`' 'tab	tab' $'line\nline'
	'*' '[a-z]*' '~' '!bang' '#hash' 'a;b' 'a&b' '{1..3}' '-n' '--' $'\xc3\xa9' $'\xff\xfe' '\' "'"
	'"' '$(false)' '%s%n' $'\e[2J' ' lead' 'trail ' '^(5\.[6-9]|6)' 'make -C ${kernel_source_dir}')

# Each leaves what it made in $made: no fork per word.
pick() {
	local -n pool=$1
	made=${pool[RANDOM % ${#pool[@]}]}
}
array() { pick arrays; }
text() { pick texts; }
# A text as a word of the shell, quoted in one of the ways there are.
word() {
	local plain
	text
	plain=$made
	case $((RANDOM % 4)) in
	0) printf -v made '%q' "$plain" ;;
	1) made="'${plain//\'/\'\\\'\'}'" ;;
	2)
		made=${plain//\\/\\\\}
		made=${made//\"/\\\"}
		made=${made//\$/\\\$}
		made=\"${made//\`/\\\`}\"
		;;
	3)
		# Unescaped dollars: the generated file expands what its author wrote.
		made=${plain//\\/\\\\}
		made=${made//\"/\\\"}
		made=\"${made//\`/\\\`}\"
		;;
	esac
}

line() { printf '%s\n' "$*"; }

# One thing, printed. $n is a name of an array, $w $x are words.
piece() {
	local n w x s
	array && n=$made
	word && w=$made
	word && x=$made
	pick scalars && s=$made
	case $((RANDOM % 34)) in
	0) line "$s=$w" ;;
	1) line "$n[$((RANDOM % 5))]=$w" ;;
	2) line "$n=($w $x)" ;;
	3) line "$n=([2]=$w [0]=$x)" ;;
	4) line "$n+=($w)" ;;
	5) line "$s+=$w" ;;
	6) line "$n[i]=$w; i=\$((i + 1))" ;;
	7) line "$n[\$i]=$w" "; ((i++)) || true" ;;
	8) line "if [ -f \"\$kernel_source_dir/.config\" ]; then $s=$w; else $s=$x; fi" ;;
	9) line "if [[ \$kernelver =~ ^6 && \$arch == x86* ]]; then" && line "	$n[1]=$w" && line fi ;;
	10) line "case \$kernelver in" && line "5.*) $s=$w ;;" && line "*) $s=$x ;;" && line esac ;;
	11) line "$s=\$(echo \"\$kernelver\" | cut -d- -f1)" ;;
	12) line "$s=\`basename \"\$kernel_source_dir\" | tr a-z A-Z\`" ;;
	13) line "$s=\$(printf '%s\\n' $w $x)" ;;
	14) line "for m in one two three; do $n[\${#$n[@]}]=\$m-$RANDOM; done" ;;
	15) line "$n[$((RANDOM % 3))+1]=$w" ;;
	16) line "unset $s" ;;
	17) line "unset '$n[0]'" ;;
	18) line "declare -a $n=($w)" ;;
	19) line "declare $s=$w" ;;
	20) line "export $s=$w" ;;
	21) line "set_it() { $s=\$1; }" && line "set_it $w" ;;
	22) line "$s=\"first \\" && line "    second\"" ;;
	23) line "$s=one\\" && line "two" ;;
	24) line "read -r -d '' $s <<'END'" && line "  $w" && line "\$kernelver" && line END ;;
	25) line "read -r $s <<END" && line "\$kernelver \${PACKAGE_NAME}" && line END ;;
	26) line ". \"\$kernel_source_dir/.config\"; $s=\${CONFIG_LOCALVERSION-none}\$CONFIG_HZ" ;;
	27) line "$s=\${$s:-$RANDOM}\${$s:+set} \${undefined-}" ;;
	28) line "$s=\"\${PACKAGE_NAME}-\${PACKAGE_VERSION} \$module/\$module_version -j\$parallel_jobs\"" ;;
	29) line "pushd \"\$source_tree\" >/dev/null 2>&1 || true; popd; echo noise; echo noise >&2" ;;
	30) line "while read -r a b; do $n[\${#$n[@]}]=\$b; done <<< $'1 x\\n2 y'" ;;
	31) line "LOAD=no lower=\$RANDOM; $s=\"\$dkms_tree \$install_tree\"" ;;
	32) line "set -u; IFS=/; shopt -s extglob; $s=\${kernelver//+([0-9])/N}" ;;
	33) line "# $n[0]=comment" && line "true && $s=$w || $s=$x" ;;
	esac
}

for ((file = 0; file < count; file++)); do
	mkdir -p "$folder/$file"
	{
		line 'PACKAGE_NAME="demo"'
		line 'PACKAGE_VERSION=0.1'
		line 'i=0'
		for ((pieces = RANDOM % 16 + 4; pieces > 0; pieces--)); do
			piece
		done
	} >"$folder/$file/dkms.conf"
	# Every tenth comes from DOS.
	if ((file % 10 == 9)); then
		sed -i 's/$/\r/' "$folder/$file/dkms.conf"
	fi
done

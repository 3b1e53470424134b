#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a compiler does not check: banned functions, who may include whom, lengths, first lines.
# Each rule is one check; what breaks it is listed as file:line.
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"

cd "$top"
product=(lib sandbox checker signer installer runners orchestrator)
mapfile -t sources < <(find "${product[@]}" -name '*.[ch]' 2>/dev/null | sort)
# The demonstration module is a kernel module, with a licence that the kernel knows.
mapfile -t test_sources < <(find tests -name '*.[ch]' -not -path 'tests/demo/*' | sort)
mapfile -t scripts < <({ find lib orchestrator tests packaging -name '*.sh'; echo .ci/run; } | sort)
[ "${#sources[@]}" -gt 0 ] || die "no sources found below $top"

bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
# blank FILE: comments and what stands in quotes gone, each line under its number: both may name what
# code may not.
blank() {
	perl -0777 -ne 's{/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\x27(?:\\.|[^\x27\\])*\x27}{
		my $gone = $&; $gone =~ s/[^\n]//g; $gone }gse;
		my $n = 0; print ++$n, ":$_\n" for split /\n/' "$1"
}
for file in "${sources[@]}"; do
	mkdir -p "$bare/$(dirname "$file")"
	blank "$file" >"$bare/$file"
done

# rule NAME FINDINGS: passes when there are none.
rule() {
	if [ -z "$2" ]; then
		pass "$1"
	else
		fail "$1"
		printf '        %s\n' "${2//$'\n'/$'\n'        }" | cat -v
	fi
}

# search PATTERN [FILE-TO-LEAVE-OUT]: matches in the sources without comments.
search() {
	{ (cd "$bare" && grep -rE -- "$1" .) || true; } | sed 's|^\./||' | { grep -v "^${2:-/}:" || true; }
}

rule "banned functions" "$(search '\b(v?sprintf|strcpy|strcat|strtok|ato[ifl]|atoll|alloca|system|popen|getenv|signal) *\(')"
# Pid 1 of a virtual machine is linked with libc and decoders alone.
guest=runners/guest_init_main.c
rule "numbers are parsed in lib/base/text.c only" "$(search '\bstrto(u?ll?|[dfl]|[iu]max) *\(' "\(lib/base/text.c\|$guest\)")"
rule "raw system calls in lib/base/syscalls*.c only" "$(search '\bsyscall *\(' "\(lib/base/syscalls[a-z_]*.c\|$guest\)")"

# allowed FOLDER: what files of a folder may include, as a pattern. Imports point one way.
allowed() {
	case $1 in
	lib/base) echo 'lib/base/' ;;
	lib/artifacts) echo 'lib/(base|artifacts)/' ;;
	lib/kernels) echo 'lib/(base|kernels)/|lib/artifacts/exit_code\.h' ;;
	lib/recipes) echo 'lib/|sandbox/sandbox\.h' ;;
	sandbox) echo 'lib/base/|sandbox/' ;;
	checker | signer | installer) echo "lib/(base|artifacts)/|lib/recipes/snapshot\.h|lib/kernels/kernel\.h|checker/|$1/" ;;
	runners) echo 'lib/|sandbox/sandbox\.h|checker/decompress\.h|runners/' ;;
	orchestrator) echo 'lib/|sandbox/(sandbox|seccomp|slot|mounts|host|killed|remedy|profile|limit_text)\.h|runners/|checker/checker\.h|(signer/signer|installer/installer)_protocol\.h|orchestrator/' ;;
	*) echo '/no-such-folder/' ;;
	esac
}
# depmod's program stands beside the installer, but runs it in a sandbox and holds nothing.
exempt='^installer/depmod_main\.c:.*"sandbox/'
rule "includes point one way" "$(for file in "${sources[@]}"; do
	grep -nE '^#include "' "$file" | grep -vE "\"($(allowed "$(dirname "$file")"))" |
		sed "s|^|$file:|" | grep -vE "$exempt" || true
done)"

first=
for file in "${sources[@]}" "${test_sources[@]}"; do
	[[ $(head -n 1 "$file") =~ ^/[/*]\ SPDX-License-Identifier:\ LGPL-2.1-or-later(\ \*/)?$ ]] || first+="$file:1"$'\n'
done
for file in "${scripts[@]}"; do
	[[ $(sed -n 1,2p "$file") == *"# SPDX-License-Identifier: LGPL-2.1-or-later"* ]] || first+="$file:1"$'\n'
done
rule "SPDX line first" "$first"

rule "files of 800 lines at most" "$(for file in "${sources[@]}" "${test_sources[@]}"; do
	awk 'END { if (NR > 800) print FILENAME ": " NR " lines" }' "$file"
done)"
# A function is what stands between "{" and "}" in the first column.
rule "functions of less than 60 lines" "$(for file in "${sources[@]}"; do
	awk '/^\{/ { start = FNR } /^\}/ && start { if (FNR - start - 1 >= 60) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }' "$file"
done)"
everything=("${sources[@]}" "${test_sources[@]}" "${scripts[@]}" Makefile README.md CONTRIBUTING.md SECURITY.md)
rule "no path of this checkout" "$(grep -nP -- "(?<![\\w.})/-])\Q$top/\E" "${everything[@]}" || true)"
rule "nothing left to do" "$(grep -nE '\b(TOD[O]|FIXM[E]|XX[X])\b' "${everything[@]}" || true)"

formatter=$(command -v clang-format-14 || command -v clang-format || true)
if [ -n "$formatter" ] && "$formatter" --version | grep 'version 14' >/dev/null; then
	rule "clang-format" "$("$formatter" --dry-run "${sources[@]}" "${test_sources[@]}" 2>&1 |
		sed -n 's/: warning: code should be clang-formatted.*//p' | cut -d: -f1 | sort | uniq -c)"
else
	skip "clang-format: version 14 is not installed"
fi
if command -v shellcheck >/dev/null 2>&1; then
	rule "shellcheck" "$(shellcheck -x -f gcc "${scripts[@]}" 2>&1 || true)"
else
	skip "shellcheck: not installed"
fi
close_suite

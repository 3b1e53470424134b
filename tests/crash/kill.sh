#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# SIGKILL at random moments: a process of kmodbox, or all of them, dies while a module is added,
# built, installed, uninstalled or removed. Afterwards nothing may be left running or mounted, the
# next command recovers, and what is on the disk is the old state or the new one, byte for byte.
#
#	kill.sh [--bounded | COUNT] [SEED]
#
# COUNT kills (or KMODBOX_CRASH_COUNT; 100), --bounded 10. The seed is printed (or KMODBOX_CRASH_SEED).
set -euo pipefail
# shellcheck source=tests/lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
PATH=$PATH:/usr/sbin:/sbin

count=${1:-${KMODBOX_CRASH_COUNT:-100}}
[ "$count" != --bounded ] || count=10
seed=${2:-${KMODBOX_CRASH_SEED:-$((SRANDOM % 32768))}}
RANDOM=$seed
killer=$build/tests/crash/killer

give_up() {
	skip "crash: $*"
	close_suite
	exit
}
for program in "$kmodbox" "$killer"; do
	[ -x "$program" ] || die "$program is not built; run: make test-crash"
done
[ -d "$kernels/6.1" ] || give_up "no kernel headers below $kernels (make kernels)"
command -v depmod >/dev/null || give_up "there is no depmod; install kmod"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Root's other accounts have to reach what root shows them.
chmod 0755 "$work"
world=$work/world output=$work/output report=$work/report
say "seed $seed, $count kills; again: tests/crash/kill.sh $count $seed"

# A number below $1, in the variable $number: a subshell would have random numbers of its own.
roll() { number=$((((RANDOM << 15) | RANDOM) % $1)); }

# ---- The world: one module in two variants of its source, a kernel with its own module of that name

kernel=6.1
[ ! -d "$kernels/6.1-cloud/usr" ] || kernel=6.1-cloud
root=$kernels/$kernel
release=$(kernel_release "$root") || give_up "no kernel headers below $root"
version_folder=$world/dkms/demo/0.1
build_folder=$version_folder/$release/$(uname -m)
kept_folder=$world/dkms/demo/original_module/$release/$(uname -m)
modules=$world/modules/$release
place=$modules/updates/dkms/demo.ko # as dkms on Debian
original=$modules/kernel/drivers/misc/demo.ko
trees=(--dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules"
	--statedir "$world/state")

# arguments OPERATION: the command line, in the array command.
arguments() {
	command=("$kmodbox" "$1" -m demo -v 0.1 -k "$release" "${trees[@]}" --kernel-root "$root")
	[ "$1" = uninstall ] || [ "$1" = remove ] || command+=(--force)
}
# Uninterrupted; its output is kept for whoever wants to know.
run() {
	arguments "$1"
	timeout -k 5 600 "${command[@]}" >"$output" 2>&1
}
must_run() {
	run "$1" || die "setting up: $1 failed with $?: $(tail -n 3 "$output")"
}
sum() { sha256sum -- "$1" | cut -d' ' -f1; }
use_source() {
	rm -rf "$world/src/demo-0.1"
	cp -R "$work/source-$1" "$world/src/demo-0.1"
}
index_sum() {
	(cd "$modules" && sha256sum modules.dep* modules.alias* modules.symbols* modules.softdep \
		modules.devname) | sha256sum
}

mkdir -p "$world/dkms" "$world/src" "$modules"
for variant in a b; do
	cp -R "$top/tests/demo/demo-v0.1" "$work/source-$variant"
	sed -i "s/demo: hello/demo: hello from $variant/" "$work/source-$variant/src/demo.c"
done
if [ -d "$root/lib/modules/$release/kernel" ]; then
	cp -R "$root/lib/modules/$release/." "$modules/"
	rm -f "$modules/build" "$modules/source"
fi
mkdir -p "$(dirname "$original")"
touch "$modules/modules.order" "$modules/modules.builtin" "$modules/modules.builtin.modinfo"
declare -A module_sum approval_sum index took
for variant in a b; do
	use_source "$variant"
	must_run add
	must_run build
	module_sum[$variant]=$(sum "$build_folder/module/demo.ko")
	approval_sum[$variant]=$(sum "$world/state/approvals/demo/0.1")
	# Without its signature it serves as the kernel's own: of this name, yet other bytes.
	module_payload "$build_folder/module/demo.ko" >"$original"
done
original_sum=$(sum "$original")
mkdir "$work/base" "$work/base/lib"
ln -s "$world/modules" "$work/base/lib/modules"
depmod -b "$work/base" "$release"
for variant in b a; do
	use_source "$variant"
	must_run add
	must_run build
	must_run install
	index[$variant]=$(index_sum)
	must_run uninstall
done
index[-]=$(index_sum)
[ "${module_sum[a]}" != "${module_sum[b]}" ] || die "both variants give the same module"
[ "${index[a]}" != "${index[-]}" ] || die "depmod does not see the module"

# ---- What there is on the disk

# All that no operation may change: other modules, the keys.
list_rest() {
	(
		cd "$world"
		find modules -name 'modules.[adsw]*' -prune -o -name demo.ko -prune \
			-o -path '*/updates' -prune -o -printf '%y %m %p %l\n'
		find state/keys -printf '%y %m %p %l\n'
		find dkms state -maxdepth 2 ! -path 'dkms/demo*' ! -path 'state/approvals/*' \
			! -path 'state/ledger/*' ! -path 'state/cache/*' -printf '%y %m %p %l\n'
		find modules state/keys -type f ! -name 'modules.[adsw]*' ! -name demo.ko -print0 |
			sort -z | xargs -0 sha256sum
	) | LC_ALL=C sort
}
bad() {
	wrong=$*
	state=wrong
	return 1
}
# identify FILE SUM-A SUM-B: in $found a, b, or - where there is no file.
identify() {
	local this
	found=-
	[ -e "$1" ] || [ -L "$1" ] || return 0
	this=$(sum "$1") || this=unreadable
	if [ "$this" = "$2" ]; then
		found=a
	elif [ "$this" = "$3" ]; then
		found=b
	else
		bad "$1 is neither of the two variants"
	fi
}
# The dkms tree of a state, as `find` must list it.
expected_list() {
	local approved=$1 built=$2 installed=$3 kept=$4 base=$build_folder
	[ "$approved" != - ] || return 0
	say "d $version_folder"
	say "l $version_folder/source"
	say "d $world/dkms/demo"
	if [ "$built" != - ]; then
		printf '%s\n' "d ${base%/*}" "d $base" "d $base/log" "f $base/log/make.log" "d $base/module" \
			"f $base/module/demo.ko" "f $base/module/Module.symvers" "f $base/build.json" "f $base/ticket"
	fi
	[ "$kept" = - ] || printf '%s\n' "d $base/installed" "f $base/installed/demo.ko"
	if [ "$installed" != - ]; then
		printf '%s\n' "l $world/dkms/demo/kernel-$release-$(uname -m)" "d $world/dkms/demo/original_module" \
			"d ${kept_folder%/*}" "d $kept_folder" "f $kept_folder/demo.ko" "f $kept_folder/demo.ko.origin"
	fi
}
# In $state APPROVED/BUILT/INSTALLED/KEPT (a source variant each, or -), or "wrong" and $wrong why.
look() {
	local approved built installed kept path
	state=wrong wrong=
	path=$(find "$world" -name '.kmodbox-stage*' -o -path '*/.kmodbox/stage*' -o -path '*/.kmodbox/journal' \
		-o -name '.?*.*[0-9a-f]' -path "$world/dkms/*" -o -name '.?*' -path "$world/state/*" | head -n 1)
	[ -z "$path" ] || { bad "left over: $path"; return; }
	identify "$world/state/approvals/demo/0.1" "${approval_sum[a]}" "${approval_sum[b]}" || return
	approved=$found
	identify "$build_folder/module/demo.ko" "${module_sum[a]}" "${module_sum[b]}" || return
	built=$found
	identify "$place" "${module_sum[a]}" "${module_sum[b]}" || return
	installed=$found
	identify "$build_folder/installed/demo.ko" "${module_sum[a]}" "${module_sum[b]}" || return
	kept=$found
	# What is only added has build/, perhaps with log and record of a build that failed.
	find "$world/dkms/demo" ! -path "$version_folder/build" ! -path "$version_folder/build/make.log" \
		! -path "$version_folder/build/failure.json" -printf '%y %p\n' 2>/dev/null |
		sort >"$work/list" || true
	expected_list "$approved" "$built" "$installed" "$kept" | sort >"$work/expected"
	path=$(diff "$work/expected" "$work/list" | sed -n '/^[<>]/p' | head -n 3 | tr '\n' ' ') || true
	[ -z "$path" ] || { bad "$approved/$built/$installed/$kept, but the dkms tree differs: $path"; return; }
	if [ "$installed" = - ]; then
		[ -f "$original" ] || { bad "the kernel's own module is lost"; return; }
		[ "$(sum "$original")" = "$original_sum" ] ||
			{ bad "the kernel's own module is not in its place"; return; }
		[ ! -e "$modules/updates" ] || { bad "$modules/updates is left"; return; }
	else
		[ ! -e "$original" ] || { bad "the kernel's own module is there beside ours"; return; }
		[ "$(sum "$kept_folder/demo.ko")" = "$original_sum" ] ||
			{ bad "the kernel's own module was not kept as it was"; return; }
		[ "$(cat "$kept_folder/demo.ko.origin")" = "$original" ] ||
			{ bad "where the kernel's own module was is not known any more"; return; }
		[ "$(readlink "$world/dkms/demo/kernel-$release-$(uname -m)")" = "0.1/$release/$(uname -m)" ] ||
			{ bad "the link to what is installed is wrong"; return; }
		[ "$installed" = "${kept/-/$built}" ] || { bad "installed is what nobody built"; return; }
	fi
	[ "$(index_sum)" = "${index[$installed]}" ] || { bad "modules.dep is not that of $installed"; return; }
	if [ "$built" != - ]; then
		grep -qF "${module_sum[$built]}" "$build_folder/build.json" ||
			{ bad "build.json speaks of another module"; return; }
		grep -qE '^[0-9]+$' "$world/state/ledger/demo/$release-$(uname -m)" ||
			{ bad "the ledger has no serial"; return; }
	fi
	diff -r "$world/src/demo-0.1" "$work/source-$source" >/dev/null || { bad "the source changed"; return; }
	[ "$(list_rest | sha256sum)" = "$rest" ] || { bad "something changed that nothing may change"; return; }
	state=$approved/$built/$installed/$kept
}
# What status must say of a state.
check_status() {
	local expected line
	case $1 in
	-/*) expected= ;;
	*/-/-/-) expected='demo/0.1: added' ;;
	*/*/-/-) expected="demo/0.1, $release, $(uname -m): built" ;;
	*) expected="demo/0.1, $release, $(uname -m): installed (Original modules exist)" ;;
	esac
	line=$("$kmodbox" status "${trees[@]}" 2>"$output") || { bad "status failed: $(tail -n 1 "$output")"; return; }
	# "Differences between built and installed": what was built anew and not installed yet.
	[ "${line% (Diff*}" = "$expected" ] || bad "status says '$line' of $1"
}

# start STATE SOURCE: the world anew in a clean state, whatever had happened to it.
fresh() {
	rm -rf "$world"
	cp -a "$work/pristine" "$world"
	source=a state=a/a/-/-
}
# Whose owner, mode and time are of no interest here are the files' bytes and names.
source=a
rest=$(list_rest | sha256sum)
cp -a "$world" "$work/pristine"

# after OPERATION STATE: in $new what it makes of a state, in $between what it may leave on the way:
# several transactions in a row, each of which is whole.
after() {
	local approved built installed kept
	IFS=/ read -r approved built installed kept <<<"$2"
	between=
	case $1 in
	add) new=$source/$built/$installed/$kept ;;
	build)
		[ "$installed" = - ] || kept=$installed
		new=$approved/$source/$installed/$kept
		;;
	install)
		[ "$built" != - ] || between=$approved/$source/-/-
		[ "$built" != - ] || built=$source
		new=$approved/$built/$built/-
		;;
	uninstall) new=$approved/$built/-/- ;;
	remove)
		between="$approved/$built/-/- $approved/-/-/-"
		new=-/-/-/-
		;;
	esac
}
# An operation that the state allows, in $operation, and the source it works on.
choose_operation() {
	local allowed=(add build install install)
	case $state in
	-/*) allowed=(add) ;;
	*/-/-/-) allowed=(add build install) ;;
	*/*/-/-) allowed+=(remove) ;;
	*) allowed+=(uninstall uninstall uninstall remove) ;;
	esac
	roll ${#allowed[@]}
	operation=${allowed[$number]}
	if [ "$operation" = add ]; then
		roll 2
		[ "$number" -eq 0 ] && source=a || source=b
		use_source "$source"
	fi
}
choose_kill() {
	local targets=(launcher orchestrator installer all sandbox)
	case $operation in
	build) targets+=(signer signer sandbox) ;;
	install) targets+=(signer depmod depmod installer) ;;
	uninstall | remove) targets+=(depmod installer) ;;
	esac
	roll ${#targets[@]}
	target=${targets[$number]}
	roll 4
	case $number in
	0) moment=$world/dkms/.kmodbox/stage && roll 30000 ;;
	1) moment=$world/dkms/.kmodbox/journal && roll 2000 ;;
	*) moment=- && roll "${duration[$operation]}" ;;
	esac
	delay=$number
}
# What the killer reports: in $killed yes or no, in $status that of the command, and survivors.
read_report() {
	local word rest_of_line
	killed=no status=none survivors=
	while read -r word rest_of_line; do
		case $word in
		killed) killed=yes ;;
		status) status=$rest_of_line ;;
		survivor) survivors+="$rest_of_line; " ;;
		esac
	done <"$report"
}
start_killer() {
	arguments "$operation"
	# Who lost his launcher has to go at once; others may finish what goes on without the killed one.
	local grace=300
	case $1 in
	launcher | orchestrator | all) grace=20 ;;
	esac
	"$killer" "$report" "$1" "$2" "$3" "$grace" -- "${command[@]}" >"$output" 2>&1 </dev/null || die "killer failed"
	read_report
}
no_mounts() { ! grep -e "$work" -e ' /run/kmodbox' /proc/self/mountinfo >"$work/mounts"; }
recover() {
	# Any command that may change something recovers, also one that has nothing to do itself.
	local status_of_recovery=0
	timeout -k 5 600 "$kmodbox" remove -m nothing -v 0 "${trees[@]}" >"$work/recovery" 2>&1 || status_of_recovery=$?
	[ "$status_of_recovery" -eq 3 ] || bad "the next command ended with $status_of_recovery: $(tail -n 1 "$work/recovery")"
}
is_one_of() {
	local one=$1 other
	shift
	for other in "$@"; do
		[ "$one" != "$other" ] || return 0
	done
	return 1
}
# All that must hold after a kill of $target in $operation, which began in the state $1.
judge() {
	local old=$1 result
	[ -z "$survivors" ] || { bad "survived: $survivors"; return; }
	no_mounts || { bad "left mounted: $(head -n 1 "$work/mounts")"; return; }
	"$kmodbox" status "${trees[@]}" >"$work/status" 2>&1 ||
		{ bad "status failed: $(tail -n 1 "$work/status")"; return; }
	after "$operation" "$old"
	if [ "$status" -ne 0 ] && [ "$target" != launcher ] && [ "$target" != all ]; then
		grep -qE '^kmodbox(-[a-z]+)?: ' "$output" || { bad "ended with $status and said nothing"; return; }
	fi
	result=$status
	if [ "$direct" -eq 0 ]; then
		recover || return
		look || return
		# shellcheck disable=SC2086 # a list of states
		is_one_of "$state" "$old" "$new" $between ||
			{ bad "the state is $state; $operation makes $new of $old"; return; }
		[ "$result" -ne 0 ] || [ "$state" = "$new" ] || { bad "ended with 0 in state $state"; return; }
		outcome=$state
		check_status "$state" || return
	else
		outcome="not looked at"
	fi
	if [ "$direct" -ne 0 ] || [ "$state" != "$new" ]; then
		result=0
		run "$operation" || result=$?
		# 3: what was killed had done it all, there is nothing to uninstall or remove any more.
		[ "$result" -eq 0 ] || { [ "$result" -eq 3 ] && [ "$direct" -ne 0 ]; } ||
			{ bad "once more, it ended with $result: $(tail -n 1 "$output")"; return; }
		recover || return
		look || return
		[ "$state" = "$new" ] || bad "once more, it made $state of $old, not $new"
	fi
}
describe() {
	local begin=${moment##*/}
	printf '%s of %s, %s killed %s us after %s' "$operation" "$1" "$target" "$delay" "${begin/#-/its start}"
}
tell_failure() {
	fail "$*"
	sed 's/^/        | /' "$output" | tail -n 5
}

# ---- Could any of this fail? The experiment and the eye that looks are tried on what is known.

operation=add target=launcher
# shellcheck disable=SC2016 # expanded there
"$killer" "$report" launcher 0 "$work/started" 1 -- \
	bash -c 'setsid bash -c "touch $1; sleep 1000" & wait' - "$work/started" 2>/dev/null
read_report
if [ -n "$survivors" ] && [ "$killed" = yes ]; then
	pass "control: a process that survives its launcher is seen"
else
	fail "control: a process that survives its launcher is not seen: $(cat "$report")"
fi
must_run install
look || true
installed_state=$state
damage() {
	rm -rf "$work/saved"
	cp -a "$world" "$work/saved"
	eval "$2"
	look || true
	if [[ $state = wrong && $wrong = *$3* ]]; then
		pass "control: seen: $1"
	else
		fail "control: $1: not seen, but: $state $wrong"
	fi
	rm -rf "$world"
	mv "$work/saved" "$world"
}
if [ "$installed_state" = a/a/a/- ] && check_status "$state"; then
	pass "control: the state after an installation is known"
else
	fail "control: the state after an installation is $installed_state: $wrong"
fi
# shellcheck disable=SC2016 # evaluated there
{
	damage "a lost original" 'rm "$kept_folder/demo.ko"' "the dkms tree differs"
	damage "another original" 'echo >>"$kept_folder/demo.ko"' "was not kept as it was"
	damage "an original in both places" 'cp "$kept_folder/demo.ko" "$original"' "beside ours"
	damage "a stage left over" 'mkdir "$world/modules/.kmodbox-stage"' "left over"
	damage "a stale modules.dep" 'sed -i /demo/d "$modules/modules.dep"' "modules.dep"
	damage "a module cut short" 'truncate -s -1 "$place"' "neither of the two"
	damage "a build cut short" 'rm "$build_folder/ticket"' "the dkms tree differs"
	damage "another module gone" 'rm "$modules/modules.order"' "nothing may change"
}
fresh

# ---- Random kills

declare -A duration
for operation in add build install uninstall remove; do
	start=${EPOCHREALTIME/./}
	must_run "$operation"
	duration[$operation]=$((${EPOCHREALTIME/./} - start))
done
fresh
rounds=0 attempts=0 olds=0 news=0
while [ "$rounds" -lt "$count" ] && [ "$attempts" -lt $((4 * count)) ]; do
	attempts=$((attempts + 1))
	old=$state
	choose_operation
	choose_kill
	roll 4
	direct=$((number == 0)) twice=$((number == 1))
	start_killer "$target" "$delay" "$moment"
	[ "$killed" = no ] || { rounds=$((rounds + 1)) && took[$target]=$((${took[$target]:-0} + 1)); }
	outcome=
	# Who recovers may be killed as well.
	if [ "$twice" -ne 0 ] && [ "$killed" = yes ] && [ -z "$survivors" ]; then
		first=$target target=installer
		start_killer installer $((delay % 10000)) -
		target=$first killed=yes
	fi
	if ! judge "$old" || [ "$state" = wrong ]; then
		tell_failure "$(describe "$old"): $wrong"
		fresh
	elif [ "$killed" = yes ]; then
		pass "$rounds: $(describe "$old"): $outcome"
		[ "$outcome" != "$old" ] || olds=$((olds + 1))
		[ "$outcome" != "$state" ] || [ "$old" = "$state" ] || news=$((news + 1))
	fi
done
summary=
for target in launcher orchestrator signer installer depmod sandbox all; do
	summary+=" $target ${took[$target]:-0},"
done
say "$rounds kills in $attempts attempts:$summary old state $olds, new state $news"
if [ "$rounds" -eq "$count" ]; then
	pass "$count kills"
else
	fail "only $rounds of $count kills hit something"
fi

# ---- What was decided is done, whatever the next command is

# pending OPERATION STATE NEXT: the installer dies with the journal on the disk; then NEXT at once.
pending() {
	local tries result=0
	for tries in {1..20}; do
		fresh
		case $2 in
		*/*/a/*) must_run install ;;
		esac
		state=$2 operation=$1
		start_killer installer 0 "$world/dkms/.kmodbox/journal"
		[ ! -e "$world/dkms/.kmodbox/journal" ] || break
	done
	if [ ! -e "$world/dkms/.kmodbox/journal" ]; then
		skip "$1 with a journal left behind: it was too fast $tries times"
		return
	fi
	after "$1" "$2"
	after "$3" "$new"
	run "$3" || result=$?
	if [ "$result" -ne 0 ]; then
		tell_failure "$3 right after $1 had died with its journal written: ended with $result"
	elif look && [ "$state" = "$new" ]; then
		pass "$3 right after $1 had died with its journal written"
	else
		tell_failure "$3 right after $1 had died with its journal written: $state, not $new; $wrong"
	fi
}
pending install a/a/-/- uninstall
pending install a/a/-/- remove
pending uninstall a/a/a/- install
pending uninstall a/a/a/- remove
pending remove a/a/-/- add
pending build a/a/-/- install

# ---- The first use of all, when the keys are made

only_keys() {
	found=$(cd "$world/state/keys" && find . -type f | sort | tr '\n' ' ')
	[ "$found" = "./module.crt ./module.key ./ticket.key ./ticket.pub " ]
}
first_uses=$((count / 10 + 2))
for ((i = 1; i <= first_uses; i++)); do
	rm -rf "$world/dkms" "$world/state"
	use_source a
	source=a operation=build wrong=
	roll 2
	[ "$number" -eq 0 ] && target=signer || target=launcher
	roll 2
	if [ "$number" -eq 0 ]; then
		moment=- && roll 1000000
	else
		moment=$world/state/keys/module.crt.new && roll 2000
	fi
	delay=$number
	start_killer "$target" "$delay" "$moment"
	if [ -n "$survivors" ]; then
		wrong="survived: $survivors"
	elif ! run build; then
		wrong="once more, it failed: $(tail -n 1 "$output")"
	elif ! only_keys; then
		wrong="left with the keys: $found"
	fi
	if [ -z "$wrong" ]; then
		pass "first use $i: $(describe nothing)"
	else
		tell_failure "first use $i: $(describe nothing): $wrong"
	fi
done

# ---- Two at once

# together STATE KERNEL OPERATION KERNEL OPERATION [OPTION]: both begin at the same moment in a clean
# state; their statuses in the array statuses; what went wrong in $wrong.
together() {
	local one pids=() option=${6-}
	wrong=
	"start_$1"
	for one in 1 2; do
		# shellcheck disable=SC2086 # no option is no word
		"$killer" "$report-$one" none 0 - 20 -- "$kmodbox" "${*:2*one+1:1}" -m demo -v 0.1 $option \
			-k "$(kernel_release "$kernels/${*:2*one:1}")" --kernel-root "$kernels/${*:2*one:1}" \
			"${trees[@]}" >"$output-$one" 2>&1 </dev/null &
		pids+=($!)
	done
	wait "${pids[0]}" "${pids[1]}"
	statuses=()
	for one in 1 2; do
		mv "$report-$one" "$report"
		read_report
		statuses+=("$status")
		[ -z "$survivors" ] || bad "survived: $survivors" || true
		[ "$status" -eq 0 ] || grep -qE '^kmodbox(-[a-z]+)?: ' "$output-$one" ||
			bad "ended with $status and said nothing" || true
	done
	cat "$output-1" "$output-2" >"$output"
}
start_added() {
	fresh
	rm -rf "$build_folder"
	run remove || true
	must_run add
}
start_built() { fresh; }
start_installed() {
	fresh
	must_run install
}
start_unknown() {
	rm -rf "$world/dkms" "$world/state"
	use_source a
	source=a
}
# ended STATUSES STATES WHAT...: how the two may have ended, in whatever order, and with what.
ended() {
	local result
	result=$(printf '%s\n' "${statuses[@]}" | sort -n | tr '\n' ' ')
	if [ -z "$wrong" ] && ! [[ $1 == *"|${result% }|"* ]]; then
		bad "they ended with $result" || true
	fi
	# shellcheck disable=SC2086 # a list of states
	if [ -z "$wrong" ] && look && [ -n "$2" ]; then
		is_one_of "$state" $2 || bad "the state is $state" || true
	fi
	if [ -z "$wrong" ]; then
		pass "two at once: ${*:3} (${result% })"
	else
		tell_failure "two at once: ${*:3}: $wrong"
	fi
}
together added "$kernel" build "$kernel" build
ended "|0 0|0 3|" a/a/-/- "build, the same one"
together added "$kernel" install "$kernel" install
ended "|0 0|0 3|0 5|" a/a/a/- "install, the same one"
together built "$kernel" install "$kernel" install --force
ended "|0 0|" a/a/a/- "install --force, the same one"
together installed "$kernel" install "$kernel" uninstall
ended "|0 0|0 3|0 5|" "a/a/-/- a/a/a/-" "install and uninstall"
together added "$kernel" build "$kernel" remove
ended "|0 0|0 3|" "a/a/-/- -/-/-/-" "build and remove"
# The second may find the first's keys and trees in the making.
together unknown "$kernel" build "$kernel" build
[ -n "$wrong" ] || only_keys || bad "left with the keys: $found" || true
start=$wrong
look || true
# Other keys than those that the signatures are known of.
if [ -z "$start" ] && [ -f "$build_folder/ticket" ]; then
	pass "two at once: build, the first ever (${statuses[*]})"
else
	tell_failure "two at once: build, the first ever (${statuses[*]}): $start"
fi
if [ "$kernel" != 6.1 ] || [ -d "$kernels/6.12" ]; then
	other=6.12
	[ -d "$kernels/6.12" ] || other=6.1
	other_release=$(kernel_release "$kernels/$other")
	together added "$kernel" build "$other" build
	for one in "$release" "$other_release"; do
		"$kmodbox" status -m demo -v 0.1 "${trees[@]}" | grep -xF "demo/0.1, $one, $(uname -m): built" >/dev/null ||
			[ -n "$wrong" ] || bad "not built for $one" || true
	done
	rm -rf "${version_folder:?}/$other_release" "$world/state/ledger/demo/$other_release-$(uname -m)"
	ended "|0 0|" a/a/-/- "build for two kernels"
else
	skip "two at once: build for two kernels: there is but one"
fi

# ---- One waits for the other: it can be ended meanwhile

fresh
must_run install
exec 9<>"$world/dkms/.kmodbox/lock"
flock 9
operation=uninstall target=launcher delay=1000000 moment=- wrong=
start_killer launcher "$delay" -
if [ "$killed" = yes ] && [ -z "$survivors" ]; then
	pass "the launcher is killed while it waits for another kmodbox"
else
	fail "the launcher is killed while it waits for another kmodbox: killed: $killed, survived: $survivors"
fi
arguments uninstall
"$killer" "$report" none 0 - 20 -- timeout --preserve-status -s INT -k 20 1 "${command[@]}" \
	>"$output" 2>&1 </dev/null 9>&-
read_report
flock -u 9
exec 9>&-
# 137 and 256: only SIGKILL ended it.
if [ -n "$survivors" ] || [ "$status" -ge 137 ] || [ "$status" -eq 0 ]; then
	wrong="ended with $status, survived: $survivors"
fi
if [ -z "$wrong" ] && recover && look && [ "$state" = a/a/a/- ]; then
	pass "interrupted while it waits for another kmodbox: ended with $status"
else
	tell_failure "interrupted while it waits for another kmodbox: $wrong"
fi
close_suite

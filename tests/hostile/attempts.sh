#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016 # what stands in single quotes is for other shells
# What a module's author would try, by the real path: `kmodbox build` of a module whose dkms.conf,
# patch, configure script, Makefile, Kbuild or script does it. Each attempt says which wall refuses
# it, and has its control: outside, or with that wall off (layers/peel.c), the same is possible, or
# the attempt proves nothing and is skipped. The numbers are those of the list of attacks at the end,
# which must all have been tried here, or where the list says. KMODBOX_LIMITS=1 waits for the limits
# of time that no setting shortens.
set -euo pipefail
# shellcheck source=tests/hostile/lib.sh
. "$(dirname "$0")/lib.sh"
open_suite attempts "$@"

here=$top/tests/hostile
probe=$build/tests/hostile/probe
peel() {
	local off=$1
	shift
	"$build/tests/hostile/layers/peel" "$off" --policy "$build/bin/profiles/build.seccomp" "$@"
}
attempts=0 blocked=0 leaks=0 controls=0
declare -A tried=()
tag=kb$$.

# attempt NUMBERS COMMAND...: COMMAND passes or fails one test; where it fails, something got out.
attempt() {
	local bad=$failed unable=$skipped number
	for number in ${1//,/ }; do tried[$number]=yes; done
	shift
	attempts=$((attempts + 1))
	"$@"
	if [ "$failed" -gt "$bad" ]; then
		leaks=$((leaks + 1))
	elif [ "$skipped" -eq "$unable" ]; then
		blocked=$((blocked + 1))
	fi
}
# control NAME COMMAND...: what must be possible where nothing forbids it.
control() {
	local name=$1
	shift
	if "$@"; then
		controls=$((controls + 1))
		pass "control: $name"
	else
		fail "control: $name: the attempt proves nothing"
	fi
}

# --- Probes at every stage -------------------------------------------------------------------------

declare -A expected=() wall=() numbers_of=() argument_of=() outside=()
names=()
read_table() {
	local numbers name answer its_wall argument
	while IFS=$'\t' read -r numbers name answer its_wall argument; do
		[[ $numbers && $numbers != \#* ]] || continue
		names+=("$name")
		numbers_of[$name]=$numbers expected[$name]=$answer wall[$name]=$its_wall argument_of[$name]=$argument
	done <"$here/probes.table"
}
# Of the other package's tree, which a build sees as it is on the host, where its own is a copy.
shown_of() {
	case $1 in
	talk-unix-path | talk-datagram-pair | talk-raw-pair | setuid-program) say other-1 ;;
	*) say demo-0.1 ;;
	esac
}
set_argument() {
	case ${argument_of[$1]} in
	port) argument=$port ;;
	tag) argument=$tag ;;
	listener) argument=$listener ;;
	canary) argument=$work/canary ;;
	*) argument= ;;
	esac
}
# Some of each wall, for the stages that share the build's sandbox.
some='write-header write-shown read-canary read-named list-proc-sys other-root setuid-chmod unshare-user
	mount-tmpfs trace-other kill-host-process capabilities add-key init-module terminal-push talk-tcp
	talk-unix-path shared-memory find-descriptor 32-bit-entry'
# The probes of a stage. A script has its own shell for a parent; the evaluation has a second of CPU.
list() {
	local name
	for name in "${names[@]}"; do
		case $1:$name in
		*:kill-everybody | POST_ADD:setuid-program) continue ;;
		*:setuid-program) [ "$(id -u)" -eq 0 ] || continue ;; # only root can make one
		evaluation:* | POST_ADD:*) [[ ${wall[$name]} != limit:* || $name = fork-many ]] || continue ;;
		MAKE:*) ;;
		*) [[ " ${some//[$'\n\t']/ } " == *" $name "* ]] || continue ;;
		esac
		set_argument "$name"
		say "$name /usr/src/$(shown_of "$name") $argument"
	done
}

# The other package, built: its tree is shown to demo's build, with the sockets and the setuid program
# that appear there now.
add_other() {
	fresh
	mkdir -p "$world/src/other-1"
	say "${basic_conf/=demo PACKAGE_VERSION=0.1/=other PACKAGE_VERSION=1}"$'\nMAKE="cp good.ko demo.ko"' \
		>"$world/src/other-1/dkms.conf"
	cp "$good" "$world/src/other-1/good.ko"
	must build -m other -v 1 "${kernel[@]}"
	echo shown >"$world/src/other-1/file"
	if [ "$(id -u)" -eq 0 ]; then
		cp "$probe" "$world/src/other-1/raise"
		chmod 4755 "$world/src/other-1/raise"
	fi
	listen_in "$world/src/other-1"
	mkdir -p "$settings"
	printf '[build]\ndepends = other\n[scratch]\nsize = 64M\n' >"$settings/demo.conf"
}
# Somebody on the host to be talked to, by TCP, UDP, an abstract name and paths in a directory.
listen_in() {
	rm -f "$work/port"
	"$probe" outside "$work" "$1" listen "$tag" >"$work/port" &
	listener=$!
	background+=("$listener")
	wait_for [ -s "$work/port" ] || die "the listener does not run"
	port=$(cat "$work/port")
}
# Its abstract name is free again when it is gone.
end_listener() {
	end_job "$listener"
	wait "$listener" 2>/dev/null || true
}
outside_probe() {
	(cd "$work" && KMODBOX_TEST_SECRET=secret exec "$probe" outside "$work/outside" "$world/src/$(shown_of "$1")" "$1" "$2") \
		8</ 9<"$work/canary" </dev/null 2>/dev/null || true
}
# peeled OFF NAME [OPTION...]
peeled() {
	local off=$1 name=$2 scratch=/tmp
	shift 2
	set_argument "$name"
	[[ ,$off, != *,view,* ]] || scratch=$work/outside # /tmp would be the host's
	KMODBOX_TEST_SECRET=secret peel "$off" "$@" --ro "$probe" --ro "$work/shown" -- \
		"$probe" inside "$scratch" "$work/shown" "$name" "$argument" 8</ 9<"$work/canary" </dev/null 2>&1 || true
}

# Is it that wall? With it off, or marked, the answer is another.
prove_wall() {
	local name=$1 kind=${wall[$1]} with without
	case $(id -u):$kind:$name in
	0:* | *:namespace:kill-*) ;;
	*:owner:* | *:namespace:*)
		skip "$name: $kind cannot be taken off: only root can give a sandbox other ids"
		return
		;;
	esac
	case $kind in
	nosuid) return 0 ;; # depth() has it, with those behind it
	mount)
		without=$(peeled mounts "$name")
		# The mount that a link would cross is the view's.
		[ "${expected[$name]}" != EXDEV ] || without=$(peeled view,landlock "$name")
		;;
	view | owner | environment | landlock) without=$(peeled "$kind" "$name") ;;
	namespace) without=$(peeled pids,ids "$name") ;;
	privileges) without=$(peeled privileges,capabilities "$name") ;; # these alone may load a filter then
	pretend) without=$(peeled filter "$name") ;;
	filter) without=$(peeled marked "$name") ;;
	proc) without=$(peeled proc,capabilities,filter,nesting "$name") ;;
	capability) without=$(peeled capabilities "$name") ;;
	descriptors) without=$(peeled descriptors "$name") ;;
	limit:*) without=$(peeled none "$name" --limit "${kind#limit:}" --limit scratch=4294967296) ;;
	*) fail "$name: nothing takes $kind off" ;;
	esac
	with=$(peeled none "$name")
	case ${kind%%:*}:$without in
	landlock:"$with") skip "$name: this kernel's Landlock knows nothing of it" ;;
	filter:'REFUSED EUCLEAN' | filter:'REFUSED ENOANO') ;;
	filter:'KILLED SIGSYS') [ "$(peeled filter "$name")" != "$without" ] || fail "$name: killed without the filter too" ;;
	# Also what is no answer of a probe's: then there was no sandbox.
	filter:* | *:"$with" | *:'' | *:[!ANR]*) fail "$name: '$with', and with $kind marked or off '$without': another wall?" ;;
	esac
}
# A directory for sandboxes without walls, as if it were the payload's own.
make_shown() {
	mkdir -p "$work/outside" "$work/shown"
	rm -f "$work/shown/raise"
	echo shown >"$work/shown/file"
	[ "$(id -u)" -ne 0 ] || chown -R 2000000098:2000000098 "$work/shown"
}
# Controls and walls, once for each probe.
know_probes() {
	local name argument there
	make_shown
	for name in "${names[@]}"; do
		set_argument "$name"
		there=$(outside_probe "$name" "$argument")
		outside[$name]=$there
		case $there in
		ALLOWED | NOEFFECT | NOCONTROL | "REFUSED "* | "KILLED "*) ;;
		*) fail "$name: the probe does not work outside: '$there'" ;;
		esac
		if [ "$there" = ALLOWED ] && [ "$name" != setuid-program ]; then
			controls=$((controls + 1))
		fi
		[ "${wall[$name]}" = - ] || [ "$there" = "REFUSED ENOENT" ] || prove_wall "$name"
	done
	pass "each wall of $(basename "$here")/probes.table is the one that refuses: without it, or marked, the answer is another"
}
# judge STAGE NAME ANSWER
judge() {
	local stage=$1 name=$2 given=${3#REFUSED-} there want=${expected[$2]}
	there=${outside[$name]}
	if [ "$want" = same ]; then
		want=${there#REFUSED }
		[ "$want" != ALLOWED ] || want="(not ALLOWED)"
		there=ALLOWED
	fi
	if ! one_of "$want" "$given"; then
		fail "$stage: $name: '$given' instead of $want by ${wall[$name]}; outside $there"
	elif [ "$there" = ALLOWED ]; then
		pass "$stage: $name: $given by ${wall[$name]}"
	else
		skip "$stage: $name: $given by ${wall[$name]}, but outside $there"
	fi
}
# results STAGE < LINES: one judgement for each probe of its list.
results() {
	local stage=$1 name _ answer
	declare -A got=()
	while IFS='=' read -r _ _ name answer; do
		got[$name]=$answer
	done < <(grep -aoE "attempt=$stage=[a-z0-9-]+=[A-Za-z0-9-]+" | sort -u)
	while read -r name _; do
		if [ "${wall[$name]}" = - ]; then
			[ "${got[$name]:-}" = ALLOWED ] || fail "$stage: $name: '${got[$name]:-}', and builds need it"
		else
			attempt "${numbers_of[$name]}" judge "$stage" "$name" "${got[$name]:-nothing}"
		fi
	done < <(list "$stage")
}
calls() {
	local stage log
	read_table
	add_other
	cp -R "$here/attempts/calls" "$source"
	cp "$probe" "$good" "$source/"
	echo shown >"$source/file"
	cp "$work/canary" "$world/src/canary"
	know_probes
	for stage in evaluation POST_ADD patch PRE_BUILD Kbuild MAKE POST_BUILD; do
		list "$stage" >"$source/probes.$stage"
	done
	KMODBOX_TEST_SECRET=secret try add "${demo[@]}" 8</ 9<"$work/canary"
	problems=()
	[ "$code" -eq 0 ] || problem "exit code $code"
	conclude "the module of all probes is added"
	results POST_ADD <"$work/out"
	KMODBOX_TEST_SECRET=secret try build "${demo[@]}" "${kernel[@]}" 8</ 9<"$work/canary"
	problems=()
	[ "$code" -eq 0 ] || problem "exit code $code"
	check_clean
	conclude "the module of all probes is built"
	log=$world/dkms/demo/0.1/$release/x86_64/log/make.log
	for stage in evaluation patch PRE_BUILD Kbuild MAKE POST_BUILD; do
		results "$stage" <"$log"
	done
	end_listener
}

# --- Walls behind walls ------------------------------------------------------------------------------

# behind NUMBERS NAME OFF ANSWER [OPTION...]: with those walls off the next one says this errno, or
# NOEFFECT.
behind() {
	local numbers=$1 name=$2 off=$3 want=$4 got
	shift 4
	got=$(peeled "$off" "$name" "$@")
	if [ "$want" = ALLOWED ]; then
		control "$name without $off: $got" [ "$got" = ALLOWED ]
	elif [ "${got#REFUSED }" = "$want" ]; then
		attempt "$numbers" pass "$name without $off: $want"
	else
		attempt "$numbers" fail "$name without $off: '$got' instead of $want"
	fi
}
depth() {
	read_table
	mkdir -p "$work/shown"
	listen_in "$work/shown"
	make_shown
	if [ "$(peeled all landlock)" = ALLOWED ]; then
		behind 21 talk-tcp filter,namespaces EACCES
		behind 22 talk-unix-abstract filter,namespaces EPERM
		behind 29 stop-init none EPERM
	else
		skip "Landlock: this kernel has none"
	fi
	behind 29 stop-init landlock NOEFFECT
	behind 21 talk-tcp filter,landlock ENETUNREACH
	behind 21 talk-tcp filter,landlock,namespaces ALLOWED
	behind 22 talk-unix-abstract filter,landlock ECONNREFUSED
	behind 22 talk-unix-abstract filter,landlock,namespaces ALLOWED
	behind 28 mount-tmpfs filter EPERM
	behind 28 mount-tmpfs filter,landlock,capabilities ALLOWED
	behind 28 sethostname filter EPERM
	behind 28 sethostname filter,landlock,capabilities ALLOWED
	behind 26 unshare-user filter ENOSPC
	behind 26 unshare-user filter,nesting ALLOWED
	behind 37 raise-capability filter EPERM
	behind 37 raise-capability filter,capabilities ALLOWED
	setuid_in_depth
	# Path sockets: nothing but the filter holds these, which is why there is no socket() at all.
	behind 23 talk-unix-path filter ALLOWED
	behind 3 write-shown none EROFS
	behind 3 write-shown mounts ALLOWED
	behind 1 create-in-root none EROFS
	behind 1 create-in-root mounts EACCES
	behind 1 create-in-root mounts,landlock ALLOWED
	end_listener
}

# A setuid program of the sandbox's own second id: each of three walls alone is enough.
setuid_in_depth() {
	if [ "$(id -u)" -ne 0 ]; then
		skip "setuid-program: only root can make one, and give a sandbox two ids"
		return
	fi
	cp "$probe" "$work/shown/raise"
	chown 2000000099:2000000099 "$work/shown/raise"
	chmod 4755 "$work/shown/raise"
	behind 37 setuid-program nosuid,privileges,capabilities NOEFFECT # an id that it has not
	behind 37 setuid-program ids,privileges,capabilities NOEFFECT    # nosuid
	behind 37 setuid-program ids,nosuid NOEFFECT                     # no_new_privs
	if [[ ,$(findmnt -nro OPTIONS -T "$work/shown"), == *,nosuid,* ]]; then
		skip "setuid-program: $work is nosuid on the host (TMPDIR)"
	else
		behind 37 setuid-program ids,nosuid,privileges,capabilities ALLOWED
	fi
}

# --- Source trees ------------------------------------------------------------------------------------

# The build script of the tree, run outside in a directory like its own, as the control.
run_outside() {
	rm -rf "$work/outside"
	mkdir -p "$work/outside"
	cp "$good" "$probe" "$work/outside/"
	cp "$source/build.sh" "$work/outside/"
	(cd "$work/outside" && timeout 60 bash ./build.sh) >"$work/outside.out" 2>&1 </dev/null || true
}
# tree NUMBERS NAME HOW -- CONTROL...: stdin is a build script. HOW is "refused CODE WORDS..." or
# "builds". CONTROL must hold in the directory where the same script ran outside; "-": there is another.
settings_lines=
# By exit code, with the message that HOW wants.
declare -A refusing=([7]="the collector" [10]="the sandbox" ['10|31']="a limit" [31]="a limit")
tree() {
	local numbers=$1 name=$2 how=()
	shift 2
	while [ "$1" != -- ]; do
		how+=("$1")
		shift
	done
	shift
	new_build "$conf_lines"
	cp "$probe" "$source/"
	must add "${demo[@]}" --force
	if [ -n "$settings_lines" ]; then
		mkdir -p "$settings"
		say "$settings_lines" >"$settings/demo.conf"
	fi
	echo safe >"$work/victim"
	if [ "$1" != - ]; then
		run_outside
		control "$name, outside" eval "(cd $(printf %q "$work/outside") && $*)"
		end_tagged
		echo safe >"$work/victim"
	fi
	try build "${demo[@]}" "${kernel[@]}"
	if [ "${how[0]}" = builds ]; then
		attempt "$numbers" done_well "$name: ends with the build"
	else
		attempt "$numbers" refused "$name: refused by ${refusing[${how[1]}]}" "${how[@]:1}" "demo 0.1"
	fi
	grep -qx safe "$work/victim" || attempt "$numbers" fail "$name: it wrote to a file of the host"
}
log_has() { grep -aqF -- "$1" "$world/dkms/demo/0.1/$release/x86_64/log/make.log" "$failed_log" 2>/dev/null; }
log_lacks() { ! log_has "$1"; }
# So many were tried.
none_got_in() {
	log_lacks "got in: " && [ "$(grep -ac '^tried: ' "$world/dkms/demo/0.1/$release/x86_64/log/make.log")" -eq "$1" ]
}
headers_now() { find "$kernels/6.1/usr/src" -maxdepth 2 -name Module.symvers -print0 | xargs -0 sha256sum; }
is_good() { module_payload "$built" | cmp -s - "$good"; }
differs() { ! cmp -s demo.ko good.ko; }

# Files and secrets of the host.
host_files() {
	local key=$world/state/keys/module.key file headers
	headers=$(headers_now)
	tree 1 "headers: rewritten by the build" builds -- - <<-'END'
		for file in Module.symvers Makefile .config include/generated/autoconf.h; do
			(echo evil >>/lib/modules/$kernelver/build/$file) 2>/dev/null && echo "got in: $file"
			(mv /lib/modules/$kernelver/build/$file /tmp/x) 2>/dev/null && echo "got in: $file"
			[ -e "/lib/modules/$kernelver/build/$file" ] && echo "tried: $file"
		done
		cp good.ko demo.ko
	END
	attempt 1 holds "headers: rewritten by the build: not one" none_got_in 4
	attempt 1 holds "headers: rewritten by the build: they are as they were" [ "$headers" = "$(headers_now)" ]
	if [ "$(id -u)" -eq 0 ]; then
		control "headers: who builds could write them outside" [ -w "${headers##* }" ]
	else
		skip "headers: outside, an ordinary user may not write them either"
	fi
	tree 2 "secrets: the signing key, other builds, homes" builds -- - < <(
		for file in "$key" "$world/state/audit.log" "$world/dkms/.kmodbox" "$HOME" /etc/shadow /etc/ssl/private "$work/canary"; do
			printf '(cat %q || ls %q) >/dev/null 2>&1 && echo "got in: %s"; echo "tried: %s"\n' "$file" "$file" "$file" "$file"
		done
		say 'cp good.ko demo.ko'
	)
	attempt 2 holds "secrets: not one can be read" none_got_in 7
	control "secrets: they are there, and whoever builds can read them" cat "$key" "$work/canary" >/dev/null
	tree 3 "source: rewritten by the build" builds -- - <<-'END'
		for file in /usr/src/demo-0.1/build.sh /var/lib/dkms/demo/0.1/source/build.sh ../source/build.sh; do
			(echo "# evil" >>$file) 2>/dev/null && echo "got in: $file"
			[ -r $file ] && echo "tried: $file"
		done
		echo "# evil" >>build.sh
		cp good.ko demo.ko
	END
	attempt 3 holds "source: rewritten by the build: only its copy" none_got_in 3
	settings_lines=$'[build]\nsource = writable'
	tree 3 "source: writable where root says so" builds -- - <<<'echo "# evil" >>/usr/src/demo-0.1/build.sh && cp good.ko demo.ko'
	attempt 3 holds "source: writable where root says so: a copy, too" sh -c "! grep -q '^# evil' '$source/build.sh'"
	settings_lines=
	export KMODBOX_TEST_SECRET=kmodbox-secret
	tree 5 "environment: printed" builds -- grep -q kmodbox-secret '"$work/outside.out"' <<<'env; cp good.ko demo.ko'
	attempt 5 holds "environment: what the caller had in his is not in it" log_lacks kmodbox-secret
	unset KMODBOX_TEST_SECRET
	tree 6 "module: a link to a secret" refused 7 demo.ko 'symbolic link' -- grep -q secret demo.ko <<<"ln -s $work/canary demo.ko"
	settings_lines=$'[build]\nextra_outputs = out.h'
	tree 6 "kept output: a link to a secret" refused 7 out.h 'symbolic link' -- grep -q secret out.h \
		<<<"ln -s $work/canary out.h; cp good.ko demo.ko"
	settings_lines=
	tree 6 "module: a link through which the collector would write" refused 7 demo.ko 'symbolic link' \
		-- [ demo.ko -ef "$work/victim" ] <<<"ln -s $work/victim demo.ko"
	conf_lines='BUILT_MODULE_LOCATION[0]=sub'
	tree 7 "module: its directory is a link" refused 7 sub/demo.ko 'symbolic link' -- [ -e sub/demo.ko ] \
		<<<'mkdir real; cp good.ko real/demo.ko; ln -s real sub'
	conf_lines='BUILT_MODULE_NAME[1]=twin DEST_MODULE_LOCATION[1]=/updates'
	tree 8 "modules: two that are one file" refused 7 'hard link' -- [ demo.ko -ef twin.ko ] <<<'cp good.ko demo.ko; ln demo.ko twin.ko'
	conf_lines=
}

# What a build leaves as its module.
outputs() {
	local seen=-
	tree 9 "module: a FIFO" refused 7 demo.ko FIFO -- [ -p demo.ko ] <<<'mkfifo demo.ko'
	tree 9 "module: a socket" refused 10 'Operation not permitted' -- [ -S demo.ko ] \
		<<<'exec perl -MSocket -e '"'"'socket($s, AF_UNIX, SOCK_STREAM, 0) or die "$!\n"; bind($s, pack_sockaddr_un("demo.ko")) or die "$!\n"'"'"
	[ "$(id -u)" -ne 0 ] || seen='[ -c demo.ko ]'
	tree 9 "module: a device" refused 10 'not permitted' -- "$seen" <<<'exec mknod demo.ko c 1 3'
	tree 10 "module: with a setuid bit" refused 10 'not permitted' -- [ -u demo.ko ] <<<'cp good.ko demo.ko; chmod 4755 demo.ko || exit 1'
	tree 10 "module: writable by all" builds -- '[ "$(stat -c %a demo.ko)" = 777 ]' <<<'cp good.ko demo.ko; chmod 0777 demo.ko'
	attempt 10 holds "module: writable by all: it is not, where it is kept" [ "$(stat -c %a "$built")" = 644 ]
	tree 12 "names: escape bytes, newlines, no UTF-8, 255 bytes" builds -- '[ "$(ls | wc -l)" -gt 7 ]' <<-'END'
		cp good.ko demo.ko
		for name in $'\e[2Jevil.ko' $'evil\nkmodbox: error: evil.ko' $'\xff\xfe.ko' -rf.ko "$(printf %0252d 0).ko"; do
			cp good.ko "./$name"
		done
	END
	tree 12 "names: a path of more than 4,096 bytes" builds -- '[ -d "$(printf %0200d 0)" ]' <<-'END'
		cp good.ko demo.ko
		for ((i = 0; i < 30; i++)); do mkdir "$(printf %0200d 0)" && cd "$(printf %0200d 0)"; done
	END
	tree 13 "module: larger than any" refused 31 demo.ko 'size of one module (256 MiB)' -- '[ "$(stat -c %s demo.ko)" -gt 300000000 ]' <<<'truncate -s 300M demo.ko'
	conf_lines=$(for name in b c d e; do say "BUILT_MODULE_NAME+=($name) DEST_MODULE_LOCATION+=(/updates)"; done)
	tree 13 "modules: too large together" refused 31 e.ko 'size of all modules (1024 MiB)' -- '[ "$(stat -c %s e.ko)" -eq 262144000 ]' \
		<<<'truncate -s 250M demo.ko b.ko c.ko d.ko e.ko'
	conf_lines=
	tree 13 "module: a sparse terabyte" refused '10|31' -- '[ "$(stat -c %s demo.ko)" -eq $((1 << 40)) ]' \
		<<<'exec truncate -s 1T demo.ko'
	settings_lines=$'[limits]\nartifact_bytes = 64K'
	tree 13 "modules: larger than the settings let them be" refused 31 demo.ko 'size of all modules (65536 bytes)' -- \
		'[ "$(stat -c %s demo.ko)" -eq 1048576 ]' <<<'truncate -s 1M demo.ko'
	conf_lines="BUILT_MODULE_NAME+=(b) DEST_MODULE_LOCATION+=(/updates)" settings_lines=$'[limits]\nartifacts = 1'
	tree 13 "modules: more than the settings let there be" refused 31 'number of modules (1)' -- '[ -s b.ko ]' \
		<<<'cp good.ko demo.ko; cp good.ko b.ko'
	conf_lines="" settings_lines=$'[scratch]\nsize = 64M'
	tree 14,41 "outputs: files without end" refused 31 scratch -- - <<-'END'
		exec perl -e 'for (1 .. 300000) { open my $file, ">", "f$_" or die "no more files: $!\n" } exit 1'
	END
	tree 41 "scratch: filled" refused 31 scratch -- '[ "$(stat -c %s one)" -eq 104857600 ]' <<<'head -c 100M /dev/zero >one || exit 1'
	tree 40,41 "scratch: /tmp filled" refused 31 scratch -- - <<<'head -c 100M /dev/zero >/tmp/one || exit 1'
	settings_lines=
	tree 14 "outputs: directories nested 10,000 deep" builds -- '[ -d deep/deep/deep ]' <<-'END'
		cp good.ko demo.ko
		perl -e 'for (1 .. 10000) { mkdir "deep" or die; chdir "deep" or die }'
	END
}

# What goes on when the build has ended.
races() {
	# shellcheck disable=SC2034 # read by tree
	tree 15,44 "daemon: rewrites the module after the build" builds -- 'sleep 0.3; differs' <<-END
		cp good.ko demo.ko
		(setsid perl -e '\$SIG{\$_} = "IGNORE" for qw(TERM HUP INT); for (1 .. 300) { select undef, undef, undef, 0.01; open F, ">demo.ko"; print F "evil" }' &) >/dev/null 2>&1
	END
	attempt 15 holds "daemon: rewrites the module after the build: too late" is_good
	tree 16 "mapping: kept by a daemon that writes into the module" builds -- 'sleep 2; differs' <<-END
		cp good.ko demo.ko
		./probe inside . demo.ko keep $tag
	END
	attempt 16 holds "mapping: kept by a daemon: too late" is_good
	tree 18 "exchange: module and link change places without end" refused 7 demo.ko -- changes_places <<-END
		ln -s $work/canary demo.ko
		./probe inside . other.ko exchange $tag
		exit 0
	END
	tree 44 "daemon: deaf, in a session of its own, without a death signal" builds -- some_tagged <<-END
		cp good.ko demo.ko
		./probe inside . . outlive $tag
	END
	attempt 44 holds "daemon: nothing of it is left" none_tagged
	tree 29 "kill: all there is" refused 10 killed -- - <<<'trap "" TERM; kill -9 -1; exit 0'
	tree 20 "clock, host, uid: in the module" builds -- '[ "$(cat facts)" != "kmodbox 0 0" ]' <<-'END'
		echo "$(uname -n) $(id -u) $(id -g)" >facts
		objcopy --add-section .comment.facts=facts good.ko demo.ko
	END
	attempt 20 holds "clock, host, uid: the module says those of the sandbox" sh -c "grep -aq 'kmodbox 0 0' '$built' || xz -dc '$built' | grep -aq 'kmodbox 0 0'"
	skip "19: a module that differs in its second build: there is no command yet that compares two"
}
tagged() { "$probe" outside - - processes "$tag" 0 4294967295; }
some_tagged() { [ -n "$(tagged)" ]; }
none_tagged() { [ -z "$(tagged)" ]; }
# What calls itself by this run's tag, and the listener does not.
end_tagged() {
	local pid
	tagged | while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done
	wait_for none_tagged || die "a process of this test cannot be ended"
}
changes_places() {
	wait_for [ -L other.ko ] && wait_for [ -L demo.ko ]
}

# Logs and limits.
resources() {
	tree 42 "log: a flood" refused 31 output -- - <<<'exec perl -e "print qq(\e[2Jevil\n) x 100000 while 1"'
	attempt 42 holds "log: a flood: make.log is bounded" [ "$(stat -c %s "$failed_log")" -le $((65 << 20)) ]
	tree 42 "log: one endless line, with NULs and escapes" refused 10 'demo' -- grep -aq evil '"$work/outside.out"' \
		<<<'perl -e "print qq(\0\e[2Jevil\e]0;title\a) x 500000"; exit 1'
	attempt 43 conf "dkms.conf: a loop" 31 dkms.conf 'CPU time' <<<"$basic_conf"$'\nwhile :; do :; done'
	limited 43 "a loop" 'CPU time' --limit cpu=1 -- 'while :; do :; done'
	limited 43 "silence" silence --limit silence=400 -- 'sleep 5'
	limited 43 "a clock that runs out" 'wall time' --limit wall=400 -- 'while echo x; do sleep 0.1; done'
	limited 44 "a process that stops itself" silence --limit silence=400 -- 'kill -STOP $$'
	limited 42 "output" output --limit log=100000 -- 'head -c 200000 /dev/zero'
	limited 41 "one file's size" 'size of one file' --limit file=100000 -- 'exec head -c 200000 /dev/zero >/tmp/one'
	limited 39 "a fork bomb" 'CPU time' --limit cpu=2 -- 'exec perl -e "fork while 1"'
	limited 40 "the memory of many processes together" 'memory of all processes' --limit total_memory=209715200 -- \
		'for i in 1 2 3; do perl -e "\$x = q(x); \$x x= 104857600; sleep 1" & done; wait'
	limited 40 "the same of programs that cannot be looked into" 'memory of all processes' --limit total_memory=209715200 -- \
		'cp /usr/bin/perl /tmp/p; chmod 0111 /tmp/p
		for i in 1 2 3; do /tmp/p -e "\$x = q(x); \$x x= 104857600; sleep 1" & done; wait'
	limited 40 "what lies in /tmp" 'memory of all processes' --limit total_memory=104857600 -- 'head -c 150M /dev/zero >/tmp/x; sleep 1'
	hidden_memory
	if [ -z "${KMODBOX_LIMITS:-}" ]; then
		skip "a build that is silent for ever: its limit is 15 minutes (KMODBOX_LIMITS=1)"
	else
		tree 43 "a build that is silent for ever" refused 31 silence -- - <<<'sleep 7200'
	fi
}
# Memory that the sizes of processes do not show. Outside it is held for a moment.
hidden_memory() {
	local way
	export KMODBOX_HOLD=0
	settings_lines=$'[limits]\ntotal_memory = 100M'
	for way in shared sockets without-leader; do
		tree 40 "memory: hold-$way" refused 31 'memory of all processes' -- grep -qx HELD '"$work/outside.out"' \
			<<<"./probe inside . . hold-$way \"\${KMODBOX_HOLD:-20}\" && cp good.ko demo.ko"
	done
	settings_lines=
	unset KMODBOX_HOLD
}
# limited NUMBERS NAME WORDS OPTION VALUE -- SCRIPT: by the library, with a limit that no setting has;
# without that limit it ends in another way.
limited() {
	local numbers=$1 name=$2 words=$3 option=("$4" "$5") script=$7 said status=0
	said=$(peel none "${option[@]}" -- /bin/bash -c "$script" | tail -n 1 | tr -d '\0') || status=$?
	if [[ $status -eq 31 && $said == *"$words"* ]]; then
		attempt "$numbers" pass "limit: $name: $said"
	else
		attempt "$numbers" fail "limit: $name: status $status, '$said'"
	fi
}

# Programs that are not what they are called, and what is read instead of what.
shims() {
	local evil="echo evil >$work/victim"
	tree 53 "PATH: a compiler of the build's own" builds -- evil_done <<-END
		mkdir shim; printf '#!/bin/sh\n$evil\necho evil >/usr/local/bin/gcc\nexit 0\n' >shim/gcc; chmod +x shim/gcc
		PATH=\$PWD/shim:\$PATH CC=\$PWD/shim/gcc make -f - >/dev/null 2>&1 <<<'all: ; gcc; \$(CC)'
		cp good.ko demo.ko
	END
	tree 53 "compiler plugin" builds -- evil_done <<-END
		$(evil_library)
		echo 'int x;' >x.c; gcc -fplugin=./evil.so -c x.c >/dev/null 2>&1; echo tried
		cp good.ko demo.ko
	END
	tree 53 "LD_PRELOAD" builds -- evil_done <<-END
		$(evil_library)
		LD_PRELOAD=\$PWD/evil.so make --version >/dev/null
		cp good.ko demo.ko
	END
	echo '$(info found the secret)' >"$work/include.mk"
	tree 53 "Makefile: includes a file of the host" refused 10 include.mk -- "grep -q 'found the secret' '$work/outside.out'" \
		<<<"printf 'include ../../../../../../../../../../../..$work/include.mk\nall: ;\n' | make -f - && exit 1"
	new_source <<<"$basic_conf"'
		BUILT_MODULE_NAME[0]=demo'"\$($evil)\`$evil\`"' CLEAN="rm -rf / $(echo evil >'"$work/victim"')" MAKE="$(ls -d /etc/shadow)"'
	echo safe >"$work/victim"
	(cd "$work" && timeout 10 bash "$source/dkms.conf") >/dev/null 2>&1 || true
	control "dkms.conf: commands in values, outside" evil_done
	echo safe >"$work/victim"
	try add "${demo[@]}"
	attempt 52 done_well "dkms.conf: commands in values: evaluated, and contained"
	attempt 52 holds "dkms.conf: commands in values: reach nothing" grep -qx safe "$work/victim"
	attempt 52 conf "dkms.conf: leads out" 8 'DEST_MODULE_LOCATION[0]' <<<"$basic_conf DEST_MODULE_LOCATION[0]=/updates/../../etc"
	attempt 52 conf "dkms.conf: an option for a name" 8 'BUILT_MODULE_NAME[0]' <<<"$basic_conf BUILT_MODULE_NAME[0]=--force"
	attempt 12 conf "dkms.conf: a name of .." 8 'DEST_MODULE_NAME[0]' <<<"$basic_conf DEST_MODULE_NAME[0]=.."
	attempt 12 conf "dkms.conf: an absolute name" 8 'DEST_MODULE_NAME[0]' <<<"$basic_conf DEST_MODULE_NAME[0]=/etc/evil"
	attempt 12 conf "dkms.conf: a name with a newline" 8 'DEST_MODULE_NAME[0]' <<<"$basic_conf DEST_MODULE_NAME[0]=\$'demo\\nevil'"
}
evil_done() { grep -qx evil "$work/victim"; }
evil_library() {
	say "printf '%s\n' '#include <stdlib.h>' '__attribute__((constructor)) static void evil(void)' '{ unsetenv(\"LD_PRELOAD\"); system(\"echo evil >$work/victim\"); }' >evil.c"
	say "gcc -shared -fPIC -o evil.so evil.c"
}

# Two at once: one leaves a file in /tmp, makes SysV IPC, listens by an abstract name and calls itself by
# the tag; the other looks for all of it, and for the first one's process by its number on the host.
offer() {
	say 'my ($tag, $key) = @ARGV; use Socket; my $s;
		open my $file, ">", "/tmp/$tag" or die; shmget($key, 4096, 01600); msgget($key, 01600); semget($key, 1, 01600);
		socket($s, AF_UNIX, SOCK_STREAM, 0) and bind($s, pack("S a*", AF_UNIX, "\0$tag-two")) and
			listen($s, 9); $0 = $tag; sleep 60'
}
look() {
	say 'my ($tag, $key, $pid) = @ARGV; use Socket; my $s;
		sub got { print "got in: $_[0]\n" if $_[1]; print "tried: $_[0]\n" }
		got("file", -e "/tmp/$tag"); got("memory", defined shmget($key, 0, 0)); got("queue", defined msgget($key, 0));
		got("set", defined semget($key, 0, 0));
		got("socket", socket($s, AF_UNIX, SOCK_STREAM, 0) && connect($s, pack("S a*", AF_UNIX, "\0$tag-two")));
		got("process", kill(0, $pid) || grep { open my $f, "<", $_ and <$f> eq "$tag\n" } glob "/proc/*/comm")'
}
neighbour_runs() { [ -n "$(tagged)" ]; }
neighbours() {
	local key=$((0x4b000000 + $$)) second=("${trees[@]//"$world"/"$work/second"}") other
	offer >"$work/offer.pl"
	look >"$work/look.pl"
	perl "$work/offer.pl" "$tag" "$key" &
	end_neighbour $! perl "$work/look.pl" "$tag" "$key"
	control "two at once, outside: $(got_in)" [ "$(got_in)" = "file memory queue set socket process" ]
	two_sandboxes filter,landlock
	attempt 22,25 holds "two sandboxes at once, without filter and Landlock: one finds nothing of the other" nothing_got_in
	two_sandboxes filter,landlock,namespaces
	control "two sandboxes at once, in one network and one IPC namespace: $(got_in)" [ "$(got_in)" = "memory queue set socket" ]
	# By the real path, in trees of its own: the installer lets one run at a time into the same.
	new_build <<<"exec perl offer.pl $tag $key"
	cp "$work/offer.pl" "$source/"
	rm -rf "$work/second"
	cp -a "$template" "$work/second"
	mv "$source" "$work/second/src/"
	"$kmodbox" build "${demo[@]}" "${kernel[@]}" "${second[@]}" >"$work/second.out" 2>&1 </dev/null &
	other=$!
	new_build <<<"cp good.ko demo.ko; perl look.pl $tag $key \$(cat neighbour)"
	cp "$work/look.pl" "$source/"
	wait_for neighbour_runs || die "the other build does not run: $(cat "$work/second.out")"
	tagged | tail -n 1 >"$source/neighbour"
	must add "${demo[@]}" --force
	try build "${demo[@]}" "${kernel[@]}"
	holds "two builds at once: the other one runs still" neighbour_runs
	kill "$other"
	wait "$other" 2>/dev/null || true
	attempt 22,25 done_well "two builds at once: one looks for the other's processes, files, sockets and SysV IPC"
	attempt 22,25 holds "two builds at once: it finds nothing" none_got_in 6
	holds "two builds at once: nothing is left of the other" wait_for none_tagged
}
# What the one that looked said.
got_in() { sed -n 's/^got in: //p' "$work/looked" | paste -sd ' '; }
nothing_got_in() { [ -z "$(got_in)" ] && [ "$(grep -c '^tried: ' "$work/looked")" -eq 6 ]; }
# end_neighbour PID COMMAND...: when it has offered all, COMMAND looks for it; then it ends.
end_neighbour() {
	local other=$1
	shift
	wait_for neighbour_runs || die "the neighbour does not run"
	"$@" "$(tagged | tail -n 1)" >"$work/looked" 2>&1 || true
	kill "$other"
	wait "$other" 2>/dev/null || true
	rm -f "/tmp/$tag"
	ipcrm -M "$key" -Q "$key" -S "$key" 2>/dev/null || true # only where there was no namespace
}
# Both without the walls OFF.
two_sandboxes() {
	"$build/tests/hostile/layers/peel" "$1" --policy "$build/bin/profiles/build.seccomp" --ro "$work" --limit wall=20000 -- \
		/usr/bin/perl "$work/offer.pl" "$tag" "$key" &
	end_neighbour $! peel "$1" --ro "$work" -- /usr/bin/perl "$work/look.pl" "$tag" "$key"
}

# --- The list ----------------------------------------------------------------------------------------

# What belongs to the checker, the installer and the crash tests, and where it is tried: a number, a
# file, and words that stand in it.
elsewhere='39	tests/hostile/conf.sh	forks for ever
46	tests/unit/test_checker.c	test_truncated
46	tests/unit/test_checker.c	test_damaged
47	tests/hostile/input.sh	module: of another kind of kernel
48	tests/hostile/input.sh	module: signed already
49	tests/unit/test_checker_compressed.c	test_bombs
50	tests/unit/test_installer.c	test_order
50	tests/unit/test_installer.c	test_descriptors
50	tests/unit/test_installer.c	test_socket_is_not_to_be_had
50	tests/unit/test_signer.c	test_unsealed_module
50	tests/unit/test_signer.c	test_descriptors
50	tests/unit/test_installer.c	test_hostile_names
51	tests/crash/kill.sh	SIGKILL at random moments
54	tests/hostile/world.sh	installed for one kernel at once'
the_list() {
	local number file words
	while IFS=$'\t' read -r number file words; do
		if grep -qF -- "$words" "$top/$file"; then
			tried[$number]=yes
			say "        $number: $file"
		else
			fail "$number: '$words' is not in $file"
		fi
	done <<<"$elsewhere"
	[ ${#chosen[@]} -eq 0 ] || return 0
	for ((number = 1; number <= 54; number++)); do
		[ "$number" -eq 19 ] || [ -n "${tried[$number]:-}" ] || fail "number $number of the list of attacks was not tried"
	done
}

prepare
echo secret >"$work/canary"
chmod 0600 "$work/canary"
status=0
run_groups calls depth host_files outputs races resources shims neighbours the_list || status=$?
say "$attempts attempts, $blocked blocked, $leaks leaks, $controls controls, $skipped skipped"
[ "$status" -eq 0 ]

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # used and set by those who source it
# The words in which an entry of the corpus is written: a package with tiny modules, what is done with
# it, what must come of it. An entry runs in a subshell with a world (trees, settings) of its own.
# With $real_dkms=yes the same entries are built by the real dkms, and the same must come of them.

# --- The package ---------------------------------------------------------------------------------

# package NAME VERSION: an empty source; what follows is about it.
package() {
	name=$1 version=$2 source=$world/src/$1-$2
	mkdir -p "$source"
}
# file PATH: stdin becomes a file of the source; script PATH: an executable one.
file() {
	mkdir -p "$(dirname "$source/$1")"
	cat >"$source/$1"
}
script() {
	file "$1"
	chmod 0755 "$source/$1"
}
# makefile PATH: a Makefile, whose recipes stand behind four blanks: a here-doc loses its tabs.
makefile() { sed 's/^    /\t/' | file "$1"; }
# conf: stdin becomes dkms.conf, behind its two lines that all have.
conf() { { printf 'PACKAGE_NAME="%s"\nPACKAGE_VERSION="%s"\n' "$name" "$version"; cat; } | file dkms.conf; }

# module [-d FOLDER] [-e SYMBOL] [-i SYMBOL] STEM...: kernel modules, with the Kbuild lines that make
# them. -e exports a function, -i calls one. Each says in its .modinfo what -DCORPUS= was set to.
module() {
	local folder=. exported='' imported='' option stem OPTIND=1
	while getopts d:e:i: option; do
		case $option in
		d) folder=$OPTARG ;;
		e) exported=$OPTARG ;;
		i) imported=$OPTARG ;;
		*) die "module: option?" ;;
		esac
	done
	shift $((OPTIND - 1))
	mkdir -p "$source/$folder"
	for stem; do
		say "obj-m += $stem.o" >>"$source/$folder/Kbuild"
		{
			cat <<-'END'
				#include <linux/module.h>
				#include <linux/stringify.h>
				#ifndef CORPUS
				#define CORPUS plain
				#endif
				MODULE_LICENSE("GPL");
				MODULE_DESCRIPTION("a module of the corpus");
				MODULE_INFO(corpus, __stringify(CORPUS));
			END
			[ -z "$imported" ] || say "int $imported(void);"
			[ -z "$exported" ] ||
				printf 'int %s(void);\nint %s(void) { return 1; }\nEXPORT_SYMBOL_GPL(%s);\n' \
					"$exported" "$exported" "$exported"
			printf 'static int __init corpus_init(void) { return %s; }\n' \
				"${imported:+$imported() < 0 ? -ENODEV : }0"
			printf 'static void __exit corpus_exit(void) { }\nmodule_init(corpus_init);\nmodule_exit(corpus_exit);\n'
		} >"$source/$folder/$stem.c"
	done
}
# kbuild LINE...: more lines of the Kbuild at the top; value: -DCORPUS comes from make's command line
# or from the environment.
kbuild() { printf '%s\n' "$@" >>"$source/Kbuild"; }
# shellcheck disable=SC2016 # for make
value() { kbuild 'ccflags-y += $(if $(CORPUS),-DCORPUS=$(CORPUS))'; }

# settings: stdin becomes modules.d/NAME.conf; override FILE: a file in place of /etc/dkms.
settings() {
	mkdir -p "$world/config/modules.d"
	cat >"$world/config/modules.d/$name.conf"
}
override() {
	mkdir -p "$(dirname "$world/etc-dkms/$1")"
	cat >"$world/etc-dkms/$1"
}

# --- What is done with it ------------------------------------------------------------------------

# on KERNEL: for which kernel what follows is done; false where it is not here.
on() {
	[ -d "$kernels/$1" ] || return 1
	kernel=$1
	release=$(kernel_release "$kernels/$1")
	mkdir -p "$world/modules/$release"
	touch "$world/modules/$release/"{modules.order,modules.builtin}
}
# run VERB [OPTION...]: kmodbox, in this world. The exit code, and what it said, is kept.
run() {
	code=0
	"$kmodbox" "$@" --dkmstree "$world/dkms" --sourcetree "$world/src" --installtree "$world/modules" \
		--statedir "$world/state" --configdir "$world/config" --dkmsconfig "$world/etc-dkms" \
		>"$world/out" 2>"$world/err" </dev/null || code=$?
}
kernel_options() { options=(-k "$release" --kernel-root "$kernels/$kernel"); }
# build, install [OPTION...]: this package, for this kernel
build() {
	local options
	kernel_options
	if [ "$real_dkms" = yes ]; then
		build_by_dkms "$@"
	else
		run build -m "$name" -v "$version" "${options[@]}" "$@"
	fi
}
install() {
	local options
	kernel_options
	run install -m "$name" -v "$version" "${options[@]}" "$@"
}
build_by_dkms() {
	local trees=(--dkmstree "$world/dkms" --sourcetree "$world/src")
	code=0
	{
		dkms add -m "$name" -v "$version" "${trees[@]}" &&
			dkms build -m "$name" -v "$version" -k "$release" -a x86_64 "${trees[@]}" "$@"
	} >"$world/out" 2>"$world/err" </dev/null || code=$?
}
# add_anew: the source was changed since it was added.
add_anew() {
	run remove -m "$name" -v "$version" --all
	run add -m "$name" -v "$version"
	[ "$code" -eq 0 ] || problem "add: exit code $code"
}
# not_dkms REASON: what follows cannot be compared; the entry ends with `|| return 0` behind it.
not_dkms() {
	[ "$real_dkms" = yes ] || return 0
	skip "$entry: $*"
	title=
	return 1
}
# needs PROGRAM: true when it is here.
needs() {
	if command -v "$1" >/dev/null 2>&1; then
		return 0
	fi
	skip "$entry: $1 is not installed"
	title=
	return 1
}
# serve FOLDER: a small HTTP server on 127.0.0.1, which ends with the entry; sets $port.
serve() {
	perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or exit 1;
		$| = 1;
		print $s->sockport, "\n";
		close STDOUT;
		while ($c = $s->accept) {
			($path) = <$c> =~ m{^GET /([a-z][a-z.-]*) };
			1 while defined($line = <$c>) && $line =~ /\S/;
			if ($path && open my $f, "<", "$ARGV[0]/$path") {
				local $/;
				print $c "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n", <$f>;
			} else {
				print $c "HTTP/1.0 404 Not Found\r\n\r\n";
			}
			close $c;
		}' "$1" >"$world/port" &
	server=$!
	for _ in {1..1000}; do
		[ ! -s "$world/port" ] || break
		perl -e 'select undef, undef, undef, 0.01'
	done
	port=$(cat "$world/port")
	[ -n "$port" ] || die "no server on 127.0.0.1"
}

# --- What must come of it ------------------------------------------------------------------------

problem() { problems+=("$*"); }
# Said by what expects something of a run: a test without it would prove nothing.
expected() { expectations=$((expectations + 1)); }
# about TITLE: the first thing an entry says, and the name of its test; a step begins the next one.
about() { title="$entry: $*" problems=() warned=() expectations=0; }
step() {
	conclude
	about "$@"
}
conclude() {
	local text
	[ -n "${title:-}" ] || return 0
	[ "$expectations" -gt 0 ] || problem "nothing was expected"
	if [ ${#problems[@]} -eq 0 ]; then
		pass "$title"
		return 0
	fi
	fail "$title"
	for text in "${problems[@]}"; do
		printf '%s\n' "$text" | sed 's/^/        /'
	done
	sed 's/^/        stderr: /' "$world/err" | tail -n 12 | cut -c 1-700 | cat -v
}
# warns WORDS...: there is one more line on stderr, a warning with all of them. Before the next line.
warns() { warned+=("$(printf '%s\n' "$@")"); }
# What is on stderr, warnings aside, and each warning as announced.
check_stderr() {
	local warning word found line
	[ "$real_dkms" != yes ] || return 0
	grep -v '^kmodbox: warning: ' "$world/err" >"$world/errors" || true
	for warning in "${warned[@]}"; do
		found=$(grep '^kmodbox: warning: ' "$world/err" || true)
		while read -r word; do
			found=$(grep -F -- "$word" <<<"$found" || true)
		done <<<"$warning"
		[ "$(grep -c . <<<"$found" || true)" -eq 1 ] ||
			problem "not exactly one warning has the words: ${warning//$'\n'/, }"
	done
	[ "$(grep -c '^kmodbox: warning: ' "$world/err" || true)" -eq ${#warned[@]} ] ||
		problem "there are other warnings: $(grep '^kmodbox: warning: ' "$world/err" || true)"
}
# Where the modules of this package and kernel are.
modules() { say "$world/dkms/$name/$version/$release/x86_64"; }
module_file() {
	local found
	for found in "$(modules)/module/$1".ko "$(modules)/module/$1".ko.*; do
		if [ -f "$found" ]; then
			say "$found"
			return 0
		fi
	done
	return 1
}
# built STEM...: exactly these modules
built() {
	local found
	done_well
	found=$(find "$(modules)/module" -name '*.ko*' -printf '%f\n' 2>/dev/null |
		sed 's/\.ko.*//' | sort | paste -sd ' ') || true
	[ "$found" = "$(printf '%s\n' "$@" | sort | paste -sd ' ')" ] ||
		problem "the modules are '$found', not '$*'"
}
# ended_with CODE
ended_with() {
	expected
	[ "$code" -eq "$1" ] || problem "exit code $code, not $1"
}
# done_well: exit code 0 and nothing on stderr but the warnings announced
done_well() {
	ended_with 0
	check_stderr
	[ "$real_dkms" = yes ] || [ ! -s "$world/errors" ] || problem "stderr is not empty"
}
# refused CODE WORDS...: that exit code and one line, in which all the words stand
refused() {
	local word
	ended_with "$1"
	shift
	[ -z "$(module_file '*')" ] || problem "there are modules"
	[ "$real_dkms" != yes ] || return 0
	check_stderr
	if [ "$(wc -l <"$world/errors")" -ne 1 ] || ! grep '^kmodbox: ' "$world/errors" >/dev/null; then
		problem "stderr is not one line of kmodbox"
	fi
	for word; do
		grep -F -- "$word" "$world/errors" >/dev/null || problem "the message lacks '$word'"
	done
}
payload() {
	local found
	found=$(module_file "$1") || return 1
	module_payload "$found"
}
# says STEM VALUE: the module was made with -DCORPUS=VALUE
says() {
	payload "$1" | tr '\0' '\n' | grep -axF "corpus=$2" >/dev/null ||
		problem "$1.ko does not say '$2', but: $(payload "$1" | tr '\0' '\n' | sed -n 's/^corpus=//p')"
}
# exports STEM SYMBOL
exports() {
	payload "$1" >"$world/payload" || true
	nm "$world/payload" 2>/dev/null | grep -w "__ksymtab_$2" >/dev/null || problem "$1.ko does not export $2"
}
# debugging STEM yes|no: it still has its debugging sections
debugging() {
	local found=no
	payload "$1" >"$world/payload" || true
	if readelf -SW "$world/payload" 2>/dev/null | grep -w '\.debug_info' >/dev/null; then
		found=yes
	fi
	[ "$found" = "$2" ] || problem "$1.ko has debugging sections: $found"
}
# left FILE TEXT: a file beside the build's record, with these words in it
left() {
	grep -F -- "$2" "$(modules)/$1" >/dev/null 2>&1 || problem "$1 with '$2' was not kept"
}
# record WORDS: a line of build.json has them
record() {
	grep -F -- "$1" "$(modules)/build.json" >/dev/null 2>&1 || problem "build.json lacks: $1"
}
# status WORDS: what the package is for this kernel: "installed", "built"
status() {
	expected
	run status -m "$name" -v "$version" -k "$release"
	[ "$(cat "$world/out")" = "$name/$version, $release, x86_64: $1" ] ||
		problem "the status of $name is '$(cat "$world/out")', not $1"
}

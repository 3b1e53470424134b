# SPDX-License-Identifier: LGPL-2.1-or-later
# One makefile for everything. `make help` lists the targets.

BUILD ?= build
KERNELS_DIR ?= $(BUILD)/kernels
PREFIX ?= /usr/local
DESTDIR ?=
bindir = $(PREFIX)/bin
libexecdir = $(PREFIX)/libexec/kmodbox
sharedir = $(PREFIX)/share/kmodbox
profiledir = $(sharedir)/profiles
VERSION = 0.1

LIBRARIES = libseccomp libcap libarchive libcrypto jansson inih zlib liblzma libzstd
PKG_CONFIG ?= pkg-config

warnings = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wundef -Wswitch-enum -Wpointer-arith -Wwrite-strings -Wconversion
# Clang 14 and 15 know of zero-initialisation, but refuse it.
takes = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
hardening := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
	$(call takes,-ftrivial-auto-var-init=zero)
ifeq ($(SANITIZE),)
optimise = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)
else
optimise = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined$(if $(FUZZ),$(comma)fuzzer-no-link) \
	-fno-sanitize-recover=all
endif
comma = ,
# _FORTIFY_SOURCE=3 needs GCC 12 or Clang 15.
FORTIFY ?= $(if $(findstring clang,$(CC)),2,3)

CPPFLAGS += -I. -D_GNU_SOURCE -DKMODBOX_VERSION='"$(VERSION)"' \
	-DKMODBOX_LIBEXECDIR='"$(libexecdir)"' -DKMODBOX_PROFILEDIR='"$(profiledir)"'
CFLAGS += -std=gnu17 $(optimise) $(warnings) $(if $(WERROR),-Werror) $(hardening)
PIE = -pie
LDFLAGS += $(PIE) -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
# Asked for while reading, so what `make deps` brings counts only from the next make on: the targets
# that need both start a second one.
pkg_cflags := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)
pkg_libs := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)
need_libraries = $(if $(pkg_libs),,$(error libraries are missing (one of $(LIBRARIES)); `make deps` gets them))

# Every FILE_main.c is a program; all the rest is one archive, of which the linker takes what is used.
folders = lib/base lib/kernels lib/recipes lib/artifacts sandbox checker signer installer runners orchestrator
all_sources := $(wildcard $(addsuffix /*.c,$(folders)))
main_sources := $(filter %_main.c,$(all_sources))
library_objects := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %_main.c,$(all_sources)))
library = $(BUILD)/libkmodbox.a

program_kmodbox = orchestrator/kmodbox_main
program_kmodbox-launcher = orchestrator/launcher_main
program_kmodbox-checker = checker/checker_main
program_kmodbox-signer = signer/signer_main
program_kmodbox-installer = installer/installer_main
program_kmodbox-depmod = installer/depmod_main
program_kmodbox-unpack = lib/recipes/unpack_main
helpers = kmodbox-launcher kmodbox-checker kmodbox-signer kmodbox-installer kmodbox-depmod kmodbox-unpack
# A program whose main does not exist yet is no target.
programs := $(foreach p,kmodbox $(helpers),$(if $(wildcard $(program_$(p)).c),$(p)))
guest = $(BUILD)/bin/kmodbox-guest
program_files = $(addprefix $(BUILD)/bin/,$(programs)) $(guest)
# Policies compiled beforehand; where what is built here cannot be run here, kmodbox compiles them.
stored_policies := $(patsubst profiles/%,$(BUILD)/bin/profiles/%.bpf,$(wildcard profiles/*.seccomp))
profile_files := $(patsubst profiles/%,$(BUILD)/bin/profiles/%,$(wildcard profiles/*)) $(stored_policies)

unit_sources := $(wildcard tests/unit/test_*.c)
unit_programs = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(unit_sources))
# Programs that suites use: those that need our library, and single files: attackers, measuring tools.
linked_sources := $(wildcard tests/recipes/*.c tests/hostile/layers/*.c tests/crash/soak/*.c) tests/bench/start.c tests/bench/check.c tests/oracle/boot.c tests/oracle/describe.c
tool_sources := $(filter-out $(linked_sources),$(wildcard tests/hostile/*.c tests/hosts/*.c tests/crash/*.c tests/bench/*.c tests/oracle/*.c))
tool_programs = $(patsubst %.c,$(BUILD)/%,$(tool_sources))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all
all: $(program_files) $(profile_files)

# Says what is made; V=1 shows the whole command.
command = $(if $(V),,@printf '  %-5s %s\n' $(1) $@; )$(2)

# Objects are made anew when what they are made with changes: compiler, flags, prefix.
flags = $(CC) $(CPPFLAGS) $(pkg_cflags) $(CFLAGS) $(LDFLAGS)
.PHONY: force
$(BUILD)/flags: force
	$(shell mkdir -p $(@D))$(file >$@.new,$(flags))
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(need_libraries)
	@mkdir -p $(@D)
	$(call command,CC,$(CC) $(CPPFLAGS) $(pkg_cflags) $(CFLAGS) -MMD -MP -c -o $@ $<)

# Thin, so that members keep their folder: two may share a name, and link maps tell them apart.
$(library): $(library_objects)
	@rm -f $@
	$(call command,AR,$(AR) rcs --thin $@ $^)

map = -Wl,-Map=$@.map
define program_rule
$(BUILD)/bin/$(1): $(BUILD)/$(program_$(1)).o $(library)
	@mkdir -p $$(@D)
	$$(call command,LINK,$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(map) -o $$@ $$^ $$(pkg_libs))
endef
$(foreach p,$(programs),$(eval $(call program_rule,$(p))))

# What a shell starts needs no loader where static libraries are at hand: that is a tenth of what a
# sandbox takes. STATIC= links it as all the others.
front_libraries = $(shell $(PKG_CONFIG) $(if $(STATIC),--static) --libs libseccomp libcap inih)
STATIC = $(if $(SANITIZE),,$(shell mkdir -p $(BUILD) && echo 'int main(void) { return 0; }' | \
	$(CC) -static-pie -x c -o $(BUILD)/static-test - -lseccomp -lcap -linih 2>/dev/null && echo -static-pie))
$(BUILD)/bin/kmodbox: private PIE = $(or $(STATIC),-pie)
$(BUILD)/bin/kmodbox: private pkg_libs = $(front_libraries)

# Pid 1 of a virtual machine is alone there: no shared library, no sanitizer.
$(guest): runners/guest_init_main.c checker/decompress.c checker/decompress.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call command,LINK,$(CC) -std=gnu17 -O2 -I. -D_GNU_SOURCE $(warnings) $(if $(WERROR),-Werror) -static -o $@ \
		$(filter %.c,$^) -lz -llzma -lzstd)

# So is that of the test bed.
bed = $(BUILD)/tests/vm/init
$(bed): tests/vm/init.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call command,LINK,$(CC) -std=gnu17 -O2 -D_GNU_SOURCE $(warnings) $(if $(WERROR),-Werror) -static -o $@ $<)

$(BUILD)/bin/profiles/%: profiles/%
	@mkdir -p $(@D)
	cp $< $@

store_policy = $(BUILD)/sandbox/store-policy
$(store_policy): $(BUILD)/sandbox/store_main.o $(library)
	$(call command,LINK,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(pkg_libs))
$(stored_policies): $(BUILD)/bin/profiles/%.bpf: profiles/% $(wildcard profiles/*.seccomp) $(store_policy)
	@mkdir -p $(@D)
	$(call command,BPF,$(store_policy) $< >$@)

# It loads profiles as kmodbox does: from beside itself.
$(BUILD)/tests/test_profile: | $(BUILD)/tests/profiles $(profile_files)
$(BUILD)/tests/profiles:
	@mkdir -p $(@D)
	$(call command,LN,ln -sfn ../bin/profiles $@)

$(unit_programs): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(library)
	@mkdir -p $(@D)
	$(call command,LINK,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(pkg_libs) -lcmocka)

$(tool_programs): %: %.o
	$(call command,LINK,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<)

# Those that need our library too.
linked_programs = $(patsubst %.c,$(BUILD)/%,$(linked_sources))
# What peel puts between the library and its walls.
peeled = setup_verify sys_landlock_abi sys_landlock_restrict_self sys_clone3 slot_join_network cap_set_proc prctl open \
	fsconfig mounts_clone mounts_seal close_range sethostname setsid setrlimit view_enter_root mount_setattr write
$(BUILD)/tests/hostile/layers/peel: private LDFLAGS += $(addprefix -Wl$(comma)--wrap=,$(peeled))
$(linked_programs): %: %.o $(library)
	$(call command,LINK,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(pkg_libs))

# The names of system calls by number, of the architecture that is compiled for.
$(BUILD)/sandbox/syscall_names.inc: $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '#include <sys/syscall.h>' | $(CC) -dM -E -x c - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/[__NR_\1] = "\1",/p' | sort >$@
$(BUILD)/sandbox/call_words.o: $(BUILD)/sandbox/syscall_names.inc
$(BUILD)/sandbox/call_words.o: private CPPFLAGS += -I$(BUILD)

$(BUILD)/sandbox/remedy.o: private CPPFLAGS += -DKMODBOX_SHAREDIR='"$(sharedir)"'
$(BUILD)/lib/recipes/script.o: lib/recipes/evaluate.sh
$(BUILD)/orchestrator/build_view.o: orchestrator/build.sh
-include $(patsubst %.c,$(BUILD)/%.d,$(all_sources) $(unit_sources) $(tool_sources) $(linked_sources))

# libFuzzer, so clang alone, in a build folder of their own.
fuzz_sources := $(wildcard tests/fuzz/fuzz_*.c)
fuzz_programs = $(patsubst tests/fuzz/%.c,$(BUILD)/bin/%,$(fuzz_sources))
$(fuzz_programs): $(BUILD)/bin/%: $(BUILD)/tests/fuzz/%.o $(library)
	@mkdir -p $(@D)
	$(call command,LINK,$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(pkg_libs))
-include $(patsubst %.c,$(BUILD)/%.d,$(fuzz_sources))

# What needs packages, then programs. `test` is deps and the suites, in a make that sees the packages.
.PHONY: test-oracle test-vm test-crosscheck
# CROSSCHECK=all: every module of both kernels.
test-crosscheck: deps
	$(again) all kernels $(linked_programs)
	tests/oracle/crosscheck.sh

test-vm: deps
	packaging/deps.sh --vm
	$(again) all kernels $(linked_programs) $(bed) unit-programs
	tests/vm/run.sh

test-oracle: deps
	packaging/deps.sh --vm
	$(again) all kernels $(tool_programs) $(linked_programs)
	tests/oracle/run.sh

.PHONY: deps kernels demo test test-unit test-hostile test-hosts test-crash test-soak test-real bench check run-tests unit-programs
export BUILD KERNELS_DIR
again = +$(MAKE) --no-print-directory
suites = tests/lib/run-suites.sh

deps:
	packaging/deps.sh

kernels:
	tests/lib/kernels.sh

demo: deps
	$(again) all kernels
	tests/demo.sh

test: deps
	$(again) run-tests

unit-programs: $(unit_programs)

run-tests: all $(bed) $(unit_programs) $(tool_programs) $(linked_programs)
	@$(MAKE) --no-print-directory kernels || echo "tests that need kernel headers will be skipped"
	KMODBOX_CRASH_COUNT=$${KMODBOX_CRASH_COUNT:-10} $(suites) check unit recipes corpus parity hostile hosts oracle crosscheck vm crash demo

test-unit: all $(unit_programs)
	$(suites) unit

test-hostile: all kernels $(tool_programs) $(linked_programs)
	$(suites) hostile

.PHONY: compare-sandboxes
compare-sandboxes: all $(tool_programs)
	tests/hostile/compare.sh

test-hosts: all $(tool_programs)
	$(suites) hosts

test-crash: all kernels $(tool_programs) $(linked_programs)
	$(suites) crash

# Of 50 sandboxes as root and 50 as a user it is part of test-crash.
test-soak: all $(linked_programs)
	tests/crash/soak.sh $${KMODBOX_SOAK_COUNT:-2000}

test-real: deps
	packaging/deps.sh --real
	$(again) all kernels
	tests/lib/kernels.sh --all-drivers
	$(suites) real

bench: deps
	$(again) all kernels $(tool_programs) $(linked_programs)
	tests/bench/run.sh

check: all
	$(suites) check

.PHONY: fuzz fuzz-programs
fuzz-programs: $(fuzz_programs)

# FUZZ_SECONDS=60 each, FUZZ_JOBS=2 at a time.
fuzz:
	+$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang SANITIZE=1 FUZZ=1 fuzz-programs
	tests/fuzz/run.sh

.PHONY: install uninstall clean distclean help
systemddir = $(PREFIX)/lib
mandir = $(PREFIX)/share/man
install: all
	install -d $(addprefix $(DESTDIR),$(bindir) $(libexecdir) $(profiledir) \
		$(systemddir)/sysusers.d $(systemddir)/tmpfiles.d $(sharedir)/apparmor \
		$(sharedir)/containers)
	install -m 0755 $(BUILD)/bin/kmodbox $(DESTDIR)$(bindir)/
	install -m 0755 $(filter-out %/kmodbox,$(program_files)) $(DESTDIR)$(libexecdir)/
	install -m 0644 $(profile_files) $(DESTDIR)$(profiledir)/
	install -d $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(mandir)/man8
	scdoc <docs/kmodbox-build.json.5.scd >$(DESTDIR)$(mandir)/man5/kmodbox-build.json.5
	scdoc <docs/kmodbox-modules.d.5.scd >$(DESTDIR)$(mandir)/man5/kmodbox-modules.d.5
	scdoc <docs/kmodbox-profile.5.scd >$(DESTDIR)$(mandir)/man5/kmodbox-profile.5
	scdoc <docs/kmodbox.8.scd >$(DESTDIR)$(mandir)/man8/kmodbox.8
	install -m 0644 packaging/sysusers.d/kmodbox.conf $(DESTDIR)$(systemddir)/sysusers.d/
	install -m 0644 packaging/apparmor/kmodbox $(DESTDIR)$(sharedir)/apparmor/
	install -m 0644 packaging/containers/seccomp-rule.json $(DESTDIR)$(sharedir)/containers/
	install -m 0644 packaging/tmpfiles.d/kmodbox.conf $(DESTDIR)$(systemddir)/tmpfiles.d/

# State below /var/lib stays: it says what is installed in the kernels' module trees.
uninstall:
	rm -f $(DESTDIR)$(bindir)/kmodbox
	rm -f $(addprefix $(DESTDIR)$(mandir)/,man5/kmodbox-build.json.5 \
		man5/kmodbox-modules.d.5 man5/kmodbox-profile.5 man8/kmodbox.8)
	rm -f $(addprefix $(DESTDIR)$(systemddir)/,sysusers.d/kmodbox.conf tmpfiles.d/kmodbox.conf)
	rm -rf $(DESTDIR)$(libexecdir) $(DESTDIR)$(sharedir)

# Downloads, kernels and dkms's reference results stay; distclean takes them too.
clean:
	rm -rf $(addprefix $(BUILD)/,bin checker demo flags installer lib libkmodbox.a orchestrator \
		runners sandbox signer tests results asan clang bench)

distclean:
	rm -rf $(BUILD)

help:
	@echo 'make              build everything into $(BUILD)/bin'
	@echo 'make demo         a hello-world module through the whole of kmodbox, below $(BUILD)/demo'
	@echo 'make test         get what is needed, build, run the suites'
	@echo 'make test-unit    one suite alone; also test-hostile, test-hosts, test-crash, check'
	@echo 'make test-soak    2,000 sandboxes of which parts are killed at random: nothing may be left'
	@echo 'make test-oracle  what check predicts of modules and mutations of them, really loaded in QEMU'
	@echo 'make test-crosscheck  what is read of a kernel image and what kmod reads of it, compared'
	@echo 'make test-vm      boot-test with drivers and with modules that go wrong in every way; installs that demand it'
	@echo 'make test-real    thirty Debian drivers, compared byte for byte with what dkms builds'
	@echo 'make bench        speed and memory, as ratios of paired runs'
	@echo 'make fuzz         every parser of hostile bytes, FUZZ_SECONDS=60 each, by clang'
	@echo 'make compare-sandboxes  what other sandboxes let through, into docs/sandbox-comparison.md'
	@echo 'make deps         packages to build and test with (apt; sudo where not root)'
	@echo 'make kernels      kernel headers and drivers into $(KERNELS_DIR) and $(BUILD)/drivers'
	@echo 'make install      DESTDIR=, PREFIX=$(PREFIX); make uninstall'
	@echo 'make clean        make distclean: downloads too'
	@echo 'Variables: BUILD, CC, V=1 (whole commands), WERROR=1, SANITIZE=1 (ASan and UBSan)'

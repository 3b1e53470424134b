/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line as data: DKMS's verbs and options, before or after the verb, and ours. Trusted:
 * it is the caller's. Nothing is opened or run here; bare words are looked at with stat(2) to tell
 * a source directory or an archive from a module's name, as DKMS does.
 */
#ifndef KMODBOX_ORCHESTRATOR_OPTIONS_H
#define KMODBOX_ORCHESTRATOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

#define OPTIONS_IGNORED 8
#define OPTIONS_JOBS 4096

enum verb {
	VERB_NONE = 0,
	VERB_ADD,
	VERB_BUILD,
	VERB_INSTALL,
	VERB_UNINSTALL,
	VERB_UNBUILD,
	VERB_REMOVE,
	VERB_STATUS,
	VERB_MATCH,
	VERB_AUTOINSTALL,
	VERB_MKTARBALL,
	VERB_LDTARBALL,
	VERB_SHELL,
	VERB_SANDBOX,
	VERB_DOCTOR,
	VERB_PROFILE,
	VERB_CHECK,
	VERB_IMPORTS,
	VERB_BOOT_TEST,
	VERB_HELP,
	VERB_VERSION,
};

/* Of the verb profile. */
enum profile_action { PROFILE_LIST = 1, PROFILE_SHOW, PROFILE_CHECK };

/* Every name in it is a safe name (name_is_safe) and every path absolute, not resolved. */
struct options {
	enum verb verb;
	char *module;	/* -m m[/v], or a bare m/v */
	char *version;	/* with module, unless source or archive is given; status: may be NULL */
	char *source;	/* a bare directory with a dkms.conf, or the directory of a dkms.conf */
	char *archive;	/* a bare existing file, or --archive; mktarball: a safe name */
	char **kernels; /* -k, in order; -k K/A gives both */
	size_t kernel_count;
	char **architectures; /* -a; as many as kernels, or one for all, or none */
	size_t architecture_count;
	bool all;
	bool force;
	bool quiet;
	bool verbose;
	bool json;
	bool secure_boot; /* boot-test */
	bool no_depmod;
	unsigned jobs; /* -j; 0: as many as processors. jobs_given tells */
	bool jobs_given;
	char *dkms_tree;      /* NULL where not given */
	bool dkms_tree_named; /* on the command line, not by framework.conf */
	char *source_tree;
	char *install_tree;
	char *kernel_root;
	char *state_directory; /* --statedir: /var/lib/kmodbox */
	char *config;	       /* --configdir: /etc/kmodbox */
	char *dkms_config;     /* --dkmsconfig: /etc/dkms */
	char **directives;     /* --directive NAME=VALUE, in order; the name is an identifier */
	size_t directive_count;
	char *template_kernel; /* --templatekernel */
	bool source_only;      /* --source-only, --binaries-only: mktarball */
	bool binaries_only;
	char *build_environment; /* of framework.conf, not of the command line: a path; NULL */
	/* DKMS's options that do nothing here: main() warns of each. Static strings. */
	const char *ignored[OPTIONS_IGNORED];
	size_t ignored_count;
	/* sandbox [--profile NAME] [--ro PATH] [--rw PATH] [--chdir PATH] -- CMD... */
	char **read_only;
	size_t read_only_count;
	char **read_write;
	size_t read_write_count;
	char *directory; /* a path of the sandbox, as given */
	char *profile;	 /* sandbox --profile NAME, profile show NAME: a safe name */
	enum profile_action action;
	char *checked; /* profile check FILE */
	char *against; /* imports: another file */
	char **files;  /* check, imports: FILE..., as given */
	size_t file_count;
	char **command; /* NULL-terminated; borrowed from argv. Also shell's; NULL: bash */
};

/*
 * error_code() is DKMS's for each mistake: 1 usage, 2 unknown option or -k with --all, 3 -a with
 * --all, 4 two verbs (also a directory without a dkms.conf), 5 --all where it is not allowed.
 * -h and -V count at once, whatever follows.
 */
int options_parse(int argc, char **argv, struct options *ret_options,
		  struct error **error) must_check;
void options_clear(struct options *options);
const char *verb_name(enum verb verb); /* "build" */
/* The help text: all verbs and options, grouped. */
const char *options_help(void);

#endif

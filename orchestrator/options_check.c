/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may stand together on a command line: see options.h. */
#include <string.h>
#include <sys/utsname.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"
#include "orchestrator/options_internal.h"

bool options_take_source(enum verb verb)
{
	return verb == VERB_ADD || verb == VERB_BUILD || verb == VERB_INSTALL;
}

bool options_take_archive(enum verb verb)
{
	return options_take_source(verb) || verb == VERB_LDTARBALL;
}

/* For one kernel, and for whatever is added or installed there. */
static bool takes_one_kernel(enum verb verb)
{
	return verb == VERB_MATCH || verb == VERB_AUTOINSTALL;
}

static int check_kernels(const struct options *options, struct error **error)
{
	const char *name = verb_name(options->verb);
	bool one = takes_one_kernel(options->verb) || options->verb == VERB_SHELL;

	if (options->architecture_count > 1 && options->architecture_count != options->kernel_count)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%zu architectures for %zu kernels: give one -a for all or "
				    "one for each -k",
				    options->architecture_count, options->kernel_count);
	if (options->all && options->kernel_count > 0)
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "-k and --all: give one of them; --all means every kernel");
	if (options->all && options->architecture_count > 0)
		return error_refuse(error, EXIT_STATE, EINVAL,
				    "-a and --all: give one of them; --all means every "
				    "architecture");
	if ((one && options->kernel_count > 1) || (options->verb == VERB_MATCH && options->all))
		return error_refuse(error, EXIT_NO_CONF, EINVAL,
				    "%s works on one kernel: give one -k, and run it for each",
				    name);
	if (options->all && (one || options_take_source(options->verb)))
		return error_refuse(error, EXIT_ALREADY_INSTALLED, EINVAL,
				    "verb '%s' does not take --all; name each kernel by -k", name);
	return 0;
}

static int check_template(const struct options *options, struct error **error)
{
	struct utsname running;
	const char *kernel;

	if (!options->template_kernel)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "match: like which kernel? Give --templatekernel KERNEL");
	if (uname(&running) < 0)
		return error_set_errno(error, errno, "uname");
	kernel = options->kernel_count ? options->kernels[0] : running.release;
	if (strcmp(options->template_kernel, kernel) == 0)
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "match: --templatekernel is the kernel %s itself; name the "
				    "one to install on by -k",
				    kernel);
	return 0;
}

static bool has_json(enum verb verb)
{
	return verb == VERB_STATUS || verb == VERB_DOCTOR || verb == VERB_PROFILE ||
	       verb == VERB_SANDBOX || verb == VERB_BUILD || verb == VERB_INSTALL ||
	       verb == VERB_MATCH || verb == VERB_AUTOINSTALL || verb == VERB_CHECK ||
	       verb == VERB_BOOT_TEST || verb == VERB_IMPORTS;
}

/* An option that one verb has, given to another, would be ignored: not what was asked for. */
static int check_belonging(const struct options *options, struct error **error)
{
	bool sandbox = options->read_only_count || options->read_write_count ||
		       options->directory || options->profile;
	const struct {
		bool given;
		enum verb verb;
		const char *options;
	} rules[] = {
		{ sandbox, VERB_SANDBOX, "--profile, --ro, --rw and --chdir" },
		{ options->secure_boot, VERB_BOOT_TEST, "--secure-boot" },
		{ options->against, VERB_IMPORTS, "--against" },
		{ options->template_kernel, VERB_MATCH, "--templatekernel" },
		{ options->source_only || options->binaries_only, VERB_MKTARBALL,
		  "--source-only and --binaries-only" },
	};

	if (options->verb == VERB_PROFILE && (options->module || options->kernel_count))
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "profile is about this host: it takes no module and no kernel");
	if (options->verb == VERB_CHECK && (options->module || options->kernel_count > 1))
		return error_refuse(
			error, EXIT_USAGE, EINVAL,
			"check is about files, and one kernel: kmodbox check FILE.ko -k "
			"KERNEL");
	if (options->verb == VERB_IMPORTS && (options->module || options->kernel_count))
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "imports is about files: kmodbox imports FILE.ko");
	if (options->verb == VERB_BOOT_TEST && options->kernel_count > 1)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "boot-test boots one kernel: give one -k");
	if (options->json && !has_json(options->verb))
		return error_refuse(error, EXIT_NO_SOURCE, ENOTSUP,
				    "%s has no --json: see kmodbox help for those that have",
				    verb_name(options->verb));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].given && options->verb != rules[i].verb)
			return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
					    "%s: options of the verb '%s', not of '%s'",
					    rules[i].options, verb_name(rules[i].verb),
					    verb_name(options->verb));
	return 0;
}

int options_check_combinations(const struct options *options, struct error **error)
{
	int result = 0;

	if (options->source_only && options->binaries_only)
		result = error_refuse(error, EXIT_BAD_CONF, EINVAL,
				      "--source-only and --binaries-only: give one of them");
	if (result == 0)
		result = check_kernels(options, error);
	if (result == 0)
		result = check_belonging(options, error);
	if (result == 0 && options->verb == VERB_MATCH)
		result = check_template(options, error);
	return result;
}

/* A source directory or an archive stands for the module, whose name it carries. */
static int check_source(const struct options *options, struct error **error)
{
	const char *name = verb_name(options->verb);

	if (!options_take_archive(options->verb))
		return error_refuse(error, EXIT_USAGE, EINVAL, "verb '%s' takes no archive", name);
	/* Both names are what its dkms.conf must say: --force wants to know what it replaces. */
	if (!options->module != !options->version)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%s: of a source its dkms.conf says which module it is; give "
				    "both -m and -v to insist on one, or none",
				    name);
	if (options->source && options->archive)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%s: a source directory and an archive: give one of them",
				    name);
	return 0;
}

static int check_module(const struct options *options, struct error **error)
{
	const char *name = verb_name(options->verb);
	bool source = options_take_source(options->verb);

	if (options->module && options->version)
		return 0;
	if (options->module)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%s: '%s' needs a version%s: give %s/VERSION", name,
				    options->module,
				    source ? " (and is no file or source directory here)" : "",
				    options->module);
	return error_refuse(error, EXIT_USAGE, EINVAL, "%s: which module? Give MODULE/VERSION%s",
			    name, source ? ", a source directory or an archive" : "");
}

int options_check_subject(const struct options *options, struct error **error)
{
	/* mktarball: --archive is the name of what it makes. */
	bool source = options->source || (options->archive && options->verb != VERB_MKTARBALL);

	if (options->verb == VERB_SANDBOX)
		return options->command && options->command[0]
			       ? 0
			       : error_refuse(error, EXIT_USAGE, EINVAL,
					      "sandbox: no command; give one behind '--', as in "
					      "kmodbox sandbox -- /bin/true");
	if (options->verb == VERB_SHELL && options->command && !options->command[0])
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "shell: no command behind '--'; without '--' it is bash");
	if (source)
		return check_source(options, error);
	if (options->verb == VERB_LDTARBALL)
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "ldtarball: which archive? Give its file");
	if (options->verb == VERB_AUTOINSTALL && (options->module || options->version))
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "autoinstall takes no module, it installs all that ask for "
				    "it; 'kmodbox install MODULE/VERSION' installs one");
	if (options->verb == VERB_DOCTOR && options->module)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "doctor is about this host and its kernels: it takes no "
				    "module");
	if (options->verb == VERB_STATUS || options->verb == VERB_DOCTOR ||
	    takes_one_kernel(options->verb))
		return 0;
	return check_module(options, error);
}

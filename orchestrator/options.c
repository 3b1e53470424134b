/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line as data: see options.h. A table says what each option is; what DKMS knows and
 * this version does not is in the table too and refused by name, because to ignore an option of a
 * build or a removal is to do something else than was asked for.
 */
#include "orchestrator/options.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"

#define JOBS_MAXIMUM 4096

enum rule_kind {
	RULE_FLAG, /* offset: bool */
	RULE_HELP,
	RULE_VERSION,
	RULE_IGNORED,
	RULE_REFUSED,
	/* From here on they take a value. */
	RULE_PATH, /* offset: char * */
	RULE_MODULE,
	RULE_MODULE_VERSION,
	RULE_KERNEL,
	RULE_ARCHITECTURE,
	RULE_JOBS,
	RULE_READ_ONLY,
	RULE_READ_WRITE,
	RULE_DIRECTORY,
};

struct rule {
	const char *name;
	enum rule_kind kind;
	size_t offset;
	bool prefix; /* DKMS takes whatever starts like this: --module-name, --architecture */
};

/* The first match counts: --archive stands before --arch. */
static const struct rule rules[] = {
	{ "-m", RULE_MODULE, 0, false },
	{ "--module", RULE_MODULE, 0, true },
	{ "-v", RULE_MODULE_VERSION, 0, false },
	{ "-k", RULE_KERNEL, 0, false },
	{ "--kernelver", RULE_KERNEL, 0, true },
	{ "-a", RULE_ARCHITECTURE, 0, false },
	{ "--archive", RULE_PATH, offsetof(struct options, archive), true },
	{ "--arch", RULE_ARCHITECTURE, 0, true },
	{ "-j", RULE_JOBS, 0, false },
	{ "--all", RULE_FLAG, offsetof(struct options, all), false },
	{ "--force", RULE_FLAG, offsetof(struct options, force), false },
	{ "-q", RULE_FLAG, offsetof(struct options, quiet), false },
	{ "--quiet", RULE_FLAG, offsetof(struct options, quiet), false },
	{ "--verbose", RULE_FLAG, offsetof(struct options, verbose), false },
	{ "--json", RULE_FLAG, offsetof(struct options, json), false },
	{ "--no-depmod", RULE_FLAG, offsetof(struct options, no_depmod), false },
	{ "--dkmstree", RULE_PATH, offsetof(struct options, dkms_tree), true },
	{ "--sourcetree", RULE_PATH, offsetof(struct options, source_tree), true },
	{ "--installtree", RULE_PATH, offsetof(struct options, install_tree), true },
	{ "--kernel-root", RULE_PATH, offsetof(struct options, kernel_root), false },
	{ "--statedir", RULE_PATH, offsetof(struct options, state_directory), false },
	{ "--ro", RULE_READ_ONLY, 0, false },
	{ "--rw", RULE_READ_WRITE, 0, false },
	{ "--chdir", RULE_DIRECTORY, 0, false },
	{ "-h", RULE_HELP, 0, false },
	{ "--help", RULE_HELP, 0, false },
	{ "-V", RULE_VERSION, 0, false },
	{ "--version", RULE_VERSION, 0, false },
	{ "--rpm_safe_upgrade", RULE_IGNORED, 0, false },
	{ "--no-initrd", RULE_IGNORED, 0, false },
	{ "--no-clean-kernel", RULE_IGNORED, 0, false },
	{ "--no-prepare-kernel", RULE_IGNORED, 0, false },
	/* No version of an installed module is compared, so there is nothing to override. */
	{ "--force-version-override", RULE_IGNORED, 0, false },
	{ "-c", RULE_REFUSED, 0, false },
	{ "--config", RULE_REFUSED, 0, true },
	{ "--directive", RULE_REFUSED, 0, true },
	{ "--kernelsourcedir", RULE_REFUSED, 0, true },
	{ "--templatekernel", RULE_REFUSED, 0, true },
	{ "--binaries-only", RULE_REFUSED, 0, false },
	{ "--source-only", RULE_REFUSED, 0, false },
	{ "--symlink-modules", RULE_REFUSED, 0, false },
	{ "--modprobe-on-install", RULE_REFUSED, 0, false },
	{ "--debug", RULE_REFUSED, 0, false },
};

static const struct {
	const char *name;
	enum verb verb; /* VERB_NONE: DKMS has it, this version does not */
} verbs[] = {
	{ "add", VERB_ADD },
	{ "build", VERB_BUILD },
	{ "install", VERB_INSTALL },
	{ "uninstall", VERB_UNINSTALL },
	{ "unbuild", VERB_UNBUILD },
	{ "remove", VERB_REMOVE },
	{ "status", VERB_STATUS },
	{ "sandbox", VERB_SANDBOX },
	{ "help", VERB_HELP },
	{ "version", VERB_VERSION },
	{ "match", VERB_NONE },
	{ "autoinstall", VERB_NONE },
	{ "mktarball", VERB_NONE },
	{ "ldtarball", VERB_NONE },
	{ "generate_mok", VERB_NONE },
	{ "kernel_preinst", VERB_NONE },
	{ "kernel_postinst", VERB_NONE },
	{ "kernel_prerm", VERB_NONE },
};

struct parser {
	char **arguments; /* what is left of argv */
	int count;
	const char **words; /* bare words, looked at when the verb is known; borrowed */
	size_t word_count;
	struct options options;
};

static const char help_text[] =
	"Usage: kmodbox VERB [MODULE/VERSION] [OPTION...]\n"
	"       kmodbox sandbox [--ro PATH] [--rw PATH] [--chdir PATH] -- COMMAND [ARG...]\n"
	"\n"
	"Builds out-of-tree kernel modules in sealed sandboxes, checks, signs and\n"
	"installs them. Verbs, options and exit codes are DKMS's where DKMS has them.\n"
	"\n"
	"Verbs:\n"
	"  add        register MODULE/VERSION (from /usr/src/MODULE-VERSION), a directory\n"
	"             with a dkms.conf, or an archive, and allow its modules to be signed\n"
	"  build      build, check and sign for a kernel; adds first where needed\n"
	"  install    put it below /lib/modules/KERNEL; builds first where needed\n"
	"  uninstall  take it out of there again and restore what it displaced\n"
	"  unbuild    uninstall, and delete the build\n"
	"  remove     unbuild for these kernels; deregister when no build is left\n"
	"  status     show what is added, built and installed\n"
	"  sandbox    run a command in the sandbox that builds run in\n"
	"\n"
	"What to work on:\n"
	"  MODULE/VERSION, or -m MODULE[/VERSION] -v VERSION\n"
	"  -k, --kernelver KERNEL[/ARCH]  repeatable; default: the running kernel\n"
	"  -a, --arch ARCH                one for all kernels, or one for each -k\n"
	"      --all                      every kernel (uninstall, unbuild, remove)\n"
	"      --archive FILE             a source archive\n"
	"\n"
	"How:\n"
	"  -j NUMBER                      parallel jobs; 0: as many as processors\n"
	"      --force                    do it again even if it is done\n"
	"      --no-depmod                leave the kernel's module index as it is\n"
	"  -q, --quiet                    errors only\n"
	"      --verbose                  show what the build prints\n"
	"      --json                     status as JSON\n"
	"\n"
	"Where:\n"
	"      --dkmstree DIR             state (/var/lib/dkms)\n"
	"      --sourcetree DIR           sources (/usr/src)\n"
	"      --installtree DIR          installed modules (/lib/modules)\n"
	"      --kernel-root DIR          a root that holds the kernel's headers (/)\n"
	"      --statedir DIR             keys, approvals, logs (/var/lib/kmodbox)\n"
	"  For an ordinary user these are below $XDG_STATE_HOME/kmodbox. Logs, in the\n"
	"  state: MODULE/VERSION/KERNEL/ARCH/log/make.log, or MODULE/VERSION/build/make.log\n"
	"  of a build that failed. build.json beside a log says how it was made.\n"
	"\n"
	"  -h, --help; -V, --version\n"
	"\n"
	"Exit codes: 0 done, 1 usage, 2 no source or unknown option, 3 wrong state,\n"
	"4 no dkms.conf, 5 already installed, 6 install failed, 7 module missing, 8 bad\n"
	"dkms.conf, 9 bad archive, 10 make failed, 21 no kernel headers, 77 not for this\n"
	"kernel, 30 no sandbox, 31 limit hit, 32 will not load, 33 signing failed,\n"
	"34 install refused, 35 disk full or a helper died, 36 not approved.\n"
	"\n"
	"Examples:\n"
	"  kmodbox add ./demo-v0.1.tar.gz && kmodbox install demo/0.1\n"
	"  kmodbox build demo/0.1 -k 6.12.30-amd64 -j 4\n"
	"  kmodbox remove demo/0.1 --all\n";

/* Gives the error that was just set an exit code: coded(error, CODE, error_set(error, ...)) */
static int coded(struct error **error, int code, int result)
{
	if (error)
		error_set_code(*error, code);
	return result;
}

static int out_of_memory(struct error **error)
{
	return coded(error, EXIT_USAGE, error_set_errno(error, ENOMEM, "command line"));
}

const char *verb_name(enum verb verb)
{
	if (verb != VERB_NONE)
		for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
			if (verbs[i].verb == verb)
				return verbs[i].name;
	return "none";
}

static void free_list(char ***list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
	*count = 0;
}

void options_clear(struct options *options)
{
	free(options->module);
	free(options->version);
	free(options->source);
	free(options->archive);
	free_list(&options->kernels, &options->kernel_count);
	free_list(&options->architectures, &options->architecture_count);
	free(options->dkms_tree);
	free(options->source_tree);
	free(options->install_tree);
	free(options->kernel_root);
	free(options->state_directory);
	free_list(&options->read_only, &options->read_only_count);
	free_list(&options->read_write, &options->read_write_count);
	free(options->directory);
	*options = (struct options){ 0 };
}

/* Takes value, which may be NULL for out of memory; what was there before goes. */
static int replace(char **field, char *value, struct error **error)
{
	if (!value)
		return out_of_memory(error);
	free(*field);
	*field = value;
	return 0;
}

/* Takes value as replace() does. */
static int add_to_list(char ***list, size_t *count, char *value, struct error **error)
{
	cleanup_free char *owned = value;
	char **grown = owned ? reallocarray(*list, *count + 1, sizeof(*grown)) : NULL;

	if (!grown)
		return out_of_memory(error);
	grown[(*count)++] = TAKE_PTR(owned);
	*list = grown;
	return 0;
}

/* Later steps change their working directory and drop privileges: a path must not depend on it. */
static char *absolute_path(const char *path)
{
	cleanup_free char *here = NULL;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	return here ? format_string("%s/%s", strcmp(here, "/") == 0 ? "" : here, path) : NULL;
}

static int set_path(char **field, const char *path, struct error **error)
{
	char *absolute = absolute_path(path);

	if (!absolute && errno != ENOMEM)
		return coded(error, EXIT_USAGE,
			     error_set_errno(error, errno,
					     "relative path '%s': the working directory", path));
	return replace(field, absolute, error);
}

static int check_name(const char *what, const char *name, struct error **error)
{
	if (name_is_safe(name))
		return 0;
	return coded(error, EXIT_USAGE,
		     error_set(error, EINVAL,
			       "%s '%s' cannot be: it must be 1 to 127 of A-Z a-z 0-9 _ . + ~ : - "
			       "and start with none of '-' and '.'",
			       what, name));
}

static int set_version(struct options *options, const char *version, struct error **error)
{
	int result = check_name("version", version, error);

	if (result < 0)
		return result;
	/* The DKMS layout has such names beside the versions; DKMS would never show them. */
	if (strcmp(version, "original_module") == 0 ||
	    (string_starts_with(version, "kernel-") && strchr(version + 7, '-')))
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "version '%s' cannot be: DKMS keeps other things under "
				       "that name",
				       version));
	return replace(&options->version, strdup(version), error);
}

static int set_module(struct options *options, const char *value, struct error **error)
{
	const char *slash = strchr(value, '/');
	cleanup_free char *module = slash ? strndup(value, (size_t)(slash - value)) : strdup(value);
	int result;

	if (!module)
		return out_of_memory(error);
	result = check_name("module", module, error);
	if (result == 0 && slash)
		result = set_version(options, slash + 1, error);
	return result < 0 ? result : replace(&options->module, TAKE_PTR(module), error);
}

static int add_architecture(struct options *options, const char *value, struct error **error)
{
	int result = check_name("architecture", value, error);

	return result < 0 ? result
			  : add_to_list(&options->architectures, &options->architecture_count,
					strdup(value), error);
}

static int add_kernel(struct options *options, const char *value, struct error **error)
{
	const char *slash = strchr(value, '/');
	cleanup_free char *kernel = slash ? strndup(value, (size_t)(slash - value)) : strdup(value);
	int result;

	if (!kernel)
		return out_of_memory(error);
	result = check_name("kernel", kernel, error);
	if (result == 0 && slash)
		result = add_architecture(options, slash + 1, error);
	return result < 0 ? result
			  : add_to_list(&options->kernels, &options->kernel_count, TAKE_PTR(kernel),
					error);
}

static int set_jobs(struct options *options, const char *value, struct error **error)
{
	uint64_t jobs;

	if (parse_u64(value, JOBS_MAXIMUM, &jobs) < 0)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "-j '%s': give a number from 0 (as many as processors) to "
				       "%d",
				       value, JOBS_MAXIMUM));
	options->jobs = (unsigned)jobs;
	options->jobs_given = true;
	return 0;
}

static int add_path(char ***list, size_t *count, const char *path, struct error **error)
{
	char *absolute = NULL;
	int result = set_path(&absolute, path, error);

	return result < 0 ? result : add_to_list(list, count, absolute, error);
}

static int apply_value(struct options *options, const struct rule *rule, const char *value,
		       struct error **error)
{
	switch (rule->kind) {
	case RULE_PATH:
		return set_path((char **)(void *)((char *)options + rule->offset), value, error);
	case RULE_MODULE:
		return set_module(options, value, error);
	case RULE_MODULE_VERSION:
		return set_version(options, value, error);
	case RULE_KERNEL:
		return add_kernel(options, value, error);
	case RULE_ARCHITECTURE:
		return add_architecture(options, value, error);
	case RULE_JOBS:
		return set_jobs(options, value, error);
	case RULE_READ_ONLY:
		return add_path(&options->read_only, &options->read_only_count, value, error);
	case RULE_READ_WRITE:
		return add_path(&options->read_write, &options->read_write_count, value, error);
	case RULE_DIRECTORY:
		return replace(&options->directory, strdup(value), error);
	case RULE_FLAG:
	case RULE_HELP:
	case RULE_VERSION:
	case RULE_IGNORED:
	case RULE_REFUSED:
		break;
	}
	return -EINVAL;
}

static int apply_flag(struct options *options, const struct rule *rule, struct error **error)
{
	if (rule->kind == RULE_FLAG)
		*(bool *)((char *)options + rule->offset) = true;
	else if (rule->kind == RULE_HELP)
		options->verb = VERB_HELP;
	else if (rule->kind == RULE_VERSION)
		options->verb = VERB_VERSION;
	else if (rule->kind == RULE_REFUSED)
		return coded(error, EXIT_NO_SOURCE,
			     error_set(error, ENOTSUP,
				       "option '%s' is not supported by this version", rule->name));
	else if (options->ignored_count < OPTIONS_IGNORED)
		options->ignored[options->ignored_count++] = rule->name;
	return 0;
}

static const struct rule *find_rule(const char *argument)
{
	bool is_long = argument[1] == '-';
	size_t length = is_long ? strcspn(argument, "=") : strlen(argument);

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];
		size_t wanted = strlen(rule->name);

		if (length < wanted || strncmp(argument, rule->name, wanted) != 0 ||
		    (length > wanted && !rule->prefix))
			continue;
		/* "--force=no" is not --force. */
		if (argument[length] == '=' && rule->kind < RULE_PATH && rule->kind != RULE_REFUSED)
			continue;
		return rule;
	}
	return NULL;
}

/* One option; its value is in the same argument behind '=', or the next one. */
static int parse_option(struct parser *parser, const char *argument, struct error **error)
{
	const struct rule *rule;
	const char *equals = strchr(argument, '=');
	const char *value;

	if (string_starts_with(argument, "-j") && argument[2] != '\0')
		return set_jobs(&parser->options, argument + 2, error);
	rule = find_rule(argument);
	if (!rule)
		return coded(error, EXIT_NO_SOURCE,
			     error_set(error, EINVAL,
				       "unknown option '%s'; 'kmodbox --help' lists them",
				       argument));
	if (rule->kind < RULE_PATH)
		return apply_flag(&parser->options, rule, error);
	if (argument[1] == '-' && equals) {
		value = equals + 1;
	} else if (parser->count > 0) {
		value = *parser->arguments++;
		parser->count--;
	} else {
		value = "";
	}
	if (value[0] == '\0')
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL, "option '%s' needs a value", rule->name));
	return apply_value(&parser->options, rule, value, error);
}

static int parse_word(struct parser *parser, const char *word, struct error **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(word, verbs[i].name) != 0)
			continue;
		if (parser->options.verb != VERB_NONE)
			return coded(error, EXIT_NO_CONF,
				     error_set(error, EINVAL,
					       "verbs '%s' and '%s': give one of them",
					       verb_name(parser->options.verb), word));
		if (verbs[i].verb == VERB_NONE)
			return coded(error, EXIT_USAGE,
				     error_set(error, ENOTSUP,
					       "verb '%s' is not supported by this version", word));
		parser->options.verb = verbs[i].verb;
		return 0;
	}
	/* Now, not later: what follows are the command's options, not ours. */
	if (parser->options.verb == VERB_SANDBOX)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "'%s': the command of a sandbox stands behind '--', as in "
				       "kmodbox sandbox -- /bin/true",
				       word));
	parser->words[parser->word_count++] = word;
	return 0;
}

static bool verb_takes_source(enum verb verb)
{
	return verb == VERB_ADD || verb == VERB_BUILD || verb == VERB_INSTALL;
}

static bool has_type(const char *path, mode_t type)
{
	struct stat status;

	return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == type;
}

/* Is the word a source or an archive? Sets *ret_taken and the field if so. */
static int take_source(struct options *options, const char *word, bool *ret_taken,
		       struct error **error)
{
	const char *base = strrchr(word, '/');
	cleanup_free char *conf = format_string("%s/dkms.conf", word);
	cleanup_free char *parent = NULL;

	if (!conf)
		return out_of_memory(error);
	base = base ? base + 1 : word;
	*ret_taken = true;
	if (has_type(word, S_IFREG)) {
		if (strcmp(base, "dkms.conf") != 0)
			return set_path(&options->archive, word, error);
		parent = base == word ? strdup(".") : strndup(word, (size_t)(base - word));
		return parent ? set_path(&options->source, parent, error) : out_of_memory(error);
	}
	if (has_type(word, S_IFDIR) && has_type(conf, S_IFREG))
		return set_path(&options->source, word, error);
	*ret_taken = false;
	return 0;
}

/* The word looks like a path, but there is nothing of use. */
static int refuse_path(const char *word, struct error **error)
{
	struct stat status;

	if (stat(word, &status) < 0)
		return coded(error, EXIT_NO_SOURCE, error_set_errno(error, errno, "'%s'", word));
	if (S_ISDIR(status.st_mode))
		return coded(error, EXIT_NO_CONF,
			     error_set(error, ENOENT,
				       "directory '%s' has no dkms.conf; give a directory that has "
				       "one, an archive or MODULE/VERSION",
				       word));
	return coded(error, EXIT_NO_SOURCE,
		     error_set(error, EINVAL,
			       "'%s' is neither a directory nor a regular file; give a directory "
			       "with a dkms.conf, an archive or MODULE/VERSION",
			       word));
}

static int classify_word(struct options *options, const char *word, struct error **error)
{
	bool taken = false;
	int result;

	if (verb_takes_source(options->verb) && !options->source && !options->archive) {
		result = take_source(options, word, &taken, error);
		if (result < 0 || taken)
			return result;
		if (!options->module && (word[0] == '/' || word[0] == '.'))
			return refuse_path(word, error);
	}
	if (!options->module)
		return set_module(options, word, error);
	return coded(error, EXIT_USAGE,
		     error_set(error, EINVAL,
			       "what is '%s' for? The module is '%s' already; a version is given "
			       "as MODULE/VERSION or by -v",
			       word, options->module));
}

/* What does not go together, in DKMS's order, with its codes. */
static int check_combinations(const struct options *options, struct error **error)
{
	enum verb verb = options->verb;

	if (options->architecture_count > 1 && options->architecture_count != options->kernel_count)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "%zu architectures for %zu kernels: give one -a for all or "
				       "one for each -k",
				       options->architecture_count, options->kernel_count));
	if (options->all && options->kernel_count > 0)
		return coded(error, EXIT_NO_SOURCE,
			     error_set(error, EINVAL,
				       "-k and --all: give one of them; --all means every kernel"));
	if (options->all && options->architecture_count > 0)
		return coded(error, EXIT_STATE,
			     error_set(error, EINVAL,
				       "-a and --all: give one of them; --all means every "
				       "architecture"));
	if (options->all && verb_takes_source(verb))
		return coded(error, EXIT_ALREADY_INSTALLED,
			     error_set(error, EINVAL,
				       "verb '%s' does not take --all; name each kernel by -k",
				       verb_name(verb)));
	if (verb != VERB_SANDBOX &&
	    (options->read_only_count || options->read_write_count || options->directory))
		return coded(error, EXIT_NO_SOURCE,
			     error_set(error, EINVAL,
				       "--ro, --rw and --chdir are options of the verb 'sandbox', "
				       "not of '%s'",
				       verb_name(verb)));
	return 0;
}

/* Has the verb what it works on? */
static int check_subject(const struct options *options, struct error **error)
{
	const char *name = verb_name(options->verb);
	bool source = options->source || options->archive;

	if (options->verb == VERB_SANDBOX)
		return options->command && options->command[0]
			       ? 0
			       : coded(error, EXIT_USAGE,
				       error_set(error, EINVAL,
						 "sandbox: no command; give one behind '--', as in "
						 "kmodbox sandbox -- /bin/true"));
	if (source && !verb_takes_source(options->verb))
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL, "verb '%s' takes no archive", name));
	if (source && (options->module || options->version))
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "%s: a source and a module are given; a source's dkms.conf "
				       "says which module it is, so leave one out",
				       name));
	if (options->source && options->archive)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "%s: a source directory and an archive: give one of them",
				       name));
	if (options->verb == VERB_STATUS || source || (options->module && options->version))
		return 0;
	if (options->module)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL, "%s: '%s' needs a version%s: give %s/VERSION",
				       name, options->module,
				       verb_takes_source(options->verb)
					       ? " (and is no file or source directory here)"
					       : "",
				       options->module));
	return coded(error, EXIT_USAGE,
		     error_set(error, EINVAL, "%s: which module? Give MODULE/VERSION%s", name,
			       verb_takes_source(options->verb)
				       ? ", a source directory or an archive"
				       : ""));
}

static int finish(struct parser *parser, struct error **error)
{
	struct options *options = &parser->options;
	int result;

	if (options->verb == VERB_NONE && parser->word_count > 0)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL,
				       "unknown verb '%s'; 'kmodbox --help' lists them",
				       parser->words[0]));
	if (options->verb == VERB_NONE)
		return coded(error, EXIT_USAGE,
			     error_set(error, EINVAL, "no verb; 'kmodbox --help' lists them"));
	if (options->verb == VERB_HELP || options->verb == VERB_VERSION)
		return 0;
	result = check_combinations(options, error);
	for (size_t i = 0; result == 0 && i < parser->word_count; i++)
		result = classify_word(options, parser->words[i], error);
	return result < 0 ? result : check_subject(options, error);
}

static int parse_arguments(struct parser *parser, struct error **error)
{
	int result = 0;

	while (result == 0 && parser->count > 0) {
		const char *argument = *parser->arguments++;

		parser->count--;
		if (strcmp(argument, "--") == 0 && parser->options.verb == VERB_SANDBOX) {
			parser->options.command = parser->arguments;
			break;
		}
		result = argument[0] == '-' && argument[1] != '\0'
				 ? parse_option(parser, argument, error)
				 : parse_word(parser, argument, error);
		/* -h and -V, whatever stands before and behind them. */
		if (parser->options.verb == VERB_HELP || parser->options.verb == VERB_VERSION)
			break;
	}
	return result < 0 ? result : finish(parser, error);
}

int options_parse(int argc, char **argv, struct options *ret_options, struct error **error)
{
	cleanup_free const char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct parser parser = {
		.arguments = argc > 0 ? argv + 1 : argv,
		.count = argc > 0 ? argc - 1 : 0,
		.words = words,
	};
	int result;

	if (!words)
		return out_of_memory(error);
	result = parse_arguments(&parser, error);
	if (result < 0) {
		options_clear(&parser.options);
		return result;
	}
	*ret_options = parser.options;
	return 0;
}

const char *options_help(void)
{
	return help_text;
}

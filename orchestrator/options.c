/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line as data: see options.h. A table says what each option is; what DKMS knows and
 * this version does not is in the table too and refused by name, because to ignore an option of a
 * build or a removal is to do something else than was asked for.
 */
#include "orchestrator/options_internal.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"

enum rule_kind {
	RULE_FLAG, /* offset: bool */
	RULE_HELP,
	RULE_VERSION,
	RULE_IGNORED,
	RULE_REFUSED,
	/* From here on they take a value, in the same argument or the next. */
	RULE_PATH, /* offset: char * */
	RULE_MODULE,
	RULE_MODULE_VERSION,
	RULE_KERNEL,
	RULE_ARCHITECTURE,
	RULE_JOBS,
	RULE_READ_ONLY,
	RULE_READ_WRITE,
	RULE_DIRECTORY,
	RULE_PROFILE,
	RULE_DIRECTIVE,
	RULE_TEMPLATE,
	RULE_ARCHIVE,
	RULE_AGAINST,
};

struct rule {
	const char *name;
	enum rule_kind kind;
	size_t offset;
	bool prefix; /* DKMS takes whatever starts like this: --module-name, --architecture */
	const char *instead; /* RULE_REFUSED: what does what it would */
};

/* The first match counts: --archive stands before --arch. */
static const struct rule rules[] = {
	{ "-m", RULE_MODULE, 0, false, NULL },
	{ "--module", RULE_MODULE, 0, true, NULL },
	{ "-v", RULE_MODULE_VERSION, 0, false, NULL },
	{ "-k", RULE_KERNEL, 0, false, NULL },
	{ "--kernelver", RULE_KERNEL, 0, true, NULL },
	{ "-a", RULE_ARCHITECTURE, 0, false, NULL },
	{ "--archive", RULE_ARCHIVE, 0, true, NULL },
	{ "--arch", RULE_ARCHITECTURE, 0, true, NULL },
	{ "--against", RULE_AGAINST, 0, false, NULL },
	{ "-j", RULE_JOBS, 0, false, NULL },
	{ "--directive", RULE_DIRECTIVE, 0, true, NULL },
	{ "--templatekernel", RULE_TEMPLATE, 0, true, NULL },
	{ "--source-only", RULE_FLAG, offsetof(struct options, source_only), false, NULL },
	{ "--binaries-only", RULE_FLAG, offsetof(struct options, binaries_only), false, NULL },
	{ "--all", RULE_FLAG, offsetof(struct options, all), false, NULL },
	{ "--force", RULE_FLAG, offsetof(struct options, force), false, NULL },
	{ "-q", RULE_FLAG, offsetof(struct options, quiet), false, NULL },
	{ "--quiet", RULE_FLAG, offsetof(struct options, quiet), false, NULL },
	{ "--verbose", RULE_FLAG, offsetof(struct options, verbose), false, NULL },
	{ "--json", RULE_FLAG, offsetof(struct options, json), false, NULL },
	{ "--secure-boot", RULE_FLAG, offsetof(struct options, secure_boot), false, NULL },
	{ "--no-depmod", RULE_FLAG, offsetof(struct options, no_depmod), false, NULL },
	{ "--dkmstree", RULE_PATH, offsetof(struct options, dkms_tree), true, NULL },
	{ "--sourcetree", RULE_PATH, offsetof(struct options, source_tree), true, NULL },
	{ "--installtree", RULE_PATH, offsetof(struct options, install_tree), true, NULL },
	{ "--kernel-root", RULE_PATH, offsetof(struct options, kernel_root), false, NULL },
	{ "--statedir", RULE_PATH, offsetof(struct options, state_directory), false, NULL },
	{ "--configdir", RULE_PATH, offsetof(struct options, config), false, NULL },
	{ "--dkmsconfig", RULE_PATH, offsetof(struct options, dkms_config), false, NULL },
	{ "--ro", RULE_READ_ONLY, 0, false, NULL },
	{ "--rw", RULE_READ_WRITE, 0, false, NULL },
	{ "--chdir", RULE_DIRECTORY, 0, false, NULL },
	{ "--profile", RULE_PROFILE, 0, false, NULL },
	{ "-h", RULE_HELP, 0, false, NULL },
	{ "--help", RULE_HELP, 0, false, NULL },
	{ "-V", RULE_VERSION, 0, false, NULL },
	{ "--version", RULE_VERSION, 0, false, NULL },
	{ "--rpm_safe_upgrade", RULE_IGNORED, 0, false, NULL },
	{ "--no-initrd", RULE_IGNORED, 0, false, NULL },
	{ "--no-clean-kernel", RULE_IGNORED, 0, false, NULL },
	{ "--no-prepare-kernel", RULE_IGNORED, 0, false, NULL },
	/* No version of an installed module is compared, so there is nothing to override. */
	{ "--force-version-override", RULE_IGNORED, 0, false, NULL },
	{ "-c", RULE_REFUSED, 0, false, "overrides of a dkms.conf go to /etc/dkms/MODULE.conf" },
	{ "--config", RULE_REFUSED, 0, true, "the .config beside the headers counts" },
	{ "--kernelsourcedir", RULE_REFUSED, 0, true,
	  "headers are taken from --kernel-root DIR/lib/modules/KERNEL/build" },
	{ "--symlink-modules", RULE_REFUSED, 0, false, "installed modules are copies" },
	{ "--modprobe-on-install", RULE_REFUSED, 0, false, "run modprobe when it is installed" },
	{ "--debug", RULE_REFUSED, 0, false, "--verbose shows what a build prints" },
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
	{ "match", VERB_MATCH },
	{ "autoinstall", VERB_AUTOINSTALL },
	{ "mktarball", VERB_MKTARBALL },
	{ "ldtarball", VERB_LDTARBALL },
	{ "shell", VERB_SHELL },
	{ "sandbox", VERB_SANDBOX },
	{ "doctor", VERB_DOCTOR },
	{ "profile", VERB_PROFILE },
	{ "check", VERB_CHECK },
	{ "imports", VERB_IMPORTS },
	{ "boot-test", VERB_BOOT_TEST },
	{ "help", VERB_HELP },
	{ "version", VERB_VERSION },
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
	free(options->config);
	free(options->dkms_config);
	free_list(&options->directives, &options->directive_count);
	free(options->template_kernel);
	free(options->build_environment);
	free_list(&options->files, &options->file_count);
	free(options->against);
	free_list(&options->read_only, &options->read_only_count);
	free_list(&options->read_write, &options->read_write_count);
	free(options->directory);
	free(options->profile);
	free(options->checked);
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
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "%s '%s' cannot be: it must be 1 to 127 of A-Z a-z 0-9 _ . + ~ : - "
			    "and start with none of '-' and '.'",
			    what, name);
}

static int set_version(struct options *options, const char *version, struct error **error)
{
	int result = check_name("version", version, error);

	if (result < 0)
		return result;
	/* The DKMS layout has such names beside the versions; DKMS would never show them. */
	if (strcmp(version, "original_module") == 0 ||
	    (string_starts_with(version, "kernel-") && strchr(version + 7, '-')))
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "version '%s' cannot be: DKMS keeps other things under "
				    "that name",
				    version);
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

	if (parse_u64(value, OPTIONS_JOBS, &jobs) < 0)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "-j '%s': give a number from 0 (as many as processors) to "
				    "%d",
				    value, OPTIONS_JOBS);
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

/* As DKMS: a variable of the shell, no element of an array. */
static int add_directive(struct options *options, const char *value, struct error **error)
{
	size_t name = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_");

	if (name > 0 && value[name] == '[')
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "--directive '%s': an element of an array cannot be set so; "
				    "write it into /etc/dkms/MODULE.conf",
				    value);
	if (name == 0 || value[name] != '=' || (value[0] >= '0' && value[0] <= '9'))
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "--directive '%s': give NAME=VALUE, as in "
				    "--directive=AUTOINSTALL=no",
				    value);
	return add_to_list(&options->directives, &options->directive_count, strdup(value), error);
}

static int set_template(struct options *options, const char *value, struct error **error)
{
	int result = check_name("kernel", value, error);

	return result < 0 ? result : replace(&options->template_kernel, strdup(value), error);
}

static int set_profile(struct options *options, const char *value, struct error **error)
{
	int result = check_name("profile", value, error);

	return result < 0 ? result : replace(&options->profile, strdup(value), error);
}

/* list, show NAME or check FILE. */
static int take_action(struct options *options, const char **words, size_t count,
		       struct error **error)
{
	static const struct {
		const char *name;
		enum profile_action action;
		size_t words;
	} rows[] = { { "list", PROFILE_LIST, 1 },
		     { "show", PROFILE_SHOW, 2 },
		     { "check", PROFILE_CHECK, 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (count != rows[i].words || strcmp(words[0], rows[i].name) != 0)
			continue;
		options->action = rows[i].action;
		if (options->action == PROFILE_LIST)
			return 0;
		return options->action == PROFILE_SHOW
			       ? set_profile(options, words[1], error)
			       : replace(&options->checked, strdup(words[1]), error);
	}
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "profile: give 'profile list', 'profile show NAME' or 'profile check "
			    "FILE'");
}

static bool takes_files(enum verb verb)
{
	return verb == VERB_CHECK || verb == VERB_IMPORTS;
}

static int take_files(struct options *options, const char **words, size_t count,
		      struct error **error)
{
	if (count == 0)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%s: which module? Give its file, as in kmodbox %s FILE.ko%s",
				    verb_name(options->verb), verb_name(options->verb),
				    options->verb == VERB_CHECK ? " -k KERNEL" : "");
	options->files = calloc(count, sizeof(*options->files));
	for (size_t i = 0; options->files && i < count; i++) {
		options->files[i] = strdup(words[i]);
		if (!options->files[i])
			return out_of_memory(error);
		options->file_count++;
	}
	return options->files ? 0 : out_of_memory(error);
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
	case RULE_PROFILE:
		return set_profile(options, value, error);
	case RULE_AGAINST:
		return replace(&options->against, strdup(value), error);
	case RULE_ARCHIVE:
		return replace(&options->archive, strdup(value), error);
	case RULE_DIRECTIVE:
		return add_directive(options, value, error);
	case RULE_TEMPLATE:
		return set_template(options, value, error);
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
		return error_refuse(error, EXIT_NO_SOURCE, ENOTSUP,
				    "option '%s' is not supported: %s", rule->name, rule->instead);
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
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "unknown option '%s'; 'kmodbox --help' lists them", argument);
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
		return error_refuse(error, EXIT_USAGE, EINVAL, "option '%s' needs a value",
				    rule->name);
	return apply_value(&parser->options, rule, value, error);
}

static int parse_word(struct parser *parser, const char *word, struct error **error)
{
	/* Profiles and files can be called as verbs are. */
	if (parser->options.verb == VERB_PROFILE || takes_files(parser->options.verb)) {
		parser->words[parser->word_count++] = word;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(word, verbs[i].name) != 0)
			continue;
		if (parser->options.verb != VERB_NONE)
			return error_refuse(error, EXIT_NO_CONF, EINVAL,
					    "verbs '%s' and '%s': give one of them",
					    verb_name(parser->options.verb), word);
		if (verbs[i].verb == VERB_NONE)
			return error_refuse(error, EXIT_USAGE, ENOTSUP,
					    "verb '%s' is not supported by this version", word);
		parser->options.verb = verbs[i].verb;
		return 0;
	}
	/* Now, not later: what follows are the command's options, not ours. */
	if (parser->options.verb == VERB_SANDBOX)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "'%s': the command of a sandbox stands behind '--', as in "
				    "kmodbox sandbox -- /bin/true",
				    word);
	parser->words[parser->word_count++] = word;
	return 0;
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
		if (strcmp(base, "dkms.conf") != 0 || !options_take_source(options->verb))
			return set_path(&options->archive, word, error);
		parent = base == word ? strdup(".") : strndup(word, (size_t)(base - word));
		return parent ? set_path(&options->source, parent, error) : out_of_memory(error);
	}
	if (options_take_source(options->verb) && has_type(word, S_IFDIR) &&
	    has_type(conf, S_IFREG))
		return set_path(&options->source, word, error);
	*ret_taken = false;
	return 0;
}

/* The word looks like a path, but there is nothing of use. */
static int refuse_path(enum verb verb, const char *word, struct error **error)
{
	struct stat status;

	if (stat(word, &status) < 0)
		return coded(error, EXIT_NO_SOURCE, error_set_errno(error, errno, "'%s'", word));
	if (!options_take_source(verb))
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "'%s' is no regular file; give an archive", word);
	if (S_ISDIR(status.st_mode))
		return error_refuse(error, EXIT_NO_CONF, ENOENT,
				    "directory '%s' has no dkms.conf; give a directory that has "
				    "one, an archive or MODULE/VERSION",
				    word);
	return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
			    "'%s' is neither a directory nor a regular file; give a directory "
			    "with a dkms.conf, an archive or MODULE/VERSION",
			    word);
}

/* As opposed to MODULE/VERSION, which may have a directory's name all the same. */
static bool is_path(const struct options *options, const char *word)
{
	const char *slash = strchr(word, '/');
	struct stat status;

	if (options->verb == VERB_LDTARBALL || word[0] == '/' || word[0] == '.' ||
	    (slash && strchr(slash + 1, '/')))
		return true;
	return (slash ? !name_is_safe(slash + 1) : !options->version) && stat(word, &status) == 0;
}

static int classify_word(struct options *options, const char *word, struct error **error)
{
	bool taken = false;
	int result;

	if (options_take_archive(options->verb) && !options->source && !options->archive) {
		result = take_source(options, word, &taken, error);
		if (result < 0 || taken)
			return result;
		if ((!options->module || options->verb == VERB_LDTARBALL) && is_path(options, word))
			return refuse_path(options->verb, word, error);
	}
	if (!options->module)
		return set_module(options, word, error);
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "what is '%s' for? The module is '%s' already; a version is given "
			    "as MODULE/VERSION or by -v",
			    word, options->module);
}

/* --archive is the file to read, or the name of what mktarball makes. */
static int finish_archive(struct options *options, struct error **error)
{
	cleanup_free char *given = TAKE_PTR(options->archive);

	if (!given)
		return 0;
	if (options->verb != VERB_MKTARBALL)
		return set_path(&options->archive, given, error);
	if (!name_is_safe(given))
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL,
				    "mktarball: --archive '%s' cannot be: it is the name of a "
				    "file that is made below DKMSTREE/MODULE/VERSION/tarball",
				    given);
	options->archive = TAKE_PTR(given);
	return 0;
}

/* What is added or installed elsewhere is taken as it is, and nothing done anew. */
static void finish_force(struct options *options)
{
	if (!options->force || (options->verb != VERB_MATCH && options->verb != VERB_AUTOINSTALL))
		return;
	options->force = false;
	if (options->ignored_count < OPTIONS_IGNORED)
		options->ignored[options->ignored_count++] = "--force";
}

static int finish(struct parser *parser, struct error **error)
{
	struct options *options = &parser->options;
	int result;

	if (options->verb == VERB_NONE && parser->word_count > 0)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "unknown verb '%s'; 'kmodbox --help' lists them",
				    parser->words[0]);
	if (options->verb == VERB_NONE)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "no verb; 'kmodbox --help' lists them");
	if (options->verb == VERB_HELP || options->verb == VERB_VERSION)
		return 0;
	options->dkms_tree_named = options->dkms_tree;
	result = options_check_combinations(options, error);
	if (result == 0)
		result = finish_archive(options, error);
	finish_force(options);
	if (result == 0 && options->verb == VERB_PROFILE)
		return take_action(options, parser->words, parser->word_count, error);
	if (result == 0 && takes_files(options->verb))
		return take_files(options, parser->words, parser->word_count, error);
	for (size_t i = 0; result == 0 && i < parser->word_count; i++)
		result = classify_word(options, parser->words[i], error);
	return result < 0 ? result : options_check_subject(options, error);
}

static int parse_arguments(struct parser *parser, struct error **error)
{
	bool ended = false; /* by "--": what follows is no option */
	int result = 0;

	while (result == 0 && parser->count > 0) {
		const char *argument = *parser->arguments++;
		const bool ends = !ended && strcmp(argument, "--") == 0;

		parser->count--;
		if (ends &&
		    (parser->options.verb == VERB_SANDBOX || parser->options.verb == VERB_SHELL)) {
			parser->options.command = parser->arguments;
			break;
		}
		ended = ended || ends;
		if (ends)
			continue;
		result = !ended && argument[0] == '-' && argument[1] != '\0'
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

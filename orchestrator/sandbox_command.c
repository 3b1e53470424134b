/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One command in a sandbox, see sandbox_command.h. Started by root it runs as a slot's uid, to whom
 * root's files below --ro and --rw appear as his own; started by a user it runs as that user.
 */
#include "orchestrator/sandbox_command.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "orchestrator/cgroup_delegation.h"
#include "orchestrator/helpers.h"
#include "orchestrator/launcher.h"
#include "orchestrator/printer.h"
#include "orchestrator/profiles.h"
#include "orchestrator/staging.h"
#include "sandbox/slot.h"

static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
	"HOME=/tmp", NULL
};

/* The command by name, looked for where the sandbox will look. */
static char *find_command(const char *name)
{
	static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
						   "/usr/bin",	      "/sbin",		"/bin" };

	if (strchr(name, '/'))
		return strdup(name);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		char *path = format_string("%s/%s", directories[i], name);
		struct stat status;

		if (path && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
		    (status.st_mode & 0111))
			return path;
		free(path);
	}
	return format_string("/usr/bin/%s", name);
}

static int drop_root(void *context, struct error **error)
{
	const struct accounts *accounts = context;

	return accounts_become(accounts, accounts->own, error);
}

static int finish(const struct sandbox_result *result, const struct log *log)
{
	cleanup_free char *ended = sandbox_result_describe(result);

	switch (result->end) {
	case SANDBOX_EXITED:
		return result->status;
	case SANDBOX_SIGNALLED:
		return 128 + result->status;
	case SANDBOX_LIMIT:
		log_warning(log, "the command %s", ended ? ended : "hit a limit");
		return EXIT_LIMIT;
	case SANDBOX_CANCELLED:
	default:
		return EXIT_INTERRUPTED;
	}
}

static void tell_denied(const struct sandbox_result *result, const struct log *log)
{
	cleanup_text struct text text = { 0 };

	if (result->denied && denied_append_summary(result->denied, &text) == 0)
		log_warning(log, "the command tried, and was refused: %s", text.data);
}

/* While there is still root: what --ro and --rw name, at paths that the sandbox's maker can walk.
 */
static int stage(char **paths, size_t count, int userns_fd, char **staged, struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = staging_show(paths[i], userns_fd, &staged[i], error);
	return r;
}

static int stage_all(const struct options *options, int userns_fd, char **staged,
		     struct error **error)
{
	int r = staging_begin(error);

	if (r == 0)
		r = stage(options->read_only, options->read_only_count, userns_fd, staged, error);
	if (r == 0)
		r = stage(options->read_write, options->read_write_count, userns_fd,
			  staged + options->read_only_count, error);
	return r;
}

static int run(const struct options *options, char **staged, struct sandbox_spec *spec,
	       int output_fd, struct sandbox_result *ret_result, struct error **error)
{
	const size_t read_only = options->read_only_count;
	cleanup_free struct sandbox_mount *mounts =
		calloc(options->read_only_count + options->read_write_count + 1, sizeof(*mounts));
	cleanup_free char *program = find_command(options->command[0]);
	cleanup_free const char **argv = NULL;
	struct printer printer = printer_begin(output_fd);
	size_t count = 0;
	int r;

	while (options->command[count])
		count++;
	argv = calloc(count + 1, sizeof(*argv));
	if (!mounts || !program || !argv)
		return error_set_errno(error, ENOMEM, "sandbox");
	memcpy(argv, options->command, count * sizeof(*argv));
	argv[0] = program;
	for (size_t i = 0; i < read_only + options->read_write_count; i++) {
		bool writable = i >= read_only;
		const char *path =
			writable ? options->read_write[i - read_only] : options->read_only[i];

		mounts[spec->mount_count++] = (struct sandbox_mount){
			.source = staged[i] ? staged[i] : path,
			.target = path,
			.writable = writable,
			.vouched = staged[i] != NULL,
		};
	}
	spec->mounts = mounts;
	spec->argv = argv;
	spec->output = printer_output;
	spec->output_context = &printer;
	r = sandbox_run(spec, ret_result, error);
	printer_end(&printer);
	return r;
}

/* A mistake of the caller's, apart from what the command itself can end with. */
static int check_paths(const char *option, char **paths, size_t count, struct error **error)
{
	for (size_t i = 0; i < count; i++)
		if (access(paths[i], F_OK) < 0)
			return error_refuse(error, EXIT_USAGE, errno, "%s %s: %s", option, paths[i],
					    strerror(errno));
	return 0;
}

static void begin_cgroup(const struct accounts *accounts, struct cgroup_delegation *cgroup)
{
	*cgroup = cgroup_delegation_find();
	cgroup_delegation_begin(cgroup, accounts->separate ? accounts->own : geteuid());
	cgroup_delegation_keep(cgroup);
}

static int prepare_and_run(const struct options *options, struct loaded_profile *profile,
			   int output_fd, struct sandbox_result *ret_result, struct error **error)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_places struct places places = PLACES_INITIAL;
	struct cgroup_delegation cgroup = CGROUP_DELEGATION_NONE;
	struct accounts accounts = { 0 };
	const size_t count = options->read_only_count + options->read_write_count;
	cleanup_free char **staged = calloc(count + 1, sizeof(*staged));
	int r;

	if (!staged)
		return error_set_errno(error, ENOMEM, "sandbox");
	r = check_paths("--ro", options->read_only, options->read_only_count, error);
	if (r == 0)
		r = check_paths("--rw", options->read_write, options->read_write_count, error);
	if (r == 0)
		r = accounts_choose_own(&accounts, error);
	if (r == 0)
		r = places_open_config(options, &places, error);
	if (r == 0)
		r = profiles_load(&places, options->profile ? options->profile : PROFILE_DEFAULT,
				  profile, error);
	/* What root shows is mapped to the slot; with nothing to show there needs to be none. */
	if (r == 0 && accounts.separate && count > 0)
		r = slot_new(accounts.own, accounts.own_slot, &spec.slot, error);
	if (r == 0 && accounts.separate && count > 0)
		r = stage_all(options, spec.slot.userns_fd, staged, error);
	if (r == 0)
		begin_cgroup(&accounts, &cgroup);
	/* Else root goes when the sandbox has begun: in a cgroup, or alone. */
	if (r == 0 && (!accounts.separate || (count > 0 && cgroup.fd < 0)))
		r = drop_root(&accounts, error);
	if (r == 0) {
		spec.cgroup_fd = cgroup.fd;
		spec.cgroup_absent_because = cgroup.absent_because;
		spec.alone_uid = accounts.own_slot;
		spec.give_up_root = drop_root;
		spec.root_context = &accounts;
		spec.environment = environment;
		spec.directory = options->directory;
		spec.seccomp = &profile->program;
		spec.optional = profile->settings.optional;
		spec.network = profile->settings.network == PROFILE_YES;
		spec.limits = profile->settings.limits;
		r = run(options, staged, &spec, output_fd, ret_result, error);
	}
	for (size_t i = 0; i < count; i++)
		free(staged[i]);
	slot_clear(&spec.slot);
	cgroup_delegation_end(&cgroup);
	return r;
}

static int failed(int result, const struct log *log, const struct error *error)
{
	log_error(log, error);
	if (result == -ENOEXEC && error_number(error) == ENOENT)
		return 127;
	return error_code(error) ? error_code(error) : EXIT_SANDBOX;
}

int sandbox_command(const struct options *options, const struct log *log,
		    sandbox_outcome_function *tell)
{
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;
	int r = prepare_and_run(options, &profile, tell ? STDERR_FILENO : STDOUT_FILENO, &result,
				&error);
	int code;

	if (r == 0 && options->verbose)
		tell_denied(&result, log);
	code = r < 0 ? failed(r, log, error) : finish(&result, log);
	if (tell)
		code = tell(&(struct sandbox_outcome){
			.options = options,
			.settings = profile.name ? &profile.settings : NULL,
			.result = r < 0 ? NULL : &result,
			.error = error,
			.exit_code = code,
		});
	if (r == 0)
		sandbox_result_clear(&result);
	return code;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb doctor, see doctor.h. A row of checks[] per fact; the layers are those that the sandbox
 * itself tells. Started by root it runs its sandbox under the accounts of a build.
 */
#include "orchestrator/doctor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/json.h"
#include "lib/base/syscalls.h"
#include "orchestrator/cgroup_delegation.h"
#include "orchestrator/doctor_kernels.h"
#include "orchestrator/helpers.h"
#include "orchestrator/launcher.h"
#include "orchestrator/staging.h"
#include "sandbox/killed.h"
#include "sandbox/remedy.h"
#include "sandbox/slot.h"

#define DOCTOR_SCHEMA 1
#define DOCTOR_MILLISECONDS 60000
#define DOCTOR_TREE "/var/lib/dkms/doctor"

#define DOCTOR_FACTS 16

/* What a check found: its value for --json, its line for a person. */
struct fact {
	json_t *value;
	struct text line;
};

struct doctor {
	const struct options *options;
	struct host host;
	struct fact facts[DOCTOR_FACTS]; /* as many as checks */
	bool ran;			 /* result is filled */
	bool made;			 /* and /bin/true ended well in it */
	struct sandbox_result result;
	json_t *kernels;
	struct error *problem;
};

struct check {
	const char *name;
	int (*look)(const struct doctor *doctor, json_t **ret_value, struct text *line);
};

/* ---- the sandbox */

static int run_true(struct doctor *doctor, struct sandbox_spec *spec, struct error **error)
{
	static const char *const argv[] = { "/bin/true", NULL };
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	static const struct sandbox_tree scratch = { .path = DOCTOR_TREE, .writable = true };
	/* Handed in as our own programs are, so that what protects those is looked at too. */
	cleanup_close int program_fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	cleanup_free char *ended = NULL;
	int r;

	if (program_fd < 0)
		return error_set_errno(error, errno, "%s", argv[0]);
	spec->exec_fd = program_fd;
	spec->argv = argv;
	spec->environment = environment;
	spec->trees = &scratch;
	spec->tree_count = 1;
	spec->toolchain_only = true;
	spec->limits.wall_milliseconds = DOCTOR_MILLISECONDS;
	r = sandbox_run(spec, &doctor->result, error);
	if (r < 0)
		return r;
	doctor->ran = true;
	ended = sandbox_result_describe(&doctor->result);
	doctor->made = doctor->result.end == SANDBOX_EXITED && doctor->result.status == 0;
	if (doctor->made)
		return 0;
	return error_refuse(error, EXIT_SANDBOX, EIO,
			    "the sandbox was made, but /bin/true in it %s: does it run outside?",
			    ended ? ended : "failed");
}

static int drop_root(void *context, struct error **error)
{
	const struct accounts *accounts = context;

	return accounts_become(accounts, accounts->orchestrator, error);
}

int doctor_try_open(struct error **error)
{
	int r = killed_try(KILLED_OPEN, error);

	if (r < 0) {
		remedy_explain(error, REMEDY_STEP, false);
		error_set_code(*error, EXIT_SANDBOX);
	}
	return r;
}

static int make_sandbox(struct doctor *doctor, struct error **error)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	struct cgroup_delegation cgroup = CGROUP_DELEGATION_NONE;
	struct accounts accounts = { 0 };
	int r = doctor_try_open(error);

	if (r == 0)
		r = accounts_choose(&accounts, error);
	if (r == 0)
		r = places_open_config(doctor->options, &places, error);
	if (r == 0)
		r = profiles_load(&places, PROFILE_DEFAULT, &profile, error);
	if (r == 0 && accounts.separate)
		r = staging_try(error);
	/* As a build does it. */
	if (r == 0)
		r = accounts.separate ? slot_new(accounts.orchestrator, accounts.build_slot,
						 &spec.slot, error)
				      : slot_new_own(&spec.slot, error);
	if (r == 0) {
		cgroup = cgroup_delegation_find();
		cgroup_delegation_begin(&cgroup,
					accounts.separate ? accounts.orchestrator : geteuid());
		cgroup_delegation_keep(&cgroup);
	}
	/* Into a cgroup the sandbox begins before root is given up. */
	if (r == 0 && accounts.separate && cgroup.fd < 0)
		r = drop_root(&accounts, error);
	spec.give_up_root = drop_root;
	spec.root_context = &accounts;
	spec.cgroup_fd = cgroup.fd;
	spec.cgroup_absent_because = cgroup.absent_because;
	spec.seccomp = &profile.program;
	spec.optional = profile.settings.optional;
	if (r == 0)
		r = run_true(doctor, &spec, error);
	slot_clear(&spec.slot);
	cgroup_delegation_end(&cgroup);
	return r;
}

/* ---- the facts */

static int look_at_kernel(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	*ret_value = json_string(doctor->host.release);
	return text_append_format(line, "Linux %s (kmodbox needs 5.14 or later)",
				  doctor->host.release);
}

static int look_at_container(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	const char *name = host_container_name(doctor->host.container);

	*ret_value = json_pack("s?", name);
	return text_append_string(line, name ? name : "none");
}

static int look_at_confinement(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	const struct host *host = &doctor->host;

	*ret_value = json_pack("{s:b, s:b, s:s, s:s, s:b}", "seccomp", host->seccomp == 2,
			       "no_new_privileges", host->no_new_privileges == 1, "label",
			       host->label, "unit", host->unit, "chroot", host->chroot);
	return text_append_format(
		line, "%s, %s, label '%s'%s%s%s",
		host->seccomp == 2 ? "filtered system calls" : "no filter of system calls",
		host->no_new_privileges == 1 ? "no_new_privs" : "no no_new_privs", host->label,
		host->unit[0] ? ", unit " : "", host->unit, host->chroot ? ", a chroot" : "");
}

static int look_at_user_namespaces(const struct doctor *doctor, json_t **ret_value,
				   struct text *line)
{
	const struct host *host = &doctor->host;
	const bool root = geteuid() == 0;
	int r = text_append_format(line, "%s",
				   root ? "slots, made by root" : "unprivileged, of one's own");

	*ret_value = json_pack("{s:s, s:I, s:I, s:I}", "made_by", root ? "root" : "user",
			       "max_user_namespaces", (json_int_t)host->user_namespaces,
			       "unprivileged_userns_clone", (json_int_t)host->unprivileged_clone,
			       "apparmor_restrict_unprivileged_userns",
			       (json_int_t)host->apparmor_restriction);
	if (r == 0 && host->user_namespaces != HOST_UNKNOWN)
		r = text_append_format(line, "; user.max_user_namespaces %lld",
				       (long long)host->user_namespaces);
	if (r == 0 && host->unprivileged_clone == 0)
		r = text_append_string(line, "; kernel.unprivileged_userns_clone 0: root only");
	if (r == 0 && host->apparmor_restriction == 1)
		r = text_append_string(line, "; kernel.apparmor_restrict_unprivileged_userns 1");
	return r;
}

/* Where this process is in the unified hierarchy: the path behind "0::". NULL: nowhere. */
static char *own_cgroup(const char *mounted)
{
	cleanup_close int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	cleanup_text struct text text = { 0 };
	char *rest;

	if (fd < 0 || read_fd(fd, 1 << 16, &text, NULL) < 0)
		return NULL;
	rest = text.data;
	for (char *entry = strsep(&rest, "\n"); entry; entry = strsep(&rest, "\n"))
		if (string_starts_with(entry, "0::/"))
			return format_string("%s%s", mounted, entry + 3);
	return NULL;
}

static int look_at_cgroup(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	static const char unified[] = "/sys/fs/cgroup/unified";
	cleanup_free char *path = NULL;
	struct statfs status;
	int version = 0;
	bool writable;

	(void)doctor;
	if (statfs("/sys/fs/cgroup", &status) == 0)
		version = status.f_type == CGROUP2_SUPER_MAGIC ? 2 : 1;
	if (version == 2)
		path = own_cgroup("/sys/fs/cgroup");
	else if (version == 1 && statfs(unified, &status) == 0 &&
		 status.f_type == CGROUP2_SUPER_MAGIC)
		path = own_cgroup(unified);
	writable = path && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
	*ret_value = json_pack("{s:i, s:b, s:s?}", "version", version, "writable", writable, "path",
			       path);
	if (version == 0)
		return text_append_string(line, "none");
	return text_append_format(line, "version %d%s; %s%s can be written to", version,
				  version == 1 && path ? " (and 2 beside it)" : "",
				  writable ? "the subtree " : "no subtree of version 2",
				  writable ? path : "");
}

static int look_at_landlock(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	int abi = killed_try(KILLED_LANDLOCK, NULL) < 0 ? -EPERM : sys_landlock_abi();

	(void)doctor;
	*ret_value = json_integer(abi < 0 ? 0 : abi);
	return abi < 0 ? text_append_string(line, "none") : text_append_format(line, "ABI %d", abi);
}

static int look_at_proc(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	const struct host *host = &doctor->host;

	*ret_value = json_pack("{s:b, s:b, s:b}", "mounted", host->has_proc, "masked",
			       host->proc_masked, "sysctls_read_only", host->proc_sys_read_only);
	return text_append_format(line, "%s%s%s", host->has_proc ? "mounted" : "not mounted",
				  host->proc_masked ? ", parts of it are hidden" : "",
				  host->proc_sys_read_only ? ", /proc/sys is read-only" : "");
}

static int look_at_memory(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	const uint64_t bytes = doctor->host.available_memory;

	*ret_value = json_integer((json_int_t)bytes);
	return bytes ? text_append_format(line, "%llu MiB available",
					  (unsigned long long)(bytes >> 20))
		     : text_append_string(line, "unknown");
}

/* The file system that a path will be on, of which not all need to be there yet. */
static bool free_space(const char *path, uint64_t *ret_bytes)
{
	cleanup_free char *known = strdup(path);
	struct statvfs status;

	while (known && statvfs(known, &status) < 0) {
		char *slash = strrchr(known, '/');

		if (!slash || slash == known)
			return false;
		*slash = '\0';
	}
	if (!known)
		return false;
	*ret_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	return true;
}

static int look_at_scratch(const struct doctor *doctor, json_t **ret_value, struct text *line)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_error struct error *error = NULL;
	cleanup_free char *path = NULL;
	uint64_t bytes = 0;

	if (places_open(doctor->options, false, &places, &error) < 0) {
		path = error_describe(error);
		*ret_value = json_pack("{s:n, s:I}", "path", "free", (json_int_t)0);
		return text_append_format(line, "in memory; on disk: none: %s", path ? path : "?");
	}
	path = format_string("%s/work/scratch", places.state);
	if (!path)
		return -ENOMEM;
	*ret_value = json_pack("{s:s, s:I}", "path", path, "free",
			       (json_int_t)(free_space(path, &bytes) ? bytes : 0));
	return text_append_format(line, "in memory; what is large, in %s (%llu MiB free)", path,
				  (unsigned long long)(bytes >> 20));
}

static const struct check checks[] = {
	{ "kernel", look_at_kernel },
	{ "container", look_at_container },
	{ "confinement", look_at_confinement },
	{ "user_namespaces", look_at_user_namespaces },
	{ "cgroups", look_at_cgroup },
	{ "landlock", look_at_landlock },
	{ "proc", look_at_proc },
	{ "memory", look_at_memory },
	{ "scratch", look_at_scratch },
};

_Static_assert(ARRAY_SIZE(checks) <= DOCTOR_FACTS, "each check has its fact");

/* Before the sandbox, for which root is given up. */
static int look_around(struct doctor *doctor)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++) {
		r = checks[i].look(doctor, &doctor->facts[i].value, &doctor->facts[i].line);
		if (r == 0 && !doctor->facts[i].value)
			r = -ENOMEM;
	}
	return r;
}

/* ---- what is shown */

static void print_kernels(const struct doctor *doctor)
{
	const json_t *kernel;
	size_t i;

	if (json_array_size(doctor->kernels) > 0)
		(void)printf("kernels:\n");
	json_array_foreach (doctor->kernels, i, kernel) {
		const char *release = json_string_value(json_object_get(kernel, "kernel"));
		const char *reason = json_string_value(json_object_get(kernel, "reason"));
		cleanup_free char *clean = sanitised(reason ? reason : "modules can be built");

		(void)printf("  %-16s  %s%s\n", release ? release : "?",
			     reason ? "no module can be built: " : "", clean ? clean : "");
	}
}

static int print_text(const struct doctor *doctor)
{
	int r = 0;

	(void)printf("sandbox: %s\n", doctor->made ? "can be made" : "cannot be made");
	for (size_t i = 0; doctor->ran && r == 0 && i < doctor->result.layer_count; i++) {
		const struct sandbox_layer *layer = &doctor->result.layers[i];
		cleanup_text struct text remedy = { 0 };

		if (layer->active) {
			(void)printf("  active  %-26s  %s\n", layer->name, layer->reason);
			continue;
		}
		r = remedy_find_layer(&doctor->host, layer->name, &remedy);
		(void)printf("  absent  %-26s  %s%s%s%s\n", layer->name, layer->absent_because,
			     remedy.length ? " (remedy: " : "", remedy.length ? remedy.data : "",
			     remedy.length ? ")" : "");
	}
	(void)printf("host:\n");
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		cleanup_free char *clean = sanitised(doctor->facts[i].line.data);

		(void)printf("  %-16s  %s\n", checks[i].name, clean ? clean : "");
	}
	print_kernels(doctor);
	return r < 0 || fflush(stdout) == 0 ? r : -errno;
}

static json_t *layers_to_json(const struct doctor *doctor)
{
	json_t *layers = json_array();
	size_t count = doctor->ran ? doctor->result.layer_count : 0;

	for (size_t i = 0; i < count; i++) {
		const struct sandbox_layer *layer = &doctor->result.layers[i];
		cleanup_text struct text remedy = { 0 };

		if (!layer->active && remedy_find_layer(&doctor->host, layer->name, &remedy) < 0)
			continue;
		(void)json_array_append_new(
			layers,
			json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "name", layer->name, "reason",
				  layer->reason, "active", layer->active, "absent_because",
				  layer->absent_because, "remedy", remedy.data));
	}
	return layers;
}

static int print_json(const struct doctor *doctor)
{
	cleanup_free char *problem = doctor->problem ? error_describe(doctor->problem) : NULL;
	cleanup_free char *clean = problem ? sanitised(problem) : NULL;
	cleanup_json json_t *facts = json_object();
	cleanup_json json_t *whole = NULL;
	cleanup_free char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (json_object_set(facts, checks[i].name, doctor->facts[i].value) < 0)
			return -ENOMEM;
	whole = json_pack("{s:s, s:i, s:b, s:s?, s:o, s:O, s:O}", "schema", "kmodbox-doctor",
			  "schema_version", DOCTOR_SCHEMA, "can_build", doctor->made, "problem",
			  clean, "layers", layers_to_json(doctor), "host", facts, "kernels",
			  doctor->kernels);
	text = whole ? json_to_text(whole) : NULL;
	if (!text)
		return -ENOMEM;
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? -errno : 0;
}

static int show(const struct doctor *doctor)
{
	if (doctor->options->json)
		return print_json(doctor);
	return doctor->options->quiet ? 0 : print_text(doctor);
}

static void clear(struct doctor *doctor)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		json_decref(doctor->facts[i].value);
		text_clear(&doctor->facts[i].line);
	}
	if (doctor->ran)
		sandbox_result_clear(&doctor->result);
	json_decref(doctor->kernels);
	doctor->problem = error_free(doctor->problem);
}

int doctor(const struct options *options, const struct log *log)
{
	struct doctor doctor = { .options = options };
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int code = 0;
	int r;

	host_look(root_fd, &doctor.host);
	r = look_around(&doctor);
	/* Before the sandbox, for which root is given up. */
	if (r == 0) {
		doctor.kernels = doctor_kernels(options);
		r = doctor.kernels ? 0 : -ENOMEM;
	}
	if (r == 0 && make_sandbox(&doctor, &doctor.problem) < 0)
		code = EXIT_SANDBOX;
	if (r == 0)
		r = show(&doctor);
	if (r < 0) {
		(void)error_set_errno(&doctor.problem, -r, "doctor");
		code = code ? code : EXIT_INFRASTRUCTURE;
	}
	if (doctor.problem)
		log_error(log, doctor.problem);
	clear(&doctor);
	return code;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The build itself, see build_step.h. */
#include "orchestrator/build_step.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/files.h"
#include "lib/recipes/snapshot.h"

#define MODULE_MAXIMUM (UINT64_C(256) << 20)
#define MODULES_MAXIMUM (UINT64_C(1) << 30) /* of one build together: they are kept in memory */
#define WRAPPERS "/run/kmodbox/bin"
#define ENVIRONMENT_MAXIMUM 16
#define NAME_WIDTH 24 /* "4294967295.ko" and more */
#define PATH_OF_BUILDS WRAPPERS ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * MAKE sees the variables that DKMS's shell has when it evaluates it; only those that DKMS exports
 * are in the environment. $1 is the command.
 */
static const char build_script[] =
	"dkms_tree=/var/lib/dkms source_tree=/usr/src install_tree=/lib/modules\n"
	"kernel_source_dir=/lib/modules/$kernelver/build\n"
	"kernel_config=$kernel_source_dir/.config\n"
	"build_dir=$PWD PACKAGE_NAME=$module PACKAGE_VERSION=$module_version\n"
	"eval \"$1\"\n";

/*
 * pahole -j, which kbuild runs where the headers ship a vmlinux, orders .BTF by thread timing:
 * 7 of 16 builds differed on 6.12. One thread always gives the same bytes.
 */
static const char pahole_wrapper[] = "#!/bin/bash\n"
				     "arguments=()\n"
				     "for argument; do\n"
				     "\tcase $argument in\n"
				     "\t-j* | --jobs*) ;;\n"
				     "\t*) arguments+=(\"$argument\") ;;\n"
				     "\tesac\n"
				     "done\n"
				     "exec /usr/bin/pahole \"${arguments[@]}\"\n";

struct environment {
	char *values[ENVIRONMENT_MAXIMUM + 1];
	size_t count;
};

static int environment_set(struct environment *environment, const char *name, const char *value)
{
	char *entry = format_string("%s=%s", name, value);

	if (!entry || environment->count == ENVIRONMENT_MAXIMUM) {
		free(entry);
		return -ENOMEM;
	}
	environment->values[environment->count++] = entry;
	return 0;
}

static void environment_clear(struct environment *environment)
{
	for (size_t i = 0; i < environment->count; i++)
		free(environment->values[i]);
}

static int fill_environment(const struct build *build, struct environment *environment)
{
	const struct kernel *kernel = build->target->kernel;
	int r = environment_set(environment, "PATH", PATH_OF_BUILDS);

	r = r ? r : environment_set(environment, "LC_ALL", "C");
	r = r ? r : environment_set(environment, "HOME", "/tmp");
	r = r ? r : environment_set(environment, "kernelver", kernel->release);
	r = r ? r : environment_set(environment, "arch", build->target->architecture);
	r = r ? r : environment_set(environment, "module", build->recipe->package_name);
	r = r ? r : environment_set(environment, "module_version", build->recipe->package_version);
	r = r ? r : environment_set(environment, "CC", kernel->clang ? "clang" : kernel->compiler);
	r = r ? r
	      : environment_set(environment, "KERNEL_CC",
				kernel->clang ? "clang" : kernel->compiler);
	if (kernel->linker_lld) {
		r = r ? r : environment_set(environment, "LD", "ld.lld");
		r = r ? r : environment_set(environment, "KERNEL_LD", "ld.lld");
	}
	return r;
}

/* A leading "make" gets the jobs and the kernel; 'make' in quotes is left alone. As DKMS. */
static char *rewrite_make(const struct build *build)
{
	const char *make = build->recipe->make;
	const char *llvm = build->target->kernel->clang ? " LLVM=1" : "";

	if (!string_starts_with(make, "make"))
		return format_string("%s%s", make, llvm);
	return format_string("make -j%u KERNELRELEASE=%s%s%s", build->jobs, build->target->release,
			     make + strlen("make"), llvm);
}

static unsigned choose_jobs(const struct options *options)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (options->jobs_given && options->jobs > 0)
		return options->jobs;
	return processors > 0 ? (unsigned)processors : 1;
}

static int fill_source(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;

	return snapshot_unpack(build->snapshot_fd, directory_fd, error);
}

static int fill_wrappers(void *context, int directory_fd, struct error **error)
{
	(void)context;
	if (access("/usr/bin/pahole", X_OK) < 0)
		return 0;
	return write_file_atomically(directory_fd, "pahole", pahole_wrapper, strlen(pahole_wrapper),
				     0755, error);
}

struct view {
	struct sandbox_tree trees[3];
	struct sandbox_mount mounts[16];
	size_t mount_count;
	struct sandbox_symlink symlinks[3];
	size_t symlink_count;
	char *paths[8]; /* owned texts of the above */
	size_t path_count;
};

/* Takes over a text that the view points to; NULL where memory is out. */
static const char *keep(struct view *view, char *path)
{
	if (!path || view->path_count == ARRAY_SIZE(view->paths)) {
		free(path);
		return NULL;
	}
	return view->paths[view->path_count++] = path;
}

static void view_clear(struct view *view)
{
	for (size_t i = 0; i < view->path_count; i++)
		free(view->paths[i]);
}

/* /lib/modules/K/build and source lead to the headers, unless they are there themselves. */
static int link_headers(struct view *view, const struct kernel *kernel, struct error **error)
{
	const char *const links[][2] = { { "build", kernel->build }, { "source", kernel->source } };

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const char *path = keep(view, format_string("/usr/lib/modules/%s/%s",
							    kernel->release, links[i][0]));

		if (!path)
			return error_set_errno(error, ENOMEM, "view of the build");
		if (links[i][1] && !string_equal(path, links[i][1]))
			view->symlinks[view->symlink_count++] =
				(struct sandbox_symlink){ path, links[i][1] };
	}
	return 0;
}

static int fill_view(struct build *build, struct view *view, struct error **error)
{
	const struct kernel *kernel = build->target->kernel;
	const char *name = build->recipe->package_name;
	const char *version = build->recipe->package_version;
	const char *directory =
		keep(view, format_string("/var/lib/dkms/%s/%s/build", name, version));
	const char *link = keep(view, format_string("/var/lib/dkms/%s/%s/source", name, version));
	const char *source = keep(view, format_string("/usr/src/%s-%s", name, version));
	int r;

	if (!directory || !link || !source)
		return error_set_errno(error, ENOMEM, "view of the build");
	view->trees[0] = (struct sandbox_tree){
		.path = directory, .writable = true, .fill = fill_source, .context = build
	};
	view->trees[1] =
		(struct sandbox_tree){ .path = source, .fill = fill_source, .context = build };
	view->trees[2] = (struct sandbox_tree){ .path = WRAPPERS, .fill = fill_wrappers };
	view->symlinks[view->symlink_count++] = (struct sandbox_symlink){ link, source };
	r = link_headers(view, kernel, error);
	if (r < 0)
		return r;
	if (kernel->mount_count > ARRAY_SIZE(view->mounts))
		return error_set(error, E2BIG, "headers of %s come in %zu parts", kernel->release,
				 kernel->mount_count);
	for (size_t i = 0; i < kernel->mount_count; i++)
		view->mounts[view->mount_count++] =
			(struct sandbox_mount){ .source = kernel->mounts[i].source,
						.target = kernel->mounts[i].target };
	return 0;
}

/* Turns how the sandbox ended into the error that the user reads. */
static int judge(struct build *build, const char *what, struct error **error)
{
	cleanup_free char *ended = sandbox_result_describe(&build->result);
	cleanup_free char *reason = build_log_reason(&build->log);
	int code = EXIT_MAKE_FAILED;

	if (build->result.end == SANDBOX_EXITED && build->result.status == 0)
		return 0;
	if (build->result.end == SANDBOX_LIMIT)
		code = EXIT_LIMIT;
	else if (build->result.end == SANDBOX_CANCELLED)
		code = EXIT_INTERRUPTED;
	if (code == EXIT_MAKE_FAILED && reason)
		(void)error_set(error, ECHILD, "%s", reason);
	else
		(void)error_set(error, ECHILD, "%s %s", what, ended ? ended : "failed");
	if (error)
		error_set_code(*error, code);
	return -ECHILD;
}

static int run_make(struct build *build, struct view *view, const struct environment *environment,
		    struct error **error)
{
	const char *const argv[] = { "/bin/bash",  "--norc", "--noprofile",  "-c",
				     build_script, "build",  build->command, NULL };
	struct sandbox_spec spec = build->orchestrator->sandbox;

	spec.argv = argv;
	spec.environment = (const char *const *)environment->values;
	spec.directory = view->trees[0].path;
	spec.trees = view->trees;
	spec.tree_count = ARRAY_SIZE(view->trees);
	spec.mounts = view->mounts;
	spec.mount_count = view->mount_count;
	spec.symlinks = view->symlinks;
	spec.symlink_count = view->symlink_count;
	spec.toolchain_only = true;
	spec.output = build_log_output;
	spec.output_context = &build->log;
	return sandbox_run(&spec, &build->result, error);
}

/* What module index may have beside the others. Holes cost scratch nothing, but here they do. */
static uint64_t module_maximum(const struct build *build, size_t index)
{
	uint64_t rest = MODULES_MAXIMUM;

	for (size_t i = 0; i < build->recipe->module_count; i++)
		rest -= i == index ? 0 : build->artifacts[i].size;
	return rest < MODULE_MAXIMUM ? rest : MODULE_MAXIMUM;
}

static int collect_modules(struct build *build, struct error **error)
{
	const struct recipe *recipe = build->recipe;
	int r = 0;

	build->artifacts = calloc(recipe->module_count, sizeof(*build->artifacts));
	if (!build->artifacts)
		return error_set_errno(error, ENOMEM, "artifacts");
	for (size_t i = 0; i < recipe->module_count; i++)
		build->artifacts[i].fd = -1;
	for (size_t i = 0; r == 0 && i < recipe->module_count; i++) {
		cleanup_free char *path =
			format_string("%s%s.ko", recipe->modules[i].built_location,
				      recipe->modules[i].built_name);

		if (!path)
			return error_set_errno(error, ENOMEM, "artifacts");
		r = collect_file(build->result.tree_fds[0], path, module_maximum(build, i),
				 &build->artifacts[i], error);
		/* strip would fail on it without a word. */
		if (r == 0 && build->artifacts[i].size == 0) {
			r = error_set(error, ENODATA, "the build left %s empty; see its log", path);
			if (error)
				error_set_code(*error, EXIT_NO_MODULE);
		}
	}
	return r;
}

int build_step_run(struct build *build, struct error **error)
{
	cleanup(view_clear) struct view view = { 0 };
	cleanup(environment_clear) struct environment environment = { 0 };
	int r;

	build->jobs = choose_jobs(build->orchestrator->options);
	build->command = rewrite_make(build);
	if (!build->command || fill_environment(build, &environment) < 0)
		return error_set_errno(error, ENOMEM, "build");
	r = fill_view(build, &view, error);
	if (r < 0)
		return r;
	build_log_note(&build->log, "# command: %s", build->command);
	build->started = (uint64_t)time(NULL);
	r = run_make(build, &view, &environment, error);
	build->finished = (uint64_t)time(NULL);
	if (r < 0)
		return r;
	if (build->result.end == SANDBOX_LIMIT)
		build_log_note(&build->log, "\n# limit: %s", build->result.limit);
	build_log_note(&build->log, "# exit code: %d",
		       build->result.end == SANDBOX_EXITED ? build->result.status : -1);
	r = judge(build, "make", error);
	return r < 0 ? r : collect_modules(build, error);
}

/* All modules under numbers, so that no name of theirs reaches a command line. */
static int fill_modules(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < build->recipe->module_count; i++) {
		cleanup_free char *name = format_string("%zu.ko", i);
		cleanup_close int fd = -1;

		if (!name)
			return error_set_errno(error, ENOMEM, "strip");
		r = open_beneath(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, error);
		if (r == 0)
			r = copy_bytes(fd, build->artifacts[i].fd, build->artifacts[i].size, error);
	}
	return r;
}

static int take_stripped(struct build *build, const struct sandbox_result *result,
			 struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < build->recipe->module_count; i++) {
		cleanup_free char *name = format_string("%zu.ko", i);
		struct artifact stripped = { .fd = -1 };

		if (!build->recipe->modules[i].strip)
			continue;
		if (!name)
			return error_set_errno(error, ENOMEM, "strip");
		r = collect_file(result->tree_fds[0], name, module_maximum(build, i), &stripped,
				 error);
		if (r < 0)
			return r;
		artifact_clear(&build->artifacts[i]);
		build->artifacts[i] = stripped;
	}
	return r;
}

/* "/usr/bin/strip: 0.ko: file truncated": which module that is, and why. */
static void explain_strip(const struct build *build, struct error **error)
{
	for (size_t i = 0; error && i < build->recipe->module_count; i++) {
		cleanup_free char *number = format_string(": %zu.ko: ", i);
		const char *reason = number ? strstr(build->log.last_line, number) : NULL;

		if (reason)
			(void)error_context(error, "%s.ko is no module that can be stripped: %s",
					    build->recipe->modules[i].built_name,
					    reason + strlen(number));
	}
}

int build_step_strip(struct build *build, struct error **error)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	const size_t count = build->recipe->module_count;
	const struct sandbox_tree tree = {
		.path = "/strip", .writable = true, .fill = fill_modules, .context = build
	};
	cleanup_free const char **argv = calloc(count + 3, sizeof(*argv));
	cleanup_text struct text names = { 0 };
	struct sandbox_spec spec = build->orchestrator->sandbox;
	struct sandbox_result result;
	size_t arguments = 0;
	int r;

	if (!argv)
		return error_set_errno(error, ENOMEM, "strip");
	argv[arguments++] = build->target->kernel->clang ? "/usr/bin/llvm-strip" : "/usr/bin/strip";
	argv[arguments++] = "-g";
	for (size_t i = 0; i < count; i++) {
		/* Fixed width, so that the texts do not move while they grow. */
		char name[NAME_WIDTH] = { 0 };

		(void)snprintf(name, sizeof(name), "%zu.ko", i);
		if (text_append(&names, name, sizeof(name)) < 0)
			return error_set_errno(error, ENOMEM, "strip");
	}
	for (size_t i = 0; i < count; i++) {
		if (build->recipe->modules[i].strip)
			argv[arguments++] = names.data + i * NAME_WIDTH;
	}
	if (arguments == 2)
		return 0;
	spec.argv = argv;
	spec.environment = environment;
	spec.directory = "/strip";
	spec.trees = &tree;
	spec.tree_count = 1;
	spec.toolchain_only = true;
	spec.output = build_log_output;
	spec.output_context = &build->log;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	if (result.end != SANDBOX_EXITED || result.status != 0) {
		cleanup_free char *ended = sandbox_result_describe(&result);

		r = error_set(error, ECHILD, "strip %s", ended ? ended : "failed");
		explain_strip(build, error);
		if (error)
			error_set_code(*error, result.end == SANDBOX_CANCELLED ? EXIT_INTERRUPTED
									       : EXIT_NO_MODULE);
	} else {
		r = take_stripped(build, &result, error);
	}
	sandbox_result_clear(&result);
	return r;
}

void build_clear(struct build *build)
{
	for (size_t i = 0; build->artifacts && i < build->recipe->module_count; i++)
		artifact_clear(&build->artifacts[i]);
	free(build->artifacts);
	free(build->command);
	if (build->result.end)
		sandbox_result_clear(&build->result);
	build_log_close(&build->log);
}

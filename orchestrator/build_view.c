/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package's code sees, see build_view.h. */
#include "orchestrator/build_view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/source.h"

#define OWN "/run/kmodbox" /* our own files: bin/, overlay/ (OVERLAY_PATH), environment */
#define PATH_OF_BUILDS OWN "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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

/* build.sh as a string, so that kmodbox needs no file of it where it runs. */
extern const char build_shell[];
__asm__(".pushsection .rodata\n"
	".globl build_shell\n"
	".type build_shell, %object\n"
	"build_shell:\n"
	".incbin \"orchestrator/build.sh\"\n"
	".byte 0\n"
	".size build_shell, . - build_shell\n"
	".popsection\n");

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "view of the build");
}

/* Takes over a text that the view points to; NULL where memory is out. */
static char *keep(struct build_view *view, char *path)
{
	if (!path || view->path_count == ARRAY_SIZE(view->paths)) {
		free(path);
		return NULL;
	}
	return view->paths[view->path_count++] = path;
}

static int fill_source(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;

	return snapshot_unpack(build->snapshot_fd, directory_fd, true, error);
}

static int fill_build(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;
	int r = snapshot_unpack(build->snapshot_fd, directory_fd, true, error);

	return r < 0 ? r : overlay_write_patches(build->overlay, directory_fd, error);
}

static int write_wrapper(int directory_fd, struct error **error)
{
	cleanup_close int fd = -1;
	int r = access("/usr/bin/pahole", X_OK);

	if (r < 0)
		return 0;
	r = open_beneath(directory_fd, "bin/pahole", O_WRONLY | O_CREAT | O_EXCL, 0755, &fd, error);
	if (r < 0)
		return r;
	r = write_all(fd, pahole_wrapper, strlen(pahole_wrapper));
	return r < 0 ? error_set_errno(error, -r, "wrapper of pahole") : 0;
}

static int fill_own(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;
	const char *environment = build->orchestrator->build_environment;
	cleanup_close int overlay_fd = -1, fd = -1;
	int r;

	if (mkdirat(directory_fd, "bin", 0755) < 0 || mkdirat(directory_fd, "overlay", 0755) < 0)
		return error_set_errno(error, errno, OWN);
	r = write_wrapper(directory_fd, error);
	if (r == 0)
		r = open_beneath(directory_fd, "overlay", O_RDONLY | O_DIRECTORY, 0, &overlay_fd,
				 error);
	if (r == 0)
		r = overlay_write_scripts(build->overlay, overlay_fd, error);
	if (r < 0 || !environment)
		return r;
	r = open_beneath(directory_fd, "environment", O_WRONLY | O_CREAT | O_EXCL, 0644, &fd,
			 error);
	if (r < 0)
		return r;
	r = write_all(fd, environment, strlen(environment));
	return r < 0 ? error_set_errno(error, -r, "build_environment") : 0;
}

/* V/K/A as DKMS has it when POST_BUILD runs. */
static int fill_module(void *context, int directory_fd, struct error **error)
{
	(void)context;
	if (mkdirat(directory_fd, "module", 0755) < 0 || mkdirat(directory_fd, "log", 0755) < 0)
		return error_set_errno(error, errno, "module");
	return 0;
}

static int set(struct build_view *view, const char *name, const char *value)
{
	char *entry = format_string("%s=%s", name, value);

	if (!entry || view->environment_count == BUILD_VIEW_ENVIRONMENT) {
		free(entry);
		return -ENOMEM;
	}
	view->environment[view->environment_count++] = entry;
	return 0;
}

static int set_package(const struct build *build, struct build_view *view)
{
	const struct target *target = build->target;
	int r = set(view, "kernelver", target->release);

	r = r ? r : set(view, "arch", target->architecture);
	r = r ? r : set(view, "module", build->recipe->package_name);
	return r ? r : set(view, "module_version", build->recipe->package_version);
}

static int set_fixed(const struct build *build, struct build_view *view)
{
	const struct module_settings *settings = build->settings;
	bool dated = false;
	int r = set(view, "PATH", PATH_OF_BUILDS);

	r = r ? r : set(view, "LC_ALL", "C");
	r = r ? r : set(view, "HOME", "/tmp");
	for (size_t i = 0; r == 0 && i < settings->environment_count; i++) {
		if (view->environment_count == BUILD_VIEW_ENVIRONMENT)
			return -ENOMEM;
		view->environment[view->environment_count] = strdup(settings->environment[i]);
		r = view->environment[view->environment_count] ? 0 : -ENOMEM;
		view->environment_count += r == 0;
		dated = dated || string_starts_with(settings->environment[i], "SOURCE_DATE_EPOCH=");
	}
	/* As the times of the source's files. openafs puts the day it is built into its module. */
	return r || dated ? r : set(view, "SOURCE_DATE_EPOCH", "1");
}

static int set_compiler(const struct kernel *kernel, struct build_view *view)
{
	const char *compiler = kernel->clang ? "clang" : kernel->compiler;
	int r = set(view, "CC", compiler);

	r = r ? r : set(view, "KERNEL_CC", compiler);
	if (kernel->linker_lld) {
		r = r ? r : set(view, "LD", "ld.lld");
		r = r ? r : set(view, "KERNEL_LD", "ld.lld");
	}
	return r;
}

/* /lib/modules/K/build and source lead to the headers, unless they are there themselves. */
static int link_headers(struct build_view *view, const struct kernel *kernel, struct error **error)
{
	const char *const links[][2] = { { "build", kernel->build }, { "source", kernel->source } };

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const char *path = keep(view, format_string("/usr/lib/modules/%s/%s",
							    kernel->release, links[i][0]));

		if (!path)
			return out_of_memory(error);
		if (links[i][1] && !string_equal(path, links[i][1]))
			view->symlinks[view->symlink_count++] =
				(struct sandbox_symlink){ path, links[i][1] };
	}
	return 0;
}

/* The headers, and what the package depends on. */
static int show_mounts(const struct build *build, struct build_view *view, struct error **error)
{
	const struct kernel *kernel = build->target->kernel;
	const struct dependencies *dependencies = build->dependencies;
	size_t headers = kernel ? kernel->mount_count : 0;

	view->mounts = calloc(headers + dependencies->mount_count + 1, sizeof(*view->mounts));
	if (!view->mounts)
		return out_of_memory(error);
	for (size_t i = 0; i < headers; i++)
		view->mounts[view->mount_count++] =
			(struct sandbox_mount){ .source = kernel->mounts[i].source,
						.target = kernel->mounts[i].target };
	for (size_t i = 0; i < dependencies->mount_count; i++)
		view->mounts[view->mount_count++] = dependencies->mounts[i];
	return kernel ? link_headers(view, kernel, error) : 0;
}

/* Where the build directory is: NULL for memory. */
static int choose_place(const struct build *build, const char **ret_place, struct error **error)
{
	const char *disk = build->orchestrator->scratch_place;

	*ret_place = NULL;
	if (build->settings->place == SCRATCH_MEMORY)
		return 0;
	if (build->settings->place == SCRATCH_DISK) {
		if (!disk)
			return error_refuse(error, EXIT_INFRASTRUCTURE, ENOENT,
					    "there is no place on disk for builds: remove 'place = "
					    "disk' from the module's settings");
		*ret_place = disk;
		return 0;
	}
	*ret_place = source_place(build->orchestrator, build->snapshot_fd);
	return 0;
}

/* The shell, and what all that it does is about. */
static int set_shell(const struct build *build, struct build_view *view)
{
	const char *const shell[BUILD_SHELL_ARGUMENTS] = {
		"/bin/bash",
		"--norc",
		"--noprofile",
		"-c",
		build_shell,
		"build",
		build->target->release,
		build->target->architecture,
		build->recipe->package_name,
		build->recipe->package_version,
		keep(view, format_string("%u", build->jobs)),
	};

	memcpy(view->shell, shell, sizeof(shell));
	return shell[BUILD_SHELL_ARGUMENTS - 1] ? 0 : -ENOMEM;
}

static int set_trees(struct build *build, struct build_view *view, struct error **error)
{
	const char *name = build->recipe->package_name;
	const char *version = build->recipe->package_version;
	char *source = keep(view, format_string("/usr/src/%s-%s", name, version));

	view->source_link = keep(view, format_string("/var/lib/dkms/%s/%s/source", name, version));
	if (!source || !view->source_link || set_shell(build, view) < 0)
		return out_of_memory(error);
	view->trees[TREE_SOURCE] = (struct sandbox_tree){ .path = source,
							  .writable = build->writable_source,
							  .fill = fill_source,
							  .context = build };
	view->trees[TREE_OWN] =
		(struct sandbox_tree){ .path = OWN, .fill = fill_own, .context = build };
	view->symlinks[view->symlink_count++] =
		(struct sandbox_symlink){ view->source_link, source };
	return 0;
}

int build_view_make(struct build *build, struct build_view *view, struct error **error)
{
	const struct recipe *recipe = build->recipe;
	const struct target *target = build->target;
	char *directory = keep(view, format_string("/var/lib/dkms/%s/%s/build",
						   recipe->package_name, recipe->package_version));
	char *built = keep(view, format_string("/var/lib/dkms/%s/%s/%s/%s", recipe->package_name,
					       recipe->package_version, target->release,
					       target->architecture));
	const char *place;
	int r;

	view->module_path = keep(view, format_string("%s/module", built ? built : ""));
	if (!directory || !built || !view->module_path || set_fixed(build, view) < 0 ||
	    set_package(build, view) < 0 || set_compiler(target->kernel, view) < 0)
		return out_of_memory(error);
	r = choose_place(build, &place, error);
	if (r == 0)
		r = set_trees(build, view, error);
	if (r == 0)
		r = show_mounts(build, view, error);
	if (r < 0)
		return r;
	build->on_disk = place != NULL;
	view->trees[TREE_SOURCE].place = place;
	view->trees[TREE_BUILD] = (struct sandbox_tree){ .path = directory,
							 .writable = true,
							 .place = place,
							 .fill = fill_build,
							 .context = build };
	view->trees[TREE_MODULE] =
		(struct sandbox_tree){ .path = built, .writable = true, .fill = fill_module };
	view->tree_count = recipe->scripts[RECIPE_POST_BUILD] ? BUILD_TREES : TREE_MODULE;
	return 0;
}

int build_view_make_script(struct build *build, struct build_view *view, bool tell_kernel,
			   struct error **error)
{
	int r;

	if (set_fixed(build, view) < 0 || (tell_kernel && set_package(build, view) < 0))
		return out_of_memory(error);
	r = set_trees(build, view, error);
	if (r == 0)
		r = show_mounts(build, view, error);
	if (r < 0)
		return r;
	view->trees[TREE_SOURCE].writable = false;
	view->trees[TREE_SOURCE].place = source_place(build->orchestrator, build->snapshot_fd);
	view->tree_count = TREE_BUILD;
	return 0;
}

void build_view_apply(const struct build_view *view, struct sandbox_spec *spec)
{
	spec->environment = (const char *const *)view->environment;
	spec->trees = view->trees;
	spec->tree_count = view->tree_count;
	spec->mounts = view->mounts;
	spec->mount_count = view->mount_count;
	spec->symlinks = view->symlinks;
	spec->symlink_count = view->symlink_count;
	spec->toolchain_only = true;
}

void build_view_clear(struct build_view *view)
{
	for (size_t i = 0; i < view->path_count; i++)
		free(view->paths[i]);
	for (size_t i = 0; i < view->environment_count; i++)
		free(view->environment[i]);
	free(view->mounts);
	*view = (struct build_view){ 0 };
}

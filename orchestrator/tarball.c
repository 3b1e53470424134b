/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout of DKMS's archives, see tarball.h. */
#include "orchestrator/tarball.h"

#include <stdlib.h>
#include <string.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/artifacts/ticket.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"

#define NAME_MAXIMUM 127 /* name_is_safe() */
#define LIST_MAXIMUM 198 /* behind that DKMS says manykernels */

static int refuse(struct error **error, const char *path, const char *reason)
{
	cleanup_free char *shown = sanitised(path);

	return error_refuse(error, EXIT_BAD_ARCHIVE, EINVAL, "the archive's '%s' %s",
			    shown ? shown : "?", reason);
}

static int no_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "list of the archive");
}

/* The last one: a snapshot lists what belongs together together. */
static struct tarball_build *last_build(struct tarball *tarball, const char *kernel,
					const char *architecture)
{
	struct tarball_build *last;

	if (tarball->build_count == 0)
		return NULL;
	last = &tarball->builds[tarball->build_count - 1];
	return string_equal(last->kernel, kernel) && string_equal(last->architecture, architecture)
		       ? last
		       : NULL;
}

static int begin_build(struct tarball *tarball, const char *path, const char *kernel,
		       const char *architecture, struct error **error)
{
	struct tarball_build *builds, *build;

	if (!name_is_safe(kernel) || !name_is_safe(architecture) ||
	    strlen(architecture) >= TICKET_ARCHITECTURE)
		return refuse(error, path,
			      "names a kernel or architecture that cannot be; letters, digits and "
			      "_.+~:- can");
	if (tarball->build_count == TARBALL_BUILDS)
		return refuse(error, path, "is one build too many");
	builds = reallocarray(tarball->builds, tarball->build_count + 1, sizeof(*builds));
	if (!builds)
		return no_memory(error);
	tarball->builds = builds;
	build = &builds[tarball->build_count++];
	*build = (struct tarball_build){ .kernel = strdup(kernel),
					 .architecture = strdup(architecture) };
	return build->kernel && build->architecture ? 0 : no_memory(error);
}

/* path: what a refusal names. */
static int add_name(char ***names, size_t *count, size_t maximum, const char *path,
		    const char *name, size_t length, struct error **error)
{
	cleanup_free char *copy = strndup(name, length);
	char **grown;

	if (!copy)
		return no_memory(error);
	if (!name_is_safe(copy))
		return refuse(error, path,
			      "is no name for a module; letters, digits and _.+~:- can be used");
	if (*count == maximum)
		return refuse(error, path, "is one too many for a build");
	grown = reallocarray(*names, *count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(error);
	*names = grown;
	grown[(*count)++] = TAKE_PTR(copy);
	return 0;
}

static int add_module(struct tarball_build *build, const char *path, const char *name,
		      struct error **error)
{
	return add_name(&build->modules, &build->module_count, TICKET_FILES, path, name,
			strlen(name) - strlen(".ko"), error);
}

static int add_need(struct tarball_build *build, const char *path, const char *name,
		    struct error **error)
{
	return add_name(&build->needs, &build->need_count, TARBALL_NEEDS, path, name, strlen(name),
			error);
}

/* rest: what stands behind dkms_main_tree/K/A/ */
static int note_file(struct tarball_build *build, char type, const char *path, const char *rest,
		     struct error **error)
{
	const char *name = rest + strlen("module/");
	const bool in_modules = string_starts_with(rest, "module/") && !strchr(name, '/');
	const bool is_need = string_starts_with(rest, BUILD_DEPENDENCY_MARK) && !strchr(rest, '/');

	if ((in_modules || is_need) && type == 'l')
		return refuse(error, path,
			      "is a link; modules and .dep_ files are taken as files alone");
	if (type == 'd' || type == 'l')
		return 0;
	if (in_modules && string_ends_with(name, ".ko"))
		return add_module(build, path, name, error);
	if (is_need)
		return add_need(build, path, rest + strlen(BUILD_DEPENDENCY_MARK), error);
	if (string_equal(rest, "module/Module.symvers"))
		build->has_symvers = true;
	if (string_equal(rest, "log/make.log"))
		build->has_log = true;
	return 0;
}

/* rest: what stands behind dkms_main_tree/ */
static int note_build(struct tarball *tarball, char type, const char *path, const char *rest,
		      struct error **error)
{
	cleanup_free char *kernel = strdup(rest);
	char *architecture = kernel ? strchr(kernel, '/') : NULL;
	struct tarball_build *build;
	char *behind;
	int r = 0;

	if (!kernel)
		return no_memory(error);
	if (!architecture)
		return 0; /* a kernel, or a file that old versions of DKMS put there */
	*architecture++ = '\0';
	behind = strchr(architecture, '/');
	if (behind)
		*behind++ = '\0';
	build = last_build(tarball, kernel, architecture);
	if (!build && type == 'd' && !behind)
		r = begin_build(tarball, path, kernel, architecture, error);
	return r < 0 || !build || !behind ? r : note_file(build, type, path, behind, error);
}

static int note_top(struct tarball *tarball, const char *path, struct error **error)
{
	const size_t length = strcspn(path, "/");

	if (!tarball->top) {
		tarball->top = strndup(path, length);
		return tarball->top ? 0 : no_memory(error);
	}
	if (strncmp(tarball->top, path, length) != 0 || tarball->top[length] != '\0')
		tarball->several = true;
	return 0;
}

int tarball_note(struct tarball *tarball, char type, const char *path, struct error **error)
{
	const bool is_file = type == 'f' || type == 'x';
	const char *slash = strchr(path, '/');

	if (string_starts_with(path, TARBALL_MAIN_TREE "/")) {
		int r = note_build(tarball, type, path, path + strlen(TARBALL_MAIN_TREE "/"),
				   error);
		if (r < 0)
			return r;
	}
	if (is_file && string_equal(path, TARBALL_SOURCE_TREE "/dkms.conf"))
		tarball->at_top[TARBALL_SOURCE] = true;
	else if (is_file && string_equal(path, TARBALL_BINARIES_ONLY "/dkms.conf"))
		tarball->at_top[TARBALL_BINARIES] = true;
	else if (is_file && string_equal(path, "dkms.conf"))
		tarball->at_top[TARBALL_NONE] = true;
	else if (is_file && slash && string_equal(slash, "/dkms.conf"))
		tarball->at_top[TARBALL_PLAIN] = true;
	return note_top(tarball, path, error);
}

int tarball_finish(struct tarball *tarball, struct error **error)
{
	const char *directory = NULL;

	if (tarball->at_top[TARBALL_SOURCE]) {
		tarball->kind = TARBALL_SOURCE;
		directory = TARBALL_SOURCE_TREE;
	} else if (tarball->at_top[TARBALL_BINARIES]) {
		tarball->kind = TARBALL_BINARIES;
		directory = TARBALL_BINARIES_ONLY;
	} else if (tarball->at_top[TARBALL_NONE]) {
		tarball->kind = TARBALL_PLAIN;
		directory = "";
	} else if (tarball->at_top[TARBALL_PLAIN] && !tarball->several) {
		tarball->kind = TARBALL_PLAIN;
		directory = tarball->top;
	}
	if (!directory)
		return error_refuse(error, EXIT_NO_MODULE, EINVAL,
				    "the archive has no dkms.conf in " TARBALL_SOURCE_TREE
				    "/ or " TARBALL_BINARIES_ONLY
				    "/, nor at its top: it was not made by mktarball, and is no "
				    "source of a module");
	tarball->directory = strdup(directory);
	return tarball->directory ? 0 : no_memory(error);
}

struct reading {
	struct tarball *tarball;
	struct error **error;
};

static int visit(void *context, char type, const char *path, uint64_t length)
{
	struct reading *reading = context;

	(void)length;
	return tarball_note(reading->tarball, type, path, reading->error);
}

int tarball_read(int snapshot_fd, struct tarball *ret_tarball, struct error **error)
{
	cleanup_tarball struct tarball tarball = { 0 };
	struct reading reading = { .tarball = &tarball, .error = error };
	int r = snapshot_walk(snapshot_fd, visit, &reading, error);

	if (r == 0)
		r = tarball_finish(&tarball, error);
	if (r < 0)
		return r;
	*ret_tarball = tarball;
	tarball = (struct tarball){ 0 };
	return 0;
}

void tarball_clear(struct tarball *tarball)
{
	for (size_t i = 0; i < tarball->build_count; i++) {
		struct tarball_build *build = &tarball->builds[i];

		for (size_t m = 0; m < build->module_count; m++)
			free(build->modules[m]);
		for (size_t n = 0; n < build->need_count; n++)
			free(build->needs[n]);
		free(build->modules);
		free(build->needs);
		free(build->kernel);
		free(build->architecture);
	}
	free(tarball->builds);
	free(tarball->directory);
	free(tarball->top);
	*tarball = (struct tarball){ 0 };
}

char *tarball_build_directory(const char *kernel, const char *architecture)
{
	return format_string(TARBALL_MAIN_TREE "/%s/%s", kernel, architecture);
}

static char *name_of(const char *module, const char *version, const char *list)
{
	return format_string("%s-%s-%s.dkms.tar.gz", module, version, list);
}

char *tarball_name(const char *module, const char *version, const char *const *kernels,
		   const char *const *architectures, size_t count)
{
	cleanup_text struct text list = { 0 };
	cleanup_free char *name = NULL;

	for (size_t i = 0; i < count; i++)
		if (text_append_format(&list, "%skernel%s-%s", i > 0 ? "-" : "", kernels[i],
				       architectures[i]) < 0)
			return NULL;
	if (count == 0)
		return name_of(module, version, "source-only");
	name = name_of(module, version, list.data);
	if (!name)
		return NULL;
	return list.length > LIST_MAXIMUM || strlen(name) > NAME_MAXIMUM
		       ? name_of(module, version, "manykernels")
		       : TAKE_PTR(name);
}

const char *tarball_compression(const char *name)
{
	static const char *const compressions[][2] = {
		{ ".gz", "gzip" },   { ".tgz", "gzip" }, { ".taz", "gzip" },
		{ ".bz2", "bzip2" }, { ".xz", "xz" },	 { ".tbz2", "bzip2" },
		{ ".txz", "xz" },    { ".zst", "zstd" }, { ".tzst", "zstd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++)
		if (string_ends_with(name, compressions[i][0]))
			return compressions[i][1];
	return "none";
}

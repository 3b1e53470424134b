/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Weak modules, see weak.h. */
#include "orchestrator/weak.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "orchestrator/installed.h"

#define WEAK_DIRECTORY "weak-updates"

struct search {
	int dkms_fd;
	int install_fd;
	struct installed *installed; /* compares */
	char **kernels;		     /* those with a WEAK_DIRECTORY, sorted */
	size_t kernel_count;
	struct state_list list;
};

static void search_clear(struct search *search)
{
	for (size_t i = 0; i < search->kernel_count; i++)
		free(search->kernels[i]);
	free(search->kernels);
	search->installed = installed_free(search->installed);
	state_list_clear(&search->list);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int add_kernel(struct search *search, const char *kernel)
{
	char **grown =
		reallocarray(search->kernels, search->kernel_count + 1, sizeof(*search->kernels));

	if (!grown)
		return -ENOMEM;
	search->kernels = grown;
	grown[search->kernel_count] = strdup(kernel);
	return grown[search->kernel_count] ? (search->kernel_count++, 0) : -ENOMEM;
}

static int find_kernels(struct search *search, const char *wanted, struct error **error)
{
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = list_open(search->install_fd, ".", &list, error);

	while (r == 0 && (name = list_next(list))) {
		cleanup_free char *path = format_string("%s/" WEAK_DIRECTORY, name);
		struct stat status;

		if (!path)
			r = -ENOMEM;
		else if (name_is_safe(name) && (!wanted || strcmp(name, wanted) == 0) &&
			 fstatat(search->install_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			 S_ISDIR(status.st_mode))
			r = add_kernel(search, name);
	}
	if (r == -ENOMEM)
		return error_set_errno(error, ENOMEM, "weak modules");
	if (search->kernel_count > 1)
		qsort(search->kernels, search->kernel_count, sizeof(*search->kernels),
		      compare_names);
	return r;
}

/* Is the file of the build linked for that kernel, with these bytes? */
static bool is_linked(struct search *search, const char *kernel, int module_fd, const char *file)
{
	cleanup_free char *path = format_string("%s/" WEAK_DIRECTORY "/%s", kernel, file);
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	cleanup_close int linked = -1;
	cleanup_close int built = -1;
	struct stat status;

	if (!path || fstatat(search->install_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISLNK(status.st_mode) || fstatat(search->install_fd, path, &status, 0) < 0 ||
	    !S_ISREG(status.st_mode) || open_beneath(module_fd, file, flags, 0, &built, NULL) < 0)
		return false;
	/* A link of root's in root's tree, followed on purpose: weak modules are links. */
	linked = openat(search->install_fd, path, flags);
	return linked >= 0 && installed_same_bytes(search->installed, linked, built);
}

static int add_entry(struct search *search, const struct state_entry *build, const char *kernel,
		     struct error **error)
{
	struct state_entry entry = { .module = strdup(build->module),
				     .version = strdup(build->version),
				     .kernel = strdup(kernel),
				     .architecture = strdup(build->architecture),
				     .state = STATE_INSTALLED,
				     .weak_from = strdup(build->kernel) };
	struct state_list one = { .entries = &entry, .count = 1 };
	struct state_entry *grown = reallocarray(search->list.entries, search->list.count + 1,
						 sizeof(*search->list.entries));

	if (grown)
		search->list.entries = grown;
	if (!grown || !entry.module || !entry.version || !entry.kernel || !entry.architecture ||
	    !entry.weak_from) {
		state_entry_clear(one.entries);
		return error_set_errno(error, ENOMEM, "weak modules");
	}
	grown[search->list.count++] = entry;
	return 0;
}

/* On which of the kernels are all modules of this build linked? */
static int check_build(struct search *search, const struct state_entry *build, struct error **error)
{
	cleanup_free char *path = format_string("%s/%s/%s/%s/module", build->module, build->version,
						build->kernel, build->architecture);
	cleanup_close int module_fd = -1;
	int r = 0;

	if (!path)
		return error_set_errno(error, ENOMEM, "weak modules");
	if (open_beneath(search->dkms_fd, path, O_RDONLY | O_DIRECTORY, 0, &module_fd, NULL) < 0)
		return 0; /* gone meanwhile */
	for (size_t i = 0; r == 0 && i < search->kernel_count; i++) {
		cleanup_list DIR *list = NULL;
		const char *name;
		bool all = true;
		size_t files = 0;

		r = list_open(module_fd, ".", &list, error);
		while (r == 0 && all && (name = list_next(list))) {
			if (installed_stem_length(name) == 0)
				continue;
			files++;
			all = is_linked(search, search->kernels[i], module_fd, name);
		}
		if (r == 0 && all && files > 0)
			r = add_entry(search, build, search->kernels[i], error);
	}
	return r;
}

int weak_list_load(int dkms_fd, int install_fd, const char *module, const char *version,
		   const char *kernel, const char *architecture, struct state_list *ret_list,
		   struct error **error)
{
	const struct state_trees trees = { .dkms_fd = dkms_fd, .source_fd = -1, .install_fd = -1 };
	cleanup(search_clear) struct search search = { .dkms_fd = dkms_fd,
						       .install_fd = install_fd };
	struct state_list builds = { 0 };
	int r = install_fd < 0 ? 0 : find_kernels(&search, kernel, error);

	if (r == 0 && search.kernel_count > 0) {
		search.installed = installed_new(install_fd);
		r = search.installed ? state_list_load(&trees, module, version, NULL, architecture,
						       &builds, error)
				     : error_set_errno(error, ENOMEM, "weak modules");
	}
	for (size_t i = 0; r == 0 && i < builds.count; i++)
		if (builds.entries[i].state == STATE_INSTALLED)
			r = check_build(&search, &builds.entries[i], error);
	state_list_clear(&builds);
	if (r < 0)
		return r;
	*ret_list = search.list;
	search.list = (struct state_list){ 0 };
	return 0;
}

int weak_is_installed(int dkms_fd, int install_fd, const char *module, const char *version,
		      const char *kernel, const char *architecture, bool *ret_installed,
		      struct error **error)
{
	struct state_list list = { 0 };
	int r = weak_list_load(dkms_fd, install_fd, module, version, kernel, architecture, &list,
			       error);

	if (r < 0)
		return r;
	*ret_installed = list.count > 0;
	state_list_clear(&list);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists kernels, see kernel_list.h. Their headers are looked at by who loads them. */
#include "orchestrator/kernel_list.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"

static int compare(const void *a, const void *b)
{
	const char *const *first = a;
	const char *const *second = b;

	return strcmp(*first, *second);
}

static int add(struct kernel_list *list, int directory_fd, const char *name)
{
	cleanup_free char *path = format_string("%s/build", name);
	struct stat status;
	char **releases;

	if (!path)
		return -ENOMEM;
	/* A link is enough: what it leads to is for the trusted opener. */
	if (!name_is_safe(name) || fstatat(directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	releases = reallocarray(list->releases, list->count + 1, sizeof(*releases));
	if (!releases)
		return -ENOMEM;
	list->releases = releases;
	releases[list->count] = strdup(name);
	return releases[list->count] ? (list->count++, 0) : -ENOMEM;
}

static int add_all(struct kernel_list *list, int root_fd, const char *path, uid_t owner,
		   struct error **error)
{
	cleanup_close int directory_fd = -1;
	cleanup_list DIR *names = NULL;
	const char *name;
	int r = open_trusted(root_fd, path, owner, O_RDONLY | O_DIRECTORY, &directory_fd, NULL,
			     NULL);

	if (r == 0)
		r = list_open(directory_fd, ".", &names, NULL);
	if (r == -ENOENT)
		return 0;
	while (r == 0 && (name = list_next(names)))
		r = add(list, directory_fd, name);
	return r < 0 ? error_set_errno(error, -r, "list of kernels: %s", path) : 0;
}

/* What is below both directories stands twice. */
static void remove_doubles(struct kernel_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && string_equal(list->releases[kept - 1], list->releases[i]))
			free(list->releases[i]);
		else
			list->releases[kept++] = list->releases[i];
	}
	list->count = kept;
}

int kernel_list_load(const struct places *places, uid_t owner, struct kernel_list *ret_list,
		     struct error **error)
{
	cleanup_close int top_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_kernel_list struct kernel_list list = { 0 };
	cleanup_close int root_fd = -1;
	int r;

	if (top_fd < 0)
		return error_set_errno(error, errno, "list of kernels");
	r = open_trusted(top_fd, places->kernel_root, owner, O_PATH | O_DIRECTORY, &root_fd, NULL,
			 error);
	if (r == 0)
		r = add_all(&list, root_fd, places->module_tree, owner, error);
	/* As kernel_load(): where /lib is no link, as in a root that packages were unpacked to. */
	if (r == 0 && string_equal(places->module_tree, "/lib/modules"))
		r = add_all(&list, root_fd, "/usr/lib/modules", owner, error);
	if (r < 0)
		return r;
	if (list.count > 0)
		qsort(list.releases, list.count, sizeof(*list.releases), compare);
	remove_doubles(&list);
	*ret_list = list;
	list = (struct kernel_list){ 0 };
	return 0;
}

void kernel_list_clear(struct kernel_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->releases[i]);
	free(list->releases);
	*list = (struct kernel_list){ 0 };
}

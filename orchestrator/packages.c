/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module versions that are added, see packages.h. */
#include "orchestrator/packages.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/files.h"
#include "lib/recipes/version.h"

static bool is_last(const struct package *packages, size_t count, const struct state_entry *entry)
{
	return count > 0 && string_equal(packages[count - 1].module, entry->module) &&
	       string_equal(packages[count - 1].version, entry->version);
}

static int open_package(const struct places *places, int root_fd, uid_t owner,
			const struct state_entry *entry, struct package *ret_package)
{
	cleanup_free char *link =
		format_string("%s/%s/%s/source", places->dkms_tree, entry->module, entry->version);
	struct package package = { .module = strdup(entry->module),
				   .version = strdup(entry->version),
				   .source_fd = -1 };

	if (!link || !package.module || !package.version) {
		free(package.module);
		free(package.version);
		return -ENOMEM;
	}
	/* Broken ones are known too; who needs the source says what is wrong. */
	ignore_result(open_trusted(root_fd, link, owner, O_RDONLY | O_DIRECTORY, &package.source_fd,
				   NULL, NULL));
	*ret_package = package;
	return 0;
}

int packages_open(const struct places *places, uid_t owner, struct package **ret_packages,
		  size_t *ret_count, struct error **error)
{
	const struct state_trees trees = { .dkms_fd = places->dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct package *packages = NULL;
	struct state_list list = { 0 };
	size_t count = 0;
	int r;

	if (root_fd < 0)
		return error_set_errno(error, errno, "/");
	r = state_list_load(&trees, NULL, NULL, NULL, NULL, &list, error);
	if (r == 0 && list.count > 0) {
		packages = calloc(list.count, sizeof(*packages));
		r = packages ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		/* The builds of a version stand together. */
		if (is_last(packages, count, &list.entries[i]))
			continue;
		r = open_package(places, root_fd, owner, &list.entries[i], &packages[count]);
		count += r == 0;
	}
	state_list_clear(&list);
	if (r < 0) {
		packages_close(packages, count);
		return error && *error ? r : error_set_errno(error, -r, "modules that are added");
	}
	*ret_packages = packages;
	*ret_count = count;
	return 0;
}

const struct package *packages_find(const struct orchestrator *orchestrator, const char *module,
				    const char *version)
{
	const struct package *found = NULL;

	for (size_t i = 0; i < orchestrator->package_count; i++) {
		const struct package *package = &orchestrator->packages[i];

		if (!string_equal(package->module, module))
			continue;
		if (version ? string_equal(package->version, version)
			    : !found || version_compare(package->version, found->version) > 0)
			found = package;
	}
	return found;
}

void packages_close(struct package *packages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(packages[i].module);
		free(packages[i].version);
		(void)close_fd(packages[i].source_fd);
	}
	free(packages);
}

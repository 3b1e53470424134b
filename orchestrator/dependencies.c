/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The packages that a build needs, see dependencies.h. */
#include "orchestrator/dependencies.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/ticket.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/version.h"

/* Where a ticket has its source digest: ticket.h. */
#define TICKET_MAGIC "kmodbox-ticket-1"
#define TICKET_SOURCE (16 + 8 + 8 + 3 * TICKET_NAME + TICKET_ARCHITECTURE)

/* One search. */
struct search {
	const struct orchestrator *orchestrator;
	const struct target *target;
	struct dependencies found;
};

static int out_of_memory(struct error **error)
{
	return error_set(error, ENOMEM, "out of memory");
}

static void dependency_clear(struct dependency *dependency)
{
	for (size_t i = 0; i < dependency->file_count; i++) {
		free(dependency->file_names[i]);
		(void)close_fd(dependency->file_fds[i]);
	}
	free(dependency->file_names);
	free(dependency->file_fds);
	free(dependency->module);
	free(dependency->version);
	(void)close_fd(dependency->ticket_fd);
}

void dependencies_clear(struct dependencies *dependencies)
{
	for (size_t i = 0; i < dependencies->count; i++)
		dependency_clear(&dependencies->list[i]);
	for (size_t i = 0; i < dependencies->path_count; i++)
		free(dependencies->paths[i]);
	free(dependencies->list);
	free(dependencies->paths);
	free(dependencies->mounts);
	*dependencies = (struct dependencies){ 0 };
}

/* The version of module that counts: the furthest state for the target, then the highest. */
static int find_version(const struct search *search, const char *module, char **ret_version,
			enum state *ret_state, struct error **error)
{
	const struct state_trees trees = { .dkms_fd = search->orchestrator->places.dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	const struct target *target = search->target;
	const struct state_entry *best = NULL;
	struct state_list list = { 0 };
	int r = state_list_load(&trees, module, NULL, target->release, target->architecture, &list,
				error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct state_entry *entry = &list.entries[i];

		if (!best || entry->state > best->state ||
		    (entry->state == best->state &&
		     version_compare(entry->version, best->version) > 0))
			best = entry;
	}
	*ret_state = best ? best->state : STATE_ABSENT;
	*ret_version = best ? strdup(best->version) : NULL;
	r = best && !*ret_version ? out_of_memory(error) : 0;
	state_list_clear(&list);
	return r;
}

static int add_mount(struct search *search, char *source, char *target, struct error **error)
{
	struct dependencies *found = &search->found;
	struct sandbox_mount *mounts =
		realloc(found->mounts, (found->mount_count + 1) * sizeof(*mounts));
	char **paths = realloc(found->paths, (found->path_count + 2) * sizeof(*paths));

	if (mounts)
		found->mounts = mounts;
	if (paths)
		found->paths = paths;
	if (!mounts || !paths || !source || !target) {
		free(source);
		free(target);
		return out_of_memory(error);
	}
	mounts[found->mount_count++] =
		(struct sandbox_mount){ .source = source, .target = target, .vouched = true };
	paths[found->path_count++] = source;
	paths[found->path_count++] = target;
	return 0;
}

/* Where below the source tree a version's `source` leads; NULL: not there. */
static char *source_below(const struct orchestrator *orchestrator, const char *module,
			  const char *version)
{
	const char *tree = orchestrator->places.source_tree;
	cleanup_free char *link = format_string("%s/%s/source", module, version);
	char target[PATH_MAX];
	size_t length = strlen(tree);
	ssize_t read = link ? readlinkat(orchestrator->places.dkms_tree_fd, link, target,
					 sizeof(target) - 1)
			    : -1;

	if (read > 0) {
		target[read] = '\0';
		if (strncmp(target, tree, length) == 0 && target[length] == '/' &&
		    path_is_safe(target + length + 1, strlen(target + length + 1)))
			return strdup(target + length + 1);
	}
	return format_string("%s-%s", module, version);
}

/* Its build trees, and its source where there is one. */
static int show(struct search *search, const char *module, const char *version,
		struct error **error)
{
	const struct orchestrator *orchestrator = search->orchestrator;
	cleanup_free char *source = source_below(orchestrator, module, version);
	cleanup_close int fd = -1;
	int r;

	if (!orchestrator->shown_dkms_tree || !orchestrator->shown_source_tree)
		return 0;
	if (!source)
		return out_of_memory(error);
	r = add_mount(search, format_string("%s/%s", orchestrator->shown_dkms_tree, module),
		      format_string("/var/lib/dkms/%s", module), error);
	if (r < 0 || open_beneath(orchestrator->places.source_tree_fd, source, O_PATH | O_DIRECTORY,
				  0, &fd, NULL) < 0)
		return r;
	return add_mount(search, format_string("%s/%s", orchestrator->shown_source_tree, source),
			 format_string("/usr/src/%s-%s", module, version), error);
}

static int take_file(struct dependency *dependency, int module_fd, const char *name,
		     struct error **error)
{
	cleanup_close int fd = -1, sealed_fd = -1;
	size_t count = dependency->file_count;
	char **names;
	uint64_t size;
	int *fds;
	int r = open_regular_beneath(module_fd, name, BUILD_MODULE_MAXIMUM, &fd, &size, error);

	if (r == 0)
		r = memfd_from_file(name, fd, size, &sealed_fd, error);
	if (r < 0)
		return r;
	names = realloc(dependency->file_names, (count + 1) * sizeof(*names));
	if (names)
		dependency->file_names = names;
	fds = realloc(dependency->file_fds, (count + 1) * sizeof(*fds));
	if (fds)
		dependency->file_fds = fds;
	if (!names || !fds || !(names[count] = strdup(name)))
		return out_of_memory(error);
	fds[count] = TAKE_FD(sealed_fd);
	dependency->file_count++;
	return 0;
}

static bool is_module(const char *name)
{
	return string_ends_with(name, ".ko") || string_ends_with(name, ".ko.xz") ||
	       string_ends_with(name, ".ko.zst") || string_ends_with(name, ".ko.gz");
}

static int take_files(struct dependency *dependency, int build_fd, struct error **error)
{
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = list_open(build_fd, "module", &list, error);

	while (r == 0 && (name = list_next(list))) {
		if (!is_module(name))
			continue;
		if (dependency->file_count == TICKET_FILES)
			return error_set(error, E2BIG, "more than %u modules", TICKET_FILES);
		r = take_file(dependency, dirfd(list), name, error);
	}
	return r == 0 && errno ? error_set_errno(error, errno, "its modules") : r;
}

static int take_ticket(struct dependency *dependency, int build_fd, struct error **error)
{
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t length;
	uint64_t size;
	int r = open_regular_beneath(build_fd, "ticket", TICKET_MAXIMUM, &fd, &size, error);

	if (r == 0)
		r = memfd_from_file("ticket", fd, size, &dependency->ticket_fd, error);
	if (r == 0)
		r = digest_file(dependency->ticket_fd, &dependency->ticket, error);
	if (r == 0)
		r = memfd_map(dependency->ticket_fd, TICKET_MAXIMUM, &bytes, &length, error);
	if (r < 0)
		return r;
	if (length < TICKET_SOURCE + DIGEST_SIZE ||
	    memcmp(bytes, TICKET_MAGIC, strlen(TICKET_MAGIC)) != 0)
		r = error_set(error, EBADMSG, "its ticket is none: build it again");
	else
		memcpy(dependency->source.bytes, bytes + TICKET_SOURCE, DIGEST_SIZE);
	memfd_unmap(bytes, length);
	return r;
}

/* What it built for the target. */
static int take_build(const struct search *search, struct dependency *dependency,
		      struct error **error)
{
	const struct orchestrator *orchestrator = search->orchestrator;
	cleanup_free char *path =
		format_string("%s/%s/%s/%s", dependency->module, dependency->version,
			      search->target->release, search->target->architecture);
	cleanup_close int build_fd = -1;
	struct stat status;
	int r;

	if (!path)
		return out_of_memory(error);
	r = open_beneath(orchestrator->places.dkms_tree_fd, path, O_RDONLY | O_DIRECTORY, 0,
			 &build_fd, error);
	if (r == 0 && fstatat(build_fd, "ticket", &status, AT_SYMLINK_NOFOLLOW) < 0) {
		log_warning(orchestrator->log,
			    "%s/%s was not built by kmodbox: what it exports cannot be used until "
			    "it is (kmodbox build --force %s/%s)",
			    dependency->module, dependency->version, dependency->module,
			    dependency->version);
		return 0;
	}
	if (r == 0)
		r = take_ticket(dependency, build_fd, error);
	if (r == 0)
		r = take_files(dependency, build_fd, error);
	return r < 0 ? error_context(error, "what %s/%s built for %s", dependency->module,
				     dependency->version, search->target->release)
		     : 0;
}

static bool is_known(const struct search *search, const char *module)
{
	for (size_t i = 0; i < search->found.count; i++) {
		if (string_equal(search->found.list[i].module, module))
			return true;
	}
	return false;
}

static int refuse(const struct search *search, const char *module, const char *version,
		  enum state state, enum state enough, struct error **error)
{
	const char *verb = enough == STATE_INSTALLED ? "install" : "build";

	if (state < STATE_ADDED)
		return error_refuse(
			error, EXIT_MISSING_DEPENDS, ENOENT,
			"it needs %s, which is not added: kmodbox add -m %s -v VERSION, "
			"then kmodbox %s",
			module, module, verb);
	return error_refuse(error, EXIT_MISSING_DEPENDS, ENOENT,
			    "it needs %s, which is not %s for %s: kmodbox %s %s/%s -k %s", module,
			    enough == STATE_INSTALLED ? "installed" : "built",
			    search->target->release, verb, module, version,
			    search->target->release);
}

/* enough STATE_ABSENT: only look. */
static int take(struct search *search, const char *module, enum state enough, struct error **error)
{
	struct dependency dependency = { .ticket_fd = -1 };
	struct dependency *grown;
	cleanup_free char *version = NULL;
	enum state state;
	int r = find_version(search, module, &version, &state, error);

	if (r < 0)
		return r;
	if (state < enough)
		return refuse(search, module, version, state, enough, error);
	if (is_known(search, module) || state < STATE_ADDED)
		return 0;
	grown = realloc(search->found.list, (search->found.count + 1) * sizeof(*grown));
	if (!grown)
		return out_of_memory(error);
	search->found.list = grown;
	dependency.module = strdup(module);
	dependency.version = TAKE_PTR(version);
	if (!dependency.module)
		r = out_of_memory(error);
	if (r == 0)
		r = show(search, module, dependency.version, error);
	if (r == 0 && enough >= STATE_BUILT)
		r = take_build(search, &dependency, error);
	if (r < 0)
		dependency_clear(&dependency);
	else
		search->found.list[search->found.count++] = dependency;
	return r;
}

static int finish(struct search *search, int r, struct dependencies *ret_dependencies)
{
	if (r < 0)
		dependencies_clear(&search->found);
	else
		*ret_dependencies = search->found;
	return r;
}

int dependencies_require(const struct orchestrator *orchestrator, const struct target *target,
			 const struct module_settings *settings, const struct recipe *recipe,
			 struct dependencies *ret_dependencies, struct error **error)
{
	struct search search = { .orchestrator = orchestrator, .target = target };
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->depend_count; i++) {
		if (string_equal(recipe->depends[i], recipe->package_name))
			r = error_refuse(error, EXIT_MISSING_DEPENDS, ELOOP,
					 "BUILD_DEPENDS names %s itself: remove it from dkms.conf",
					 recipe->package_name);
		else
			r = take(&search, recipe->depends[i], STATE_INSTALLED, error);
	}
	for (size_t i = 0; r == 0 && i < settings->depend_count; i++)
		r = take(&search, settings->depends[i], STATE_BUILT, error);
	return finish(&search, r, ret_dependencies);
}

int dependencies_glance(const struct orchestrator *orchestrator, const struct target *target,
			const struct module_settings *settings,
			struct dependencies *ret_dependencies, struct error **error)
{
	struct search search = { .orchestrator = orchestrator, .target = target };
	int r = 0;

	for (size_t i = 0; r == 0 && i < settings->depend_count; i++)
		r = take(&search, settings->depends[i], STATE_ABSENT, error);
	return finish(&search, r, ret_dependencies);
}

struct signer_dependency *dependencies_files(const struct dependencies *dependencies,
					     size_t *ret_count)
{
	struct signer_dependency *files;
	size_t count = 0;

	for (size_t i = 0; i < dependencies->count; i++)
		count += dependencies->list[i].file_count;
	files = calloc(count + 1, sizeof(*files));
	*ret_count = files ? count : 0;
	count = 0;
	for (size_t i = 0; files && i < dependencies->count; i++) {
		const struct dependency *dependency = &dependencies->list[i];

		for (size_t j = 0; j < dependency->file_count; j++)
			files[count++] =
				(struct signer_dependency){ .name = dependency->file_names[j],
							    .ticket_fd = dependency->ticket_fd,
							    .file_fd = dependency->file_fds[j] };
	}
	return files;
}

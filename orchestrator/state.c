/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DKMS tree, read: see state.h. What dkms derives with globs and tests of the shell is derived
 * here with one listing per directory. The tree is root's, but may hold anything DKMS's long life
 * has left in it: what does not fit is passed over, what cannot be read is an error.
 */
#include "orchestrator/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "orchestrator/installed.h"

#define LISTING_BLOCK 32768

/* Names or "a/b" paths, sorted bytewise. */
struct names {
	char **items;
	size_t count;
	size_t capacity;
};

/* What a whole listing shares. */
struct reader {
	const struct state_trees *trees;
	const char *kernel;	  /* NULL: all */
	const char *architecture; /* NULL: all */
	struct installed *installed;
	struct state_list list;
	size_t capacity;
	char block[LISTING_BLOCK];
};

/* The version being read. */
struct version {
	const char *module;
	const char *name;
	int module_fd;
	int fd;
	bool has_originals; /* M/original_module is there at all */
};

static void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct names){ 0 };
}
#define cleanup_names cleanup(names_clear)

/* Takes item; NULL is out of memory. */
static int names_add(struct names *names, char *item)
{
	cleanup_free char *owned = item;

	if (!owned)
		return -ENOMEM;
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 16;
		char **grown = reallocarray(names->items, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		names->items = grown;
		names->capacity = capacity;
	}
	names->items[names->count++] = TAKE_PTR(owned);
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void names_sort(struct names *names)
{
	if (names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
}

/* Nothing there that DKMS's tests of the shell would accept: no reason to fail. */
static bool is_absent(int result)
{
	return result == -ENOENT || result == -ENOTDIR || result == -ELOOP;
}

/* A directory, not through a link; *ret_fd stays -1 where there is none. */
static int open_directory(int parent_fd, const char *name, int *ret_fd, struct error **error)
{
	cleanup_error struct error *own = NULL;
	int result = open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0, ret_fd, &own);

	if (result == 0 || is_absent(result))
		return 0;
	if (error)
		*error = TAKE_PTR(own);
	return result;
}

/* Adds prefix and the safe names of an open directory; those DKMS never makes are passed over. */
static int list_directory(struct reader *reader, int fd, const char *prefix, struct names *names,
			  struct error **error)
{
	for (;;) {
		ssize_t length = getdents64(fd, reader->block, sizeof(reader->block));

		if (length < 0)
			return error_set_errno(error, errno,
					       "cannot list a directory of the "
					       "DKMS tree");
		if (length == 0)
			return 0;
		for (ssize_t offset = 0; offset < length;) {
			const struct dirent64 *entry = (void *)(reader->block + offset);

			offset += entry->d_reclen;
			/* The entry's type alone is not proof, but spares a look at each plain
			 * file. */
			if (entry->d_type == DT_REG || !name_is_safe(entry->d_name))
				continue;
			if (names_add(names, format_string("%s%s", prefix, entry->d_name)) < 0)
				return error_set(error, ENOMEM, "out of memory");
		}
	}
}

static bool is_directory(int parent_fd, const char *path, int flags)
{
	struct stat status;

	return fstatat(parent_fd, path, &status, flags) == 0 && S_ISDIR(status.st_mode);
}

/* DKMS lets no module version have such a name: they stand beside the versions. */
static bool is_version_name(const char *name)
{
	const char *kernel = string_starts_with(name, "kernel-") ? name + strlen("kernel-") : NULL;

	return strcmp(name, "original_module") != 0 && !(kernel && strchr(kernel, '-'));
}

/* DKMS's +([0-9]).*: what else stands in a version's directory is source, build, tarball. */
static bool is_kernel_name(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && name[digits] == '.';
}

/* Of a version's directory: STATE_ABSENT, STATE_BROKEN or STATE_ADDED. */
static enum state version_state(int source_tree_fd, const struct version *version)
{
	cleanup_free char *source = NULL;
	struct stat status;

	if (fstatat(version->fd, "source", &status, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISLNK(status.st_mode))
			return is_directory(version->fd, "source", 0) ? STATE_ADDED : STATE_BROKEN;
		/* ldtarball of a binaries-only archive makes a directory of its own. */
		if (S_ISDIR(status.st_mode))
			return STATE_ADDED;
	}
	if (source_tree_fd < 0)
		return STATE_ABSENT;
	source = format_string("%s-%s", version->module, version->name);
	return source && is_directory(source_tree_fd, source, 0) ? STATE_BROKEN : STATE_ABSENT;
}

/* M/kernel-K-A leads to V/K/A. */
static int is_installed(const struct version *version, const char *kernel, const char *architecture,
			bool *ret_installed)
{
	cleanup_free char *link = format_string("kernel-%s-%s", kernel, architecture);
	cleanup_free char *wanted = format_string("%s/%s/%s", version->name, kernel, architecture);
	struct stat there, here;
	char target[PATH_MAX];
	ssize_t length;

	if (!link || !wanted)
		return -ENOMEM;
	*ret_installed = false;
	length = readlinkat(version->module_fd, link, target, sizeof(target));
	if (length < 0)
		return 0;
	if ((size_t)length == strlen(wanted) && memcmp(target, wanted, strlen(wanted)) == 0) {
		*ret_installed = true;
		return 0;
	}
	/* Otherwise written, but to the same place. */
	*ret_installed = fstatat(version->module_fd, link, &there, 0) == 0 &&
			 fstatat(version->module_fd, wanted, &here, 0) == 0 &&
			 there.st_dev == here.st_dev && there.st_ino == here.st_ino;
	return 0;
}

static int append_entry(struct reader *reader, struct state_entry *entry, struct error **error)
{
	struct state_list *list = &reader->list;

	if (list->count == reader->capacity) {
		size_t capacity = reader->capacity ? 2 * reader->capacity : 64;
		struct state_entry *grown = reallocarray(list->entries, capacity, sizeof(*grown));

		if (!grown)
			return error_set(error, ENOMEM, "out of memory");
		list->entries = grown;
		reader->capacity = capacity;
	}
	list->entries[list->count++] = *entry;
	return 0;
}

void state_entry_clear(struct state_entry *entry)
{
	free(entry->module);
	free(entry->version);
	free(entry->kernel);
	free(entry->architecture);
	free(entry->weak_from);
}

/* kernel and architecture may be NULL. *entry's other fields are the caller's. */
static int add_entry(struct reader *reader, const struct version *version, const char *kernel,
		     const char *architecture, struct state_entry entry, struct error **error)
{
	int result;

	entry.module = strdup(version->module);
	entry.version = strdup(version->name);
	entry.kernel = kernel ? strdup(kernel) : NULL;
	entry.architecture = architecture ? strdup(architecture) : NULL;
	if (entry.module && entry.version && !entry.kernel == !kernel &&
	    !entry.architecture == !architecture)
		result = append_entry(reader, &entry, error);
	else
		result = error_set(error, ENOMEM, "out of memory");
	if (result < 0)
		state_entry_clear(&entry);
	return result;
}

/* The module files of a build: is there one, and does each stand in the kernel's tree as built? */
static int compare_modules(struct reader *reader, int module_fd, const char *kernel,
			   struct state_entry *entry, struct error **error)
{
	cleanup_names struct names files = { 0 };
	size_t previous = 0; /* length of the stem before */
	int result = 0;

	for (;;) {
		ssize_t length = getdents64(module_fd, reader->block, sizeof(reader->block));

		if (length < 0)
			return error_set_errno(error, errno, "cannot list a build's modules");
		if (length == 0)
			break;
		for (ssize_t offset = 0; result == 0 && offset < length;) {
			const struct dirent64 *file = (void *)(reader->block + offset);

			offset += file->d_reclen;
			if (installed_stem_length(file->d_name) > 0 && name_is_safe(file->d_name))
				result = names_add(&files, strdup(file->d_name));
		}
		if (result < 0)
			return error_set(error, ENOMEM, "out of memory");
	}
	entry->missing = files.count == 0;
	if (entry->state != STATE_INSTALLED || !reader->installed)
		return 0;
	names_sort(&files);
	for (size_t i = 0; i < files.count && !entry->differs; i++) {
		size_t stem = installed_stem_length(files.items[i]);
		bool same;

		/* x.ko and x.ko.xz are one module; the plain file, which sorts first, counts. */
		if (i > 0 && stem == previous &&
		    strncmp(files.items[i], files.items[i - 1], stem) == 0)
			continue;
		previous = stem;
		result = installed_is_same(reader->installed, kernel, module_fd, files.items[i],
					   &same);
		if (result < 0)
			return error_set(error, -result, "out of memory");
		entry->differs = !same;
	}
	return 0;
}

/* build is "K/A". */
static int read_build(struct reader *reader, const struct version *version, const char *build,
		      struct error **error)
{
	cleanup_free char *path = format_string("%s/module", build);
	cleanup_free char *originals = format_string("original_module/%s", build);
	const char *slash = strchr(build, '/');
	cleanup_free char *kernel = slash ? strndup(build, (size_t)(slash - build)) : NULL;
	struct state_entry entry = { .state = STATE_BUILT };
	cleanup_close int module_fd = -1;
	bool installed;
	int result;

	if (!path || !originals || !kernel)
		return error_set(error, ENOMEM, "out of memory");
	result = open_directory(version->fd, path, &module_fd, error);
	if (result < 0 || module_fd < 0)
		return result;
	if (is_installed(version, kernel, slash + 1, &installed) < 0)
		return error_set(error, ENOMEM, "out of memory");
	if (installed)
		entry.state = STATE_INSTALLED;
	entry.originals = version->has_originals &&
			  is_directory(version->module_fd, originals, AT_SYMLINK_NOFOLLOW);
	result = compare_modules(reader, module_fd, kernel, &entry, error);
	return result < 0 ? result : add_entry(reader, version, kernel, slash + 1, entry, error);
}

/* Adds "K/A" for each that may be a build of one kernel. */
static int list_architectures(struct reader *reader, const struct version *version,
			      const char *kernel, struct names *builds, struct error **error)
{
	cleanup_free char *prefix = format_string("%s/", kernel);
	cleanup_close int fd = -1;
	int result;

	if (!prefix)
		return error_set(error, ENOMEM, "out of memory");
	if (reader->architecture)
		return names_add(builds, format_string("%s%s", prefix, reader->architecture)) < 0
			       ? error_set(error, ENOMEM, "out of memory")
			       : 0;
	result = open_directory(version->fd, kernel, &fd, error);
	if (result < 0 || fd < 0)
		return result;
	return list_directory(reader, fd, prefix, builds, error);
}

static int read_builds(struct reader *reader, const struct version *version, struct error **error)
{
	cleanup_names struct names kernels = { 0 };
	cleanup_names struct names builds = { 0 };
	int result = 0;

	if (reader->kernel) {
		result = list_architectures(reader, version, reader->kernel, &builds, error);
	} else {
		result = list_directory(reader, version->fd, "", &kernels, error);
		for (size_t i = 0; result == 0 && i < kernels.count; i++)
			if (is_kernel_name(kernels.items[i]))
				result = list_architectures(reader, version, kernels.items[i],
							    &builds, error);
	}
	names_sort(&builds);
	for (size_t i = 0; result == 0 && i < builds.count; i++)
		result = read_build(reader, version, builds.items[i], error);
	return result;
}

static int read_version(struct reader *reader, const struct version *version, struct error **error)
{
	enum state state = version_state(reader->trees->source_fd, version);
	size_t before = reader->list.count;
	int result;

	if (state == STATE_ABSENT)
		return 0;
	if (state == STATE_ADDED) {
		result = read_builds(reader, version, error);
		if (result < 0 || reader->list.count > before)
			return result;
	}
	return add_entry(reader, version, NULL, NULL, (struct state_entry){ .state = state },
			 error);
}

/* Adds "M/V" for each that may be a version of one module. */
static int list_versions(struct reader *reader, const char *module, const char *version,
			 struct names *pairs, struct error **error)
{
	cleanup_free char *prefix = format_string("%s/", module);
	cleanup_close int fd = -1;
	int result;

	if (!prefix)
		return error_set(error, ENOMEM, "out of memory");
	if (version)
		return names_add(pairs, format_string("%s%s", prefix, version)) < 0
			       ? error_set(error, ENOMEM, "out of memory")
			       : 0;
	result = open_directory(reader->trees->dkms_fd, module, &fd, error);
	if (result < 0 || fd < 0)
		return result;
	return list_directory(reader, fd, prefix, pairs, error);
}

/* All of it, sorted as paths: "foo-bar/1" stands before "foo/1", as a shell's glob sorts them. */
static int list_pairs(struct reader *reader, const char *module, const char *version,
		      struct names *pairs, struct error **error)
{
	cleanup_names struct names modules = { 0 };
	cleanup_close int fd = -1;
	int result;

	if (module)
		return list_versions(reader, module, version, pairs, error);
	result = open_beneath(reader->trees->dkms_fd, ".", O_RDONLY | O_DIRECTORY, 0, &fd, error);
	if (result == 0)
		result = list_directory(reader, fd, "", &modules, error);
	for (size_t i = 0; result == 0 && i < modules.count; i++)
		result = list_versions(reader, modules.items[i], version, pairs, error);
	return result;
}

static int read_pair(struct reader *reader, const char *pair, struct error **error)
{
	const char *slash = strchr(pair, '/');
	cleanup_free char *module = slash ? strndup(pair, (size_t)(slash - pair)) : NULL;
	cleanup_close int module_fd = -1;
	cleanup_close int fd = -1;
	struct version version = { .module = module };
	int result;

	if (!module)
		return error_set(error, ENOMEM, "out of memory");
	version.name = slash + 1;
	if (!is_version_name(version.name))
		return 0;
	result = open_directory(reader->trees->dkms_fd, module, &module_fd, error);
	if (result < 0 || module_fd < 0)
		return result;
	result = open_directory(module_fd, version.name, &fd, error);
	if (result < 0 || fd < 0)
		return result;
	version.module_fd = module_fd;
	version.fd = fd;
	version.has_originals = is_directory(module_fd, "original_module", AT_SYMLINK_NOFOLLOW);
	result = read_version(reader, &version, error);
	return result < 0 ? error_context(error, "%s", pair) : 0;
}

static bool names_are_safe(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] && !name_is_safe(names[i]))
			return false;
	return true;
}

int state_list_load(const struct state_trees *trees, const char *module, const char *version,
		    const char *kernel, const char *architecture, struct state_list *ret_list,
		    struct error **error)
{
	const char *const given[] = { module, version, kernel, architecture };
	cleanup_names struct names pairs = { 0 };
	cleanup_free struct reader *reader = calloc(1, sizeof(*reader));
	int result;

	if (!names_are_safe(given, ARRAY_SIZE(given)))
		return error_set(error, EINVAL, "status of a name that cannot be");
	if (!reader)
		return error_set(error, ENOMEM, "out of memory");
	reader->trees = trees;
	reader->kernel = kernel;
	reader->architecture = architecture;
	if (trees->install_fd >= 0) {
		reader->installed = installed_new(trees->install_fd);
		if (!reader->installed)
			return error_set(error, ENOMEM, "out of memory");
	}
	result = list_pairs(reader, module, version, &pairs, error);
	names_sort(&pairs);
	for (size_t i = 0; result == 0 && i < pairs.count; i++)
		result = read_pair(reader, pairs.items[i], error);
	reader->installed = installed_free(reader->installed);
	if (result < 0) {
		state_list_clear(&reader->list);
		return error_context(error, "cannot read the DKMS tree");
	}
	*ret_list = reader->list;
	return 0;
}

void state_list_clear(struct state_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		state_entry_clear(&list->entries[i]);
	free(list->entries);
	*list = (struct state_list){ 0 };
}

/* The version is added: how far is its build? */
static int build_state(const struct version *version, const char *kernel, const char *architecture,
		       enum state *ret_state, struct error **error)
{
	cleanup_free char *path = format_string("%s/%s/module", kernel, architecture);
	cleanup_close int fd = -1;
	bool installed;
	int result;

	if (!path)
		return error_set(error, ENOMEM, "out of memory");
	result = open_directory(version->fd, path, &fd, error);
	if (result < 0)
		return result;
	*ret_state = STATE_ADDED;
	if (fd < 0)
		return 0;
	if (is_installed(version, kernel, architecture, &installed) < 0)
		return error_set(error, ENOMEM, "out of memory");
	*ret_state = installed ? STATE_INSTALLED : STATE_BUILT;
	return 0;
}

int state_get(int dkms_tree_fd, const char *module, const char *version, const char *kernel,
	      const char *architecture, enum state *ret_state, struct error **error)
{
	const char *const given[] = { module, version, kernel, architecture };
	struct version found = { .module = module, .name = version };
	cleanup_close int module_fd = -1;
	cleanup_close int fd = -1;
	enum state state = STATE_ABSENT;
	int result;

	if (!module || !version || !kernel != !architecture ||
	    !names_are_safe(given, ARRAY_SIZE(given)))
		return error_set(error, EINVAL, "state of a name that cannot be");
	result = open_directory(dkms_tree_fd, module, &module_fd, error);
	if (result == 0 && module_fd >= 0 && is_version_name(version))
		result = open_directory(module_fd, version, &fd, error);
	if (result == 0 && fd >= 0) {
		found.module_fd = module_fd;
		found.fd = fd;
		state = version_state(-1, &found);
		if (state == STATE_ADDED && kernel)
			result = build_state(&found, kernel, architecture, &state, error);
	}
	if (result < 0)
		return error_context(error, "cannot read the DKMS tree: %s/%s", module, version);
	*ret_state = state;
	return 0;
}

const char *state_name(enum state state)
{
	static const char *const names[] = {
		[STATE_ABSENT] = "absent", [STATE_BROKEN] = "broken",	    [STATE_ADDED] = "added",
		[STATE_BUILT] = "built",   [STATE_INSTALLED] = "installed",
	};

	return names[state];
}

const char *state_entry_name(const struct state_entry *entry)
{
	return entry->weak_from ? "installed-weak" : state_name(entry->state);
}

int state_entry_format(const struct state_entry *entry, struct text *text)
{
	if (entry->weak_from)
		return text_append_format(text, "%s, %s, %s, %s: %s from %s", entry->module,
					  entry->version, entry->kernel, entry->architecture,
					  state_entry_name(entry), entry->weak_from);
	if (!entry->kernel)
		return text_append_format(text, "%s/%s: %s", entry->module, entry->version,
					  state_name(entry->state));
	return text_append_format(
		text, "%s/%s, %s, %s: %s%s%s%s", entry->module, entry->version, entry->kernel,
		entry->architecture, state_name(entry->state),
		entry->originals ? " (Original modules exist)" : "",
		entry->missing ? " (Built modules are missing in the kernel modules folder)" : "",
		entry->differs ? " (Differences between built and installed modules)" : "");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See check_kernel.h. */
#include "orchestrator/check_kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/message.h"

#define ALIASES_MAXIMUM (UINT64_C(64) << 20)

static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };

size_t check_module_stem(const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		const size_t tail = strlen(".ko") + strlen(suffixes[i]);

		if (length > tail && memcmp(name + length - tail, ".ko", 3) == 0 &&
		    strcmp(name + length - tail + 3, suffixes[i]) == 0)
			return length - tail;
	}
	return 0;
}

/* A file of the kernel's tree in a sealed copy; path may lack its compression's suffix. -1: none.
 */
static int open_module(int tree_fd, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		cleanup_free char *whole = format_string("%s%s", path, suffixes[i]);
		cleanup_close int fd = -1;
		uint64_t size = 0;
		int sealed_fd;

		if (whole &&
		    open_regular_beneath(tree_fd, whole, BUILD_MODULE_MAXIMUM, &fd, &size, NULL) ==
			    0 &&
		    memfd_from_file("module", fd, size, &sealed_fd, NULL) == 0)
			return sealed_fd;
	}
	return -1;
}

/* The size of struct module, which the headers do not tell: of the first module that is there. */
static void find_reference(struct check_kernel *kernel, int checker_fd)
{
	const char *line = kernel->order.text.data;

	for (int tries = 0; line && *line && tries < 16; tries++) {
		cleanup_free char *path = strndup(line, strcspn(line, "\n"));
		cleanup_close int module_fd = path ? open_module(kernel->tree_fd, path) : -1;
		cleanup_close int empty_fd = -1;
		struct checker_facts facts;

		line += strcspn(line, "\n");
		line += *line == '\n';
		if (module_fd < 0 || memfd_from_bytes("symvers", "", 0, &empty_fd, NULL) < 0 ||
		    check_kernel_facts(kernel, "reference", &facts, NULL) < 0)
			continue;
		facts.purpose = CHECKER_REFERENCE;
		if (checker_run(checker_fd, module_fd, empty_fd, &facts, CHECKER_MILLISECONDS,
				&kernel->reference, NULL, NULL) == 0 &&
		    kernel->reference.outcome == CHECKER_WILL_LOAD) {
			const char *name = strrchr(path, '/');

			(void)snprintf(kernel->reference_name, sizeof(kernel->reference_name), "%s",
				       name ? name + 1 : path);
			return;
		}
		kernel->reference = (struct checker_verdict){ 0 };
	}
}

void check_kernel_read_lists(struct check_kernel *kernel)
{
	module_list_read(kernel->tree_fd, "modules.order", &kernel->order);
	module_list_read(kernel->tree_fd, "modules.builtin", &kernel->builtin);
}

static int open_tree(const struct places *places, struct check_kernel *kernel, int checker_fd,
		     struct error **error)
{
	cleanup_free char *path = format_string("%s/%s", places->module_tree, kernel->release);
	cleanup_free char *merged = format_string("/usr%s", path ? path : "");
	const int flags = O_RDONLY | O_DIRECTORY;

	if (!path || !merged)
		return error_set_errno(error, ENOMEM, "%s", kernel->release);
	kernel->root_fd = open(places->kernel_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (kernel->root_fd < 0)
		return error_set_errno(error, errno, "%s", places->kernel_root);
	/* As kernel_load(): of a root that packages were unpacked to either may be the one. */
	if (open_trusted(kernel->root_fd, path, geteuid(), flags, &kernel->tree_fd, NULL, NULL) <
		    0 &&
	    open_trusted(kernel->root_fd, merged, geteuid(), flags, &kernel->tree_fd, NULL, NULL) <
		    0)
		return 0;
	check_kernel_read_lists(kernel);
	if (read_file(kernel->tree_fd, "modules.alias", ALIASES_MAXIMUM, &kernel->aliases, NULL) <
	    0)
		text_clear(&kernel->aliases);
	find_reference(kernel, checker_fd);
	return 0;
}

/* For all of its modules, but for their names. */
static int set_facts(struct check_kernel *kernel, struct error **error)
{
	const char *config = kernel->kernel->config;

	return checker_facts_from_config(config, strlen(config), kernel->release,
					 kernel->kernel->architecture, "reference", &kernel->facts,
					 error);
}

int check_kernel_open(const struct places *places, const char *release, const char *architecture,
		      int checker_fd, struct check_kernel *ret_kernel, struct error **error)
{
	cleanup_check_kernel struct check_kernel kernel = CHECK_KERNEL_INITIAL;
	struct utsname running;
	int r;

	if (uname(&running) < 0)
		return error_set_errno(error, errno, "uname");
	r = kernel_load(
		places->kernel_root, places->module_tree, release ? release : running.release,
		architecture ? architecture : running.machine, geteuid(), &kernel.kernel, error);
	if (r < 0 && error && error_code(*error) == 0)
		error_set_code(*error, EXIT_NO_HEADERS);
	if (r < 0)
		return r;
	kernel.release = strdup(kernel.kernel->release);
	if (!kernel.release)
		return error_set_errno(error, ENOMEM, "kernel");
	r = read_file(kernel.kernel->build_fd, "Module.symvers", CHECKER_SYMVERS_MAXIMUM,
		      &kernel.symvers, error);
	if (r == 0)
		r = set_facts(&kernel, error);
	if (r == 0)
		r = open_tree(places, &kernel, checker_fd, error);
	/* Its marks are those of one driver, not what every module must have. */
	kernel.facts.struct_module_size = kernel.reference.struct_module_size;
	if (r < 0)
		return error_context(error, "kernel %s", kernel.release);
	*ret_kernel = kernel;
	kernel = CHECK_KERNEL_INITIAL;
	return 0;
}

void check_kernel_close(struct check_kernel *kernel)
{
	kernel->kernel = kernel_free(kernel->kernel);
	free(kernel->release);
	(void)close_fd(kernel->root_fd);
	(void)close_fd(kernel->tree_fd);
	text_clear(&kernel->symvers);
	module_list_clear(&kernel->order);
	module_list_clear(&kernel->builtin);
	text_clear(&kernel->aliases);
	*kernel = CHECK_KERNEL_INITIAL;
}

int check_kernel_facts(const struct check_kernel *kernel, const char *name,
		       struct checker_facts *ret_facts, struct error **error)
{
	struct checker_facts facts = kernel->facts;

	if (message_string_set(facts.module_name, sizeof(facts.module_name), name) < 0)
		return error_refuse(error, EXIT_WILL_NOT_LOAD, ENAMETOOLONG,
				    "'%.120s' is too long for a module's name", name);
	*ret_facts = facts;
	return 0;
}

/* "kernel/drivers/net/foo-bar.ko[.xz]" is the module foo_bar. */
static bool is_module(const char *line, size_t length, const char *name)
{
	const char *base = memrchr(line, '/', length);
	const char *end = line + length;

	for (base = base ? base + 1 : line; base < end && *name; base++, name++) {
		if ((*base == '-' ? '_' : *base) != (*name == '-' ? '_' : *name))
			return false;
	}
	return !*name && end - base >= 3 && memcmp(base, ".ko", 3) == 0;
}

size_t check_kernel_own(const struct check_kernel *kernel, const char *name, const char **ret_path,
			bool *ret_builtin)
{
	size_t length = module_list_find(&kernel->order, name, ret_path);

	*ret_builtin = length == 0;
	return length ? length : module_list_find(&kernel->builtin, name, ret_path);
}

size_t check_kernel_alias(const struct check_kernel *kernel, const char *alias,
			  const char **ret_module)
{
	cleanup_free char *start = format_string("\nalias %s ", alias);
	const char *found =
		start && kernel->aliases.data ? strstr(kernel->aliases.data, start) : NULL;

	if (!found)
		return 0;
	*ret_module = found + strlen(start);
	return strcspn(*ret_module, "\n");
}

int check_kernel_open_in(int tree_fd, const char *directory, const char *name)
{
	cleanup_list DIR *list = NULL;
	const char *entry;

	if (list_open(tree_fd, directory, &list, NULL) < 0)
		return -1;
	while ((entry = list_next(list))) {
		cleanup_free char *path = format_string("%s/%s", directory, entry);

		if (path && check_module_stem(entry) && is_module(entry, strlen(entry), name))
			return open_module(tree_fd, path);
	}
	return -1;
}

int check_kernel_open_added(const struct check_kernel *kernel, const char *name)
{
	static const char *const directories[] = { "updates/dkms", "updates", "extra", "misc",
						   "weak-updates" };
	int fd = -1;

	for (size_t i = 0; kernel->tree_fd >= 0 && fd < 0 && i < ARRAY_SIZE(directories); i++)
		fd = check_kernel_open_in(kernel->tree_fd, directories[i], name);
	return fd;
}

bool check_kernel_has_firmware(const struct check_kernel *kernel, const char *name)
{
	static const char *const packed[] = { "", ".xz", ".zst" };
	const char *const places[] = { "updates/", "", kernel->release };

	if (!path_is_safe(name, strlen(name)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places) * ARRAY_SIZE(packed); i++) {
		const char *place = places[i / ARRAY_SIZE(packed)];
		const char *slash = place == kernel->release ? "/" : "";
		cleanup_free char *path = format_string("lib/firmware/%s%s%s%s", place, slash, name,
							packed[i % ARRAY_SIZE(packed)]);
		struct stat status;

		if (path && fstatat(kernel->root_fd, path, &status, 0) == 0)
			return true;
	}
	return false;
}

int check_kernel_open_own(const struct check_kernel *kernel, const char *name)
{
	const char *line = NULL;
	bool builtin = false;
	const size_t length = check_kernel_own(kernel, name, &line, &builtin);
	cleanup_free char *path = length && !builtin ? strndup(line, length) : NULL;

	return path ? open_module(kernel->tree_fd, path) : -1;
}

int check_kernel_describe(const struct check_kernel *kernel, int checker_fd, int module_fd,
			  const char *name, struct text *ret_lines, struct error **error)
{
	cleanup_close int empty_fd = -1;
	struct checker_verdict verdict;
	struct checker_facts facts;
	int r = check_kernel_facts(kernel, name, &facts, error);

	if (r == 0)
		r = memfd_from_bytes("symvers", "", 0, &empty_fd, error);
	if (r < 0)
		return r;
	facts.purpose = CHECKER_DESCRIPTION;
	return checker_run(checker_fd, module_fd, empty_fd, &facts, CHECKER_MILLISECONDS, &verdict,
			   ret_lines, error);
}

char *check_next_value(const char **line, const char *key)
{
	const size_t length = strlen(key);

	while (*line && **line) {
		const char *here = *line;
		const size_t end = strcspn(here, "\n");

		*line = here + end + (here[end] == '\n');
		if (strncmp(here, key, length) == 0 && here[length] == '=')
			return strndup(here + length + 1, end - length - 1);
	}
	return NULL;
}

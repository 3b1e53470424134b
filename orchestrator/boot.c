/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which modules a boot test loads, and in which order: see boot.h. */
#include "orchestrator/boot.h"

#include <fcntl.h>
#include <string.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/kernels/kernel.h"
#include "lib/recipes/version.h"
#include "orchestrator/check_kernel.h"
#include "orchestrator/helpers.h"
#include "orchestrator/state.h"

#define MODULES_MAXIMUM 512

struct collecting {
	const struct boot_spec *spec;
	struct boot *boot;
	struct check_kernel kernel; /* its tree and lists alone */
	int checker_fd;
};

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "boot test");
}

static void module_clear(struct boot_module *module)
{
	free(module->name);
	(void)close_fd(module->fd);
	for (size_t i = 0; i < module->depend_count; i++)
		free(module->depends[i]);
	free(module->depends);
	text_clear(&module->log);
}

void boot_clear(struct boot *boot)
{
	for (size_t i = 0; i < boot->count; i++)
		module_clear(&boot->modules[i]);
	free(boot->modules);
	vm_result_clear(&boot->result);
	*boot = BOOT_INITIAL;
}

/* '-' and '_' are the same in names of modules; the kernel has '_'. */
static void normalise(char *name)
{
	for (; *name; name++)
		*name = *name == '-' ? '_' : *name;
}

static struct boot_module *find(const struct boot *boot, const char *name)
{
	for (size_t i = 0; i < boot->count; i++) {
		if (string_equal(boot->modules[i].name, name))
			return &boot->modules[i];
	}
	return NULL;
}

/* What CHECKER_DESCRIPTION gives, its author's word: its name, and what it depends on. */
static int take_description(struct boot_module *module, const char *lines, struct error **error)
{
	const char *named = lines, *line = lines;
	cleanup_free char *name = check_next_value(&named, "name");
	cleanup_free char *depends = check_next_value(&line, "depends");

	if (name && name_is_safe(name)) {
		free(module->name);
		module->name = TAKE_PTR(name);
		normalise(module->name);
	}
	for (char *rest = depends, *one; rest && (one = strsep(&rest, ","));) {
		char **grown;

		if (!name_is_safe(one))
			continue;
		grown = reallocarray(module->depends, module->depend_count + 1, sizeof(*grown));
		if (!grown)
			return out_of_memory(error);
		module->depends = grown;
		normalise(one);
		grown[module->depend_count] = strdup(one);
		if (!grown[module->depend_count])
			return out_of_memory(error);
		module->depend_count++;
	}
	return 0;
}

static int describe(const struct collecting *collecting, struct boot_module *module,
		    struct error **error)
{
	/* Of what it is asked, nothing depends on the kernel. */
	struct checker_facts facts = { 0 };
	cleanup_text struct text text = { 0 };
	cleanup_close int symvers_fd = -1;
	struct checker_verdict verdict;
	int r = memfd_from_bytes("symvers", "", 0, &symvers_fd, error);

	if (r == 0)
		r = checker_facts_from_config("", 0, collecting->spec->release,
					      collecting->spec->architecture, module->name, &facts,
					      error);
	facts.purpose = CHECKER_DESCRIPTION;
	facts.flags |= CHECKER_MAY_BE_SIGNED;
	if (r == 0)
		r = checker_run(collecting->checker_fd, module->fd, symvers_fd, &facts,
				CHECKER_MILLISECONDS, &verdict, &text, error);
	if (r == 0 && verdict.outcome != CHECKER_WILL_LOAD)
		return error_refuse(error, EXIT_WILL_NOT_LOAD, ENOEXEC, "%s cannot be read: %s",
				    module->name, verdict.text);
	return r < 0 || !text.data ? r : take_description(module, text.data, error);
}

/* Takes fd. */
static int add(struct collecting *collecting, const char *name, size_t length, int module_fd,
	       bool own, struct error **error)
{
	struct boot *boot = collecting->boot;
	cleanup_close int fd = module_fd;
	struct boot_module *grown =
		reallocarray(boot->modules, boot->count + 1, sizeof(*boot->modules));
	struct boot_module *module;

	if (!grown)
		return out_of_memory(error);
	boot->modules = grown;
	if (boot->count == MODULES_MAXIMUM)
		return error_refuse(error, EXIT_LIMIT, E2BIG,
				    "boot test: more than %d modules, with what they depend on",
				    MODULES_MAXIMUM);
	module = &boot->modules[boot->count++];
	*module = (struct boot_module){
		.name = strndup(name, length), .fd = TAKE_FD(fd), .own = own, .unload_errnum = -1
	};
	if (!module->name)
		return out_of_memory(error);
	normalise(module->name);
	return describe(collecting, module, error);
}

static char *build_directory(const struct boot_spec *spec, const char *module, const char *version)
{
	return format_string("%s/%s/%s/%s/module", module, version, spec->release,
			     spec->architecture);
}

static int add_own(struct collecting *collecting, struct error **error)
{
	const struct boot_spec *spec = collecting->spec;
	cleanup_free char *directory = build_directory(spec, spec->module, spec->version);
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = directory ? list_open(spec->dkms_tree_fd, directory, &list, NULL)
			  : out_of_memory(error);

	if (directory && r < 0)
		return error_refuse(error, EXIT_STATE, ENOENT,
				    "%s/%s is not built for kernel %s (%s): build it first",
				    spec->module, spec->version, spec->release, spec->architecture);
	while (r == 0 && (name = list_next(list))) {
		cleanup_free char *path = format_string("%s/%s", directory, name);
		const size_t length = check_module_stem(name);
		cleanup_close int fd = -1;
		uint64_t size;
		int sealed_fd;

		if (!path)
			return out_of_memory(error);
		if (length == 0 || !name_is_safe(name))
			continue; /* Module.symvers */
		r = open_regular_beneath(spec->dkms_tree_fd, path, BUILD_MODULE_MAXIMUM, &fd, &size,
					 error);
		if (r == 0)
			r = memfd_from_file("module", fd, size, &sealed_fd, error);
		if (r == 0)
			r = add(collecting, name, length, sealed_fd, true, error);
	}
	if (r == 0 && collecting->boot->count == 0)
		return error_refuse(error, EXIT_NO_MODULE, ENOENT,
				    "%s/%s has no module for kernel %s (%s)", spec->module,
				    spec->version, spec->release, spec->architecture);
	return r;
}

/* One that is installed counts before one that is only built, then the higher version. */
static bool is_better(const struct state_entry *entry, const struct state_entry *than)
{
	return !than || entry->state > than->state ||
	       (entry->state == than->state && version_compare(entry->version, than->version) > 0);
}

static int find_in_builds(const struct collecting *collecting, const char *name, int *ret_fd,
			  struct error **error)
{
	const struct boot_spec *spec = collecting->spec;
	const struct state_trees trees = { .dkms_fd = spec->dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	const struct state_entry *best = NULL;
	struct state_list list = { 0 };
	int r = state_list_load(&trees, NULL, NULL, spec->release, spec->architecture, &list,
				error);

	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct state_entry *entry = &list.entries[i];
		cleanup_free char *directory =
			entry->kernel && entry->state >= STATE_BUILT && is_better(entry, best)
				? build_directory(spec, entry->module, entry->version)
				: NULL;
		int fd = directory ? check_kernel_open_in(spec->dkms_tree_fd, directory, name) : -1;

		if (fd < 0)
			continue;
		(void)close_fd(*ret_fd);
		*ret_fd = fd;
		best = entry;
	}
	state_list_clear(&list);
	return r;
}

/* As modprobe finds it: what others added comes before the kernel's own. */
static int add_dependency(struct collecting *collecting, const char *of, const char *name,
			  struct error **error)
{
	const struct boot_spec *spec = collecting->spec;
	bool builtin = false;
	const char *path;
	int fd, r = 0;

	if (find(collecting->boot, name))
		return 0;
	fd = check_kernel_open_added(&collecting->kernel, name);
	if (fd < 0 && check_kernel_own(&collecting->kernel, name, &path, &builtin) && builtin)
		return 0;
	if (fd < 0)
		fd = check_kernel_open_own(&collecting->kernel, name);
	if (fd < 0)
		r = find_in_builds(collecting, name, &fd, error);
	if (r < 0)
		return r;
	if (fd < 0)
		return error_refuse(
			error, EXIT_MISSING_DEPENDS, ENOENT,
			"%s depends on %s, which is neither in the modules of kernel %s "
			"nor built for it: build the package that has it first",
			of, name, spec->release);
	return add(collecting, name, strlen(name), fd, false, error);
}

/* What is found is added behind, and looked at in its turn. */
static int add_dependencies(struct collecting *collecting, struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < collecting->boot->count; i++) {
		for (size_t d = 0; r == 0 && d < collecting->boot->modules[i].depend_count; d++) {
			const struct boot_module *module = &collecting->boot->modules[i];

			r = add_dependency(collecting, module->name, module->depends[d], error);
		}
	}
	return r;
}

static bool is_ready(const struct boot *boot, const struct boot_module *module)
{
	for (size_t i = 0; i < module->depend_count; i++) {
		const struct boot_module *other = find(boot, module->depends[i]);

		if (other && !other->placed)
			return false;
	}
	return true;
}

/* Each behind what it depends on; the kernel has no circles, and what claims one is put last. */
static int sort(struct boot *boot, struct error **error)
{
	struct boot_module *sorted = calloc(boot->count, sizeof(*sorted));
	bool found = true, circle = false;
	size_t count = 0;

	if (!sorted)
		return out_of_memory(error);
	while (count < boot->count) {
		circle = !found;
		found = false;
		for (size_t i = 0; i < boot->count; i++) {
			struct boot_module *module = &boot->modules[i];

			if (module->placed || !(circle || is_ready(boot, module)))
				continue;
			module->placed = true;
			sorted[count++] = *module;
			found = true;
		}
	}
	free(boot->modules);
	boot->modules = sorted;
	return 0;
}

int boot_collect(const struct boot_spec *spec, struct boot *boot, struct error **error)
{
	struct collecting collecting = {
		.spec = spec, .boot = boot, .kernel = CHECK_KERNEL_INITIAL, .checker_fd = -1
	};
	int r = helper_open_program("kmodbox-checker", &collecting.checker_fd, error);

	collecting.kernel.tree_fd = spec->kernel->tree_fd;
	if (r == 0 && spec->kernel->tree_fd >= 0)
		check_kernel_read_lists(&collecting.kernel);
	if (r == 0)
		r = add_own(&collecting, error);
	if (r == 0)
		r = add_dependencies(&collecting, error);
	if (r == 0)
		r = sort(boot, error);
	(void)close_fd(collecting.checker_fd);
	collecting.kernel.tree_fd = -1; /* borrowed */
	check_kernel_close(&collecting.kernel);
	return r < 0 ? error_context(error, "boot test of %s/%s", spec->module, spec->version) : 0;
}

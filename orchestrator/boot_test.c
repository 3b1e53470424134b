/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb boot-test, see boot_test.h. */
#include "orchestrator/boot_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/json.h"
#include "lib/base/memfd.h"
#include "orchestrator/check_kernel.h"
#include "orchestrator/helpers.h"
#include "orchestrator/launcher.h"
#include "orchestrator/record_parts.h"
#include "runners/vm.h"

#define SCHEMA_VERSION 1
#define MODULES_MAXIMUM 256
#define LOG_LINES 200
#define CONSOLE_TAIL 2000

/* One that is loaded, in this order; step 2n-1 of the plan loads it, and it is unloaded at the end.
 */
struct test_module {
	char *name;
	char *guest_name; /* its path there: "modules/demo.ko.xz" */
	int fd;
	bool built; /* of the package; else something that it depends on */
	int loaded; /* errno; RESULT_KILLED, RESULT_STUCK, RESULT_NOT_REACHED */
	int unloaded;
	unsigned long taint;
	bool complained; /* the kernel said BUG, WARNING or the like meanwhile */
	struct text log;
};

enum { RESULT_KILLED = -1, RESULT_STUCK = -2, RESULT_NOT_REACHED = -3 };

struct boot_test {
	const struct options *options;
	const struct log *log;
	struct check_kernel kernel;
	int checker_fd;
	int built_fd; /* the directory of the built modules */
	struct test_module modules[MODULES_MAXIMUM];
	size_t count;
	struct vm_result result;
};

/* ---- Which modules, in which order */

static bool is_listed(const struct boot_test *test, const char *name)
{
	for (size_t i = 0; i < test->count; i++) {
		if (string_equal(test->modules[i].name, name))
			return true;
	}
	return false;
}

/* Of the package's own modules first: -1 where there is none of that name. ret_suffix: ".xz". */
static int open_built(const struct boot_test *test, const char *name, const char **ret_suffix)
{
	static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		cleanup_free char *file = format_string("%s.ko%s", name, suffixes[i]);
		cleanup_close int fd = -1;
		uint64_t size = 0;
		int sealed_fd;

		if (file &&
		    open_regular_beneath(test->built_fd, file, BUILD_MODULE_MAXIMUM, &fd, &size,
					 NULL) == 0 &&
		    memfd_from_file("module", fd, size, &sealed_fd, NULL) == 0) {
			*ret_suffix = suffixes[i];
			return sealed_fd;
		}
	}
	return -1;
}

/* What a compressed file begins with tells its kind better than a name that was looked for. */
static const char *suffix_of(int fd)
{
	unsigned char magic[4] = { 0 };

	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
		return "";
	return magic[0] == 0xfd && magic[1] == '7'    ? ".xz"
	       : magic[0] == 0x28 && magic[1] == 0xb5 ? ".zst"
	       : magic[0] == 0x1f && magic[1] == 0x8b ? ".gz"
						      : "";
}

static int add_module(struct boot_test *test, const char *name, const char *wanted_by,
		      unsigned depth, struct error **error);

/* First what it depends on, as depmod and modpost wrote it down. */
static int add_dependencies(struct boot_test *test, int fd, const char *name, unsigned depth,
			    struct error **error)
{
	cleanup_text struct text lines = { 0 };
	cleanup_free char *depends = NULL;
	const char *line;
	int r = check_kernel_describe(&test->kernel, test->checker_fd, fd, name, &lines, error);

	line = lines.data;
	depends = check_next_value(&line, "depends");
	for (char *rest = depends, *one; r == 0 && rest && (one = strsep(&rest, ","));) {
		if (name_is_safe(one))
			r = add_module(test, one, name, depth + 1, error);
	}
	return r;
}

static int add_module(struct boot_test *test, const char *name, const char *wanted_by,
		      unsigned depth, struct error **error)
{
	cleanup_close int fd = -1;
	struct test_module *module;
	const char *suffix = "", *path;
	bool built = true, builtin = false;
	int r;

	if (is_listed(test, name))
		return 0;
	if (depth > 32 || test->count == MODULES_MAXIMUM)
		return error_refuse(error, EXIT_MISSING_DEPENDS, ELOOP,
				    "%s depends on too many modules, or on itself", name);
	fd = open_built(test, name, &suffix);
	if (fd < 0) {
		built = false;
		if (check_kernel_own(&test->kernel, name, &path, &builtin) && builtin)
			return 0;
		fd = check_kernel_open_own(&test->kernel, name);
		if (fd < 0)
			fd = check_kernel_open_added(&test->kernel, name);
		if (fd < 0)
			return error_refuse(error, EXIT_MISSING_DEPENDS, ENOENT,
					    "%s depends on %s, which is neither a module of kernel "
					    "%s nor installed for it",
					    wanted_by, name, test->kernel.release);
		suffix = suffix_of(fd);
	}
	r = add_dependencies(test, fd, name, depth, error);
	if (r < 0)
		return r;
	module = &test->modules[test->count++];
	*module = (struct test_module){ .built = built,
					.loaded = RESULT_NOT_REACHED,
					.unloaded = RESULT_NOT_REACHED,
					.fd = TAKE_FD(fd) };
	module->name = strdup(name);
	module->guest_name = format_string("modules/%s.ko%s", name, suffix);
	return module->name && module->guest_name ? 0 : error_set_errno(error, ENOMEM, "%s", name);
}

static int add_built(struct boot_test *test, struct error **error)
{
	cleanup_list DIR *list = NULL;
	const char *entry;
	int r = list_open(test->built_fd, ".", &list, error);

	while (r == 0 && (entry = list_next(list))) {
		const size_t length = check_module_stem(entry);
		cleanup_free char *name = length ? strndup(entry, length) : NULL;

		if (name)
			r = add_module(test, name, name, 0, error);
	}
	return r;
}

static int open_build(struct boot_test *test, const struct places *places, struct error **error)
{
	const struct options *options = test->options;
	cleanup_free char *path =
		format_string("%s/%s/%s/%s/module", options->module, options->version,
			      test->kernel.release, test->kernel.kernel->architecture);

	if (!path)
		return error_set_errno(error, ENOMEM, "build");
	if (places->dkms_tree_fd < 0 ||
	    open_beneath(places->dkms_tree_fd, path, O_RDONLY | O_DIRECTORY, 0, &test->built_fd,
			 NULL) < 0)
		return error_refuse(error, EXIT_STATE, ENOENT,
				    "%s/%s is not built for %s: kmodbox build %s/%s -k %s",
				    options->module, options->version, test->kernel.release,
				    options->module, options->version, test->kernel.release);
	return 0;
}

/* ---- The boot */

static int open_image(const struct boot_test *test, int *ret_fd, struct error **error)
{
	static const char *const places[] = { "/boot/vmlinuz-%s", "/lib/modules/%s/vmlinuz",
					      "/usr/lib/modules/%s/vmlinuz", "/boot/kernel-%s" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const int length = (int)strcspn(places[i], "%");
		cleanup_free char *path =
			format_string("%.*s%s%s", length, places[i], test->kernel.release,
				      places[i] + length + 2);

		if (path && open_trusted(test->kernel.root_fd, path, geteuid(), O_RDONLY, ret_fd,
					 NULL, NULL) == 0)
			return 0;
	}
	return error_refuse(
		error, EXIT_NO_HEADERS, ENOENT,
		"no image of kernel %s: /boot/vmlinuz-%s is not there; install "
		"linux-image-%s, or name the root it was unpacked to with --kernel-root",
		test->kernel.release, test->kernel.release, test->kernel.release);
}

static int make_plan(const struct boot_test *test, struct text *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < test->count; i++)
		r = text_append_format(plan, "load %s\n", test->modules[i].guest_name);
	for (size_t i = test->count; r == 0 && i > 0; i--) {
		cleanup_free char *name = strdup(test->modules[i - 1].name);

		for (char *c = name; c && *c; c++)
			*c = *c == '-' ? '_' : *c;
		r = name ? text_append_format(plan, "unload %s\n", name) : -ENOMEM;
	}
	return r;
}

static int boot(struct boot_test *test, int kernel_fd, int guest_fd, struct error **error)
{
	cleanup_text struct text plan = { 0 };
	struct vm_file files[MODULES_MAXIMUM];
	const struct vm_spec spec = { .kernel_fd = kernel_fd,
				      .guest_fd = guest_fd,
				      .files = files,
				      .file_count = test->count,
				      .plan = plan.data,
				      .cancel_fd = -1 };
	struct vm_spec whole = spec;

	for (size_t i = 0; i < test->count; i++)
		files[i] =
			(struct vm_file){ test->modules[i].guest_name, test->modules[i].fd, false };
	if (make_plan(test, &plan) < 0)
		return error_set_errno(error, ENOMEM, "plan");
	whole.plan = plan.data;
	return vm_run(&whole, &test->result, error);
}

/* ---- What came of it */

/* What the kernel says when something is wrong with itself: lib/bug.c, kernel/panic.c, lockdep. */
static bool is_complaint(const char *text)
{
	static const char *const words[] = {
		"BUG:",		"WARNING:", "Oops:",  "general protection fault",
		"Call Trace:",	"INFO: ",   "UBSAN:", "KASAN:",
		"Kernel panic",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (string_starts_with(text, words[i]))
			return true;
	}
	return false;
}

/* The step's number: loads first, then unloads from the last one on. */
static struct test_module *module_of(struct boot_test *test, unsigned long step, bool *ret_loads)
{
	*ret_loads = step <= test->count;
	if (step == 0 || step > 2 * test->count)
		return NULL;
	return &test->modules[*ret_loads ? step - 1 : 2 * test->count - step];
}

static int result_of(const char *word)
{
	uint64_t number;

	if (string_starts_with(word, "killed"))
		return RESULT_KILLED;
	if (string_starts_with(word, "stuck"))
		return RESULT_STUCK;
	return parse_u64(word, 4096, &number) == 0 ? (int)number : RESULT_NOT_REACHED;
}

static void read_line(struct boot_test *test, char *line, struct test_module **current)
{
	char *rest = line, *word = strsep(&rest, " ");
	uint64_t number = 0;
	bool loads;

	if (string_equal(word, "begin") && rest && parse_u64(rest, UINT32_MAX, &number) == 0) {
		*current = module_of(test, number, &loads);
		if (*current && loads)
			(*current)->loaded = RESULT_STUCK; /* until its end is told */
	} else if (string_equal(word, "log") && rest && *current) {
		char *text = rest;

		(void)strsep(&text, " ");
		if (!text)
			return;
		(*current)->complained = (*current)->complained || is_complaint(text);
		ignore_result(text_append_format(&(*current)->log, "%s\n", text));
	} else if (string_equal(word, "end") && rest) {
		char *step = strsep(&rest, " "), *result = strsep(&rest, " ");
		struct test_module *module = parse_u64(step, UINT32_MAX, &number) == 0
						     ? module_of(test, number, &loads)
						     : NULL;

		if (!module || !result)
			return;
		if (!loads) {
			module->unloaded = result_of(result);
			return;
		}
		module->loaded = result_of(result);
		if (rest && parse_u64(rest, UINT64_MAX, &number) == 0)
			module->taint = number;
	}
}

static void read_events(struct boot_test *test)
{
	struct test_module *current = NULL;
	char *rest = test->result.events.data, *line;

	while (rest && (line = strsep(&rest, "\n")))
		read_line(test, line, &current);
}

/* A driver whose hardware is not there says so: the loader itself never does. */
static bool found_no_device(const struct test_module *module)
{
	return module->loaded == ENODEV || module->loaded == ENXIO;
}

static bool is_loaded(const struct test_module *module)
{
	return module->loaded == 0 || found_no_device(module);
}

static const char *result_name(int result)
{
	return result == 0		      ? "0"
	       : result == RESULT_KILLED      ? "oops"
	       : result == RESULT_STUCK	      ? "hangs"
	       : result == RESULT_NOT_REACHED ? "not reached"
					      : (strerrorname_np(result) ?: "?");
}

static int exit_code(const struct boot_test *test)
{
	int code = 0;

	for (size_t i = 0; i < test->count; i++) {
		const struct test_module *module = &test->modules[i];

		if (!is_loaded(module) || module->unloaded == RESULT_KILLED ||
		    module->unloaded == RESULT_STUCK)
			return EXIT_WILL_NOT_LOAD;
		if (module->complained)
			code = EXIT_APPROVAL;
	}
	return test->result.end == VM_DONE ? code : EXIT_WILL_NOT_LOAD;
}

static void print_lines(const struct log *log, const char *line)
{
	for (unsigned shown = 0; line && *line && shown < LOG_LINES; shown++) {
		const size_t length = strcspn(line, "\n");

		log_info(log, "    %.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

/* The last of it, from the beginning of a line. */
static const char *tail_of(const struct text *console)
{
	const char *start = console->data ? console->data : "";

	if (console->length > CONSOLE_TAIL) {
		start += console->length - CONSOLE_TAIL;
		start += strcspn(start, "\n");
		start += *start == '\n';
	}
	return start;
}

static void print(const struct boot_test *test)
{
	static const char *const ends[] = {
		[VM_STOPPED] = "the guest went down",
		[VM_TIMED_OUT] = "the guest hangs",
		[VM_FLOODED] = "the guest wrote without end",
		[VM_CANCELLED] = "it was interrupted",
	};

	for (size_t i = 0; i < test->count; i++) {
		const struct test_module *module = &test->modules[i];

		if (!module->built && is_loaded(module) && !module->complained)
			continue;
		if (found_no_device(module))
			log_info(test->log, "%s: loads on %s, and finds no device there (%s)",
				 module->name, test->kernel.release, result_name(module->loaded));
		else if (module->loaded == 0)
			log_info(test->log, "%s: loads on %s (taint %lu)%s%s", module->name,
				 test->kernel.release, module->taint,
				 module->unloaded == 0 ? "" : ", but does not unload: ",
				 module->unloaded == 0 ? "" : result_name(module->unloaded));
		else
			log_info(test->log, "%s: does not load on %s: %s", module->name,
				 test->kernel.release, result_name(module->loaded));
		print_lines(test->log, module->log.data);
	}
	if (test->result.end != VM_DONE) {
		log_info(test->log, "%s; the last of its console:", ends[test->result.end]);
		print_lines(test->log, tail_of(&test->result.console));
	}
	log_info(test->log, "booted and shut down in %u.%u s by %s",
		 test->result.milliseconds / 1000, test->result.milliseconds / 100 % 10,
		 test->result.accelerator == VM_KVM ? "KVM" : "emulation");
}

static json_t *module_to_json(const struct test_module *module)
{
	json_t *lines = json_array();
	const char *line = module->log.data;

	while (lines && line && *line) {
		const size_t length = strcspn(line, "\n");

		(void)json_array_append_new(lines, json_stringn(line, length));
		line += length + (line[length] == '\n');
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:I, s:b, s:o}", "name", module->name, "built",
			 module->built, "load", result_name(module->loaded), "unload",
			 result_name(module->unloaded), "taint", (json_int_t)module->taint,
			 "complained", module->complained, "log", lines);
}

static int print_json(const struct boot_test *test)
{
	static const char *const ends[] = { [VM_DONE] = "done",
					    [VM_STOPPED] = "stopped",
					    [VM_TIMED_OUT] = "timed-out",
					    [VM_FLOODED] = "flooded",
					    [VM_CANCELLED] = "cancelled" };
	cleanup_json json_t *whole = NULL;
	cleanup_free char *text = NULL;
	json_t *modules = json_array();

	for (size_t i = 0; modules && i < test->count; i++)
		(void)json_array_append_new(modules, module_to_json(&test->modules[i]));
	whole = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:i}", "schema",
			  "kmodbox-boot-test", "schema_version", SCHEMA_VERSION, "kmodbox",
			  KMODBOX_VERSION, "module", test->options->module, "version",
			  test->options->version, "kernel", test->kernel.release, "end",
			  ends[test->result.end], "accelerator",
			  test->result.accelerator == VM_KVM ? "kvm" : "emulation", "milliseconds",
			  (int)test->result.milliseconds, "modules", modules, "console",
			  record_text(test->result.console.data ? test->result.console.data : ""),
			  "exit_code", exit_code(test));
	text = whole ? json_to_text(whole) : NULL;
	if (text && fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return exit_code(test);
	(void)fputs("kmodbox: the result could not be printed as JSON\n", stderr);
	return EXIT_INFRASTRUCTURE;
}

/* ---- The whole */

/* All that root is needed for is opened; QEMU and the guest's words are nobody's. */
static int give_up_root(struct error **error)
{
	struct accounts accounts = { 0 };
	int r = accounts_choose(&accounts, error);

	return r < 0 ? r : accounts_become(&accounts, accounts.orchestrator, error);
}

static int run(struct boot_test *test, struct error **error)
{
	const struct options *options = test->options;
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_close int kernel_fd = -1, guest_fd = -1;
	int r = places_open(options, false, &places, error);

	if (r == 0)
		r = helper_open_program("kmodbox-checker", &test->checker_fd, error);
	if (r == 0)
		r = helper_open_program("kmodbox-guest", &guest_fd, error);
	if (r == 0)
		r = check_kernel_open(&places, options->kernel_count ? options->kernels[0] : NULL,
				      options->architecture_count ? options->architectures[0]
								  : NULL,
				      test->checker_fd, &test->kernel, error);
	if (r == 0)
		r = open_build(test, &places, error);
	if (r == 0)
		r = open_image(test, &kernel_fd, error);
	if (r == 0)
		r = add_built(test, error);
	if (r == 0)
		r = give_up_root(error);
	if (r == 0)
		r = boot(test, kernel_fd, guest_fd, error);
	return r;
}

static void clear(struct boot_test *test)
{
	for (size_t i = 0; i < test->count; i++) {
		free(test->modules[i].name);
		free(test->modules[i].guest_name);
		(void)close_fd(test->modules[i].fd);
		text_clear(&test->modules[i].log);
	}
	check_kernel_close(&test->kernel);
	(void)close_fd(test->checker_fd);
	(void)close_fd(test->built_fd);
	vm_result_clear(&test->result);
}

int boot_test(const struct options *options, const struct log *log)
{
	cleanup(clear) struct boot_test test = { .options = options,
						 .log = log,
						 .kernel = CHECK_KERNEL_INITIAL,
						 .checker_fd = -1,
						 .built_fd = -1 };
	cleanup_error struct error *error = NULL;

	if (run(&test, &error) < 0) {
		log_error(log, error);
		return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
	}
	read_events(&test);
	if (options->json)
		return print_json(&test);
	print(&test);
	return exit_code(&test);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb check, see check_command.h. */
#include "orchestrator/check_command.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/json.h"
#include "lib/base/memfd.h"
#include "orchestrator/check_kernel.h"
#include "orchestrator/check_report.h"
#include "orchestrator/helpers.h"
#include "orchestrator/module_file.h"

#define SHOWN_MAXIMUM 5 /* of aliases, of files of firmware */

/* One FILE, and what came of it. */
struct checked {
	const char *path;
	char *name;		 /* of the module, by the file's */
	int fd;			 /* its sealed copy */
	bool own;		 /* a file of the kernel's own package */
	struct text description; /* lines of CHECKER_DESCRIPTION */
	struct checker_verdict verdict;
	struct text warnings; /* that we found beside it, as lines of a verdict */
	struct error *error;  /* it could not be told */
};

struct checking {
	const struct options *options;
	const struct log *log;
	struct check_kernel kernel;
	int checker_fd;
	int symvers_fd;		  /* the kernel's Module.symvers */
	struct text added;	  /* what other modules export that were asked for */
	struct checker *checkers; /* one per processor */
	size_t checker_count;
	struct checked *files;
};

static const char *outcome_name(const struct checked *checked)
{
	return checked->error				       ? "error"
	       : checked->verdict.outcome == CHECKER_WILL_LOAD ? "will-load"
	       : checked->verdict.outcome == CHECKER_POLICY    ? "policy"
							       : "will-not-load";
}

static int outcome_code(const struct checked *checked)
{
	if (checked->error)
		return error_code(checked->error) ? error_code(checked->error)
						  : EXIT_INFRASTRUCTURE;
	return checked->verdict.outcome == CHECKER_WILL_LOAD ? 0
	       : checked->verdict.outcome == CHECKER_POLICY  ? EXIT_APPROVAL
							     : EXIT_WILL_NOT_LOAD;
}

/* ---- The file */

/* Below lib/modules/RELEASE/kernel, and nobody's but root's: depmod looks there, who builds not. */
static bool is_own(const struct check_kernel *kernel, const struct stat *status, const char *name)
{
	const char *path;
	bool builtin;
	size_t length = check_kernel_own(kernel, name, &path, &builtin);
	cleanup_free char *relative = length && !builtin ? strndup(path, length) : NULL;
	static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };

	for (size_t i = 0; relative && i < ARRAY_SIZE(suffixes); i++) {
		cleanup_free char *whole = format_string("%s%s", relative, suffixes[i]);
		struct stat own;

		if (whole && fstatat(kernel->tree_fd, whole, &own, AT_SYMLINK_NOFOLLOW) == 0 &&
		    own.st_dev == status->st_dev && own.st_ino == status->st_ino)
			return (own.st_mode & 022) == 0;
	}
	return false;
}

static int open_file(const struct checking *checking, struct checked *checked, struct error **error)
{
	struct stat status;
	int r = module_file_open(checked->path, &checked->fd, &status, error);

	if (r == 0)
		checked->own = checking->kernel.tree_fd >= 0 &&
			       is_own(&checking->kernel, &status, checked->name);
	return r;
}

/* ---- The question */

static int ask(struct checking *checking, struct checker *checker, const struct checked *checked,
	       int module_fd, const char *name, enum checker_purpose purpose, struct error **error)
{
	cleanup_close int added_fd = -1;
	struct checker_facts facts;
	int r = check_kernel_facts(&checking->kernel, name, &facts, error);

	if (r == 0)
		r = memfd_from_bytes("added", checking->added.data ? checking->added.data : "",
				     checking->added.length, &added_fd, error);
	if (r < 0)
		return r;
	facts.purpose = purpose;
	facts.flags |= CHECKER_MAY_BE_SIGNED;
	facts.flags |= checked && checked->own ? CHECKER_OF_KERNEL : 0;
	return checker_ask(checker, module_fd, added_fd, &facts, CHECKER_MILLISECONDS, error);
}

/* ---- What the verdict does not know: the tree of modules around it */

static printf_like(2, 3) void warn(struct checked *checked, const char *format, ...)
{
	va_list arguments;
	char line[512];

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	ignore_result(
		text_append_format(&checked->warnings, "warning: %s: %s\n", checked->name, line));
}

static void look_for_own_name(const struct checking *checking, struct checked *checked)
{
	const char *path = NULL;
	bool builtin;
	size_t length = check_kernel_own(&checking->kernel, checked->name, &path, &builtin);

	if (length && builtin)
		warn(checked, "the kernel has this module built in (%.*s), and refuses another",
		     (int)(length < 120 ? length : 120), path);
	else if (length)
		warn(checked, "replaces the kernel's own module %.*s",
		     (int)(length < 120 ? length : 120), path);
}

static void look_for_aliases(const struct checking *checking, struct checked *checked)
{
	const char *line = checked->description.data;
	unsigned found = 0;

	for (;;) {
		cleanup_free char *alias = check_next_value(&line, "alias");
		const char *module;
		size_t length;

		if (!alias)
			break;
		length = check_kernel_alias(&checking->kernel, alias, &module);
		if (length && found++ < SHOWN_MAXIMUM)
			warn(checked, "claims the alias %.120s, which the kernel's own %.*s has",
			     alias, (int)(length < 60 ? length : 60), module);
	}
	if (found > SHOWN_MAXIMUM)
		warn(checked, "claims %u more aliases of the kernel's own modules",
		     found - SHOWN_MAXIMUM);
}

static void look_for_firmware(const struct checking *checking, struct checked *checked)
{
	const char *line = checked->description.data;
	unsigned missing = 0;

	for (;;) {
		cleanup_free char *name = check_next_value(&line, "firmware");

		if (!name)
			break;
		if (!check_kernel_has_firmware(&checking->kernel, name) &&
		    missing++ < SHOWN_MAXIMUM)
			warn(checked, "asks for firmware %.120s, which is not in lib/firmware",
			     name);
	}
	if (missing > SHOWN_MAXIMUM)
		warn(checked, "asks for %u more files of firmware that are not there",
		     missing - SHOWN_MAXIMUM);
}

/* What the kernel's Module.symvers does not have: of modules that others added, or given beside. */
static int add_exports_of(struct checking *checking, struct checker *checker,
			  const struct checked *checked, const char *name, struct error **error)
{
	cleanup_close int module_fd = -1;
	struct checker_verdict verdict;
	const char *path;
	bool builtin;
	int r;

	if (check_kernel_own(&checking->kernel, name, &path, &builtin))
		return 0;
	for (size_t i = 0; i < checking->options->file_count && module_fd < 0; i++) {
		struct checked beside = { .path = checking->files[i].path,
					  .name = checking->files[i].name,
					  .fd = -1 };

		/* What cannot be opened is told of that file. */
		if (beside.name && &checking->files[i] != checked &&
		    string_equal(beside.name, name) && open_file(checking, &beside, NULL) == 0)
			module_fd = beside.fd;
	}
	if (module_fd < 0)
		module_fd = check_kernel_open_added(&checking->kernel, name);
	if (module_fd < 0)
		return 0;
	r = ask(checking, checker, NULL, module_fd, name, CHECKER_EXPORTS, error);
	return r < 0 ? r : checker_answer(checker, &verdict, &checking->added, error);
}

/* depends= as depmod and modpost write it: "a,b". */
static int add_dependencies(struct checking *checking, struct checker *checker,
			    struct checked *checked, struct error **error)
{
	const char *line = checked->description.data;
	cleanup_free char *depends = check_next_value(&line, "depends");
	char *rest = depends, *name;
	int r = 0;

	while (r == 0 && rest && (name = strsep(&rest, ","))) {
		if (name_is_safe(name))
			r = add_exports_of(checking, checker, checked, name, error);
	}
	return r;
}

/* ---- The whole */

static int begin(struct checking *checking, struct checker *checker, struct checked *checked,
		 struct error **error)
{
	int r = open_file(checking, checked, error);

	return r < 0 ? r
		     : ask(checking, checker, checked, checked->fd, checked->name, CHECKER_REPORT,
			   error);
}

static int finish(struct checking *checking, struct checker *checker, struct checked *checked,
		  struct error **error)
{
	const size_t known = checking->added.length;
	int r = checker_answer(checker, &checked->verdict, &checked->description, error);

	if (r == 0)
		r = add_dependencies(checking, checker, checked, error);
	/* Once more with their symbols. */
	if (r == 0 && checking->added.length > known)
		r = ask(checking, checker, checked, checked->fd, checked->name, CHECKER_LOADING,
			error);
	if (r == 0 && checking->added.length > known)
		r = checker_answer(checker, &checked->verdict, NULL, error);
	if (r == 0 && !checked->own) {
		look_for_own_name(checking, checked);
		look_for_aliases(checking, checked);
	}
	if (r == 0)
		look_for_firmware(checking, checked);
	checked->fd = close_fd(checked->fd);
	return r < 0 ? error_context(error, "%s", checked->path) : 0;
}

static struct check_report report_of(const struct checking *checking, const struct checked *checked)
{
	return (struct check_report){
		.path = checked->path,
		.module = checked->name,
		.kernel = checking->kernel.release,
		.outcome = outcome_name(checked),
		.verdict = &checked->verdict,
		.description = checked->description.data ? checked->description.data : "",
		.warnings = checked->warnings.data ? checked->warnings.data : "",
		.error = checked->error,
		.exit_code = outcome_code(checked),
	};
}

static int print_json(const struct checking *checking, int code)
{
	const size_t count = checking->options->file_count;
	cleanup_json json_t *list = json_array();
	cleanup_free char *text = NULL;

	for (size_t i = 0; list && i < count; i++) {
		const struct check_report report = report_of(checking, &checking->files[i]);

		(void)json_array_append_new(list, check_report_to_json(&report));
	}
	if (list && json_array_size(list) == count)
		text = json_to_text(count == 1 ? json_array_get(list, 0) : list);
	if (text && fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return code;
	(void)fputs("kmodbox: the verdict could not be printed as JSON\n", stderr);
	return EXIT_INFRASTRUCTURE;
}

static void print_lines(const struct log *log, const char *text)
{
	while (text && *text) {
		const size_t length = strcspn(text, "\n");

		if (!(length == strlen("will load") && string_starts_with(text, "will load")))
			log_info(log, "  %.*s", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void print(const struct checking *checking, const struct checked *checked)
{
	const struct checker_verdict *verdict = &checked->verdict;
	const char *release = checking->kernel.release;
	int length;
	const char *reason;

	if (checked->error) {
		log_error(checking->log, checked->error);
		return;
	}
	reason = checker_verdict_reason(verdict, checked->name, &length);
	if (verdict->outcome == CHECKER_WILL_LOAD)
		log_info(checking->log, "%s will load on %s", checked->path, release);
	else if (verdict->outcome == CHECKER_POLICY)
		log_info(checking->log, "%s would load on %s, but policy objects: %.*s",
			 checked->path, release, length, reason);
	else
		log_info(checking->log, "%s will not load on %s: %.*s (%s)", checked->path, release,
			 length, reason, strerrorname_np(verdict->errnum) ?: "?");
	if (verdict->outcome == CHECKER_WILL_LOAD || strchr(verdict->text, '\n'))
		print_lines(checking->log, verdict->text);
	print_lines(checking->log, checked->warnings.data);
}

/* What could not be told counts most, then what will not load. */
static int worse(int code, int other)
{
	static const int order[] = { 0, EXIT_APPROVAL, EXIT_WILL_NOT_LOAD };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (code == order[i])
			return other;
		if (other == order[i])
			return code;
	}
	return code;
}

static int open_files(struct checking *checking, struct error **error)
{
	const size_t count = checking->options->file_count;

	checking->files = calloc(count, sizeof(*checking->files));
	if (!checking->files)
		return error_set_errno(error, ENOMEM, "files");
	for (size_t i = 0; i < count; i++) {
		struct checked *checked = &checking->files[i];
		const char *path = checking->options->files[i];

		*checked = (struct checked){ .path = path, .fd = -1 };
		if (module_file_name(path, &checked->name) < 0)
			return error_set_errno(error, ENOMEM, "%s", path);
	}
	return 0;
}

static int open_checkers(struct checking *checking, struct error **error)
{
	const struct text *symvers = &checking->kernel.symvers;
	cpu_set_t processors;
	int r = memfd_from_bytes("symvers", symvers->data, symvers->length, &checking->symvers_fd,
				 error);

	if (r < 0)
		return r;
	checking->checker_count = checking->options->file_count;
	if (sched_getaffinity(0, sizeof(processors), &processors) == 0 &&
	    checking->checker_count > 2 * (size_t)CPU_COUNT(&processors))
		checking->checker_count = 2 * (size_t)CPU_COUNT(&processors);
	checking->checkers = calloc(checking->checker_count, sizeof(*checking->checkers));
	if (!checking->checkers)
		return error_set_errno(error, ENOMEM, "checkers");
	for (size_t i = 0; i < checking->checker_count; i++)
		checking->checkers[i] =
			(struct checker)CHECKER_INITIAL(checking->checker_fd, checking->symvers_fd);
	return 0;
}

/* As many at once as there are checkers; told in the order of the command line. */
static int check_files(struct checking *checking)
{
	const size_t count = checking->options->file_count, width = checking->checker_count;
	int code = 0;

	for (size_t i = 0; i < count + width; i++) {
		struct checker *checker = &checking->checkers[i % width];
		struct checked *next = i < count ? &checking->files[i] : NULL;
		struct checked *last = i >= width ? &checking->files[i - width] : NULL;

		if (last && !last->error)
			(void)finish(checking, checker, last, &last->error);
		if (next)
			(void)begin(checking, checker, next, &next->error);
		if (!last)
			continue;
		code = worse(code, outcome_code(last));
		if (!checking->options->json)
			print(checking, last);
	}
	return checking->options->json ? print_json(checking, code) : code;
}

static void clear(struct checking *checking)
{
	for (size_t i = 0; checking->files && i < checking->options->file_count; i++) {
		free(checking->files[i].name);
		(void)close_fd(checking->files[i].fd);
		text_clear(&checking->files[i].description);
		text_clear(&checking->files[i].warnings);
		(void)error_free(checking->files[i].error);
	}
	free(checking->files);
	for (size_t i = 0; i < checking->checker_count; i++)
		checker_stop(&checking->checkers[i]);
	free(checking->checkers);
	text_clear(&checking->added);
	check_kernel_close(&checking->kernel);
	(void)close_fd(checking->symvers_fd);
	(void)close_fd(checking->checker_fd);
}

int check_command(const struct options *options, const struct log *log)
{
	cleanup(clear) struct checking checking = {
		.options = options,
		.log = log,
		.kernel = CHECK_KERNEL_INITIAL,
		.checker_fd = -1,
		.symvers_fd = -1,
	};
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_error struct error *error = NULL;
	int r = places_choose_kernels(options, &places, &error);

	if (r == 0)
		r = helper_open_program("kmodbox-checker", &checking.checker_fd, &error);
	if (r == 0)
		r = check_kernel_open(&places, options->kernel_count ? options->kernels[0] : NULL,
				      options->architecture_count ? options->architectures[0]
								  : NULL,
				      checking.checker_fd, &checking.kernel, &error);
	if (r == 0 && !checking.kernel.reference.struct_module_size && !options->json)
		log_warning(log,
			    "none of the kernel's own modules is below lib/modules/%s/kernel: the "
			    "size of its struct module is not known and not compared",
			    checking.kernel.release);
	if (r == 0)
		r = open_files(&checking, &error);
	if (r == 0)
		r = open_checkers(&checking, &error);
	if (r == 0)
		return check_files(&checking);
	log_error(log, error);
	return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
}

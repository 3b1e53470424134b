/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reference module of a kernel, see reference.h. Its file in the cache is reference_cache.c. */
#include "orchestrator/reference.h"

#include <endian.h>
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/build_step.h"
#include "orchestrator/helpers.h"
#include "orchestrator/reference_cache.h"
#include "orchestrator/signer_client.h"

#define PACKAGE "kmodbox-reference"
#define MODULE "kmodbox_reference"

/* Its source, in the order of names that snapshots have. */
static const struct {
	const char *name;
	const char *content;
} files[] = {
	{ "Kbuild", "obj-m := " MODULE ".o\n" },
	/* Functions that are called, by name and by pointer, so that the marks of both are in it.
	 */
	{ MODULE ".c", "// SPDX-License-Identifier: GPL-2.0\n"
		       "#include <linux/kernel.h>\n"
		       "#include <linux/module.h>\n"
		       "\n"
		       "static void (*volatile call)(char *text);\n"
		       "\n"
		       "static noinline void fill(char *text)\n"
		       "{\n"
		       "\ttext[0] = '\\0';\n"
		       "}\n"
		       "\n"
		       "static noinline void tell(void)\n"
		       "{\n"
		       "\tchar text[16];\n"
		       "\n"
		       "\tcall(text);\n"
		       "}\n"
		       "\n"
		       "static int __init start(void)\n"
		       "{\n"
		       "\tcall = fill;\n"
		       "\ttell();\n"
		       "\treturn 0;\n"
		       "}\n"
		       "module_init(start);\n"
		       "\n"
		       "static void __exit end(void)\n"
		       "{\n"
		       "\ttell();\n"
		       "}\n"
		       "module_exit(end);\n"
		       "\n"
		       "MODULE_DESCRIPTION(\"what a module of this kernel looks like\");\n"
		       "MODULE_LICENSE(\"GPL\");\n" },
};

struct reference *reference_new(void)
{
	struct reference *reference = calloc(1, sizeof(*reference));

	if (reference)
		reference->module_fd = -1;
	return reference;
}

static void clear(struct reference *reference)
{
	(void)close_fd(reference->module_fd);
	free(reference->failure);
	free(reference->log);
	*reference = (struct reference){ .module_fd = -1, .told = reference->told };
}

struct reference *reference_free(struct reference *reference)
{
	if (reference)
		clear(reference);
	free(reference);
	return NULL;
}

const struct checker_verdict *reference_verdict(const struct target *target)
{
	const struct reference *reference = target->reference;

	return reference && reference->module_fd >= 0 ? &reference->verdict : NULL;
}

/* The source as a snapshot: see snapshot.h for what it looks like. */
static int make_source(int *ret_fd, struct error **error)
{
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	struct digest digest;
	int r = text_append_string(&text, SNAPSHOT_MAGIC);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		const uint16_t name_length = htole16((uint16_t)strlen(files[i].name));
		const uint64_t length = htole64(strlen(files[i].content));

		r = text_append(&text, "f", 1);
		r = r ? r : text_append(&text, &name_length, sizeof(name_length));
		r = r ? r : text_append_string(&text, files[i].name);
		r = r ? r : text_append(&text, &length, sizeof(length));
		r = r ? r : text_append_string(&text, files[i].content);
	}
	r = r ? r : text_append(&text, "", 1);
	if (r < 0)
		return error_set_errno(error, -r, "source of the reference module");
	r = memfd_from_bytes("source", text.data, text.length, &fd, error);
	if (r == 0)
		r = snapshot_check(fd, &digest, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* Does what was made agree with the .config beside it? */
static int examine(const struct target *target, int module_fd, struct checker_verdict *ret_verdict,
		   struct error **error)
{
	const char *config = target->kernel->config;
	cleanup_close int checker_fd = -1;
	struct checker_verdict verdict;
	struct checker_facts facts;
	int r = helper_open_program("kmodbox-checker", &checker_fd, error);

	if (r == 0)
		r = checker_run_reference(checker_fd, module_fd, target->release,
					  target->architecture, &verdict, error);
	if (r == 0)
		r = checker_facts_with_reference(config, strlen(config), target->release,
						 target->architecture, "reference", &verdict,
						 &facts, error);
	if (r == 0)
		*ret_verdict = verdict;
	return r;
}

/* What the person reads: the line that says why, and what to do. Interruptions and a sandbox that
 * cannot be made are no matter of the kernel. */
static int explain(const struct build *build, struct error **error)
{
	const int code = error_code(*error), number = error_number(*error);
	cleanup_free char *text = NULL;

	if (code == 0 || code == EXIT_SANDBOX || code == EXIT_INTERRUPTED ||
	    code == EXIT_INFRASTRUCTURE)
		return error_context(error, "reference module");
	if (code == EXIT_MAKE_FAILED)
		text = build_log_reason(&build->log);
	else if (code == EXIT_LIMIT && build->result.end == SANDBOX_LIMIT)
		text = sandbox_result_describe(&build->result);
	text = text ? text : error_describe(*error);
	*error = error_free(*error);
	if (build->progress.last == STAGE_ENVIRONMENT)
		return error_refuse(error, EXIT_MAKE_FAILED, number, "%s",
				    text ? text : "out of memory");
	return error_refuse(error, EXIT_MAKE_FAILED, number,
			    "not even one made of nothing, under profile %s: %s%s",
			    build->profile->name, text ? text : "out of memory",
			    code == EXIT_WILL_NOT_LOAD
				    ? ""
				    : "; mend what that names, or install its headers anew");
}

static int run(struct build *build, struct reference *made, struct error **error)
{
	int r = make_source(&build->snapshot_fd, error);

	if (r == 0)
		r = build_step_run(build, error);
	if (r == 0)
		r = build_step_collect(build, error);
	if (r == 0)
		r = build_step_strip(build, error);
	if (r == 0)
		r = examine(build->target, build->artifacts[0].fd, &made->verdict, error);
	/* What was made with its headers is not for this kernel, or is none. */
	if (r == -EINVAL && error_code(*error) == 0)
		error_set_code(*error, EXIT_WILL_NOT_LOAD);
	if (r == 0) {
		made->module_fd = TAKE_FD(build->artifacts[0].fd);
		made->digest = build->artifacts[0].digest;
	}
	return r;
}

/* Of one that fails the log is more to the point than that of what was to be built. */
static int make(struct build *wanted, struct reference *made, struct error **error)
{
	char package[] = PACKAGE, version[] = KMODBOX_VERSION, name[] = MODULE, here[] = "";
	char command[] = "make -C $kernel_source_dir M=$build_dir modules";
	struct recipe_module module = { .built_name = name,
					.built_location = here,
					.dest_name = name,
					.dest_location = here,
					.strip = true };
	struct recipe recipe = { .package_name = package,
				 .package_version = version,
				 .modules = &module,
				 .module_count = 1,
				 .make = command };
	const struct module_settings settings = { 0 };
	const struct dependencies dependencies = { 0 };
	const struct overlay overlay = { 0 };
	struct build build = { .orchestrator = wanted->orchestrator,
			       .package = wanted->package,
			       .target = wanted->target,
			       .recipe = &recipe,
			       .settings = &settings,
			       .dependencies = &dependencies,
			       .overlay = &overlay,
			       .profile = wanted->profile,
			       .limits = wanted->profile->settings.limits,
			       .snapshot_fd = -1,
			       .log = { .fd = -1 } };
	int r = build_log_open(&build.log, package, version, build.target->release,
			       build.target->architecture, error);

	if (r == 0)
		r = run(&build, made, error);
	if (r < 0)
		r = explain(&build, error);
	if (r < 0 && build.log.fd >= 0) {
		build_log_close(&wanted->log);
		wanted->log = build.log;
		build.log = (struct build_log){ .fd = -1 };
	}
	(void)close_fd(build.snapshot_fd);
	build_clear(&build);
	return r;
}

static int append_digest(struct text *text, const char *name, const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return text_append_format(text, "%s %s\n", name, hex);
}

/* Everything that it is made of. */
static int make_key(const struct build *build, struct digest *ret_key, struct error **error)
{
	const struct target *target = build->target;
	const char *environment = build->orchestrator->build_environment;
	cleanup_text struct text text = { 0 };
	int r = text_append_format(&text, "kmodbox %s\nkernel %s %s\nprofile %s\n", KMODBOX_VERSION,
				   target->release, target->architecture, build->profile->name);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = text_append_format(&text, "%s\n%s", files[i].name, files[i].content);
	r = r ? r : append_digest(&text, "headers", inputs_headers(build->inputs));
	for (size_t i = 0; r == 0 && i < build->toolchain->count; i++)
		r = append_digest(&text, build->toolchain->tools[i].path,
				  inputs_tool(build->inputs, i));
	r = r ? r : text_append(&text, build->profile->text.data, build->profile->text.length);
	r = r ? r : text_append(&text, build->profile->policy.data, build->profile->policy.length);
	r = r ? r : text_append_string(&text, environment ? environment : "");
	return r < 0 ? error_set_errno(error, -r, "reference module")
		     : digest_bytes(text.data, text.length, ret_key, error);
}

/* From the cache, if what is there stands examination. */
static bool recall(const struct build *build, struct reference *found)
{
	if (reference_cache_read(build, &found->key, &found->module_fd, &found->digest) < 0)
		return false;
	found->kept = true;
	if (examine(build->target, found->module_fd, &found->verdict, NULL) == 0)
		return true;
	found->module_fd = close_fd(found->module_fd);
	found->kept = false;
	return false;
}

static int find(struct build *build, struct reference *reference, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	int r;

	if (recall(build, reference))
		return 0;
	if (orchestrator->options->verbose)
		log_info(orchestrator->log, "Building the reference module of kernel %s",
			 build->target->release);
	r = make(build, reference, error);
	if (r < 0 && error_code(*error) == EXIT_MAKE_FAILED)
		reference->failure = error_describe(*error);
	return r;
}

int reference_obtain(struct build *build, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	struct reference *reference = build->target->reference;
	struct digest key;
	int r = make_key(build, &key, error);

	if (r < 0)
		return r;
	if (!digest_equal(&key, &reference->key)) {
		clear(reference);
		reference->key = key;
	}
	if (reference->failure)
		return error_refuse(error, EXIT_MAKE_FAILED, ECHILD, "%s", reference->failure);
	if (reference->module_fd < 0)
		r = find(build, reference, error);
	if (r == 0 && !reference->handed && orchestrator->signer >= 0) {
		r = signer_client_reference(orchestrator, build->target, reference->module_fd,
					    error);
		reference->handed = r == 0;
	}
	return r;
}

void reference_settle(const struct build *build, bool changed)
{
	struct reference *reference = build->target->reference;

	if (changed)
		clear(reference);
	else if (reference->module_fd >= 0 && !reference->kept)
		reference->kept =
			reference_cache_write(build, &reference->key, reference->module_fd) == 0;
}

int reference_require(const struct orchestrator *orchestrator, const struct target *target,
		      struct error **error)
{
	cleanup_toolchain struct toolchain toolchain = { 0 };
	struct build build = { .orchestrator = orchestrator,
			       .target = target,
			       .toolchain = &toolchain,
			       .profile = &orchestrator->profile,
			       .log = { .fd = -1 } };
	bool changed = false;
	int r = toolchain_find(target->kernel, &toolchain, error);

	if (r < 0 && error)
		error_set_code(*error, EXIT_MAKE_FAILED);
	if (r == 0)
		r = inputs_begin(target->kernel, &toolchain, orchestrator->cache_fd, &build.inputs,
				 error);
	if (r == 0) {
		r = reference_obtain(&build, error);
		inputs_end(build.inputs);
		if (inputs_changed(build.inputs, &changed, NULL) == 0)
			reference_settle(&build, changed);
	}
	build_clear(&build);
	return r;
}

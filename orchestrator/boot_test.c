/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb boot-test, see boot_test.h. */
#include "orchestrator/boot_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/json.h"
#include "orchestrator/boot.h"
#include "orchestrator/launcher.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/record_parts.h"

#define SCHEMA_VERSION 1
#define CERTIFICATE_MAXIMUM 65536

static json_t *problems_to_json(unsigned problems)
{
	json_t *list = json_array();

	for (unsigned bit = 0; list && boot_problem_name(bit); bit++) {
		if (problems & 1u << bit)
			(void)json_array_append_new(list, json_string(boot_problem_name(bit)));
	}
	return list;
}

/* Lines of "LEVEL TEXT". */
static json_t *log_to_json(const struct text *log)
{
	json_t *list = json_array();

	for (const char *line = log->data; list && line && *line;) {
		const size_t length = strcspn(line, "\n");

		if (length > 2)
			(void)json_array_append_new(list,
						    json_pack("{s:i, s:s%}", "level", *line - '0',
							      "text", line + 2, length - 2));
		line += length + (line[length] == '\n');
	}
	return list;
}

static json_t *module_to_json(const struct boot_module *module)
{
	cleanup_free char *taint = boot_taint_letters(module->taint);
	const char *errnum = module->errnum > 0 ? strerrorname_np(module->errnum) : NULL;
	const char *unload = module->unload_errnum < 0	  ? NULL
			     : module->unload_errnum == 0 ? "done"
							  : strerrorname_np(module->unload_errnum);

	return json_pack("{s:s, s:b, s:s, s:s?, s:s?, s:s?, s:o, s:o}", "module", module->name,
			 "own", module->own, "result", boot_outcome_name(module->outcome), "errno",
			 errnum, "unload", unload, "taints", taint, "problems",
			 problems_to_json(module->problems), "log", log_to_json(&module->log));
}

static json_t *modules_to_json(const struct boot *boot)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < boot->count; i++)
		(void)json_array_append_new(list, module_to_json(&boot->modules[i]));
	return list;
}

static const char *accelerator_name(const struct boot *boot)
{
	return boot->result.accelerator == VM_KVM	  ? "kvm"
	       : boot->result.accelerator == VM_EMULATION ? "emulation"
							  : NULL;
}

static const char *end_name(const struct boot *boot)
{
	static const char *const names[] = { [VM_DONE] = "done",
					     [VM_STOPPED] = "stopped",
					     [VM_TIMED_OUT] = "timed-out",
					     [VM_FLOODED] = "flooded",
					     [VM_CANCELLED] = "cancelled" };

	return names[boot->result.end];
}

static int print_json(const struct boot_spec *spec, const struct boot *boot,
		      const struct error *error, int code)
{
	cleanup_free char *message = error ? error_describe(error) : NULL;
	cleanup_json json_t *whole = json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s?, s:s?, s:I, s:o, s:o, s:o, s:i}",
		"schema", "kmodbox-boot-test", "schema_version", SCHEMA_VERSION, "kmodbox",
		KMODBOX_VERSION, "module", spec->module, "version", spec->version, "kernel",
		spec->release, "architecture", spec->architecture, "secure_boot",
		spec->certificate != NULL, "accelerator", accelerator_name(boot), "end",
		end_name(boot), "milliseconds", (json_int_t)boot->result.milliseconds, "console",
		record_text(boot->result.console.data ? boot->result.console.data : ""), "modules",
		modules_to_json(boot), "message", message ? record_text(message) : json_null(),
		"exit_code", code);
	cleanup_free char *text = whole ? json_to_text(whole) : NULL;

	if (text && fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return code;
	(void)fputs("kmodbox: the result could not be printed as JSON\n", stderr);
	return EXIT_INFRASTRUCTURE;
}

static void print_log(const struct log *log, const struct boot_module *module)
{
	for (const char *line = module->log.data; line && *line;) {
		const size_t length = strcspn(line, "\n");

		if (length > 2)
			log_info(log, "    %.*s", (int)length - 2, line + 2);
		line += length + (line[length] == '\n');
	}
}

static void print_module(const struct log *log, const struct boot_module *module)
{
	cleanup_free char *taint = boot_taint_letters(module->taint);
	cleanup_text struct text line = { 0 };

	ignore_result(text_append_format(&line, "  %s%s: %s", module->name,
					 module->own ? "" : " (needed)",
					 boot_outcome_name(module->outcome)));
	if (module->errnum)
		ignore_result(
			text_append_format(&line, " (%s)", strerrorname_np(module->errnum) ?: "?"));
	if (module->unload_errnum >= 0)
		ignore_result(text_append_format(
			&line, ", unload %s",
			module->unload_errnum ? strerrorname_np(module->unload_errnum) ?: "?"
					      : "done"));
	if (taint && *taint)
		ignore_result(text_append_format(&line, ", taints %s", taint));
	for (unsigned bit = 0; boot_problem_name(bit); bit++) {
		if (module->problems & 1u << bit)
			ignore_result(text_append_format(&line, ", %s", boot_problem_name(bit)));
	}
	log_info(log, "%s", line.data ? line.data : "");
	print_log(log, module);
}

static void print(const struct log *log, const struct boot_spec *spec, const struct boot *boot)
{
	const char *accelerator = accelerator_name(boot);

	if (!accelerator)
		return;
	log_info(log, "Booted kernel %s with %s/%s in %u.%u s (%s)", spec->release, spec->module,
		 spec->version, boot->result.milliseconds / 1000,
		 boot->result.milliseconds % 1000 / 100, accelerator);
	for (size_t i = 0; i < boot->count; i++)
		print_module(log, &boot->modules[i]);
}

/* Root is given up before anything of a module's author's is run, if only in a machine. */
static int give_up_root(struct error **error)
{
	struct accounts accounts;
	int r = accounts_choose(&accounts, error);

	return r < 0 ? r : accounts_become(&accounts, accounts.orchestrator, error);
}

/* keys/module.crt of the state directory: what the signer signs with, and a host would enrol. */
static int read_certificate(const struct places *places, struct text *ret_certificate,
			    struct error **error)
{
	cleanup_close int state_fd = open(places->state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;
	uint64_t size;
	int r = state_fd < 0 ? -errno
			     : open_regular_beneath(state_fd, "keys/module.crt",
						    CERTIFICATE_MAXIMUM, &fd, &size, NULL);

	if (r == 0)
		r = read_fd(fd, CERTIFICATE_MAXIMUM, ret_certificate, NULL);
	return r < 0 ? error_refuse(error, EXIT_STATE, -r,
				    "--secure-boot: no certificate to enrol: %s/keys/module.crt "
				    "cannot be read; it is made by the first build",
				    places->state)
		     : 0;
}

static int test(const struct boot_spec *spec, struct boot *boot, struct error **error)
{
	int r = boot_collect(spec, boot, error);

	if (r == 0)
		r = give_up_root(error);
	if (r == 0)
		r = boot_run(spec, boot, -1, error);
	return r < 0 ? r : boot_judge(spec, boot, error);
}

int boot_test_command(const struct options *options, const struct log *log)
{
	cleanup_boot_kernel struct boot_kernel kernel = BOOT_KERNEL_INITIAL;
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_boot struct boot boot = BOOT_INITIAL;
	cleanup_text struct text certificate = { 0 };
	cleanup_error struct error *error = NULL;
	struct boot_spec spec = { .kernel = &kernel,
				  .module = options->module,
				  .version = options->version };
	struct utsname running;
	int code = 0;
	int r = uname(&running) < 0 ? error_set_errno(&error, errno, "uname")
				    : places_open(options, false, &places, &error);

	spec.release = options->kernel_count ? options->kernels[0] : running.release;
	spec.architecture =
		options->architecture_count ? options->architectures[0] : running.machine;
	spec.dkms_tree_fd = places.dkms_tree_fd;
	if (r == 0 && places.dkms_tree_fd < 0)
		r = error_refuse(&error, EXIT_STATE, ENOENT, "%s/%s is not in the DKMS tree",
				 spec.module, spec.version);
	if (r == 0 && options->secure_boot) {
		r = read_certificate(&places, &certificate, &error);
		spec.certificate = &certificate;
	}
	if (r == 0) {
		kernel = boot_kernel_open(&places, spec.release);
		r = test(&spec, &boot, &error);
	}
	if (r < 0)
		code = error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
	if (options->json)
		return print_json(&spec, &boot, error, code);
	print(log, &spec, &boot);
	if (error)
		log_error(log, error);
	else
		log_info(log, "%s/%s loads on %s", spec.module, spec.version, spec.release);
	return code;
}

int boot_test_demanded(const struct orchestrator *orchestrator, const struct package *package,
		       const struct target *target, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_boot struct boot boot = BOOT_INITIAL;
	const struct boot_spec spec = {
		.kernel = &target->boot,
		.release = target->release,
		.architecture = target->architecture,
		.dkms_tree_fd = orchestrator->places.dkms_tree_fd,
		.module = package->module,
		.version = package->version,
	};
	int r = module_settings_load(&orchestrator->places, package->module, &settings, error);

	if (r < 0 || !settings.boot_test)
		return r;
	r = boot_collect(&spec, &boot, error);
	if (r == 0)
		r = boot_run(&spec, &boot, orchestrator->sandbox.cancel_fd, error);
	if (r == 0)
		r = boot_judge(&spec, &boot, error);
	print(orchestrator->log, &spec, &boot);
	return r < 0 ? error_context(error, "%s/%s is not installed: modules.d demands a boot test",
				     package->module, package->version)
		     : 0;
}

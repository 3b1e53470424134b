/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers and toolchain of a build: digested once, watched always. See inputs.h. */
#include "lib/kernels/inputs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "lib/base/text.h"

#define FORMAT "kmodbox-inputs-1"
#define FILE_MAXIMUM 4096u

/*
 * A file that is written twice within a tick of the kernel's clock has one ctime for both. What
 * changed less than this before it was looked at is not remembered (git calls it racily clean).
 */
#define SETTLED_SECONDS 2

/* What is remembered, and what a build is held against. */
struct memory {
	struct digest quick;   /* of a few files that every upgrade changes */
	struct digest stamp;   /* of all of the headers */
	struct digest headers; /* their contents */
	struct digest tools;   /* stamp of the toolchain */
	struct digest tool[TOOLCHAIN_TOOLS];
};

struct inputs {
	const struct kernel *kernel;
	const struct toolchain *toolchain;
	int cache_fd; /* owned */
	char *name;   /* of the file in it */
	struct memory memory;
	bool remembered;
	time_t newest; /* the latest change of any file */
	pid_t child;   /* looks again */
	int report_fd;
};

/* What a process says that looked at everything: fixed size, from ourselves. */
struct look {
	struct digest stamp;
	struct digest tools;
	int64_t newest;
	int32_t result;
};

static int quick_stamp(const struct kernel *kernel, struct digest *ret_digest, struct error **error)
{
	static const char *const files[] = { ".", ".config", "Module.symvers", "include/generated",
					     "include/generated/utsrelease.h" };
	cleanup_text struct text text = { 0 };
	int r = text_append_string(&text, kernel->release);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		struct stat status;

		if (fstatat(kernel->build_fd, files[i], &status, 0) < 0)
			status = (struct stat){ 0 };
		r = text_append_format(&text, "/%llu %llu %lld %lld.%09ld",
				       (unsigned long long)status.st_dev,
				       (unsigned long long)status.st_ino, (long long)status.st_size,
				       (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
	}
	return r < 0 ? error_set_errno(error, -r, "headers of kernel %s", kernel->release)
		     : digest_bytes(text.data, text.length, ret_digest, error);
}

/* "headers-6.1.0-56-amd64-x86_64-0123456789abcdef": one file per kernel and place. */
static char *file_name(const struct kernel *kernel)
{
	cleanup_free char *place = format_string("%s\n%s", kernel->root, kernel->build);
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;

	if (!place || digest_bytes(place, strlen(place), &digest, NULL) < 0)
		return NULL;
	digest_to_hex(&digest, hex);
	return format_string("headers-%s-%s-%.16s", kernel->release, kernel->architecture, hex);
}

static int append_digest(struct text *text, const char *name, const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return text_append_format(text, "%s %s\n", name, hex);
}

static int format_memory(const struct inputs *inputs, struct text *text)
{
	const struct memory *memory = &inputs->memory;
	int r = text_append_string(text, FORMAT "\n");

	r = r ? r : append_digest(text, "quick", &memory->quick);
	r = r ? r : append_digest(text, "stamp", &memory->stamp);
	r = r ? r : append_digest(text, "headers", &memory->headers);
	r = r ? r : append_digest(text, "tools", &memory->tools);
	for (size_t i = 0; r == 0 && i < inputs->toolchain->count; i++)
		r = append_digest(text, "tool", &memory->tool[i]);
	return r;
}

/* One line "name HEX"; moves on behind it. */
static bool parse_digest(const char **position, const char *name, struct digest *ret_digest)
{
	const char *line = *position;
	size_t length = strlen(name);
	char hex[DIGEST_HEX_SIZE] = { 0 };

	if (strncmp(line, name, length) != 0 || line[length] != ' ' ||
	    strnlen(line + length + 1, DIGEST_HEX_SIZE) != DIGEST_HEX_SIZE ||
	    line[length + DIGEST_HEX_SIZE] != '\n')
		return false;
	memcpy(hex, line + length + 1, DIGEST_HEX_SIZE - 1);
	*position = line + length + DIGEST_HEX_SIZE + 1;
	return digest_from_hex(hex, ret_digest) == 0;
}

static bool parse_memory(const struct inputs *inputs, const char *text, struct memory *ret_memory)
{
	struct memory memory = { 0 };

	if (!string_starts_with(text, FORMAT "\n"))
		return false;
	text += strlen(FORMAT "\n");
	if (!parse_digest(&text, "quick", &memory.quick) ||
	    !parse_digest(&text, "stamp", &memory.stamp) ||
	    !parse_digest(&text, "headers", &memory.headers) ||
	    !parse_digest(&text, "tools", &memory.tools))
		return false;
	for (size_t i = 0; i < inputs->toolchain->count; i++)
		if (!parse_digest(&text, "tool", &memory.tool[i]))
			return false;
	*ret_memory = memory;
	return *text == '\0';
}

/* Is what is remembered about the very same files, as far as a few stat(2) tell? */
static bool recall(struct inputs *inputs, const struct memory *now)
{
	cleanup_text struct text text = { 0 };
	struct memory memory;

	if (inputs->cache_fd < 0 ||
	    read_file(inputs->cache_fd, inputs->name, FILE_MAXIMUM, &text, NULL) < 0 ||
	    !parse_memory(inputs, text.data ? text.data : "", &memory) ||
	    !digest_equal(&memory.quick, &now->quick) || !digest_equal(&memory.tools, &now->tools))
		return false;
	inputs->memory = memory;
	return true;
}

/* The stamps first: what changes while the contents are read shows at the end. */
static int learn(struct inputs *inputs, struct error **error)
{
	const struct toolchain *toolchain = inputs->toolchain;
	struct memory *memory = &inputs->memory;
	int r = kernel_stamp(inputs->kernel, &memory->stamp, NULL, error);

	if (r == 0)
		r = kernel_fingerprint(inputs->kernel, &memory->headers, error);
	for (size_t i = 0; r == 0 && i < toolchain->count; i++)
		r = toolchain_digest(&toolchain->tools[i], &memory->tool[i], error);
	return r;
}

int inputs_begin(const struct kernel *kernel, const struct toolchain *toolchain, int cache_fd,
		 struct inputs **ret_inputs, struct error **error)
{
	struct inputs *inputs = calloc(1, sizeof(*inputs));
	struct memory *memory;
	int r = 0;

	if (!inputs)
		return error_set_errno(error, ENOMEM, "inputs of the build");
	*inputs = (struct inputs){ .kernel = kernel,
				   .toolchain = toolchain,
				   .cache_fd = -1,
				   .name = file_name(kernel),
				   .report_fd = -1 };
	memory = &inputs->memory;
	if (cache_fd >= 0)
		inputs->cache_fd = fcntl(cache_fd, F_DUPFD_CLOEXEC, 0);
	if (!inputs->name)
		r = error_set_errno(error, ENOMEM, "inputs of the build");
	if (r == 0)
		r = quick_stamp(kernel, &memory->quick, error);
	if (r == 0)
		r = toolchain_stamp(toolchain, &memory->tools, NULL, error);
	if (r == 0) {
		const struct memory now = *memory;

		inputs->remembered = recall(inputs, &now);
		r = inputs->remembered ? 0 : learn(inputs, error);
	}
	if (r < 0) {
		(void)inputs_free(inputs);
		return r;
	}
	*ret_inputs = inputs;
	return 0;
}

static _Noreturn void look_again(const struct inputs *inputs, int report_fd)
{
	struct look look = { 0 };
	time_t newest_tool = 0, newest = 0;

	look.result = kernel_stamp(inputs->kernel, &look.stamp, &newest, NULL);
	if (look.result == 0)
		look.result = toolchain_stamp(inputs->toolchain, &look.tools, &newest_tool, NULL);
	look.newest = newest > newest_tool ? newest : newest_tool;
	ignore_result(write_all(report_fd, &look, sizeof(look)));
	_exit(0);
}

void inputs_end(struct inputs *inputs)
{
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0)
		return;
	inputs->child = fork();
	if (inputs->child == 0)
		look_again(inputs, report[1]);
	(void)close_fd(report[1]);
	inputs->report_fd = report[0];
}

/* The child's word; it is ours, of one size, and comes in one piece or not at all. */
static int read_look(struct inputs *inputs, struct look *ret_look)
{
	ssize_t got;

	do
		got = read(inputs->report_fd, ret_look, sizeof(*ret_look));
	while (got < 0 && errno == EINTR);
	inputs->report_fd = close_fd(inputs->report_fd);
	while (waitpid(inputs->child, NULL, 0) < 0 && errno == EINTR)
		;
	inputs->child = 0;
	if (got != (ssize_t)sizeof(*ret_look))
		return -EIO;
	return ret_look->result;
}

static void remember(const struct inputs *inputs, time_t newest)
{
	cleanup_text struct text text = { 0 };
	time_t now = time(NULL);

	/* Without it the next build reads everything again, no more. */
	if (inputs->cache_fd < 0 || inputs->remembered || newest > now - SETTLED_SECONDS ||
	    format_memory(inputs, &text) < 0)
		return;
	ignore_result(write_file_atomically(inputs->cache_fd, inputs->name, text.data, text.length,
					    0644, NULL));
}

int inputs_changed(struct inputs *inputs, bool *ret_changed, struct error **error)
{
	struct look look;
	int r = inputs->child > 0 ? read_look(inputs, &look) : -EAGAIN;

	if (r < 0)
		return error_set_errno(error, -r, "cannot look at the headers of kernel %s again",
				       inputs->kernel->release);
	*ret_changed = !digest_equal(&look.stamp, &inputs->memory.stamp) ||
		       !digest_equal(&look.tools, &inputs->memory.tools);
	if (!*ret_changed)
		remember(inputs, (time_t)look.newest);
	else if (inputs->remembered)
		/* Perhaps it changed long ago, where the quick look does not see it. */
		ignore_result(unlinkat(inputs->cache_fd, inputs->name, 0));
	return 0;
}

const struct digest *inputs_headers(const struct inputs *inputs)
{
	return &inputs->memory.headers;
}

const struct digest *inputs_tool(const struct inputs *inputs, size_t index)
{
	return &inputs->memory.tool[index];
}

struct inputs *inputs_free(struct inputs *inputs)
{
	if (!inputs)
		return NULL;
	if (inputs->child > 0) {
		(void)kill(inputs->child, SIGKILL);
		while (waitpid(inputs->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	(void)close_fd(inputs->report_fd);
	(void)close_fd(inputs->cache_fd);
	free(inputs->name);
	free(inputs);
	return NULL;
}

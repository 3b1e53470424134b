/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-checker: examines one module in a jail and writes one verdict to a pipe. Started by the
 * signer (checker/run.c) with the descriptors of enum checker_fd and no arguments. It maps what it
 * is given, locks itself in, and only then looks at a byte of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checker/checker.h"
#include "checker/decompress.h"
#include "checker/jail.h"
#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"

struct input {
	const uint8_t *module;
	size_t module_size;
	const uint8_t *symvers;
	size_t symvers_size;
	struct checker_facts facts;
};

static int map_input(struct input *input, struct error **error)
{
	const uint8_t *facts;
	size_t size;
	int r;

	r = memfd_map(CHECKER_FACTS_FD, sizeof(input->facts), &facts, &size, error);
	if (r < 0)
		return r;
	if (size != sizeof(input->facts))
		return error_set(error, EINVAL, "the kernel's facts are %zu bytes, not %zu", size,
				 sizeof(input->facts));
	memcpy(&input->facts, facts, size);
	memfd_unmap(facts, size);
	input->facts.vermagic[sizeof(input->facts.vermagic) - 1] = '\0';
	input->facts.module_name[sizeof(input->facts.module_name) - 1] = '\0';
	input->facts.compiler[sizeof(input->facts.compiler) - 1] = '\0';
	r = memfd_map(CHECKER_MODULE_FD, BUILD_MODULE_MAXIMUM, &input->module, &input->module_size,
		      error);
	if (r < 0)
		return r;
	return memfd_map(CHECKER_SYMVERS_FD, CHECKER_SYMVERS_MAXIMUM, &input->symvers,
			 &input->symvers_size, error);
}

/* What cannot be unpacked is a finding like any other, not a failure of ours. */
static void examine(const struct input *input, struct checker_verdict *verdict,
		    struct text *exports)
{
	const uint8_t *module = input->module;
	size_t size = input->module_size;
	int r = 0;

	/* What is signed is never compressed yet. */
	if (input->facts.purpose != CHECKER_LOADING || input->facts.flags & CHECKER_MAY_BE_SIGNED)
		r = decompress(input->module, input->module_size, &module, &size);
	if (r < 0) {
		*verdict = (struct checker_verdict){ .outcome = CHECKER_WILL_NOT_LOAD,
						     .errnum = -r,
						     .text = "it cannot be decompressed" };
		return;
	}
	checker_examine(module, size, (const char *)input->symvers, input->symvers_size,
			&input->facts, verdict, exports);
}

static int write_record(const void *record, size_t length)
{
	const char *bytes = record;

	while (length > 0) {
		ssize_t written = write(CHECKER_RECORD_FD, bytes, length);

		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

int main(void)
{
	cleanup_error struct error *error = NULL;
	static struct input input;
	static struct checker_verdict verdict;
	struct text exports = { 0 };

	if (map_input(&input, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		fprintf(stderr, "kmodbox-checker: %s; it is started by kmodbox-signer only\n",
			text ? text : "out of memory");
		return 2;
	}
	/* From here on there is no standard error any more: the exit status has to say it. */
	if (checker_jail_enter(CHECKER_RECORD_FD, &error) < 0)
		_exit(3);
	examine(&input, &verdict, &exports);
	if (write_record(&verdict, sizeof(verdict)) < 0 ||
	    write_record(exports.data, exports.length) < 0)
		_exit(4);
	_exit(0);
}

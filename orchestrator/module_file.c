/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See module_file.h. */
#include "orchestrator/module_file.h"

#include <fcntl.h>
#include <string.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/memfd.h"
#include "orchestrator/check_kernel.h"

int module_file_name(const char *path, char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const size_t length = check_module_stem(base);

	*ret_name = length ? strndup(base, length) : NULL;
	return length && !*ret_name ? -ENOMEM : 0;
}

int module_file_open(const char *path, int *ret_fd, struct stat *ret_status, struct error **error)
{
	/* Without waiting for a FIFO's other end. */
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	cleanup_free char *name = NULL;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_refuse(error, EXIT_NO_SOURCE, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_refuse(error, EXIT_NO_SOURCE, EINVAL, "%s is no regular file", path);
	if ((uint64_t)status.st_size > BUILD_MODULE_MAXIMUM)
		return error_refuse(error, EXIT_WILL_NOT_LOAD, EFBIG,
				    "%s has %lld bytes; a module has at most %llu", path,
				    (long long)status.st_size,
				    (unsigned long long)BUILD_MODULE_MAXIMUM);
	if (module_file_name(path, &name) < 0)
		return error_set_errno(error, ENOMEM, "%s", path);
	if (!name)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "%s: a module's file ends in .ko, .ko.xz, .ko.zst or .ko.gz, "
				    "and is called as the module is",
				    path);
	*ret_status = status;
	return memfd_from_file("module", fd, (uint64_t)status.st_size, ret_fd, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting: whatever a build may leave in a module's place; only a plain file of its own is
 * taken. */
#include "lib/artifacts/collect.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"

#define MAXIMUM UINT64_C(4096)
#define CONTENT "not an ELF, but a file"

struct scratch {
	char path[64];
	int fd;
};

static void write_file(int directory_fd, const char *path, const char *content)
{
	assert_int_equal(
		write_file_atomically(directory_fd, path, content, strlen(content), 0644, NULL), 0);
}

static int set_up(void **state)
{
	static struct scratch scratch;

	scratch = (struct scratch){ .path = "/tmp/kmodbox-collect-XXXXXX" };
	assert_non_null(mkdtemp(scratch.path));
	assert_int_equal(chmod(scratch.path, 0755), 0);
	scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch.fd >= 0);
	assert_int_equal(mkdirat(scratch.fd, "build", 0755), 0);
	assert_int_equal(mkdirat(scratch.fd, "build/src", 0755), 0);
	write_file(scratch.fd, "build/src/good.ko", CONTENT);
	*state = &scratch;
	return 0;
}

static int tear_down(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(remove_tree(scratch->fd, "build", NULL), 0);
	scratch->fd = close_fd(scratch->fd);
	assert_int_equal(rmdir(scratch->path), 0);
	return 0;
}

static void assert_taken(int fd, const char *path, const char *name, const char *content)
{
	struct artifact artifact;
	struct digest digest;
	const uint8_t *bytes;
	size_t size;

	assert_int_equal(collect_file(fd, path, MAXIMUM, &artifact, NULL), 0);
	assert_string_equal(artifact.name, name);
	assert_int_equal(artifact.size, strlen(content));
	assert_int_equal(memfd_map(artifact.fd, MAXIMUM, &bytes, &size, NULL), 0);
	assert_int_equal(size, strlen(content));
	assert_memory_equal(bytes, content, size);
	memfd_unmap(bytes, size);
	assert_int_equal(digest_bytes(content, strlen(content), &digest, NULL), 0);
	assert_true(digest_equal(&digest, &artifact.digest));
	assert_true(write(artifact.fd, "x", 1) < 0);
	artifact_clear(&artifact);
	assert_int_equal(artifact.fd, -1);
}

static void assert_refused(int fd, const char *path, int result, const char *words)
{
	struct artifact artifact = { .fd = -1 };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	assert_taken(fd, "build/src/good.ko", "good", CONTENT);
	assert_int_equal(collect_file(fd, path, MAXIMUM, &artifact, &error), result);
	assert_null(artifact.name);
	assert_int_equal(artifact.fd, -1);
	assert_int_equal(error_code(error), result == -EFBIG ? EXIT_LIMIT : EXIT_NO_MODULE);
	text = error_describe(error);
	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\n'));
	assert_int_equal(collect_file(fd, path, MAXIMUM, &artifact, NULL), result);
}

static void test_plain_files(void **state)
{
	const struct scratch *scratch = *state;

	assert_taken(scratch->fd, "build/src/good.ko", "good", CONTENT);
	write_file(scratch->fd, "build/empty.ko", "");
	assert_taken(scratch->fd, "build/empty.ko", "empty", "");
	write_file(scratch->fd, "build/Module.symvers", "x");
	assert_taken(scratch->fd, "build/Module.symvers", "Module.symvers", "x");
}

static void test_the_copy_is_ours(void **state)
{
	const struct scratch *scratch = *state;
	cleanup(artifact_clear) struct artifact artifact = { .fd = -1 };
	cleanup_close int fd = -1;
	char bytes[sizeof(CONTENT)] = "";

	assert_int_equal(collect_file(scratch->fd, "build/src/good.ko", MAXIMUM, &artifact, NULL),
			 0);
	fd = openat(scratch->fd, "build/src/good.ko", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(artifact.fd, bytes, sizeof(bytes), 0), strlen(CONTENT));
	assert_string_equal(bytes, CONTENT);
}

static void test_missing(void **state)
{
	const struct scratch *scratch = *state;

	assert_refused(scratch->fd, "build/demo.ko", -ENOENT, "the build made no build/demo.ko");
	assert_refused(scratch->fd, "build/none/demo.ko", -ENOENT, "the build made no");
	assert_refused(scratch->fd, "build/src/good.ko/demo.ko", -ENOENT, "the build made no");
}

static void test_symbolic_links(void **state)
{
	const struct scratch *scratch = *state;

	assert_int_equal(symlinkat("src/good.ko", scratch->fd, "build/demo.ko"), 0);
	assert_int_equal(symlinkat("/etc/shadow", scratch->fd, "build/shadow.ko"), 0);
	assert_int_equal(symlinkat("nowhere", scratch->fd, "build/nowhere.ko"), 0);
	assert_int_equal(symlinkat("src", scratch->fd, "build/link"), 0);
	assert_int_equal(symlinkat("/etc", scratch->fd, "build/etc"), 0);
	assert_refused(scratch->fd, "build/demo.ko", -ELOOP, "demo.ko is a symbolic link");
	assert_refused(scratch->fd, "build/shadow.ko", -ELOOP, "shadow.ko is a symbolic link");
	assert_refused(scratch->fd, "build/nowhere.ko", -ELOOP, "nowhere.ko is a symbolic link");
	assert_refused(scratch->fd, "build/link/good.ko", -ELOOP, "is behind a symbolic link");
	assert_refused(scratch->fd, "build/etc/passwd", -ELOOP, "is behind a symbolic link");
}

static void test_special_files(void **state)
{
	const struct scratch *scratch = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifoat(scratch->fd, "build/fifo.ko", 0644), 0);
	assert_refused(scratch->fd, "build/fifo.ko", -EINVAL, "fifo.ko is a FIFO");
	assert_true(socket_fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/build/socket.ko",
		       scratch->path);
	assert_int_equal(bind(socket_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_refused(scratch->fd, "build/socket.ko", -EINVAL, "socket.ko is a socket");
	assert_int_equal(mkdirat(scratch->fd, "build/directory.ko", 0755), 0);
	assert_refused(scratch->fd, "build/directory.ko", -EISDIR, "directory.ko is a directory");
}

static void test_devices(void **state)
{
	const struct scratch *scratch = *state;

	if (mknodat(scratch->fd, "build/device.ko", S_IFCHR | 0644, makedev(1, 5)) < 0) {
		print_message("skipped: device nodes can be made by root only\n");
		skip();
	}
	assert_refused(scratch->fd, "build/device.ko", -EINVAL, "device.ko is a device");
}

static void test_hard_links(void **state)
{
	const struct scratch *scratch = *state;

	write_file(scratch->fd, "build/one.ko", CONTENT);
	assert_taken(scratch->fd, "build/one.ko", "one", CONTENT);
	assert_int_equal(linkat(scratch->fd, "build/one.ko", scratch->fd, "build/two.ko", 0), 0);
	assert_refused(scratch->fd, "build/one.ko", -EMLINK, "one.ko is a hard link");
	assert_refused(scratch->fd, "build/two.ko", -EMLINK, "two.ko is a hard link");
}

static void test_sizes(void **state)
{
	const struct scratch *scratch = *state;
	cleanup_close int fd =
		openat(scratch->fd, "build/sparse.ko", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct artifact artifact;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)MAXIMUM), 0);
	assert_int_equal(collect_file(scratch->fd, "build/sparse.ko", MAXIMUM, &artifact, NULL), 0);
	assert_int_equal(artifact.size, MAXIMUM);
	artifact_clear(&artifact);
	assert_int_equal(ftruncate(fd, (off_t)MAXIMUM + 1), 0);
	assert_refused(scratch->fd, "build/sparse.ko", -EFBIG, "sparse.ko is too large");
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_refused(scratch->fd, "build/sparse.ko", -EFBIG, "1099511627776 bytes, at most 4096");
}

/* The orchestrator's account is not the build's: what it may not read is said so. */
static void test_unreadable(void **state)
{
	const struct scratch *scratch = *state;
	bool root = geteuid() == 0;

	write_file(scratch->fd, "build/secret.ko", CONTENT);
	assert_int_equal(fchmodat(scratch->fd, "build/secret.ko", 0, 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(scratch->fd, "build/secret.ko", -EACCES, "secret.ko cannot be read");
	if (root)
		assert_int_equal(seteuid(0), 0);
}

static void test_hostile_paths(void **state)
{
	const struct scratch *scratch = *state;

	assert_refused(scratch->fd, "../etc/passwd", -EINVAL, "not a relative path");
	assert_refused(scratch->fd, "/etc/passwd", -EINVAL, "not a relative path");
	assert_refused(scratch->fd, "build/../build/src/good.ko", -EINVAL, "not a relative path");
	assert_refused(scratch->fd, "", -EINVAL, "not a relative path");
	assert_refused(scratch->fd, "build/\033[2J.ko", -EINVAL, "not a relative path");
	assert_refused(scratch->fd, "build/\302\2332J.ko", -ENOENT, "\\x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_copy_is_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_symbolic_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_special_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_devices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hard_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_paths, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

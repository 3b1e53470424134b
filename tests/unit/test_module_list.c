/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths by names of modules: tables of what is found, in lists of every shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "orchestrator/module_list.h"

static void read_text(const char *text, struct module_list *list)
{
	char directory[] = "/tmp/test_module_list.XXXXXX";
	cleanup_close int directory_fd = -1, fd = -1;

	assert_non_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory_fd >= 0);
	fd = openat(directory_fd, "modules.order", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	module_list_read(directory_fd, "modules.order", list);
	assert_int_equal(unlinkat(directory_fd, "modules.order", 0), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* path NULL: not found. */
static void assert_found(const struct module_list *list, const char *name, const char *path)
{
	const char *found = NULL;
	size_t length = module_list_find(list, name, &found);

	assert_int_equal(length, path ? strlen(path) : 0);
	if (path)
		assert_memory_equal(found, path, length);
}

static void test_names(void **state)
{
	struct module_list list;

	(void)state;
	read_text("kernel/fs/xfs/xfs.ko\nkernel/sound/pci/snd-hda-intel.ko.xz\n"
		  "kernel/drivers/net/dummy.ko\nplain.ko\nkernel/drivers/snd.ko\n"
		  "kernel/fs/xfs_more.ko",
		  &list);
	assert_int_equal(list.count, 6);
	assert_found(&list, "xfs", "kernel/fs/xfs/xfs.ko");
	assert_found(&list, "xfs_more", "kernel/fs/xfs_more.ko");
	assert_found(&list, "snd", "kernel/drivers/snd.ko");
	assert_found(&list, "snd_hda_intel", "kernel/sound/pci/snd-hda-intel.ko.xz");
	assert_found(&list, "snd-hda_intel", "kernel/sound/pci/snd-hda-intel.ko.xz");
	assert_found(&list, "plain", "plain.ko");
	assert_found(&list, "dummy", "kernel/drivers/net/dummy.ko");
	assert_found(&list, "dumm", NULL);
	assert_found(&list, "dummyx", NULL);
	assert_found(&list, "kernel", NULL);
	assert_found(&list, "", NULL);
	module_list_clear(&list);
}

static void test_odd_lists(void **state)
{
	static const char *const texts[] = { "", "\n", "\n\n", "/", "a\nb", "kernel/.ko\n" };
	struct module_list list;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		read_text(texts[i], &list);
		assert_found(&list, "xfs", NULL);
		module_list_clear(&list);
	}
	module_list_read(-1, "modules.order", &list);
	assert_int_equal(list.count, 0);
	assert_found(&list, "xfs", NULL);
	module_list_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_odd_lists),
	};

	return cmocka_run_group_tests_name("module_list", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is read from the host's /etc: who runs what, and where modules go. Each in a mount namespace
 * with an /etc of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/prctl.h>

#include "orchestrator/destination.h"
#include "orchestrator/launcher.h"
#include "tests/unit/orchestrator_support.h"

#define RESERVED 2000000000u

/* An /etc that knows accounts of files, and no other file yet. */
static bool empty_etc(void)
{
	return mount("tmpfs", "/etc", "tmpfs", 0, "size=1m,mode=755") == 0 &&
	       write_path("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
}

static int ordinary_accounts(const struct place *place)
{
	struct accounts accounts = { .separate = true, .signer = 5 };

	(void)place;
	expect(be_ordinary());
	expect(accounts_choose(&accounts, NULL) == 0);
	expect(!accounts.separate && accounts.orchestrator == 0 && accounts.signer == 0);
	/* Nobody to become, but setuid programs and debuggers are shut out. */
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	expect(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	expect(accounts_become(&accounts, RESERVED, NULL) == 0);
	expect(geteuid() != RESERVED && geteuid() == getuid());
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	expect(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	return 0;
}

static void test_ordinary_accounts(void **state)
{
	in_child(ordinary_accounts, *state);
}

static bool in_range(uid_t uid)
{
	return uid >= RESERVED && uid < RESERVED + 64;
}

static int separate_accounts(const struct place *place)
{
	struct accounts accounts;
	uid_t uids[7];

	(void)place;
	if (!be_root_apart() || !empty_etc())
		return CANNOT;
	/* No passwd and no subuid at all. */
	expect(accounts_choose(&accounts, NULL) == 0);
	expect(accounts.separate);
	memcpy(uids,
	       (uid_t[]){ accounts.orchestrator, accounts.signer, accounts.depmod,
			  accounts.build_slot, accounts.depmod_slot, accounts.own,
			  accounts.own_slot },
	       sizeof(uids));
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		expect(in_range(uids[i]));
		for (size_t j = 0; j < i; j++)
			expect(uids[i] != uids[j]);
	}
	expect(write_path("/etc/passwd", "root:x:0:0::/:/bin/sh\n"
					 "kmodbox:x:433:433::/:/bin/false\n"));
	expect(accounts_choose(&accounts, NULL) == 0);
	expect(accounts.orchestrator == 433 && in_range(accounts.signer));
	/* An account that is root by another name is none to run as. */
	expect(write_path("/etc/passwd", "kmodbox:x:0:0::/:/bin/sh\n"));
	expect(accounts_choose(&accounts, NULL) == 0);
	expect(accounts.orchestrator == uids[0]);
	return 0;
}

static void test_separate_accounts(void **state)
{
	in_child(separate_accounts, *state);
}

static int taken_accounts(const struct place *place)
{
	static const struct {
		const char *line;
		bool taken;
	} passwd[] = {
		{ "last:x:1999999999:1::/:/bin/sh\n", false },
		{ "own:x:2000000000:1::/:/bin/sh\n", true },
		{ "own:x:2000000063:1::/:/bin/sh\n", true },
		{ "next:x:2000000064:1::/:/bin/sh\n", false },
	};
	struct accounts accounts = { .signer = 99 };
	struct error *error = NULL;

	(void)place;
	if (!be_root_apart() || !empty_etc())
		return CANNOT;
	for (size_t i = 0; i < ARRAY_SIZE(passwd); i++) {
		expect(write_path("/etc/passwd", passwd[i].line));
		accounts.signer = 99;
		expect(accounts_choose(&accounts, &error) == (passwd[i].taken ? -EEXIST : 0));
		if (!passwd[i].taken)
			continue;
		expect(says(&error, EXIT_SANDBOX,
			    "belongs to account own, but kmodbox keeps 2000000000 to 2000000063"));
		expect(accounts.signer == 99);
	}
	return 0;
}

static void test_taken_accounts(void **state)
{
	in_child(taken_accounts, *state);
}

static int taken_ranges(const struct place *place)
{
	static const struct {
		const char *text;
		bool taken;
	} subuid[] = {
		{ "", false },
		{ "one:100000:65536\ntwo:165536:65536\n", false },
		{ "one:1999999999:1\n", false },
		{ "one:1999999999:2\n", true },
		{ "one:2000000063:1\n", true },
		{ "one:2000000064:1\n", false },
		{ "one:100000:65536\ntwo:2000000010:10", true }, /* no newline at the end */
		{ "1000:0:4294967295\n", true },
		{ "one:100000:99999999999\n", true },
		{ "nonsense\none:x:y\none:2000000000\n:::\n", false },
	};
	struct accounts accounts;
	struct error *error = NULL;

	(void)place;
	if (!be_root_apart() || !empty_etc())
		return CANNOT;
	for (size_t i = 0; i < ARRAY_SIZE(subuid); i++) {
		expect(write_path("/etc/subuid", subuid[i].text));
		expect(accounts_choose(&accounts, &error) == (subuid[i].taken ? -EEXIST : 0));
		if (subuid[i].taken)
			expect(says(&error, EXIT_SANDBOX,
				    "/etc/subuid gives away ids 2000000000 to 2000000063"));
	}
	/* What cannot be read says nothing, so nothing is chosen. */
	expect(unlink("/etc/subuid") == 0 && symlink("subuid", "/etc/subuid") == 0);
	expect(accounts_choose(&accounts, &error) == -ELOOP);
	expect(says(&error, EXIT_SANDBOX, "/etc/subuid"));
	return 0;
}

static void test_taken_ranges(void **state)
{
	in_child(taken_ranges, *state);
}

static int become(const struct place *place)
{
	const struct accounts accounts = { .separate = true };
	cleanup_text struct text status = { 0 };
	cleanup_close int fd = -1;
	uid_t uids[3];
	gid_t gids[3];

	expect(fchmod(place->fd, 0700) == 0);
	/* The controls: before, it is opened, and there are groups. */
	expect(setgroups(2, (gid_t[]){ 4, 5 }) == 0 && getgroups(0, NULL) == 2);
	fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect(fd >= 0);
	expect(accounts_become(&accounts, RESERVED + 7, NULL) == 0);
	expect(getresuid(&uids[0], &uids[1], &uids[2]) == 0);
	expect(getresgid(&gids[0], &gids[1], &gids[2]) == 0);
	for (int i = 0; i < 3; i++)
		expect(uids[i] == RESERVED + 7 && gids[i] == RESERVED + 7);
	expect(getgroups(0, NULL) == 0);
	fd = close_fd(fd);
	fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect(fd < 0 && errno == EACCES);
	expect(setresuid(0, 0, 0) < 0 && errno == EPERM);
	expect(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && read_fd(fd, 1 << 16, &status, NULL) == 0);
	expect(strstr(status.data, "CapPrm:\t0000000000000000"));
	expect(strstr(status.data, "CapEff:\t0000000000000000"));
	expect(strstr(status.data, "NoNewPrivs:\t1"));
	return 0;
}

static void test_become(void **state)
{
	if (geteuid() != 0) {
		print_message("  skipped: only root can become somebody else\n");
		skip();
	}
	in_child(become, *state);
}

static int destinations(const struct place *place)
{
	static const struct {
		const char *release; /* NULL: no file */
		const char *expected;
	} hosts[] = {
		{ NULL, "kernel/drivers/net" },
		{ "", "kernel/drivers/net" },
		{ "ID=alpine\n", "kernel/drivers/net" },
		{ "PRETTY_NAME=\"Debian\"\nID=debian\n", "updates/dkms" },
		{ "ID=ubuntu\nID_LIKE=debian\n", "updates/dkms" },
		{ "ID=arch", "updates/dkms" },
		{ "ID=fedora\n", "extra" },
		{ "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\n", "extra" },
		{ "ID_LIKE='rhel centos fedora'\nID='rocky'\n", "extra" },
		{ "ID=\"sles\"\nID_LIKE=\"suse\"\n", "updates" },
		{ "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "updates" },
		{ "ID=mint\nID_LIKE=\"ubuntu debian\"\n", "updates/dkms" },
		/* Its own counts first, wherever it stands. */
		{ "ID_LIKE=debian\nID=fedora\n", "extra" },
		{ "ID=debianish\nVERSION_ID=debian\nMY_ID=debian\n", "kernel/drivers/net" },
	};

	(void)place;
	if (!be_root_apart() || !empty_etc())
		return CANNOT;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		cleanup_free char *directory = NULL;

		if (hosts[i].release)
			expect(write_path("/etc/os-release", hosts[i].release));
		expect(destination_directory("/kernel/drivers/net", &directory, NULL) == 0);
		if (!string_equal(directory, hosts[i].expected))
			(void)fprintf(stderr, "%s%s\n", hosts[i].release, directory);
		expect(string_equal(directory, hosts[i].expected));
	}
	return 0;
}

static void test_destinations(void **state)
{
	in_child(destinations, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ordinary_accounts),
		TEST(test_separate_accounts),
		TEST(test_taken_accounts),
		TEST(test_taken_ranges),
		TEST(test_become),
		TEST(test_destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

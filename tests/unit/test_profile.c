/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles: what is read, and that everything else is refused with its line; what one takes from
 * another; root's own and the shipped ones, which are this tree's.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/profiles.h"
#include "sandbox/limit_text.h"
#include "sandbox/setup.h"
#include "tests/unit/orchestrator_support.h"

static int parse(const char *text, struct profile *profile, struct error **error)
{
	return profile_parse("own.conf", text, strlen(text), profile, error);
}

static void test_all(void **state)
{
	static const char text[] = "; a comment\n"
				   "[profile]\n"
				   "description = what it is for\n"
				   "extend = strict\n"
				   "seccomp=own.seccomp\r\n"
				   "network = yes ; why\n"
				   "source = writable\n"
				   "optional = landlock ,own /proc\n"
				   "[limits]\n"
				   "wall = 90min\n"
				   "silence = 30s\n"
				   "cpu = 2h\n"
				   "memory = 16G\n"
				   "processes = 4096\n"
				   "scratch = 1536M\n";
	cleanup_profile struct profile profile = { 0 };

	(void)state;
	assert_int_equal(parse(text, &profile, NULL), 0);
	assert_string_equal(profile.description, "what it is for");
	assert_string_equal(profile.extend, "strict");
	assert_int_equal(profile.extend_line, 4);
	assert_string_equal(profile.seccomp, "own.seccomp");
	assert_int_equal(profile.seccomp_line, 5);
	assert_int_equal(profile.network, PROFILE_YES);
	assert_int_equal(profile.writable_source, PROFILE_YES);
	assert_true(profile.optional_said);
	assert_int_equal(profile.optional, SANDBOX_OPTIONAL_LANDLOCK | SANDBOX_OPTIONAL_PROC);
	assert_int_equal(profile.limits.wall_milliseconds, 5400 * 1000);
	assert_int_equal(profile.limits.silence_milliseconds, 30 * 1000);
	assert_int_equal(profile.limits.cpu_seconds, 7200);
	assert_int_equal(profile.limits.memory_bytes, UINT64_C(16) << 30);
	assert_int_equal(profile.limits.processes, 4096);
	assert_int_equal(profile.limits.scratch_bytes, UINT64_C(1536) << 20);
	assert_int_equal(profile.limits.log_bytes, 0);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "network = yes\n", "own.conf:1: there is no section []" },
		{ "[build]\nprofile = strict\n", "own.conf:2: there is no section [build]" },
		{ "[profile]\n\nnetwrok = yes\n", "own.conf:3: 'netwrok' is no key" },
		{ "[profile]\nnetwork = 1\n", "network cannot be '1': it is no or yes" },
		{ "[profile]\nnetwork = no\nnetwork = no\n", "own.conf:3: network stands here" },
		{ "[profile]\nsource = rw\n", "source cannot be 'rw': it is read-only or" },
		{ "[profile]\nextend = ../x\n", "'../x' is no name of a profile" },
		{ "[profile]\nextend =\n", "'' is no name of a profile" },
		{ "[profile]\nextend = a\nextend = a\n", "extend stands here a second" },
		{ "[profile]\nseccomp = /etc/x.seccomp\n", "is no name of a system call policy" },
		{ "[profile]\nseccomp = build.conf\n", "is no name of a system call policy" },
		{ "[profile]\noptional = seccomp\n", "'seccomp' is no layer that can be absent" },
		{ "[profile]\noptional = landlock own /proc\n", "is no layer that can be absent" },
		{ "[profile]\noptional = landlock,\n", "'' is no layer" },
		{ "[profile]\noptional = landlock, none\n", "'none' is no layer" },
		{ "[profile]\noptional =\n", "'' is no layer" },
		{ "[profile]\noptional = none\noptional = none\n", "own.conf:3: optional stands" },
		{ "[profile]\ndescription = \033[2J\n", "is no description" },
		{ "[profile]\ndescription=;x\n", "is no description" },
		{ "[limits]\nwall = 1\n", "wall cannot be '1': it is a number with h, min or s" },
		{ "[limits]\nwall = 1 h\n", "wall cannot be '1 h'" },
		{ "[limits]\nwall = h\n", "wall cannot be 'h'" },
		{ "[limits]\nwall = 0h\n", "wall cannot be '0h'" },
		{ "[limits]\nwall = -1h\n", "wall cannot be '-1h'" },
		{ "[limits]\nwall = 721h\n", "from 1s to 720h" },
		{ "[limits]\nmemory = 1M\n", "a number, or one with G, M or K, from 16M to" },
		{ "[limits]\nmemory = 18446744073709551616\n", "memory cannot be" },
		{ "[limits]\nmemory = 18014398509481984K\n", "memory cannot be" },
		{ "[limits]\nprocesses = 1K\n", "it is a number, from 4 to 4194304" },
		{ "[limits]\nlog = 257M\n", "log cannot be '257M': it is a number, or one with" },
		{ "[limits]\nlog = 257M\n", "from 4K to 256M" },
		{ "[limits]\nartifacts = 0\n", "it is a number, from 1 to 1024" },
		{ "[limits]\nartifacts = 1025\n", "it is a number, from 1 to 1024" },
		{ "[limits]\nartifact_bytes = 3G\n", "from 4K to 2G" },
		{ "[limits]\ncores = 1\n", "own.conf:2: 'cores' is no limit" },
		{ "[limits]\nlog = 1M\nlog = 2M\n", "own.conf:3: log stands here a second" },
		{ "[profile]\nno equals sign\n", "own.conf:2: neither" },
		{ "[profile\n", "own.conf:1: neither" },
		/* The first line that is wrong is told, whoever saw it. */
		{ "[profile]\nnonsense\nnetwork = maybe\n", "own.conf:2: neither" },
		{ "[profile]\nnetwork = maybe\nnonsense\n", "own.conf:2: network cannot" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_error struct error *error = NULL;
		struct profile profile;

		if (parse(rows[i][0], &profile, &error) == 0)
			fail_msg("taken: %s", rows[i][0]);
		if (!says(&error, 0, rows[i][1]))
			fail_msg("of: %s", rows[i][0]);
	}
}

static void test_no_text(void **state)
{
	static const char text[] = "[profile]\nnetwork = \0yes\n";
	cleanup_error struct error *error = NULL;
	struct profile profile;

	(void)state;
	assert_true(profile_parse("own.conf", text, sizeof(text) - 1, &profile, &error) < 0);
	assert_true(says(&error, 0, "own.conf:2: the line holds a NUL byte"));
}

static void test_inherit(void **state)
{
	cleanup_profile struct profile base = { 0 }, profile = { 0 };
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(
		parse("[profile]\ndescription = base\nseccomp = a.seccomp\n"
		      "network = yes\noptional = landlock\n[limits]\nwall = 2h\ncpu = 3h\n",
		      &base, NULL),
		0);
	assert_int_equal(parse("[profile]\nnetwork = no\noptional = none\n[limits]\ncpu = 1h\n",
			       &profile, NULL),
			 0);
	assert_int_equal(profile_inherit(&profile, &base, NULL), 0);
	assert_int_equal(profile_format(&profile, &text), 0);
	assert_string_equal(text.data, "[profile]\nseccomp = a.seccomp\nnetwork = no\n"
				       "optional = none\n\n[limits]\nwall = 2h\ncpu = 1h\n");
}

/* Unsaid is the strictest. */
static void test_complete(void **state)
{
	const struct sandbox_limits limits = sandbox_limits_default();
	cleanup_profile struct profile profile = { 0 };

	(void)state;
	profile_complete(&profile);
	assert_int_equal(profile.network, PROFILE_NO);
	assert_int_equal(profile.writable_source, PROFILE_NO);
	assert_int_equal(profile.optional, 0);
	assert_memory_equal(&profile.limits, &limits, sizeof(limits));
}

/* Who adds a limit gives it a name, and what it is by default. */
static void test_every_limit(void **state)
{
	const struct sandbox_limits limits = sandbox_limits_default();
	size_t count = 0;

	(void)state;
	while (limit_text_name(count)) {
		/* All of them is what no number says. */
		if (!string_equal(limit_text_name(count), "processors"))
			assert_true(limit_text_is_set(&limits, count));
		count++;
	}
	assert_int_equal(count, sizeof(limits) / sizeof(uint64_t));
}

/* Who adds a layer that can be absent gives it a name here. */
static void test_every_layer(void **state)
{
	static const struct {
		const struct setup_step *steps;
		const size_t *count;
	} tables[] = { { setup_steps, &setup_step_count }, { payload_steps, &payload_step_count } };
	unsigned found = SANDBOX_OPTIONAL_DENIED | SANDBOX_OPTIONAL_CGROUP;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t k = 0; k < *tables[i].count; k++) {
			const struct setup_step *step = &tables[i].steps[k];
			unsigned bit = sandbox_optional_find(step->name);

			/* What asks for the sandbox says itself that these are absent. */
			if (string_equal(step->name, "no network") ||
			    string_equal(step->name, "exact scratch limit") ||
			    string_equal(step->name, "read-only program"))
				continue;
			if (!step->absent_because != !bit)
				fail_msg("layer '%s' and enum sandbox_optional", step->name);
			found |= bit;
		}
	}
	assert_int_equal(found, SANDBOX_OPTIONAL_ALL);
}

static struct places places_of(const struct place *place)
{
	struct places places = PLACES_INITIAL;

	places.config = (char *)(uintptr_t)place->path;
	places.config_fd = place->fd;
	return places;
}

static void write_own(const struct place *place, const char *name, const char *text)
{
	cleanup_free char *path = format_string("%s/profiles.d/%s", place->path, name);

	assert_true(mkdirat(place->fd, "profiles.d", 0755) == 0 || errno == EEXIST);
	assert_true(path && write_path(path, text));
}

/* strict is what the library does by itself: one truth, shown in two places. */
static void test_shipped(void **state)
{
	const struct sandbox_limits limits = sandbox_limits_default();
	const struct places places = PLACES_INITIAL;
	static const struct {
		const char *name;
		enum profile_choice network, writable;
	} rows[] = { { "strict", PROFILE_NO, PROFILE_NO },
		     { "compat", PROFILE_NO, PROFILE_YES },
		     { "network", PROFILE_YES, PROFILE_NO } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_loaded_profile struct loaded_profile profile = { 0 };
		cleanup_error struct error *error = NULL;

		if (profiles_load(&places, rows[i].name, &profile, &error) < 0) {
			(void)says(&error, 0, "");
			fail();
		}
		assert_false(profile.own);
		assert_non_null(profile.settings.description);
		assert_int_equal(profile.settings.network, rows[i].network);
		assert_int_equal(profile.settings.writable_source, rows[i].writable);
		assert_memory_equal(&profile.settings.limits, &limits, sizeof(limits));
		assert_int_equal(profile.settings.optional, SANDBOX_OPTIONAL_ALL);
		assert_true(profile.program.count > 0 && profile.policy.length > 0);
	}
}

/* What is in profiles/ is what is listed, and strict says every limit. */
static void test_shipped_files(void **state)
{
	cleanup_profile struct profile strict = { 0 };
	cleanup_close int fd = open("profiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_text struct text text = { 0 };
	cleanup_list DIR *list = NULL;
	size_t files = 0, shipped = 0;
	const char *name;

	(void)state;
	assert_int_equal(list_open(fd, ".", &list, NULL), 0);
	while ((name = list_next(list)))
		files += string_ends_with(name, ".conf");
	while (profiles_shipped(shipped))
		shipped++;
	assert_int_equal(files, shipped);
	assert_int_equal(read_file(fd, "strict.conf", 1 << 16, &text, NULL), 0);
	assert_int_equal(profile_parse("strict.conf", text.data, text.length, &strict, NULL), 0);
	for (size_t i = 0; limit_text_name(i); i++) {
		/* Those depend on the host's processors. */
		const bool by_host = string_equal(limit_text_name(i), "cpu") ||
				     string_equal(limit_text_name(i), "processors") ||
				     string_equal(limit_text_name(i), "total_memory");

		if (limit_text_is_set(&strict.limits, i) == by_host)
			fail_msg("strict.conf and %s", limit_text_name(i));
	}
}

static void test_own(void **state)
{
	struct place *place = *state;
	const struct places places = places_of(place);
	cleanup_loaded_profile struct loaded_profile own = { 0 }, strict = { 0 }, compat = { 0 };

	write_own(place, "own.conf", "[profile]\nextend = compat\nseccomp = own.seccomp\n");
	write_own(place, "own.seccomp", "refuse uname\nextend build.seccomp\n");
	/* Root's own strict is strict, for those that extend it too. */
	write_own(place, "strict.conf", "[profile]\nextend = strict\n[limits]\nwall = 3h\n");
	assert_int_equal(profiles_load(&places, "own", &own, NULL), 0);
	assert_true(own.own);
	assert_int_equal(own.settings.writable_source, PROFILE_YES);
	assert_int_equal(own.settings.limits.wall_milliseconds, 3 * 3600 * 1000);
	assert_true(string_starts_with(own.policy.data, "refuse uname\n"));
	assert_int_equal(profiles_load(&places, "strict", &strict, NULL), 0);
	assert_true(strict.own);
	assert_int_equal(strict.settings.limits.wall_milliseconds, 3 * 3600 * 1000);
	assert_int_equal(profiles_load(&places, "compat", &compat, NULL), 0);
	assert_false(compat.own);
	assert_int_equal(compat.settings.limits.wall_milliseconds, 3 * 3600 * 1000);
	assert_false(own.policy.length == compat.policy.length);
}

static void expect_refusal(struct place *place, const char *name, const char *text,
			   const char *expected)
{
	const struct places places = places_of(place);
	cleanup_free char *file = format_string("%s.conf", name);
	cleanup_error struct error *error = NULL;
	struct loaded_profile profile;

	if (text)
		write_own(place, file, text);
	if (profiles_load(&places, name, &profile, &error) == 0)
		fail_msg("taken: %s", text ? text : name);
	if (!says(&error, 1, expected))
		fail_msg("of: %s", text ? text : name);
}

static void test_own_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "[profile]\nextend = nobody\n", "own.conf:2: there is no profile 'nobody'" },
		{ "[profile]\nnetwork = yes\n", "own.conf:1: it has no 'seccomp = FILE'" },
		{ "[profile]\nseccomp = no.seccomp\n",
		  "own.conf:2: there is no policy 'no.seccomp'" },
		{ "[profile]\nseccomp = bad.seccomp\n", "bad.seccomp:2: " },
		{ "[profile]\nextend = a\n", "it extends itself, or too many others" },
		{ "[profile]\nextend = own\n", "own.conf:2: there is no profile 'own'" },
	};
	struct place *place = *state;

	write_own(place, "bad.seccomp", "allow read\nallow the_moon\n");
	write_own(place, "a.conf", "[profile]\nextend = b\n");
	write_own(place, "b.conf", "[profile]\nextend = a\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_refusal(place, "own", rows[i][0], rows[i][1]);
	expect_refusal(place, "absent", NULL, "there is no profile 'absent', neither shipped");
}

/* What somebody else may have written is not done. */
static void test_owner(void **state)
{
	struct place *place = *state;

	write_own(place, "own.conf", "[profile]\nextend = strict\n");
	write_own(place, "own.seccomp", "extend build.seccomp\n");
	assert_int_equal(fchmodat(place->fd, "profiles.d/own.conf", 0664, 0), 0);
	expect_refusal(place, "own", NULL, "may be written to by others");
	assert_int_equal(fchmodat(place->fd, "profiles.d/own.conf", 0644, 0), 0);
	assert_int_equal(fchmodat(place->fd, "profiles.d/own.seccomp", 0646, 0), 0);
	expect_refusal(place, "own", "[profile]\nseccomp = own.seccomp\n",
		       "own.seccomp may be written to by others");
	assert_int_equal(fchmodat(place->fd, "profiles.d/own.seccomp", 0644, 0), 0);
	assert_int_equal(fchmodat(place->fd, "profiles.d", 0777, 0), 0);
	expect_refusal(place, "own", NULL, "/profiles.d may be written to by others");
	assert_int_equal(fchmodat(place->fd, "profiles.d", 0755, 0), 0);
	assert_int_equal(unlinkat(place->fd, "profiles.d/own.conf", 0), 0);
	assert_int_equal(symlinkat("/dev/null", place->fd, "profiles.d/own.conf"), 0);
	expect_refusal(place, "own", NULL, "is no regular file");
}

static void test_list(void **state)
{
	static const char *const expected[] = { "a-own", "compat", "network", "strict" };
	struct place *place = *state;
	const struct places places = places_of(place);
	char **names;
	size_t count;

	write_own(place, "a-own.conf", "");
	write_own(place, "strict.conf", "");
	write_own(place, "own.seccomp", "");
	write_own(place, ".hidden.conf", "");
	assert_int_equal(profiles_list(&places, &names, &count, NULL), 0);
	assert_int_equal(count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < count; i++)
		assert_string_equal(names[i], expected[i]);
	profiles_list_free(names, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_inherit),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_every_limit),
		cmocka_unit_test(test_every_layer),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_shipped_files),
		TEST(test_own),
		TEST(test_own_refused),
		TEST(test_owner),
		TEST(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

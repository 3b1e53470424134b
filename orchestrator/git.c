/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A git checkout, see git.h. The repository is hostile, with its settings, attributes and hooks:
 * git reads it in a sandbox without network, and what it says is sanitised before it is shown.
 */
#include "orchestrator/git.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/output_tail.h"
#include "lib/recipes/snapshot.h"

#define CHECKOUT "/run/kmodbox/checkout"
#define SETTINGS "/run/kmodbox/git"
#define GIT "/usr/bin/git"

/*
 * The archive is read by way of a repository of ours, which has the checkout's objects and nothing
 * else of it: no setting, so no program of the checkout's; no attribute but our own. So what comes
 * out are the commit's files as they are stored. Only then, and with the archive out of reach, the
 * checkout's own settings count: in what is told, a line of the commit, how many tracked files
 * differ from it, how many submodules it names. Behind a prefix, so that there is one directory at
 * the top to be taken off.
 */
static const char script[] =
	"set -eu\n"
	"commit=$(git rev-parse --verify 'HEAD^{commit}' 3>&-)\n"
	"GIT_DIR=" SETTINGS "/${#commit} GIT_OBJECT_DIRECTORY=" CHECKOUT "/.git/objects "
	"git archive --format=tar --prefix=source/ \"$commit\" >&3\n"
	"exec 3>&-\n"
	"changed=$(git -c core.fsmonitor=false status --porcelain --untracked-files=no "
	"--ignore-submodules=all | wc -l)\n"
	"modules=$(git ls-tree -r \"$commit\" | grep -c '^160000 ' || true)\n"
	"echo \"kmodbox $commit $changed $modules\"\n";

static const char *const directories[] = { "40", "40/info", "40/refs", "64", "64/info", "64/refs" };
static const struct {
	const char *path;
	const char *content;
} files[] = {
	/* The checkout is somebody else's, which is why git is where it is. */
	{ ".gitconfig", "[safe]\n\tdirectory = *\n" },
	/* By the length of a commit's name: SHA-1, SHA-256. */
	{ "40/HEAD", "ref: refs/heads/none\n" },
	{ "40/config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n" },
	{ "64/HEAD", "ref: refs/heads/none\n" },
	{ "64/config", "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
		       "[extensions]\n\tobjectformat = sha256\n" },
#define RAW                                                                                        \
	"* -export-ignore -export-subst -text -ident !eol !crlf !filter !working-tree-encoding\n"
	{ "40/info/attributes", RAW },
	{ "64/info/attributes", RAW },
};

static int fill_settings(void *context, int directory_fd, struct error **error)
{
	int r = 0;

	(void)context;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		if (mkdirat(directory_fd, directories[i], 0755) < 0)
			r = error_set_errno(error, errno, "%s", directories[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = write_file_atomically(directory_fd, files[i].path, files[i].content,
					  strlen(files[i].content), 0644, error);
	return r;
}

int git_find(int directory_fd, bool *ret_found, struct error **error)
{
	struct stat status;

	if (fstatat(directory_fd, ".git", &status, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return error_set_errno(error, errno, ".git");
		*ret_found = false;
		return 0;
	}
	if (!S_ISDIR(status.st_mode))
		return error_refuse(error, EXIT_NO_SOURCE, ENOTDIR,
				    "its .git is no directory but leads elsewhere (a worktree or "
				    "submodule): add what 'git archive --prefix=x/ -o FILE.tar "
				    "HEAD' writes there");
	*ret_found = true;
	return 0;
}

static int run_git(const struct orchestrator *orchestrator, int output_fd, struct text *output,
		   struct sandbox_result *ret_result, struct error **error)
{
	static const char *const argv[] = {
		"/bin/bash", "--norc", "--noprofile", "-c", script, NULL
	};
	static const char *const environment[] = { "PATH=/usr/bin:/bin",
						   "LC_ALL=C.UTF-8",
						   "HOME=" SETTINGS,
						   "GIT_CONFIG_NOSYSTEM=1",
						   "GIT_ATTR_NOSYSTEM=1",
						   "GIT_OPTIONAL_LOCKS=0",
						   "GIT_TERMINAL_PROMPT=0",
						   "GIT_NO_REPLACE_OBJECTS=1",
						   "GIT_DIR=" CHECKOUT "/.git",
						   "GIT_WORK_TREE=" CHECKOUT,
						   NULL };
	const struct sandbox_mount mount = { .source = orchestrator->shown_source,
					     .target = CHECKOUT,
					     .vouched = true };
	const struct sandbox_tree trees[] = { { .path = SETTINGS, .fill = fill_settings } };
	struct sandbox_spec spec = orchestrator->sandbox;

	spec.argv = argv;
	spec.environment = environment;
	spec.directory = CHECKOUT;
	spec.mounts = &mount;
	spec.mount_count = 1;
	spec.trees = trees;
	spec.tree_count = ARRAY_SIZE(trees);
	spec.toolchain_only = true;
	spec.limits = (struct sandbox_limits){ .wall_milliseconds = 300 * 1000,
					       .silence_milliseconds = 300 * 1000,
					       .file_bytes = SNAPSHOT_BYTES,
					       .log_bytes = 65536 };
	spec.output_file_fd = output_fd;
	spec.output = output_keep;
	spec.output_context = output;
	return sandbox_run(&spec, ret_result, error);
}

/* What git's end means. */
static int check_end(const struct sandbox_result *result, const struct text *output,
		     struct error **error)
{
	cleanup_free char *ended = sandbox_result_describe(result);
	cleanup_free char *line = output_last_line(output);
	const char *how = ended ? ended : "failed";

	if (result->end == SANDBOX_EXITED && result->status == 0)
		return 0;
	if (result->end == SANDBOX_CANCELLED)
		return error_refuse(error, EXIT_INTERRUPTED, ECANCELED, "interrupted");
	if (result->end == SANDBOX_LIMIT)
		return error_refuse(error, EXIT_LIMIT, ETIMEDOUT, "git archive %s", how);
	return error_refuse(error, EXIT_BAD_ARCHIVE, EIO,
			    "git archive says: %s (a repository that needs objects from "
			    "elsewhere, or has no commit yet, cannot be added)",
			    line ? line : how);
}

static bool is_commit(const char *text)
{
	const size_t length = strspn(text, "0123456789abcdef");

	return text[length] == '\0' && (length == 40 || length == 64); /* SHA-1, SHA-256 */
}

/* Its last line, if it is what the script says; a repository may have said it itself. */
static void tell(const struct orchestrator *orchestrator, const struct text *output)
{
	const char *path = orchestrator->options->source;
	cleanup_free char *line = output_last_line(output);
	char commit[65], changed[8], submodules[8];
	uint64_t count;

	if (!line ||
	    sscanf(line, "kmodbox %64s %7[0-9] %7[0-9]", commit, changed, submodules) != 3 ||
	    !is_commit(commit)) {
		log_warning(orchestrator->log, "%s: git does not say which commit was taken", path);
		return;
	}
	log_info(
		orchestrator->log,
		"Taking commit %s of %s (as the repository says, not verified), tracked files only",
		commit, path);
	if (parse_u64(changed, UINT32_MAX, &count) == 0 && count > 0)
		log_warning(orchestrator->log,
			    "%s: %llu tracked file%s differ%s from that commit; what is not "
			    "committed is not taken",
			    path, (unsigned long long)count, count == 1 ? "" : "s",
			    count == 1 ? "s" : "");
	if (parse_u64(submodules, UINT32_MAX, &count) == 0 && count > 0)
		log_warning(orchestrator->log, "%s: its %llu submodule%s not taken", path,
			    (unsigned long long)count, count == 1 ? " is" : "s are");
}

int git_archive(const struct orchestrator *orchestrator, int *ret_archive_fd, struct error **error)
{
	cleanup_text struct text output = { 0 };
	cleanup_close int archive_fd = -1;
	struct sandbox_result result;
	int r;

	if (access(GIT, X_OK) < 0)
		return error_refuse(error, EXIT_NO_SOURCE, ENOENT,
				    "it is a git checkout, and " GIT " is not installed: install "
				    "git, or add an archive of the source");
	r = memfd_new("git", &archive_fd, error);
	if (r == 0)
		r = run_git(orchestrator, archive_fd, &output, &result, error);
	if (r < 0)
		return r;
	r = check_end(&result, &output, error);
	sandbox_result_clear(&result);
	if (r == 0)
		r = memfd_seal(archive_fd, error);
	if (r < 0)
		return r;
	tell(orchestrator, &output);
	*ret_archive_fd = TAKE_FD(archive_fd);
	return 0;
}

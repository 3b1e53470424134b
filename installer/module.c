/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * INSTALL and UNINSTALL: modules of a build go to and from INSTALLTREE/K as DKMS does it. Whose a
 * file is, its digest says; what is displaced is kept in original_module/ and comes back.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "installer/installer.h"
#include "lib/base/files.h"

/* The places of an original in the order in which DKMS looks; before all, what is overwritten. */
enum rank { RANK_OVERWRITTEN, RANK_EXTRA, RANK_UPDATES, RANK_BESIDE, RANK_ELSEWHERE, RANK_NONE };

struct original {
	char path[PATH_LENGTH]; /* below INSTALLTREE/K */
	enum rank rank;
	bool ambiguous; /* several, RANK_ELSEWHERE */
};

struct ours {
	char name[TICKET_NAME];
	struct digest digest;
	bool found;
};

/* One installation or removal while it is being planned. */
struct plan {
	struct installer *installer;
	struct transaction *transaction;
	const struct installer_target *target;
	int kernel_fd;	   /* INSTALLTREE/K */
	struct ours *ours; /* what the active version has */
	uint32_t our_count;
	struct ticket ticket;	    /* what comes */
	struct original *originals; /* per file of the ticket */
};

static void plan_clear(struct plan *plan)
{
	plan->transaction = transaction_free(plan->transaction);
	plan->kernel_fd = close_fd(plan->kernel_fd);
	free(plan->ours);
	free(plan->originals);
	ticket_clear(&plan->ticket);
}

static int open_plan(struct plan *plan, struct installer *installer, struct error **error)
{
	const char *install_tree = installer->trees.paths[TREE_INSTALL];
	int r;

	*plan = (struct plan){ .installer = installer,
			       .target = &installer->target,
			       .kernel_fd = -1 };
	r = open_beneath(installer->trees.fds[TREE_INSTALL], plan->target->kernel,
			 O_RDONLY | O_DIRECTORY, 0, &plan->kernel_fd, error);
	if (r < 0)
		return error_refuse(error, EXIT_INSTALL_ABORTED, -r,
				    "nothing can be installed for this kernel, %s/%s is not "
				    "there; install the kernel first, or name "
				    "another tree with --installtree",
				    install_tree, plan->target->kernel);
	/* Until the plan is carried out: another dkms tree may have its modules here too. */
	if (flock(plan->kernel_fd, LOCK_EX) < 0)
		return error_set_errno(error, errno, "cannot lock %s/%s", install_tree,
				       plan->target->kernel);
	return transaction_begin(&installer->trees, &plan->transaction, error);
}

static int note_ours(void *context, int directory_fd, const char *path, const char *name,
		     struct error **error)
{
	struct plan *plan = context;
	struct ours *ours;
	cleanup_close int fd = -1;

	(void)path;
	if (ticket_module_stem(name) == 0 || !name_is_safe(name))
		return 0;
	ours = reallocarray(plan->ours, plan->our_count + 1, sizeof(*ours));
	if (!ours)
		return error_set(error, ENOMEM, "out of memory");
	plan->ours = ours;
	ours += plan->our_count++;
	ours->found = false;
	(void)snprintf(ours->name, sizeof(ours->name), "%s", name);
	return module_open(directory_fd, name, &fd, &ours->digest, error);
}

static int remove_ours(void *context, int directory_fd, const char *path, const char *name,
		       struct error **error)
{
	struct plan *plan = context;
	cleanup_close int fd = -1;
	struct digest digest;
	char place[PATH_LENGTH];
	uint32_t i = 0;
	int r;

	while (i < plan->our_count && !string_equal(plan->ours[i].name, name))
		i++;
	if (i == plan->our_count)
		return 0;
	r = module_open(directory_fd, name, &fd, &digest, error);
	if (r < 0 || !digest_equal(&digest, &plan->ours[i].digest))
		return r;
	plan->ours[i].found = true;
	r = path_join(place, error, "%s/%s", plan->target->kernel, path);
	if (r == 0)
		r = transaction_remove(plan->transaction, TREE_INSTALL, place, error);
	if (r < 0)
		return r;
	*strrchr(place, '/') = '\0';
	return transaction_prune(plan->transaction, TREE_INSTALL, place, 1, error);
}

/* Everything of the active version goes; what somebody changed stays and is counted. */
static int plan_removal(struct plan *plan, const char *version, struct error **error)
{
	cleanup_error struct error *reason = NULL;
	cleanup_close int fd = -1;
	int r = installer_open_installed(plan->installer, version, &fd, &reason);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(error, -r, "the build of version %s cannot be read", version);
	r = walk_files(fd, "", 0, note_ours, plan, error);
	if (r == 0)
		r = walk_files(plan->kernel_fd, "", WALK_DEPTH, remove_ours, plan, error);
	for (uint32_t i = 0; r == 0 && i < plan->our_count; i++) {
		plan->installer->installed.files += plan->ours[i].found;
		plan->installer->installed.left += !plan->ours[i].found;
	}
	return r;
}

static int original_path(const struct plan *plan, const char *name, const char *suffix,
			 char ret_path[PATH_LENGTH], struct error **error)
{
	return path_join(ret_path, error, "%s/original_module/%s/%s%s%s%s", plan->target->module,
			 plan->target->kernel, plan->target->architecture, *name ? "/" : "", name,
			 suffix);
}

/* Where NAME was, as NAME.origin says; false unless it can go back there. */
static bool original_place(const struct plan *plan, int directory_fd, const char *origin,
			   char ret_place[PATH_LENGTH])
{
	cleanup_text struct text text = { 0 };
	char prefix[PATH_LENGTH];

	if (read_file(directory_fd, origin, PATH_LENGTH, &text, NULL) < 0 ||
	    path_join(prefix, NULL, "%s/%s/", plan->installer->trees.paths[TREE_INSTALL],
		      plan->target->kernel) < 0)
		return false;
	text.data[strcspn(text.data, "\n")] = '\0';
	if (!string_starts_with(text.data, prefix) ||
	    path_join(ret_place, NULL, "%s/%s", plan->target->kernel, text.data + strlen(prefix)) <
		    0 ||
	    !path_is_safe(ret_place, strlen(ret_place)))
		return false;
	return !installer_exists(plan->installer, TREE_INSTALL, ret_place) ||
	       transaction_has(plan->transaction, OPERATION_REMOVE, TREE_INSTALL, ret_place);
}

static int restore_original(void *context, int directory_fd, const char *path, const char *name,
			    struct error **error)
{
	struct plan *plan = context;
	cleanup_close int fd = -1;
	cleanup_free char *kept = NULL;
	char place[PATH_LENGTH];
	int r;

	(void)path;
	if (!string_ends_with(name, ".origin"))
		return 0;
	kept = strndup(name, strlen(name) - strlen(".origin"));
	if (!kept)
		return error_set(error, ENOMEM, "out of memory");
	if (!original_place(plan, directory_fd, name, place) ||
	    module_open(directory_fd, kept, &fd, NULL, NULL) < 0) {
		plan->installer->installed.left++;
		return 0;
	}
	plan->installer->installed.originals++;
	r = transaction_put_file(plan->transaction, TREE_INSTALL, place, fd, error);
	for (unsigned i = 0; r == 0 && i < 2; i++) {
		r = original_path(plan, kept, i == 0 ? "" : ".origin", place, error);
		if (r == 0)
			r = transaction_remove(plan->transaction, TREE_DKMS, place, error);
	}
	return r;
}

static int plan_restoring(struct plan *plan, struct error **error)
{
	cleanup_close int fd = -1;
	char path[PATH_LENGTH];
	int r = original_path(plan, "", "", path, error);

	if (r < 0 || !installer_exists(plan->installer, TREE_DKMS, path))
		return r;
	r = open_beneath(plan->installer->trees.fds[TREE_DKMS], path, O_RDONLY | O_DIRECTORY, 0,
			 &fd, error);
	if (r == 0)
		r = walk_files(fd, "", 0, restore_original, plan, error);
	return r < 0 ? r : transaction_prune(plan->transaction, TREE_DKMS, path, 1, error);
}

static enum rank rank_of(const struct ticket_file *file, const char *path, const char *name)
{
	const char *const directories[] = { file->directory, "extra", "updates", file->directory };
	char expected[PATH_LENGTH];

	for (enum rank rank = RANK_OVERWRITTEN; rank <= RANK_BESIDE; rank++) {
		(void)snprintf(expected, sizeof(expected), "%s/%s", directories[rank],
			       rank == RANK_OVERWRITTEN ? file->name : name);
		if (string_equal(path, expected))
			return rank;
	}
	return RANK_ELSEWHERE;
}

static int note_original(void *context, int directory_fd, const char *path, const char *name,
			 struct error **error)
{
	struct plan *plan = context;
	char place[PATH_LENGTH];
	size_t length = ticket_module_stem(name);
	int r = path_join(place, error, "%s/%s", plan->target->kernel, path);

	(void)directory_fd;
	if (r < 0 || length == 0 ||
	    transaction_has(plan->transaction, OPERATION_REMOVE, TREE_INSTALL, place))
		return r;
	for (uint32_t i = 0; i < plan->ticket.file_count; i++) {
		const struct ticket_file *file = &plan->ticket.files[i];
		struct original *original = &plan->originals[i];
		enum rank rank = rank_of(file, path, name);

		if (ticket_module_stem(file->name) != length ||
		    memcmp(file->name, name, length) != 0)
			continue;
		if (rank == RANK_ELSEWHERE && original->rank == RANK_ELSEWHERE)
			original->ambiguous = true;
		if (rank >= original->rank)
			continue;
		original->rank = rank;
		original->ambiguous = false;
		memcpy(original->path, path, strlen(path) + 1);
	}
	return 0;
}

static int keep_original(struct plan *plan, const char *path, struct error **error)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *origin =
		format_string("%s/%s/%s\n", plan->installer->trees.paths[TREE_INSTALL],
			      plan->target->kernel, path);
	cleanup_close int fd = -1;
	char place[PATH_LENGTH];
	int r = origin ? 0 : error_set(error, ENOMEM, "out of memory");

	if (r == 0)
		r = module_open(plan->kernel_fd, path, &fd, NULL, error);
	if (r == 0)
		r = original_path(plan, name, "", place, error);
	if (r == 0)
		r = transaction_put_file(plan->transaction, TREE_DKMS, place, fd, error);
	if (r == 0)
		r = original_path(plan, name, ".origin", place, error);
	if (r == 0)
		r = transaction_put_bytes(plan->transaction, TREE_DKMS, place, origin,
					  strlen(origin), error);
	if (r == 0)
		r = path_join(place, error, "%s/%s", plan->target->kernel, path);
	if (r == 0)
		r = transaction_remove(plan->transaction, TREE_INSTALL, place, error);
	plan->installer->installed.originals++;
	return r;
}

static int plan_originals(struct plan *plan, struct error **error)
{
	int r;

	plan->originals = calloc(plan->ticket.file_count, sizeof(*plan->originals));
	if (!plan->originals)
		return error_set(error, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < plan->ticket.file_count; i++)
		plan->originals[i].rank = RANK_NONE;
	r = walk_files(plan->kernel_fd, "", WALK_DEPTH, note_original, plan, error);
	for (uint32_t i = 0; r == 0 && i < plan->ticket.file_count; i++)
		if (plan->originals[i].rank < RANK_NONE && !plan->originals[i].ambiguous)
			r = keep_original(plan, plan->originals[i].path, error);
	return r;
}

/* The build's files are copied, and the copies must still be what the signer's ticket says. */
static int plan_files(struct plan *plan, struct error **error)
{
	cleanup_close int build_fd = -1;
	char path[INSTALLER_PATH], place[PATH_LENGTH];
	int r;

	plan->installer->installed.files = 0; /* not what is replaced, but what comes */
	installer_build_path(plan->installer, plan->target->version, "/module", path);
	r = open_beneath(plan->installer->trees.fds[TREE_DKMS], path, O_RDONLY | O_DIRECTORY, 0,
			 &build_fd, error);
	for (uint32_t i = 0; r == 0 && i < plan->ticket.file_count; i++) {
		const struct ticket_file *file = &plan->ticket.files[i];
		cleanup_close int fd = -1, staged_fd = -1;

		r = module_open(build_fd, file->name, &fd, NULL, error);
		(void)snprintf(place, sizeof(place), "%s/%s/%s", plan->target->kernel,
			       file->directory, file->name);
		if (r == 0)
			r = transaction_put_file(plan->transaction, TREE_INSTALL, place, fd, error);
		if (r == 0)
			r = transaction_open_staged(plan->transaction, &staged_fd, error);
		if (r == 0)
			r = installer_check_file(file, staged_fd, error);
		plan->installer->installed.files++;
	}
	return r;
}

/* The link that says which version is installed, and what else goes with it. */
static int finish_plan(struct plan *plan, const char *link, struct error **error)
{
	const struct installer_target *target = plan->target;
	char path[INSTALLER_PATH];
	int r;

	(void)snprintf(path, sizeof(path), "%s/kernel-%s-%s", target->module, target->kernel,
		       target->architecture);
	r = link ? transaction_put_link(plan->transaction, TREE_DKMS, path, link, error)
		 : transaction_remove(plan->transaction, TREE_DKMS, path, error);
	installer_build_path(plan->installer, target->version, "/installed", path);
	if (r == 0)
		r = transaction_remove(plan->transaction, TREE_DKMS, path, error);
	if (r == 0)
		r = index_stage(plan->installer, plan->transaction, error);
	return r < 0 ? r : transaction_commit(plan->transaction, error);
}

static int read_ticket(const struct plan *plan, const char *version, struct text *text,
		       struct error **error)
{
	char path[INSTALLER_PATH];

	installer_build_path(plan->installer, version, "/ticket", path);
	return read_file(plan->installer->trees.fds[TREE_DKMS], path, TICKET_MAXIMUM, text, error);
}

static int load_ticket(struct plan *plan, struct error **error)
{
	const struct installer_target *target = plan->target;
	cleanup_text struct text text = { 0 };
	char path[INSTALLER_PATH];
	int r;

	installer_build_path(plan->installer, target->version, "", path);
	if (!installer_exists(plan->installer, TREE_DKMS, path))
		return error_refuse(error, EXIT_STATE, ENOENT, "%s is not built; build it first",
				    path);
	r = read_ticket(plan, target->version, &text, error);
	if (r == 0)
		r = installer_verify(plan->installer, text.data, text.length, &plan->ticket, error);
	return r < 0 ? error_refuse(error, EXIT_INSTALL_REFUSED, -r,
				    "%s/%s was not built by kmodbox, or was changed since; build "
				    "it again with --force",
				    target->module, target->version)
		     : 0;
}

/*
 * Going back to an older build is root's word alone: a version that he named, or --force. Whatever
 * was not built by kmodbox with this key has no serial to compare.
 */
static int check_serial(const struct plan *plan, const char *active, struct error **error)
{
	const struct installer_target *target = plan->target;
	cleanup_ticket struct ticket installed = { 0 };
	cleanup_text struct text text = { 0 };

	if (target->force || installer_is_named(plan->installer, target->version) ||
	    read_ticket(plan, active, &text, NULL) < 0 ||
	    ticket_verify((const uint8_t *)text.data, text.length, plan->installer->key, &installed,
			  NULL) < 0 ||
	    plan->ticket.serial >= installed.serial)
		return 0;
	return error_refuse(error, EXIT_INSTALL_REFUSED, ESTALE,
			    "%s/%s was built before version %s, which is installed for %s; to go "
			    "back, run kmodbox install %s/%s -k %s",
			    target->module, target->version, active, target->kernel, target->module,
			    target->version, target->kernel);
}

int module_install(struct installer *installer, struct message *message, struct error **error)
{
	cleanup(plan_clear) struct plan plan = { .kernel_fd = -1 };
	const struct installer_target *target = &installer->target;
	char version[TICKET_NAME], path[INSTALLER_PATH];
	int r;

	(void)message;
	installer_active(installer, version);
	if (!target->force && string_equal(version, target->version))
		return error_refuse(error, EXIT_ALREADY_INSTALLED, EEXIST,
				    "%s/%s is already installed for %s (%s)", target->module,
				    target->version, target->kernel, target->architecture);
	installer_build_path(installer, target->version, "", path);
	r = open_plan(&plan, installer, error);
	if (r == 0)
		r = load_ticket(&plan, error);
	if (r == 0 && *version)
		r = check_serial(&plan, version, error);
	if (r == 0 && *version)
		r = plan_removal(&plan, version, error);
	if (r == 0)
		r = plan_originals(&plan, error);
	if (r == 0)
		r = plan_files(&plan, error);
	return r < 0 ? r : finish_plan(&plan, strchr(path, '/') + 1, error);
}

int module_uninstall(struct installer *installer, struct message *message, struct error **error)
{
	cleanup(plan_clear) struct plan plan = { .kernel_fd = -1 };
	const struct installer_target *target = &installer->target;
	char version[TICKET_NAME];
	int r;

	(void)message;
	installer_active(installer, version);
	if (!string_equal(version, target->version))
		return error_refuse(error, EXIT_STATE, ENOENT, "%s/%s is not installed for %s (%s)",
				    target->module, target->version, target->kernel,
				    target->architecture);
	r = open_plan(&plan, installer, error);
	if (r == 0)
		r = plan_removal(&plan, version, error);
	if (r == 0)
		r = plan_restoring(&plan, error);
	return r < 0 ? r : finish_plan(&plan, NULL, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The launcher's second half: signer, kmodbox-depmod and installer are started, each with just the
 * descriptors and the words that it may act on.
 */
#include "orchestrator/launcher_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/message.h"
#include "orchestrator/helpers.h"
#include "sandbox/slot.h"

#define WAIT_MILLISECONDS 500

void launch_interruptions(sigset_t *ret_signals)
{
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGINT);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGHUP);
}

int launch_open_state(const struct launch *launch, const char *name, mode_t mode, int *ret_fd,
		      struct error **error)
{
	int state_fd = launch->part.places.state_fd;
	int r = make_directories(state_fd, name, mode, error);

	return r < 0 ? r : open_beneath(state_fd, name, O_RDONLY | O_DIRECTORY, 0, ret_fd, error);
}

/* Waits until the signer says that it has its keys; it has told the reason itself where it has not.
 */
static int await_signer(struct launch *launch, int ready_fd, struct error **error)
{
	char byte;
	int status = 0;

	if (read(ready_fd, &byte, 1) == 1)
		return 0;
	(void)waitpid(launch->signer, &status, 0);
	launch->signer = 0;
	/* 127: it could not be run at all, and said nothing. */
	launch->told = WIFEXITED(status) && WEXITSTATUS(status) && WEXITSTATUS(status) != 127;
	(void)error_set(error, EIO, "the signer could not start");
	error_set_code(*error, launch->told ? WEXITSTATUS(status) : EXIT_SIGNING);
	return -EIO;
}

static int start_signer(struct launch *launch, struct error **error)
{
	cleanup_helper struct helper helper = { .name = "kmodbox-signer" };
	cleanup_close int keys_fd = -1;
	cleanup_close int approvals_fd = -1;
	cleanup_close int audit_fd = -1;
	cleanup_close int checker_fd = -1;
	int ready[2];
	int r;

	r = launch_open_state(launch, "keys", 0700, &keys_fd, error);
	if (r == 0)
		r = launch_open_state(launch, "approvals", 0755, &approvals_fd, error);
	if (r == 0)
		r = open_beneath(launch->part.places.state_fd, "audit.log",
				 O_RDWR | O_APPEND | O_CREAT, 0640, &audit_fd, error);
	if (r < 0)
		return error_context(error, "state directory %s", launch->part.places.state);
	r = helper_open_program("kmodbox-checker", &checker_fd, error);
	if (r < 0)
		return r;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "pipe");
	helper_fd(&helper, "--socket", launch->signer_side);
	helper_fd(&helper, "--keys", keys_fd);
	helper_fd(&helper, "--approvals", approvals_fd);
	helper_fd(&helper, "--audit", audit_fd);
	helper_fd(&helper, "--checker", checker_fd);
	helper_fd(&helper, "--ready", ready[1]);
	for (size_t i = 0; i < launch->part.target_count; i++)
		if (launch->part.targets[i].kernel)
			helper_named_fd(&helper, "--kernel", launch->part.targets[i].release,
					launch->part.targets[i].kernel->build_fd);
	if (launch->accounts.separate)
		helper_number(&helper, "--uid", launch->accounts.signer);
	r = helper_start(&helper, &launch->signer, error);
	(void)close_fd(ready[1]);
	if (r == 0)
		r = await_signer(launch, ready[0], error);
	(void)close_fd(ready[0]);
	return r;
}

static int start_depmod(struct launch *launch, int socket, struct error **error)
{
	cleanup_helper struct helper helper = { .name = "kmodbox-depmod" };
	cleanup_close int profile_fd = -1;
	cleanup_slot struct slot slot = SLOT_NONE;
	int r;

	r = helper_open_profile("build.seccomp", &profile_fd, error);
	if (r == 0 && launch->accounts.separate)
		r = slot_new(launch->accounts.depmod, launch->accounts.depmod_slot, &slot, error);
	if (r < 0)
		return r;
	helper_fd(&helper, "--socket", socket);
	helper_text(&helper, "--install-tree", launch->depmod_tree);
	helper_fd(&helper, "--profile", profile_fd);
	helper_number(&helper, "--optional", launch->part.sandbox.optional);
	helper_fd(&helper, "--userns", slot.userns_fd);
	helper_fd(&helper, "--netns", slot.netns_fd);
	if (launch->accounts.separate)
		helper_number(&helper, "--uid", launch->accounts.depmod);
	return helper_start(&helper, &launch->depmod, error);
}

/*
 * Until the installer has the trees to itself and has finished what a crash left: only then does
 * the state that the orchestrator reads hold until its end.
 */
static int await_installer(const struct launch *launch, int ready_fd, struct error **error)
{
	struct pollfd ready = { .fd = ready_fd, .events = POLLIN };
	const struct timespec at_once = { 0 };
	sigset_t signals;
	bool told = false;

	launch_interruptions(&signals);
	while (poll(&ready, 1, WAIT_MILLISECONDS) == 0) {
		if (!told)
			log_info(launch->part.log, "Waiting for another kmodbox that works on %s",
				 launch->part.places.dkms_tree);
		told = true;
		if (sigtimedwait(&signals, NULL, &at_once) < 0)
			continue;
		(void)kill(launch->installer, SIGKILL);
		(void)error_set(error, EINTR, "interrupted while waiting for another kmodbox");
		error_set_code(*error, EXIT_INTERRUPTED);
		return -EINTR;
	}
	return 0;
}

/* Nothing may be done to other kernels: "/6.1.0-1-amd64/6.12.1/". */
static void name_kernels(const struct launch *launch, struct helper *helper)
{
	cleanup_text struct text list = { 0 };
	int r = text_append_string(&list, "/");

	for (size_t i = 0; r == 0 && i < launch->part.target_count; i++)
		r = text_append_format(&list, "%s/", launch->part.targets[i].release);
	helper_text(helper, "--kernels", r == 0 ? list.data : "/");
}

/* Nor to other packages: " demo/0.1 ", or any version of it: " demo/ ". */
static void name_packages(const struct launch *launch, struct helper *helper)
{
	const struct options *options = launch->part.options;
	cleanup_free char *named = options->module
					   ? format_string(" %s/%s ", options->module,
							   options->version ? options->version : "")
					   : NULL;

	if (launch->part.only || options->module)
		helper_text(helper, "--packages",
			    launch->part.only ? launch->part.only : (named ? named : ""));
}

/* "--ledger STATE/ledger=FD". */
static void name_state(const struct launch *launch, struct helper *helper, const char *name, int fd)
{
	cleanup_free char *option = format_string("--%s", name);
	cleanup_free char *path = format_string("%s/%s", launch->part.places.state, name);

	helper_named_fd(helper, option ? option : "", path ? path : "", fd);
}

static int start_installer(struct launch *launch, struct error **error)
{
	cleanup_helper struct helper helper = { .name = "kmodbox-installer" };
	const struct places *places = &launch->part.places;
	cleanup_close int approvals_fd = -1;
	cleanup_close int ledger_fd = -1;
	cleanup_close int key_fd = -1;
	int depmod[2] = { -1, -1 };
	int ready[2] = { -1, -1 };
	int r;

	r = launch_open_state(launch, "approvals", 0755, &approvals_fd, error);
	if (r == 0)
		r = launch_open_state(launch, "ledger", 0755, &ledger_fd, error);
	/* Missing until something was signed; what needs it then says so. */
	if (r == 0)
		ignore_result(open_beneath(places->state_fd, "keys/ticket.pub", O_RDONLY, 0,
					   &key_fd, NULL));
	if (r == 0 && launch->row->installs) {
		r = message_pair(depmod, error);
		if (r == 0)
			r = start_depmod(launch, depmod[1], error);
		depmod[1] = close_fd(depmod[1]);
	}
	if (r == 0 && pipe2(ready, O_CLOEXEC) < 0)
		r = error_set_errno(error, errno, "pipe");
	if (r < 0)
		goto out;
	helper_fd(&helper, "--socket", launch->installer_side);
	helper_text(&helper, "--verb", verb_name(launch->row->verb));
	helper_named_fd(&helper, "--dkms-tree", places->dkms_tree, places->dkms_tree_fd);
	helper_named_fd(&helper, "--source-tree", places->source_tree, places->source_tree_fd);
	helper_named_fd(&helper, "--install-tree", places->install_tree, places->install_tree_fd);
	name_state(launch, &helper, "approvals", approvals_fd);
	name_state(launch, &helper, "ledger", ledger_fd);
	helper_fd(&helper, "--ticket-key", key_fd);
	helper_fd(&helper, "--depmod", depmod[0]);
	name_packages(launch, &helper);
	if (!launch->part.options->all)
		name_kernels(launch, &helper);
	if (launch->part.options->force)
		helper_flag(&helper, "--may-force");
	if (launch->part.archive_fd >= 0 || launch->part.given_source_fd >= 0)
		helper_flag(&helper, "--may-write-source");
	helper_fd(&helper, "--ready", ready[1]);
	r = helper_start(&helper, &launch->installer, error);
	ready[1] = close_fd(ready[1]);
	if (r == 0)
		r = await_installer(launch, ready[0], error);
out:
	(void)close_fd(ready[0]);
	(void)close_fd(depmod[0]);
	return r;
}

/* Without headers nothing is built; what asks for it says why. */
static bool can_build(const struct launch *launch)
{
	bool found = false;

	for (size_t i = 0; i < launch->part.target_count; i++)
		found = found || launch->part.targets[i].kernel;
	return found;
}

int launch_helpers(struct launch *launch, struct error **error)
{
	int signer[2] = { -1, -1 };
	int installer[2] = { -1, -1 };
	int r = 0;

	/* Nothing of it is kept: it needs neither, and holds up nobody who does. */
	if (launch->row->verb == VERB_SHELL || launch->row->verb == VERB_DOCTOR)
		return 0;
	if (launch->row->signs && can_build(launch)) {
		r = message_pair(signer, error);
		launch->part.signer = signer[0];
		launch->signer_side = signer[1];
		if (r == 0)
			r = start_signer(launch, error);
		launch->signer_side = close_fd(launch->signer_side);
	}
	if (r < 0)
		return r;
	r = message_pair(installer, error);
	launch->part.installer = installer[0];
	launch->installer_side = installer[1];
	if (r == 0)
		r = start_installer(launch, error);
	launch->installer_side = close_fd(launch->installer_side);
	return r;
}

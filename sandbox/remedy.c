/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Remedies in words, see remedy.h. A list of reasons, the surest first; the first that fits speaks.
 * What is taken from the host's files into the text is names that were checked or numbers.
 */
#include "sandbox/remedy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NO_FILTER " --security-opt seccomp=unconfined"
#define OLDEST_MAJOR 5
#define OLDEST_MINOR 14

struct question {
	const struct host *host;
	enum remedy_part part;
	int errnum;
	bool root;
	struct text *text;
};

static bool is_refusal(const struct question *question)
{
	return question->errnum == EPERM || question->errnum == EACCES;
}

static bool makes_user_namespace(const struct question *question)
{
	return question->part == REMEDY_USER_NAMESPACE || question->part == REMEDY_SLOT;
}

static bool label_confines(const struct host *host)
{
	return host->label[0] && !string_starts_with(host->label, "unconfined") &&
	       !strstr(host->label, "unconfined_t") && !string_starts_with(host->label, "kernel") &&
	       !strstr(host->label, "(complain)");
}

static bool has_options(const struct host *host)
{
	return host->container == HOST_DOCKER || host->container == HOST_PODMAN;
}

/* All that this container needs, beginning with the one that counts, so that one line is enough. */
static int append_options(const struct host *host, const char *first, struct text *text)
{
	const bool docker = host->container == HOST_DOCKER;
	int r = text_append_format(text, "%s%s", docker ? "docker run" : "podman run", first);

	if (r == 0 && label_confines(host))
		r = text_append_string(text, strchr(host->label, ':')
						     ? " --security-opt label=disable"
						     : " --security-opt apparmor=unconfined");
	if (r == 0 && docker)
		r = text_append_format(text, " (GitLab runner: %ssecurity_opt in [runners.docker])",
				       strstr(first, "--cap-add") ? "cap_add and " : "");
	return r;
}

/* With CAP_SYS_ADMIN both let the calls through. */
static const char *filter_option(const struct host *host)
{
	return host->seccomp == 2 && !host->admin ? NO_FILTER : "";
}

/* Each reason appends its clause, or nothing if it is not this. */

static int no_proc(const struct question *question)
{
	if (question->host->has_proc)
		return 0;
	return text_append_string(question->text,
				  "no /proc is mounted here, and no sandbox can be made without: "
				  "mount -t proc proc /proc");
}

static int old_kernel(const struct question *question)
{
	const struct host *host = question->host;

	if ((question->errnum != ENOSYS && question->errnum != EINVAL) || host->major == 0 ||
	    host->major > OLDEST_MAJOR ||
	    (host->major == OLDEST_MAJOR && host->minor >= OLDEST_MINOR))
		return 0;
	return text_append_format(question->text,
				  "Linux %u.%u is too old: kmodbox needs %d.%d or later",
				  host->major, host->minor, OLDEST_MAJOR, OLDEST_MINOR);
}

static int missing_namespaces(const struct question *question)
{
	const char *option = question->host->missing_namespaces;

	if (!option || question->errnum != EINVAL || question->part == REMEDY_STEP)
		return 0;
	return text_append_format(question->text,
				  "this kernel was built without %s: boot one that has it", option);
}

static int exhausted(const struct question *question)
{
	const struct host *host = question->host;

	if (question->errnum != ENOSPC || question->part == REMEDY_STEP)
		return 0;
	if (host->exhausted_sysctl)
		return text_append_format(question->text,
					  "sysctl %s is 0: set it, for instance by 'sysctl -w "
					  "%s=10000'",
					  host->exhausted_sysctl, host->exhausted_sysctl);
	return text_append_string(question->text,
				  "no more of them may be made: raise sysctl "
				  "user.max_user_namespaces and its like, here or, in a container, "
				  "outside of it");
}

static int no_process(const struct question *question)
{
	if (question->errnum != EAGAIN)
		return 0;
	return text_append_string(question->text,
				  "no process more may be started: raise 'ulimit -u' or the "
				  "pids limit of the container or service");
}

static int some_uids(const struct question *question)
{
	if (question->part != REMEDY_SLOT || question->host->all_uids)
		return 0;
	return text_append_string(
		question->text,
		"only some uids are mapped in this container, so that root has none to "
		"give to a sandbox: run kmodbox as an ordinary user in it, or give it "
		"all uids (podman: run it as root, without --userns)");
}

static int weak_root(const struct question *question)
{
	static const char *const remedies[] = {
		[HOST_NO_CONTAINER] = "CapabilityBoundingSet= of its systemd unit must have it",
		[HOST_LXC] = "lxc.cap.keep of the container must have it",
		[HOST_NSPAWN] = "systemd-nspawn --capability=CAP_SYS_ADMIN",
		[HOST_OTHER_CONTAINER] = "give it to the container",
	};
	const struct host *host = question->host;
	int r;

	if (question->part != REMEDY_SLOT || !is_refusal(question) || host->admin)
		return 0;
	r = text_append_string(
		question->text,
		"root has no CAP_SYS_ADMIN here: run kmodbox as an ordinary user, or ");
	if (r == 0 && has_options(host))
		return append_options(host, " --cap-add SYS_ADMIN", question->text);
	return r < 0 ? r : text_append_string(question->text, remedies[host->container]);
}

static int in_chroot(const struct question *question)
{
	/* EINVAL: of root's own mounts, which need a root directory that is one. */
	if (!question->host->chroot || !makes_user_namespace(question) ||
	    (question->errnum != EPERM && question->errnum != EINVAL))
		return 0;
	return text_append_string(
		question->text,
		"this is a chroot, in which the kernel makes no user namespaces: run "
		"kmodbox outside of it, or enter it by 'systemd-nspawn -D DIRECTORY' or "
		"as a container instead");
}

static int unprivileged_clone(const struct question *question)
{
	if (question->root || question->host->unprivileged_clone != 0 || !is_refusal(question))
		return 0;
	return text_append_string(question->text, "sysctl kernel.unprivileged_userns_clone is 0: "
						  "start kmodbox as root, or set it by 'sysctl -w "
						  "kernel.unprivileged_userns_clone=1'");
}

/* Ubuntu lets the namespace be made, but without a capability in it: what comes next is refused. */
static int apparmor_restriction(const struct question *question)
{
	const struct host *host = question->host;

	if (question->root || host->apparmor_restriction != 1 || !is_refusal(question))
		return 0;
	return text_append_string(
		question->text,
		"sysctl kernel.apparmor_restrict_unprivileged_userns is 1: start kmodbox as root, "
		"or load its profile: cp " KMODBOX_SHAREDIR "/apparmor/kmodbox /etc/apparmor.d/ && "
		"apparmor_parser -r /etc/apparmor.d/kmodbox");
}

/* AppArmor and SELinux answer EACCES, a filter EPERM or ENOSYS. */
static int confined(const struct question *question)
{
	static const char *const remedies[] = {
		[HOST_NO_CONTAINER] = "let it make user namespaces and mount in them",
		[HOST_LXC] = "lxc config set NAME security.nesting true, or lxc.apparmor.profile = "
			     "lxc-container-default-with-nesting",
		[HOST_NSPAWN] = "let it make user namespaces and mount in them",
		[HOST_OTHER_CONTAINER] = "run the container without it",
	};
	const struct host *host = question->host;
	cleanup_free char *label = NULL;
	int r;

	if (!label_confines(host) || !is_refusal(question) ||
	    (question->errnum == EPERM && host->seccomp == 2))
		return 0;
	label = sanitised(host->label);
	r = text_append_format(question->text,
			       "the security label '%s' refuses it: ", label ? label : "?");
	if (r == 0 && has_options(host))
		return append_options(host, filter_option(host), question->text);
	return r < 0 ? r : text_append_string(question->text, remedies[host->container]);
}

static int filtered(const struct question *question)
{
	static const char *const reasons[] = {
		[HOST_NO_CONTAINER] =
			"the seccomp filter of what started kmodbox refuses it: run it "
			"with one that has the calls that kmodbox(8) lists",
		[HOST_DOCKER] = "docker's seccomp profile refuses it: ",
		[HOST_PODMAN] = "podman's seccomp profile refuses it: ",
		[HOST_LXC] = "LXC's seccomp profile refuses it: lxc config set NAME "
			     "security.nesting true, or another lxc.seccomp.profile",
		[HOST_NSPAWN] =
			"systemd-nspawn's filter refuses it: --system-call-filter= with the "
			"calls that kmodbox(8) lists",
		[HOST_OTHER_CONTAINER] = "the container's seccomp profile refuses it: run it with "
					 "one that has the calls that kmodbox(8) lists "
					 "(Kubernetes: securityContext.seccompProfile)",
	};
	const struct host *host = question->host;
	int r;

	if (host->seccomp != 2 || (question->errnum != EPERM && question->errnum != ENOSYS))
		return 0;
	if (host->unit[0] && host->container == HOST_NO_CONTAINER)
		return text_append_format(question->text,
					  "%s filters system calls: set %s (systemctl edit %s)",
					  host->unit,
					  question->part == REMEDY_HOST_NAME
						  ? "ProtectHostname=no"
						  : "RestrictNamespaces=no and add @mount to its "
						    "SystemCallFilter=",
					  host->unit);
	r = text_append_string(question->text, reasons[host->container]);
	return r == 0 && has_options(host) ? append_options(host, NO_FILTER, question->text) : r;
}

static int missing_seccomp(const struct question *question)
{
	if (question->part != REMEDY_STEP || question->host->seccomp != HOST_UNKNOWN ||
	    (question->errnum != EINVAL && question->errnum != ENOSYS))
		return 0;
	return text_append_string(question->text, "this kernel was built without "
						  "CONFIG_SECCOMP_FILTER: boot one that has it");
}

static int missing_call(const struct question *question)
{
	if (question->errnum != ENOSYS)
		return 0;
	return text_append_string(question->text, "this kernel, or what emulates it, lacks the "
						  "call: boot Linux 5.14 or later");
}

static int refused(const struct question *question)
{
	if (!makes_user_namespace(question) || !is_refusal(question))
		return 0;
	if (question->root)
		return text_append_string(question->text,
					  "a chroot, or a security module, forbids user namespaces "
					  "here: run kmodbox outside of it");
	return text_append_string(question->text,
				  "a chroot, a container or a security module forbids user "
				  "namespaces here: start kmodbox as root, or outside of it");
}

int remedy_find(const struct host *host, enum remedy_part part, int errnum, bool root,
		struct text *text)
{
	static int (*const reasons[])(const struct question *) = {
		no_proc,   old_kernel, missing_namespaces, exhausted,	       no_process,
		some_uids, weak_root,  in_chroot,	   unprivileged_clone, apparmor_restriction,
		confined,  filtered,   missing_seccomp,	   missing_call,       refused,
	};
	const struct question question = {
		.host = host, .part = part, .errnum = errnum, .root = root, .text = text
	};
	const size_t before = text->length;
	int r = 0;

	for (size_t i = 0; r == 0 && text->length == before && i < ARRAY_SIZE(reasons); i++)
		r = reasons[i](&question);
	return r;
}

/* A layer that needs what containers and units lay over /proc, or leave out of it. */
static int append_unmasked(const struct host *host, const char *settings,
			   const char *const *remedies, struct text *text)
{
	if (host->unit[0] && host->container == HOST_NO_CONTAINER)
		return text_append_format(text, "%s of %s", settings, host->unit);
	return text_append_string(text, remedies[host->container]);
}

int remedy_find_layer(const struct host *host, const char *layer, struct text *text)
{
	static const char docker[] = "docker run --security-opt systempaths=unconfined (GitLab "
				     "runner: privileged = true in [runners.docker])";
	static const char podman[] = "podman run --security-opt unmask=ALL";
	static const char *const unmasked[] = {
		[HOST_NO_CONTAINER] = "unmount what lies over parts of /proc",
		[HOST_DOCKER] = docker,
		[HOST_PODMAN] = podman,
		[HOST_LXC] = "lxc config set NAME security.nesting true",
		[HOST_NSPAWN] = "systemd-nspawn masks parts of /proc always; builds work without",
		[HOST_OTHER_CONTAINER] = "a container that masks no system paths",
	};
	static const char *const writable[] = {
		[HOST_NO_CONTAINER] = "mount -o remount,bind,rw /proc/sys",
		[HOST_DOCKER] = docker,
		[HOST_PODMAN] = podman,
		[HOST_LXC] = "lxc.mount.auto = proc:rw in its configuration",
		[HOST_NSPAWN] = "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 in the environment of "
				"systemd-nspawn",
		[HOST_OTHER_CONTAINER] = "a container that masks no system paths (Kubernetes: "
					 "securityContext.procMount Unmasked)",
	};

	if (string_equal(layer, "landlock"))
		return text_append_string(text, "Linux 5.19 or later with CONFIG_SECURITY_LANDLOCK "
						"and 'landlock' in its boot option lsm=");
	if (string_equal(layer, sandbox_optional_name(SANDBOX_OPTIONAL_DENIED)))
		return text_append_string(text, "run it outside of the sandbox or tracer that "
						"supervises it");
	if (string_equal(layer, sandbox_optional_name(SANDBOX_OPTIONAL_NESTING)))
		return append_unmasked(host, "ProtectKernelTunables=no and ProcSubset=all",
				       writable, text);
	if (string_equal(layer, sandbox_optional_name(SANDBOX_OPTIONAL_CGROUP)))
		return text_append_string(text, "cgroup v2 alone on the host, and kmodbox started "
						"by root or by systemd-run --user --scope -p "
						"Delegate=yes");
	if (!string_equal(layer, "own /proc"))
		return 0;
	return append_unmasked(host,
			       "ProtectKernelTunables=no, ProtectKernelLogs=no and "
			       "ProtectProc=default",
			       unmasked, text);
}

static int find(const struct host *host, int part, int errnum, bool root, struct text *text)
{
	if (part & REMEDY_LAYER)
		return remedy_find_layer(
			host, sandbox_optional_name((unsigned)(part & ~REMEDY_LAYER)), text);
	if (part == REMEDY_WALL)
		return text_append_string(text, "something answers system calls here without doing "
						"what they ask for, a filter, a tracer or what "
						"emulates Linux: run kmodbox outside of it");
	return remedy_find(host, (enum remedy_part)part, errnum, root, text);
}

void remedy_explain(struct error **error, int part, bool root)
{
	cleanup_close int root_fd = -1;
	cleanup_free char *said = NULL;
	cleanup_text struct text clause = { 0 };
	struct error *whole = NULL;
	struct host host;

	if (!error || !*error || part < REMEDY_USER_NAMESPACE ||
	    (part > REMEDY_WALL && !(part & REMEDY_LAYER)))
		return;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	host_look(root_fd, &host);
	/* Root has given it up, but had it for the slot. */
	host.admin = host.admin || (root && part != REMEDY_SLOT);
	said = error_describe(*error);
	if (!said || find(&host, part, error_number(*error), root, &clause) < 0 ||
	    clause.length == 0)
		return;
	(void)error_refuse(&whole, error_code(*error), error_number(*error), "%s; %s", said,
			   clause.data);
	(void)error_free(*error);
	*error = whole;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pid 1 of the test bed, static and alone in its initial ramdisk: the host's root by 9p, to be read
 * only, and over it an overlay in memory that everything is written to; then bash with /job there,
 * and the end. Its word is what the job writes to the second serial port.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void end(const char *reason)
{
	(void)dprintf(1, "bed: %s\n", reason);
	sync();
	(void)sleep(1); /* what is in the port's queue */
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		(void)dprintf(1, "bed: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

static void attach(const char *type, const char *source, const char *path, unsigned long flags,
		   const char *options)
{
	(void)mkdir(path, 0755);
	if (mount(source, path, type, flags, options) < 0) {
		(void)dprintf(1, "bed: %s on %s: %s\n", type, path, strerror(errno));
		end("no root");
	}
}

/* The new root is moved over the old one: user namespaces are forbidden in a mere chroot. */
static void switch_root(void)
{
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		end("the root could not be switched");
}

static void run_job(int job_fd)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"LC_ALL=C", NULL
	};
	char path[32];
	const char *const argv[] = { "bash", path, NULL };

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", job_fd);
	(void)setsid();
	execve("/bin/bash", (char *const *)argv, (char *const *)environment);
	_exit(127);
}

int main(void)
{
	static const char *const modules[] = { "netfs", "9pnet", "9pnet_virtio", "9p", "overlay" };
	int job_fd, port;
	pid_t job, ended;

	attach("devtmpfs", "devtmpfs", "/dev", 0, "");
	port = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (port >= 0 && (dup2(port, 1) < 0 || dup2(port, 2) < 0))
		return 1;
	job_fd = open("/job", O_RDONLY);
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/%s.ko", modules[i]);
		load(path);
	}
	attach("9p", "host", "/lower", MS_RDONLY,
	       "trans=virtio,version=9p2000.L,cache=loose,msize=262144");
	attach("tmpfs", "tmpfs", "/upper", 0, "size=80%");
	(void)mkdir("/upper/files", 0755);
	(void)mkdir("/upper/work", 0755);
	attach("overlay", "overlay", "/new", 0,
	       "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work");
	attach("devtmpfs", "devtmpfs", "/new/dev", 0, "");
	attach("devpts", "devpts", "/new/dev/pts", 0, "");
	attach("tmpfs", "tmpfs", "/new/dev/shm", 0, "");
	attach("proc", "proc", "/new/proc", 0, "");
	attach("sysfs", "sysfs", "/new/sys", 0, "");
	attach("cgroup2", "cgroup2", "/new/sys/fs/cgroup", 0, "");
	switch_root();
	job = fork();
	if (job == 0)
		run_job(job_fd);
	while ((ended = wait(NULL)) > 0 && ended != job)
		continue;
	end("the job ended");
}

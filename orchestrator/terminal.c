/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pty and its relay, see terminal.h. Read relay_all() first. */
#include "orchestrator/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "orchestrator/launcher.h"
#include "orchestrator/printer.h"
#include "sandbox/seccomp.h"

#define CHUNK 4096
#define PATIENCE_MILLISECONDS 3000 /* with a terminal that takes nothing more */

struct relay {
	int pty_fd; /* the master's side */
	int socket;
	int signal_fd;		    /* SIGWINCH */
	unsigned char typed[CHUNK]; /* not yet taken by the pty */
	size_t typed_length;
	struct terminal_filter filter;
};

bool terminal_is_there(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static void copy_size(const struct relay *relay)
{
	struct winsize size;

	/* The pty's kernel side tells the foreground process of the sandbox by SIGWINCH. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(relay->pty_fd, TIOCSWINSZ, &size);
}

/* What the sandbox printed. False at its end: nobody has the other side open any more. */
static bool take_output(struct relay *relay)
{
	unsigned char bytes[CHUNK], shown[TERMINAL_FILTER_OUTPUT(CHUNK)];
	ssize_t length = read(relay->pty_fd, bytes, sizeof(bytes));

	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	return length > 0 &&
	       write_all(STDOUT_FILENO, shown,
			 terminal_filter(&relay->filter, bytes, (size_t)length, shown)) == 0;
}

/* What the person types. False where the terminal is gone. */
static bool take_input(struct relay *relay)
{
	ssize_t length = read(STDIN_FILENO, relay->typed, sizeof(relay->typed));

	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	relay->typed_length = (size_t)length;
	return length > 0;
}

/* The pty takes what there is room for: who waited for more would read no output meanwhile. */
static bool pass_input(struct relay *relay)
{
	ssize_t length = write(relay->pty_fd, relay->typed, relay->typed_length);

	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	relay->typed_length -= (size_t)length;
	memmove(relay->typed, relay->typed + length, relay->typed_length);
	return true;
}

/* Until the sandbox's side is closed, the terminal gone, or the orchestrator dead and all shown. */
static void relay_all(struct relay *relay)
{
	enum { PTY, TERMINAL, SIGNAL, SOCKET, COUNT };

	for (bool going = true; going;) {
		struct signalfd_siginfo info;
		struct pollfd polls[COUNT] = {
			[PTY] = { relay->pty_fd, POLLIN | (relay->typed_length ? POLLOUT : 0), 0 },
			[TERMINAL] = { relay->typed_length ? -1 : STDIN_FILENO, POLLIN, 0 },
			[SIGNAL] = { relay->signal_fd, POLLIN, 0 },
			[SOCKET] = { relay->socket, POLLIN, 0 },
		};
		int ready = poll(polls, COUNT, relay->socket < 0 ? PATIENCE_MILLISECONDS : -1);

		if (ready < 0 && errno != EINTR)
			return;
		if (ready == 0)
			return;
		if (polls[SIGNAL].revents && read(relay->signal_fd, &info, sizeof(info)) > 0)
			copy_size(relay);
		if (polls[SOCKET].revents)
			relay->socket = close_fd(relay->socket);
		if (polls[PTY].revents & (POLLIN | POLLHUP | POLLERR))
			going = take_output(relay);
		if (going && polls[PTY].revents & POLLOUT)
			going = pass_input(relay);
		if (going && polls[TERMINAL].revents)
			going = take_input(relay);
	}
}

/* Every byte as it is typed, Ctrl-C too; what is typed ahead stays. */
static int set_raw(struct termios *ret_settings)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, ret_settings) < 0)
		return -errno;
	raw = *ret_settings;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0 ? -errno : 0;
}

int terminal_confine(struct error **error)
{
	/*
	 * In the language of profiles/build.seccomp. What ends in 2 the C library asks from glibc
	 * 2.42 on; sigaltstack is for sanitizers, before they end.
	 */
	static const char policy[] =
		"allow read write poll ppoll close restart_syscall sigaltstack exit_group\n"
		"allow ioctl if arg1 is TCGETS\n"
		"allow ioctl if arg1 is TCSETS\n"
		"allow ioctl if arg1 is TCSETSW\n"
		"allow ioctl if arg1 is TCGETS2\n"
		"allow ioctl if arg1 is TCSETS2\n"
		"allow ioctl if arg1 is TCSETSW2\n"
		"allow ioctl if arg1 is TIOCGWINSZ\n"
		"allow ioctl if arg1 is TIOCSWINSZ\n"
		"refuse ioctl\n";
	struct seccomp_program program = { 0 };
	int r = seccomp_compile("relay", policy, strlen(policy), &program, error);

	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = error_set_errno(error, errno, "relay");
	if (r == 0)
		r = seccomp_install(&program, NULL, error);
	seccomp_program_clear(&program);
	return r;
}

static int prepare(struct relay *relay, const struct accounts *accounts, struct error **error)
{
	int pty_fd = fcntl(relay->pty_fd, F_DUPFD_CLOEXEC, 10);
	int socket = fcntl(relay->socket, F_DUPFD_CLOEXEC, 10);
	sigset_t signals;
	int r;

	if (pty_fd < 0 || socket < 0 || dup2(pty_fd, 3) < 0 || dup2(socket, 4) < 0 ||
	    close_range(5, ~0U, 0) < 0)
		return error_set_errno(error, errno, "relay");
	relay->pty_fd = 3;
	relay->socket = 4;
	/* What ends kmodbox, or stops it, comes to us by the ends of these two. */
	(void)sigfillset(&signals);
	if (sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
		return error_set_errno(error, errno, "relay");
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGWINCH);
	relay->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (relay->signal_fd < 0 || fcntl(relay->pty_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_set_errno(error, errno, "relay");
	r = accounts_become(accounts, accounts->own, error);
	return r < 0 ? r : terminal_confine(error);
}

static _Noreturn void be_relay(struct relay *relay, const struct accounts *accounts)
{
	struct termios settings;
	const char *reset;
	char begin;

	/* The socket's end without a word: there was nothing to relay. */
	if (prepare(relay, accounts, NULL) < 0 || read(relay->socket, &begin, 1) != 1 ||
	    set_raw(&settings) < 0)
		_exit(0);
	copy_size(relay);
	relay_all(relay);
	/* Closed first: who waits in the sandbox for a terminal that is gone learns it. */
	relay->pty_fd = close_fd(relay->pty_fd);
	reset = terminal_filter_reset(&relay->filter);
	/* Before the output, which may not be taken any more. */
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &settings);
	ignore_result(write_all(STDOUT_FILENO, reset, strlen(reset)));
	_exit(0);
}

/* ret_fds: the master's side, then the sandbox's. */
static int open_pty(int ret_fds[2], struct error **error)
{
	cleanup_close int master_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlocked = 0, slave_fd = -1;

	if (master_fd >= 0 && ioctl(master_fd, TIOCSPTLCK, &unlocked) == 0)
		slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0)
		return error_refuse(error, 0, errno,
				    "no terminal for the shell (%s): mount devpts on /dev/pts, or "
				    "give a command behind '--' and no terminal",
				    strerror(errno));
	ret_fds[0] = TAKE_FD(master_fd);
	ret_fds[1] = slave_fd;
	return 0;
}

int terminal_start(const struct accounts *accounts, struct terminal *ret_terminal, int *ret_pty_fd,
		   int *ret_socket, struct error **error)
{
	struct terminal terminal = TERMINAL_INITIAL;
	cleanup_close int master_fd = -1, slave_fd = -1, ours = -1, relays = -1;
	int pty[2] = { -1, -1 }, pair[2], r;
	sigset_t stop;

	if (tcgetattr(STDIN_FILENO, &terminal.settings) < 0)
		return error_set_errno(error, errno, "terminal");
	r = open_pty(pty, error);
	if (r < 0)
		return r;
	master_fd = pty[0];
	slave_fd = pty[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set_errno(error, errno, "socketpair");
	ours = pair[0];
	relays = pair[1];
	/* Restoring the settings must not stop who does it from the background. */
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	terminal.relay = fork();
	if (terminal.relay < 0)
		return error_set_errno(error, errno, "cannot start the relay of the terminal");
	if (terminal.relay == 0) {
		struct relay relay = { .pty_fd = master_fd,
				       .socket = relays,
				       .filter = { .utf8 = printer_takes_utf8() } };

		be_relay(&relay, accounts);
	}
	terminal.relay_fd = pidfd_open(terminal.relay, 0);
	*ret_terminal = terminal;
	*ret_pty_fd = TAKE_FD(slave_fd);
	*ret_socket = TAKE_FD(ours);
	return 0;
}

void terminal_finish(struct terminal *terminal)
{
	struct pollfd ended = { .fd = terminal->relay_fd, .events = POLLIN };

	if (terminal->relay_fd < 0)
		return;
	if (poll(&ended, 1, PATIENCE_MILLISECONDS) == 0)
		(void)pidfd_send_signal(terminal->relay_fd, SIGKILL, NULL, 0);
	(void)waitid(P_PIDFD, (id_t)terminal->relay_fd, &(siginfo_t){ 0 }, WEXITED);
	terminal->relay_fd = close_fd(terminal->relay_fd);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->settings);
}

void terminal_begin(int socket)
{
	if (socket >= 0)
		ignore_result(write_all(socket, "", 1));
}

void terminal_end(int *pty_fd, int *socket)
{
	struct pollfd ended = { .fd = *socket, .events = POLLIN };

	*pty_fd = close_fd(*pty_fd);
	if (*socket >= 0)
		(void)poll(&ended, 1, PATIENCE_MILLISECONDS);
	*socket = close_fd(*socket);
}

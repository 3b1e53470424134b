/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probes of the kernel's wider surface, of sockets and of resources: part of probe.c, which
 * explains them. */
#ifndef KMODBOX_TESTS_PROBE_KERNEL_H
#define KMODBOX_TESTS_PROBE_KERNEL_H

static int load_bpf(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return answer(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

static int performance_event(void)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
					      .size = sizeof(attributes),
					      .config = PERF_COUNT_SW_TASK_CLOCK,
					      .exclude_kernel = 1,
					      .exclude_hv = 1 };

	return answer(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int io_uring(void)
{
	struct io_uring_params parameters = { 0 };

	return answer(syscall(SYS_io_uring_setup, 1, &parameters));
}

static int seccomp_listener(void)
{
	struct sock_filter allow = { .code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW };
	struct sock_fprog program = { 1, &allow };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static int socket_filter(void)
{
	struct sock_filter allow = { .code = BPF_RET | BPF_K, .k = 1 };
	struct sock_fprog program = { 1, &allow };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -errno;
	return answer(setsockopt(ends[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

/* A terminal of our own: outside one must be made, inside there is none to be had. */
static int terminal(void)
{
	int master;
	int slave;

	if (inside)
		return 0;
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || setsid() < 0)
		return -1;
	slave = open(ptsname(master), O_RDWR | O_CLOEXEC);
	if (slave < 0)
		return -1;
	(void)ioctl(slave, TIOCSCTTY, 0);
	return slave;
}

static int push_input(unsigned long request)
{
	int fd = terminal();
	char byte = 'x';

	if (fd < 0)
		return NO_CONTROL;
	return answer(syscall(SYS_ioctl, fd, request, &byte));
}

static int terminal_push(void)
{
	return push_input(TIOCSTI);
}

static int terminal_push_high_bits(void)
{
	return push_input((UINT64_C(1) << 32) | TIOCSTI);
}

static int console_paste(void)
{
	int fd = terminal();
	char command = 3; /* TIOCL_PASTESEL */
	int r;

	if (fd < 0)
		return NO_CONTROL;
	r = answer(ioctl(fd, TIOCLINUX, &command));
	return r == -ENOTTY || r == -EINVAL ? 0 : r;
}

static int find_terminal(void)
{
	for (int fd = 0; fd < 256; fd++) {
		if (isatty(fd))
			return 0;
	}
	return answer(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
}

static int enter_32_bit(void)
{
	long result = 20; /* getpid there */

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	errno = (int)-result;
	return answer(result < 0 ? -1 : 0);
}

static int connect_to(int type, const void *address, socklen_t length)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, type, 0);

	return answer(fd < 0 ? fd : connect(fd, address, length));
}

static int talk_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)strtol(argument, NULL, 10)) };

	return connect_to(SOCK_STREAM, &address, sizeof(address));
}

static int talk_udp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons((uint16_t)strtol(argument, NULL, 10)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return answer(fd < 0 ? fd
			     : sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static struct sockaddr_un unix_address(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", shown, name);
	return address;
}

static int talk_unix_path(void)
{
	struct sockaddr_un address = unix_address("stream");

	return connect_to(SOCK_STREAM, &address, sizeof(address));
}

static socklen_t abstract_address(struct sockaddr_un *address, const char *name)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int talk_unix_abstract(void)
{
	struct sockaddr_un address;

	return connect_to(SOCK_STREAM, &address, abstract_address(&address, argument));
}

/* So that another build could find it. */
static int offer_unix_abstract(void)
{
	char name[64];
	struct sockaddr_un address;
	socklen_t length;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(name, sizeof(name), "%s-offered", argument);
	length = abstract_address(&address, name);
	return answer(fd < 0 ? fd : bind(fd, (struct sockaddr *)&address, length));
}

/* Addresses that lead nowhere (RFC 5737): what counts is if it may be asked for. */
static int talk_far_by(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(0xc0000201),
				       .sin_port = htons(53) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	int r = answer(fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof(address)));

	return r == -EINPROGRESS ? 0 : r;
}

static int talk_far(void)
{
	return talk_far_by(SOCK_STREAM);
}

static int talk_far_datagram(void)
{
	return talk_far_by(SOCK_DGRAM);
}

/* A pair is connected to itself, but datagrams may still be sent to any path, with descriptors. */
static int talk_by_pair(int type)
{
	struct sockaddr_un address = unix_address("datagram");
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_name = &address,
				  .msg_namelen = sizeof(address),
				  .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int ends[2];

	if (socketpair(AF_UNIX, type, 0, ends) < 0)
		return -errno;
	return answer(sendmsg(ends[0], &message, MSG_DONTWAIT));
}

static int talk_datagram_pair(void)
{
	return talk_by_pair(SOCK_DGRAM);
}

static int talk_raw_pair(void)
{
	return talk_by_pair(SOCK_RAW);
}

static int talk_stream_pair(void)
{
	char byte = 'x';
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return answer(write(ends[0], &byte, 1) == 1 ? read(ends[1], &byte, 1) : -1);
}

/* With out-of-band data, by either call: CVE-2025-38236. */
static int send_out_of_band(bool by_message)
{
	char byte = 'x';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return answer(by_message ? sendmsg(ends[0], &message, MSG_OOB)
				 : send(ends[0], &byte, 1, MSG_OOB));
}

static int out_of_band(void)
{
	return send_out_of_band(false);
}

static int out_of_band_message(void)
{
	return send_out_of_band(true);
}

static int huge_pages(void)
{
	const size_t size = 2 << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	(void)munmap(memory, size);
	return 0;
}

static int advise(int advice)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return answer(madvise(memory, 4096, advice));
}

static int merge_pages(void)
{
	return advise(MADV_MERGEABLE);
}

static int give_back_pages(void)
{
	return advise(MADV_PAGEOUT);
}

static int cool_pages(void)
{
	return advise(MADV_COLD);
}

/* Signals for whoever is named. */
static int own_descriptor(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		return -errno;
	return answer(fcntl(ends[0], F_SETOWN, getpid()));
}

static int shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	int r = answer(id);

	if (id >= 0)
		(void)shmctl(id, IPC_RMID, NULL);
	return r;
}

static int message_queue(void)
{
	long fd = syscall(SYS_mq_open, "kmodbox-probe", O_RDWR | O_CREAT, 0600, NULL);
	int r = answer(fd);

	(void)syscall(SYS_mq_unlink, "kmodbox-probe");
	return r;
}

static int fork_many(void)
{
	int count = 0;
	int r = 0;
	int ends[2];

	if (pipe(ends) < 0)
		return -errno;
	for (; count < 600 && r == 0; count++) {
		pid_t pid = fork();

		if (pid == 0) {
			char byte;

			(void)close(ends[1]);
			_exit(read(ends[0], &byte, 1) != 0);
		}
		r = answer(pid);
	}
	(void)close(ends[1]);
	while (wait(NULL) > 0)
		;
	return r;
}

static int map_much(void)
{
	void *memory = mmap(NULL, (size_t)8 << 30, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return answer(memory == MAP_FAILED ? -1 : 0);
}

static int open_many(void)
{
	struct rlimit limit;
	int r = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 3000 && r == 0; i++)
		r = answer(open("/dev/null", O_RDONLY | O_CLOEXEC));
	return r;
}

static int sparse_file(void)
{
	char *path = path_in(scratch, "sparse");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	r = answer(fd < 0 ? fd : ftruncate(fd, (off_t)1 << 40));
	(void)unlink(path);
	return r;
}

static int fill_scratch(void)
{
	char path[4096];
	int r = 0;

	for (int i = 0; i < 20 && r == 0; i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/fill%d", scratch, i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		r = answer(fd < 0 ? fd : fallocate(fd, 0, 0, 64 << 20));
		(void)close(fd);
	}
	for (int i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "%s/fill%d", scratch, i);
		(void)unlink(path);
	}
	return r;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who let go of a connection, and how: killed, exited, or closed with a reset. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stand.h"

/* A process with a connection to us, which does something with it. */
struct life {
	pid_t pid;
	uint64_t cookie;
	int listener, server;
};

static struct life begin_life(void (*lives)(int fd))
{
	struct life life;
	uint16_t port;
	int told[2];

	life.listener = listen_on(&v4, &port, 4);
	assert_int_equal(pipe(told), 0);
	life.pid = fork();
	if (!life.pid) {
		int fd = connect_to(&v4, port);

		life.cookie = cookie_of(fd);
		if (write(told[1], &life.cookie, sizeof(life.cookie)) == sizeof(life.cookie))
			lives(fd);
		_exit(0);
	}
	life.server = accept_from(life.listener);
	assert_int_equal(read(told[0], &life.cookie, sizeof(life.cookie)), sizeof(life.cookie));
	close(told[0]);
	close(told[1]);
	return life;
}

/* It has ended: what its connection's last record says. */
static const struct hs_ev_connection *end_life(struct life *life)
{
	const struct hs_ev_connection *closed;
	int status;

	assert_int_equal(waitpid(life->pid, &status, 0), life->pid);
	close(life->server);
	close(life->listener);
	closed = await_record(HS_EV_CONNECTION, is_close, &life->cookie);
	assert_int_equal(closed->socket.pid, life->pid);
	assert_int_equal(closed->closer_pid, life->pid);
	assert_int_equal(closed->closer_tid, life->pid);
	if (closed->closer_exit)
		assert_int_equal(closed->closer_exit & HS_CLOSER_STATUS, status);
	return closed;
}

static void waits(int fd)
{
	(void)fd;
	for (;;)
		pause();
}

static void crashes(int fd)
{
	const struct rlimit none = {};

	(void)fd;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL); /* the test's own would tell of it */
	raise(SIGSEGV);
}

static void exits(int fd)
{
	(void)fd;
	_exit(3);
}

static void closes(int fd)
{
	close(fd);
}

static void aborts(int fd)
{
	struct linger reset = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void wait_for(int fd, short what)
{
	struct pollfd ready = { .fd = fd, .events = what };

	poll(&ready, 1, 20000);
}

static void closes_unread(int fd)
{
	wait_for(fd, POLLIN);
	close(fd);
}

static void waits_unread(int fd)
{
	char byte;

	wait_for(fd, POLLIN);
	(void)!write(fd, "here", 4);
	(void)!recv(fd, &byte, 1, MSG_PEEK);
	waits(fd);
}

/* The peer's FIN has come and nobody has read the end: that is no data. */
static void aborts_at_the_end(int fd)
{
	wait_for(fd, POLLRDHUP);
	aborts(fd);
}

static void closes_unread_at_the_end(int fd)
{
	wait_for(fd, POLLRDHUP);
	close(fd);
}

static void check_exit(struct life *life, uint32_t exit, uint8_t how)
{
	const struct hs_ev_connection *closed = end_life(life);

	assert_int_equal(closed->closer_exit, exit);
	assert_int_equal(closed->close, how);
	for (size_t i = 0; i < sizeof(closed->pad); i++)
		assert_int_equal(closed->pad[i], 0);
}

static void killed(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(waits);
	kill(life.pid, SIGKILL);
	check_exit(&life, HS_CLOSER_EXITING | SIGKILL, 0);
}

static void crashed(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(crashes);
	check_exit(&life, HS_CLOSER_EXITING | SIGSEGV, 0);
}

static void exited(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(exits);
	check_exit(&life, HS_CLOSER_EXITING | 3 << 8, 0);
}

static void closed_as_usual(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(closes);
	check_exit(&life, 0, 0);
}

static void lingering(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(aborts);
	check_exit(&life, 0, HS_CLOSE_LINGER);
}

static void lingering_at_the_end(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(aborts_at_the_end);
	shutdown(life.server, SHUT_WR);
	check_exit(&life, 0, HS_CLOSE_LINGER);
}

static void unread(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(closes_unread);
	send_all(life.server, "unread", 6);
	check_exit(&life, 0, HS_CLOSE_UNREAD);
}

static void unread_at_the_end(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(closes_unread_at_the_end);
	send_all(life.server, "unread", 6);
	shutdown(life.server, SHUT_WR);
	check_exit(&life, 0, HS_CLOSE_UNREAD);
}

static void killed_unread(void **state)
{
	struct life life;

	(void)state;
	watch("connection");
	life = begin_life(waits_unread);
	send_all(life.server, "unread", 6);
	receive_all(life.server, 4);
	kill(life.pid, SIGKILL);
	check_exit(&life, HS_CLOSER_EXITING | SIGKILL, HS_CLOSE_UNREAD);
}

/* Waits this process inside this system call? */
struct blocked {
	pid_t pid;
	int x86, arm64;
};

static bool is_blocked(const void *arg)
{
	const struct blocked *blocked = arg;
	char path[64], text[32] = "";
	int number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", blocked->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	(void)!fgets(text, sizeof(text), file);
	fclose(file);
	return sscanf(text, "%d ", &number) == 1 && (number == blocked->x86 || number == blocked->arm64);
}

/* A worker that did not open it, killed while it reads: not to be taken for a pass over all files. */
static void killed_while_it_reads(void **state)
{
	const struct hs_ev_connection *closed;
	int listener, client, server, status;
	uint64_t cookie;
	uint16_t port;
	pid_t pid;
	char byte;

	(void)state;
	if (access("/proc/self/syscall", R_OK))
		skip();
	watch("connection");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(client);
	pid = fork();
	if (!pid)
		_exit(read(client, &byte, 1));
	close(client);
	wait_until(is_blocked, &(struct blocked){ pid, 0, 63 }); /* read() */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(server);
	close(listener);
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->socket.pid, getpid());
	assert_int_equal(closed->closer_pid, pid);
	assert_int_equal(closed->closer_exit, HS_CLOSER_EXITING | SIGKILL);
}

/* Given up while it connects: nobody answers, and there is no FIN to tell of. */
static void gave_up(void **state)
{
	const struct hs_ev_connection *closed;
	uint64_t cookie;
	int status, fd;
	pid_t pid;

	(void)state;
	if (!can_run("nft list tables"))
		skip();
	watch("connection");
	run("nft 'add table inet t; add chain inet t in { type filter hook input priority 0; }; "
	    "add rule inet t in tcp dport 9 drop'");
	fd = make_socket(&v4);
	cookie = cookie_of(fd);
	pid = fork();
	if (!pid) {
		try_connect(fd, &v4, 9);
		_exit(0);
	}
	close(fd);
	wait_until(is_blocked, &(struct blocked){ pid, 42, 203 }); /* connect() */
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	run("nft delete table inet t");
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->socket.old_state, SYN_SENT);
	assert_int_equal(closed->closer_pid, pid);
	assert_int_equal(closed->closer_exit, HS_CLOSER_EXITING | SIGTERM);
	assert_int_equal(closed->close, 0);
}

/* The other end of a reset has no closer: nobody here closed it. */
static void reset_by_the_peer(void **state)
{
	const struct hs_ev_connection *closed;
	struct life life;
	uint64_t server;
	int status;

	(void)state;
	watch("connection");
	life = begin_life(aborts);
	server = cookie_of(life.server);
	closed = await_record(HS_EV_CONNECTION, is_close, &server);
	assert_int_equal(closed->tcp.error, ECONNRESET);
	assert_int_equal(closed->closer_pid + closed->closer_exit + closed->close, 0);
	assert_int_equal(waitpid(life.pid, &status, 0), life.pid);
	close(life.server);
	close(life.listener);
}

/* ---- the OOM killer, in a memory cgroup of our own ---- */

static char group[128];

static bool put(const char *file, const char *text)
{
	char path[256];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

static bool make_group(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup/memory", "/sys/fs/cgroup" };

	for (size_t i = 0; i < 2; i++) {
		snprintf(group, sizeof(group), "%s/hs-oom-%d", roots[i], getpid());
		if (i == 1)
			(void)!system("echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null");
		if (mkdir(group, 0700))
			continue;
		if (put("memory.limit_in_bytes", "16M") || put("memory.max", "16M")) {
			(void)(put("memory.memsw.limit_in_bytes", "16M") || put("memory.swap.max", "0"));
			return true;
		}
		rmdir(group);
	}
	return false;
}

static void devours(int fd)
{
	char pid[16];

	(void)fd;
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!put("cgroup.procs", pid))
		_exit(1);
	for (int i = 0; i < 64; i++) {
		char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory != MAP_FAILED)
			memset(memory, 1, 1 << 20);
	}
}

static void out_of_memory(void **state)
{
	struct life life;

	(void)state;
	if (!make_group()) {
		print_message("skip: no memory cgroup can be made here\n");
		skip();
	}
	watch("connection");
	life = begin_life(devours);
	check_exit(&life, HS_CLOSER_EXITING | HS_CLOSER_OOM | SIGKILL, 0);
	rmdir(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(killed, unwatch),
		cmocka_unit_test_teardown(crashed, unwatch),
		cmocka_unit_test_teardown(exited, unwatch),
		cmocka_unit_test_teardown(closed_as_usual, unwatch),
		cmocka_unit_test_teardown(lingering, unwatch),
		cmocka_unit_test_teardown(lingering_at_the_end, unwatch),
		cmocka_unit_test_teardown(unread, unwatch),
		cmocka_unit_test_teardown(unread_at_the_end, unwatch),
		cmocka_unit_test_teardown(killed_unread, unwatch),
		cmocka_unit_test_teardown(killed_while_it_reads, unwatch),
		cmocka_unit_test_teardown(gave_up, unwatch),
		cmocka_unit_test_teardown(reset_by_the_peer, unwatch),
		cmocka_unit_test_teardown(out_of_memory, unwatch),
	};

	return cmocka_run_group_tests_name("closer", tests, own_network, unwatch);
}

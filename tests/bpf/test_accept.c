/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accept() as it returns, on each rung of its ladder. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stand.h"

static void one_accept(const char *hooks, const struct address *address, const char *text, bool old_call)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	const struct hs_ev_socket *record;
	uint64_t begin, cookie;
	int listener, client, server;
	uint16_t port;

	watch(hooks);
	follow();
	listener = listen_on(address, &port, 8);
	client = connect_to(address, port);
	begin = now();
	server = old_call ? accept(listener, (void *)&peer, &length) :
			    accept4(listener, (void *)&peer, &length, SOCK_CLOEXEC);
	assert_true(server >= 0);
	cookie = cookie_of(server);
	record = await_record(HS_EV_ACCEPT, has_cookie, &cookie);
	assert_in_range(record->event.time_ns, begin, now());
	check_tuple(&record->tuple, text, port, text, local_port(client));
	assert_int_equal(record->pid, getpid());
	assert_int_equal(record->tid, syscall(SYS_gettid));
	assert_int_equal(record->role, HS_ROLE_SERVER);
	assert_int_equal(record->state, ESTABLISHED);
	assert_int_equal(record->phase, 0);
	close(client);
	close(server);
	close(listener);
	assert_int_equal(record_count(HS_EV_ACCEPT), 1);
}

/* With the connection hook, which makes the cookie before anybody accepts. */
static void by_tracepoint(void **state)
{
	(void)state;
	one_accept("connection,accept:syscalls", &v4, "127.0.0.1", false);
}

static void by_tracepoint_ipv6(void **state)
{
	(void)state;
	one_accept("connection,accept:syscalls", &v6, "::1", false);
}

static void by_tracepoint_of_the_old_call(void **state)
{
	(void)state;
	one_accept("connection,accept:syscalls", &v4, "127.0.0.1", true);
}

static void by_fexit(void **state)
{
	(void)state;
	one_accept("connection,accept:fexit", &v4, "127.0.0.1", false);
}

static void by_fexit_ipv6(void **state)
{
	(void)state;
	one_accept("connection,accept:fexit", &v6, "::1", true);
}

static void by_cgroup(void **state)
{
	(void)state;
	one_accept("connection,accept:cgroup", &v4, "127.0.0.1", false);
}

static void by_cgroup_ipv6(void **state)
{
	(void)state;
	one_accept("connection,accept:cgroup", &v6, "::1", true);
}

/* Who does not ask for the address with accept() may do so later, once or often: that is told once. */
static void by_cgroup_not_asked(void **state)
{
	const struct hs_ev_socket *record;
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int listener, client, server;
	uint64_t begin, cookie;
	uint16_t port;

	(void)state;
	watch("connection,accept:cgroup");
	follow();
	listener = listen_on(&v4, &port, 8);
	client = connect_to(&v4, port);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	cookie = cookie_of(server);
	settle();
	assert_int_equal(record_count(HS_EV_ACCEPT), 0);
	assert_int_equal(getpeername(client, (void *)&peer, &length), 0); /* its own end accepts nothing */
	begin = now();
	for (int i = 0; i < 3; i++)
		assert_int_equal(getpeername(server, (void *)&peer, &length), 0);
	record = await_record(HS_EV_ACCEPT, has_cookie, &cookie);
	assert_in_range(record->event.time_ns, begin, now());
	settle();
	assert_int_equal(record_count(HS_EV_ACCEPT), 1);
	close(client);
	close(server);
	close(listener);
}

/* Alone, the hook only reads the cookie: there is none unless somebody else has asked for it. */
static void alone(void **state)
{
	const struct hs_ev_socket *record;
	int listener, client, server;
	uint16_t port;

	(void)state;
	watch("accept:syscalls");
	listener = listen_on(&v4, &port, 8);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	record = await_record(HS_EV_ACCEPT, NULL, NULL);
	assert_true(!record->cookie || record->cookie == cookie_of(server));
	check_tuple(&record->tuple, "127.0.0.1", port, "127.0.0.1", local_port(client));
	close(client);
	close(server);
	close(listener);
}

static bool is_process(const void *record, const void *pid)
{
	return ((const struct hs_ev_process *)record)->pid == *(const uint32_t *)pid;
}

static bool is_close_of(const void *record, const void *pid)
{
	const struct hs_ev_socket *socket = record;

	return socket->phase == HS_PHASE_CLOSE && socket->pid == *(const uint32_t *)pid;
}

/* The worker that accepts, not the parent that listens, and it is introduced before. */
static void by_a_worker(void **state)
{
	const struct hs_ev_process *process;
	const struct hs_ev_socket *record;
	uint16_t port;
	int listener, client, status;
	uint32_t pid;

	(void)state;
	watch("connection,accept:syscalls");
	follow();
	listener = listen_on(&v4, &port, 8);
	client = connect_to(&v4, port);
	pid = fork();
	if (!pid)
		_exit(accept(listener, NULL, NULL) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	record = await_record(HS_EV_ACCEPT, NULL, NULL);
	assert_int_equal(record->pid, pid);
	process = await_record(HS_EV_PROCESS, is_process, &pid);
	assert_true(process->event.time_ns <= record->event.time_ns);
	assert_int_equal(process->parent_pid, getpid());
	close(client);
	close(listener);
}

/* Nobody follows: no record of its own, but what the next ones of the socket tell. */
static void told_by_the_connection(const char *hooks)
{
	const struct hs_ev_connection *record;
	const struct hs_ev_process *process;
	uint64_t begin, end, cookie;
	int listener, client, server, status;
	struct hs_ev_connection sampled;
	uint16_t port;
	uint32_t pid;

	watch(hooks);
	listener = listen_on(&v4, &port, 8);
	client = connect_to(&v4, port);
	begin = now();
	server = accept_from(listener);
	end = now();
	cookie = cookie_of(server);
	pass();
	record = find_record(HS_EV_CONNECTION, is_sample, &cookie);
	assert_non_null(record);
	assert_in_range(record->accept_ns, begin, end);
	sampled = *record;
	close(client);
	close(server);
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->accept_ns, sampled.accept_ns);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->socket.tid, syscall(SYS_gettid));

	/* By a worker that the agent has not met: it is introduced nevertheless. */
	client = connect_to(&v4, port);
	cookie = cookie_of(client);
	begin = now();
	pid = fork();
	if (!pid)
		_exit(accept_from(listener) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	end = now();
	assert_int_equal(status, 0);
	close(client);
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->accept_ns, 0); /* a client's end */
	record = await_record(HS_EV_CONNECTION, is_close_of, &pid);
	assert_in_range(record->accept_ns, begin, end);
	assert_int_equal(record->socket.tid, pid);
	assert_int_equal(record->socket.role, HS_ROLE_SERVER);
	process = await_record(HS_EV_PROCESS, is_process, &pid);
	assert_in_range(process->event.time_ns, begin, record->socket.event.time_ns);
	assert_int_equal(record_count(HS_EV_ACCEPT), 0);
	close(listener);
}

static void told_by_the_connection_by_tracepoint(void **state)
{
	(void)state;
	told_by_the_connection("connection,snapshot,accept:syscalls");
}

static void told_by_the_connection_by_cgroup(void **state)
{
	(void)state;
	told_by_the_connection("connection,snapshot,accept:cgroup");
}

static void told_by_the_connection_by_fexit(void **state)
{
	(void)state;
	told_by_the_connection("connection,snapshot,accept:fexit");
}

/* Older than the agent, and in the queue when it came: nothing is known of it, so it is told at once. */
static void not_known_yet(void **state)
{
	const struct hs_ev_socket *record;
	int listener, client, server;
	uint64_t cookie;
	uint16_t port;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 8);
	client = connect_to(&v4, port);
	watch("connection,accept:syscalls");
	server = accept_from(listener);
	cookie = cookie_of(server);
	record = await_record(HS_EV_ACCEPT, NULL, NULL);
	assert_int_equal(record->pid, getpid());
	check_tuple(&record->tuple, "127.0.0.1", port, "127.0.0.1", local_port(client));
	close(client);
	close(server);
	await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record_count(HS_EV_ACCEPT), 1);
	close(listener);
}

static void what_is_no_tcp_accept(void **state)
{
	int listener, fds[2];
	uint16_t port;

	(void)state;
	watch("connection,accept:syscalls");
	follow();
	listener = listen_on(&v4, &port, 8);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	assert_int_equal(accept(listener, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(accept(-1, NULL, NULL), -1);
	assert_int_equal(accept(1000000, NULL, NULL), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[0]);
	close(fds[1]);
	settle();
	assert_int_equal(record_count(HS_EV_ACCEPT), 0);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(by_tracepoint, unwatch),
		cmocka_unit_test_teardown(by_tracepoint_ipv6, unwatch),
		cmocka_unit_test_teardown(by_tracepoint_of_the_old_call, unwatch),
		cmocka_unit_test_teardown(by_cgroup, unwatch),
		cmocka_unit_test_teardown(by_cgroup_ipv6, unwatch),
		cmocka_unit_test_teardown(by_cgroup_not_asked, unwatch),
		cmocka_unit_test_teardown(by_fexit, unwatch),
		cmocka_unit_test_teardown(by_fexit_ipv6, unwatch),
		cmocka_unit_test_teardown(alone, unwatch),
		cmocka_unit_test_teardown(by_a_worker, unwatch),
		cmocka_unit_test_teardown(told_by_the_connection_by_tracepoint, unwatch),
		cmocka_unit_test_teardown(told_by_the_connection_by_cgroup, unwatch),
		cmocka_unit_test_teardown(told_by_the_connection_by_fexit, unwatch),
		cmocka_unit_test_teardown(not_known_yet, unwatch),
		cmocka_unit_test_teardown(what_is_no_tcp_accept, unwatch),
	};

	return cmocka_run_group_tests_name("accept", tests, own_network, unwatch);
}

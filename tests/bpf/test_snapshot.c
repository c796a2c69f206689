/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The snapshot pass: sockets older than the probe, who holds them, and listeners with their queues. */
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "stand.h"

/* How often each process was met with a cookie in all passes. */
struct meetings {
	uint64_t cookie;
	uint32_t pid[8];
	unsigned count[8];
	size_t pids;
};

static bool count_meeting(const void *record, const void *arg)
{
	struct meetings *meetings = (struct meetings *)arg;
	const struct hs_ev_socket *socket = record;
	size_t i = 0;

	if (socket->cookie != meetings->cookie || socket->phase != HS_PHASE_SAMPLE)
		return false;
	while (i < meetings->pids && meetings->pid[i] != socket->pid)
		i++;
	assert_true(i < 8);
	meetings->pids += i == meetings->pids;
	meetings->pid[i] = socket->pid;
	meetings->count[i]++;
	return false;
}

static struct meetings meetings_of(enum hs_event_kind kind, uint64_t cookie)
{
	struct meetings meetings = { .cookie = cookie };

	find_record(kind, count_meeting, &meetings);
	return meetings;
}

static bool is_pass(const void *record, const void *end)
{
	return ((const struct hs_ev_pass *)record)->end == *(const uint32_t *)end;
}

/* Opened before the probe: no times, and the role only where the kernel's port tells it. */
static void older_sockets(const struct address *address, const char *text)
{
	const struct hs_ev_connection *record;
	int listener, client, server;
	uint64_t client_cookie, server_cookie;
	uint16_t port;

	unwatch(NULL);
	listener = listen_on(address, &port, 4);
	client = connect_to(address, port);
	server = accept_from(listener);
	client_cookie = cookie_of(client);
	server_cookie = cookie_of(server);
	send_all(client, "hello", 5);
	receive_all(server, 3); /* two bytes stay unread */
	send_all(server, "welcome", 7);
	receive_all(client, 7);
	watch("snapshot");
	pass();

	record = find_record(HS_EV_CONNECTION, is_sample, &client_cookie);
	assert_non_null(record);
	assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(record->socket.state, ESTABLISHED);
	assert_int_equal(record->socket.old_state, ESTABLISHED);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->start_ns + record->established_ns, 0);
	assert_int_equal(record->inode, inode_of(client));
	assert_int_equal(record->tcp.bytes_acked, 5);
	assert_int_equal(record->tcp.bytes_received, 7);
	assert_int_equal(record->tcp.unread_bytes, 0);
	assert_int_equal(record->tcp.unacked_bytes, 0);
	check_tuple(&record->socket.tuple, text, local_port(client), text, port);

	record = find_record(HS_EV_CONNECTION, is_sample, &server_cookie);
	assert_non_null(record);
	assert_int_equal(record->socket.role, HS_ROLE_UNKNOWN);
	assert_int_equal(record->inode, inode_of(server));
	assert_int_equal(record->tcp.bytes_received, 5);
	assert_int_equal(record->tcp.bytes_acked, 7);
	assert_int_equal(record->tcp.unread_bytes, 2);
	check_tuple(&record->socket.tuple, text, port, text, local_port(client));
	assert_non_null(find_record(HS_EV_PASS, is_pass, &(uint32_t){ 0 }));
	assert_non_null(find_record(HS_EV_PASS, is_pass, &(uint32_t){ 1 }));
	assert_int_equal(record_count(HS_EV_PASS), 2);
	close(client);
	close(server);
	close(listener);
}

static void older_than_the_probe(void **state)
{
	(void)state;
	older_sockets(&v4, "127.0.0.1");
}

static void older_than_the_probe_ipv6(void **state)
{
	(void)state;
	older_sockets(&v6, "::1");
}

/*
 * The kernel gives the same addresses to other sockets, and without hook connection nobody says that one
 * has gone: what was known of it is not the next one's.
 */
static void addresses_are_taken_over(void **state)
{
	uint16_t port;
	int listener;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 4);
	watch("snapshot");
	for (int round = 0; round < 40; round++) {
		int client = connect_to(&v4, port), server = accept_from(listener);
		uint64_t client_cookie = cookie_of(client), server_cookie = cookie_of(server);
		const struct hs_ev_connection *record;

		pass();
		record = find_record(HS_EV_CONNECTION, is_sample, &client_cookie);
		assert_non_null(record);
		assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
		record = find_record(HS_EV_CONNECTION, is_sample, &server_cookie);
		assert_non_null(record);
		assert_int_equal(record->socket.role, HS_ROLE_UNKNOWN);
		close(round % 2 ? client : server);
		close(round % 2 ? server : client);
	}
	close(listener);
}

/* What the hooks know of a socket, its samples tell too. */
static void younger_than_the_probe(void **state)
{
	const struct hs_ev_connection *opened, *record;
	int listener, client, server;
	uint64_t cookie;
	uint16_t port;

	(void)state;
	watch("connection,accept,snapshot");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(client);
	opened = await_record(HS_EV_CONNECTION, is_open, &cookie);
	pass();
	record = find_record(HS_EV_CONNECTION, is_sample, &cookie);
	assert_int_equal(record->start_ns, opened->start_ns);
	assert_int_equal(record->established_ns, opened->established_ns);
	cookie = cookie_of(server);
	record = find_record(HS_EV_CONNECTION, is_sample, &cookie);
	assert_int_equal(record->socket.role, HS_ROLE_SERVER);
	assert_true(record->start_ns > 0);
	close(client);
	close(server);
	close(listener);
}

struct accepting {
	int listener, fd;
	pid_t tid;
};

static void *accept_in_thread(void *arg)
{
	struct accepting *accepting = arg;

	accepting->tid = syscall(SYS_gettid);
	accepting->fd = accept_from(accepting->listener);
	return NULL;
}

/* Of its process's threads the one that accepted, though nobody followed that. */
static void the_thread_that_accepted(void **state)
{
	const struct hs_ev_connection *record;
	struct accepting accepting;
	pthread_t thread;
	uint64_t cookie;
	uint16_t port;
	int client;

	(void)state;
	watch("connection,accept,snapshot");
	accepting.listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	assert_int_equal(pthread_create(&thread, NULL, accept_in_thread, &accepting), 0);
	pthread_join(thread, NULL);
	cookie = cookie_of(accepting.fd);
	pass();
	record = find_record(HS_EV_CONNECTION, is_sample, &cookie);
	assert_non_null(record);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->socket.tid, accepting.tid);
	assert_int_not_equal(accepting.tid, getpid());
	cookie = cookie_of(client);
	record = find_record(HS_EV_CONNECTION, is_sample, &cookie);
	assert_int_equal(record->socket.tid, syscall(SYS_gettid));
	close(client);
	close(accepting.fd);
	close(accepting.listener);
}

/* Once for each descriptor; the same process, the same socket. */
static void duplicated_descriptors(void **state)
{
	int listener, client, copies[2];
	struct meetings met;
	uint16_t port;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	copies[0] = dup(client);
	copies[1] = dup(client);
	watch("snapshot");
	pass();
	met = meetings_of(HS_EV_CONNECTION, cookie_of(client));
	assert_int_equal(met.pids, 1);
	assert_int_equal(met.pid[0], getpid());
	assert_int_equal(met.count[0], 3);
	close(copies[0]);
	close(copies[1]);
	close(client);
	close(listener);
}

/* A child that holds what its parent opened: both are met, then the child alone. */
static void forked_holders(void **state)
{
	int listener, client, ready[2], done[2];
	struct meetings met;
	uint64_t cookie;
	uint16_t port;
	pid_t child;
	char byte;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	cookie = cookie_of(client);
	assert_int_equal(pipe(ready) | pipe(done), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(done[1]);
		assert_int_equal(write(ready[1], "x", 1), 1);
		_exit(read(done[0], &byte, 1) != 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	watch("snapshot");
	pass();
	met = meetings_of(HS_EV_CONNECTION, cookie);
	assert_int_equal(met.pids, 2);
	assert_true((met.pid[0] == (uint32_t)getpid() && met.pid[1] == (uint32_t)child) ||
		    (met.pid[1] == (uint32_t)getpid() && met.pid[0] == (uint32_t)child));
	close(client);
	watch("snapshot");
	pass();
	met = meetings_of(HS_EV_CONNECTION, cookie);
	assert_int_equal(met.pids, 1);
	assert_int_equal(met.pid[0], child);
	close(done[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ready[0]);
	close(ready[1]);
	close(done[0]);
	close(listener);
}

struct queue {
	uint64_t cookie;
	uint32_t backlog;
	const struct hs_ev_listener *last;
};

static bool keep_last(const void *record, const void *arg)
{
	struct queue *queue = (struct queue *)arg;

	if (is_sample(record, &queue->cookie))
		queue->last = record;
	return false;
}

static bool has_backlog(const void *arg)
{
	struct queue *queue = (struct queue *)arg;

	pass();
	find_record(HS_EV_LISTENER, keep_last, queue);
	return queue->last && queue->last->backlog == queue->backlog;
}

static bool has_waited(const void *arg)
{
	struct queue *queue = (struct queue *)arg;

	return has_backlog(queue) && queue->last->oldest_wait_ns >= 50 * MS;
}

/* Nobody accepts: three wait, the oldest of them since it came. */
static void queues_of_listeners(void **state)
{
	struct queue queue = { .backlog = 3 };
	uint64_t begin, after;
	int listener, clients[3];
	uint16_t port;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 5);
	queue.cookie = cookie_of(listener);
	begin = now();
	for (int i = 0; i < 3; i++)
		clients[i] = connect_to(&v4, port);
	watch("snapshot");
	wait_until(has_waited, &queue);
	after = now();
	assert_int_equal(queue.last->backlog_limit, 5);
	assert_int_equal(queue.last->socket.state, LISTEN);
	assert_int_equal(queue.last->socket.pid, getpid());
	assert_int_equal(queue.last->inode, inode_of(listener));
	assert_int_equal(queue.last->drops, 0);
	assert_true(queue.last->oldest_wait_ns <= after - begin + 20 * MS); /* jiffies are coarse */
	check_tuple(&queue.last->socket.tuple, "127.0.0.1", port, "0.0.0.0", 0);
	for (int i = 0; i < 3; i++)
		close(accept_from(listener));
	queue.backlog = 0;
	queue.last = NULL;
	wait_until(has_backlog, &queue);
	assert_int_equal(queue.last->oldest_wait_ns, 0);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(listener);
}

static bool has_drops(const void *arg)
{
	struct queue *queue = (struct queue *)arg;

	pass();
	find_record(HS_EV_LISTENER, keep_last, queue);
	return queue->last && queue->last->drops > 0;
}

/* listen(1) holds two; the others' SYNs are dropped. */
static void drops_of_listeners(void **state)
{
	struct queue queue = {};
	int listener, clients[6];
	uint16_t port;

	(void)state;
	watch("snapshot");
	listener = listen_on(&v4, &port, 1);
	queue.cookie = cookie_of(listener);
	for (int i = 0; i < 6; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		try_connect(clients[i], &v4, port);
	}
	wait_until(has_drops, &queue);
	assert_int_equal(queue.last->backlog, 2);
	assert_int_equal(queue.last->backlog_limit, 1);
	for (int i = 0; i < 6; i++)
		close(clients[i]);
	close(listener);
}

/* Bound, neither connected nor listening; UDP; unix sockets; files: none of them is a connection. */
static void nothing_else(void **state)
{
	struct meetings met;
	int fd, udp, fds[2];

	(void)state;
	unwatch(NULL);
	fd = make_socket(&v4);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(try_connect(udp, &v4, 9), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	watch("snapshot");
	pass();
	assert_int_equal(record_count(HS_EV_CONNECTION) + record_count(HS_EV_LISTENER), 0);
	met = meetings_of(HS_EV_CONNECTION, cookie_of(fd));
	assert_int_equal(met.pids, 0);
	close(fd);
	close(udp);
	close(fds[0]);
	close(fds[1]);
}

/* Many more sockets than one buffer of the iterator holds: none is missed, none met twice. */
static void many_sockets(void **state)
{
	static int clients[400], servers[400];
	struct meetings met;
	int listener;
	uint16_t port;

	(void)state;
	unwatch(NULL);
	listener = listen_on(&v4, &port, 16);
	for (size_t i = 0; i < 400; i++) {
		clients[i] = connect_to(&v4, port);
		servers[i] = accept_from(listener);
	}
	watch("snapshot");
	pass();
	assert_int_equal(record_count(HS_EV_CONNECTION), 800);
	for (size_t i = 0; i < 400; i++) {
		met = meetings_of(HS_EV_CONNECTION, cookie_of(clients[i]));
		assert_int_equal(met.pids, 1);
		assert_int_equal(met.count[0], 1);
		close(clients[i]);
		close(servers[i]);
	}
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(older_than_the_probe, unwatch),
		cmocka_unit_test_teardown(older_than_the_probe_ipv6, unwatch),
		cmocka_unit_test_teardown(addresses_are_taken_over, unwatch),
		cmocka_unit_test_teardown(younger_than_the_probe, unwatch),
		cmocka_unit_test_teardown(the_thread_that_accepted, unwatch),
		cmocka_unit_test_teardown(duplicated_descriptors, unwatch),
		cmocka_unit_test_teardown(forked_holders, unwatch),
		cmocka_unit_test_teardown(queues_of_listeners, unwatch),
		cmocka_unit_test_teardown(drops_of_listeners, unwatch),
		cmocka_unit_test_teardown(nothing_else, unwatch),
		cmocka_unit_test_teardown(many_sockets, unwatch),
	};

	return cmocka_run_group_tests_name("snapshot", tests, own_network, unwatch);
}

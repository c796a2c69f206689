/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inet_sock_set_state: connections and listeners from birth to death. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stand.h"

struct pair {
	int listener, client, server;
	uint16_t port, client_port;
	uint64_t client_cookie, server_cookie;
};

static struct pair open_pair(const struct address *listen_at, const struct address *connect_at)
{
	struct pair pair;

	pair.listener = listen_on(listen_at, &pair.port, 8);
	pair.client = connect_to(connect_at, pair.port);
	pair.server = accept_from(pair.listener);
	pair.client_port = local_port(pair.client);
	pair.client_cookie = cookie_of(pair.client);
	pair.server_cookie = cookie_of(pair.server);
	return pair;
}

static void times_are_in_order(const struct hs_ev_connection *record, uint64_t from)
{
	assert_in_range(record->start_ns, from, record->established_ns);
	assert_in_range(record->established_ns, record->start_ns, record->socket.event.time_ns);
}

static void owner_is_us(const struct hs_ev_socket *socket)
{
	assert_int_equal(socket->pid, getpid());
	assert_int_equal(socket->tid, syscall(SYS_gettid));
}

/* hello there, welcome back: exact bytes, both ends, every field that is known. */
static void whole_life(const struct address *listen_at, const struct address *connect_at, const char *text)
{
	const struct hs_ev_connection *opened, *client, *server;
	uint64_t begin = now(), seen;
	struct pair pair;

	watch("connection,accept");
	pair = open_pair(listen_at, connect_at);
	opened = await_record(HS_EV_CONNECTION, is_open, &pair.client_cookie);
	assert_int_equal(opened->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(opened->socket.state, ESTABLISHED);
	assert_int_equal(opened->socket.old_state, SYN_SENT);
	check_tuple(&opened->socket.tuple, text, pair.client_port, text, pair.port);
	times_are_in_order(opened, begin);
	owner_is_us(&opened->socket);
	seen = opened->established_ns;

	send_all(pair.client, "hello there", 11);
	receive_all(pair.server, 11);
	send_all(pair.server, "welcome", 7);
	receive_all(pair.client, 7);
	close(pair.client);
	close(pair.server);

	client = await_record(HS_EV_CONNECTION, is_close, &pair.client_cookie);
	server = await_record(HS_EV_CONNECTION, is_close, &pair.server_cookie);
	assert_int_equal(client->tcp.bytes_acked, 11);
	assert_int_equal(client->tcp.bytes_received, 7);
	assert_int_equal(server->tcp.bytes_acked, 7);
	assert_int_equal(server->tcp.bytes_received, 11);
	assert_int_equal(client->established_ns, seen);
	assert_int_equal(client->socket.state, CLOSE);
	assert_int_equal(server->socket.state, CLOSE);
	assert_int_equal(server->socket.role, HS_ROLE_SERVER);
	check_tuple(&client->socket.tuple, text, pair.client_port, text, pair.port);
	check_tuple(&server->socket.tuple, text, pair.port, text, pair.client_port);
	times_are_in_order(client, begin);
	times_are_in_order(server, begin);
	owner_is_us(&client->socket);
	/* The owner closes what he owns, be he the agent himself. */
	assert_int_equal(client->closer_pid, getpid());
	assert_int_equal(server->closer_pid, getpid());
	assert_int_equal(client->accept_ns, 0);
	assert_in_range(server->accept_ns, server->established_ns, server->socket.event.time_ns);
	assert_int_equal(client->tcp.total_retrans + server->tcp.total_retrans, 0);
	assert_int_equal(client->tcp.error + server->tcp.error, 0);
	assert_true(client->tcp.srtt_us > 0 && client->tcp.srtt_us < 10000000);
	assert_true(client->tcp.min_rtt_us <= client->tcp.srtt_us * 8 + 8);
	close(pair.listener);
	settle();
	/* No server was announced: accept() tells of it. */
	assert_null(find_record(HS_EV_CONNECTION, is_open, &pair.server_cookie));
}

static void over_ipv4(void **state)
{
	(void)state;
	whole_life(&v4, &v4, "127.0.0.1");
}

static void over_ipv6(void **state)
{
	(void)state;
	whole_life(&v6, &v6, "::1");
}

/* An IPv6 socket that speaks IPv4 is told as IPv4. */
static void over_mapped_ipv4(void **state)
{
	static const struct address any = { AF_INET6, "::" };

	(void)state;
	whole_life(&any, &v4_mapped, "127.0.0.1");
}

static size_t count_phase(uint64_t cookie, match_fn matches)
{
	const void *first = find_record(HS_EV_CONNECTION, matches, &cookie);

	return first ? 1 : 0;
}

static void servers_are_announced_where_accept_is_not_seen(void **state)
{
	const struct hs_ev_connection *opened;
	struct pair pair;

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	opened = await_record(HS_EV_CONNECTION, is_open, &pair.server_cookie);
	assert_int_equal(opened->socket.role, HS_ROLE_SERVER);
	assert_int_equal(opened->socket.state, ESTABLISHED);
	assert_int_equal(opened->socket.pid, 0); /* nobody has it yet */
	check_tuple(&opened->socket.tuple, "127.0.0.1", pair.port, "127.0.0.1", pair.client_port);
	assert_int_equal(count_phase(pair.client_cookie, is_open), 1);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
}

struct count {
	uint64_t cookie;
	size_t opens, closes;
};

static bool count_records(const void *record, const void *arg)
{
	struct count *count = (struct count *)arg;

	count->opens += is_open(record, &count->cookie);
	count->closes += is_close(record, &count->cookie);
	return false;
}

/* The two programs of the hook stand in for each other and must not both tell. */
static void everything_is_told_once(void **state)
{
	struct pair pair;
	struct count count = {};

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
	settle();
	count.cookie = pair.client_cookie;
	find_record(HS_EV_CONNECTION, count_records, &count);
	assert_int_equal(count.opens, 1);
	assert_int_equal(count.closes, 1);
	count = (struct count){ .cookie = pair.server_cookie };
	find_record(HS_EV_CONNECTION, count_records, &count);
	assert_int_equal(count.opens, 1);
	assert_int_equal(count.closes, 1);
}

/*
 * A ring that has come round many times holds old records where a new one is written: none of
 * them may show through. Records of many lengths, so that other fields lie there.
 */
static void no_leftovers(void **state)
{
	const struct hs_ev_connection *record;
	struct pair pair;

	(void)state;
	watch_with_ring("connection,accept,reset_sent,socket_error", 16384);
	for (int i = 0; i < 300; i++) {
		pair = open_pair(i % 3 ? &v4 : &v6, i % 3 ? &v4 : &v6);
		close(pair.server);
		close(pair.client);
		close(pair.listener);
		record = await_record(HS_EV_CONNECTION, is_close, &pair.client_cookie);
		assert_int_equal(record->tcp.user_timeout_ms + record->tcp.total_retrans, 0);
		for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
			assert_int_equal(record->tcp.retrans[kind], 0);
	}
	settle();
	assert_true(record_count(HS_EV_CONNECTION) >= 900);
}

static void assert_size(uint64_t cookie, size_t size)
{
	const struct hs_ev_connection *record = await_record(HS_EV_CONNECTION, is_close, &cookie);

	assert_int_equal(record->socket.event.size, size);
	assert_int_equal(!record->tcp.mss, size == HS_EV_CONNECTION_BRIEF_SIZE);
}

static void say(int from, int to)
{
	send_all(from, "hello", 5);
	receive_all(to, 5);
}

/* Over at once, and nothing is left to tell. */
static void brief(void **state)
{
	struct pair pair;

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	say(pair.client, pair.server);
	close(pair.client);
	close(pair.server);
	assert_size(pair.client_cookie, HS_EV_CONNECTION_BRIEF_SIZE);
	assert_size(pair.server_cookie, HS_EV_CONNECTION_BRIEF_SIZE);
	close(pair.listener);
}

static void not_brief_after_a_while(void **state)
{
	struct pair pair;

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	usleep(HS_BRIEF_NS / 1000);
	say(pair.client, pair.server);
	close(pair.client);
	close(pair.server);
	assert_size(pair.client_cookie, sizeof(struct hs_ev_connection));
	assert_size(pair.server_cookie, sizeof(struct hs_ev_connection));
	close(pair.listener);
}

static void not_brief_when_something_is_unread(void **state)
{
	struct pair pair;
	char byte;

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	send_all(pair.client, "hello", 5);
	assert_int_equal(recv(pair.server, &byte, 1, MSG_PEEK), 1);
	close(pair.server); /* which resets it */
	close(pair.client);
	assert_size(pair.client_cookie, sizeof(struct hs_ev_connection));
	assert_size(pair.server_cookie, sizeof(struct hs_ev_connection));
	close(pair.listener);
}

/* Many bytes, both ways, with FINs in either order: none of SYN and FIN is counted as payload. */
static void exact_bytes(bool client_first)
{
	static char data[300003];
	const struct hs_ev_connection *client, *server;
	struct pair pair = open_pair(&v4, &v4);

	for (int i = 0; i < 4; i++) {
		send_all(pair.client, data, sizeof(data));
		receive_all(pair.server, sizeof(data));
	}
	send_all(pair.server, data, 77);
	receive_all(pair.client, 77);
	close(client_first ? pair.client : pair.server);
	assert_int_equal(recv(client_first ? pair.server : pair.client, data, 1, 0), 0);
	close(client_first ? pair.server : pair.client);
	client = await_record(HS_EV_CONNECTION, is_close, &pair.client_cookie);
	server = await_record(HS_EV_CONNECTION, is_close, &pair.server_cookie);
	assert_int_equal(client->tcp.bytes_acked, 4 * sizeof(data));
	assert_int_equal(server->tcp.bytes_received, 4 * sizeof(data));
	assert_int_equal(server->tcp.bytes_acked, 77);
	assert_int_equal(client->tcp.bytes_received, 77);
	close(pair.listener);
}

static void bytes_are_payload_alone(void **state)
{
	(void)state;
	watch("connection");
	exact_bytes(true);
	exact_bytes(false);
}

static void refused(void **state)
{
	const struct hs_ev_connection *record;
	uint64_t begin = now(), cookie;
	int fd;

	(void)state;
	watch("connection");
	fd = make_socket(&v4);
	cookie = cookie_of(fd);
	assert_int_equal(try_connect(fd, &v4, 1), ECONNREFUSED);
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->socket.old_state, SYN_SENT);
	assert_int_equal(record->tcp.error, ECONNREFUSED);
	assert_int_equal(record->established_ns, 0);
	assert_in_range(record->start_ns, begin, record->socket.event.time_ns);
	assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(record->socket.tuple.remote_port, 1);
	assert_true(record->socket.tuple.local_port > 0); /* though the close has taken it away */
	assert_int_equal(record->tcp.bytes_acked + record->tcp.bytes_received, 0);
	owner_is_us(&record->socket);
	assert_null(find_record(HS_EV_CONNECTION, is_open, &cookie));

	/* The same socket tries again, and succeeds. */
	uint16_t port;
	int listener = listen_on(&v4, &port, 1);

	assert_int_equal(try_connect(fd, &v4, port), 0);
	await_record(HS_EV_CONNECTION, is_open, &cookie);
	close(fd);
	close(listener);
}

/* Closed while its SYN has no answer: no error, and no retransmission yet. */
static void cancelled(void **state)
{
	const struct hs_ev_connection *record;
	uint64_t cookie;
	int fd;

	(void)state;
	if (!can_run("nft list tables"))
		skip();
	watch("connection");
	run("nft 'add table inet t; add chain inet t in { type filter hook input priority 0; }; "
	    "add rule inet t in tcp dport 9 drop'");
	fd = make_socket(&v4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	cookie = cookie_of(fd);
	assert_int_equal(try_connect(fd, &v4, 9), EINPROGRESS);
	close(fd);
	run("nft delete table inet t");
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->socket.old_state, SYN_SENT);
	assert_int_equal(record->tcp.error, 0);
	assert_int_equal(record->tcp.retransmits, 0);
	assert_int_equal(record->established_ns, 0);
}

static bool is_listener(const void *record, const void *arg)
{
	const struct hs_ev_listener *listener = record;

	return listener->socket.tuple.local_port == *(const uint16_t *)arg;
}

static bool is_listener_close(const void *record, const void *arg)
{
	return is_listener(record, arg) && ((const struct hs_ev_listener *)record)->socket.phase == HS_PHASE_CLOSE;
}

static void listeners(void **state)
{
	const struct hs_ev_listener *opened, *closed;
	uint64_t cookie, inode;
	uint16_t port;
	int fd;

	(void)state;
	watch("connection");
	fd = listen_on(&v4, &port, 7);
	cookie = cookie_of(fd);
	inode = inode_of(fd);
	opened = await_record(HS_EV_LISTENER, is_listener, &port);
	assert_int_equal(opened->socket.phase, HS_PHASE_OPEN);
	assert_int_equal(opened->socket.state, LISTEN);
	assert_int_equal(opened->socket.cookie, cookie);
	assert_int_equal(opened->inode, inode);
	assert_int_equal(opened->backlog, 0);
	check_tuple(&opened->socket.tuple, "127.0.0.1", port, "0.0.0.0", 0);
	owner_is_us(&opened->socket);
	close(fd);
	closed = await_record(HS_EV_LISTENER, is_listener_close, &port);
	assert_int_equal(closed->socket.cookie, cookie);
	assert_int_equal(closed->socket.state, CLOSE);
	assert_int_equal(closed->backlog_limit, 7);
}

static pid_t thread_id;

static void *connect_in_thread(void *arg)
{
	thread_id = syscall(SYS_gettid);
	return (void *)(intptr_t)connect_to(&v4, *(uint16_t *)arg);
}

static void the_thread_that_connects(void **state)
{
	const struct hs_ev_connection *record;
	uint64_t cookie;
	pthread_t thread;
	uint16_t port;
	void *result;
	int listener;

	(void)state;
	watch("connection");
	listener = listen_on(&v4, &port, 1);
	assert_int_equal(pthread_create(&thread, NULL, connect_in_thread, &port), 0);
	pthread_join(thread, &result);
	cookie = cookie_of((intptr_t)result);
	record = await_record(HS_EV_CONNECTION, is_open, &cookie);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->socket.tid, thread_id);
	assert_int_not_equal(thread_id, getpid());
	close((intptr_t)result);
	close(listener);
}

/* A worker that closes what its parent opened. */
static void who_closes_is_told(void **state)
{
	const struct hs_ev_connection *record;
	struct pair pair;
	int status;
	pid_t pid;

	(void)state;
	watch("connection");
	pair = open_pair(&v4, &v4);
	pid = fork();
	if (!pid) {
		char byte;

		close(pair.server);
		_exit(recv(pair.client, &byte, 1, 0)); /* the parent has closed its copies by then */
	}
	close(pair.client);
	close(pair.server);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	record = await_record(HS_EV_CONNECTION, is_close, &pair.client_cookie);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->closer_pid, pid);
	assert_int_equal(record->closer_tid, pid);
	close(pair.listener);
}

/* What the agent's own process closes for others may be its pass's doing: it is no closer. */
static void the_agent_is_no_closer(void **state)
{
	const struct hs_ev_connection *record;
	int listener, fd, status;
	uint64_t cookie;
	uint16_t port;
	pid_t pid;

	(void)state;
	watch("connection");
	listener = listen_on(&v4, &port, 1);
	fd = make_socket(&v4);
	cookie = cookie_of(fd);
	pid = fork();
	if (!pid)
		_exit(try_connect(fd, &v4, port));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	close(listener);
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->socket.pid, pid);
	assert_int_equal(record->closer_pid, 0);
}

static bool is_to_port(const void *record, const void *port)
{
	return ((const struct hs_ev_connection *)record)->socket.tuple.remote_port == *(const uint16_t *)port;
}

static void other_protocols_are_not_ours(void **state)
{
	int fds[2], udp;

	(void)state;
	watch("connection,accept");
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(try_connect(udp, &v4, 9), 0);
	close(udp);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[0]);
	close(fds[1]);
	settle();
	assert_null(find_record(HS_EV_CONNECTION, is_to_port, &(uint16_t){ 9 }));
	assert_null(find_record(HS_EV_CONNECTION, is_to_port, &(uint16_t){ 0 }));
}

/* A reset while the child waits for accept(): it was established, and is told as closed. */
static void never_accepted(void **state)
{
	const struct hs_ev_connection *record;
	struct linger reset = { .l_onoff = 1 };
	uint64_t cookie;
	uint16_t port;
	int listener, fd;

	(void)state;
	watch("connection");
	listener = listen_on(&v4, &port, 4);
	fd = connect_to(&v4, port);
	cookie = cookie_of(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	record = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(record->socket.old_state, ESTABLISHED);
	assert_int_equal(record->tcp.bytes_acked, 0);
	close(listener);
}

static void short_connection(uint16_t port, int listener)
{
	int client = connect_to(&v4, port), server = accept_from(listener);

	close(client);
	close(server);
}

/*
 * The table of sockets does not grow with the connections that there were, since the kernel uses
 * their addresses again and so do we; and what is taken over shows nothing of its past.
 */
static void the_table_does_not_grow(void **state)
{
	enum { BEFORE = 200, ROUNDS = 2000 };
	const struct hs_ev_connection *record;
	struct pair pair;
	uint16_t port;
	size_t known;
	int listener;

	(void)state;
	watch_with_table("connection,accept", 4096);
	listener = listen_on(&v4, &port, 8);
	for (int i = 0; i < BEFORE; i++)
		short_connection(port, listener);
	known = known_sockets();
	for (int i = 0; i < ROUNDS; i++) {
		short_connection(port, listener);
		record_count(HS_EV_CONNECTION); /* so that the ring has room */
	}
	settle();
	assert_true(known_sockets() < known + ROUNDS / 4);
	assert_true(record_count(HS_EV_CONNECTION) >= 3 * (BEFORE + ROUNDS)); /* opened, and closed twice */
	pair = open_pair(&v4, &v4);
	close(pair.client);
	close(pair.server);
	record = await_record(HS_EV_CONNECTION, is_close, &pair.client_cookie);
	assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(record->accept_ns, 0);
	record = await_record(HS_EV_CONNECTION, is_close, &pair.server_cookie);
	assert_int_equal(record->socket.role, HS_ROLE_SERVER);
	assert_true(record->start_ns <= record->accept_ns);
	close(pair.listener);
	close(listener);
}

/* More entries than half of the table: a pass takes those of sockets that are no more. */
static void a_pass_sweeps(void **state)
{
	enum { SOCKETS = 600 };
	static int fds[SOCKETS];
	size_t before, full;
	uint16_t port;

	(void)state;
	watch_with_table("connection,snapshot", 1024);
	before = known_sockets();
	for (int i = 0; i < SOCKETS; i++)
		fds[i] = listen_on(&v4, &port, 1);
	full = known_sockets();
	assert_true(full >= before + SOCKETS * 9 / 10);
	pass(); /* they live: none is taken */
	assert_true(known_sockets() >= full - before);
	for (int i = 0; i < SOCKETS; i++)
		close(fds[i]);
	assert_true(known_sockets() >= SOCKETS);
	pass();
	assert_true(known_sockets() < full - SOCKETS * 9 / 10);
}

/* Dead connections are kept for a while, to be taken over, and below half of the table all are. */
static void a_pass_leaves_what_is_young(void **state)
{
	enum { PAIRS = 300 };
	static struct pair pairs[PAIRS];
	int listener;
	uint16_t port;
	size_t full;

	(void)state;
	watch_with_table("connection,snapshot", 1024);
	listener = listen_on(&v4, &port, PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		pairs[i].client = connect_to(&v4, port);
		pairs[i].server = accept_from(listener);
	}
	for (int i = 0; i < PAIRS; i++) {
		close(pairs[i].client);
		close(pairs[i].server);
	}
	close(listener);
	settle();
	full = known_sockets();
	assert_true(full >= 2 * PAIRS);
	pass();
	assert_true(known_sockets() >= full * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(over_ipv4, unwatch),
		cmocka_unit_test_teardown(over_ipv6, unwatch),
		cmocka_unit_test_teardown(over_mapped_ipv4, unwatch),
		cmocka_unit_test_teardown(servers_are_announced_where_accept_is_not_seen, unwatch),
		cmocka_unit_test_teardown(everything_is_told_once, unwatch),
		cmocka_unit_test_teardown(no_leftovers, unwatch),
		cmocka_unit_test_teardown(brief, unwatch),
		cmocka_unit_test_teardown(not_brief_after_a_while, unwatch),
		cmocka_unit_test_teardown(not_brief_when_something_is_unread, unwatch),
		cmocka_unit_test_teardown(bytes_are_payload_alone, unwatch),
		cmocka_unit_test_teardown(refused, unwatch),
		cmocka_unit_test_teardown(cancelled, unwatch),
		cmocka_unit_test_teardown(listeners, unwatch),
		cmocka_unit_test_teardown(the_thread_that_connects, unwatch),
		cmocka_unit_test_teardown(who_closes_is_told, unwatch),
		cmocka_unit_test_teardown(the_agent_is_no_closer, unwatch),
		cmocka_unit_test_teardown(other_protocols_are_not_ours, unwatch),
		cmocka_unit_test_teardown(never_accepted, unwatch),
		cmocka_unit_test_teardown(the_table_does_not_grow, unwatch),
		cmocka_unit_test_teardown(a_pass_sweeps, unwatch),
		cmocka_unit_test_teardown(a_pass_leaves_what_is_young, unwatch),
	};

	return cmocka_run_group_tests_name("connection", tests, own_network, unwatch);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Retransmissions by kind, with losses made by nftables. Packets are dropped where they arrive:
 * dropped on the way out, they would count as never sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stand.h"

static void drop(const char *rule)
{
	run("nft 'add table inet t; add chain inet t in { type filter hook input priority 0; }; "
	    "add rule inet t in %s drop'", rule);
}

static void drop_nothing(void)
{
	run("nft delete table inet t");
}

static int clean_up(void **state)
{
	can_run("nft delete table inet t");
	return unwatch(state);
}

static void watch_with_losses(const char *hooks)
{
	if (can_run("nft 'add table inet t; delete table inet t'")) {
		watch(hooks);
		return;
	}
	print_message("skip: nftables cannot be used\n");
	skip();
}

static bool is_kind(const void *record, const void *kind)
{
	return ((const struct hs_ev_retransmit *)record)->kind == *(const uint32_t *)kind;
}

static const struct hs_ev_retransmit *await_kind(uint32_t kind)
{
	return await_record(HS_EV_RETRANSMIT, is_kind, &kind);
}

static int connect_without_waiting(uint16_t port)
{
	int fd = make_socket(&v4);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(try_connect(fd, &v4, port), EINPROGRESS);
	return fd;
}

static void syn(void **state)
{
	const struct hs_ev_connection *closed;
	const struct hs_ev_retransmit *record;
	uint64_t cookie;
	int fd;

	(void)state;
	watch_with_losses("connection,retransmit");
	drop("tcp dport 9");
	fd = connect_without_waiting(9);
	cookie = cookie_of(fd);
	record = await_kind(HS_RETRANSMIT_SYN);
	assert_int_equal(record->socket.cookie, cookie);
	assert_int_equal(record->segments, 1);
	assert_int_equal(record->attempt, 1);
	assert_in_range(record->rto_us, 900000, 4100000);
	assert_int_equal(record->error, 0);
	assert_int_equal(record->acked + record->backlog + record->backlog_limit, 0);
	assert_int_equal(record->socket.role, HS_ROLE_CLIENT);
	assert_int_equal(record->socket.pid, getpid());
	assert_int_equal(record->socket.state, SYN_SENT);
	check_tuple(&record->socket.tuple, "127.0.0.1", local_port(fd), "127.0.0.1", 9);
	close(fd); /* given up after a retry */
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->socket.old_state, SYN_SENT);
	assert_int_equal(closed->tcp.error, 0);
	assert_true(closed->tcp.retransmits >= 1);
	assert_true(closed->tcp.retrans[HS_RETRANSMIT_SYN] >= 1);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_SYN], closed->tcp.total_retrans);
	drop_nothing();
}

static void syn_ack(void **state)
{
	const struct hs_ev_retransmit *record;
	uint64_t cookie;
	int listener, fd;
	uint16_t port;

	(void)state;
	watch_with_losses("retransmit_syn_ack");
	listener = listen_on(&v4, &port, 7);
	cookie = cookie_of(listener);
	drop("tcp flags & (syn|ack) == syn|ack");
	fd = connect_without_waiting(port);
	record = await_kind(HS_RETRANSMIT_SYN_ACK);
	assert_int_equal(record->socket.cookie, cookie); /* of the listener */
	check_tuple(&record->socket.tuple, "127.0.0.1", port, "127.0.0.1", local_port(fd));
	assert_int_equal(record->socket.role, HS_ROLE_SERVER);
	assert_int_equal(record->segments, 1);
	assert_int_equal(record->acked, 0);
	assert_int_equal(record->backlog, 0);
	assert_int_equal(record->backlog_limit, 7);
	drop_nothing();
	close(fd);
	close(listener);
}

static void two_ends(int *listener, int *client, int *server)
{
	uint16_t port;

	*listener = listen_on(&v4, &port, 4);
	*client = connect_to(&v4, port);
	*server = accept_from(*listener);
}

/* Nothing gets through any more: first a probe for the tail, then the timer, again and again. */
static void tail_loss_and_timeouts(void **state)
{
	const struct hs_ev_connection *closed;
	const struct hs_ev_retransmit *probe, *first, *record;
	struct linger reset = { .l_onoff = 1 };
	int listener, client, server;
	uint64_t cookie;
	char rule[64];

	(void)state;
	watch_with_losses("connection,retransmit");
	two_ends(&listener, &client, &server);
	cookie = cookie_of(client);
	send_all(client, "warm", 4); /* an RTT sample, without which there is no probe */
	receive_all(server, 4);
	snprintf(rule, sizeof(rule), "tcp sport %u", local_port(client));
	drop(rule);
	send_all(client, "lost", 4);
	probe = await_kind(HS_RETRANSMIT_TLP);
	first = await_kind(HS_RETRANSMIT_RTO);
	assert_int_equal(probe->socket.cookie, cookie);
	assert_int_equal(probe->attempt, 0);
	assert_int_equal(probe->socket.state, ESTABLISHED);
	assert_int_equal(first->socket.cookie, cookie);
	assert_int_equal(first->attempt, 1);
	assert_true(probe->socket.event.time_ns < first->socket.event.time_ns);
	drop_nothing();
	receive_all(server, 4); /* it comes at last */
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_TLP], 1);
	assert_true(closed->tcp.retrans[HS_RETRANSMIT_RTO] >= 1);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_UNTRACED], 0);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_TLP] + closed->tcp.retrans[HS_RETRANSMIT_RTO],
			 closed->tcp.total_retrans);
	record = find_record(HS_EV_RETRANSMIT, is_kind, &(uint32_t){ HS_RETRANSMIT_FAST });
	assert_null(record);
	close(server);
	close(listener);
}

static uint64_t told_segments;

static bool add_segments(const void *record, const void *arg)
{
	const struct hs_ev_retransmit *retransmit = record;

	(void)arg;
	told_segments += retransmit->segments;
	return false;
}

/* One in twenty lost in a stream: repaired by fast retransmission, and all adds up. */
static void fast_and_the_kernels_own_count(void **state)
{
	const struct hs_ev_retransmit *record;
	const struct hs_ev_connection *closed;
	int listener, client, server, on = 1;
	uint64_t cookie, before;
	char rule[128], data[100] = "";

	(void)state;
	watch_with_losses("connection,retransmit");
	before = snmp("Tcp", "RetransSegs");
	two_ends(&listener, &client, &server);
	cookie = cookie_of(client);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	snprintf(rule, sizeof(rule), "tcp sport %u meta length > 100 numgen inc mod 20 == 10",
		 local_port(client));
	drop(rule);
	for (int i = 0; i < 2000; i++)
		send_all(client, data, sizeof(data));
	receive_all(server, 2000 * sizeof(data));
	drop_nothing();
	record = await_kind(HS_RETRANSMIT_FAST);
	assert_int_equal(record->socket.cookie, cookie);
	assert_true(record->segments >= 1);
	close(client);
	close(server);
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->tcp.bytes_acked, 2000 * sizeof(data));
	assert_true(closed->tcp.retrans[HS_RETRANSMIT_FAST] > 0);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_UNTRACED], 0);
	told_segments = 0;
	find_record(HS_EV_RETRANSMIT, add_segments, NULL);
	assert_int_equal(told_segments, snmp("Tcp", "RetransSegs") - before);
	assert_int_equal(told_segments, closed->tcp.total_retrans);
	close(listener);
}

static bool has_failed(const void *record, const void *arg)
{
	(void)arg;
	return ((const struct hs_ev_retransmit *)record)->error;
}

/* A packet that waits in a queue of this host for longer than its timeout: the kernel sends it once. */
static void still_in_a_queue(void **state)
{
	const struct hs_ev_retransmit *failed;
	int listener, client, server;
	char data[1400] = "";
	uint64_t before;

	(void)state;
	watch("connection,retransmit");
	before = snmp("Tcp", "RetransSegs");
	two_ends(&listener, &client, &server);
	run("tc qdisc add dev lo root tbf rate 8kbit burst 2000 latency 20s");
	send_all(client, data, sizeof(data)); /* takes what the bucket holds */
	receive_all(server, sizeof(data));
	send_all(client, data, sizeof(data));
	receive_all(server, sizeof(data));
	send_all(server, "ok", 2);
	receive_all(client, 2);
	run("tc qdisc del dev lo root");
	settle();
	failed = find_record(HS_EV_RETRANSMIT, has_failed, NULL); /* from 6.18 on the kernel tells that it tried */
	if (failed) {
		assert_int_equal(failed->error, -EBUSY);
		assert_int_equal(failed->segments, 0);
	}
	told_segments = 0;
	find_record(HS_EV_RETRANSMIT, add_segments, NULL);
	assert_int_equal(told_segments, snmp("Tcp", "RetransSegs") - before);
	close(client);
	close(server);
	close(listener);
}

/* Without the hook the socket still counts: as untraced. */
static void without_the_hook(void **state)
{
	const struct hs_ev_connection *closed;
	struct linger reset = { .l_onoff = 1 };
	int listener, client, server;
	uint64_t cookie;
	char rule[64];

	(void)state;
	watch_with_losses("connection");
	two_ends(&listener, &client, &server);
	cookie = cookie_of(client);
	snprintf(rule, sizeof(rule), "tcp sport %u numgen inc mod 3 != 2", local_port(client));
	drop(rule);
	send_all(client, "lost", 4);
	receive_all(server, 4);
	drop_nothing();
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_true(closed->tcp.total_retrans >= 2);
	assert_int_equal(closed->tcp.retrans[HS_RETRANSMIT_UNTRACED], closed->tcp.total_retrans);
	assert_int_equal(record_count(HS_EV_RETRANSMIT), 0);
	close(server);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(syn, clean_up),
		cmocka_unit_test_teardown(syn_ack, clean_up),
		cmocka_unit_test_teardown(tail_loss_and_timeouts, clean_up),
		cmocka_unit_test_teardown(fast_and_the_kernels_own_count, clean_up),
		cmocka_unit_test_teardown(still_in_a_queue, clean_up),
		cmocka_unit_test_teardown(without_the_hook, clean_up),
	};

	return cmocka_run_group_tests_name("retransmit", tests, own_network, unwatch);
}

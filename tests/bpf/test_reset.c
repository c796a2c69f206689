/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resets as they are sent and as they arrive, and the errors that sockets report of them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stand.h"

static void reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static void sent(const struct address *address, const char *text)
{
	const struct hs_ev_reset *record;
	int listener, client, server;
	uint16_t port, client_port;
	uint64_t cookie, begin;

	watch("reset_sent");
	listener = listen_on(address, &port, 4);
	client = connect_to(address, port);
	server = accept_from(listener);
	cookie = cookie_of(client);
	client_port = local_port(client);
	begin = now();
	reset_on_close(client);
	record = await_record(HS_EV_RESET, has_cookie, &cookie);
	assert_int_equal(record->sent, 1);
	assert_in_range(record->socket.event.time_ns, begin, now());
	check_tuple(&record->socket.tuple, text, client_port, text, port);
	if (kernel_enum("sk_rst_reason", "SK_RST_REASON_NO_SOCKET") < 0)
		assert_int_equal(record->reason, -1); /* older kernels do not say */
	else
		assert_true(record->reason >= 0);
	assert_int_equal(record_count(HS_EV_RESET), 1);
	close(server);
	close(listener);
}

static void sent_ipv4(void **state)
{
	(void)state;
	sent(&v4, "127.0.0.1");
}

static void sent_ipv6(void **state)
{
	(void)state;
	sent(&v6, "::1");
}

static void received(void **state)
{
	const struct hs_ev_connection *closed;
	const struct hs_ev_reset *record;
	int listener, client, server;
	uint16_t port, client_port;
	uint64_t cookie;

	(void)state;
	watch("connection,reset_received");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(server);
	client_port = local_port(client);
	reset_on_close(client);
	record = await_record(HS_EV_RESET, has_cookie, &cookie);
	assert_int_equal(record->sent, 0);
	assert_int_equal(record->reason, -1);
	assert_int_equal(record->socket.role, HS_ROLE_SERVER);
	check_tuple(&record->socket.tuple, "127.0.0.1", port, "127.0.0.1", client_port);
	closed = await_record(HS_EV_CONNECTION, is_close, &cookie);
	assert_int_equal(closed->tcp.resets_received, 1);
	assert_int_equal(closed->tcp.resets_sent, 0);
	assert_int_equal(closed->tcp.error, ECONNRESET);
	assert_true(record->socket.event.time_ns <= closed->socket.event.time_ns);
	close(server);
	close(listener);
}

static bool has_no_cookie(const void *record, const void *port)
{
	const struct hs_ev_reset *reset = record;

	return !reset->socket.cookie && reset->socket.tuple.local_port == *(const uint16_t *)port;
}

/* A SYN to a port where nobody listens: there is no socket that sends, only a segment to answer. */
static void refused(const struct address *address, const char *text)
{
	const struct hs_ev_reset *record;
	uint16_t port = 7;
	int fd;

	watch("reset_sent,reset_received");
	fd = make_socket(address);
	assert_int_equal(try_connect(fd, address, port), ECONNREFUSED);
	record = await_record(HS_EV_RESET, has_cookie, &(uint64_t){ cookie_of(fd) });
	assert_int_equal(record->sent, 0);
	assert_int_equal(record->socket.state, SYN_SENT);
	if (kernel_enum("sk_rst_reason", "SK_RST_REASON_NO_SOCKET") < 0) {
		close(fd);
		print_message("skip: this kernel tells of no reset without a socket\n");
		skip();
	}
	record = await_record(HS_EV_RESET, has_no_cookie, &port);
	assert_int_equal(record->sent, 1);
	assert_int_equal(record->socket.role, HS_ROLE_UNKNOWN);
	assert_int_equal(record->socket.pid, 0);
	assert_int_equal(record->reason, kernel_enum("sk_rst_reason", "SK_RST_REASON_NO_SOCKET"));
	check_tuple(&record->socket.tuple, text, port, text, local_port(fd));
	close(fd);
}

static void refused_ipv4(void **state)
{
	(void)state;
	refused(&v4, "127.0.0.1");
}

static void refused_ipv6(void **state)
{
	(void)state;
	refused(&v6, "::1");
}

/* Closed with data unread: the kernel resets, and counts it for the close record. */
static void unread_data(void **state)
{
	const struct hs_ev_reset *record;
	int listener, client, server;
	uint64_t cookie, peer;
	uint16_t port;
	char byte;

	(void)state;
	watch("connection,reset_sent,reset_received");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(server);
	peer = cookie_of(client);
	send_all(client, "unread", 6);
	assert_int_equal(recv(server, &byte, 1, MSG_PEEK), 1);
	close(server);
	record = await_record(HS_EV_RESET, has_cookie, &cookie);
	assert_int_equal(record->sent, 1);
	record = await_record(HS_EV_RESET, has_cookie, &peer);
	assert_int_equal(record->sent, 0);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	close(listener);
}

static void errors_are_reported(void **state)
{
	const struct hs_ev_error *record;
	int listener, client, server, fd;
	struct pollfd ready;
	uint64_t cookie;
	uint16_t port;

	(void)state;
	watch("socket_error");
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(server);
	reset_on_close(client);
	record = await_record(HS_EV_SOCKET_ERROR, has_cookie, &cookie);
	assert_int_equal(record->error, ECONNRESET);
	assert_int_equal(record->duration_ns, 0);
	assert_int_equal(record->socket.tuple.local_port, port);
	close(server);

	fd = make_socket(&v4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	cookie = cookie_of(fd);
	try_connect(fd, &v4, 7);
	ready = (struct pollfd){ .fd = fd, .events = POLLOUT };
	assert_int_equal(poll(&ready, 1, 20000), 1);
	record = await_record(HS_EV_SOCKET_ERROR, has_cookie, &cookie);
	assert_int_equal(record->error, ECONNREFUSED);
	close(fd);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(sent_ipv4, unwatch),
		cmocka_unit_test_teardown(sent_ipv6, unwatch),
		cmocka_unit_test_teardown(received, unwatch),
		cmocka_unit_test_teardown(refused_ipv4, unwatch),
		cmocka_unit_test_teardown(refused_ipv6, unwatch),
		cmocka_unit_test_teardown(unread_data, unwatch),
		cmocka_unit_test_teardown(errors_are_reported, unwatch),
	};

	return cmocka_run_group_tests_name("reset", tests, own_network, unwatch);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payload as it leaves a socket and as it arrives: the heads of what is said, and no byte unaccounted. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "told.h"

static const char *hooks; /* the rung */

static void check_both_ends(const struct address *address)
{
	static const char request[] = "what?", answer[] = "that, and no more";
	struct pair pair;

	watch(hooks);
	pair = open_pair(address);
	send_all(pair.client, request, sizeof(request));
	receive_all(pair.server, sizeof(request));
	send_all(pair.server, answer, sizeof(answer));
	receive_all(pair.client, sizeof(answer));
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, sizeof(request), request);
	await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, sizeof(request), request);
	await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, sizeof(answer), answer);
	await_bytes(pair.client_cookie, HS_DIRECTION_INGRESS, sizeof(answer), answer);
	assert_int_equal(tell(pair.client_cookie, HS_DIRECTION_EGRESS, request).captured, sizeof(request));
	close_pair(&pair);
}

static void ipv4(void **state)
{
	(void)state;
	check_both_ends(&v4);
}

static void ipv6(void **state)
{
	(void)state;
	check_both_ends(&v6);
}

static void mapped(void **state)
{
	(void)state;
	check_both_ends(&v4_mapped);
}

static bool is_of_server(const void *record, const void *cookie)
{
	const struct hs_ev_connection *connection = record;

	return connection->socket.cookie == *(const uint64_t *)cookie && connection->socket.phase == HS_PHASE_OPEN;
}

/* Of a long run the head is recorded, of the rest how much it was; a turn later there is a head again. */
static void heads(void **state)
{
	const size_t size = 3 << 20;
	uint8_t *bytes = pattern(size);
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 4 << 20);
	pair = open_pair(&v4);
	stream(pair.client, pair.server, bytes, size);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size, bytes);
	assert_int_equal(told.captured, HS_WATCH_HEAD_BYTES);
	assert_true(told.records < size / 1024);
	send_all(pair.server, "ok", 2);
	receive_all(pair.client, 2);
	send_all(pair.client, "again", 5);
	receive_all(pair.server, 5);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size + 5, NULL);
	assert_int_equal(told.captured, HS_WATCH_HEAD_BYTES + 5);
	close_pair(&pair);
	free(bytes);
}

/* All of it, whatever the size of the segments. */
static void all(void **state)
{
	const size_t size = 1 << 20;
	uint8_t *bytes = pattern(size);
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 8 << 20);
	pair = open_pair(&v4);
	want(pair.server_cookie, HS_WATCH_ALL);
	want(pair.client_cookie, HS_WATCH_NOTHING);
	stream(pair.client, pair.server, bytes, size);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size, bytes);
	assert_int_equal(told.captured, size);
	assert_int_equal(tell(pair.client_cookie, HS_DIRECTION_EGRESS, NULL).records, 0);
	assert_int_equal(lost(HS_LOSS_RING_DATA), 0);
	close_pair(&pair);
	free(bytes);
}

/* Of HTTP/2 all of it from the beginning, before anybody has asked for that, whoever speaks first. */
static void http2(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	const size_t size = 100000;
	uint8_t *bytes = pattern(size);
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 4 << 20);
	pair = open_pair(&v4);
	send_all(pair.server, "settings", 8);
	receive_all(pair.client, 8);
	send_all(pair.client, preface, sizeof(preface) - 1);
	receive_all(pair.server, sizeof(preface) - 1);
	stream(pair.server, pair.client, bytes, size);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, 8 + size, NULL);
	assert_int_equal(told.captured, 8 + size);
	want(pair.server_cookie, HS_WATCH_NOTHING);
	stream(pair.server, pair.client, bytes, size);
	await_bytes(pair.client_cookie, HS_DIRECTION_INGRESS, 8 + 2 * size, NULL);
	assert_int_equal(tell(pair.server_cookie, HS_DIRECTION_EGRESS, NULL).bytes, 8 + size);
	close_pair(&pair);
	free(bytes);
}

/* What begins as Redis does is wanted at once, with its answers; what only looks a little like it is not. */
static void redis(void **state)
{
	static const struct {
		const char *begins;
		bool is_redis;
	} talks[] = {
		{ "*2\r\n$4\r\n", true }, { "*12\r\n$4\r\n", true }, { "*201\r\n$4", true }, { "*2\r\nabcd", false }, { "*x\r\n$4\r\n", false },
		{ "*2 GET /", false },
	};
	const size_t size = 100000;

	(void)state;
	watch_with_ring(hooks, 8 << 20);
	for (size_t i = 0; i < sizeof(talks) / sizeof(*talks); i++) {
		uint8_t *bytes = pattern(size);
		struct pair pair = open_pair(&v4);
		size_t captured = talks[i].is_redis ? size : HS_WATCH_HEAD_BYTES;

		memcpy(bytes, talks[i].begins, strlen(talks[i].begins));
		stream(pair.client, pair.server, bytes, size);
		stream(pair.server, pair.client, bytes, size);
		assert_int_equal(await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size, bytes).captured, captured);
		assert_int_equal(await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, size, bytes).captured, captured);
		close_pair(&pair);
		free(bytes);
	}
}

/* Every segment is pushed on its own. */
static void send_pushed(int from, int to, const uint8_t *bytes, size_t size, size_t step)
{
	for (size_t at = 0; at < size; at += step) {
		send_all(from, bytes + at, step);
		receive_all(to, step);
	}
}

/* Of an answer of PostgreSQL or MySQL its head, and the ends of what is pushed; of the next one the same again. */
static void ends(void **state)
{
	static const char startup[] = "\0\0\0\14\0\3\0\0abc", greeting[] = "\6\0\0\0\012" "10.11";
	const size_t head = HS_WATCH_ENDS_BYTES, step = 8192, size = head + 20 * step;
	uint8_t *bytes = pattern(size);
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 4 << 20);
	for (int mysql = 0; mysql < 2; mysql++) {
		size_t first = mysql ? sizeof(greeting) - 1 : 0;

		pair = open_pair(&v4);
		if (mysql)
			send_pushed(pair.server, pair.client, (const uint8_t *)greeting, first, first);
		send_pushed(pair.client, pair.server, (const uint8_t *)startup, sizeof(startup), sizeof(startup));
		for (int turn = 1; turn <= 2; turn++) {
			send_pushed(pair.server, pair.client, bytes, size, step);
			told = await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, first + turn * size, NULL);
			assert_int_equal(told.captured, first + turn * (head + 20 * HS_WATCH_TAIL_BYTES));
			send_pushed(pair.client, pair.server, bytes, 1, 1);
		}
		close_pair(&pair);
	}
	assert_int_equal(lost(HS_LOSS_RING_DATA), 0);
	free(bytes);
}

/* … and what is captured is what was said there, in however large segments; what is not pushed has no end. */
static void ends_of_a_stream(void **state)
{
	const size_t size = 8 << 20;
	uint8_t *bytes = pattern(size);
	struct told told;
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 4 << 20);
	pair = open_pair(&v4);
	want(pair.server_cookie, HS_WATCH_ENDS);
	want(pair.client_cookie, HS_WATCH_ENDS);
	stream(pair.server, pair.client, bytes, size);
	for (int end = 0; end < 2; end++) {
		told = end ? await_bytes(pair.client_cookie, HS_DIRECTION_INGRESS, size, bytes) :
			     await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, size, bytes);
		assert_true(told.captured > HS_WATCH_ENDS_BYTES && told.captured < size / 4);
	}
	assert_int_equal(lost(HS_LOSS_RING_DATA), 0);
	close_pair(&pair);
	free(bytes);
}

/* A server that is woken by the first request: that arrives at the listener, before the connection is there. */
static void deferred(void **state)
{
	static const size_t sizes[] = { 5, 512, 513, HS_EV_DATA_BYTES, 10000 };
	static const struct address *const addresses[] = { &v4, &v6, &v4_mapped };
	uint8_t *bytes = pattern(10000);

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses) * 5; i++) {
		size_t size = sizes[i % 5], captured = size < HS_EV_DATA_BYTES ? size : HS_EV_DATA_BYTES;
		const struct address *address = addresses[i / 5];
		const struct hs_ev_connection *opened;
		struct pair pair;
		struct told told;
		uint16_t port;

		if (i % 2)
			watch_with_ring(hooks, 1 << 20);
		pair.listener = listen_on(address, &port, 4);
		if (i % 2 == 0) /* it is older */
			watch_with_ring(hooks, 1 << 20);
		setsockopt(pair.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){ 5 }, sizeof(int));
		pair.client = connect_to(address, port);
		send_all(pair.client, bytes, size);
		pair.server = accept_from(pair.listener);
		pair.server_cookie = cookie_of(pair.server);
		receive_all(pair.server, size);
		told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size, bytes);
		assert_int_equal(told.captured, captured);
		opened = find_record(HS_EV_CONNECTION, is_of_server, &pair.server_cookie);
		assert_non_null(opened);
		assert_int_equal(opened->socket.role, HS_ROLE_SERVER);
		send_all(pair.server, "ok", 2);
		receive_all(pair.client, 2);
		send_all(pair.client, bytes, 3);
		receive_all(pair.server, 3);
		told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, size + 3, NULL);
		assert_int_equal(told.captured, captured + 3);
		close_pair(&pair);
	}
	free(bytes);
}

/* It is decided while the connection speaks. */
static void nothing_any_more(void **state)
{
	struct pair pair;

	(void)state;
	watch(hooks);
	pair = open_pair(&v4);
	send_all(pair.client, "one", 3);
	receive_all(pair.server, 3);
	await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, 3, NULL);
	want(pair.server_cookie, HS_WATCH_NOTHING);
	for (int i = 0; i < 10; i++) {
		send_all(pair.client, "more", 4);
		receive_all(pair.server, 4);
	}
	await_bytes(pair.client_cookie, HS_DIRECTION_EGRESS, 43, NULL);
	assert_int_equal(tell(pair.server_cookie, HS_DIRECTION_INGRESS, NULL).bytes, 3);
	close_pair(&pair);
}

/* No system call carries these bytes. */
static void sent_from_a_file(void **state)
{
	const size_t size = 100000;
	int file = memfd_create("page", MFD_CLOEXEC);
	uint8_t *bytes = pattern(size);
	off_t at = 0;
	struct pair pair;

	(void)state;
	assert_int_equal(write(file, bytes, size), size);
	watch(hooks);
	pair = open_pair(&v4);
	want(pair.server_cookie, HS_WATCH_ALL);
	while (at < (off_t)size)
		assert_true(sendfile(pair.server, file, &at, size - at) > 0);
	receive_all(pair.client, size);
	await_bytes(pair.server_cookie, HS_DIRECTION_EGRESS, size, bytes);
	close_pair(&pair);
	close(file);
	free(bytes);
}

static bool is_data_of(const void *record, const void *cookie)
{
	return ((const struct hs_ev_data *)record)->cookie == *(const uint64_t *)cookie;
}

/* Who speaks is told first: nobody announces a server's end but its first payload. */
static void announced(void **state)
{
	const struct hs_ev_connection *opened;
	const struct hs_ev_data *data;
	struct pair pair;

	(void)state;
	watch(hooks);
	pair = open_pair(&v4);
	send_all(pair.client, "x", 1);
	receive_all(pair.server, 1);
	data = await_record(HS_EV_DATA, is_data_of, &pair.server_cookie);
	opened = find_record(HS_EV_CONNECTION, is_of_server, &pair.server_cookie);
	assert_non_null(opened);
	assert_int_equal(opened->socket.role, HS_ROLE_SERVER);
	assert_int_equal(opened->socket.state, ESTABLISHED);
	assert_true(opened->established_ns && opened->established_ns <= data->event.time_ns);
	assert_true(opened->socket.event.time_ns <= data->event.time_ns);
	check_tuple(&opened->socket.tuple, "127.0.0.1", opened->socket.tuple.local_port, "127.0.0.1",
		    local_port(pair.client));
	close_pair(&pair);
}

/* A ring that is too small loses payload, and says how often. */
static void ring_full(void **state)
{
	struct pair pair;

	(void)state;
	watch_with_ring(hooks, 4096);
	pair = open_pair(&v4);
	for (int i = 0; i < 100; i++) {
		send_all(pair.client, "0123456789012345678901234567890123456789", 40);
		receive_all(pair.server, 40);
	}
	assert_true(lost(HS_LOSS_RING_DATA) > 0);
	close_pair(&pair);
}

/* What a socket older than we are says is told once a pass has met it. */
static void older(void **state)
{
	char with_snapshot[64];
	struct told told;
	struct pair pair;

	(void)state;
	snprintf(with_snapshot, sizeof(with_snapshot), "%s,snapshot", hooks);
	pair = open_pair(&v4);
	watch(with_snapshot);
	send_all(pair.client, "before", 6);
	receive_all(pair.server, 6);
	pass();
	send_all(pair.client, "after", 5);
	receive_all(pair.server, 5);
	told = await_bytes(pair.server_cookie, HS_DIRECTION_INGRESS, 5, "after");
	assert_int_equal(told.captured, 5);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ipv4, unwatch),
		cmocka_unit_test_teardown(ipv6, unwatch),
		cmocka_unit_test_teardown(mapped, unwatch),
		cmocka_unit_test_teardown(heads, unwatch),
		cmocka_unit_test_teardown(all, unwatch),
		cmocka_unit_test_teardown(http2, unwatch),
		cmocka_unit_test_teardown(redis, unwatch),
		cmocka_unit_test_teardown(ends, unwatch),
		cmocka_unit_test_teardown(ends_of_a_stream, unwatch),
		cmocka_unit_test_teardown(deferred, unwatch),
		cmocka_unit_test_teardown(nothing_any_more, unwatch),
		cmocka_unit_test_teardown(sent_from_a_file, unwatch),
		cmocka_unit_test_teardown(announced, unwatch),
		cmocka_unit_test_teardown(ring_full, unwatch),
		cmocka_unit_test_teardown(older, unwatch),
	};
	int failed;

	hooks = "connection,payload:cgroup_skb";
	failed = cmocka_run_group_tests_name("data", tests, own_network, unwatch);
	hooks = "connection,payload:syscalls";
	return failed + cmocka_run_group_tests_name("data of system calls", tests, own_network, unwatch);
}

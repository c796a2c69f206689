/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1 followed in the kernel: what is ordinary is counted, what is not is told, and each call is
 * one or the other.
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hopscope/count.h"
#include "probe/counts.h"
#include "stand.h"

#define HOOKS "connection,payload,read,snapshot"
#define GROUP 3
#define ROUTE 7
#define REQUEST "GET /users/%d?q=%d HTTP/1.1\r\nHost: somewhere\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static int listener, client, server;
static uint64_t cookie; /* of the end that is looked at */
static uint64_t text_since_ns; /* payload told before then is of no interest */

static uint64_t hash_of(enum hs_method method, const char *path)
{
	struct hs_path_hash p = { .hash = method, .literal = method };

	while (*path++) {
		size_t length = strcspn(path, "/");

		hs_path_hash_text(&p, path, length);
		hs_path_hash_segment(&p);
		path += length;
	}
	return p.hash;
}

static void teach(enum hs_method method, const char *path, uint32_t number, uint32_t status)
{
	const struct hs_route_key key = { .hash = hash_of(method, path), .group = GROUP };

	hs_counts_edge(counters(), GROUP / 2, true);
	hs_counts_route(counters(), &key, number, true);
	hs_counts_answer(counters(), &(struct hs_count_key){ number, status });
}

static void ask(const char *text)
{
	send_all(client, text, strlen(text));
	receive_all(server, strlen(text));
}

static void answer(const char *text)
{
	send_all(server, text, strlen(text));
	receive_all(client, strlen(text));
}

static void call(int id)
{
	char text[128];

	snprintf(text, sizeof(text), REQUEST, id, id);
	ask(text);
	answer(ANSWER);
}

/* A connection that the kernel may follow from its next request on, as seen from one end. */
static void open_followed(bool at_client)
{
	uint16_t port;

	watch(HOOKS);
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(at_client ? client : server);
	text_since_ns = 0;
	call(1);
	teach(HS_METHOD_GET, "/users/1", ROUTE, 200);
	want_counted(cookie, GROUP);
}

static void close_all(void)
{
	close(client);
	close(server);
	close(listener);
}

/* ---- what was counted, and what was told ---- */

static struct hs_count counted;
static struct hs_edge_count counted_parts; /* without bins */
static uint64_t counted_bins;

static void on_counted(void *arg, const struct hs_event *event)
{
	const struct hs_ev_counted *record = (const void *)event;
	const struct hs_ev_latencies *latencies = (const void *)event;

	(void)arg;
	if (event->kind == HS_EV_COUNTED) {
		assert_int_equal(record->key.route, ROUTE);
		assert_int_equal(record->key.status, 200);
		counted.count += record->grown.count;
		counted.duration_ns += record->grown.duration_ns;
		counted.request_bytes += record->grown.request_bytes;
		counted.response_bytes += record->grown.response_bytes;
		for (int i = 0; i <= HS_COUNT_BUCKETS; i++)
			counted.bucket[i] += record->grown.bucket[i];
		return;
	}
	assert_int_equal(event->kind, HS_EV_LATENCIES);
	assert_int_equal(latencies->edge, GROUP / 2);
	for (uint32_t i = 0; i < latencies->count; i++)
		counted_bins += latencies->bins[i].grown;
	for (int part = 0; part < HS_PART_MAX; part++) {
		counted_parts.part_ns[part] += latencies->part_ns[part];
		for (int i = 0; i <= HS_PART_BUCKETS; i++)
			counted_parts.part[part][i] += latencies->part[part][i];
	}
}

static void read_counted(void)
{
	memset(&counted, 0, sizeof(counted));
	memset(&counted_parts, 0, sizeof(counted_parts));
	counted_bins = 0;
	hs_counts_read(counters(), now(), on_counted, NULL);
}

static uint64_t in_part(enum hs_part part)
{
	uint64_t sum = 0;

	for (int i = 0; i <= HS_PART_BUCKETS; i++)
		sum += counted_parts.part[part][i];
	return sum;
}

struct wanted_call {
	enum hs_followed what;
	int status; /* -1: any */
};

static bool is_call(const void *record, const void *arg)
{
	const struct hs_ev_call *event = record;
	const struct wanted_call *wanted = arg;

	return event->cookie == cookie && event->what == wanted->what &&
	       (wanted->status < 0 || event->status == wanted->status);
}

static const struct hs_ev_call *told(enum hs_followed what, int status)
{
	return await_record(HS_EV_CALL, is_call, &(struct wanted_call){ what, status });
}

static size_t told_over_count;
static uint64_t told_response_bytes;

static bool count_over(const void *record, const void *arg)
{
	const struct hs_ev_call *event = record;

	(void)arg;
	if (event->cookie == cookie && event->what == HS_FOLLOWED_OVER) {
		told_over_count++;
		told_response_bytes += event->response_bytes;
	}
	return false;
}

/* How many calls were told as over. */
static size_t told_over(void)
{
	told_over_count = told_response_bytes = 0;
	find_record(HS_EV_CALL, count_over, NULL);
	return told_over_count;
}

static const char *text_wanted;

static bool is_text(const void *record, const void *arg)
{
	const struct hs_ev_data *data = record;

	(void)arg;
	return data->cookie == cookie && data->event.time_ns >= text_since_ns && data->captured >= strlen(text_wanted) &&
	       !memcmp(data->bytes, text_wanted, strlen(text_wanted));
}

static const struct hs_ev_data *told_payload(const char *text)
{
	text_wanted = text;
	return await_record(HS_EV_DATA, is_text, NULL);
}

static bool is_payload(const void *record, const void *arg)
{
	(void)arg;
	return ((const struct hs_ev_data *)record)->cookie == cookie;
}

static size_t payload_count;

static bool count_payload(const void *record, const void *arg)
{
	payload_count += is_payload(record, arg);
	return false;
}

static size_t payloads(void)
{
	payload_count = 0;
	find_record(HS_EV_DATA, count_payload, NULL);
	return payload_count;
}

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- tests ---- */

static void each_is_counted_or_told(bool at_client)
{
	enum { CALLS = 1000 };
	size_t before, over;

	open_followed(at_client);
	before = payloads();
	assert_int_equal(before, 2);
	for (int i = 0; i < CALLS; i++)
		call(i * 7919);
	close_all();
	settle();
	over = told_over();
	read_counted();
	assert_int_equal(counted.count + over, CALLS);
	assert_in_range(over, 1, CALLS / 2); /* the last one, and samples */
	assert_int_equal(payloads(), before);
	assert_int_equal(counted.response_bytes + told_response_bytes, CALLS * 5);
	assert_int_equal(counted.request_bytes, 0);
	assert_int_equal(counted_bins, counted.count);
	assert_true(counted.duration_ns > 0);
	assert_int_equal(in_part(HS_PART_NETWORK), counted.count);
	assert_int_equal(in_part(HS_PART_QUEUE), at_client ? 0 : counted.count);
	assert_int_equal(in_part(HS_PART_SERVICE), at_client ? 0 : counted.count);
}

static void at_the_server(void **state)
{
	(void)state;
	each_is_counted_or_told(false);
}

static void at_the_client(void **state)
{
	(void)state;
	each_is_counted_or_told(true);
}

/* 30 ms until it is read, 20 ms until it is answered. */
static void queue_and_service(void **state)
{
	const struct hs_ev_call *event;
	char text[128];

	(void)state;
	open_followed(false);
	follow_calls();
	snprintf(text, sizeof(text), REQUEST, 2, 2);
	send_all(client, text, strlen(text));
	nap_ms(30);
	receive_all(server, strlen(text));
	nap_ms(20);
	answer(ANSWER);
	call(3);
	event = told(HS_FOLLOWED_OVER, 200);
	assert_in_range(event->read_ns - event->request_ns, 29 * MS, 2 * SEC);
	assert_in_range(event->response_ns - event->read_ns, 19 * MS, 2 * SEC);
	assert_int_equal(event->route, ROUTE);
	close_all();
}

static bool is_slow(const void *record, const void *arg)
{
	const struct hs_ev_call *event = record;

	(void)arg;
	return event->cookie == cookie && event->response_end_ns - event->request_ns > HS_SLOW_NS;
}

static void slow(void **state)
{
	char text[128];

	(void)state;
	open_followed(false);
	for (int i = 0; i < 100; i++)
		call(i);
	snprintf(text, sizeof(text), REQUEST, 2, 2);
	ask(text);
	nap_ms(1050);
	answer(ANSWER);
	call(1);
	settle();
	told_over();
	read_counted();
	assert_int_equal(counted.bucket[HS_COUNT_BUCKETS - 4], 0); /* up to 2.5 s: told, not counted */
	assert_non_null(find_record(HS_EV_CALL, is_slow, NULL));
	assert_int_equal(counted.count + told_over(), 101);
	close_all();
}

static void another_status(void **state)
{
	(void)state;
	open_followed(false);
	call(1);
	ask("GET /users/9 HTTP/1.1\r\n\r\n");
	answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	ask("GET /users/9 HTTP/1.1\r\n\r\n");
	answer("HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nno!");
	call(2);
	assert_int_equal(told(HS_FOLLOWED_OVER, 404)->response_bytes, 0);
	assert_int_equal(told(HS_FOLLOWED_OVER, 503)->response_bytes, 3);
	close_all();
}

/* What it does not know, the kernel gives back with all that follows, and says where. */
static void handed_over(const char *request, const char *begin)
{
	const struct hs_ev_call *event;
	const struct hs_ev_data *data;

	open_followed(false);
	call(1);
	ask(request);
	event = told(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(event->route, 0);
	text_since_ns = event->event.time_ns;
	data = told_payload(begin);
	assert_int_equal(data->position, event->position[HS_DIRECTION_INGRESS]);
	assert_int_equal(data->before_bytes, 0);
	answer("HTTP/1.1 299 x\r\n\r\n");
	data = told_payload("HTTP/1.1 299");
	assert_int_equal(data->position, event->position[HS_DIRECTION_EGRESS]);
	call(3);
	told_payload("GET /users/3");
	settle();
	read_counted();
	assert_int_equal(counted.count + told_over(), 1);
	close_all();
}

static void what_is_not_known(void **state)
{
	static const char *const requests[] = {
		"GET /users/me HTTP/1.1\r\n\r\n", "GET /users/1/x HTTP/1.1\r\n\r\n", "GET /users/ HTTP/1.1\r\n\r\n",
		"HEAD /users/1 HTTP/1.1\r\n\r\n", "GET http://x/users/1 HTTP/1.1\r\n\r\n", "\r\nGET /users/1 HTTP/1.1\r\n\r\n",
		"GET /users/1 HTTP/1.1\r\nHost: unfinished\r\n", "what is this? what is this?", "G",
		"GET /users/1 HTTP/1.1\r\n\r\nGET /users/2 HTTP/1.1\r\n\r\n",
		"GET /users/1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		char begin[8] = "";

		memcpy(begin, requests[i], strlen(requests[i]) < 7 ? strlen(requests[i]) : 7);
		handed_over(requests[i], begin);
		unwatch(NULL);
	}
}

/* The next request does not wait for the answer. */
static void pipelined(void **state)
{
	const struct hs_ev_call *event;

	(void)state;
	open_followed(false);
	call(1);
	ask("GET /users/8 HTTP/1.1\r\n\r\n");
	ask("GET /users/9 HTTP/1.1\r\n\r\n");
	event = told(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(event->route, ROUTE);
	assert_true(event->request_ns);
	assert_int_equal(told_payload("GET /users/9")->position, event->position[HS_DIRECTION_INGRESS]);
	close_all();
}

static void odd_answer(void **state)
{
	(void)state;
	open_followed(false);
	call(1);
	ask("GET /users/8 HTTP/1.1\r\n\r\n");
	answer("this is no answer");
	assert_int_equal(told(HS_FOLLOWED_LOST, 0)->route, ROUTE);
	told_payload("this is no answer");
	close_all();
}

/* In pieces, with a length that nobody says, and interim answers before it. */
static void long_answers(void **state)
{
	(void)state;
	open_followed(false);
	follow_calls();
	ask("GET /users/8 HTTP/1.1\r\n\r\n");
	answer("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 100; i++)
		answer("5\r\nhello\r\n");
	answer("0\r\n\r\n");
	call(1);
	assert_int_equal(told(HS_FOLLOWED_OVER, 200)->response_bytes, 1005);
	close_all();
}

static void bodies(void **state)
{
	const struct hs_ev_call *event;

	(void)state;
	open_followed(false);
	teach(HS_METHOD_POST, "/users", ROUTE + 1, 201);
	follow_calls();
	ask("POST /users HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello");
	ask("world");
	answer("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	call(1);
	event = told(HS_FOLLOWED_OVER, 201);
	assert_int_equal(event->request_bytes, 10);
	assert_int_equal(event->response_bytes, 0);
	assert_int_equal(event->route, ROUTE + 1);
	assert_true(event->request_end_ns > event->request_ns);
	close_all();
}

/* A pass tells what no next request has shown to be over; the close does not tell it again. */
static void at_rest(void **state)
{
	(void)state;
	open_followed(false);
	call(1);
	pass();
	assert_int_equal(told_over(), 0); /* it may go on */
	nap_ms(250);
	pass();
	assert_int_equal(told_over(), 1);
	pass();
	close_all();
	settle();
	read_counted();
	assert_int_equal(told_over() + counted.count, 1);
}

/* A request that waits for its answer for long is given back by a pass, and its answer comes as payload. */
static void waits(void **state)
{
	const struct hs_ev_call *event;
	const struct hs_ev_data *data;

	(void)state;
	open_followed(false);
	call(1);
	ask("GET /users/8 HTTP/1.1\r\n\r\n");
	nap_ms(300);
	pass();
	assert_null(find_record(HS_EV_CALL, is_call, &(struct wanted_call){ HS_FOLLOWED_HANDED, -1 }));
	nap_ms(800);
	pass();
	event = told(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(event->route, ROUTE);
	assert_true(event->event.time_ns - event->request_ns > SEC);
	pass();
	text_since_ns = event->event.time_ns;
	answer(ANSWER);
	data = told_payload("HTTP/1.1 200");
	assert_int_equal(data->position, event->position[HS_DIRECTION_EGRESS]);
	ask("GET /users/9 HTTP/1.1\r\n\r\n");
	assert_int_equal(told_payload("GET /users/9")->position, event->position[HS_DIRECTION_INGRESS]);
	settle();
	read_counted();
	assert_int_equal(counted.count + told_over(), 1);
	close_all();
}

static void closed_amid_a_call(void **state)
{
	const struct hs_ev_call *event;

	(void)state;
	open_followed(false);
	call(1);
	ask("GET /users/8 HTTP/1.1\r\n\r\n");
	close_all();
	event = told(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(event->route, ROUTE);
	await_record(HS_EV_CONNECTION, is_close, &cookie);
}

/* A route is forgotten when it has no connections any more; its place is used again, from zero. */
static void forgotten(void **state)
{
	const struct hs_route_key key = { .hash = hash_of(HS_METHOD_GET, "/users/1"), .group = GROUP };

	(void)state;
	open_followed(false);
	for (int i = 0; i < 50; i++)
		call(i);
	read_counted();
	assert_true(counted.count > 0);
	close_all();
	await_record(HS_EV_CONNECTION, is_close, &cookie);
	read_counted();
	hs_counts_route(counters(), &key, ROUTE, false);
	hs_counts_edge(counters(), GROUP / 2, false);
	teach(HS_METHOD_GET, "/users/1", ROUTE, 200);
	read_counted();
	assert_int_equal(counted.count, 0);
	assert_int_equal(counted_bins, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(at_the_server, unwatch),
		cmocka_unit_test_teardown(at_the_client, unwatch),
		cmocka_unit_test_teardown(queue_and_service, unwatch),
		cmocka_unit_test_teardown(slow, unwatch),
		cmocka_unit_test_teardown(another_status, unwatch),
		cmocka_unit_test_teardown(what_is_not_known, unwatch),
		cmocka_unit_test_teardown(pipelined, unwatch),
		cmocka_unit_test_teardown(odd_answer, unwatch),
		cmocka_unit_test_teardown(long_answers, unwatch),
		cmocka_unit_test_teardown(bodies, unwatch),
		cmocka_unit_test_teardown(at_rest, unwatch),
		cmocka_unit_test_teardown(waits, unwatch),
		cmocka_unit_test_teardown(closed_amid_a_call, unwatch),
		cmocka_unit_test_teardown(forgotten, unwatch),
	};

	return cmocka_run_group_tests_name("count", tests, own_network, unwatch);
}

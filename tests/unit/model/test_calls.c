// SPDX-License-Identifier: GPL-2.0-or-later
/* From payload to calls on edges: each once, whichever ends are here. */
#include <stdio.h>

#include "model/record.h"

#define REQUEST "GET /users/42?q=1 HTTP/1.1\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static uint32_t position[2][2]; /* by end and direction */

static void say_bytes(uint64_t cookie, enum hs_side end, enum hs_direction direction, const char *text, size_t length)
{
	static _Alignas(8) char buffer[8192];
	struct hs_ev_data *data = (void *)buffer;

	memset(buffer, 0, sizeof(buffer));
	*data = (struct hs_ev_data){
		.event = { .kind = HS_EV_DATA, .time_ns = now_ns },
		.cookie = cookie, .position = position[end][direction], .length = length, .captured = length,
		.direction = direction,
	};
	data->event.size = (sizeof(*data) + length + 7) & ~7;
	memcpy(data->bytes, text, length);
	position[end][direction] += length;
	assert_int_equal(feed(data), 0);
}

/* What `from` says, as the end `seen_at` has it. */
static void say(const struct flow *flow, enum hs_side seen_at, enum hs_side from, const char *text)
{
	say_bytes(seen_at == HS_CLIENT ? flow->client_cookie : flow->server_cookie, seen_at,
		  from == seen_at ? HS_DIRECTION_EGRESS : HS_DIRECTION_INGRESS, text, strlen(text));
}

static void call_at(const struct flow *flow, enum hs_side seen_at, const char *request, const char *answer)
{
	say(flow, seen_at, HS_CLIENT, request);
	now_ns += 3 * MS;
	say(flow, seen_at, HS_SERVER, answer);
}

static const struct hs_calls *only_calls(const struct hs_edge *edge)
{
	assert_non_null(edge);
	assert_int_equal(HASH_COUNT(edge->calls), 1);
	return edge->calls;
}

static void check_one(const struct hs_edge *edge, enum hs_side seen_at)
{
	const struct hs_calls *calls = only_calls(edge);

	assert_int_equal(edge->call_count, 1);
	assert_int_equal(edge->call_failures, 0);
	assert_int_equal(calls->count, 1);
	assert_int_equal(calls->key.status, 200);
	assert_int_equal(calls->key.seen_at, seen_at);
	assert_string_equal(calls->key.operation, "GET");
	assert_string_equal(calls->key.route, "/users/{id}");
	assert_string_equal(calls->key.protocol->name, "http");
	assert_int_equal(calls->response_bytes, 2);
	assert_true(hs_latency_quantile(edge->call_latency, 0.5) > 0.0029);
	assert_true(hs_latency_quantile(edge->call_latency, 0.5) < 0.0031);
}

static void test_server_end(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	server_open(&flow);
	call_at(&flow, HS_SERVER, REQUEST, ANSWER);
	wait_ns(2 * SEC);
	check_one(hs_model_edges(model), HS_SERVER);
}

static void test_client_end(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	client_open(&flow);
	call_at(&flow, HS_CLIENT, REQUEST, ANSWER);
	wait_ns(2 * SEC);
	check_one(hs_model_edges(model), HS_CLIENT);
}

/* Both ends tell, in the order in which it happens. */
static void test_both_ends(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	listen_on("0.0.0.0", flow.server_port, flow.server_ns, SERVER_PID, 5);
	client_open(&flow);
	say(&flow, HS_CLIENT, HS_CLIENT, REQUEST);
	server_open(&flow);
	say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
	now_ns += 3 * MS;
	say(&flow, HS_SERVER, HS_SERVER, ANSWER);
	say(&flow, HS_CLIENT, HS_SERVER, ANSWER);
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	check_one(edge("curl", "nginx", flow.server_port), HS_SERVER);
}

static void test_unanswered(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	server_open(&flow);
	say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(only_calls(hs_model_edges(model))->key.end, HS_CALL_UNANSWERED);
	assert_int_equal(hs_model_edges(model)->call_failures, 1);
	assert_null(hs_model_edges(model)->call_latency);
}

/* It was not answered for as long as somebody waited. */
static void test_wait_without_an_answer(void **state)
{
	struct flow flow = flow_make();
	const struct hs_calls *calls;

	(void)state;
	server_open(&flow);
	say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
	wait_ns(3 * SEC);
	server_close(&flow);
	wait_ns(2 * SEC);
	calls = only_calls(hs_model_edges(model));
	assert_true(calls->duration.sum > 2.9 && calls->duration.sum < 3.2);
	assert_null(calls->latency);
	assert_true(hs_model_request(model, 1)->duration_ns > 2900 * MS);
}

/* What the user calls a route is one, before anything is folded. */
static void test_patterns(void **state)
{
	struct hs_model_config config = test_config();
	struct hs_route_patterns *patterns = hs_route_patterns_new();
	struct flow flow = flow_make();

	(void)state;
	end();
	assert_int_equal(hs_route_patterns_add(patterns, "/{what}/42"), 0);
	config.routes = patterns;
	begin(&config);
	server_open(&flow);
	call_at(&flow, HS_SERVER, REQUEST, ANSWER);
	assert_string_equal(only_calls(hs_model_edges(model))->key.route, "/{what}/42");
	hs_route_patterns_free(patterns);
}

/* Sizes of bodies that there are, how long it took, how many of late. */
static void test_measures(void **state)
{
	struct flow flow = flow_make();
	const struct hs_calls *calls;
	struct hs_latency latency = { 0 };

	(void)state;
	server_open(&flow);
	for (int i = 0; i < 30; i++) {
		call_at(&flow, HS_SERVER, REQUEST, ANSWER);
		wait_ns(SEC / 10);
	}
	calls = only_calls(hs_model_edges(model));
	assert_int_equal(hs_histogram_total(&calls->bodies->response), 30);
	assert_int_equal(calls->bodies->response.count[0], 30);
	assert_int_equal(hs_histogram_total(&calls->bodies->request), 0);
	hs_latency_merge_rough(&latency, calls->latency);
	assert_true(hs_latency_quantile(&latency, 0.5) > 0.0027 && hs_latency_quantile(&latency, 0.5) < 0.0033);
	assert_true(calls->rate > 5 && calls->rate < 15);
	assert_ptr_equal(hs_calls_buckets(calls), &hs_buckets_call);
}

static void test_results_apart(void **state)
{
	struct flow flow = flow_make();
	const struct hs_edge *edge;

	(void)state;
	server_open(&flow);
	for (int i = 0; i < 5; i++)
		call_at(&flow, HS_SERVER, REQUEST, ANSWER);
	call_at(&flow, HS_SERVER, REQUEST, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	edge = hs_model_edges(model);
	assert_int_equal(HASH_COUNT(edge->calls), 2);
	assert_int_equal(edge->call_count, 6);
	assert_int_equal(edge->call_failures, 1);
}

/* More routes than there is room for: all calls are counted, the rest under one name. */
static void test_too_many_routes(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow = flow_make();
	const struct hs_calls *calls;
	uint64_t sum = 0, other = 0;
	char request[64];

	(void)state;
	end();
	config.max_routes = 40;
	begin(&config);
	server_open(&flow);
	for (int i = 0; i < 26 * 26; i++) {
		snprintf(request, sizeof(request), "GET /%c%c HTTP/1.1\r\n\r\n", 'a' + i / 26, 'a' + i % 26);
		call_at(&flow, HS_SERVER, request, ANSWER);
	}
	for (calls = hs_model_edges(model)->calls; calls; calls = calls->hh.next) {
		sum += calls->count;
		other += strcmp(calls->key.route, "~other") ? 0 : calls->count;
	}
	assert_int_equal(sum, 26 * 26);
	assert_int_equal(other, 26 * 26 - 10);
	assert_int_equal(dropped(HS_MODEL_LOSS_ROUTE), other);
}

static void test_too_many_conversations(void **state)
{
	struct hs_model_config config = test_config();
	struct flow first = flow_make(), second = flow_make();

	(void)state;
	end();
	config.max_conversations = 1;
	begin(&config);
	second.client_port++;
	second.server_cookie += 10;
	server_open(&first);
	server_open(&second);
	say(&first, HS_SERVER, HS_CLIENT, REQUEST);
	memset(position, 0, sizeof(position));
	say(&second, HS_SERVER, HS_CLIENT, REQUEST);
	assert_int_equal(dropped(HS_MODEL_LOSS_CONVERSATION), 1);
}

static void test_own(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow = flow_make();

	(void)state;
	end();
	config.self_pid = SERVER_PID;
	begin(&config);
	listen_on("0.0.0.0", flow.server_port, flow.server_ns, SERVER_PID, 5);
	server_open(&flow); /* nobody has accepted it yet, and its client is elsewhere */
	call_at(&flow, HS_SERVER, REQUEST, ANSWER);
	wait_ns(2 * SEC);
	assert_null(hs_model_edges(model));
}

/* Payload whose connection nobody told of. */
static void test_stranger(void **state)
{
	(void)state;
	say_bytes(4711, HS_SERVER, HS_DIRECTION_INGRESS, "12345", 5);
	assert_int_equal(hs_model_counters(model)->undecoded[0][HS_L7_LOSS_BYTES], 5);
}

static struct {
	uint64_t cookie;
	enum hs_watch watch;
} wanted[8];
static size_t want_count, told_count;

static void on_watch(void *arg, uint64_t cookie, enum hs_watch watch)
{
	(void)arg;
	if (want_count < 8) {
		wanted[want_count].cookie = cookie;
		wanted[want_count++].watch = watch;
	}
}

static void on_server(void *arg, const struct hs_server *server)
{
	(void)arg;
	(void)server;
	told_count++;
}

/* The kernel is told what is worth reading: the server's end, and no protocol that nobody knows. */
static void test_watches(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow = flow_make(), unknown = flow_make();

	(void)state;
	end();
	config.watch = on_watch;
	config.server_is_here = on_server;
	want_count = told_count = 0;
	begin(&config);
	client_open(&flow);
	server_open(&flow);
	call_at(&flow, HS_SERVER, REQUEST, ANSWER);
	assert_int_equal(want_count, 1);
	assert_int_equal(wanted[0].cookie, flow.server_cookie);
	assert_int_equal(wanted[0].watch, HS_WATCH_HEADS);
	say(&flow, HS_CLIENT, HS_CLIENT, REQUEST);
	assert_int_equal(wanted[1].cookie, flow.client_cookie);
	assert_int_equal(wanted[1].watch, HS_WATCH_NOTHING);
	assert_int_equal(told_count, 1);
	unknown.client_port++;
	unknown.server_cookie += 10;
	server_open(&unknown);
	say(&unknown, HS_SERVER, HS_CLIENT, "\x01\x02\x03 what is this?");
	assert_int_equal(wanted[2].cookie, unknown.server_cookie);
	assert_int_equal(wanted[2].watch, HS_WATCH_NOTHING);
}

static size_t kept(void)
{
	const struct hs_request *request;
	size_t count = 0;

	for (uint64_t from = 1; (request = hs_model_request(model, from)); from = request->number + 1)
		count++;
	return count;
}

/* All that fail are kept, of the others some; all of them while somebody follows. */
static void test_recent(void **state)
{
	struct flow flow = flow_make();
	const struct hs_request *request;

	(void)state;
	listen_on("0.0.0.0", flow.server_port, flow.server_ns, SERVER_PID, 5);
	server_open(&flow);
	for (int i = 0; i < 200; i++) {
		say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
		say(&flow, HS_SERVER, HS_SERVER, ANSWER);
	}
	assert_int_equal(kept(), 100);
	for (int i = 0; i < 20; i++) {
		say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
		say(&flow, HS_SERVER, HS_SERVER, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
	}
	assert_int_equal(kept(), 120);
	hs_model_follow_requests(model, true);
	for (int i = 0; i < 50; i++) {
		say(&flow, HS_SERVER, HS_CLIENT, REQUEST);
		say(&flow, HS_SERVER, HS_SERVER, ANSWER);
	}
	assert_int_equal(kept(), 170);
	request = hs_model_request(model, 1);
	assert_string_equal(request->call.target, "/users/42");
	assert_string_equal(request->route, "/users/{id}");
	assert_string_equal(request->end[HS_SERVER].workload->identity.name, "nginx");
	assert_int_equal(request->end[HS_SERVER].port, flow.server_port);
	assert_int_equal(hs_model_request_end(model), 171);
}

static int clear_positions(void **state)
{
	memset(position, 0, sizeof(position));
	return set_up(state);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, clear_positions, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_server_end), TEST(test_client_end), TEST(test_both_ends), TEST(test_unanswered),
		TEST(test_results_apart), TEST(test_too_many_routes), TEST(test_too_many_conversations), TEST(test_own),
		TEST(test_stranger), TEST(test_watches), TEST(test_recent), TEST(test_wait_without_an_answer), TEST(test_patterns),
		TEST(test_measures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

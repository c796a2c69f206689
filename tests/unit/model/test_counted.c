// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that the kernel follows and counts: what it is taught, and what it tells comes to the same series. */
#include <stdio.h>

#include "hopscope/count.h"
#include "model/record.h"

#define REQUEST "GET /users/42?q=1 HTTP/1.1\r\nHost: x\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* What the model has told the kernel. */
static struct {
	uint32_t edges, routes, answers; /* now */
	struct hs_route_key key;         /* of the last route */
	uint32_t number;
	struct hs_count_key answer;
	struct hs_wanted wanted;
	unsigned wishes;
	bool follows;
} told;

static void on_edge(void *arg, uint32_t number, bool counts)
{
	(void)arg;
	assert_true(number);
	told.edges += counts ? 1 : -1;
}

static void on_route(void *arg, const struct hs_route_key *key, uint32_t number, bool counts)
{
	(void)arg;
	assert_true(told.edges);
	told.routes += counts ? 1 : -1;
	told.key = *key;
	told.number = number;
}

static void on_answer(void *arg, const struct hs_count_key *key)
{
	(void)arg;
	assert_int_equal(key->route, told.number);
	told.answers++;
	told.answer = *key;
}

static void on_follow(void *arg, bool follows)
{
	(void)arg;
	told.follows = follows;
}

static void on_watch(void *arg, uint64_t cookie, const struct hs_wanted *wanted)
{
	(void)arg;
	(void)cookie;
	told.wanted = *wanted;
	told.wishes++;
}

static const struct hs_counting counting = { on_edge, on_route, on_answer, on_follow };
static struct flow flow;
static uint32_t position[2];

static int begin_counting(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	memset(&told, 0, sizeof(told));
	position[0] = position[1] = 0;
	config.counting = &counting;
	config.watch = on_watch;
	config.max_requests = 64;
	begin(&config);
	flow = flow_make();
	listen_on("0.0.0.0", flow.server_port, flow.server_ns, SERVER_PID, 5);
	client_open(&flow);
	server_open(&flow);
	return 0;
}

static void say(enum hs_side from, const char *text)
{
	enum hs_direction direction = from == HS_SERVER ? HS_DIRECTION_EGRESS : HS_DIRECTION_INGRESS;
	static _Alignas(8) char buffer[1024];
	struct hs_ev_data *data = (void *)buffer;
	size_t length = strlen(text);

	memset(buffer, 0, sizeof(buffer));
	*data = (struct hs_ev_data){
		.event = { .kind = HS_EV_DATA, .time_ns = now_ns, .size = (sizeof(*data) + length + 7) & ~7 },
		.cookie = flow.server_cookie, .position = position[direction], .length = length, .captured = length,
		.direction = direction, .read_ns = from == HS_SERVER ? now_ns - 2 * MS : 0,
	};
	memcpy(data->bytes, text, length);
	position[direction] += length;
	assert_int_equal(feed(data), 0);
}

static void call(const char *request, const char *answer)
{
	say(HS_CLIENT, request);
	now_ns += 3 * MS;
	say(HS_SERVER, answer);
}

static const struct hs_edge *the_edge(void)
{
	return edge("curl", "nginx", flow.server_port);
}

static const struct hs_calls *calls_with(int status)
{
	for (const struct hs_calls *calls = the_edge()->calls; calls; calls = calls->hh.next)
		if (calls->key.status == status)
			return calls;
	return NULL;
}

static uint64_t lost_calls(void)
{
	uint64_t sum = 0;

	for (int i = 0; i <= HS_PROTOCOLS_MAX; i++)
		sum += hs_model_counters(model)->undecoded[i][HS_L7_LOSS_CALLS];
	return sum;
}

static struct hs_ev_call followed(enum hs_followed what, uint16_t status)
{
	return (struct hs_ev_call){
		.event = { .kind = HS_EV_CALL, .size = sizeof(struct hs_ev_call), .time_ns = now_ns },
		.cookie = flow.server_cookie, .request_ns = now_ns - 5 * MS, .request_end_ns = now_ns - 5 * MS,
		.read_ns = now_ns - 4 * MS, .response_ns = status ? now_ns - MS : 0, .response_end_ns = status ? now_ns : 0,
		.response_bytes = status ? 7 : 0, .route = told.number, .position = { position[0], position[1] },
		.rtt_us = 80, .status = status, .what = what,
	};
}

/* Two calls without a surprise, and the kernel may follow. It knows their route and status by then. */
static void test_taught(void **state)
{
	uint64_t hash;

	(void)state;
	call(REQUEST, ANSWER);
	assert_int_equal(told.wanted.watch, HS_WATCH_HEADS);
	assert_int_equal(told.edges, 1);
	assert_int_equal(told.routes, 1);
	assert_int_equal(told.answers, 1);
	assert_int_equal(told.answer.status, 200);
	assert_true(hs_route_hash(NULL, "GET", "/users/7", "/users/{id}", &hash));
	assert_int_equal(told.key.hash, hash);
	call(REQUEST, ANSWER);
	assert_int_equal(told.wanted.watch, HS_WATCH_COUNT);
	assert_int_equal(told.wanted.group, told.key.group);
	assert_int_equal(told.wanted.group & 1, 1); /* HTTP/1.1 */
	call("GET /users/8 HTTP/1.1\r\n\r\n", ANSWER);
	call(REQUEST, "HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(told.routes, 1);
	assert_int_equal(told.answers, 2);
	call(REQUEST, "HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"); /* failures are always told */
	assert_int_equal(told.answers, 2);
}

/* A path that the kernel would take for another one's, and a method that it does not follow. */
static void test_not_taught(void **state)
{
	(void)state;
	call("GET /orders/order-100042 HTTP/1.1\r\n\r\n", ANSWER);
	call("OPTIONS /x HTTP/1.1\r\n\r\n", ANSWER);
	call("GET /long/aaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbbbbbbbbbb/cccccccccccccccccccccccc/x HTTP/1.1\r\n\r\n",
	     ANSWER);
	assert_int_equal(told.routes, 0);
	assert_int_equal(told.wanted.watch, HS_WATCH_HEADS);
}

/* Pipelined: of a turn with many answers more is wanted, and the kernel cannot follow. */
static void test_pipelined(void **state)
{
	(void)state;
	say(HS_CLIENT, REQUEST REQUEST REQUEST);
	assert_int_equal(told.wanted.watch, HS_WATCH_ENDS);
	for (int i = 0; i < 3; i++)
		say(HS_SERVER, ANSWER);
	call(REQUEST, ANSWER);
	assert_int_equal(told.wanted.watch, HS_WATCH_ENDS);
	assert_int_equal(calls_with(200)->count, 4);
}

static void learn(void)
{
	call(REQUEST, ANSWER);
	call(REQUEST, ANSWER);
	assert_int_equal(told.wanted.watch, HS_WATCH_COUNT);
}

static void test_counted(void **state)
{
	struct hs_ev_counted counted = {
		.event = { .kind = HS_EV_COUNTED, .size = sizeof(counted) },
		.grown = { .count = 1000, .duration_ns = 8 * SEC, .response_bytes = 5000, .bucket = { 999, 1 },
			   .response_size = { 1000 } },
	};
	const struct hs_calls *calls;

	(void)state;
	learn();
	counted.event.time_ns = now_ns;
	counted.key = told.answer;
	counted.grown.bin[hs_latency_bin_of(4 * MS, HS_ROUGH_UNIT_SHIFT, HS_ROUGH_STEP_SHIFT)] = 1000;
	assert_int_equal(feed(&counted), 0);
	calls = calls_with(200);
	assert_int_equal(calls->count, 1002);
	assert_string_equal(calls->key.route, "/users/{id}");
	assert_int_equal(calls->response_bytes, 5004);
	assert_int_equal(calls->duration.count[0], 1001);
	assert_int_equal(calls->duration.count[1], 1);
	assert_int_equal(hs_histogram_total(&calls->bodies->response), 1002);
	assert_true(calls->duration.sum > 8 && calls->duration.sum < 8.1);
	assert_int_equal(the_edge()->call_count, 1002);
	assert_int_equal(the_edge()->call_failures, 0);
	counted.key.route += 1000;
	assert_int_equal(feed(&counted), 0); /* of no route that there is */
	assert_int_equal(lost_calls(), 1000);
	assert_int_equal(the_edge()->call_count, 1002);
}

static void test_latencies(void **state)
{
	struct {
		struct hs_ev_latencies head;
		struct hs_bin bins[2];
	} record = { .head = { .event = { .kind = HS_EV_LATENCIES, .size = sizeof(record) }, .count = 2 } };

	(void)state;
	learn();
	record.head.event.time_ns = now_ns;
	record.head.edge = told.key.group / 2;
	record.head.part[HS_PART_QUEUE][3] = 100;
	record.head.part_ns[HS_PART_QUEUE] = SEC;
	record.bins[0] = (struct hs_bin){ hs_latency_bin_of(40 * MS, HS_LATENCY_UNIT_SHIFT, HS_LATENCY_STEP_SHIFT), 98 };
	record.bins[1] = (struct hs_bin){ UINT32_MAX, 7 }; /* there is no such */
	assert_int_equal(feed(&record), 0);
	assert_int_equal(the_edge()->call_latency->total, 100);
	assert_true(hs_latency_quantile(the_edge()->call_latency, 0.9) > 0.039);
	assert_int_equal(the_edge()->parts[HS_PART_QUEUE].count[3], 100);
	assert_int_equal(hs_histogram_total(&the_edge()->parts[HS_PART_QUEUE]), 102);
	assert_true(the_edge()->parts[HS_PART_QUEUE].sum > 1);
	record.head.edge += 1000;
	assert_int_equal(feed(&record), 0);
	assert_int_equal(the_edge()->call_latency->total, 100);
}

/* A call told by itself: counted where the others are, and its status is taught. */
static void test_told(void **state)
{
	struct hs_ev_call over;
	const struct hs_request *request;

	(void)state;
	learn();
	now_ns += 10 * MS;
	over = followed(HS_FOLLOWED_OVER, 204);
	assert_int_equal(feed(&over), 0);
	assert_int_equal(calls_with(204)->count, 1);
	assert_int_equal(told.answer.status, 204);
	assert_int_equal(told.routes, 1);
	request = hs_model_request(model, hs_model_request_end(model) - 1);
	assert_string_equal(request->route, "/users/{id}");
	assert_string_equal(request->call.operation, "GET");
	assert_string_equal(request->call.version, "1.1");
	assert_int_equal(request->duration_ns, 5 * MS);
	assert_int_equal(hs_histogram_total(&the_edge()->parts[HS_PART_NETWORK]), 1);
	assert_true(the_edge()->parts[HS_PART_NETWORK].sum > 79e-6 && the_edge()->parts[HS_PART_NETWORK].sum < 81e-6);
	assert_int_equal(hs_histogram_total(&the_edge()->parts[HS_PART_SERVICE]), 3);
	over = followed(HS_FOLLOWED_OVER, 500);
	assert_int_equal(feed(&over), 0);
	assert_int_equal(the_edge()->call_failures, 1);
	assert_int_equal(lost_calls(), 0);
}

/* The kernel gives a request back that it has followed: its answer comes as payload. */
static void test_handed(void **state)
{
	struct hs_ev_call handed;

	(void)state;
	learn();
	position[HS_DIRECTION_INGRESS] += 40000; /* counted, and never told */
	position[HS_DIRECTION_EGRESS] += 90000;
	handed = followed(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(feed(&handed), 0);
	say(HS_SERVER, "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	assert_int_equal(calls_with(201)->count, 1);
	assert_string_equal(calls_with(201)->key.route, "/users/{id}");
	assert_int_equal(calls_with(201)->response_bytes, 3);
	assert_int_equal(lost_calls(), 0);
	for (int i = 0; i < 6; i++)
		call(REQUEST, ANSWER);
	assert_int_equal(calls_with(200)->count, 8);
	told.wanted.watch = HS_WATCH_HEADS;
	call(REQUEST, ANSWER);
	assert_int_equal(told.wanted.watch, HS_WATCH_COUNT); /* it may again, but not as soon as the first time */
}

/* Nothing is under way, or the connection closes amid a call. */
static void test_handed_and_closed(void **state)
{
	struct hs_ev_call handed;

	(void)state;
	learn();
	handed = followed(HS_FOLLOWED_HANDED, 0);
	handed.route = 0;
	assert_int_equal(feed(&handed), 0);
	handed = followed(HS_FOLLOWED_HANDED, 0);
	assert_int_equal(feed(&handed), 0);
	server_close(&flow);
	client_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(the_edge()->call_count, 3);
	assert_int_equal(the_edge()->call_failures, 1);
	assert_int_equal(lost_calls(), 0);
}

static void test_lost(void **state)
{
	struct hs_ev_call lost;

	(void)state;
	learn();
	lost = followed(HS_FOLLOWED_LOST, 0);
	assert_int_equal(feed(&lost), 0);
	assert_int_equal(lost_calls(), 1);
	lost.route += 77; /* of no route that there is */
	lost.what = HS_FOLLOWED_OVER;
	lost.status = 200;
	assert_int_equal(feed(&lost), 0);
	assert_int_equal(lost_calls(), 2);
	lost.cookie = 4711; /* nor of a connection */
	assert_int_equal(feed(&lost), 0);
	assert_int_equal(lost_calls(), 3);
	call(REQUEST, ANSWER);
	assert_int_equal(the_edge()->call_count, 3);
}

/* ---- Redis ---- */

#define GET "*2\r\n$3\r\nget\r\n$1\r\nk\r\n"
#define VALUE "$1\r\nv\r\n"

static const struct hs_calls *calls_of(const char *operation)
{
	for (const struct hs_calls *calls = the_edge()->calls; calls; calls = calls->hh.next)
		if (!strcmp(calls->key.operation, operation) && !*calls->key.error && calls->key.end == HS_CALL_ANSWERED)
			return calls;
	return NULL;
}

static uint64_t count_of(const char *operation)
{
	const struct hs_calls *calls = calls_of(operation);

	return calls ? calls->count : 0;
}

static void test_redis_taught(void **state)
{
	(void)state;
	call(GET, VALUE);
	assert_int_equal(told.routes, 1);
	assert_int_equal(told.answers, 1);
	assert_int_equal(told.answer.status, HS_STATUS_NONE);
	assert_int_equal(told.key.hash, hs_command_hash('G' | 'E' << 8 | 'T' << 16, 0));
	assert_int_equal(told.key.hash, hs_command_hash('g' | 'e' << 8 | 'T' << 16, 0));
	call(GET, VALUE);
	assert_int_equal(told.wanted.watch, HS_WATCH_PIPELINE);
	assert_int_equal(told.wanted.group, told.key.group);
	assert_int_equal(told.wanted.confirmed, 0);
	call("*1\r\n$4\r\nping\r\n", "+PONG\r\n");
	assert_int_equal(told.routes, 2);
	call(GET, VALUE);
	assert_int_equal(told.routes, 2);
}

/* What fails, waits for somebody else, has more than one word or changes what is answered to others. */
static void test_redis_not_taught(void **state)
{
	(void)state;
	call(GET, "-WRONGTYPE no\r\n");
	call("*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n", "*-1\r\n");
	call("*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$1\r\nx\r\n", "*0\r\n");
	call("*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n", ":1\r\n");
	call("*1\r\n$4\r\nEXEC\r\n", "*0\r\n");
	call("*1\r\n$8\r\nNONSENSE\r\n", "+OK\r\n");
	call("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	assert_int_equal(told.routes, 0);
	call("*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"); /* … which may be taught */
	assert_int_equal(told.routes, 1);
	assert_int_equal(told.wanted.watch, HS_WATCH_ALL); /* but messages may come at any time */
}

static void try_at(uint32_t in, uint32_t out)
{
	struct hs_ev_call tried = followed(HS_FOLLOWED_TRIED, 0);

	tried.route = 0;
	tried.request_ns = tried.request_end_ns = tried.read_ns = 0;
	tried.position[HS_DIRECTION_INGRESS] = in;
	tried.position[HS_DIRECTION_EGRESS] = out;
	assert_int_equal(feed(&tried), 0);
}

static void test_redis_trial(void **state)
{
	(void)state;
	call(GET, VALUE);
	call(GET, VALUE);
	try_at(position[HS_DIRECTION_INGRESS], position[HS_DIRECTION_EGRESS]);
	assert_int_equal(told.wanted.watch, HS_WATCH_PIPELINE);
	assert_int_equal(told.wanted.confirmed, 1);
	assert_int_equal(told.wanted.position, position[HS_DIRECTION_INGRESS]);
	call(GET, VALUE);
	assert_int_equal(told.wanted.confirmed, 1);
	assert_int_equal(count_of("GET"), 3);
}

/* Something is under way where it began, or something is missing: not from there. */
static void test_redis_trial_refused(void **state)
{
	(void)state;
	call(GET GET, VALUE VALUE);
	assert_int_equal(told.wanted.watch, HS_WATCH_PIPELINE);
	say(HS_CLIENT, GET);
	try_at(position[HS_DIRECTION_INGRESS], position[HS_DIRECTION_EGRESS]);
	assert_int_equal(told.wanted.watch, HS_WATCH_ALL);
	say(HS_SERVER, VALUE);
	assert_int_equal(told.wanted.watch, HS_WATCH_PIPELINE); /* another one */
	assert_int_equal(told.wanted.confirmed, 0);
	try_at(position[HS_DIRECTION_INGRESS] + 1, position[HS_DIRECTION_EGRESS]);
	assert_int_equal(told.wanted.watch, HS_WATCH_ALL);
	call(GET, VALUE);
	try_at(position[HS_DIRECTION_INGRESS], position[HS_DIRECTION_EGRESS] + 1);
	assert_int_equal(told.wanted.watch, HS_WATCH_ALL);
}

/* Something came on trial that the kernel does not follow: not again as soon. */
static void test_redis_trial_ended(void **state)
{
	struct hs_ev_call ended = followed(HS_FOLLOWED_ENDED, 0);
	unsigned wishes;

	(void)state;
	call(GET GET, VALUE VALUE);
	ended.route = 0;
	ended.request_ns = 0;
	assert_int_equal(feed(&ended), 0);
	wishes = told.wishes;
	for (int i = 0; i < 7; i++)
		call(GET, VALUE);
	assert_int_equal(told.wishes, wishes);
	call(GET, VALUE);
	assert_int_equal(told.wishes, wishes + 1);
	assert_int_equal(told.wanted.watch, HS_WATCH_PIPELINE);
}

/* Several alike in one record, and sizes of all of them. */
static void test_redis_told(void **state)
{
	struct hs_ev_call over;

	(void)state;
	call(GET GET, VALUE VALUE);
	now_ns += 10 * MS;
	over = followed(HS_FOLLOWED_OVER, HS_STATUS_NONE);
	over.calls = 16;
	over.request_bytes = 16 * 20;
	over.response_bytes = 16 * 7;
	assert_int_equal(feed(&over), 0);
	assert_int_equal(count_of("GET"), 18);
	assert_int_equal(calls_of("GET")->response_bytes, 18 * 7);
	assert_int_equal(calls_of("GET")->key.status, -1);
	assert_null(calls_of("GET")->bodies);
	assert_int_equal(told.routes, 1);
	assert_int_equal(lost_calls(), 0);
}

static void test_redis_counted(void **state)
{
	struct hs_ev_counted counted = {
		.event = { .kind = HS_EV_COUNTED, .size = sizeof(counted) },
		.grown = { .count = 1000, .duration_ns = SEC, .response_bytes = 5000, .bucket = { 999, 1 } },
	};

	(void)state;
	call(GET GET, VALUE VALUE);
	counted.event.time_ns = now_ns;
	counted.key = told.answer;
	assert_int_equal(feed(&counted), 0);
	assert_int_equal(count_of("GET"), 1002);
	assert_int_equal(calls_of("GET")->duration.count[0], 999); /* the two before took 3 ms */
	assert_null(calls_of("GET")->bodies);
}

struct handed_runs {
	struct hs_ev_call head;
	struct hs_run runs[2];
};

static struct handed_runs runs_of(enum hs_followed what, uint32_t get, uint32_t set)
{
	struct handed_runs handed = { .head = followed(what, 0) };

	handed.head.event.size = sizeof(handed);
	handed.head.route = 0;
	handed.head.request_ns = handed.head.request_end_ns = handed.head.read_ns = 0;
	handed.head.run_count = 2;
	handed.runs[0] = (struct hs_run){ .request_ns = now_ns - 4 * MS, .route = get, .bytes = 3 * 20, .calls = 3 };
	handed.runs[1] = (struct hs_run){ .request_ns = now_ns - 2 * MS, .route = set, .bytes = 30, .calls = 1 };
	return handed;
}

/* Commands that are under way come back in their order, and an error goes to the one that it is of. */
static void test_redis_handed(void **state)
{
	struct handed_runs handed;
	uint32_t get;

	(void)state;
	call(GET, VALUE);
	get = told.number;
	call("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", "+OK\r\n");
	position[HS_DIRECTION_INGRESS] += 40000; /* counted, and never told */
	position[HS_DIRECTION_EGRESS] += 90000;
	now_ns += 10 * MS;
	handed = runs_of(HS_FOLLOWED_HANDED, get, told.number);
	assert_int_equal(feed(&handed.head), 0);
	say(HS_CLIENT, "*1\r\n$4\r\nPING\r\n");
	say(HS_SERVER, VALUE VALUE "-WRONGTYPE no\r\n+OK\r\n+PONG\r\n");
	assert_int_equal(count_of("GET"), 3);
	assert_int_equal(count_of("SET"), 2);
	assert_int_equal(count_of("PING"), 1);
	assert_int_equal(the_edge()->call_failures, 1);
	assert_int_equal(the_edge()->call_count, 2 + 5);
	assert_int_equal(lost_calls(), 0);
}

static void test_redis_lost(void **state)
{
	struct handed_runs lost;

	(void)state;
	call(GET, VALUE);
	lost = runs_of(HS_FOLLOWED_LOST, told.number, told.number);
	assert_int_equal(feed(&lost.head), 0);
	assert_int_equal(lost_calls(), 4);
	lost = runs_of(HS_FOLLOWED_HANDED, told.number + 77, told.number); /* one is of no command that there is */
	assert_int_equal(feed(&lost.head), 0);
	assert_int_equal(lost_calls(), 4 + 4);
	lost.head.cookie = 4711; /* nor of a connection */
	assert_int_equal(feed(&lost.head), 0);
	assert_int_equal(lost_calls(), 4 + 4 + 4);
	call(GET, VALUE); /* the place is found again */
	assert_int_equal(count_of("GET"), 2);
}

static void test_follow(void **state)
{
	(void)state;
	hs_model_follow_requests(model, true);
	assert_true(told.follows);
	hs_model_follow_requests(model, false);
	assert_false(told.follows);
}

/* An edge that is forgotten takes with it what the kernel counted for it. */
static void test_forgotten(void **state)
{
	(void)state;
	learn();
	server_close(&flow);
	client_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(told.routes, 1);
	wait_ns(test_config().edge_ttl_ns + 10 * SEC);
	assert_null(the_edge());
	assert_int_equal(told.routes, 0);
	assert_int_equal(told.edges, 0);
}

/* Both sides count into the same bounds. */
static void test_bounds_agree(void **state)
{
	(void)state;
	assert_int_equal(hs_buckets_call.count, HS_COUNT_BUCKETS);
	assert_int_equal(hs_buckets_db.count, HS_DB_BUCKETS);
	for (unsigned i = 0; i < HS_DB_BUCKETS; i++)
		assert_true((uint64_t)(hs_buckets_db.bound[i] * 1e9 + 0.5) == hs_db_bound_ns[i]);
	for (unsigned i = 0; i < HS_COUNT_BUCKETS; i++)
		assert_true(hs_buckets_call.bound[i] * 1e9 == hs_count_bound_ns[i]);
	assert_int_equal(hs_buckets_part.count, HS_PART_BUCKETS);
	for (unsigned i = 0; i < HS_PART_BUCKETS; i++)
		assert_true((uint64_t)(hs_buckets_part.bound[i] * 1e9 + 0.5) == hs_part_bound_ns[i]);
	assert_int_equal(hs_buckets_body.count, HS_COUNT_SIZES);
	for (unsigned i = 0; i < HS_COUNT_SIZES; i++) {
		assert_int_equal(hs_size_bucket_of(hs_buckets_body.bound[i]), i);
		assert_int_equal(hs_size_bucket_of(hs_buckets_body.bound[i] + 1), i + 1);
	}
	assert_true(hs_latency_bin_of(HS_SLOW_NS, HS_LATENCY_UNIT_SHIFT, HS_LATENCY_STEP_SHIFT) < HS_LATENCY_COUNTED_BINS);
	assert_true(hs_latency_bin_of(HS_SLOW_NS, HS_ROUGH_UNIT_SHIFT, HS_ROUGH_STEP_SHIFT) < HS_COUNT_BINS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taught, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_not_taught, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_pipelined, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_counted, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_latencies, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_told, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_handed, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_handed_and_closed, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_lost, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_taught, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_not_taught, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_trial, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_trial_refused, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_trial_ended, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_told, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_counted, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_handed, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_redis_lost, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_follow, begin_counting, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten, begin_counting, tear_down),
		cmocka_unit_test(test_bounds_agree),
	};

	return cmocka_run_group_tests_name("counted", tests, NULL, NULL);
}

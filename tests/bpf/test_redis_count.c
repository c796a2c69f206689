/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redis followed in the kernel: after a trial, in which all is told, what is ordinary is counted, however many commands
 * are under way; what is not is handed back, and each command is one or the other.
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hopscope/count.h"
#include "probe/counts.h"
#include "probe/probe.h"
#include "stand.h"

#define HOOKS "connection,payload,read,snapshot"
#define GROUP 2
#define GET "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
#define SET "*3\r\n$3\r\nset\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"
#define LRANGE "*4\r\n$6\r\nLRANGE\r\n$1\r\nl\r\n$1\r\n0\r\n$2\r\n10\r\n"
#define LONG_NAME "*4\r\n$16\r\nzrevrangebyscore\r\n$1\r\nz\r\n$4\r\n+inf\r\n$4\r\n-inf\r\n"
#define VALUE "$5\r\nvalue\r\n"
#define OK "+OK\r\n"

enum { ROUTE_GET = 7, ROUTE_SET, ROUTE_LRANGE, ROUTE_LONG, ROUTES };

static int listener, client, server;
static uint64_t cookie; /* of the end that is looked at */
static uint64_t asked;  /* commands since the kernel follows */

static uint64_t word_of(const char *text)
{
	uint64_t word = 0;

	memcpy(&word, text, strnlen(text, 8));
	return word;
}

static void teach(const char *name, uint32_t number)
{
	const struct hs_route_key key = {
		.hash = hs_command_hash(word_of(name), strlen(name) > 8 ? word_of(name + 8) : 0), .group = GROUP,
	};

	hs_counts_edge(counters(), GROUP / 2, true);
	hs_counts_route(counters(), &key, number, true);
	hs_counts_answer(counters(), &(struct hs_count_key){ number, HS_STATUS_NONE });
}

static void ask(const char *text, unsigned commands)
{
	send_all(client, text, strlen(text));
	receive_all(server, strlen(text));
	asked += commands;
}

static void answer(const char *text)
{
	send_all(server, text, strlen(text));
	receive_all(client, strlen(text));
}

static void exchange(const char *request, unsigned commands, const char *response)
{
	ask(request, commands);
	answer(response);
}

static bool is_call(const void *record, const void *arg)
{
	const struct hs_ev_call *event = record;

	return event->cookie == cookie && event->what == *(const enum hs_followed *)arg;
}

static const struct hs_ev_call *await_call(enum hs_followed what)
{
	return await_record(HS_EV_CALL, is_call, &what);
}

static const struct hs_ev_call *find_call(enum hs_followed what)
{
	return find_record(HS_EV_CALL, is_call, &what);
}

static void wish(uint32_t position, bool confirmed)
{
	want_pipeline(cookie, GROUP, position, confirmed);
}

static void open_tried(bool at_client)
{
	uint16_t port;

	watch(HOOKS);
	listener = listen_on(&v4, &port, 4);
	client = connect_to(&v4, port);
	server = accept_from(listener);
	cookie = cookie_of(at_client ? client : server);
	exchange(GET, 1, VALUE);
	teach("GET", ROUTE_GET);
	teach("SET", ROUTE_SET);
	teach("LRANGE", ROUTE_LRANGE);
	teach("ZREVRANGEBYSCORE", ROUTE_LONG);
	wish(0, false);
	exchange(GET, 1, VALUE);
}

/* What comes next is counted. */
static void open_followed_at(bool at_client)
{
	const struct hs_ev_call *trial;

	open_tried(at_client);
	trial = await_call(HS_FOLLOWED_TRIED);
	wish(trial->position[at_client ? HS_DIRECTION_EGRESS : HS_DIRECTION_INGRESS], true);
	asked = 0;
}

static void open_followed(void)
{
	open_followed_at(false);
}

static void close_all(void)
{
	close(client);
	close(server);
	close(listener);
}

/* ---- what was counted, and what was told ---- */

static uint64_t counted[ROUTES], counted_bytes[2], counted_bins, counted_parts[HS_PART_MAX], counted_buckets;

static void on_counted(void *arg, const struct hs_event *event)
{
	const struct hs_ev_counted *record = (const void *)event;
	const struct hs_ev_latencies *latencies = (const void *)event;

	(void)arg;
	if (event->kind == HS_EV_COUNTED) {
		assert_in_range(record->key.route, ROUTE_GET, ROUTES - 1);
		assert_int_equal(record->key.status, HS_STATUS_NONE);
		counted[record->key.route] += record->grown.count;
		counted_bytes[0] += record->grown.request_bytes;
		counted_bytes[1] += record->grown.response_bytes;
		for (int i = 0; i < HS_DB_BUCKETS; i++)
			counted_buckets += record->grown.bucket[i];
		return;
	}
	for (uint32_t i = 0; i < latencies->count; i++)
		counted_bins += latencies->bins[i].grown;
	for (int part = 0; part < HS_PART_MAX; part++)
		for (int i = 0; i <= HS_PART_BUCKETS; i++)
			counted_parts[part] += latencies->part[part][i];
}

static uint64_t told[ROUTES], handed, payload_bytes;

static bool add_call(const void *record, const void *arg)
{
	const struct hs_ev_call *event = record;

	(void)arg;
	if (event->cookie == cookie && event->what == HS_FOLLOWED_OVER)
		told[event->route] += event->calls;
	if (event->cookie == cookie && event->what == HS_FOLLOWED_HANDED)
		for (int i = 0; i < event->run_count; i++)
			handed += event->runs[i].calls;
	return false;
}

static bool add_payload(const void *record, const void *arg)
{
	const struct hs_ev_data *data = record;

	(void)arg;
	if (data->cookie == cookie)
		payload_bytes += data->length;
	return false;
}

/* All that has happened on the connection, by then. */
static void add_up(void)
{
	settle();
	memset(counted, 0, sizeof(counted));
	memset(told, 0, sizeof(told));
	memset(counted_parts, 0, sizeof(counted_parts));
	counted_bytes[0] = counted_bytes[1] = counted_bins = counted_buckets = handed = payload_bytes = 0;
	find_record(HS_EV_CALL, add_call, NULL);
	find_record(HS_EV_DATA, add_payload, NULL);
	hs_counts_read(counters(), now(), on_counted, NULL);
}

static uint64_t of(unsigned route)
{
	return counted[route] + told[route];
}

static uint64_t of_all(void)
{
	uint64_t sum = 0;

	for (int i = ROUTE_GET; i < ROUTES; i++)
		sum += of(i);
	return sum;
}

#define TRIED_BYTES (2 * (sizeof(GET VALUE) - 1)) /* told before it is followed */

/* ---- tests ---- */

static void one_by_one(bool at_client)
{
	enum { COMMANDS = 500 };

	open_followed_at(at_client);
	for (int i = 0; i < COMMANDS; i++)
		exchange(GET, 1, VALUE);
	add_up();
	assert_int_equal(of(ROUTE_GET), COMMANDS);
	assert_in_range(told[ROUTE_GET], 1, COMMANDS / 2); /* samples */
	assert_int_equal(payload_bytes, TRIED_BYTES);
	assert_int_equal(counted_bins, counted[ROUTE_GET]);
	assert_int_equal(counted_buckets, counted[ROUTE_GET]);
	assert_int_equal(counted_bytes[0], counted[ROUTE_GET] * strlen(GET));
	assert_int_equal(counted_bytes[1], counted[ROUTE_GET] * strlen(VALUE));
	assert_int_equal(counted_parts[HS_PART_NETWORK], counted[ROUTE_GET]);
	assert_int_equal(counted_parts[HS_PART_SERVICE], at_client ? 0 : counted[ROUTE_GET]);
	close_all();
}

static void at_the_server(void **state)
{
	(void)state;
	one_by_one(false);
}

static void at_the_client(void **state)
{
	(void)state;
	one_by_one(true);
}

#define TIMES4(TEXT) TEXT TEXT TEXT TEXT
#define TIMES16(TEXT) TIMES4(TIMES4(TEXT))

/* Longer than what is looked at at one time, and answered in other pieces than it was asked in. */
static void pipelines(void **state)
{
	(void)state;
	open_followed();
	for (int i = 0; i < 50; i++)
		exchange(TIMES4(TIMES16(GET)), 64, TIMES4(TIMES16(VALUE)));
	exchange(TIMES4(GET SET LRANGE GET LONG_NAME), 20,
		 TIMES4(VALUE OK "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n+x\r\n" "$-1\r\n" "*0\r\n"));
	ask(GET GET, 2);
	ask(SET GET, 2);
	answer(VALUE VALUE OK);
	ask(SET, 1);
	answer(VALUE);
	answer(OK);
	add_up();
	assert_int_equal(of(ROUTE_GET), 50 * 64 + 8 + 3);
	assert_int_equal(of(ROUTE_SET), 4 + 2);
	assert_int_equal(of(ROUTE_LRANGE), 4);
	assert_int_equal(of(ROUTE_LONG), 4);
	assert_int_equal(of_all(), asked);
	assert_int_equal(payload_bytes, TRIED_BYTES);
	close_all();
}

/* RESP3, and numbers, and a value longer than what is looked at. */
static void kinds_of_answers(void **state)
{
	static const char *const answers[] = {
		":-123456789012345\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(12345678901234567890\r\n", "$0\r\n\r\n",
		"=7\r\ntxt:abc\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "~2\r\n:1\r\n:2\r\n", "*-1\r\n",
		"*2\r\n-ERR in a list\r\n:1\r\n", "+a longer line than eight bytes\r\n",
	};
	enum { LONG = 5000 };
	char text[LONG + 16];

	(void)state;
	open_followed();
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		exchange(GET, 1, answers[i]);
	sprintf(text, "$%d\r\n%0*d\r\n", LONG, LONG, 0);
	exchange(GET GET, 2, text);
	answer(VALUE);
	add_up();
	assert_int_equal(of(ROUTE_GET), asked);
	assert_int_equal(payload_bytes, TRIED_BYTES);
	close_all();
}

/* Two commands are under way when something else comes: they are given back, and all that follows is told. */
static void hands_back_at(const char *request)
{
	const struct hs_ev_call *event;

	open_followed();
	exchange(GET SET, 2, VALUE OK);
	ask(GET GET SET, 3);
	answer(VALUE);
	ask(request, 0);
	event = await_call(HS_FOLLOWED_HANDED);
	assert_int_equal(event->run_count, 2);
	assert_int_equal(event->runs[0].route, ROUTE_GET);
	assert_int_equal(event->runs[0].calls, 1);
	assert_int_equal(event->runs[0].bytes, strlen(GET));
	assert_int_equal(event->runs[1].route, ROUTE_SET);
	assert_int_equal(event->runs[1].calls, 1);
	answer(VALUE OK "*0\r\n");
	exchange(GET, 0, VALUE);
	add_up();
	assert_int_equal(of_all(), 2 + 1);
	assert_int_equal(handed, 2);
	assert_int_equal(payload_bytes,
			 TRIED_BYTES + strlen(request) + strlen(VALUE OK "*0\r\n") + strlen(GET VALUE));
	close_all();
}

static void what_is_not_followed(void **state)
{
	static const char *const requests[] = {
		"*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n", "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n", "*1\r\n$4\r\nEXEC\r\n",
		"GET key\r\n", "*2\r\n$3\r\nGET\r\n$3\r\nke", "*2\r\n$3\r\nGET\r\n$99999999\r\n", "*0\r\n", "*1\r\n$0\r\n\r\n",
		"*2\r\n:3\r\n", "*x\r\n", "*-1\r\n", "\r\n", "what is this? what is this?", "*2\r\n$17\r\nZREVRANGEBYSCOREX\r\n",
		"*2\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		hands_back_at(requests[i]);
		unwatch(NULL);
	}
}

/* What is whole before it is counted, or under way; the rest is told from where it begins. */
static void amid_a_segment(void **state)
{
	const struct hs_ev_call *event;

	(void)state;
	open_followed();
	exchange(GET, 1, VALUE);
	ask(GET GET "*1\r\n$5\r\nMULTI\r\n" GET, 2);
	event = await_call(HS_FOLLOWED_HANDED);
	assert_int_equal(event->run_count, 1);
	assert_int_equal(event->runs[0].calls, 2);
	add_up();
	assert_int_equal(of_all(), 1);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen("*1\r\n$5\r\nMULTI\r\n" GET));
	close_all();
}

/* An answer that is none of the ordinary, behind one that is. */
static void odd_answer(const char *text)
{
	open_followed();
	exchange(GET, 1, VALUE);
	ask(GET GET GET, 3);
	answer(VALUE);
	send_all(server, VALUE, strlen(VALUE));
	receive_all(client, strlen(VALUE));
	answer(text);
	await_call(HS_FOLLOWED_HANDED);
	add_up();
	assert_int_equal(of_all(), 3);
	assert_int_equal(handed, 1);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen(text));
	close_all();
}

static void odd_answers(void **state)
{
	static const char *const answers[] = {
		"-ERR no\r\n", ">2\r\n+message\r\n+x\r\n", "|1\r\n+a\r\n+b\r\n:1\r\n", "*?\r\n:1\r\n.\r\n", "$?\r\n;1\r\na\r\n;0\r\n",
		"$100\r\ncut", "*2\r\n:1\r\n", "+no end", "!5\r\nERR x\r\n", "HTTP/1.1 200 OK\r\n\r\n", "*99999999\r\n",
		"*9999999\r\n:1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		odd_answer(answers[i]);
		unwatch(NULL);
	}
}

/* Nobody asked. */
static void unasked(void **state)
{
	(void)state;
	open_followed();
	exchange(GET, 1, VALUE VALUE);
	assert_int_equal(await_call(HS_FOLLOWED_HANDED)->run_count, 0);
	add_up();
	assert_int_equal(of_all(), 1);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen(VALUE));
	close_all();
}

/* More runs than are kept: what does not fit is told, from where it begins. */
static void too_many(void **state)
{
	const struct hs_ev_call *event;

	(void)state;
	open_followed();
	exchange(GET, 1, VALUE);
	ask(TIMES16(GET SET) GET SET, HS_RUNS);
	event = await_call(HS_FOLLOWED_HANDED);
	assert_int_equal(event->run_count, HS_RUNS);
	add_up();
	assert_int_equal(of_all(), 1);
	assert_int_equal(handed, HS_RUNS);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen(GET SET));
	close_all();
}

/* ---- trials ---- */

/* Until userspace says that nothing was under way, all is told and nothing counted. */
static void not_confirmed(void **state)
{
	const struct hs_ev_call *trial;

	(void)state;
	open_tried(false);
	trial = await_call(HS_FOLLOWED_TRIED);
	wish(trial->position[HS_DIRECTION_INGRESS] + 1, true); /* of another trial */
	for (int i = 0; i < 10; i++)
		exchange(GET, 1, VALUE);
	add_up();
	assert_int_equal(of_all(), 0);
	assert_int_equal(payload_bytes, TRIED_BYTES + 10 * strlen(GET VALUE));
	close_all();
}

/* Confirmed while commands are under way: it waits until none are. */
static void confirmed_amid_commands(void **state)
{
	const struct hs_ev_call *trial;

	(void)state;
	open_tried(false);
	trial = await_call(HS_FOLLOWED_TRIED);
	ask(GET SET, 2);
	wish(trial->position[HS_DIRECTION_INGRESS], true);
	answer(VALUE);
	ask(GET, 1);
	answer(OK VALUE);
	asked = 0;
	exchange(SET, 1, OK);
	add_up();
	assert_int_equal(of(ROUTE_SET), 1);
	assert_int_equal(of_all(), 1);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen(GET SET VALUE GET OK VALUE));
	close_all();
}

static void ends_on_trial(void **state)
{
	(void)state;
	open_tried(false);
	await_call(HS_FOLLOWED_TRIED);
	exchange("PING\r\n", 1, "+PONG\r\n");
	await_call(HS_FOLLOWED_ENDED);
	exchange(GET, 1, VALUE);
	add_up();
	assert_int_equal(of_all(), 0);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen("PING\r\n+PONG\r\n" GET VALUE));
	close_all();
}

/* ---- time ---- */

static void nap_ms(uint64_t ms)
{
	uint64_t end = now() + ms * MS;

	while (now() < end) {
		find_record(HS_EV_CALL, NULL, NULL);
		nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
	}
}

/* A command that waits for its answer for long is given back by a pass, and its answer comes as payload. */
static void waits(void **state)
{
	(void)state;
	open_followed();
	exchange(GET, 1, VALUE);
	ask(GET, 1);
	nap_ms(300);
	pass();
	assert_null(find_call(HS_FOLLOWED_HANDED));
	nap_ms(800);
	pass();
	assert_int_equal(await_call(HS_FOLLOWED_HANDED)->runs[0].calls, 1);
	answer(VALUE);
	add_up();
	assert_int_equal(of_all(), 1);
	assert_int_equal(payload_bytes, TRIED_BYTES + strlen(VALUE));
	close_all();
}

static void slow(void **state)
{
	(void)state;
	open_followed();
	exchange(GET, 1, VALUE);
	ask(GET, 1);
	nap_ms(1050);
	answer(VALUE);
	add_up();
	assert_int_equal(of_all(), 2);
	assert_in_range(told[ROUTE_GET], 1, 2);
	assert_int_equal(counted_buckets, counted[ROUTE_GET]);
	close_all();
}

static void closed_amid_commands(void **state)
{
	(void)state;
	open_followed();
	exchange(GET, 1, VALUE);
	ask(GET GET SET, 3);
	close_all();
	await_record(HS_EV_CONNECTION, is_close, &cookie);
	add_up();
	assert_int_equal(of_all(), 1);
	assert_int_equal(handed, 3);
}

static void each_is_told(void **state)
{
	(void)state;
	open_followed();
	follow_calls();
	exchange(TIMES16(GET), 16, TIMES16(VALUE));
	exchange(SET GET, 2, OK VALUE);
	add_up();
	assert_int_equal(told[ROUTE_GET], 17);
	assert_int_equal(told[ROUTE_SET], 1);
	assert_int_equal(of_all(), 18);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(at_the_server, unwatch),
		cmocka_unit_test_teardown(at_the_client, unwatch),
		cmocka_unit_test_teardown(pipelines, unwatch),
		cmocka_unit_test_teardown(kinds_of_answers, unwatch),
		cmocka_unit_test_teardown(what_is_not_followed, unwatch),
		cmocka_unit_test_teardown(amid_a_segment, unwatch),
		cmocka_unit_test_teardown(odd_answers, unwatch),
		cmocka_unit_test_teardown(unasked, unwatch),
		cmocka_unit_test_teardown(too_many, unwatch),
		cmocka_unit_test_teardown(not_confirmed, unwatch),
		cmocka_unit_test_teardown(confirmed_amid_commands, unwatch),
		cmocka_unit_test_teardown(ends_on_trial, unwatch),
		cmocka_unit_test_teardown(waits, unwatch),
		cmocka_unit_test_teardown(slow, unwatch),
		cmocka_unit_test_teardown(closed_amid_commands, unwatch),
		cmocka_unit_test_teardown(each_is_told, unwatch),
	};

	return cmocka_run_group_tests_name("redis_count", tests, own_network, unwatch);
}

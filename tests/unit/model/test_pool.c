// SPDX-License-Identifier: GPL-2.0-or-later
/* Pools that are used up: who waits for whom, and what looks alike and is none. */
#include <stdio.h>

#include "model/finding.h"
#include "model/record.h"

#define REQUEST "GET /slow HTTP/1.1\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BEHIND_PID 300

static void say(uint64_t cookie, enum hs_direction direction, uint32_t position, const char *text)
{
	static _Alignas(8) char buffer[512];
	struct hs_ev_data *data = (void *)buffer;
	size_t length = strlen(text);

	memset(buffer, 0, sizeof(buffer));
	*data = (struct hs_ev_data){
		.event = { .kind = HS_EV_DATA, .time_ns = now_ns, .size = (sizeof(*data) + length + 7) & ~7 },
		.cookie = cookie, .position = position, .length = length, .captured = length, .direction = direction,
	};
	memcpy(data->bytes, text, length);
	assert_int_equal(feed(data), 0);
}

/* From the outside to nginx. */
static struct flow waiting(unsigned number)
{
	struct flow flow = flow_make();

	flow.client_port = 20000 + number;
	flow.client_cookie = 1000 + 2 * number;
	flow.server_cookie = 1001 + 2 * number;
	client_open(&flow);
	server_open(&flow);
	server_accept(&flow);
	now_ns += MS;
	say(flow.server_cookie, HS_DIRECTION_INGRESS, 0, REQUEST);
	return flow;
}

/* From nginx to what is behind it. */
static struct flow pooled(unsigned number, bool busy)
{
	struct flow flow = flow_make();

	flow.client_pid = SERVER_PID;
	flow.server_pid = BEHIND_PID;
	flow.server_port = 6000;
	flow.client_port = 30000 + number;
	flow.client_cookie = 2000 + 2 * number;
	flow.server_cookie = 2001 + 2 * number;
	client_open(&flow);
	server_open(&flow);
	server_accept(&flow);
	now_ns += MS;
	if (busy)
		say(flow.server_cookie, HS_DIRECTION_INGRESS, 0, REQUEST);
	return flow;
}

struct scene {
	struct flow waiting[8], pooled[8];
	unsigned waiting_count, pooled_count;
};

static void passes(const struct scene *scene, unsigned count)
{
	while (count--) {
		wait_ns(SEC);
		pass_begin();
		for (unsigned i = 0; i < scene->waiting_count; i++) {
			client_sample(&scene->waiting[i]);
			server_sample(&scene->waiting[i]);
		}
		for (unsigned i = 0; i < scene->pooled_count; i++) {
			client_sample(&scene->pooled[i]);
			server_sample(&scene->pooled[i]);
		}
		pass_end();
	}
}

static struct scene scene_of(unsigned waiters, unsigned busy, unsigned idle)
{
	struct scene scene = {};

	process(BEHIND_PID, "behind");
	for (unsigned i = 0; i < busy + idle; i++)
		scene.pooled[scene.pooled_count++] = pooled(i, i < busy);
	for (unsigned i = 0; i < waiters; i++)
		scene.waiting[scene.waiting_count++] = waiting(i);
	return scene;
}

static void exhausted(void **state)
{
	struct scene scene = scene_of(5, 2, 0);
	const struct hs_finding *finding;

	(void)state;
	passes(&scene, 6);
	finding = hs_model_findings(model);
	assert_non_null(finding);
	assert_null(finding->hh.next);
	assert_string_equal(hs_cause_name(finding->key.cause), "pool_exhausted");
	assert_string_equal(hs_confidence_name(finding->confidence), "inferred");
	assert_string_equal(finding->key.client->identity.name, "nginx");
	assert_int_equal(finding->key.server_port, 6000);
	assert_int_equal(finding->stuck, 2);
	assert_string_equal(finding->evidence[0].signal, "pool_connections");
	assert_int_equal(finding->evidence[0].number, 2);
	assert_string_equal(finding->evidence[1].signal, "pool_waiting");
	assert_int_equal(finding->evidence[1].number, 3);
	say(scene.pooled[0].server_cookie, HS_DIRECTION_EGRESS, 0, ANSWER); /* it goes on */
	passes(&scene, 2);
	assert_int_equal(hs_model_findings(model)->stuck, 0);
	assert_int_equal(hs_model_findings(model)->count, 2);
}

/* Waiting requests, busy and idle connections that are no pool used up. */
static const struct {
	unsigned waiters, busy, idle;
} others[] = {
	{ 5, 2, 1 }, /* one is free */
	{ 2, 2, 0 }, /* nobody waits for one of them */
	{ 0, 4, 0 }, /* a load generator */
	{ 5, 1, 0 }, /* a long poll */
	{ 5, 0, 3 },
	{ 5, 0, 0 },
};

static void no_pool(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct scene scene = scene_of(others[i].waiters, others[i].busy, others[i].idle);

		passes(&scene, 6);
		assert_null(hs_model_findings(model));
		end();
		set_up(state);
	}
}

/* It opens one connection after another, and is as well as it can. */
static void still_growing(void **state)
{
	struct scene scene = scene_of(7, 2, 0);

	(void)state;
	for (int i = 0; i < 4; i++) {
		passes(&scene, 1);
		scene.pooled[scene.pooled_count] = pooled(scene.pooled_count, true);
		scene.pooled_count++;
	}
	passes(&scene, 1);
	assert_null(hs_model_findings(model));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exhausted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_pool, set_up, tear_down),
		cmocka_unit_test_setup_teardown(still_growing, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

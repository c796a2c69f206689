/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listeners: their queues, their drops, who holds them, and how long they are kept. */
#include "model/record.h"

static void feed_listener(struct hs_ev_listener record)
{
	assert_int_equal(feed(&record), 0);
}

static struct hs_ev_listener sample(uint32_t pid)
{
	return listener_record("0.0.0.0", 80, 1, pid, 7, HS_PHASE_SAMPLE);
}

static void shows_what_the_kernel_says(void **state)
{
	struct hs_ev_listener record = sample(SERVER_PID);
	const struct hs_listener *listener;

	(void)state;
	record.backlog = 3;
	record.backlog_limit = 511;
	record.syn_queue = 2;
	record.inode = 77;
	record.oldest_wait_ns = 5 * SEC;
	feed_listener(record);
	listener = listener_at(80);
	assert_int_equal(listener->backlog, 3);
	assert_int_equal(listener->backlog_limit, 511);
	assert_int_equal(listener->syn_queue, 2);
	assert_int_equal(listener->inode, 77);
	assert_int_equal(listener->oldest_wait_ns, 5 * SEC);
	assert_int_equal(listener->pid, SERVER_PID);
	assert_int_equal(listener->netns, 1);
	assert_string_equal(listener->workload->identity.name, "nginx");
	record.backlog = 0;
	record.oldest_wait_ns = 0;
	feed_listener(record);
	assert_int_equal(listener_at(80)->backlog, 0);
	assert_int_equal(listener_at(80)->oldest_wait_ns, 0);
}

/* Drops and SYN-ACKs count from when the agent came; the kernel's counters are 32 bits wide. */
static void counters_begin_at_zero_and_wrap(void **state)
{
	struct hs_ev_listener record = sample(SERVER_PID);

	(void)state;
	record.drops = UINT32_MAX - 1;
	record.synack_retrans = UINT32_MAX - 1;
	feed_listener(record);
	assert_int_equal(listener_at(80)->drops, 0);
	assert_int_equal(listener_at(80)->synack_retrans, 0);
	record.drops = 3; /* 5 more */
	record.synack_retrans = 0;
	feed_listener(record);
	assert_int_equal(listener_at(80)->drops, 5);
	assert_int_equal(listener_at(80)->synack_retrans, 2);
}

static void closes(void **state)
{
	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	listen_on("0.0.0.0", 81, 1, SERVER_PID, 8);
	feed_listener(listener_record("0.0.0.0", 80, 1, 0, 7, HS_PHASE_CLOSE));
	assert_null(listener_at(80));
	assert_non_null(listener_at(81));
	feed_listener(listener_record("0.0.0.0", 80, 1, 0, 7, HS_PHASE_CLOSE)); /* not known: nothing */
	assert_non_null(listener_at(81));
}

/* Listeners of one port: by namespace and address, whichever of them comes and goes. */
static void one_port_many_listeners(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	process(201, "apache");
	process(202, "haproxy");
	flow.client = flow.server = "10.0.0.1";
	flow.server_pid = 0;
	listen_on("0.0.0.0", 80, 2, 201, 8);
	listen_on("10.0.0.2", 80, 1, 202, 9);
	listen_on("10.0.0.1", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "nginx", 80)->active, 1);
	flow.server = "10.0.0.2";
	flow.client_cookie += 100;
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "haproxy", 80)->active, 1);
	feed_listener(listener_record("10.0.0.1", 80, 1, 0, 7, HS_PHASE_CLOSE));
	feed_listener(listener_record("10.0.0.2", 80, 1, 0, 9, HS_PHASE_CLOSE));
	flow.client_ns = 2;
	flow.client = flow.server = "127.0.0.1";
	flow.client_cookie += 100;
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "apache", 80)->active, 1);
}

static void pass_of(const uint32_t *pids)
{
	pass_begin();
	for (; *pids; pids++)
		feed_listener(sample(*pids));
	pass_end();
	wait_ns(SEC);
}

/* Workers share it: each pass meets it once for each of them. */
static void workers_do_not_take_turns(void **state)
{
	(void)state;
	process(201, "worker");
	process(202, "worker");
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	for (int i = 0; i < 5; i++) {
		pass_of((uint32_t[]){ 201, SERVER_PID, 202, 0 });
		assert_int_equal(listener_at(80)->pid, SERVER_PID);
	}
	pass_of((uint32_t[]){ 201, 202, 0 }); /* the one that opened it is gone */
	pass_of((uint32_t[]){ 201, 202, 0 });
	pass_of((uint32_t[]){ 201, 202, 0 });
	assert_int_equal(listener_at(80)->pid, 201);
	pass_of((uint32_t[]){ 202, 201, 0 });
	assert_int_equal(listener_at(80)->pid, 201);
}

static void one_that_passes_no_longer_meet_is_forgotten(void **state)
{
	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	for (int i = 0; i < 25; i++)
		pass_of((uint32_t[]){ 0 });
	assert_non_null(listener_at(80));
	for (int i = 0; i < 10; i++)
		pass_of((uint32_t[]){ 0 });
	assert_null(listener_at(80));
}

static void one_that_passes_meet_is_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		pass_of((uint32_t[]){ SERVER_PID, 0 });
	assert_non_null(listener_at(80));
}

/* Its process was not known when it was met first. */
static void gets_its_name_later(void **state)
{
	(void)state;
	pass_of((uint32_t[]){ 300, 0 });
	assert_null(listener_at(80)->workload);
	process(300, "late");
	pass_of((uint32_t[]){ 300, 0 });
	assert_string_equal(listener_at(80)->workload->identity.name, "late");
}

static void counts_accepts(void **state)
{
	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	for (int i = 0; i < 3; i++) {
		struct flow flow = flow_make();

		flow.client_port += i;
		server_accept(&flow);
	}
	assert_int_equal(listener_at(80)->accepts, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_what_the_kernel_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counters_begin_at_zero_and_wrap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_port_many_listeners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(workers_do_not_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_passes_no_longer_meet_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_passes_meet_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gets_its_name_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_accepts, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}

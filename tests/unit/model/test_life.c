/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections in time: half closed for long, lingering, vanished, and edges that expire. */
#include "model/record.h"

static struct flow open_both(void)
{
	struct flow flow = flow_make();

	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	server_accept(&flow);
	return flow;
}

static void pass_of(const struct flow *flow, bool client, bool server)
{
	pass_begin();
	if (client)
		client_sample(flow);
	if (server)
		server_sample(flow);
	pass_end();
}

/* The client is gone, the server's end stays in CLOSE_WAIT for an hour: one connect, one close. */
static void half_closed_for_long(void **state)
{
	struct flow flow = open_both();

	(void)state;
	wait_ns(2 * SEC);
	assert_int_equal(totals().active, 1);
	client_close(&flow);
	assert_int_equal(totals().active, 0); /* at once, not when the other end is done */
	assert_int_equal(live(), 0);
	for (int i = 0; i < 3600; i++) {
		struct hs_ev_connection record = server_record(&flow, HS_PHASE_SAMPLE);

		record.socket.state = record.socket.old_state = CLOSE_WAIT;
		wait_ns(SEC);
		pass_begin();
		assert_int_equal(feed(&record), 0);
		pass_end();
		check_invariants();
	}
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
	flow.received += 5; /* what the server sent into the void was acknowledged */
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().received, flow.received);
	assert_int_equal(log_count(HS_LOG_CLOSE), 1);
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_int_equal(dropped_in_all(), 0);
}

/* The same where no snapshot pass is made, and longer than its edge would be kept when idle. */
static void half_closed_longer_than_an_edge(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.edge_ttl_ns = 10 * SEC;
	begin(&config);
	flow = open_both();
	wait_ns(2 * SEC);
	client_close(&flow);
	wait_ns(600 * SEC);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* A close without the other end, which is expected: it waits longer than an idle edge is kept. */
static void lingers_longer_than_an_edge(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.edge_ttl_ns = 10 * SEC;
	begin(&config);
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	flow = flow_make();
	client_open(&flow);
	client_close(&flow);
	wait_ns(120 * SEC);
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void lingers_until_the_other_end_would_have_shown(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	now_ns += MS;
	client_close(&flow);
	wait_ns(SEC / 2);
	assert_int_equal(hs_model_connection_count(model), 1);
	wait_ns(SEC);
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_int_equal(totals().closes, 1);
}

/* A pass that begins after the close would have met the other end: no need to wait. */
static void a_pass_ends_the_wait(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	now_ns += MS;
	client_close(&flow);
	now_ns += MS;
	pass_begin();
	pass_end();
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_int_equal(totals().closes, 1);
}

/* An edge is known when the first pass after the opening has ended. */
static void a_pass_settles(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	client_open(&flow);
	assert_int_equal(totals().edges, 0);
	now_ns += MS;
	pass_begin();
	client_sample(&flow);
	server_sample(&flow);
	pass_end();
	assert_int_equal(edge("curl", "nginx", 80)->active, 1);
}

static void wait_with_passes(const struct flow *flow, bool client, bool server, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		pass_of(flow, client, server);
		wait_ns(SEC);
	}
}

/* Its close record was lost: passes no longer meet it. */
static void a_vanished_connection_is_closed_and_counted(void **state)
{
	struct flow flow = open_both();
	uint64_t met;

	(void)state;
	wait_with_passes(&flow, true, true, 3);
	met = now_ns - SEC;
	wait_with_passes(&flow, false, false, 28);
	assert_int_equal(totals().active, 1);
	wait_with_passes(&flow, false, false, 10);
	assert_int_equal(totals().active, 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(dropped(HS_MODEL_LOSS_CLOSE), 2); /* of either end */
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_true(edge("curl", "nginx", 80)->connection_duration.sum <= (met - flow.start_ns) / 1e9 + 0.01);
}

/* The kernel alone may hold a socket that is closing for minutes. */
static void an_orphan_is_given_more_time(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	record = client_record(&flow, HS_PHASE_SAMPLE);
	record.socket.state = FIN_WAIT1;
	pass_begin();
	assert_int_equal(feed(&record), 0);
	pass_end();
	wait_with_passes(&flow, false, false, 290);
	assert_int_equal(dropped(HS_MODEL_LOSS_CLOSE), 0);
	wait_with_passes(&flow, false, false, 30);
	assert_int_equal(dropped(HS_MODEL_LOSS_CLOSE), 1);
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void lose_records(uint64_t count)
{
	struct hs_ev_loss loss = {
		.event = { .kind = HS_EV_LOSS, .size = sizeof(loss), .time_ns = now_ns },
		.count = { [HS_LOSS_RING_CONNECTION] = count },
	};

	assert_int_equal(feed(&loss), 0);
	assert_int_equal(hs_model_counters(model)->kernel_dropped[HS_LOSS_RING_CONNECTION], count);
}

/* A loss is a reason to doubt what was open then: some passes are enough to tell. */
static void a_loss_makes_passes_decide(void **state)
{
	struct flow flow = open_both();

	(void)state;
	wait_with_passes(&flow, true, true, 3);
	lose_records(1);
	wait_with_passes(&flow, true, true, 10);
	assert_int_equal(totals().active, 1); /* what they still meet is there */
	lose_records(2);
	wait_with_passes(&flow, false, false, 4);
	assert_int_equal(totals().active, 1);
	wait_with_passes(&flow, false, false, 4);
	assert_int_equal(totals().active, 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(dropped(HS_MODEL_LOSS_CLOSE), 2);
}

/* Opened and closed between two passes, and the record of the close was lost. */
static void never_met_and_its_close_lost(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	lose_records(1);
	wait_with_passes(&flow, false, false, 290);
	assert_int_equal(totals().active, 1);
	wait_with_passes(&flow, false, false, 30);
	assert_int_equal(totals().active, 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(dropped(HS_MODEL_LOSS_CLOSE), 1);
}

/* The kernel's own sockets are met by no pass; while no record is lost, their close will come. */
static void never_met_but_nothing_lost(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	client_open(&flow);
	wait_with_passes(&flow, false, false, 1000);
	assert_int_equal(totals().active, 1);
	assert_int_equal(dropped_in_all(), 0);
	client_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().closes, 1);
}

static void idle_edges_expire(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.edge_ttl_ns = 10 * SEC;
	begin(&config);
	flow = flow_make();
	flow.server = "192.0.2.1";
	client_open(&flow);
	wait_ns(60 * SEC);
	assert_int_equal(totals().edges, 1); /* its connection lives */
	client_close(&flow);
	wait_ns(5 * SEC);
	assert_int_equal(totals().edges, 1);
	wait_ns(10 * SEC);
	assert_int_equal(totals().edges, 0);
}

static void an_edge_in_use_is_kept(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.edge_ttl_ns = 10 * SEC;
	begin(&config);
	for (int i = 0; i < 10; i++) {
		struct flow flow = flow_make();

		flow.server = "192.0.2.1";
		client_open(&flow);
		client_close(&flow);
		wait_ns(8 * SEC);
		assert_int_equal(totals().connects, i + 1);
	}
}

/* Two CPUs: a record may be older than the one before it. Time does not go back. */
static void time_never_goes_back(void **state)
{
	struct flow flow = flow_make();
	uint64_t late = now_ns + 5 * SEC;

	(void)state;
	hs_model_tick(model, late);
	client_open(&flow);
	assert_int_equal(hs_model_now(model), late);
	hs_model_tick(model, late - SEC);
	assert_int_equal(hs_model_now(model), late);
}

static void time_begins_anywhere(void **state)
{
	(void)state;
	begin(NULL);
	hs_model_tick(model, 0);
	hs_model_tick(model, 1);
	assert_int_equal(totals().edges, 0);
}

/* Older than the agent, closed before anybody who held it was met: no edge can be drawn from that. */
static void strangers_are_left_alone(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record = client_record(&flow, HS_PHASE_CLOSE);

	(void)state;
	record.socket.role = HS_ROLE_UNKNOWN;
	record.socket.pid = record.socket.tid = 0;
	record.start_ns = record.established_ns = 0;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 0);
	listen_on("0.0.0.0", flow.server_port, flow.server_ns, SERVER_PID, 5); /* now it is known who is called */
	record.socket.cookie++;
	record.socket.event.time_ns = now_ns;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(half_closed_for_long, set_up, tear_down),
		cmocka_unit_test_teardown(half_closed_longer_than_an_edge, tear_down),
		cmocka_unit_test_teardown(lingers_longer_than_an_edge, tear_down),
		cmocka_unit_test_setup_teardown(lingers_until_the_other_end_would_have_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pass_ends_the_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pass_settles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_vanished_connection_is_closed_and_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_loss_makes_passes_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_orphan_is_given_more_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(never_met_and_its_close_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(never_met_but_nothing_lost, set_up, tear_down),
		cmocka_unit_test_teardown(idle_edges_expire, tear_down),
		cmocka_unit_test_teardown(an_edge_in_use_is_kept, tear_down),
		cmocka_unit_test_setup_teardown(time_never_goes_back, set_up, tear_down),
		cmocka_unit_test_teardown(time_begins_anywhere, tear_down),
		cmocka_unit_test_setup_teardown(strangers_are_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}

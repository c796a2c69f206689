/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two ends make one connection, in whatever order and however late their records come. */
#include <stdio.h>

#include "model/record.h"

enum step { OPEN, ACCEPT, CLIENT_CLOSE, SERVER_CLOSE, STEPS };

static void take(enum step step, const struct flow *flow)
{
	static void (*const feeders[STEPS])(const struct flow *) = {
		[OPEN] = client_open,
		[ACCEPT] = server_accept,
		[CLIENT_CLOSE] = client_close,
		[SERVER_CLOSE] = server_close,
	};

	feeders[step](flow);
}

/* A socket opens before it closes, on either side; between the sides any order is possible. */
static bool is_possible(const enum step order[STEPS])
{
	int at[STEPS];

	for (int i = 0; i < STEPS; i++)
		at[order[i]] = i;
	return at[OPEN] < at[CLIENT_CLOSE] && at[ACCEPT] < at[SERVER_CLOSE];
}

static void counted_once(const char *what, const struct flow *flow)
{
	struct totals sum = totals();

	if (sum.connects != 1 || sum.closes != 1 || sum.active || sum.failed || sum.cancelled)
		fail_msg("%s: %lu connects, %lu closes, %lu active, %lu failed", what, sum.connects, sum.closes,
			 sum.active, sum.failed + sum.cancelled);
	if (sum.sent != flow->sent || sum.received != flow->received)
		fail_msg("%s: %lu sent, %lu received", what, sum.sent, sum.received);
	if (sum.connect_durations != 1 || sum.connection_durations != 1)
		fail_msg("%s: %lu connect durations, %lu connection durations", what, sum.connect_durations,
			 sum.connection_durations);
	if (log_count(HS_LOG_CONNECT) != 1 || log_count(HS_LOG_CLOSE) != 1 || log_count(HS_LOG_FAILURE))
		fail_msg("%s: %zu connects and %zu closes in the log", what, log_count(HS_LOG_CONNECT),
			 log_count(HS_LOG_CLOSE));
	if (live() || hs_model_connection_count(model))
		fail_msg("%s: %zu connections left", what, hs_model_connection_count(model));
	if (dropped_in_all())
		fail_msg("%s: %lu dropped", what, dropped_in_all());
}

static char *describe(const enum step order[STEPS], int pause_at, bool passes)
{
	static const char *const names[STEPS] = { "open", "accept", "client close", "server close" };
	static char text[160];
	int used = 0;

	for (int i = 0; i < STEPS; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
				 names[order[i]]);
	snprintf(text + used, sizeof(text) - used, "; pause before %d%s", pause_at, passes ? ", passes" : "");
	return text;
}

/* A pass that meets the ends which live. */
static void make_pass(const struct flow *flow, const enum step order[STEPS], int done)
{
	bool seen[STEPS] = {};

	for (int i = 0; i < done; i++)
		seen[order[i]] = true;
	pass_begin();
	if (seen[OPEN] && !seen[CLIENT_CLOSE])
		client_sample(flow);
	if (seen[ACCEPT] && !seen[SERVER_CLOSE])
		server_sample(flow);
	pass_end();
}

static void try_order(const enum step order[STEPS], int pause_at, uint64_t pause_ns, bool passes)
{
	struct flow flow;

	begin(NULL);
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	flow = flow_make();
	for (int i = 0; i < STEPS; i++) {
		if (i == pause_at) {
			if (passes)
				make_pass(&flow, order, i);
			wait_ns(pause_ns);
			if (passes)
				make_pass(&flow, order, i);
		}
		now_ns += MS;
		take(order[i], &flow);
		check_invariants();
	}
	wait_ns(70 * SEC);
	check_invariants();
	counted_once(describe(order, pause_at, passes), &flow);
	assert_non_null(edge("curl", "nginx", 80));
	assert_int_equal(totals().edges, 1);
	assert_int_equal(totals().accept_delays, 1);
	end();
}

static int for_each_order(void (*try)(const enum step order[STEPS]))
{
	int orders = 0;

	for (int code = 0; code < 256; code++) {
		enum step order[STEPS] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3 };
		unsigned seen = 0;

		for (int i = 0; i < STEPS; i++)
			seen |= 1u << order[i];
		if (seen != 15 || !is_possible(order))
			continue;
		orders++;
		try(order);
	}
	return orders;
}

static void at_once(const enum step order[STEPS])
{
	try_order(order, -1, 0, false);
}

static void any_order_gives_one_connection(void **state)
{
	(void)state;
	assert_int_equal(for_each_order(at_once), 6);
}

/* Seconds between any two records, with and without snapshot passes in between. */
static void with_pauses(const enum step order[STEPS])
{
	bool open = false;

	for (int at = 1; at < STEPS; at++) {
		open |= order[at - 1] == OPEN;
		if (!open) /* records of two CPUs overtake one another by microseconds, not seconds */
			continue;
		try_order(order, at, 3 * SEC, false);
		try_order(order, at, 3 * SEC, true);
		try_order(order, at, 20 * SEC, true);
	}
}

static void pauses_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(for_each_order(with_pauses), 6);
}

/* Without a hook on accept(), the server's end is announced when it is established. */
static void an_announced_server_is_the_same_connection(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	server_open(&flow);
	client_open(&flow);
	assert_int_equal(hs_model_connection_count(model), 1);
	assert_true(only_connection()->end[HS_CLIENT].here);
	assert_true(only_connection()->end[HS_SERVER].here);
	pass_begin();
	server_sample(&flow);
	client_sample(&flow);
	pass_end();
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
	assert_non_null(edge("curl", "nginx", 80));
	assert_int_equal(hs_model_counters(model)->accepts_unobserved, 1);
}

/* The same tuple on two loopbacks: two connections, each with its own two ends. */
static void loopbacks_of_two_namespaces_are_two(void **state)
{
	struct flow one = flow_make(), two = flow_make();
	const struct hs_connection *connection = NULL;

	(void)state;
	two.client_ns = two.server_ns = 2;
	two.client_pid = 101;
	two.server_pid = 201;
	two.sent = 7;
	two.received = 9;
	process(101, "wget");
	process(201, "apache");
	client_open(&one);
	client_open(&two);
	server_accept(&two);
	server_accept(&one);
	assert_int_equal(live(), 2);
	while ((connection = hs_model_next_connection(model, connection)))
		assert_int_equal(connection->end[HS_CLIENT].netns, connection->end[HS_SERVER].netns);
	server_close(&two);
	client_close(&one);
	client_close(&two);
	server_close(&one);
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 2);
	assert_int_equal(edge("curl", "nginx", 80)->sent_bytes, one.sent);
	assert_int_equal(edge("wget", "apache", 80)->sent_bytes, 7);
	assert_int_equal(edge("wget", "apache", 80)->received_bytes, 9);
	assert_int_equal(totals().connects, 2);
}

/* The records of the servers come late: who belongs to whom shows from when they were established. */
static void late_servers_are_told_by_time(void **state)
{
	struct flow flow[3];
	const struct hs_connection *connection = NULL;

	(void)state;
	for (int i = 0; i < 3; i++) {
		flow[i] = flow_make();
		flow[i].client = "10.0.0.1";
		flow[i].server = "10.0.0.2";
		flow[i].client_ns = 10 + i;
		flow[i].server_ns = 20 + i;
		flow[i].established_ns += i * MS;
		client_open(&flow[i]);
	}
	for (int i = 0; i < 3; i++) {
		struct hs_ev_connection record = server_record(&flow[i], HS_PHASE_SAMPLE);

		record.established_ns += MS / 50;
		record.start_ns = record.established_ns;
		assert_int_equal(feed(&record), 0);
	}
	assert_int_equal(live(), 3);
	while ((connection = hs_model_next_connection(model, connection)))
		assert_int_equal(connection->end[HS_CLIENT].netns + 10, connection->end[HS_SERVER].netns);
}

/*
 * Nobody follows, so the server's close is the first that is heard of it: it tells who it was, and
 * what was logged before, of the same connection alone, tells it then, too.
 */
static void what_was_logged_is_amended(void **state)
{
	struct flow flow = flow_make(), other = flow_make();
	struct hs_ev_connection record;
	struct hs_ev_reset reset;

	(void)state;
	process(300, "postgres");
	other.server_port = flow.server_port = 5432; /* nobody is known to listen there */
	other.client_port++;
	flow.server_pid = 300;
	client_open(&other);
	client_open(&flow);
	reset = reset_record(&flow, HS_CLIENT, true);
	assert_int_equal(feed(&reset), 0);
	client_close(&flow);
	assert_int_equal(log_last(HS_LOG_CLOSE)->end[HS_SERVER].pid, 0);
	record = server_record(&flow, HS_PHASE_CLOSE);
	record.socket.pid = record.socket.tid = flow.server_pid;
	record.accept_ns = flow.established_ns + MS;
	assert_int_equal(feed(&record), 0);
	for (enum hs_log_type type = 0; type < HS_LOG_MAX; type++) {
		if (!log_count(type))
			continue;
		assert_int_equal(log_last(type)->end[HS_CLIENT].pid, CLIENT_PID);
		assert_int_equal(log_last(type)->end[HS_SERVER].pid, 300);
		assert_string_equal(log_last(type)->end[HS_SERVER].workload->identity.name, "postgres");
		assert_string_equal(log_last(type)->end[HS_SERVER].comm, "postgres");
	}
	assert_int_equal(log_count(HS_LOG_CLOSE), 1);
	assert_int_equal(log_count(HS_LOG_RESET), 1);
	assert_int_equal(log_count(HS_LOG_CONNECT), 2);
	assert_int_equal(hs_model_log(model, 1)->type, HS_LOG_CONNECT);
	assert_int_equal(hs_model_log(model, 1)->end[HS_SERVER].pid, 0);
	client_close(&other);
	wait_ns(2 * SEC);
}

/* What the log has forgotten since is not touched. */
static void only_what_is_there_is_amended(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow = flow_make(), other;

	(void)state;
	config.max_events = 4;
	begin(&config);
	client_open(&flow);
	for (int i = 0; i < 4; i++) {
		other = flow_make();
		other.client_port = 50000 + i;
		client_open(&other);
	}
	client_close(&flow);
	server_close(&flow);
	assert_int_equal(log_last(HS_LOG_CLOSE)->end[HS_SERVER].pid, SERVER_PID);
	assert_int_equal(log_count(HS_LOG_CONNECT), 3);
	assert_int_equal(log_last(HS_LOG_CONNECT)->end[HS_SERVER].pid, 0);
}

/* An address of one's own connected to itself is as local as loopback is. */
static void own_address_in_two_namespaces_is_two(void **state)
{
	struct flow one = flow_make(), two = flow_make();

	(void)state;
	one.client = one.server = two.client = two.server = "10.0.0.1";
	two.client_ns = two.server_ns = 2;
	client_open(&one);
	server_accept(&two);
	assert_int_equal(live(), 2);
}

static void veth_joins_namespaces(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "10.0.0.1";
	flow.server = "10.0.0.2";
	flow.server_ns = 2;
	client_open(&flow);
	server_accept(&flow);
	assert_non_null(only_connection());
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "nginx", 80));
	assert_int_equal(totals().edges, 1);
	client_close(&flow);
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
}

static void ipv6_joins_too(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "fd00::1";
	flow.server = "fd00::2";
	flow.server_ns = 2;
	server_accept(&flow);
	client_open(&flow);
	assert_non_null(only_connection());
}

/* The port comes round again before the old connection is gone from the table. */
static void a_reused_tuple_is_a_new_connection(void **state)
{
	struct flow old = flow_make(), new = flow_make();

	(void)state;
	client_open(&old);
	server_accept(&old);
	client_close(&old); /* the server's end waits for its close */
	new.start_ns = now_ns;
	new.established_ns = now_ns + MS;
	client_open(&new);
	server_accept(&new);
	server_close(&old);
	assert_int_equal(live(), 1);
	client_close(&new);
	server_close(&new);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 2);
	assert_int_equal(totals().closes, 2);
	assert_int_equal(totals().sent, 2 * old.sent);
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void a_client_alone(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "10.0.0.1";
	flow.server = "192.0.2.7";
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "192.0.2.7", 80)->connects, 1);
	assert_int_equal(edge("curl", "192.0.2.7", 80)->active, 1);
	assert_int_equal(edge("curl", "192.0.2.7", 80)->key.server->kind, HS_WORKLOAD_ADDRESS);
	client_close(&flow);
	wait_ns(2 * SEC);
	counted_once("client alone", &flow);
}

static void a_server_alone(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "192.0.2.7";
	flow.server = "10.0.0.1";
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	server_accept(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("192.0.2.7", "nginx", 80)->connects, 1);
	pass_begin();
	server_sample(&flow);
	pass_end();
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().sent, flow.sent);
	assert_int_equal(totals().received, flow.received);
	assert_int_equal(totals().edges, 1);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* A server that closes a connection before any record of it came. */
static void a_close_tells_it_all(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "192.0.2.7";
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("192.0.2.7", "nginx", 80)->connects, 1);
	assert_int_equal(edge("192.0.2.7", "nginx", 80)->closes, 1);
	assert_int_equal(totals().sent, flow.sent);
}

/* A child that its listener dropped before the handshake was done. */
static void a_child_that_never_was(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record = server_record(&flow, HS_PHASE_CLOSE);

	(void)state;
	record.established_ns = 0;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 0);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* The kernel's two programs stand in for each other: what both should tell changes nothing. */
static void told_twice(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	for (int i = 0; i < 2; i++)
		client_open(&flow);
	server_accept(&flow);
	assert_int_equal(log_count(HS_LOG_CONNECT), 1);
	for (int i = 0; i < 2; i++) {
		client_close(&flow);
		server_close(&flow);
	}
	wait_ns(2 * SEC);
	counted_once("told twice", &flow);
}

/* A client here whose server is here too, but accepts only when the client is long gone. */
static void a_late_accept_counts_nothing_again(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	client_open(&flow);
	client_close(&flow);
	wait_ns(200 * SEC);
	counted_once("before the accept", &flow);
	server_accept(&flow);
	pass_begin();
	server_sample(&flow);
	pass_end();
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 1);
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void an_accepted_socket_without_a_peer_is_passed_over(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_socket record = accept_record(&flow);

	(void)state;
	record.tuple.remote_port = 0;
	assert_int_equal(feed(&record), 0);
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_int_equal(log_count(HS_LOG_ACCEPT), 0);
}

/* accept() only reads a cookie: a socket older than the agent may have none yet. */
static void a_cookie_may_come_late(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_socket record = accept_record(&flow);

	(void)state;
	flow.client = "192.0.2.7";
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	record = accept_record(&flow);
	record.cookie = 0;
	assert_int_equal(feed(&record), 0);
	flow.start_ns = flow.established_ns = 0;
	pass_begin();
	server_sample(&flow);
	pass_end();
	assert_int_equal(hs_model_connection_count(model), 1);
	assert_non_null(only_connection());
	server_close(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(hs_model_connection_count(model), 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().sent, flow.sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(any_order_gives_one_connection, tear_down),
		cmocka_unit_test_teardown(pauses_change_nothing, tear_down),
		cmocka_unit_test_setup_teardown(an_announced_server_is_the_same_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loopbacks_of_two_namespaces_are_two, set_up, tear_down),
		cmocka_unit_test_setup_teardown(own_address_in_two_namespaces_is_two, set_up, tear_down),
		cmocka_unit_test_setup_teardown(veth_joins_namespaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_servers_are_told_by_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_logged_is_amended, set_up, tear_down),
		cmocka_unit_test_teardown(only_what_is_there_is_amended, tear_down),
		cmocka_unit_test_setup_teardown(ipv6_joins_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reused_tuple_is_a_new_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_client_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_server_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_close_tells_it_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_child_that_never_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(told_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_late_accept_counts_nothing_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_accepted_socket_without_a_peer_is_passed_over, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_cookie_may_come_late, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}

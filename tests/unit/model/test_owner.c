/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose socket it is: older than the agent, forked, passed on, closed by somebody else, our own. */
#include "model/record.h"

#define SELF 4000

/* ---- older than the agent ---- */

/* As the snapshot pass adopts it: no times, and often no role. */
static struct flow older_flow(void)
{
	struct flow flow = flow_make();

	flow.start_ns = flow.established_ns = 0;
	return flow;
}

static void sample_without_role(const struct flow *flow, enum hs_side side)
{
	struct hs_ev_connection record = side == HS_CLIENT ? client_record(flow, HS_PHASE_SAMPLE) :
							      server_record(flow, HS_PHASE_SAMPLE);

	record.socket.role = HS_ROLE_UNKNOWN;
	assert_int_equal(feed(&record), 0);
}

static void settled_as(const char *client, const char *server, uint16_t port)
{
	const struct hs_edge *e;

	wait_ns(2 * SEC);
	e = edge(client, server, port);
	assert_non_null(e);
	assert_int_equal(e->active, 1);
	assert_int_equal(e->connects, 0); /* before our time */
	assert_int_equal(hs_histogram_total(&e->connect_duration), 0);
}

/* A listener on the local port says that it came out of there. */
static void a_listener_tells_the_role(void **state)
{
	struct flow flow = older_flow();

	(void)state;
	flow.client = "192.0.2.3";
	listen_on("0.0.0.0", 80, 1, SERVER_PID, 7);
	pass_begin();
	sample_without_role(&flow, HS_SERVER);
	pass_end();
	settled_as("192.0.2.3", "nginx", 80);
	assert_true(only_connection()->older);
}

/* So does the other end, when its role is known. */
static void the_other_end_tells_the_role(void **state)
{
	struct flow flow = older_flow();

	(void)state;
	pass_begin();
	client_sample(&flow);
	sample_without_role(&flow, HS_SERVER);
	pass_end();
	settled_as("curl", "nginx", 80);
	assert_int_equal(hs_model_connection_count(model), 1);
}

/* Nothing tells: it is taken for the client, as most ends without a listener are. */
static void nothing_tells_the_role(void **state)
{
	struct flow flow = older_flow();

	(void)state;
	flow.server = "192.0.2.3";
	pass_begin();
	sample_without_role(&flow, HS_CLIENT);
	pass_end();
	settled_as("curl", "192.0.2.3", 80);
}

/* Both ends without a role and without a listener: still one connection. */
static void two_ends_without_a_role(void **state)
{
	struct flow flow = older_flow();

	(void)state;
	pass_begin();
	sample_without_role(&flow, HS_CLIENT);
	sample_without_role(&flow, HS_SERVER);
	pass_end();
	settled_as("curl", "nginx", 80);
	assert_int_equal(hs_model_connection_count(model), 1);
}

static void an_older_connection_closes_once(void **state)
{
	struct flow flow = older_flow();
	struct hs_ev_connection record;

	(void)state;
	flow.sent = 5000;
	pass_begin();
	client_sample(&flow);
	server_sample(&flow);
	pass_end();
	wait_ns(2 * SEC);
	flow.sent = 6000;
	record = client_record(&flow, HS_PHASE_CLOSE);
	record.socket.old_state = LAST_ACK;
	assert_int_equal(feed(&record), 0);
	record = server_record(&flow, HS_PHASE_CLOSE);
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 0);
	assert_int_equal(totals().closes, 1);
	assert_int_equal(totals().active, 0);
	assert_int_equal(totals().sent, 6000);
	assert_int_equal(totals().connection_durations, 0);
	assert_int_equal(log_count(HS_LOG_CONNECT), 0);
	assert_int_equal(log_last(HS_LOG_CLOSE)->duration_ns, 0);
}

/* ---- owners ---- */

static void who_closed_it_used_it_last(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_connection record;

	(void)state;
	process(300, "worker");
	flow.server = "192.0.2.3";
	client_open(&flow);
	record = client_record(&flow, HS_PHASE_CLOSE);
	record.closer_pid = record.closer_tid = 300;
	assert_int_equal(feed(&record), 0);
	wait_ns(2 * SEC);
	assert_non_null(edge("worker", "192.0.2.3", 80));
	assert_int_equal(log_last(HS_LOG_CLOSE)->end[HS_CLIENT].pid, 300);
}

static void sample_held_by(const struct flow *flow, const uint32_t *pids)
{
	struct flow held = *flow;

	pass_begin();
	for (; *pids; pids++) {
		held.client_pid = *pids;
		client_sample(&held);
	}
	pass_end();
}

static uint32_t owner(void)
{
	return only_connection()->end[HS_CLIENT].pid;
}

/* Whoever opened it stays its owner while he holds it, whoever else does too (a fork). */
static void a_fork_changes_nothing(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	process(300, "worker");
	flow.server = "192.0.2.3";
	client_open(&flow);
	sample_held_by(&flow, (uint32_t[]){ CLIENT_PID, 300, 0 });
	sample_held_by(&flow, (uint32_t[]){ 300, CLIENT_PID, 0 });
	assert_int_equal(owner(), CLIENT_PID);
}

/* Sent over a unix socket, or its opener has ended: the holder is the owner. */
static void the_holder_takes_over(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	process(300, "worker");
	flow.server = "192.0.2.3";
	client_open(&flow);
	sample_held_by(&flow, (uint32_t[]){ CLIENT_PID, 0 });
	sample_held_by(&flow, (uint32_t[]){ 300, 0 });
	assert_int_equal(owner(), 300);
	assert_string_equal(only_connection()->end[HS_CLIENT].workload->identity.name, "worker");
	sample_held_by(&flow, (uint32_t[]){ 300, CLIENT_PID, 0 });
	assert_int_equal(owner(), 300);
}

/* In flight between two processes, or held by io_uring alone: the owner stays. */
static void held_by_nobody(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.3";
	client_open(&flow);
	sample_held_by(&flow, (uint32_t[]){ CLIENT_PID, 0 });
	sample_held_by(&flow, (uint32_t[]){ 0 });
	assert_int_equal(owner(), CLIENT_PID);
}

/* Nobody introduced its owner, and in a replay nobody can be asked: its address is its name. */
static void an_unknown_process_is_an_address(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.client = "10.0.0.1";
	flow.client_pid = 999;
	flow.server = "192.0.2.3";
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("10.0.0.1", "192.0.2.3", 80)->active, 1);
	assert_int_equal(owner(), 999);
	assert_string_equal(log_last(HS_LOG_CONNECT)->end[HS_CLIENT].comm, "");
}

static unsigned asked;

static void introduce(void *arg, uint32_t pid)
{
	asked++;
	assert_ptr_equal(arg, &asked);
	if (pid != 666)
		process(pid, "introduced");
}

static void asks_for_unknown_processes(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.introduce = introduce;
	config.introduce_arg = &asked;
	begin(&config);
	asked = 0;
	flow = flow_make();
	flow.server = "192.0.2.3";
	client_open(&flow);
	assert_int_equal(asked, 0);
	flow = flow_make();
	flow.client_port++;
	flow.client_pid = 555;
	flow.server = "192.0.2.3";
	client_open(&flow);
	assert_int_equal(asked, 1);
	client_sample(&flow);
	assert_int_equal(asked, 1);
	wait_ns(2 * SEC);
	assert_int_equal(edge("introduced", "192.0.2.3", 80)->active, 1);
	flow.client_port++;
	flow.client_cookie += 1000;
	flow.client_pid = 666; /* gone already */
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_non_null(edge("127.0.0.1", "192.0.2.3", 80));
}

/*
 * The question is asked in the midst of a record, and its answer is a record too, of a later
 * time: what is closed must not be forgotten under the hands of the one that asked.
 */
static void asking_forgets_nothing(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.introduce = introduce;
	config.introduce_arg = &asked;
	begin(&config);
	flow = flow_make();
	client_open(&flow);
	server_close(&flow);
	client_close(&flow); /* both ends: about to be forgotten */
	flow.server_pid = 555;
	now_ns += MS;
	{
		struct hs_ev_socket record = accept_record(&flow);

		now_ns += SEC;
		assert_int_equal(feed(&record), 0);
	}
	wait_ns(2 * SEC);
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* The same pid again, another program: exec, or the pid came round. */
static void a_process_may_change_its_name(void **state)
{
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.3";
	client_open(&flow);
	wait_ns(2 * SEC);
	process(CLIENT_PID, "wget");
	assert_string_equal(hs_model_process(model, CLIENT_PID)->workload->identity.name, "wget");
	assert_string_equal(hs_model_process(model, CLIENT_PID)->comm, "wget");
	flow.client_port++;
	flow.client_cookie += 1000;
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "192.0.2.3", 80)->active, 1);
	assert_int_equal(edge("wget", "192.0.2.3", 80)->active, 1);
}

static void a_process_record_tells_who(void **state)
{
	const struct hs_process *known;

	(void)state;
	assert_int_equal(feed(process_record(300, "/usr/bin/redis-server", "redis.service/system.slice")), 0);
	known = hs_model_process(model, 300);
	assert_int_equal(known->parent_pid, 1);
	assert_int_equal(known->start_ns, 5 * SEC);
	assert_int_equal(known->workload->kind, HS_WORKLOAD_UNIT);
	assert_string_equal(known->workload->identity.unit, "redis.service");
	assert_null(hs_model_process(model, 301));
}

/* ---- ourselves ---- */

static void begin_as(uint32_t self)
{
	struct hs_model_config config = test_config();

	config.self_pid = self;
	begin(&config);
	process(SELF, "hopscope");
}

static void nothing_shown(void)
{
	wait_ns(70 * SEC);
	assert_int_equal(totals().edges, 0);
	assert_int_equal(live(), 0);
	for (int type = 0; type < HS_LOG_MAX; type++)
		assert_int_equal(log_count(type), 0);
}

static void our_own_connections_as_a_client(void **state)
{
	struct flow flow;

	(void)state;
	begin_as(SELF);
	flow = flow_make();
	flow.client_pid = SELF;
	flow.server = "192.0.2.3";
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(live(), 0);
	client_sample(&flow);
	client_close(&flow);
	nothing_shown();
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void our_own_connections_as_a_server(void **state)
{
	struct flow flow;

	(void)state;
	begin_as(SELF);
	flow = flow_make();
	flow.client = "192.0.2.3";
	flow.server_pid = SELF;
	server_accept(&flow);
	server_close(&flow);
	nothing_shown();
	assert_int_equal(hs_model_connection_count(model), 0);
}

/* Prometheus scrapes the agent: told by the listener, before the accept is seen. */
static void who_connects_to_us(void **state)
{
	struct hs_ev_retransmit again;
	struct hs_ev_error error;
	struct hs_ev_reset reset;
	struct flow flow;

	(void)state;
	begin_as(SELF);
	listen_on("127.0.0.1", 9909, 1, SELF, 7);
	assert_true(listener_at(9909)->own);
	flow = flow_make();
	flow.server_port = 9909;
	flow.server_pid = SELF;
	client_open(&flow);
	again = retransmit_record(&flow, HS_CLIENT, HS_RETRANSMIT_RTO, 1);
	assert_int_equal(feed(&again), 0);
	again = retransmit_record(&flow, HS_SERVER, HS_RETRANSMIT_SYN_ACK, 1);
	assert_int_equal(feed(&again), 0);
	wait_ns(2 * SEC);
	server_accept(&flow);
	error = error_record(&flow, HS_EV_SOCKET_ERROR, 104);
	assert_int_equal(feed(&error), 0);
	error = error_record(&flow, HS_EV_CONNECT_ERROR, 99);
	assert_int_equal(feed(&error), 0);
	reset = reset_record(&flow, HS_SERVER, true);
	assert_int_equal(feed(&reset), 0);
	client_close(&flow);
	server_close(&flow);
	nothing_shown();
	assert_int_equal(hs_model_connection_count(model), 0);
}

static void without_self_all_is_shown(void **state)
{
	struct flow flow;

	(void)state;
	begin_as(0);
	flow = flow_make();
	flow.client_pid = SELF;
	flow.server = "192.0.2.3";
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_int_equal(edge("hopscope", "192.0.2.3", 80)->active, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_listener_tells_the_role, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_other_end_tells_the_role, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_tells_the_role, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_ends_without_a_role, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_older_connection_closes_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_closed_it_used_it_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fork_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_holder_takes_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(held_by_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unknown_process_is_an_address, set_up, tear_down),
		cmocka_unit_test_teardown(asks_for_unknown_processes, tear_down),
		cmocka_unit_test_teardown(asking_forgets_nothing, tear_down),
		cmocka_unit_test_setup_teardown(a_process_may_change_its_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_record_tells_who, set_up, tear_down),
		cmocka_unit_test_teardown(our_own_connections_as_a_client, tear_down),
		cmocka_unit_test_teardown(our_own_connections_as_a_server, tear_down),
		cmocka_unit_test_teardown(who_connects_to_us, tear_down),
		cmocka_unit_test_teardown(without_self_all_is_shown, tear_down),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}

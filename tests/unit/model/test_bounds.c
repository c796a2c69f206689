/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every table is bounded; what does not fit is counted, and nothing leaks. Bad records are refused. */
#include <errno.h>
#include <stdio.h>

#include "model/record.h"

static void open_many(int count)
{
	for (int i = 0; i < count; i++) {
		struct flow flow = flow_make();

		flow.client_port = 1024 + i;
		flow.server = "192.0.2.1";
		client_open(&flow);
	}
}

static void connections_are_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_connections = 10;
	begin(&config);
	open_many(25);
	assert_int_equal(hs_model_connection_count(model), 10);
	assert_int_equal(dropped(HS_MODEL_LOSS_CONNECTION), 15);
	wait_ns(2 * SEC);
	assert_int_equal(totals().connects, 25); /* the forgotten ones are counted all the same */
	assert_int_equal(totals().closes, 15);
	assert_int_equal(totals().active, 10);
	assert_int_equal(live(), 10);
	check_invariants();
}

/* Those that are closed already make room first: that is no loss. */
static void closed_ones_go_first(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow, lasting;

	(void)state;
	config.max_connections = 10;
	begin(&config);
	lasting = flow_make();
	lasting.server = "192.0.2.9";
	client_open(&lasting);
	for (int i = 0; i < 100; i++) {
		flow = flow_make();
		flow.client_port = 1024 + i;
		flow.server = "192.0.2.1";
		client_open(&flow);
		client_close(&flow);
	}
	assert_int_equal(dropped_in_all(), 0);
	wait_ns(2 * SEC);
	assert_int_equal(edge("curl", "192.0.2.1", 80)->closes, 100);
	assert_int_equal(edge("curl", "192.0.2.9", 80)->active, 1);
}

static void edges_are_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_edges = 5;
	begin(&config);
	for (int i = 0; i < 12; i++) {
		struct flow flow = flow_make();

		flow.server_port = 1000 + i;
		flow.server = "192.0.2.1";
		client_open(&flow);
	}
	wait_ns(2 * SEC);
	assert_int_equal(totals().edges, 6); /* five, and the one for what did not fit */
	assert_int_equal(totals().connects, 12);
	assert_int_equal(edge("~other", "~other", 0)->connects, 7);
	assert_true(dropped(HS_MODEL_LOSS_EDGE) >= 7);
	check_invariants();
}

static void workloads_are_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_workloads = 8;
	begin(&config);
	for (int i = 0; i < 50; i++) {
		struct flow flow = flow_make();
		char address[32];

		snprintf(address, sizeof(address), "192.0.2.%d", i);
		flow.server = address;
		client_open(&flow);
		wait_ns(2 * SEC);
	}
	assert_non_null(edge("curl", "~other", 80));
	assert_true(edge("curl", "~other", 80)->active > 40);
	assert_int_equal(totals().active, 50);
	assert_true(dropped(HS_MODEL_LOSS_WORKLOAD) > 0);
	check_invariants();
}

static void processes_are_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_processes = 4;
	begin(&config);
	for (uint32_t pid = 1000; pid < 1010; pid++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", pid);
		process(pid, name);
	}
	assert_int_equal(dropped(HS_MODEL_LOSS_PROCESS), 8); /* with the two that begin() introduces */
	assert_null(hs_model_process(model, 1005));
	assert_non_null(hs_model_process(model, 1006));
	assert_non_null(hs_model_process(model, 1009));
}

static void listeners_are_bounded(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_listeners = 4;
	begin(&config);
	for (int i = 0; i < 10; i++) {
		struct hs_ev_listener record =
			listener_record("0.0.0.0", 100 + i, 1, SERVER_PID, 50 + i, HS_PHASE_OPEN);

		feed(&record);
	}
	assert_non_null(listener_at(103));
	assert_null(listener_at(104));
	assert_int_equal(dropped(HS_MODEL_LOSS_LISTENER), 6);
}

static void resets_without_sockets_are_bounded(void **state)
{
	(void)state;
	begin(NULL);
	for (int i = 0; i < 2000; i++) {
		struct flow flow = flow_make();
		struct hs_ev_reset record;

		flow.client = "192.0.2.5";
		flow.server_port = 1 + i;
		record = reset_record(&flow, HS_SERVER, true);
		record.socket.cookie = 0;
		assert_int_equal(feed(&record), 0);
	}
	wait_ns(2 * SEC);
	assert_int_equal(totals().resets[HS_SERVER], 2000); /* and none of them lost */
}

static void log_events(int count)
{
	for (int i = 0; i < count; i++) {
		struct flow flow = flow_make();
		struct hs_ev_error record = error_record(&flow, HS_EV_SOCKET_ERROR, 1 + i);

		assert_int_equal(feed(&record), 0);
	}
}

/* Readers see by the numbers what they missed. */
static void the_log_is_a_ring(void **state)
{
	struct hs_model_config config = test_config();

	(void)state;
	config.max_events = 16;
	begin(&config);
	assert_null(hs_model_log(model, 1));
	assert_int_equal(hs_model_log_end(model), 1);
	log_events(16);
	assert_int_equal(hs_model_log(model, 0)->number, 1);
	assert_int_equal(hs_model_log(model, 16)->number, 16);
	assert_null(hs_model_log(model, 17));
	log_events(1);
	assert_int_equal(hs_model_log(model, 1)->number, 2);
	log_events(100);
	assert_int_equal(hs_model_log_end(model), 118);
	assert_int_equal(hs_model_log(model, 1)->number, 102);
	for (uint64_t number = 102; number < 118; number++)
		assert_int_equal(hs_model_log(model, number)->number, number);
	assert_int_equal(hs_model_log(model, 117)->error, 100);
}

/* ---- malformed records ---- */

static void refused(const void *record)
{
	uint64_t before = dropped(HS_MODEL_LOSS_RECORD);

	assert_int_equal(feed(record), -EBADMSG);
	assert_int_equal(dropped(HS_MODEL_LOSS_RECORD), before + 1);
}

static void unknown_kinds_are_refused(void **state)
{
	struct hs_event event = { .size = sizeof(event), .time_ns = BEGIN_NS };

	(void)state;
	refused(&event);
	event.kind = HS_EV_MAX;
	refused(&event);
	event.kind = UINT16_MAX;
	refused(&event);
}

/* One byte too short; the memory behind it is not there, and a sanitizer would tell. */
static void short_records_are_refused(void **state)
{
	static const size_t sizes[HS_EV_MAX] = {
		[HS_EV_PROCESS] = sizeof(struct hs_ev_process),
		[HS_EV_CONNECTION] = sizeof(struct hs_ev_connection),
		[HS_EV_ACCEPT] = sizeof(struct hs_ev_socket),
		[HS_EV_LISTENER] = sizeof(struct hs_ev_listener),
		[HS_EV_RETRANSMIT] = sizeof(struct hs_ev_retransmit),
		[HS_EV_RESET] = sizeof(struct hs_ev_reset),
		[HS_EV_SOCKET_ERROR] = sizeof(struct hs_ev_error),
		[HS_EV_CONNECT_ERROR] = sizeof(struct hs_ev_error),
		[HS_EV_PASS] = sizeof(struct hs_ev_pass),
		[HS_EV_LOSS] = sizeof(struct hs_ev_loss),
		[HS_EV_DROP] = sizeof(struct hs_ev_drop),
		[HS_EV_COUNTERS] = HS_EV_COUNTERS_SIZE,
		[HS_EV_STATUS] = sizeof(struct hs_ev_status),
		[HS_EV_ADDRESS] = sizeof(struct hs_ev_address),
		[HS_EV_DATA] = sizeof(struct hs_ev_data),
		[HS_EV_CALL] = sizeof(struct hs_ev_call),
		[HS_EV_COUNTED] = sizeof(struct hs_ev_counted),
		[HS_EV_LATENCIES] = sizeof(struct hs_ev_latencies),
		[HS_EV_DATAGRAM] = sizeof(struct hs_ev_datagram),
	};

	(void)state;
	for (int kind = 1; kind < HS_EV_MAX; kind++) {
		size_t size = sizes[kind] - 8;
		struct hs_event *event;

		if (!sizes[kind])
			fail_msg("kind %d has no size here", kind);
		event = calloc(1, size);
		event->kind = kind;
		event->size = size;
		refused(event);
		free(event);
		event = calloc(1, sizes[kind]);
		event->kind = kind;
		event->size = sizes[kind];
		assert_int_equal(feed(event), 0);
		assert_int_equal(hs_model_counters(model)->events[kind], 1 + 2 * (kind == HS_EV_PROCESS));
		free(event);
	}
}

static void lengths_of_a_process_are_checked(void **state)
{
	union {
		struct hs_ev_process process;
		char bytes[HS_EV_PROCESS_MAX];
	} record;

	(void)state;
	memcpy(&record, process_record(300, "program", "leaf/root"), sizeof(record));
	assert_int_equal(feed(&record), 0);
	record.process.args_len = 1000;
	refused(&record);
	record.process.args_len = 0;
	record.process.cgroup_len = UINT16_MAX;
	refused(&record);
	record.process.cgroup_len = 0;
	record.process.exe_len = 3; /* does not end in NUL */
	refused(&record);
	record.process.exe_len = 0;
	memset(record.process.comm, 'a', sizeof(record.process.comm));
	refused(&record);
}

static void a_retransmit_of_no_kind_is_refused(void **state)
{
	struct flow flow = flow_make();
	struct hs_ev_retransmit record = retransmit_record(&flow, HS_CLIENT, HS_RETRANSMIT_MAX, 1);

	(void)state;
	refused(&record);
	record.kind = UINT32_MAX;
	refused(&record);
}

static void an_opening_without_its_tcp_part_is_taken(void **state)
{
	struct hs_ev_connection *record = malloc(HS_EV_CONNECTION_OPEN_SIZE), whole;
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	whole = client_record(&flow, HS_PHASE_OPEN);
	memcpy(record, &whole, HS_EV_CONNECTION_OPEN_SIZE); /* no byte behind it can be read */
	assert_int_equal(feed(record), 0);
	assert_int_equal(live(), 1);
	record->socket.phase = HS_PHASE_CLOSE;
	refused(record);
	free(record);
}

static void a_brief_close_is_taken(void **state)
{
	struct hs_ev_connection *record = malloc(HS_EV_CONNECTION_BRIEF_SIZE), whole;
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	whole = client_record(&flow, HS_PHASE_CLOSE);
	memcpy(record, &whole, HS_EV_CONNECTION_BRIEF_SIZE);
	record->socket.event.size = HS_EV_CONNECTION_BRIEF_SIZE;
	record->tcp.bytes_acked = 11;
	assert_int_equal(feed(record), 0);
	assert_int_equal(hs_model_counters(model)->events[HS_EV_CONNECTION], 1);
	record->socket.phase = HS_PHASE_SAMPLE;
	refused(record);
	free(record);
}

/* A record of a later version has fields behind those that we know. */
static void longer_records_are_taken(void **state)
{
	struct {
		struct hs_ev_connection connection;
		char more[64];
	} record = {};
	struct flow flow = flow_make();

	(void)state;
	flow.server = "192.0.2.1";
	record.connection = client_record(&flow, HS_PHASE_OPEN);
	record.connection.socket.event.size = sizeof(record);
	memset(record.more, 0xff, sizeof(record.more));
	assert_int_equal(feed(&record), 0);
	assert_int_equal(live(), 1);
}

static void counters_tell_what_was_fed(void **state)
{
	(void)state;
	open_many(3);
	pass_begin();
	pass_end();
	pass_begin(); /* under way */
	assert_int_equal(hs_model_counters(model)->events[HS_EV_CONNECTION], 3);
	assert_int_equal(hs_model_counters(model)->events[HS_EV_PASS], 3);
	assert_int_equal(hs_model_counters(model)->events[HS_EV_PROCESS], 2);
	assert_int_equal(hs_model_counters(model)->passes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(connections_are_bounded, tear_down),
		cmocka_unit_test_teardown(closed_ones_go_first, tear_down),
		cmocka_unit_test_teardown(edges_are_bounded, tear_down),
		cmocka_unit_test_teardown(workloads_are_bounded, tear_down),
		cmocka_unit_test_teardown(processes_are_bounded, tear_down),
		cmocka_unit_test_teardown(listeners_are_bounded, tear_down),
		cmocka_unit_test_teardown(resets_without_sockets_are_bounded, tear_down),
		cmocka_unit_test_teardown(the_log_is_a_ring, tear_down),
		cmocka_unit_test_setup_teardown(unknown_kinds_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_records_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lengths_of_a_process_are_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_retransmit_of_no_kind_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_opening_without_its_tcp_part_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_brief_close_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(longer_records_are_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counters_tell_what_was_fed, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
